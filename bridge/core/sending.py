"""What may leave for the channel now, and what an attempt's outcome means.

Outbox: ready, sending, done. Account: unpaired, on, suspect, login_needed.

    ready    chosen -> sending                   cancelled, dead -> done
             retry (its file's upload) -> ready
    sending  sent, unconfirmed -> done           not_sent, throttled -> ready
             expired, unknown_code -> ready      refused, unknown -> ready, or done
    done     again -> ready, dropped -> done     by the owner's word, of what did not arrive

    unpaired      paired -> on
    on            expired, unknown_code -> suspect
    suspect       poll_ok -> on                  expired -> login_needed
    login_needed  relogin, poll_ok -> on

WeChat grants about ten sends within 24 hours after each message of the owner
(iLink reports, ilink-protocol 6.4). The window is counted from the attempts, never
written on rows: what may not go now stays `ready` and goes after the next message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias

from bridge.core.group_chat import is_group
from bridge.core.model import (
    Account,
    AccountState,
    Outcome,
    OutId,
    OutRow,
    OutState,
    SendClass,
)
from bridge.core.steps import next_of

MAX_TRIES = 3  # delivery-semantics 5 and 7
NOT_SENT_FIRST_MS = 2_000  # delivery-semantics 5
NOT_SENT_LAST_MS = 300_000
REPEAT_MS = (5_000, 60_000)  # delivery-semantics 7: after an unknown outcome
REFUSED_MS = (5_000, 60_000)
PROBE_MS = (60_000, 300_000, 900_000, 3_600_000)  # delivery-semantics 5: 1, 5, 15, 60 min
NOTE_LIFE_MS = 3_600_000  # delivery-semantics 5: an older note is not worth a send
QUESTION_LIFE_MS = 43_200_000  # 12 hours, as long as a turn waits for an answer (R29)
ANSWER_LIFE_MS = 86_400_000  # delivery-semantics 8: after a new login an older one is only named
STUBBORN_REFUSALS = 3  # ours: by then it has waited six minutes, and so has all behind it
UNCONFIRMED_ALERT = 3  # delivery-semantics 5
REST_GROUP = "rest"  # of the bubble that asks the owner to write for the rest
REPEAT_MARK = "[可能重复] "  # delivery-semantics 7: in either language
HOUR_MS = 3_600_000


class OutEvent(StrEnum):
    CHOSEN = "chosen"
    CANCELLED = "cancelled"
    SENT = "sent"
    UNCONFIRMED = "unconfirmed"
    RETRY = "retry"
    DEAD = "dead"
    UNKNOWN = "unknown"
    AGAIN = "again"
    DROPPED = "dropped"


_OUT_STEPS: dict[tuple[OutState, OutEvent], OutState] = {
    (OutState.READY, OutEvent.CHOSEN): OutState.SENDING,
    (OutState.READY, OutEvent.CANCELLED): OutState.DONE,
    (OutState.READY, OutEvent.RETRY): OutState.READY,
    (OutState.READY, OutEvent.DEAD): OutState.DONE,
    (OutState.SENDING, OutEvent.SENT): OutState.DONE,
    (OutState.SENDING, OutEvent.UNCONFIRMED): OutState.DONE,
    (OutState.SENDING, OutEvent.RETRY): OutState.READY,
    (OutState.SENDING, OutEvent.DEAD): OutState.DONE,
    (OutState.SENDING, OutEvent.UNKNOWN): OutState.DONE,
    (OutState.DONE, OutEvent.AGAIN): OutState.READY,
    (OutState.DONE, OutEvent.DROPPED): OutState.DONE,
}


class AccountEvent(StrEnum):
    PAIRED = "paired"
    EXPIRED = "expired"
    UNKNOWN_CODE = "unknown_code"
    POLL_OK = "poll_ok"
    RELOGIN = "relogin"


_ACCOUNT_STEPS: dict[tuple[AccountState, AccountEvent], AccountState] = {
    (AccountState.UNPAIRED, AccountEvent.PAIRED): AccountState.ON,
    (AccountState.ON, AccountEvent.EXPIRED): AccountState.SUSPECT,
    (AccountState.ON, AccountEvent.UNKNOWN_CODE): AccountState.SUSPECT,
    (AccountState.ON, AccountEvent.RELOGIN): AccountState.ON,
    (AccountState.ON, AccountEvent.POLL_OK): AccountState.ON,
    (AccountState.SUSPECT, AccountEvent.POLL_OK): AccountState.ON,
    (AccountState.SUSPECT, AccountEvent.EXPIRED): AccountState.LOGIN_NEEDED,
    (AccountState.SUSPECT, AccountEvent.UNKNOWN_CODE): AccountState.SUSPECT,
    (AccountState.SUSPECT, AccountEvent.RELOGIN): AccountState.ON,
    (AccountState.LOGIN_NEEDED, AccountEvent.RELOGIN): AccountState.ON,
    (AccountState.LOGIN_NEEDED, AccountEvent.POLL_OK): AccountState.ON,
    (AccountState.LOGIN_NEEDED, AccountEvent.EXPIRED): AccountState.LOGIN_NEEDED,
    (AccountState.LOGIN_NEEDED, AccountEvent.UNKNOWN_CODE): AccountState.LOGIN_NEEDED,
}


def out_step(state: OutState, event: OutEvent) -> OutState:
    """The next state of a bubble; raises NoSuchStep for a pair that the table lacks."""
    return next_of(_OUT_STEPS, "outbox", state, event)


def account_step(state: AccountState, event: AccountEvent) -> AccountState:
    """The next state of the account; raises NoSuchStep for a pair that the table lacks."""
    return next_of(_ACCOUNT_STEPS, "account", state, event)


@dataclass(frozen=True, slots=True)
class Limits:
    """The settings that pace sending; 0 turns a limit off."""

    budget: int = 8
    window_hours: int = 23
    spacing_ms: int = 1000
    resends: bool = True  # CTB_RESEND_POLICY is resend_marked


@dataclass(frozen=True, slots=True)
class Window:
    """The attempts since the peer's last message."""

    opened_ms: int  # when the peer last wrote; 0: never
    used: int  # attempts that may have reached the channel
    last_attempt_ms: int
    has_token: bool
    is_announced: bool  # the peer was told to write to get the rest
    may_probe: bool = False  # no refusal since the peer wrote: one probe past the breaker
    breaker_until_ms: int = 0  # a group's own, beside the account's
    stubborn: frozenset[OutId] = frozenset()  # refused often: it may be they that are not taken


@dataclass(frozen=True, slots=True)
class Send:
    row: OutId


@dataclass(frozen=True, slots=True)
class SleepUntil:
    at_ms: int


@dataclass(frozen=True, slots=True)
class NeedOwner:
    """Nothing may go until the owner writes; `announce` spends the last credit to say so."""

    announce: bool


@dataclass(frozen=True, slots=True)
class Nothing:
    pass


Choice: TypeAlias = Send | SleepUntil | NeedOwner | Nothing


def choose(
    rows: Sequence[OutRow], window: Window, account: Account, limits: Limits, now_ms: int
) -> Choice:
    """Which ready bubble of one peer goes now.

    Class first, then id; in trouble, one that was refused often goes behind the others of
    its class: WeChat may never take it. Inside a group, part k+1 waits until part k is done
    (a row whose earlier part is still among `rows` is passed over). The last credit is kept
    for "write to me for the rest", the last but one for an approval or an answer.
    """
    heads = _heads(rows)
    if not heads or account.state is not AccountState.ON:
        return Nothing()
    if not window.has_token or _is_closed(window, limits, now_ms):
        return NeedOwner(announce=False)
    credits = credits_left(window, limits)
    if credits is not None and credits <= 1:
        return _with_last_credit(heads, credits, window, account, limits, now_ms)
    due = due_of(rows, now_ms)
    if credits == 2:
        due = [row for row in due if row.send_class <= SendClass.ANSWER]
    if not due:
        later = [row.not_before_ms for row in heads if row.not_before_ms > now_ms]
        return SleepUntil(min(later)) if later else NeedOwner(announce=False)
    start_ms = _earliest_ms(window, account, limits)
    if start_ms > now_ms:
        return SleepUntil(start_ms)
    return Send(min(due, key=lambda row: (row.send_class, row.id in window.stubborn, row.id)).id)


def due_of(rows: Sequence[OutRow], now_ms: int) -> list[OutRow]:
    """The first bubbles of their groups that need not wait by themselves."""
    return [row for row in _heads(rows) if row.not_before_ms <= now_ms]


def credits_left(window: Window, limits: Limits) -> int | None:
    """How many sends remain until the owner writes; None without a limit."""
    return max(0, limits.budget - window.used) if limits.budget else None


def closes_ms(window: Window, limits: Limits) -> int | None:
    """When WeChat stops taking replies; None without a limit, or before a first message."""
    if not limits.window_hours or not limits.budget or not window.opened_ms:
        return None
    return window.opened_ms + limits.window_hours * HOUR_MS


def group_breaker_ms(refused: int, refused_ms: int, last_ms: int) -> int:
    """Until when a group that was refused waits; what came through since closes its breaker.

    `refused` is how often that was since it wrote, `refused_ms` when last.
    """
    if not refused or last_ms > refused_ms:
        return 0
    return refused_ms + PROBE_MS[min(refused, len(PROBE_MS)) - 1]


def is_worthless(row: OutRow, opened_ms: int, now_ms: int) -> bool:
    """A note that nobody needs any more, or a question that nobody waits for.

    `opened_ms` is when the owner last wrote.
    """
    if row.group == REST_GROUP:
        return row.created_ms < opened_ms
    life_ms = NOTE_LIFE_MS if row.send_class >= SendClass.NOTE else QUESTION_LIFE_MS
    return row.send_class >= SendClass.QUESTION and now_ms - row.created_ms > life_ms


@dataclass(frozen=True, slots=True)
class OutStep:
    """What becomes of a bubble and its account after one attempt."""

    event: OutEvent
    not_before_ms: int = 0
    tries: int = 0
    fails: int = 0
    maybe_sent: bool = False
    cancels_group: bool = False
    account_event: AccountEvent | None = None
    breaker_until_ms: int | None = None
    probe_no: int | None = None
    unconfirmed_run: int | None = None


def after_delivery(
    row: OutRow, outcome: Outcome, account: Account, limits: Limits, now_ms: int
) -> OutStep:
    """Decide what becomes of a bubble once the channel has answered, or has not.

    An `unknown` outcome may already be on the owner's screen: it is repeated only
    under the same client id, and marked, so that a copy is known for a copy. What is
    said to a bubble for a group moves no account: the owner's chat would pay for it, and
    the poll knows by itself whether the token is good.
    """
    step = _after(row, outcome, account, limits, now_ms)
    if not is_group(row.peer):
        return step
    return replace(
        step, account_event=None, breaker_until_ms=None, probe_no=None, unconfirmed_run=None
    )


def _after(row: OutRow, outcome: Outcome, account: Account, limits: Limits, now_ms: int) -> OutStep:
    match outcome:
        case Outcome.SENT:
            return OutStep(OutEvent.SENT, breaker_until_ms=0, probe_no=0, unconfirmed_run=0)
        case Outcome.UNCONFIRMED:
            return OutStep(
                OutEvent.UNCONFIRMED,
                breaker_until_ms=0,
                probe_no=0,
                unconfirmed_run=account.unconfirmed_run + 1,
            )
        case Outcome.NOT_SENT:
            return _later(row, now_ms)
        case Outcome.THROTTLED:
            wait_ms = PROBE_MS[min(account.probe_no, len(PROBE_MS) - 1)]
            return OutStep(
                OutEvent.RETRY,
                tries=row.tries,
                fails=row.fails,
                maybe_sent=row.maybe_sent,
                breaker_until_ms=now_ms + wait_ms,
                probe_no=account.probe_no + 1,
            )
        case Outcome.EXPIRED:
            return _later(row, now_ms, AccountEvent.EXPIRED)
        case Outcome.UNKNOWN_CODE:
            return _later(row, now_ms, AccountEvent.UNKNOWN_CODE)
        case Outcome.REFUSED:
            if row.tries + 1 < MAX_TRIES:
                return _again(row, now_ms + REFUSED_MS[row.tries], maybe_sent=row.maybe_sent)
            return OutStep(
                OutEvent.DEAD, tries=row.tries + 1, maybe_sent=row.maybe_sent, cancels_group=True
            )
        case Outcome.UNKNOWN:
            may_repeat = limits.resends and row.send_class <= SendClass.QUESTION
            if may_repeat and _can_be_marked(row) and row.tries + 1 < MAX_TRIES:
                return _again(row, now_ms + REPEAT_MS[row.tries], maybe_sent=True)
            return OutStep(OutEvent.UNKNOWN, tries=row.tries + 1, maybe_sent=True)


def wire_text(row: OutRow) -> str:
    """The text that leaves: only the row and its repeat mark decide it."""
    return (REPEAT_MARK if row.maybe_sent else "") + row.text


def _can_be_marked(row: OutRow) -> bool:
    """Pictures and videos have no words on the phone, so a copy could not be known for one."""
    return row.file is None or row.file.kind == "file"


def _heads(rows: Sequence[OutRow]) -> list[OutRow]:
    first: dict[str, int] = {}
    for row in rows:
        first[row.group] = min(first.get(row.group, row.part), row.part)
    return [row for row in rows if row.part == first[row.group]]


def _with_last_credit(
    heads: Sequence[OutRow],
    credits: int,
    window: Window,
    account: Account,
    limits: Limits,
    now_ms: int,
) -> Choice:
    """Ask for a word, once; again only if that bubble itself did not leave."""
    asking = next((row for row in heads if row.group == REST_GROUP), None)
    if credits < 1 or (window.is_announced and asking is None):
        return NeedOwner(announce=False)
    start_ms = max(_earliest_ms(window, account, limits), asking.not_before_ms if asking else 0)
    if start_ms > now_ms:
        return SleepUntil(start_ms)
    return Send(asking.id) if asking else NeedOwner(announce=True)


def _is_closed(window: Window, limits: Limits, now_ms: int) -> bool:
    if not limits.window_hours or not limits.budget:
        return False
    closes = closes_ms(window, limits)
    return closes is None or now_ms > closes


def _earliest_ms(window: Window, account: Account, limits: Limits) -> int:
    spaced = window.last_attempt_ms + limits.spacing_ms if window.used else 0
    breaker = 0 if window.may_probe else account.breaker_until_ms
    return max(spaced, breaker, window.breaker_until_ms)


def _later(row: OutRow, now_ms: int, event: AccountEvent | None = None) -> OutStep:
    wait_ms = min(NOT_SENT_FIRST_MS * 2 ** min(row.fails, 10), NOT_SENT_LAST_MS)
    return OutStep(
        OutEvent.RETRY,
        not_before_ms=now_ms + wait_ms,
        tries=row.tries,
        fails=row.fails + 1,
        maybe_sent=row.maybe_sent,
        account_event=event,
    )


def _again(row: OutRow, at_ms: int, *, maybe_sent: bool) -> OutStep:
    return OutStep(
        OutEvent.RETRY,
        not_before_ms=at_ms,
        tries=row.tries + 1,
        fails=row.fails,
        maybe_sent=maybe_sent,
    )
