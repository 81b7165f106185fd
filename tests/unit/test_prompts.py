"""What a thread gets of a burst: words, files at their place, what is quoted; and no more."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from bridge.core.attached import Attachment, FileId, Selection, TurnFile
from bridge.core.fetching import RETRY_MS, FetchStep, after_fetch
from bridge.core.model import InboxId, InboxRow, InboxState, Lang, MsgKey, Part, PeerId
from bridge.core.prompts import MAX_NAME_CHARS, MAX_QUOTED_CHARS, compose, selected, without_paths
from tests.unit.table import table

PATH = "/home/me/data/attachments/2026-11-22/0a1b"
NOW_MS = 1_800_000_000_000
Kind = Literal["text", "voice", "image", "file", "video", "other"]


def row(*parts: Part, files: tuple[Attachment, ...] = (), **quote: str) -> InboxRow:
    base = InboxRow(
        InboxId(1), PeerId("o"), MsgKey("mid:1"), parts, "", False, 0, NOW_MS, 0, False,
        InboxState.NEW, files,
    )  # fmt: skip
    return replace(base, **quote)  # type: ignore[arg-type]  # the quoted fields are text


def stored(place: int = 0, content_type: str = "image/png") -> Attachment:
    return Attachment(FileId(place + 1), place, "stored", f"{PATH}{place}.png", content_type)


def test_plain_words_go_as_they_are() -> None:
    """design 7: `//text` is `/text`, and nothing is added to a message of words."""
    found = compose([row(Part("text", "//etc is full")), row(Part("text", "why?"))], None, "en")
    assert found.text == found.words == "/etc is full\nwhy?"
    assert (found.files, found.preface) == ((), "")


def test_files_and_words_keep_their_order() -> None:
    """issue 5, item 8: text with local paths; images are named as such."""
    picture = row(Part("image"), files=(stored(),))
    named = row(
        Part("file", file_name="报告.pdf"), Part("text", "compare"),
        files=(stored(content_type="application/pdf"),),
    )  # fmt: skip
    found = compose([picture, named], None, "en")
    path = f"{PATH}0.png"
    assert found.text == f"[image: {path}]\n[file 报告.pdf: {path}]\ncompare"
    assert found.words == "compare"
    assert found.files == (TurnFile(path, "image", True), TurnFile(path, "报告.pdf"))


@table(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\a.txt", "a.txt"),
        ("x\u202egpj.exe", "xgpj.exe"),
        ("one\ntwo\x00.md", "one two.md"),
        ("n" * 300, "n" * (MAX_NAME_CHARS - 1) + "…"),
        ("/", "file"),
    ],
)
def test_owners_name_for_a_file_is_only_data(name: str, shown: str) -> None:
    """R26, R27: no path, no control or BiDi sign, bounded."""
    found = compose([row(Part("file", file_name=name), files=(stored(),))], None, "en")
    assert found.files[0].label == shown
    assert "\n" not in found.text


def test_transcript_is_marked_and_opens_the_answer() -> None:
    """issue 5, item 8: the owner sees what was heard."""
    found = compose([row(Part("voice", "yes, go on"))], None, "en")
    assert (found.words, found.text) == ("yes, go on", "[voice] yes, go on")
    assert found.preface == "▸ Heard: yes, go on"
    many = compose([row(Part("voice", "long words " * 50))] * 9, None, "zh")
    assert len(many.preface) < 80


def test_voice_without_a_transcript_is_a_file() -> None:
    """issue 3, item 6."""
    found = compose([row(Part("voice"), Part("text", "listen"), files=(stored(),))], None, "en")
    assert found.text == f"[voice without a transcript: {PATH}0.png]\nlisten"


def test_file_that_could_not_be_got_is_said_to_thread_and_owner() -> None:
    """F45: the message is kept, the file given up, the text still runs."""
    gone = (Attachment(FileId(1), 0, "gone"),)
    found = compose([row(Part("image"), Part("text", "look"), files=gone)], None, "en")
    assert found.text == "[image: could not be fetched]\nlook"
    assert found.preface.startswith("▸ 1 of your files")


def test_quote_comes_first_and_an_unknown_one_is_said() -> None:
    """issue 3, item 7."""
    asking = row(Part("text", "why?"), quoted_id="77")
    assert compose([asking], "two\nlines", "en").text == "> two\n> lines\n\nwhy?"
    unknown = compose([asking], None, "en")
    assert unknown.text == "[quotes a message that is not available]\nwhy?"
    assert unknown.preface.startswith("▸ What you quoted is not known")
    long = compose([asking], "x" * (MAX_QUOTED_CHARS + 1), "en").text
    assert len(long) < MAX_QUOTED_CHARS + 20


TWICE = "the cat and the dog and the end"


@table(
    ("start", "end", "start_index", "end_index", "expected"),
    [
        ("the", "and", 0, 0, "the cat and"),
        ("the", "and", 1, 1, "the dog and"),  # counted over the whole text
        ("the", "and", 1, 0, "the dog and"),  # the first end lies before: counted behind
        ("the", "end", 2, 0, "the end"),
        ("nowhere", "and", 0, 0, TWICE),
        ("the", "nowhere", 0, 0, TWICE),
    ],
)
def test_marked_part_is_found_by_its_ends(
    start: str, end: str, start_index: int, end_index: int, expected: str
) -> None:
    """iLink partial-quote.ts; what is not found quotes the whole."""
    assert selected(TWICE, Selection(start, end, start_index, end_index)) == expected


def test_digest_decides_between_two_readings_of_the_end() -> None:
    """iLink partial-quote.ts: the MD5 of the selection."""
    text = "b a b b"
    for piece in ("a b", "a b b"):
        digest = hashlib.md5(piece.encode(), usedforsecurity=False).hexdigest()
        assert selected(text, Selection("a", "b", 0, 1, digest)) == piece
    assert selected(text, Selection("a", "b", 0, 1, "0" * 32)) == text


@given(st.text(max_size=60), st.text(max_size=3), st.text(max_size=3), st.integers(0, 5))
def test_selection_is_always_a_part_of_the_text(text: str, start: str, end: str, n: int) -> None:
    """R10: whatever a quote says, nothing but the text is quoted."""
    assert selected(text, Selection(start, end, n, n)) in text


def test_answer_names_the_owners_files_and_not_their_places() -> None:
    """R35: a phone never sees a path of ours."""
    file = TurnFile(f"{PATH}0.png", "cat.png", True)
    assert without_paths(f"see `{file.path}`.", [file]) == "see `cat.png`."


@table("lang", ["zh", "en"])
def test_line_of_a_file_shows_its_name_once(lang: Lang) -> None:
    """Ours: `/queue` shows the prompt as its owner sent it."""
    part, kind = Part("file", file_name="plan.pdf"), "application/pdf"
    found = compose([row(part, files=(stored(content_type=kind),))], None, lang)
    shown = without_paths(found.text, found.files)
    assert shown.count("plan.pdf") == 1 and PATH not in shown


def test_file_is_tried_again_for_minutes_and_then_given_up() -> None:
    """F45: a message never waits for ever."""
    tries, waited_ms = 0, 0
    while (step := after_fetch("retry", tries, NOW_MS)).outcome == "":
        assert step.tries == tries + 1
        tries, waited_ms = step.tries, waited_ms + step.not_before_ms - NOW_MS
    assert step == FetchStep("gone", len(RETRY_MS) + 1)
    assert waited_ms == sum(RETRY_MS)
    assert after_fetch("gone", 0, NOW_MS).outcome == "gone"
    assert after_fetch("stored", 2, NOW_MS).outcome == "stored"
