"""Bubbles hold all of an answer, each fits WeChat, and no fence is left open."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bridge.core.markdown import CLOSING_ROOM, MAX_FENCE_INFO_CHARS, fences
from bridge.core.text import (
    HEADER_ROOM,
    MARK_ROOM,
    MAX_BUBBLE_BYTES,
    MAX_BUBBLE_CHARS,
    borders,
    bubble,
    fitting,
    preview,
)
from tests.unit.table import table

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
FLAG = "\U0001f1e9\U0001f1ea"
WAVE = "\U0001f44b\U0001f3fd"
ACCENTED = "e\u0301"
HEART = "\u2764\ufe0f"
CLUSTERS = [FAMILY, FLAG, WAVE, ACCENTED, HEART, "中", "a"]

_INLINE = ["word ", "中文，", "句子。", "End. ", "`code` ", "`", "```", " " * 300, "\t", "    "]
_LINES = ["\n", "\n\n", "\n  \n", "# Title\n", "| a | b |\n", "- item\n", "1. one\n"]
_FENCES = ["```python\n", "\n```\n", "~~~\n", "> ```\n"]
_WORDS = st.sampled_from([*_INLINE, *_LINES, *_FENCES, *CLUSTERS])
_TEXTS = st.lists(
    st.tuples(_WORDS, st.integers(1, 60)).map(lambda run: run[0] * run[1]), max_size=60
).map("".join)


WHOLE_CHARS = 1_500  # what a bubble holds for sure, beside header, mark and a closing line


def _bubbles(text: str) -> list[str]:
    cuts = borders(text)
    return [bubble(text, cuts, index) for index in range(len(cuts))]


def _without_blanks(text: str) -> str:
    return "".join(text.split())


@given(_TEXTS)
def test_every_bubble_fits_and_none_is_blank(text: str) -> None:
    """ilink-protocol.md 6.4; room for header and mark is kept free."""
    for index, part in enumerate(_bubbles(text)):
        room = MARK_ROOM + (0 if index else HEADER_ROOM)
        assert part.strip()
        assert len(part) + room <= MAX_BUBBLE_CHARS
        assert len(part.encode()) + 4 * room <= MAX_BUBBLE_BYTES


@given(_TEXTS)
def test_nothing_is_lost_between_bubbles(text: str) -> None:
    """Each bubble holds its whole slice; the slices are the text."""
    cuts = borders(text)
    assert list(cuts) == sorted(set(cuts))
    assert not text.strip() if not cuts else cuts[-1] == len(text)
    for index, (start, end) in enumerate(zip((0, *cuts), cuts, strict=False)):
        piece = _without_blanks(text[start:end])
        shown = _without_blanks(bubble(text, cuts, index))
        assert piece in shown
        # What is added is at most a reopened and a closing fence line.
        assert len(shown) - len(piece) <= 2 * CLOSING_ROOM + MAX_FENCE_INFO_CHARS


@given(_TEXTS)
def test_no_bubble_leaves_a_fence_open(text: str) -> None:
    """Card 3, item 4."""
    for part in _bubbles(text):
        assert all(fence.outside < fence.end for fence in fences(part))


@given(st.lists(st.sampled_from(CLUSTERS), min_size=1, max_size=40), st.integers(40, 200))
def test_no_grapheme_cluster_is_cut(clusters: list[str], times: int) -> None:
    """Card 3, item 4: joined emoji, flags, tones, accents and selectors stay whole."""
    text = "".join(clusters) * times
    ends = {0}
    at = 0
    for cluster in clusters * times:
        at += len(cluster)
        ends.add(at)
    assert set(borders(text)) <= ends


@table("text", ["", " ", "\n\n \t\n"])
def test_blank_text_needs_no_bubble(text: str) -> None:
    """Ours: nothing to say is not sent."""
    assert borders(text) == ()


def test_short_text_is_one_bubble_as_it_stands() -> None:
    """Ours."""
    text = "Done.\n\n```sh\nls\n```"
    assert _bubbles(text) == [text]


@table(
    ("text", "first"),
    {
        "paragraph": ("a " * 300 + "\n\n" + "b " * 700, "a"),
        "line": ("line of words\n" * 300, "line of words"),
        "chinese sentence": ("一句话。" * 1000, "一句话。"),
        "sentence": ("A sentence. " * 400, "A sentence."),
        "space": ("word " * 800, "word"),
    },
)
def test_the_gentlest_border_is_taken(text: str, first: str) -> None:
    """design.md 7: paragraph, line, sentence; else a space."""
    part = _bubbles(text)[0]
    assert part.endswith(first)
    assert len(part) > 400 and "b" not in part


@table("whole", ["| 一 | 二 |\n" * 60, "- an item of a list\n" * 40])
def test_tables_and_lists_stay_whole_where_they_fit(whole: str) -> None:
    """Card 3, item 4."""
    text = "Some words of introduction.\n" * 40 + whole
    assert any(whole.strip() in part for part in _bubbles(text))


_LENGTHS = st.lists(st.integers(1, 60), min_size=2, max_size=24)
_WHOLE = st.one_of(
    _LENGTHS.map(lambda found: "\n".join(f"| {'c' * length} | 二 |" for length in found)),
    _LENGTHS.map(lambda found: "\n".join(f"- {'i' * length}" for length in found)),
    _LENGTHS.map(lambda found: "\n".join(["```py", *("k" * n for n in found), "```"])),
)
_PROSE = st.lists(
    st.text("ab 一。.", max_size=60).map(lambda words: f"x{words.strip()}"), max_size=80
)


@given(_PROSE, _WHOLE, _PROSE)
def test_what_one_bubble_holds_is_never_divided(
    before: list[str], whole: str, after: list[str]
) -> None:
    """Card 3, item 4: a table, a list or a fence, wherever it stands."""
    text = "\n".join([*before, "", whole, "", *after])
    if len(whole) <= WHOLE_CHARS:
        assert any(whole in part for part in _bubbles(text))


def test_long_code_is_closed_and_reopened_with_its_language() -> None:
    """Card 3, item 4."""
    parts = _bubbles("Look:\n\n```python\n" + "print('line')\n" * 400 + "```\n\nDone.")
    assert parts[0].endswith("\n```")
    for part in parts[1:]:
        assert part.startswith("```python\nprint")
    assert parts[-1].endswith("```\n\nDone.")


def test_indent_of_a_line_after_the_cut_is_kept() -> None:
    """Ours: code means its indentation."""
    parts = _bubbles("```python\nif x:\n" + "    call()\n" * 400 + "```")
    assert parts[1].startswith("```python\n    call()")


def test_a_heading_goes_with_its_text() -> None:
    """Ours: a title alone at the foot of a bubble says nothing."""
    parts = _bubbles("words of one paragraph. " * 60 + "\n\n## Title\n\n" + "more words. " * 100)
    assert not parts[0].endswith("Title")


def test_thirty_thousand_characters_need_few_bubbles() -> None:
    """Card 3, item 4; 17 is the least that the limits allow."""
    paragraph = "A paragraph of an ordinary length, about as people write them. " * 5 + "\n\n"
    assert len(borders((paragraph * 100)[:30_000])) <= 21


def test_a_megabyte_on_one_line_is_cut_too() -> None:
    """Ours: no border anywhere."""
    room = MAX_BUBBLE_CHARS - MARK_ROOM - CLOSING_ROOM
    assert len(borders("a" * 2**20)) == -(-(2**20 + HEADER_ROOM) // room)


@table(
    ("text", "limit", "shown"),
    [
        ("", 5, ""),
        ("one\n two\t three", 20, "one two three"),
        ("one two", 7, "one two"),
        ("one two three", 8, "one two…"),
        (FAMILY * 3, 6, FAMILY + "…"),
        (FAMILY, 3, "…"),
        ("abc", 0, ""),
    ],
)
def test_preview_is_one_line_cut_between_graphemes(text: str, limit: int, shown: str) -> None:
    """Ours."""
    assert preview(text, limit) == shown


@given(st.text(max_size=4_000))
def test_reply_is_one_bubble_and_its_beginning_stays(text: str) -> None:
    """issue 3, item 4: also where a list is longer than anybody thought."""
    shown = fitting(text)
    assert len(shown) <= MAX_BUBBLE_CHARS
    assert len(shown.encode("utf-8", "replace")) <= MAX_BUBBLE_BYTES
    if len(text) <= 1_000:
        assert shown == text
