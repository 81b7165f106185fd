"""A bubble's file goes up before the bubble: when that is needed, and what its end means.

An upload is seen by nobody: one that may have come through is simply made again. What
is uploaded is used for an hour, so that the repeats of an attempt need no second upload.
"""

from __future__ import annotations

from dataclasses import replace

from bridge.core.model import Account, Outcome, OutRow
from bridge.core.sending import (
    MAX_TRIES,
    PROBE_MS,
    AccountEvent,
    Limits,
    OutEvent,
    OutStep,
    after_delivery,
)

# Nobody knows how long the CDN keeps a file (ilink-protocol 7.4, 12): as long as the
# longest pause between two attempts (delivery-semantics 5, the breaker), and no longer.
HANDLE_LIFE_MS = 3_600_000
_NOT_NOW = ("-2", "http 429")  # to the asking for a place, three times
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
    """What becomes of a bubble whose file did not go up; nothing of it has left.

    A `-2` here says nothing of texts: an account that may not upload may well send. So it
    opens no breaker; the file alone waits as long as a probe would, and is given up at the
    third time.
    """
    match outcome:
        case Outcome.THROTTLED if row.tries + 1 < MAX_TRIES:
            return OutStep(
                OutEvent.RETRY,
                not_before_ms=now_ms + PROBE_MS[row.tries],
                tries=row.tries + 1,
                fails=row.fails,
                maybe_sent=row.maybe_sent,
            )
        case Outcome.REFUSED | Outcome.THROTTLED:
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
        case _:
            return after_delivery(row, outcome, account, limits, now_ms)


def refusal(code: str) -> str:
    """The phrase that tells the owner why a file did not go; `code` is the worker's."""
    if code == GONE:
        return "file_gone"
    if code in _NOT_NOW:
        return "file_refused_now"
    return "file_refused_size" if code.startswith("cdn 413") else "file_refused"
