"""How does a text become what a phone can show: safe, plain, in bubbles?

`clean` then `for_chat` are applied once to a whole answer, before it is stored;
`borders` are computed once and stored beside it; `bubble` renders one part from
both and nothing else, so a retry never splits otherwise. All are linear.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Sequence

from bridge.core.markdown import CLOSING_ROOM, Fence, balanced, fences

MAX_BUBBLE_CHARS = 1_800  # ilink-protocol.md 6.4: 2,374 characters passed, 7,337 failed
MAX_BUBBLE_BYTES = 5_000  # UTF-8, likewise
HEADER_ROOM = 160  # characters that the caller may put before the first bubble
MARK_ROOM = 96  # characters of ours around any bubble: "[可能重复]" before, what is left behind
MAX_CHAR_BYTES = 4  # of one character in UTF-8
MAX_INDENT_CHARS = 200  # a longer run of blanks at a cut is dropped as a blank line is

_ZWJ = "\u200d"
# Non-joiner, joiner, skin tones, the letters of regional flags. Marks go by category.
_EXTENDING = frozenset(
    ["\u200c", _ZWJ, *map(chr, range(0x1F3FB, 0x1F400)), *map(chr, range(0xE0020, 0xE0080))]
)

_ANSI = (
    r"\x1b[\]PX^_][^\x07\x1b\x9c\n]*+(?:\x07|\x1b\\|\x9c)"  # OSC, DCS and the like, ended
    r"|(?:\x1b\[|\x9b)[0-?]*+[ -/]*+[@-~]"  # CSI: colours, cursor
    r"|\x1b[ -/]++[0-~]|\x1b[@-Z\\-_]"  # character sets and single commands
)
_NEWLINE = r"\r\n?|[\x85\u2028\u2029]"
_UNSAFE = (
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control signs but tab and newline
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"  # BiDi signs
    r"\ufeff\ufff9-\ufffb]"  # byte order mark, annotations
)
_STRIPPED = re.compile(f"({_NEWLINE})|([\ud800-\udfff])|{_ANSI}|{_UNSAFE}")

_BLANK_LINES = re.compile(r"(?:[^\S\n]*+\n)*+")
_REST_OF_LINE = re.compile(r"[^\S\n]*+(?:\n(?:[^\S\n]*+\n)*+)?+")
_BLANKS = re.compile(r"\s*+")
_PARAGRAPH = re.compile(r"\n[^\S\n]*+\n")
_LINE = re.compile(r"\n")
_SENTENCE = re.compile(r"[。！？][”’」』）》]*+|[.!?] ")
_SPACE = re.compile(r"[^\S\n]++")
_ROW = re.compile(r"[^\S\n]*+\|")
_ITEM = re.compile(r"[^\S\n]*+(?:[-*+•]|\d{1,9}[.)、])(?=\s)|[^\S\n]{2,}+\S")


def clean(text: str) -> str:
    """Strip what could act on a screen: control and BiDi signs, ANSI sequences.

    Newline and tab stay, and so do the joiners and selectors that emoji are made
    of. A lone surrogate becomes U+FFFD (threat-model R12, delivery-semantics 3).
    """
    return _STRIPPED.sub(_harmless, text)


def borders(text: str, header_chars: int = HEADER_ROOM) -> tuple[int, ...]:
    """Where to cut: the exclusive end of each bubble, the last of them `len(text)`.

    Every bubble fits WeChat with its fences closed and reopened, a header of so many
    characters before the first and a mark before each. Blank text needs no bubble.
    """
    if not text.strip():
        return ()
    blocks = tuple(fences(text))
    room = header_chars + MARK_ROOM
    start = _after_blanks(text, 0)
    ends: list[int] = []
    while start < len(text):
        limit = _limit(text, start, room, _holding(blocks, start))
        start = len(text) if limit == len(text) else _cut(text, start, limit, blocks)
        ends.append(start)
        room = MARK_ROOM
    return tuple(ends)


def is_mostly_code(text: str) -> bool:
    """Whether at least half of it is fenced code, which a phone shows badly."""
    return 2 * sum(fence.end - fence.start for fence in fences(text)) >= len(text) > 0


def bubble(text: str, borders: tuple[int, ...], index: int) -> str:
    """Render one bubble: its fences closed and reopened, blanks at the cut trimmed."""
    start = borders[index - 1] if index else 0
    part = text[_after_blanks(text, start) : borders[index]].rstrip()
    newline = text.find("\n", start)  # no later line can open a fence before the cut
    known = text if newline < 0 else text[:newline]
    for fence in fences(known):
        if fence.start < start < fence.end:
            part = f"{fence.opening}\n{part}"
    return balanced(part)


def fitting(text: str) -> str:
    """A reply as one bubble, however much there was to say; the end of a longer one is cut."""
    if len(text) <= MAX_BUBBLE_CHARS and len(_utf8(text)) <= MAX_BUBBLE_BYTES:
        return text
    return bubble(text, borders(text, 0), 0) + "\n…"


def preview(text: str, limit_chars: int) -> str:
    """The beginning of a text on one line, with an ellipsis where it was cut."""
    if limit_chars < 1:
        return ""
    # One word more than can fit is enough to know that it was cut.
    words = text.split(None, limit_chars + 1)[: limit_chars + 1]
    line = " ".join(words)
    if len(line) <= limit_chars:
        return line
    return line[: _border_before(line, 0, limit_chars - 1)].rstrip() + "…"


def _harmless(found: re.Match[str]) -> str:
    if found[1]:
        return "\n"
    return "\ufffd" if found[2] else ""


def _limit(text: str, start: int, room: int, reopened: Fence | None) -> int:
    """The furthest offset that still fits, wherever it may fall."""
    room_bytes = room * MAX_CHAR_BYTES
    if reopened:
        room += len(reopened.opening) + 1
        room_bytes += len(_utf8(reopened.opening)) + 1
    window = text[start : start + MAX_BUBBLE_CHARS - room - CLOSING_ROOM]
    fitting = _utf8(window)[: MAX_BUBBLE_BYTES - room_bytes - CLOSING_ROOM]
    return start + len(fitting.decode("utf-8", "ignore"))


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _holding(blocks: Sequence[Fence], offset: int) -> Fence | None:
    """The fence that a cut here would divide."""
    before = bisect_left(blocks, offset, key=lambda fence: fence.start) - 1
    return blocks[before] if before >= 0 and blocks[before].end > offset else None


def _cut(text: str, start: int, limit: int, blocks: Sequence[Fence]) -> int:
    cut = _before_whole(text, start, limit, blocks) or _best(text, start, limit, blocks)
    fence = _holding(blocks, cut)
    if fence and fence.start > start and not text[fence.inside : cut].strip():
        cut = fence.start
    elif fence and fence.outside <= limit + 1 and not text[cut : fence.outside].strip():
        cut = fence.end  # its closing line takes the room that was kept for one
    return _after_blanks(text, cut)


def _before_whole(text: str, start: int, limit: int, blocks: Sequence[Fence]) -> int | None:
    """The start of a fence, table or list that the limit divides but one bubble holds."""
    fence = _holding(blocks, limit)
    first, end = (fence.start, fence.end) if fence else _lines_alike(text, start, limit)
    whole = first > start and end <= _limit(text, first, MARK_ROOM, None)
    return first if whole else None


def _lines_alike(text: str, start: int, limit: int) -> tuple[int, int]:
    """The run of table rows or list items around the limit; from `start` if none."""
    first = text.rfind("\n", start, limit) + 1
    if first <= start:
        return start, limit
    kind = next((kind for kind in (_ROW, _ITEM) if kind.match(text, first)), None)
    if kind is None:
        return start, limit
    end = first
    while end < min(len(text), limit + MAX_BUBBLE_CHARS) and kind.match(text, end):
        newline = text.find("\n", end, limit + MAX_BUBBLE_CHARS)
        end = newline + 1 if newline >= 0 else min(len(text), limit + MAX_BUBBLE_CHARS)
    while first > start:
        before = max(start, text.rfind("\n", start, first - 1) + 1)
        if not kind.match(text, before):
            break
        first = before
    return first, end


def _best(text: str, start: int, limit: int, blocks: Sequence[Fence]) -> int:
    """The gentlest cut that leaves a bubble worth its send."""
    for pattern, least_part in ((_PARAGRAPH, 4), (_LINE, 2), (_SENTENCE, 2), (_SPACE, 2)):
        floor = start + (limit - start) // least_part
        for found in reversed(tuple(pattern.finditer(text, floor, limit + 1))):
            cut = found.end()
            if (
                not text[limit:cut].strip()
                and _is_border(text, start, cut)
                and not (pattern is _PARAGRAPH and _holding(blocks, cut))
                and not _ends_in_heading(text, start, found.start())
            ):
                return cut
    cut = _border_before(text, start, limit)
    return cut if cut > start else limit


def _ends_in_heading(text: str, start: int, end: int) -> bool:
    return text.startswith("#", max(start, text.rfind("\n", start, end) + 1), end)


def _after_blanks(text: str, cut: int) -> int:
    """Move a cut past the blanks that follow it, but keep a first line's indent."""
    end = _end(_BLANKS, text, cut)
    if end == len(text) or end - cut > MAX_INDENT_CHARS:
        return end
    starts_line = cut == 0 or text[cut - 1] == "\n"
    end = _end(_BLANK_LINES if starts_line else _REST_OF_LINE, text, cut)
    return _border_before(text, cut, end)


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    found = pattern.match(text, start)
    return found.end() if found else start


def _border_before(text: str, start: int, limit: int) -> int:
    """The last grapheme border up to the limit; `start` where there is none."""
    while limit > start and not _is_border(text, start, limit):
        limit -= 1
    return limit


def _is_border(text: str, start: int, cut: int) -> bool:
    """Does a grapheme cluster end here? The rules of UAX 29 that chats meet.

    `start` is a border already known; nothing before it is read.
    """
    if cut <= start or cut >= len(text) or text[cut - 1] == "\n":
        return True
    before, after = text[cut - 1], text[cut]
    if before == _ZWJ or after in _EXTENDING or unicodedata.category(after)[0] == "M":
        return False
    if _is_flag_half(before) and _is_flag_half(after):
        first = cut - 1
        while first > start and _is_flag_half(text[first - 1]):
            first -= 1
        return (cut - first) % 2 == 0
    if "\u1100" <= before <= "\u115f":  # a leading jamo joins what follows
        return not ("\u1100" <= after <= "\u11ff" or "\uac00" <= after <= "\ud7a3")
    return not "\u1160" <= after <= "\u11ff"


def _is_flag_half(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"
