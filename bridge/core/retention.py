"""Which files and rows may go? Asked once a day; nothing unfinished ever goes.

A file is kept while a message that brought it, or a turn that names it, is not done,
and for thirty days after that: as long as a quote of the message must resolve. A file
that no message knows was stored in the instant before a crash, and was fetched again.
The copy of a file that left, or never did, is no longer needed a day after it was made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

DAY_MS = 86_400_000
KEPT_MS = 30 * DAY_MS  # as texts: a quote must resolve (tables.py, ilink-protocol 6.3)
STRAY_MS = DAY_MS  # longer than any fetch, any question, and the commit that follows


class Kind(StrEnum):
    """What goes by its age, in the order that sets most free in one round."""

    TEXT = "text"  # of a message
    BUBBLE = "bubble"
    FILE = "file"  # that may leave: an offer, or a copy
    MESSAGE = "message"  # its key, the last of it
    TURN = "turn"
    AUDIT = "audit"


KEPT_FOR_MS: Mapping[Kind, int] = {
    Kind.TEXT: KEPT_MS,
    Kind.BUBBLE: KEPT_MS,
    Kind.FILE: KEPT_MS,
    Kind.MESSAGE: 90 * DAY_MS,  # one that is delivered again does nothing (delivery-semantics 4)
    Kind.TURN: 90 * DAY_MS,  # its key is made of a message's; so long /result reads it again
    Kind.AUDIT: 365 * DAY_MS,  # a person's decisions of a year are some megabytes
}


@dataclass(frozen=True, slots=True)
class Row:
    """A row of any kind: when it was made, and done; whether another one leads to it."""

    id: int
    made_ms: int
    done_ms: int | None  # None: unfinished
    is_needed: bool = False


@dataclass(frozen=True, slots=True)
class Stored:
    """A file on disk; `at` is where it lies below the folder of attachments."""

    at: str
    changed_ms: int


def outlived(
    files: Iterable[Stored],
    done_ms: Mapping[str, int],
    unfinished: frozenset[str],
    now_ms: int,
) -> tuple[str, ...]:
    """The files that may go; `done_ms` says when the last message of each was done."""
    return tuple(
        file.at
        for file in files
        if file.at not in unfinished
        and now_ms - max(file.changed_ms, done_ms.get(file.at, 0))
        > (KEPT_MS if file.at in done_ms else STRAY_MS)
    )


def may_go(kind: Kind, rows: Iterable[Row], now_ms: int) -> tuple[int, ...]:
    """The rows that are done, were not needed for as long as their kind is kept, and are not."""
    return tuple(
        row.id
        for row in rows
        if row.done_ms is not None
        and not row.is_needed
        and now_ms - max(row.made_ms, row.done_ms) > KEPT_FOR_MS[kind]
    )


def all_young(kind: Kind, rows: Sequence[Row], now_ms: int) -> bool:
    """Whether none of these, nor any that was made after them, can be old enough."""
    return all(now_ms - row.made_ms <= KEPT_FOR_MS[kind] for row in rows)
