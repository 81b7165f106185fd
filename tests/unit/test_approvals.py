"""What the phone is shown before it says yes: the exact action, or no way to allow it."""

from __future__ import annotations

from dataclasses import replace

from bridge.codex import approvals as codex
from bridge.core import approvals
from bridge.core.approvals import Asked
from bridge.core.decision import Ids
from bridge.core.model import AliasName, ApprovalId, Lang
from bridge.core.phrases import MARK
from bridge.core.text import MAX_BUBBLE_BYTES, MAX_BUBBLE_CHARS
from tests.unit.table import table
from tests.unit.test_control import NOW_MS, PEER, TURN, decided, told, view

CWD = TURN.cwd
IDS = Ids("install", "seed", "abcdefghj")


def asked_for(changes: list[dict[str, object]]) -> Asked:
    """The request as ctb-controller lists it."""
    method = "item/fileChange/requestApproval"
    params = {"threadId": "t", "turnId": "u", "itemId": "i", "reason": "it is outside"}
    found = codex.read(method, params, changes)
    return Asked(
        ApprovalId(found.id), found.kind, found.summary, found.detail, found.digest, found.options
    )


def change(path: str, diff: str, kind: str = "update") -> dict[str, object]:
    return {"path": path, "diff": diff, "kind": {"type": kind}}


def bubble(asked: Asked, *, is_remote: bool = True) -> str:
    step = approvals.after_asked(TURN, [asked], [], PEER, is_remote, NOW_MS, [IDS])
    return step.rows[0].text


def test_file_change_shows_places_from_the_folder_and_what_changes() -> None:
    """issue 4, item 4: paths and a diff summary; R35: no home, and still exact."""
    shown = bubble(
        asked_for(
            [
                change(f"{CWD}/src/cart.py", "@@\n-old\n+new\n+newer\n"),
                change("/home/owner/.bashrc", "export A=1\n", "add"),
            ]
        )
    )
    lines = shown.splitlines()
    assert "update src/cart.py (+2 -1)" in lines and "add ../.bashrc (+1 -0)" in lines
    assert "+newer" in lines and "it is outside" in lines
    assert "/home" not in shown and "/approve abcdefghj" in shown


def test_switched_off_shows_the_summary_alone() -> None:
    """issue 4, item 4: CTB_REMOTE_APPROVALS=off."""
    shown = bubble(asked_for([change(f"{CWD}/a.py", "@@\n-x\n+y\n")]), is_remote=False)
    assert "change 1 file: update a.py (+1 -1)" in shown
    assert "+y" not in shown.splitlines()
    assert shown.endswith("Please confirm it at the desk.") and "/approve" not in shown


def test_cut_change_says_so_and_cannot_be_approved() -> None:
    """R29: what is not all shown is not allowed from here; it can be refused."""
    asked = asked_for([change(f"{CWD}/a.py", "+line\n" * 400)])
    assert "confirm it at the desk, or /deny" in bubble(asked)
    step = approvals.after_asked(TURN, [asked], [], PEER, True, NOW_MS, [IDS])
    seen = replace(view(TURN), approvals=step.opened)
    refused = decided(f"/approve {IDS.code}", seen)
    assert told(refused) == "▸ Please confirm it at the desk." and refused.approval is None
    declined = decided(f"/deny {IDS.code}", seen)
    assert declined.approval is not None and declined.approval.decision == "decline"


def test_folder_that_is_asked_for_is_seen_from_the_folder() -> None:
    """R35."""
    method = "item/permissions/requestApproval"
    writes = {"write": ["/home/owner/other", f"{CWD}/gen"]}
    asked_for = {"fileSystem": writes, "network": {"enabled": True}, "odd": {"a": 1}}
    params = {"permissions": asked_for, "cwd": CWD}
    found = codex.read(method, params, [])
    asked = Asked(ApprovalId(found.id), found.kind, found.summary, found.detail, found.digest, ())
    lines = bubble(asked).splitlines()
    assert lines[1:5] == ["write ../other", "write gen", "network", 'odd: {"a": 1}']
    assert "/home" not in bubble(asked)


@table(
    ("decision", "is_late", "words"),
    [
        ("decline", False, "is declined."),
        ("decline", True, "waited too long and was declined for you"),
        ("accept", True, "is approved."),
    ],
)
def test_answer_is_told_once_and_in_its_own_words(decision: str, is_late: bool, words: str) -> None:
    """R29: the request is declined, and told, after the last deadline."""
    asked = asked_for([change(f"{CWD}/a.py", "+x\n")])
    step = approvals.after_asked(TURN, [asked], [], PEER, True, NOW_MS, [IDS])
    given = replace(step.opened[0], decision=decision)
    _, row = approvals.after_answer(given, True, PEER, is_late=is_late)
    assert words in row.text


@table("command", ["rm -rf /home/owner/shop/x", "cat /etc/passwd"])
def test_command_is_shown_as_it_is(command: str) -> None:
    """R29: the exact action."""
    asked = Asked(ApprovalId("a"), "command", f"run a command: {command}", command, "d", ())
    assert command in bubble(asked).splitlines()


@table("kind", ["command", "question", "permissions", "file_change", "odd"])
def test_request_cannot_speak_as_the_bridge(kind: str) -> None:
    """R28, R12: in its summary, its detail and its choices; hidden signs act on nothing."""
    forged = f"done\n{MARK} #6 is approved\u202e\x1b[2J"
    asked = Asked(
        ApprovalId("a"), kind, forged, f"{forged}, all of it", "d", (f"q:{forged}", "q:b")
    )
    shown = bubble(asked).splitlines()
    assert [line for line in shown if MARK in line] == [shown[0], shown[-1]]
    assert "\u202e" not in "".join(shown) and "\x1b" not in "".join(shown)
    assert ("1. done > #6 is approved" in shown) is (kind == "question")


@table(
    ("command", "is_exact"),
    [
        ("make", True),
        ("cat <<E\r\n\ta\r\nE", True),
        (f"echo a {MARK} b", False),
        ("rm x \u202e y", False),
        ("rm x\r ls", False),
        ("ls \x1b[8m; rm x", False),
        ("ls\x00", False),
    ],
)
def test_command_that_a_phone_does_not_show_as_it_is_cannot_be_approved_there(
    command: str, is_exact: bool
) -> None:
    """R29: bound to the exact action shown; a question is answered all the same."""
    asked = Asked(ApprovalId("a"), "command", f"run a command: {command}", command, "d", ())
    assert (f"/approve {IDS.code}" in bubble(asked)) is is_exact
    assert f"/deny {IDS.code}" in bubble(asked)
    question = replace(asked, kind="question", options=("q:yes",))
    assert f"/answer {IDS.code}" in bubble(question)


@table("lang", ["en", "zh"])
@table("kind", ["command", "question", "permissions", "file_change"])
@table("sign", ["x", "字", "\U0001f642"])
@table(("detail", "options"), [(900, 0), (1_200, 0), (9_000, 0), (20, 90)])
def test_request_of_any_size_is_one_bubble_that_wechat_takes(
    lang: Lang, kind: str, sign: str, detail: int, options: int
) -> None:
    """issue 3, item 4; R29: what cannot be shown whole is shown in part and not approved."""
    labels = tuple(f"{n}:{sign * 30}" for n in range(options))
    asked = Asked(ApprovalId("a"), kind, sign * 400, sign * detail, "d", labels)
    turn = replace(TURN, alias=AliasName("名" * 32))
    step = approvals.after_asked(turn, [asked], [], replace(PEER, lang=lang), True, NOW_MS, [IDS])
    text = step.rows[0].text
    assert len(text) <= MAX_BUBBLE_CHARS and len(text.encode()) <= MAX_BUBBLE_BYTES
    assert "/approve" not in text and "/deny abcdefghj" in text
