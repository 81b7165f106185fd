"""A bubble's file goes up before the bubble: when that is needed, and what its end means.

An upload is seen by nobody: one that may have come through is simply made again. What
is uploaded is used for an hour, so that the repeats of an attempt need no second upload.
"""

from __future__ import annotations

from dataclasses import replace

from bridge.core.model import Account, Outcome, OutRow
from bridge.core.sending import (
    MAX_TRIES,
    AccountEvent,
    Limits,
    OutEvent,
    OutStep,
    after_delivery,
)

# Nobody knows how long the CDN keeps a file (ilink-protocol 7.4, 12): as long as the
# longest pause between two attempts (delivery-semantics 5, the breaker), and no longer.
HANDLE_LIFE_MS = 3_600_000
GONE = "no such staged file"  # the worker's word, and ours, for bytes that are not there


def is_up(row: OutRow, now_ms: int) -> bool:
    """Whether an attempt may be made now, as far as the bubble's file is concerned."""
    if row.file is None:
        return True
    handle = row.file.handle
    return handle is not None and 0 <= now_ms - handle.at_ms < HANDLE_LIFE_MS


def after_upload(
    row: OutRow, outcome: Outcome, account: Account, limits: Limits, now_ms: int
) -> OutStep:
    """What becomes of a bubble whose file did not go up; nothing of it has left."""
    match outcome:
        case Outcome.REFUSED:
            return OutStep(
                OutEvent.DEAD, tries=row.tries, maybe_sent=row.maybe_sent, cancels_group=True
            )
        case Outcome.UNKNOWN_CODE if row.tries + 1 >= MAX_TRIES:
            # It may be the account that takes no files: others must not wait for this one.
            return OutStep(
                OutEvent.DEAD,
                tries=row.tries + 1,
                maybe_sent=row.maybe_sent,
                cancels_group=True,
                account_event=AccountEvent.UNKNOWN_CODE,
            )
        case Outcome.UNKNOWN_CODE:
            step = after_delivery(row, outcome, account, limits, now_ms)
            return replace(step, tries=row.tries + 1)
        case Outcome.UNKNOWN:
            return after_delivery(row, Outcome.NOT_SENT, account, limits, now_ms)
        case Outcome.THROTTLED:
            step = after_delivery(row, outcome, account, limits, now_ms)
            # An upload is no attempt, so it uses up no probe past the breaker.
            return replace(step, not_before_ms=step.breaker_until_ms or 0)
        case _:
            return after_delivery(row, outcome, account, limits, now_ms)


def refusal(code: str) -> str:
    """The phrase that tells the owner why a file did not go; `code` is the worker's."""
    if code == GONE:
        return "file_gone"
    return "file_refused_size" if code.startswith("cdn 413") else "file_refused"
