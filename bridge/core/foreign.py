"""Words of others as a phone may show them: of threads, of programs, of whoever named a file.

The one place that makes them harmless: they cannot act on the screen, and no line of
theirs can pass for one of the bridge's own (threat-model R12, R28).
"""

from __future__ import annotations

from bridge.core.phrases import unmarked
from bridge.core.places import hidden
from bridge.core.text import clean, preview

MAX_NAMED_CHARS = 40  # a program with its process id, or an owner, within a sentence


def harmless(text: str) -> str:
    """A text without signs that act, and without the mark of the bridge."""
    return unmarked(clean(text))


def on_a_line(text: str, limit_chars: int) -> str:
    """Its beginning within a line of ours, as a title or a name; no place on the disk (R35)."""
    return preview(hidden(harmless(text)), limit_chars)


def named(name: str) -> str:
    """A name of a program or an owner, made harmless and short."""
    return on_a_line(name, MAX_NAMED_CHARS)


def is_shown_as_it_is(text: str) -> bool:
    """Whether a phone shows exactly this: else nobody can say yes to it (threat-model R29)."""
    return harmless(text) == text.replace("\r\n", "\n")
