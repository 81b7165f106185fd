"""Which messages come in, who may say them, and which of them go together.

`authorize` runs before any other handling of a message: deny by default. `sort_out`
says under what state an allowed message is stored. `batch` says which rows of one
peer are taken now: one command, or the prompts of one burst.

Inbox: new, held, done.

    new   planned -> done(turn)     answered -> done(command)
          stale, queue full -> held poisoned -> done(poison)
    held  run_held -> new           drop_held -> done(dropped)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bridge.core.model import Account, Arrival, InboxRow, InboxState, Owner, next_of

MAX_ATTEMPTS = 3  # delivery-semantics 9: crashes before a message is set aside
MERGE_LIMIT_MS = 10_000  # design 7: a burst is never held back longer
PRE_PAIRING_SLACK_MS = 300_000  # delivery-semantics 4
EARLIEST_MS = 1_577_836_800_000  # 2020-01-01: older times are not plausible
FUTURE_SLACK_MS = 300_000


class Denied(StrEnum):
    NO_OWNER = "no_owner"
    NOT_OWNER = "not_owner"
    NOT_DIRECT = "not_direct"


class InboxEvent(StrEnum):
    PLANNED = "planned"
    ANSWERED = "answered"
    STALE = "stale"
    QUEUE_FULL = "queue_full"
    POISONED = "poisoned"
    RUN_HELD = "run_held"
    DROP_HELD = "drop_held"


_STEPS: dict[tuple[InboxState, InboxEvent], tuple[InboxState, str]] = {
    (InboxState.NEW, InboxEvent.PLANNED): (InboxState.DONE, "turn"),
    (InboxState.NEW, InboxEvent.ANSWERED): (InboxState.DONE, "command"),
    (InboxState.NEW, InboxEvent.STALE): (InboxState.HELD, ""),
    (InboxState.NEW, InboxEvent.QUEUE_FULL): (InboxState.HELD, ""),
    (InboxState.NEW, InboxEvent.POISONED): (InboxState.DONE, "poison"),
    (InboxState.HELD, InboxEvent.RUN_HELD): (InboxState.NEW, ""),
    (InboxState.HELD, InboxEvent.DROP_HELD): (InboxState.DONE, "dropped"),
}


def inbox_step(state: InboxState, event: InboxEvent) -> tuple[InboxState, str]:
    """The next state and the outcome; raises NoSuchStep for a pair the table lacks."""
    return next_of(_STEPS, "inbox", state, event)


def authorize(arrival: Arrival, owner: Owner) -> Denied | None:
    """None when the message may be handled. Identity is the exact sender id, nothing else."""
    if not owner.user_ids:
        return Denied.NO_OWNER
    if arrival.sender not in owner.user_ids or not arrival.sender:
        return Denied.NOT_OWNER
    if arrival.chat != "direct":
        return Denied.NOT_DIRECT
    return None


def sort_out(arrival: Arrival, account: Account, server_now_ms: int) -> tuple[InboxState, str]:
    """State and outcome under which a message of the owner is stored."""
    if arrival.malformed:
        return InboxState.DONE, "malformed"
    if arrival.is_echo:
        return InboxState.DONE, "ignored"
    created_ms = plausible_time(arrival.create_time_ms, server_now_ms)
    if account.paired_at_ms and created_ms < account.paired_at_ms - PRE_PAIRING_SLACK_MS:
        return InboxState.DONE, "ignored"
    return InboxState.NEW, ""


def plausible_time(create_time_ms: int, server_now_ms: int) -> int:
    """The channel's time of a message, or the moment of arrival where it cannot be true."""
    if EARLIEST_MS <= create_time_ms <= server_now_ms + FUTURE_SLACK_MS:
        return min(create_time_ms, server_now_ms)
    return server_now_ms


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that are decided together: one command, one burst, or a run of stale ones."""

    rows: tuple[InboxRow, ...]
    is_stale: bool = False


@dataclass(frozen=True, slots=True)
class WaitUntil:
    at_ms: int


def batch(
    rows: Sequence[InboxRow], now_ms: int, window_ms: int, stale_ms: int
) -> Batch | WaitUntil | None:
    """What to take next from one peer's `new` rows, oldest first.

    A command is taken alone and at once. Prompts wait `window_ms` after the last of
    them, MERGE_LIMIT_MS after the first, or until a command follows. Two prompts that
    quote different messages do not go together. `stale_ms` 0 means never stale.
    """
    if not rows:
        return None
    first = rows[0]
    if is_command(first) or first.is_released:
        return Batch((first,))
    stale = _is_stale(first, stale_ms)
    burst = [first]
    for row in rows[1:]:
        if is_command(row) or row.quoted_id != first.quoted_id:
            return Batch(tuple(burst), stale)
        if _is_stale(row, stale_ms) != stale:
            return Batch(tuple(burst), stale)
        if window_ms == 0 and not stale:
            break
        burst.append(row)
    due_ms = min(burst[-1].received_ms + window_ms, first.received_ms + MERGE_LIMIT_MS)
    if stale or now_ms >= due_ms:
        return Batch(tuple(burst), stale)
    return WaitUntil(due_ms)


def is_command(row: InboxRow) -> bool:
    """A typed message that begins with one slash, ASCII or full width; never a voice."""
    typed = bool(row.parts) and row.parts[0].kind == "text"
    text = row.parts[0].text.lstrip() if typed else ""
    return text[:1] in ("/", "／") and text[1:2] not in ("/", "／")


def _is_stale(row: InboxRow, stale_ms: int) -> bool:
    return bool(stale_ms) and row.age_ms > stale_ms and not row.is_released
