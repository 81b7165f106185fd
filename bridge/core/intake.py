"""Which messages come in, who may say them, and which of them go together.

`authorize` runs before any other handling of a message: deny by default. A group may ask
while its owner approves of it, and may do nothing else (`groups`). `sort_out`
says under what state an allowed message is stored. `batch` says which rows of one
peer are taken now: one command, or the prompts of one burst.

Inbox: new, held, done.

    new   planned -> done(turn)     answered -> done(command)
          stale, queue full -> held poisoned -> done(poison)
          asked -> new              drop_held -> done(dropped)
          passed_over -> done(ignored)
    held  run_held -> new           drop_held -> done(dropped)
    done  revived -> new            drop_held -> done(dropped)    of what was set aside
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bridge.core import commands, verbs
from bridge.core.group_chat import (
    MAX_CHAT_CHARS,
    GroupState,
    group_peer,
    is_group,
    said_to_bot,
)
from bridge.core.model import Account, Arrival, InboxRow, InboxState, Owner, PeerId
from bridge.core.steps import next_of

MAX_ATTEMPTS = 3  # delivery-semantics 9: crashes before a message is set aside
MERGE_LIMIT_MS = 10_000  # design 7: a burst is never held back longer
FILES_WAIT_MS = 30_000  # delivery-semantics 4: then one question about files alone
PRE_PAIRING_SLACK_MS = 300_000  # delivery-semantics 4
EARLIEST_MS = 1_577_836_800_000  # 2020-01-01: older times are not plausible
FUTURE_SLACK_MS = 300_000


class Denied(StrEnum):
    NO_OWNER = "no_owner"
    NOT_OWNER = "not_owner"
    NOT_DIRECT = "not_direct"
    NOT_ASKED = "not_asked"  # a group's talk that is not meant for the bot
    NEW_GROUP = "new_group"  # it asks for the first time
    NOT_APPROVED = "not_approved"


class InboxEvent(StrEnum):
    PLANNED = "planned"
    ANSWERED = "answered"
    ASKED = "asked"  # files alone: what shall be done with them?
    STALE = "stale"
    QUEUE_FULL = "queue_full"
    POISONED = "poisoned"
    PASSED_OVER = "passed_over"  # in a group: nothing is said, nothing is done
    RUN_HELD = "run_held"
    DROP_HELD = "drop_held"
    REVIVED = "revived"


_STEPS: dict[tuple[InboxState, InboxEvent], tuple[InboxState, str]] = {
    (InboxState.NEW, InboxEvent.PLANNED): (InboxState.DONE, "turn"),
    (InboxState.NEW, InboxEvent.ANSWERED): (InboxState.DONE, "command"),
    (InboxState.NEW, InboxEvent.ASKED): (InboxState.NEW, ""),
    (InboxState.NEW, InboxEvent.DROP_HELD): (InboxState.DONE, "dropped"),
    (InboxState.NEW, InboxEvent.STALE): (InboxState.HELD, ""),
    (InboxState.NEW, InboxEvent.QUEUE_FULL): (InboxState.HELD, ""),
    (InboxState.NEW, InboxEvent.POISONED): (InboxState.DONE, "poison"),
    (InboxState.NEW, InboxEvent.PASSED_OVER): (InboxState.DONE, "ignored"),
    (InboxState.HELD, InboxEvent.RUN_HELD): (InboxState.NEW, ""),
    (InboxState.HELD, InboxEvent.DROP_HELD): (InboxState.DONE, "dropped"),
    (InboxState.DONE, InboxEvent.REVIVED): (InboxState.NEW, ""),
    (InboxState.DONE, InboxEvent.DROP_HELD): (InboxState.DONE, "dropped"),
}


def inbox_step(state: InboxState, event: InboxEvent) -> tuple[InboxState, str]:
    """The next state and the outcome; raises NoSuchStep for a pair the table lacks."""
    return next_of(_STEPS, "inbox", state, event)


def authorize(
    arrival: Arrival, owner: Owner, groups: Mapping[PeerId, GroupState] | None = None
) -> Denied | None:
    """None when the message may be handled. Identity is the exact sender id, nothing else.

    `groups` are those that are known; None: nobody may ask in any.
    """
    if not owner.user_ids:
        return Denied.NO_OWNER
    if groups is not None and arrival.chat == "group":
        return _from_group(arrival, groups)
    if arrival.sender not in owner.user_ids or not arrival.sender or is_group(arrival.sender):
        return Denied.NOT_OWNER
    if arrival.chat != "direct" or arrival.chat_id:
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
    if is_plausible(create_time_ms, server_now_ms):
        return min(create_time_ms, server_now_ms)
    return server_now_ms


def is_plausible(create_time_ms: int, server_now_ms: int) -> bool:
    """Whether the channel's time of a message can be true (delivery-semantics 12)."""
    return EARLIEST_MS <= create_time_ms <= server_now_ms + FUTURE_SLACK_MS


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that are decided together: one command, one burst, a run of stale ones, or
    files that nobody has said anything about."""

    rows: tuple[InboxRow, ...]
    is_stale: bool = False
    is_wordless: bool = False
    passed: tuple[InboxRow, ...] = ()  # a prompt that it goes ahead of, waiting for its files


@dataclass(frozen=True, slots=True)
class WaitUntil:
    at_ms: int


def batch(
    rows: Sequence[InboxRow], now_ms: int, window_ms: int, stale_ms: int
) -> Batch | WaitUntil | None:
    """What to take next from one peer's `new` rows, oldest first.

    A command is taken alone and at once, a run of stale rows together. A burst waits
    `window_ms` after its last row, MERGE_LIMIT_MS after its first words, or until something
    follows that does not belong to it, and then for its files; meanwhile commands that make
    no turn go ahead of it. Files without words wait for the next prompt, or for a `/send`,
    and never hold anything up. `stale_ms` 0 means never stale.
    """
    burst = _burst(rows, window_ms, stale_ms)
    said = [row for row in burst if not row.is_files_alone]
    behind = rows[len(burst) :]
    if not said and behind:
        return _ends_waiting(burst, behind, stale_ms)
    if not said:
        return _files_alone(burst, now_ms)
    if not _are_here(burst):
        return _ahead(burst, behind, stale_ms)
    due_ms = min(burst[-1].received_ms + window_ms, said[0].received_ms + MERGE_LIMIT_MS)
    if behind or said[0].is_released or now_ms >= due_ms:
        return Batch(tuple(burst))
    return WaitUntil(due_ms)


def goes_ahead(row: InboxRow) -> bool:
    """Whether a row may pass a prompt that still waits for something."""
    return not isinstance(_command(row), _IN_ORDER)


def is_command(row: InboxRow) -> bool:
    """A typed message that begins with one slash, ASCII or full width; never a voice."""
    return bool(row.parts) and row.parts[0].kind == "text" and verbs.is_typed(row.parts[0].text)


def passing(
    rows: Sequence[InboxRow], before: Sequence[InboxRow] = (), *, is_brief: bool = True
) -> list[InboxRow]:
    """The rows that may go ahead of all that waits: of `before`, and of the others.

    A word about the thread in use stays behind one that changes which thread that is:
    else it would act on the one that was just left. Where the wait may be long, not brief,
    what only tells of a thread is told at once, and of the one in use until then.
    """
    is_changing = any(isinstance(_command(row), _SWITCHES) for row in before)
    found = []
    for row in rows:
        is_bound = is_changing and _means_in_use(_command(row), is_brief)
        if goes_ahead(row) and not is_bound:
            found.append(row)
        is_changing = is_changing or isinstance(_command(row), _SWITCHES)
    return found


# What makes a turn, changes which thread prompts go to, or lets files go that wait for words;
# and a `/no`, so that it never answers what a `/yes` is doing already.
_IN_ORDER = (
    commands.Dispatching
    | commands.RunHeld
    | commands.DropHeld
    | commands.Use
    | commands.Add
    | commands.Bind
    | commands.New
    | commands.Fork
    | commands.Yes
    | commands.No
)
_SWITCHES = commands.Use | commands.Bind | commands.New | commands.Fork


def _means_in_use(command: commands.Command, is_telling: bool) -> bool:
    """Whether a command is about the thread in use, as it names none."""
    match command:
        case commands.Stop("") | commands.Steer():
            return True
        case commands.Status("") | commands.Refresh("") | commands.Artifacts(""):
            return is_telling
        case _:
            return False


def _command(row: InboxRow) -> commands.Command:
    return verbs.parse(row.text) if is_command(row) else commands.Prompt()


def _burst(rows: Sequence[InboxRow], window_ms: int, stale_ms: int) -> list[InboxRow]:
    """The first rows that belong together: files, words, and what joins those."""
    burst: list[InboxRow] = []
    first: InboxRow | None = None  # with words
    for row in rows:
        if is_command(row) or _is_stale(row, stale_ms):
            break
        if first is not None and not _joins(row, first, burst[-1], window_ms):
            break
        burst.append(row)
        first = first or (None if row.is_files_alone else row)
    return burst


def _joins(row: InboxRow, first: InboxRow, last: InboxRow, window_ms: int) -> bool:
    """Whether a row goes along with the words before it.

    Not where it is for another thread, cannot be run, or had its share in two failures:
    it would take down with it what is in order.
    """
    if window_ms == 0 or first.is_released != row.is_released or _spoils(row) or _spoils(first):
        return False
    until_ms = min(_said_ms(last) + window_ms, _said_ms(first) + MERGE_LIMIT_MS)
    return _said_ms(row) <= until_ms and (row.is_files_alone or _aim(row) == _aim(first))


def _aim(row: InboxRow) -> tuple[str | None, ...]:
    """Which thread words go to, where they say so or were held: else the one in use."""
    return row.quoted_id, row.quoted_text, row.meant


def _spoils(row: InboxRow) -> bool:
    return row.is_cut or row.attempts >= MAX_ATTEMPTS - 1


def _said_ms(row: InboxRow) -> int:
    """When it came; of one that was held, when it was written."""
    return row.received_ms - (row.age_ms if row.is_released else 0)


def _ends_waiting(
    files: Sequence[InboxRow], behind: Sequence[InboxRow], stale_ms: int
) -> Batch | None:
    """What comes first behind files that wait for words: a command, or a run of stale rows."""
    row = behind[0]
    if _is_stale(row, stale_ms):
        return Batch(_stale_run(behind, stale_ms), is_stale=True)
    if not files or not _takes_files(row):
        return Batch((row,))
    burst = (*files, row)
    return Batch(burst) if _are_here(burst) else _ahead(burst, behind[1:], stale_ms)


def _stale_run(rows: Sequence[InboxRow], stale_ms: int) -> tuple[InboxRow, ...]:
    """Those that are held together: what only asks or answers may stand between them."""
    run: list[InboxRow] = []
    for row in rows:
        if _is_stale(row, stale_ms):
            run.append(row)
        elif not goes_ahead(row):
            break
    return tuple(run)


def _ahead(burst: Sequence[InboxRow], behind: Sequence[InboxRow], stale_ms: int) -> Batch | None:
    """The first command that need not wait until the files of this burst are here."""
    free = (row for row in passing(behind, is_brief=False) if not _is_stale(row, stale_ms))
    return next((Batch((row,), passed=tuple(burst)) for row in free), None)


def _files_alone(burst: Sequence[InboxRow], now_ms: int) -> Batch | WaitUntil | None:
    """Ask once about files that stay without words."""
    unasked = [row for row in burst if not row.is_asked]
    if not unasked:
        return None
    due_ms = unasked[-1].received_ms + FILES_WAIT_MS
    return Batch(tuple(unasked), is_wordless=True) if now_ms >= due_ms else WaitUntil(due_ms)


def _are_here(rows: Sequence[InboxRow]) -> bool:
    return all(row.is_here for row in rows)


def _takes_files(row: InboxRow) -> bool:
    """A `/send` takes along the files that wait for words, as a prompt does."""
    return isinstance(verbs.parse(row.text), commands.Send)


def _is_stale(row: InboxRow, stale_ms: int) -> bool:
    """Too old to be run unasked: a prompt, or a command that brings words to a thread (R8)."""
    if not stale_ms or row.age_ms <= stale_ms or row.is_released:
        return False
    return isinstance(_command(row), commands.Dispatching | commands.Steer)


def _from_group(arrival: Arrival, groups: Mapping[PeerId, GroupState]) -> Denied | None:
    """Whether these words may be taken as a question; the sender is nobody here."""
    if not arrival.sender or not 0 < len(arrival.chat_id) <= MAX_CHAT_CHARS:
        return Denied.NOT_DIRECT
    if arrival.malformed or arrival.is_echo or said_to_bot(arrival) is None:
        return Denied.NOT_ASKED
    match groups.get(group_peer(arrival.chat_id)):
        case None:
            return Denied.NEW_GROUP
        case GroupState.APPROVED:
            return None
        case _:
            return Denied.NOT_APPROVED
