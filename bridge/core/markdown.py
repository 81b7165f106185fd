"""What of an answer's Markdown reaches the phone, and where its fenced code lies.

WeChat shows part of Markdown and hides part (`ilink-protocol.md` 6.8). What it
would hide or garble becomes plain words here; fenced and inline code is never
touched. Everything is a line scan, linear in the text: a full parse of 1 MiB
takes over a second, this takes some tens of milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# A fence line is short, so that a bubble can always afford to repeat it.
MAX_FENCE_INDENT_CHARS = 16
MAX_FENCE_MARK_CHARS = 16
MAX_FENCE_INFO_CHARS = 64
CLOSING_ROOM = 1 + MAX_FENCE_INDENT_CHARS + MAX_FENCE_MARK_CHARS  # newline, closing line

_CJK = "\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff"  # the ranges of ilink-protocol.md 6.8

_FENCE_LINE = re.compile(
    rf"^([ \t>]{{0,{MAX_FENCE_INDENT_CHARS}}}+)"
    rf"(`{{3,{MAX_FENCE_MARK_CHARS}}}+(?!`)|~{{3,{MAX_FENCE_MARK_CHARS}}}+(?!~))"
    rf"([^`\n]{{0,{MAX_FENCE_INFO_CHARS}}}+)$",
    re.MULTILINE,
)
_BACKTICKS = re.compile(r"`++")
_MINOR_HEADING = re.compile(r"^ {0,3}#{5,6}(?:[ \t]++|$)", re.MULTILINE)
# Brackets and parentheses may hold one pair of their own kind.
_IMAGE = re.compile(
    r"(?<!\\)(!\[)[^\[\]\n]*+(?:\[[^\[\]\n]*+\][^\[\]\n]*+)?+"
    r"(\](?:\([^()\n]*+(?:\([^()\n]*+\)[^()\n]*+)?+\)|\[[^\[\]\n]*+\]))"
)
_TARGET = re.compile(r"\]\([^()\n]*+(?:\([^()\n]*+\)[^()\n]*+)?+\)|https?://[^\s<>*]++")
_STARS = re.compile(r"(?<![*\\])(\*{3}|\*)(?![*\s])([^*\n]++)(?<![\s\\])(\1)(?!\*)")
_LOW_LINES = re.compile(
    r"(?<![\w\\])(___|_)(?![_\s])((?:[^_\n]|(?<=[^\W_])_(?=[^\W_]))++)(?<![\s\\])(\1)(?!\w)"
)
_HAS_CJK = re.compile(f"[{_CJK}]")


@dataclass(frozen=True, slots=True)
class Fence:
    """One block of fenced code. Offsets into the text; `end` is exclusive."""

    start: int
    inside: int  # where its first line of code begins
    outside: int  # where its closing line begins; `end` if it has none
    end: int  # after the closing line, or the end of the text
    opening: str  # the opening line, without its newline
    closing: str  # a line that closes it


def for_chat(text: str) -> str:
    """Keep the Markdown that WeChat shows; turn the rest into plain words.

    Images leave their description, headings 5 and 6 their text, emphasis that
    holds CJK its words. A comment can hide nothing, and no fence stays open.
    """
    masked = _mask(text)
    edits: list[tuple[int, int, str]] = []  # start, end, what stands there instead
    edits += [(m.start(), m.end(), "") for m in _MINOR_HEADING.finditer(masked)]
    edits += [(m.start(), m.end(), "<! --") for m in re.finditer("<!--", masked)]
    for image in _IMAGE.finditer(masked):
        edits += [(*image.span(1), ""), (*image.span(2), "")]
    words = _TARGET.sub(_blank, masked)
    for pattern in (_STARS, _LOW_LINES):
        for mark in pattern.finditer(words):
            if _HAS_CJK.search(mark[2]):
                edits += [(*mark.span(1), ""), (*mark.span(3), "")]
    return balanced(_apply(text, sorted(edits)))


def fences(text: str) -> Iterator[Fence]:
    """Find the fenced code, in order. Lazy: stop early and the rest costs nothing."""
    lines = _FENCE_LINE.finditer(text)
    for line in lines:
        mark, closing = line[2], line[1] + line[2]
        inside = min(line.end() + 1, len(text))
        for later in lines:
            if later[2].startswith(mark) and not later[3].strip():
                yield Fence(line.start(), inside, later.start(), later.end(), line[0], closing)
                break
        else:
            yield Fence(line.start(), inside, len(text), len(text), line[0], closing)


def balanced(text: str) -> str:
    """Close a fence that is open at the end."""
    for fence in fences(text):
        if fence.outside == fence.end:
            return text + ("" if text.endswith("\n") else "\n") + fence.closing
    return text


def _mask(text: str) -> str:
    """The text with all code as backticks, so that later patterns pass over it."""
    parts = []
    done = 0
    for start, end in _code(text):
        parts += [text[done:start], "`" * (end - start)]
        done = end
    return "".join([*parts, text[done:]])


def _code(text: str) -> Iterator[tuple[int, int]]:
    done = 0
    for fence in fences(text):
        yield from _inline_code(text, done, fence.start)
        yield fence.start, fence.end
        done = fence.end
    yield from _inline_code(text, done, len(text))


def _inline_code(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Pair runs of backticks of equal length on one line, first come first served."""
    runs: list[tuple[int, int]] = []
    for run in _BACKTICKS.finditer(text, start, end):
        if runs and text.find("\n", runs[-1][1], run.start()) >= 0:
            yield from _pairs(runs)
            runs = []
        runs.append(run.span())
    yield from _pairs(runs)


def _pairs(runs: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    # From the end, so that each run knows the next one of its length at once.
    following: dict[int, int] = {}
    partner: list[int | None] = [None] * len(runs)
    for at in range(len(runs) - 1, -1, -1):
        length = runs[at][1] - runs[at][0]
        partner[at] = following.get(length)
        following[length] = at
    at = 0
    while at < len(runs):
        other = partner[at]
        if other is not None:
            yield runs[at][0], runs[other][1]
            at = other
        at += 1


def _blank(found: re.Match[str]) -> str:
    return "`" * len(found[0])


def _apply(text: str, edits: list[tuple[int, int, str]]) -> str:
    parts = []
    done = 0
    for start, end, instead in edits:
        if start >= done:
            parts += [text[done:start], instead]
            done = end
    return "".join([*parts, text[done:]])
