"""Turns: claimed, running, settled, paid; each step is one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from peewee import IntegrityError

from bridge.core.bubbles import shortened
from bridge.core.decision import Audit, NewRow
from bridge.core.errors import Stale
from bridge.core.foreign import on_a_line
from bridge.core.model import (
    Attempt,
    Owed,
    Peer,
    PeerId,
    ThreadId,
    Turn,
    TurnId,
    TurnState,
    is_unmade,
)
from bridge.core.turn_states import TurnEvent, turn_step
from bridge.core.turns import Accepted, ParkStep, Settlement
from bridge.store import approvals, artifacts, inbox, outbox, rows
from bridge.store.statements import change, pairs, record, records, value
from bridge.store.tables import AliasRow, GroupRow, PeerRow, TurnTable

TITLE_CHARS = 80  # of a thread that its first message made
# A turn that was taken up again has a lower id than the live one of its thread.
LIVE_FIRST = "ORDER BY state IN ('starting', 'running', 'settling') DESC, id"
_FIRST = f"thread = ? AND state != 'done' {LIVE_FIRST}"
# In the words of the index that serves it.
_PARKED_FOR = """SELECT outcome FROM audit
    WHERE turn = ? AND turn IS NOT NULL AND what = 'turn.park' ORDER BY id DESC"""
_ANSWERS = """SELECT count(DISTINCT turn) FROM outbox
    WHERE peer = ? AND state != 'done' AND artifact IS NULL"""


def get(turn: TurnId) -> Turn | None:
    row = record(TurnTable, "id = ?", turn)
    return rows.turn(row) if row else None


def first(thread: ThreadId) -> Turn | None:
    """The unfinished turn of a thread that is next: the live one, else the oldest."""
    row = record(TurnTable, _FIRST, thread)
    return rows.turn(row) if row else None


def busy_threads() -> tuple[ThreadId, ...]:
    """Every thread with an unfinished turn: what is taken up at boot."""
    found = records(TurnTable, "state != 'done' GROUP BY thread")
    return tuple(ThreadId(row.thread) for row in found)


def count_attempt(turn: TurnId) -> int:
    """One more failure with this turn, or one more try after a death; the new count."""
    TurnTable.update(attempts=TurnTable.attempts + 1).where(TurnTable.id == turn).execute()
    return int(TurnTable.get_by_id(turn).attempts)


def claim(turn: Turn, event: TurnEvent, head: str | None, now_ms: int) -> Turn:
    """T3: a waiting turn becomes the live one of its thread; raises Stale."""
    try:
        changed = change(
            TurnTable,
            "id = ? AND state = ?",
            (turn.id, turn.state),
            state=turn_step(turn.state, event),
            reason="",
            expected_head=head,
            started_ms=now_ms,
            attempts=0,
            stop_requested=turn.stop_requested and event is not TurnEvent.OWNER_RETRY,
        )
        if not changed:
            raise Stale(f"turn {turn.id} is no longer {turn.state}")
    except IntegrityError:
        raise Stale(f"another turn of thread {turn.thread} is live") from None
    return rows.turn(record(TurnTable, "id = ?", turn.id))


def running(turn: Turn, handle: Accepted) -> None:
    """T4: the controller has it; the run outlives us from here on.

    A thread that this message has made gets its own name here, on every row at once.
    """
    change(
        TurnTable,
        "id = ? AND state = ?",
        (turn.id, turn.state),
        state=turn_step(turn.state, TurnEvent.ACCEPTED),
        run=handle.run,
        codex_turn=handle.turn,
        lock_token=handle.lock,
        tries=0,
        attempts=0,
    )
    if is_unmade(turn.thread):
        title = on_a_line(turn.prompt, TITLE_CHARS)
        change(AliasRow, "thread = ?", (turn.thread,), thread=handle.thread, title=title)
        change(GroupRow, "thread = ?", (turn.thread,), thread=handle.thread)
        change(TurnTable, "thread = ?", (turn.thread,), thread=handle.thread)


def ours(thread: ThreadId) -> dict[str, TurnId]:
    """Our turns of a thread by Codex's own id of them."""
    query = "SELECT codex_turn, id FROM turn WHERE thread = ? AND codex_turn != ''"
    return {name: TurnId(number) for name, number in pairs(query, thread)}


def position(thread: ThreadId) -> str:
    """Up to where the thread's history was shown; "" when it was not, or has no name."""
    row = record(AliasRow, "thread = ?", thread)
    return str(row.position) if row else ""


def park(turn: Turn, step: ParkStep, now_ms: int, sender: outbox.Sender | None) -> Attempt | None:
    """The turn keeps its place and no lock, and its owner is told.

    Each reason leaves one line in the audit, however often in a row it is met again.
    """
    change(
        TurnTable,
        "id = ?",
        (turn.id,),
        state=turn_step(turn.state, step.event),
        reason=step.reason,
        retry_at_ms=step.retry_at_ms,
        tries=turn.tries + 1,
    )
    lines = step.audit
    if value(_PARKED_FOR, turn.id) != step.reason:
        lines = (Audit("turn.park", "delivery-semantics 6", step.reason), *lines)
    inbox.add_audit(lines, turn.peer, now_ms, turn.id)
    outbox.add_rows(step.rows, turn.peer, now_ms)
    return outbox.begin(sender, now_ms) if sender and step.rows else None


def settle(
    turn: Turn, end: Settlement, now_ms: int, sender: outbox.Sender | None
) -> Attempt | None:
    """T5, with T6 of the first part: the answer, its cuts and bubbles, what is owed.

    The new head goes to the alias, as seen from the phone, and to the turns queued
    behind, which expect it.
    """
    state = turn_step(turn.state, end.event)
    if not end.owes:
        state = turn_step(state, TurnEvent.PAID)
    change(
        TurnTable,
        "id = ?",
        (turn.id,),
        state=state,
        reason="",
        outcome=end.outcome,
        result=end.result,
        cuts=rows.dump(end.cuts),
        owes=",".join(end.owes),
        attempts=0,
        ended_ms=now_ms,
    )
    if end.head:
        change(AliasRow, "thread = ?", (turn.thread,), seen_head=end.head)
    behind = "thread = ? AND state = 'queued' AND state != 'done'"  # so the index is used
    change(TurnTable, behind, (turn.thread,), expected_head=end.head, seen_head=end.head or "")
    if end.more_next:
        seen = {"more_turn": turn.id, "more_next": end.more_next}
        change(PeerRow, "peer = ?", (turn.peer,), **seen)
    approvals.turn_over(turn.id, now_ms)
    artifacts.offered(end.offers, turn, now_ms)
    outbox.add_rows(end.rows, turn.peer, now_ms)
    line = Audit("turn.end", "the controller's word", end.outcome, turn=turn.id)
    inbox.add_audit((line,), turn.peer, now_ms)
    return outbox.begin(sender, now_ms) if sender and end.rows else None


def pay(turn: Turn, left: Sequence[Owed], now_ms: int) -> Turn | None:
    """T8 to T11: what the controller is still owed; nothing left ends the turn.

    Then the turn that is next in the thread, claimed at once (T3) where its head is
    known from the turn before.
    """
    event = TurnEvent.SETTLED if left else TurnEvent.PAID
    state = turn_step(turn.state, event)
    change(TurnTable, "id = ?", (turn.id,), state=state, owes=",".join(left))
    following = first(turn.thread)
    if following is None or following.state is not TurnState.QUEUED:
        return following
    if following.expected_head is None:
        return following
    return claim(following, TurnEvent.THREAD_FREE, following.expected_head, now_ms)


def stop_all(now_ms: int) -> tuple[Turn, ...]:
    """Ask every live turn to stop and cancel every one that waits; those not done yet."""
    waits = TurnTable.state.in_([TurnState.QUEUED, TurnState.PARKED])
    TurnTable.update(
        state=turn_step(TurnState.QUEUED, TurnEvent.CANCEL), outcome="cancelled", ended_ms=now_ms
    ).where(waits).execute()
    TurnTable.update(stop_requested=True).where(
        TurnTable.state.in_([TurnState.STARTING, TurnState.RUNNING])
    ).execute()
    return tuple(rows.turn(row) for row in records(TurnTable, "state != 'done'"))


def tell(
    peer: PeerId, told: Sequence[NewRow], now_ms: int, sender: outbox.Sender | None
) -> Attempt | None:
    """Owe a notice that changes nothing else."""
    outbox.add_rows(told, peer, now_ms)
    return outbox.begin(sender, now_ms) if sender else None


def shorten_waiting(peer: Peer, now_ms: int) -> None:
    """Many answers wait: each that has not begun to leave becomes one bubble."""
    for group, number in outbox.untried_answers(peer.id):
        turn = get(number)
        if turn is not None and len(turn.cuts) > 1:
            outbox.shorten(group, shortened(turn, peer), peer.id, now_ms)


def answers_waiting(peer: PeerId) -> int:
    """Answers of this peer whose bubbles have not all left."""
    return int(value(_ANSWERS, peer))
