"""Turns: claimed, running, settled, paid; each step is one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from peewee import IntegrityError

from bridge.core.model import (
    LIVE,
    Attempt,
    Audit,
    NewRow,
    Owed,
    PeerId,
    Stale,
    ThreadId,
    Turn,
    TurnId,
    TurnState,
)
from bridge.core.turns import Accepted, ParkStep, Settlement, TurnEvent, turn_step
from bridge.store import approvals, inbox, outbox, rows
from bridge.store.tables import AliasRow, OutboxTable, PeerRow, TurnTable


def get(turn: TurnId) -> Turn | None:
    row = TurnTable.get_or_none(TurnTable.id == turn)
    return rows.turn(row) if row else None


def first(thread: ThreadId) -> Turn | None:
    """The unfinished turn of a thread that is next: the live one, else the oldest."""
    row = (
        TurnTable.select()
        .where((TurnTable.thread == thread) & (TurnTable.state != TurnState.DONE))
        .order_by(TurnTable.state.in_(LIVE).desc(), TurnTable.id)
        .first()
    )
    return rows.turn(row) if row else None


def busy_threads() -> tuple[ThreadId, ...]:
    """Every thread with an unfinished turn: what is taken up at boot."""
    query = TurnTable.select(TurnTable.thread).where(TurnTable.state != TurnState.DONE)
    return tuple(ThreadId(row.thread) for row in query.distinct())


def count_boot() -> None:
    """At boot: a turn found `starting` may be the one that crashed the process."""
    TurnTable.update(attempts=TurnTable.attempts + 1).where(
        TurnTable.state == TurnState.STARTING
    ).execute()


def count_attempt(turn: TurnId) -> int:
    """One more failure of our own code with this turn; the new count."""
    TurnTable.update(attempts=TurnTable.attempts + 1).where(TurnTable.id == turn).execute()
    return int(TurnTable.get_by_id(turn).attempts)


def claim(turn: Turn, event: TurnEvent, head: str | None, now_ms: int) -> Turn:
    """T3: a waiting turn becomes the live one of its thread; raises Stale."""
    query = TurnTable.update(
        state=turn_step(turn.state, event),
        reason="",
        expected_head=head,
        started_ms=now_ms,
        attempts=0,
    )
    same = (TurnTable.id == turn.id) & (TurnTable.state == turn.state)
    try:
        if not query.where(same).execute():
            raise Stale(f"turn {turn.id} is no longer {turn.state}")
    except IntegrityError:
        raise Stale(f"another turn of thread {turn.thread} is live") from None
    return rows.turn(TurnTable.get_by_id(turn.id))


def running(turn: Turn, handle: Accepted) -> None:
    """T4: the controller has it; the run outlives us from here on."""
    TurnTable.update(
        state=turn_step(turn.state, TurnEvent.ACCEPTED),
        run=handle.run,
        lock_token=handle.lock,
        tries=0,
        attempts=0,
    ).where((TurnTable.id == turn.id) & (TurnTable.state == turn.state)).execute()


def park(turn: Turn, step: ParkStep, now_ms: int, sender: outbox.Sender | None) -> Attempt | None:
    """The turn keeps its place and no lock, and its owner is told."""
    TurnTable.update(
        state=turn_step(turn.state, step.event),
        reason=step.reason,
        retry_at_ms=step.retry_at_ms,
        tries=turn.tries + 1,
    ).where(TurnTable.id == turn.id).execute()
    outbox.add_rows(step.rows, turn.peer, now_ms)
    return outbox.begin(sender, now_ms) if sender and step.rows else None


def postpone(turn: Turn, retry_at_ms: int) -> None:
    """A parked turn found its thread still taken: look again later."""
    TurnTable.update(retry_at_ms=retry_at_ms, tries=turn.tries + 1).where(
        TurnTable.id == turn.id
    ).execute()


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
    TurnTable.update(
        state=state,
        reason="",
        outcome=end.outcome,
        result=end.result,
        cuts=rows.dump(end.cuts),
        owes=",".join(end.owes),
        attempts=0,
        ended_ms=now_ms,
    ).where(TurnTable.id == turn.id).execute()
    if end.head:
        AliasRow.update(seen_head=end.head).where(AliasRow.thread == turn.thread).execute()
    behind = (TurnTable.thread == turn.thread) & (TurnTable.state == TurnState.QUEUED)
    TurnTable.update(expected_head=end.head, seen_head=end.head or "").where(behind).execute()
    if end.more_next:
        PeerRow.update(more_turn=turn.id, more_next=end.more_next).where(
            PeerRow.peer == turn.peer
        ).execute()
    approvals.turn_over(turn.id, now_ms)
    outbox.add_rows(end.rows, turn.peer, now_ms)
    inbox.add_audit((Audit("turn.end", "", end.outcome, str(turn.id)),), turn.peer, now_ms)
    return outbox.begin(sender, now_ms) if sender and end.rows else None


def pay(turn: Turn, left: Sequence[Owed]) -> None:
    """T8 to T11: what the controller is still owed; nothing left ends the turn."""
    event = TurnEvent.SETTLED if left else TurnEvent.PAID
    TurnTable.update(state=turn_step(turn.state, event), owes=",".join(left)).where(
        TurnTable.id == turn.id
    ).execute()


def stop_all(now_ms: int) -> tuple[Turn, ...]:
    """Ask every live turn to stop and cancel every one that waits; those not done yet."""
    waits = TurnTable.state.in_([TurnState.QUEUED, TurnState.PARKED])
    TurnTable.update(
        state=turn_step(TurnState.QUEUED, TurnEvent.CANCEL), outcome="cancelled", ended_ms=now_ms
    ).where(waits).execute()
    TurnTable.update(stop_requested=True).where(
        TurnTable.state.in_([TurnState.STARTING, TurnState.RUNNING])
    ).execute()
    return tuple(rows.turn(row) for row in TurnTable.select().where(TurnTable.state != "done"))


def tell(
    peer: PeerId, told: Sequence[NewRow], now_ms: int, sender: outbox.Sender | None
) -> Attempt | None:
    """Owe a notice that changes nothing else."""
    outbox.add_rows(told, peer, now_ms)
    return outbox.begin(sender, now_ms) if sender else None


def answers_waiting(peer: PeerId) -> int:
    """Answers of this peer whose bubbles have not all left."""
    query = OutboxTable.select(OutboxTable.turn).where(
        (OutboxTable.peer == peer) & (OutboxTable.state != "done") & OutboxTable.turn.is_null(False)
    )
    return int(query.distinct().count())
