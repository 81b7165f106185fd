"""How a turn ended, read from the journal alone, when nobody was there to hear it."""

from __future__ import annotations

from pathlib import Path

from bridge.codex import failures, rollout
from bridge.codex.model import NO_TURNS, Ending, Status, TurnId


def ending_of(path: Path | None, turn: TurnId) -> Ending:
    """The end of `turn`; one without an end was cut off: its engine died."""
    if path is None:
        return Ending(Status.INTERRUPTED, NO_TURNS, "engine_died")
    try:
        found = rollout.end_of(path, turn)
        head = rollout.head(path)
    except FileNotFoundError:
        return Ending(Status.INTERRUPTED, NO_TURNS, "engine_died")
    if found is None or found.state == "open":
        return Ending(Status.INTERRUPTED, head, "engine_died")
    if found.state == "aborted":
        return Ending(Status.INTERRUPTED, head, "interrupted_elsewhere")
    if found.error is not None:
        return Ending(
            Status.FAILED,
            head,
            failures.reason(found.error),
            detail=failures.detail(found.error),
        )
    reason = None if found.text else "no_text"
    return Ending(Status.COMPLETED, head, reason, found.text)
