"""Which files and audit lines may go? Asked once a day; nothing unfinished ever goes.

A file is kept while a message that brought it, or a turn that names it, is not done,
and for thirty days after that: as long as a quote of the message must resolve. A file
that no message knows was stored in the instant before a crash, and was fetched again.
The copy of a file that left, or never did, is no longer needed a day after it was made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

DAY_MS = 86_400_000
KEPT_MS = 30 * DAY_MS  # as texts: a quote must resolve (tables.py, ilink-protocol 6.3)
AUDIT_KEPT_MS = 365 * DAY_MS  # a person's decisions of a year are some megabytes
STRAY_MS = DAY_MS  # longer than any fetch, any question, and the commit that follows


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
