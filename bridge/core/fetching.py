"""When a file of the owner is asked for again, and when it is given up.

A message waits for its files, so the tries end within minutes. A worker that is away
costs no try.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from bridge.core.attached import FileId

FileKind: TypeAlias = Literal["voice", "image", "file", "video"]

MAX_FILE_BYTES = 25 * 1024 * 1024  # threat-model R9
RETRY_MS = (5_000, 15_000, 60_000, 300_000)  # then it is given up: over six minutes in all


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that is not here yet; `media` is the channel's reference to it."""

    id: FileId
    kind: FileKind
    media: Mapping[str, str]
    tries: int


@dataclass(frozen=True, slots=True)
class FetchStep:
    """What becomes of a file after one try; no outcome: it is tried again."""

    outcome: Literal["", "stored", "gone"]
    tries: int
    not_before_ms: int = 0


def after_fetch(outcome: Literal["stored", "retry", "gone"], tries: int, now_ms: int) -> FetchStep:
    """Decide what follows; `tries` is how often it failed before."""
    match outcome:
        case "stored":
            return FetchStep("stored", tries)
        case "gone":
            return FetchStep("gone", tries + 1)
        case "retry" if tries < len(RETRY_MS):
            return FetchStep("", tries + 1, now_ms + RETRY_MS[tries])
        case "retry":
            return FetchStep("gone", tries + 1)
