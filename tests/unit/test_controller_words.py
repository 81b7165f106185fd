"""The pure parts of the controller: settings, failures, approvals, scripts."""

from __future__ import annotations

import pytest

from bridge.codex import approvals, failures, script, settings
from bridge.codex.model import Obj, Refused, Settings
from tests.unit.table import table

NOW: Obj = {
    "cwd": "/work",
    "sandboxPolicy": {"type": "workspaceWrite", "writableRoots": ["/a"], "networkAccess": True},
    "approvalPolicy": "on-request",
    "model": "m1",
    "effort": None,
    "permissions": None,
}
COMMAND = "item/commandExecution/requestApproval"
FILES = "item/fileChange/requestApproval"


def test_what_the_thread_has_already_is_not_given_again() -> None:
    """Contract 3.6: settings on a turn stick to the thread."""
    same = Settings("/work", "workspace-write", "on-request", ("/a",), "m1", None)
    assert settings.overrides(same, NOW) == {}
    assert settings.to_put_back({}, NOW) is None


def test_what_differs_is_given_and_put_back() -> None:
    """Contract 3.6."""
    given = settings.overrides(Settings("/other", "read-only", None, (), "m2", "high"), NOW)
    assert given["sandboxPolicy"] == {"type": "readOnly"}
    before = settings.to_put_back(given, NOW)
    assert before is not None
    during = NOW | given
    back = settings.put_back(before, during)
    assert back["cwd"] == "/work"
    assert back["sandboxPolicy"] == NOW["sandboxPolicy"]
    assert back["collaborationMode"]["settings"]["reasoning_effort"] is None
    assert "approvalPolicy" not in back


def test_what_the_desk_changed_since_then_is_left_alone() -> None:
    """Ours: put back only what still is as we set it."""
    given = settings.overrides(Settings(cwd="/other", model="m2"), NOW)
    before = settings.to_put_back(given, NOW)
    assert before is not None
    assert settings.put_back(before, NOW | given | {"model": "m3"}) == {"cwd": "/work"}


@table(
    ("error", "word"),
    [
        ({"codexErrorInfo": "contextWindowExceeded"}, "context_window"),
        ({"codex_error_info": "context_window_exceeded"}, "context_window"),
        ({"codexErrorInfo": {"httpConnectionFailed": {"httpStatusCode": 401}}}, "sign_in"),
        ({"codex_error_info": {"http_connection_failed": {"http_status_code": 401}}}, "sign_in"),
        (
            {"codexErrorInfo": {"responseTooManyFailedAttempts": {"httpStatusCode": 429}}},
            "rate_limited",
        ),
        ({"codexErrorInfo": "other", "message": "stream disconnected before"}, "connection_lost"),
        ({"codexErrorInfo": "somethingNew", "message": "?"}, "engine_error"),
        ({"codexErrorInfo": {}, "message": "?"}, "engine_error"),
        ({}, "engine_error"),
    ],
)
def test_each_failure_has_one_word(error: Obj, word: str) -> None:
    """Codex app-server 6, in the words of events and of the journal."""
    assert failures.reason(error) == word


def test_a_failure_names_no_path_and_no_address() -> None:
    """Contract 3.4; invariant I6."""
    error = {"message": "see /home/me/.codex/x.log or\nhttps://host/v1?key=abc, please"}
    assert failures.detail(error) == "see … or …, please"
    assert len(failures.detail({"message": "x" * 9999})) == failures.MAX_DETAIL_CHARS


def request(**more: object) -> Obj:
    return {"threadId": "t", "turnId": "u", "itemId": "i", "startedAtMs": 1000, **more}


def test_a_digest_covers_the_action_and_not_the_way_it_was_asked() -> None:
    """Threat-model R29: the same request after a restart has the same digest."""
    first = approvals.read(COMMAND, request(command="rm x", cwd="/w", reason="why"), [])
    again = approvals.read(COMMAND, request(command="rm x", cwd="/w", reason="else"), [])
    other = approvals.read(COMMAND, request(command="rm y", cwd="/w"), [])
    elsewhere = approvals.read(COMMAND, request(command="rm x", cwd="/v"), [])
    assert first.digest == again.digest
    assert len({first.digest, other.digest, elsewhere.digest}) == 3
    assert first.id == again.id == other.id


def test_a_change_of_files_is_summed_up() -> None:
    """Issue 4, point 4."""
    changes: list[Obj] = [
        {"path": "/w/a", "kind": {"type": "update"}, "diff": "@@\n-old\n+new\n+more\n"},
        {"path": "/w/b", "kind": {"type": "add"}, "diff": "one\ntwo\n"},
    ]
    found = approvals.read(FILES, request(), changes)
    assert found.summary.startswith("change 2 files: update /w/a (+2 -1), add /w/b (+2 -0)")
    assert "+more" in found.detail
    assert found.digest != approvals.read(FILES, request(), changes[:1]).digest


def test_a_detail_that_was_cut_says_so() -> None:
    """Threat-model R29: a cut display cannot be approved."""
    found = approvals.read(COMMAND, request(command="x" * 99_999), [])
    assert found.detail.endswith(approvals.CUT)
    assert len(found.detail) == approvals.MAX_DETAIL_CHARS


@table("decision", ["acceptForSession", "always", "", "ACCEPT"])
def test_no_answer_reaches_further_than_one_action(decision: str) -> None:
    """Threat-model R29."""
    found = approvals.read(COMMAND, request(command="x"), [])
    with pytest.raises(Refused):
        approvals.answer(found, request(), decision, {})


def test_steps_are_read_from_lines_and_nonsense_is_harmless() -> None:
    """Ours: the script of the echo engine."""
    message = "please\nsleep:x\nreply: hi\\nyou \nlong:3\nunknown:1"
    assert [step.word for step in script.steps(message)] == ["sleep", "reply", "long"]
    assert script.steps(message)[0].seconds == 0
    assert script.answer(message, False, []) == "hi\nyou\nThe"
    assert script.answer("plain", False, []) == "echo: plain"
    assert script.answer("sleep:1", False, []) == "done"
