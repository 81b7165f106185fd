"""Messages in: stored once, and answered by one Decision in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass

from peewee import IntegrityError

from bridge.core.decision import (
    Decision,
    Looked,
    Moved,
    NewTurn,
    RowStep,
    TurnStep,
)
from bridge.core.errors import Stale
from bridge.core.model import (
    Account,
    Alias,
    Arrival,
    Attempt,
    InboxId,
    InboxState,
    Peer,
    PeerId,
    Turn,
    TurnState,
    is_unmade,
)
from bridge.core.names import skeleton
from bridge.core.turn_states import TurnEvent, turn_step
from bridge.store import approvals, artifacts, attachments, groups, guests, outbox, rows
from bridge.store.audit import add_audit as add_audit
from bridge.store.statements import add, change, least, record, value
from bridge.store.tables import (
    AccountRow,
    AliasRow,
    InboxTable,
    PeerRow,
    TurnTable,
)

# Files without words, and messages whose files are not here, are waited for, not due.
GRAIN_MS = 60_000  # a younger message counts as written now: `Date` has whole seconds
DUE = """state = 'new' AND NOT is_files_alone
    AND id NOT IN (SELECT inbox FROM attachment WHERE outcome = '')"""
_TWIN = "SELECT id FROM inbox WHERE peer = ? AND create_time_ms = ? AND body_hash = ?"

_STILL_UNMADE = """SELECT 1 WHERE EXISTS (SELECT 1 FROM alias WHERE thread = ?)
    OR EXISTS (SELECT 1 FROM turn WHERE thread = ?)
    OR EXISTS (SELECT 1 FROM group_chat WHERE thread = ?)"""


@dataclass(frozen=True, slots=True)
class Stored:
    """One message that policy lets in, and the state it is stored under."""

    arrival: Arrival
    state: InboxState
    outcome: str
    age_ms: int
    created_ms: int  # the channel's time where it is plausible, else that of arrival
    is_dated: bool  # whether it is plausible


@dataclass(frozen=True, slots=True)
class Accepted:
    """`owes` says whether bubbles wait, which a new message may set free."""

    cursor: str
    owes: bool


@dataclass(frozen=True, slots=True)
class CursorConflict:
    """The rows are stored, only the cursor is refused."""

    cursor: str


@dataclass(frozen=True, slots=True)
class Applied:
    """What a Decision led to: its turn, and the attempt to make at once, if any."""

    turn: Turn | None
    attempt: Attempt | None


def accept(
    messages: Sequence[Stored],
    account: Account,
    prev_cursor: str,
    next_cursor: str,
    holds_account: bool,
    now_ms: int,
) -> Accepted | CursorConflict:
    """T1: rows, newest context tokens and the cursor, in one transaction.

    A message that is there already, by its key or as a twin under another id, is
    ignored. Rows are stored whatever becomes of the cursor.
    """
    for message in messages:
        _note_peer(message, account, _insert(message, now_ms), now_ms)
    owes = value("SELECT 1 FROM outbox WHERE state != 'done'") is not None
    row = record(AccountRow, "channel = ?", account.channel)
    stored = row.cursor if row else ""
    if not holds_account:
        return CursorConflict(stored)
    if not next_cursor or stored == next_cursor:
        return Accepted(stored, owes)
    if stored != prev_cursor:
        return CursorConflict(stored)
    change(AccountRow, "channel = ?", (account.channel,), cursor=next_cursor)
    return Accepted(next_cursor, owes)


def apply(
    decision: Decision, account: Account, sender: outbox.Sender | None, now_ms: int
) -> Applied:
    """T2, with T3 and T6 where they follow at once: everything or nothing.

    Raises Stale when a row has moved since it was read: read and decide again.
    """
    turn = None
    try:
        if decision.turn is not None:
            turn = _add_turn(decision.turn, decision.peer, account, now_ms)
    except IntegrityError:
        raise Stale("another turn of the thread is live") from None
    for step in decision.rows:
        _step_row(step, turn, now_ms)
    for turn_move in decision.turn_steps:
        step_turn(turn_move, now_ms)
    artifacts.add(decision.files, decision.peer, now_ms)
    outbox.add_rows(decision.bubbles, decision.peer, now_ms)
    for alias in decision.aliases:
        _put_alias(alias)
    if decision.looked is not None:
        _look(decision.looked)
    if decision.moved is not None:
        _move(decision.moved)
    if decision.removed is not None:
        AliasRow.delete().where(AliasRow.name == decision.removed).execute()
        change(PeerRow, "active = ?", (decision.removed,), active=None)
    if decision.peer_after is not None and decision.peer_before is not None:
        _change_peer(decision.peer_before, decision.peer_after)
    if decision.approval is not None:
        approvals.decide(decision.approval)
    if decision.question is not None:
        guests.close(decision.question)
    outbox.again(decision.again)
    if decision.group is not None:
        groups.step(decision.group, now_ms)
    add_audit(decision.audit, decision.peer, now_ms, turn.id if turn else None)
    attempt = outbox.begin(sender, now_ms) if sender and decision.owes else None
    return Applied(turn, attempt)


def count_attempts(row_ids: Sequence[InboxId]) -> None:
    """One more failure of these messages."""
    InboxTable.update(attempts=InboxTable.attempts + 1).where(InboxTable.id << row_ids).execute()


def uncount(row_ids: Sequence[InboxId]) -> None:
    """These messages have come as far as a wait for somebody else: its end is not their fault."""
    InboxTable.update(attempts=InboxTable.attempts - 1).where(
        InboxTable.id << row_ids, InboxTable.attempts > 0
    ).execute()


def count_boot() -> None:
    """At boot: the oldest due new message may be the one that crashed the process."""
    oldest = least(InboxTable, "id", DUE)
    if oldest is not None:
        count_attempts([InboxId(oldest)])


def step_turn(step: TurnStep, now_ms: int) -> None:
    """Move a turn that is still where the decision saw it; raises Stale."""
    columns: dict[str, object] = {"state": step.state, "reason": step.reason}
    if step.stop_requested is not None:
        columns = {"state": step.state, "stop_requested": step.stop_requested}
    else:
        columns |= {"retry_at_ms": step.retry_at_ms, "tries": step.tries}
    if step.outcome:
        columns |= {"outcome": step.outcome, "ended_ms": now_ms}
    if not change(TurnTable, "id = ? AND state = ?", (step.id, step.was), **columns):
        raise Stale(f"turn {step.id} is no longer {step.was}")


def _insert(message: Stored, now_ms: int) -> bool:
    arrival = message.arrival
    parts = rows.parts_text(arrival.parts) if not arrival.malformed else "[]"
    digest = rows.body_hash(parts + rows.media_text(arrival.parts), arrival.quoted_id)
    may_be_twin = message.is_dated and not arrival.malformed
    if may_be_twin and value(_TWIN, arrival.sender, arrival.create_time_ms, digest):
        return False
    files = attachments.files_of(arrival.parts) if message.state is InboxState.NEW else ()
    made = add(
        InboxTable,
        "OR IGNORE",
        channel=arrival.channel,
        peer=arrival.sender,
        msg_key=arrival.msg_key,
        body_hash=digest,
        create_time_ms=arrival.create_time_ms,
        received_ms=now_ms,
        age_ms=message.age_ms,
        parts=parts,
        quoted_id=arrival.quoted_id,
        quoted_text=arrival.malformed or arrival.quoted_text,
        quoted_part=rows.dump(asdict(arrival.quoted_part)) if arrival.quoted_part else "",
        has_files=bool(files),
        is_files_alone=bool(files) and not any(part.text.strip() for part in arrival.parts),
        is_cut=arrival.is_cut,
        state=message.state,
        outcome=message.outcome,
        done_ms=0 if message.state is InboxState.NEW else now_ms,
    )
    if made:
        attachments.add(made, arrival.parts, files)
    return bool(made)


def _note_peer(message: Stored, account: Account, is_new: bool, now_ms: int) -> None:
    """Keep the newest token of this generation; a new message opens the send window.

    WeChat's day began when it was written, not when it came here after a downtime.
    """
    arrival = message.arrival
    if arrival.is_echo or arrival.malformed:
        return
    row = record(PeerRow, "peer = ?", arrival.sender)
    columns: dict[str, object] = {}
    opened_ms = now_ms - message.age_ms if message.age_ms > GRAIN_MS else now_ms
    if is_new and (row is None or opened_ms >= row.wrote_ms or row.wrote_ms > now_ms):
        columns |= {"wrote_ms": opened_ms, "is_announced": False}
    if arrival.context_token and (
        row is None
        or row.token_generation < account.generation
        or message.created_ms >= row.token_time_ms
    ):
        columns |= {
            "context_token": arrival.context_token,
            "token_generation": account.generation,
            "token_time_ms": message.created_ms,
        }
    if row is None:
        add(PeerRow, peer=arrival.sender, lang="", **columns)
    elif columns:
        change(PeerRow, "peer = ?", (arrival.sender,), **columns)


def _add_turn(turn: NewTurn, peer: PeerId, account: Account, now_ms: int) -> Turn | None:
    if value("SELECT id FROM turn WHERE key = ?", turn.key):
        return None
    if is_unmade(turn.thread) and not value(_STILL_UNMADE, *[turn.thread] * 3):
        raise Stale("the thread was made in between")
    made = add(
        TurnTable,
        key=turn.key,
        channel=account.channel,
        peer=peer,
        thread=turn.thread,
        alias_name=turn.alias,
        prompt=turn.prompt,
        cwd=turn.cwd,
        sandbox=turn.sandbox,
        approval_policy=turn.approval_policy,
        model=turn.model,
        effort=turn.effort,
        state=turn.state,
        expected_head=turn.expected_head,
        seen_head=turn.seen_head,
        created_ms=now_ms,
        started_ms=now_ms if turn.state == "starting" else 0,
        files=rows.dump([astuple(file) for file in turn.files]),
        preface=turn.preface,
    )
    return rows.turn(record(TurnTable, "id = ?", made))


def _step_row(step: RowStep, turn: Turn | None, now_ms: int) -> None:
    columns: dict[str, object] = {"state": step.state, "outcome": step.outcome}
    if step.is_released:
        columns["is_released"] = True
    if step.is_asked:
        columns["is_asked"] = True
    if step.meant:
        columns["meant"] = step.meant
    if step.state is InboxState.DONE:
        columns |= {"done_ms": now_ms, "turn": turn.id if turn and step.outcome == "turn" else None}
    if not change(InboxTable, "id = ? AND state IN ('new', 'held')", (step.id,), **columns):
        raise Stale(f"inbox {step.id} is done")


def _put_alias(alias: Alias) -> None:
    add(
        AliasRow,
        "OR REPLACE",
        name=alias.name,
        skeleton=skeleton(alias.name),
        thread=alias.thread,
        cwd=alias.cwd,
        title=alias.title,
        sandbox=alias.sandbox,
        approval_policy=alias.approval_policy,
        model=alias.model,
        effort=alias.effort,
        seen_head=alias.seen_head,
        position=alias.position,
    )


def _change_peer(was: Peer, now: Peer) -> None:
    """Write what differs; raises Stale where `/more` went on elsewhere meanwhile."""
    before, after = rows.peer_columns(was), rows.peer_columns(now)
    changed = {name: value for name, value in after.items() if value != before[name]}
    if not {"more_turn", "more_next"} & changed.keys():
        change(PeerRow, "peer = ?", (was.id,), **changed)
        return
    where, seen = "peer = ? AND more_turn IS ? AND more_next = ?", (was.more_turn, was.more_next)
    if not change(PeerRow, where, (was.id, *seen), **changed):
        raise Stale("an answer came in between")


def _look(looked: Looked) -> None:
    """Note how far a thread was shown, on all its names; raises Stale when it moved since."""
    row = record(AliasRow, "name = ?", looked.was.name)
    if row is None or rows.alias(row) != looked.was:
        raise Stale("the thread was shown, or answered, in between")
    columns = {"position": looked.position}
    if looked.head:
        columns["seen_head"] = looked.head
    change(AliasRow, "thread = ?", (looked.was.thread,), **columns)


def _move(moved: Moved) -> None:
    """Messages that wait go to the branch, in their order; none of them was ever accepted."""
    columns: dict[str, object] = {
        "thread": moved.to.thread,
        "alias_name": moved.to.name,
        "expected_head": None,
        "seen_head": "",
        "reason": "",
        "retry_at_ms": 0,
        "tries": 0,
    }
    for state in (TurnState.PARKED, TurnState.QUEUED):
        after = turn_step(state, TurnEvent.BRANCHED)
        change(TurnTable, "thread = ? AND state = ?", (moved.thread, state), state=after, **columns)
