"""`/artifacts` and `/sendfile`: what the gate says, to lists, bubbles and questions."""

from __future__ import annotations

from dataclasses import replace

from bridge.core import commands as c
from bridge.core.artifacts import HASH_DIGITS, MAX_SHOWN
from bridge.core.attached import ArtifactId, FileFact, NewFile
from bridge.core.decide import decide
from bridge.core.decision import Decision, Facts, Policy, View
from bridge.core.intake import Batch
from bridge.core.model import Confirmation, TurnId
from bridge.core.phrases import size
from bridge.core.room import CONFIRM_MS
from bridge.core.text import MAX_BUBBLE_BYTES, MAX_BUBBLE_CHARS
from bridge.files import gate
from tests.unit.table import table
from tests.unit.test_decide import IDS, NOW_MS, VIEW, row

COPY = NewFile("staged-1", "a.txt", "file", 2_048, "ab" * 32, ArtifactId(1), 7)
READY = FileFact(ArtifactId(1), "a.txt", 2_048, copy=COPY)
DOUBTED = replace(READY, doubts=("not_exported", "secret"))
STAYS = FileFact(ArtifactId(2), "b.txt", why="too_large")


def says(command: c.Command, *files: FileFact, view: View = VIEW, of: int | None = 7) -> Decision:
    facts = Facts(files=files, files_of=TurnId(of) if of else None)
    return decide(Batch((row("/x"),)), command, view, facts, Policy(), NOW_MS, IDS)


def text(decision: Decision) -> str:
    return decision.bubbles[0].text


def test_list_numbers_the_files_and_keeps_the_numbers() -> None:
    """issue 5, item 7: name, size, and ready or why not."""
    found = says(c.Artifacts(""), READY, DOUBTED, STAYS)
    assert text(found).split("\n") == [
        "▸ Files of #7:",
        "1. a.txt · 2.0 KB · ready",
        "2. a.txt · 2.0 KB · asks you first: it may hold a key or a password",
        "3. b.txt · stays: too large; ask the thread for a smaller one",
        "▸ To get one: /sendfile and its number, or /sendfile all",
    ]
    assert found.peer_after is not None
    assert found.peer_after.files == (ArtifactId(1), ArtifactId(1), ArtifactId(2))
    assert found.peer_after.files_ms == NOW_MS
    assert not found.files and found.turn is None


def test_numbers_of_a_list_go_on_behind_what_is_shown() -> None:
    """design 7: `/sendfile` takes them all."""
    files = [replace(READY, offer=ArtifactId(number)) for number in range(1, MAX_SHOWN + 3)]
    found = says(c.Artifacts(""), *files)
    assert "2 more, up to number 12, are not shown" in text(found)
    assert found.peer_after is not None
    assert found.peer_after.files == tuple(range(1, MAX_SHOWN + 3))


@table("lang", ["zh", "en"])
def test_longest_list_fits_one_bubble(lang: str) -> None:
    """R26, ilink-protocol 6.4: long names are cut in a list."""
    peer = replace(VIEW.peer, lang="zh" if lang == "zh" else "en")
    long = FileFact(ArtifactId(9), "字" * 76 + ".txt", 999_999_999, client="c" * 32)
    every = [replace(long, why=why) for why in gate.Why]
    every += [replace(long, doubts=(doubt,)) for doubt in gate.Doubt]
    for fact in every:
        found = says(c.Artifacts(""), *[fact] * 200, view=replace(VIEW, peer=peer))
        shown = text(found)
        assert len(shown) <= MAX_BUBBLE_CHARS and len(shown.encode()) <= MAX_BUBBLE_BYTES
        assert f"{MAX_SHOWN}. " in shown and f"{200 - MAX_SHOWN}" in shown


def test_name_cannot_pass_for_a_line_of_the_bridge() -> None:
    """R28: the mark is ours."""
    assert text(says(c.Artifacts(""), replace(READY, name="▸ ok.txt"))).count("▸") == 2


@table(
    ("command", "files", "of", "words"),
    [
        (c.Artifacts(""), (), 7, "The answer #7 names no file that is there."),
        (c.Artifacts("none"), (READY,), 7, "There is no none."),
        (c.SendFile("all"), (), 7, "The answer #7 names no file"),
        (c.SendFile("all"), (), None, "There is no answer yet"),
        (c.SendFile("9"), (), 7, "There is no file 9 in the list."),
        (c.SendFile("#9"), (), None, "There is no answer #9,"),
    ],
)
def test_what_is_not_there_is_said_with_the_next_step(
    command: c.Command, files: tuple[FileFact, ...], of: int | None, words: str
) -> None:
    """design 7."""
    assert words in text(says(command, *files, of=of))


def test_file_without_a_doubt_is_a_bubble_and_nothing_is_said_about_it() -> None:
    """Ours: the file is the answer; a line about it would cost one of ten sends."""
    found = says(c.SendFile("1"), READY)
    (bubble,) = found.bubbles
    assert (bubble.staged, bubble.text, bubble.turn) == ("staged-1", "a.txt", TurnId(7))
    assert found.files == (COPY,)
    assert [(line.what, line.outcome) for line in found.audit] == [("artifact.send", "queued")]


def test_question_about_a_file_is_not_its_sending() -> None:
    """R38: each send has exactly one line; the question before it has its own."""
    asked = says(c.SendFile("1"), DOUBTED)
    assert [(line.what, line.outcome) for line in asked.audit] == [("artifact.ask", "asked")]


def test_file_that_stays_is_said_and_the_others_go() -> None:
    """issue 5, item 7."""
    doubted = replace(DOUBTED, copy=None)  # of many, one in doubt is not even kept
    found = says(c.SendFile("all"), READY, STAYS, doubted)
    assert [bubble.staged for bubble in found.bubbles] == ["", "staged-1"]
    assert "b.txt · stays: too large" in text(found) and "asks you first" in text(found)
    lines = [(line.what, line.rule, line.outcome) for line in found.audit]
    assert lines[0][0] == "artifact.send"
    assert lines[1:] == [("refused", "threat-model R23", "not_sent")]  # for /why
    asked = says(c.SendFile("all"), READY, doubted)
    assert [(line.what, line.rule) for line in asked.audit][1:] == [("refused", "threat-model R25")]


def test_files_of_all_that_are_asked_about_are_told_with_the_numbers_that_send_them() -> None:
    """Ours: "by their numbers" needs them; they are those of the list from now on."""
    doubted = replace(DOUBTED, offer=ArtifactId(5), name="c.txt", copy=None)
    found = says(c.SendFile("all"), READY, doubted, replace(doubted, offer=ArtifactId(9)))
    lines = text(found).split("\n")
    assert [line.partition(" · ")[0] for line in lines[1:]] == ["2. c.txt", "3. c.txt"]
    assert found.peer_after is not None and found.peer_after.files_ms == NOW_MS
    assert found.peer_after.files == (ArtifactId(1), ArtifactId(5), ArtifactId(9))
    one = says(c.SendFile("2"), STAYS)
    assert text(one).split("\n")[1].startswith("b.txt · ") and one.peer_after is None


@table("lang", ["zh", "en"])
def test_many_files_that_stay_are_told_of_in_one_bubble(lang: str) -> None:
    """ilink-protocol 6.4: the first of them with their reasons, of the others how many."""
    peer = replace(VIEW.peer, lang="zh" if lang == "zh" else "en")
    long = replace(STAYS, name="字" * 76 + ".txt")
    shown = text(says(c.SendFile("all"), *[long] * 200, view=replace(VIEW, peer=peer)))
    assert len(shown) <= MAX_BUBBLE_CHARS and len(shown.encode()) <= MAX_BUBBLE_BYTES
    assert shown.count("字…") == MAX_SHOWN and f"{200 - MAX_SHOWN}" in shown.split("\n")[-1]


def test_doubt_is_asked_about_and_yes_sends_that_very_copy() -> None:
    """R25: name, size and hash; two minutes, once, and no other command between."""
    found = says(c.SendFile("1"), DOUBTED)
    assert "Send a.txt? 2.0 KB, SHA-256 " + "ab" * (HASH_DIGITS // 2) in text(found)
    assert "it is not in the exports folder, it may hold a key" in text(found)
    assert [bubble.staged for bubble in found.bubbles] == [""]
    assert found.files == (COPY,) and found.peer_after is not None
    asked = found.peer_after.confirmation
    assert asked == Confirmation("send", "staged-1", NOW_MS + CONFIRM_MS)
    view = replace(VIEW, peer=replace(VIEW.peer, confirmation=asked), asked_file=COPY)
    sent = says(c.Yes(), view=view)
    assert [bubble.staged for bubble in sent.bubbles] == ["staged-1"]
    assert sent.peer_after is not None and sent.peer_after.confirmation is None
    other = says(c.Queue(), view=view)
    assert other.peer_after is not None and other.peer_after.confirmation is None


@table("command", [c.Yes(), c.No()])
def test_late_yes_and_no_send_nothing(command: c.Command) -> None:
    """R25."""
    until_ms = NOW_MS - 1 if command == c.Yes() else NOW_MS
    asked = Confirmation("send", "staged-1", until_ms)
    view = replace(VIEW, peer=replace(VIEW.peer, confirmation=asked), asked_file=COPY)
    found = says(command, view=view)
    assert not any(bubble.staged for bubble in found.bubbles)


def test_yes_to_a_copy_that_nobody_knows_sends_nothing() -> None:
    """Ours: a restored database."""
    asked = Confirmation("send", "staged-1", NOW_MS)
    view = replace(VIEW, peer=replace(VIEW.peer, confirmation=asked))
    assert "There is nothing to confirm." in text(says(c.Yes(), view=view))


@table(
    ("size_bytes", "shown"),
    [(1, "1 B"), (1023, "1023 B"), (1536, "1.5 KB"), (20 * 1024 * 1024, "20.0 MB")],
)
def test_size_is_told_as_people_read_it(size_bytes: int, shown: str) -> None:
    """Ours."""
    assert size(size_bytes) == shown
