"""What became of messages: the life of a turn, what was given up, and the way back.

Reads for `/trace`, `/resend`, `/dead`, `/why` and the desk. What was given up may be
tried again, through the same states, or dropped from the list; each leaves its line in
the audit.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache

from peewee import Model

from bridge.core import commands as c
from bridge.core.decision import Audit, View
from bridge.core.given_up import TOLD_FOR_MS, GivenUp, Kind
from bridge.core.intake import InboxEvent, inbox_step
from bridge.core.life import Bubble, Came, Decided, Life, Tried
from bridge.core.model import (
    InboxId,
    InboxState,
    OutId,
    OutState,
    PeerId,
    SendClass,
    ThreadId,
    Turn,
    TurnId,
    TurnState,
)
from bridge.core.retention import KEPT_MS
from bridge.core.room import alias_meant
from bridge.core.sending import OutEvent, out_step
from bridge.core.turn_states import WITHOUT_ANSWER, TurnEvent, turn_step
from bridge.store import audit, groups, outbox, rights, rows, turns
from bridge.store.statements import Record, change, record, records
from bridge.store.tables import AttemptTable, InboxTable, OutboxTable, TurnTable

MAX_GIVEN_UP = 200  # of each kind
MAX_ATTEMPTS_TOLD = 100  # of one bubble
MAX_UNANSWERED = 50  # that `/retry` chooses among

# Partial indexes serve only a condition that holds their very words. A note or a progress
# line is never sent twice (delivery-semantics 7), so it is not listed as given up.
_POISON = "outcome = 'poison'"
_TEXT = "parts != '[]'"  # its words are still here
_DEAD = "outcome = 'dead'"
_UNSENT = "outcome IN ('dead', 'unknown') AND send_class <= 2"
# Over, paid for or not: those of them that have no answer (`is_unanswered`).
_ENDED = """SELECT id FROM turn WHERE peer = ? AND state = 'done' AND ended_ms > ?
    UNION ALL SELECT id FROM turn WHERE state != 'done' AND state = 'settling' AND peer = ?"""
_WITHOUT = f"""(outcome IN ({", ".join(f"'{word}'" for word in WITHOUT_ANSWER)})
    OR outcome = 'cancelled' AND stop_requested)"""
# The same words came there again: they run, or have their answer.
_AGAIN = """SELECT 1 FROM turn AS later WHERE later.id > turn.id AND later.thread = turn.thread
    AND later.prompt = turn.prompt AND later.outcome IN ('', 'completed')"""
_UNANSWERED = f"id IN ({_ENDED}) AND {_WITHOUT} AND NOT EXISTS ({_AGAIN}) ORDER BY id DESC LIMIT ?"
# Each half begins with the very words of the index that serves it.
_ANSWERED = "peer = ?1 AND outcome = 'completed' AND cuts != '[]' AND thread = coalesce(?2, thread)"
_OVER_ANSWERED = f"state != 'done' AND state = 'settling' AND {_ANSWERED} ORDER BY ended_ms DESC"
_DONE_ANSWERED = f"state = 'done' AND {_ANSWERED} ORDER BY ended_ms DESC"


def told(seen: View, command: c.Command, now_ms: int) -> View:
    """The view with what a command about the past looks at."""
    peer = seen.peer.id
    match command:
        case c.Why():
            return replace(seen, not_done=audit.last_not_done(peer))
        case c.Dead():
            return replace(seen, given_up=given_up(now_ms, peer))
        case c.Status(name):
            alias = alias_meant(seen, name)
            last = _last_answer(peer, alias.thread if alias else None)
            return replace(seen, given_up=given_up(now_ms, peer), last_answer=last)
        case c.Threads() | c.Use() | c.Add() | c.Bind():
            return replace(seen, group_threads=groups.threads())
        case c.Retry():
            return replace(seen, unanswered=_unanswered(peer, now_ms))
        case c.Trace(number) | c.Resend(number):
            found = life(TurnId(number))
            return replace(seen, life=found if found and found.turn.peer == peer else None)
        case _:
            return seen


def life(number: TurnId) -> Life | None:
    """Everything that the rows know of a turn."""
    turn = turns.get(number)
    if turn is None:
        return None
    came = records(InboxTable, "turn = ? ORDER BY id", number)
    bubbles = records(OutboxTable, "turn = ? ORDER BY id", number)
    decided = audit.of_turn(number)
    if came and decided:
        rows_of_it = [InboxId(row.id) for row in came]
        decided = (*audit.of_messages(turn.peer, rows_of_it, decided[0].id), *decided)
    return Life(
        turn=turn,
        came=tuple(_came(row) for row in came),
        decided=tuple(_decided(line) for line in decided),
        bubbles=tuple(_bubble(row) for row in bubbles),
    )


def _last_answer(peer: PeerId, thread: ThreadId | None) -> Turn | None:
    """The turn with a text of its own that ended last, in this thread or in any."""
    found = [record(TurnTable, where, peer, thread) for where in (_OVER_ANSWERED, _DONE_ANSWERED)]
    return next((rows.turn(row) for row in found if row), None)


def _unanswered(peer: PeerId, now_ms: int) -> tuple[Turn, ...]:
    """Turns that ended without their answer and were not run again since, newest first.

    Of thirty days: as long as the files that they name are kept.
    """
    since_ms = now_ms - KEPT_MS
    found = records(TurnTable, _UNANSWERED, peer, since_ms, peer, MAX_UNANSWERED)
    return tuple(rows.turn(row) for row in found)


def newest(limit: int) -> tuple[Turn, ...]:
    """The turns that were made last, newest first."""
    return tuple(rows.turn(row) for row in records(TurnTable, "1 ORDER BY id DESC LIMIT ?", limit))


def given_up(now_ms: int, peer: PeerId | None = None) -> tuple[GivenUp, ...]:
    """What was given up in the last thirty days, newest first; of one peer, or of all.

    Not of somebody who may be told nothing any more: it is not taken up again either.
    """
    whose, since_ms = "(peer = ? OR ? IS NULL)", now_ms - TOLD_FOR_MS
    asked = (peer, peer, since_ms, MAX_GIVEN_UP)
    messages = records(
        InboxTable,
        f"{_POISON} AND {_TEXT} AND {whose} AND done_ms > ? ORDER BY id DESC LIMIT ?",
        *asked,
    )
    dead = records(
        TurnTable, f"{_DEAD} AND {whose} AND ended_ms > ? ORDER BY id DESC LIMIT ?", *asked
    )
    unsent = records(
        OutboxTable, f"{_UNSENT} AND {whose} AND done_ms > ? ORDER BY id DESC LIMIT ?", *asked
    )
    may_read = cache(rights.may_read)
    found = [_message(row) for row in messages if may_read(row.peer)]
    found += [_turn(row) for row in dead if row.state == TurnState.DONE and may_read(row.peer)]
    found += [_unsent(row) for row in unsent if may_read(row.peer)]
    return tuple(sorted(found, key=lambda one: -one.at_ms))


def find(kind: Kind, number: int) -> GivenUp | None:
    """One that was given up, by what its name says; None of a former owner."""
    match kind:
        case Kind.MESSAGE:
            row = _of_somebody(InboxTable, f"id = ? AND {_POISON} AND {_TEXT}", number)
            return _message(row) if row else None
        case Kind.TURN:
            row = _of_somebody(TurnTable, f"id = ? AND {_DEAD} AND state = 'done'", number)
            return _turn(row) if row else None
        case Kind.BUBBLE:
            row = _of_somebody(OutboxTable, f"id = ? AND {_UNSENT}", number)
            return _unsent(row) if row else None


def retry(one: GivenUp, now_ms: int) -> None:
    """Take up again what `find` gave, where its state table says: as new, queued or ready.

    A turn keeps its key: a controller that ran it answers with that run. A bubble keeps its
    client id, is marked as a repetition unless it surely never arrived, and takes along the
    parts behind it that were cancelled for its sake.
    """
    match one.kind:
        case Kind.MESSAGE:
            state, outcome = inbox_step(InboxState.DONE, InboxEvent.REVIVED)
            revived = {"state": state, "outcome": outcome, "attempts": 0, "is_released": True}
            change(InboxTable, "id = ?", (one.id,), **revived, done_ms=0)
        case Kind.TURN:
            _revive_turn(one.id)
        case Kind.BUBBLE:
            row = record(OutboxTable, "id = ?", one.id)
            assert row is not None  # `find` has just read it
            behind = records(
                OutboxTable,
                "turn = ? AND grp = ? AND part > ? AND part <= ? AND outcome = 'cancelled'",
                row.turn,
                row.grp,
                row.part,
                row.parts,
            )
            outbox.again([OutId(row.id), *(OutId(part.id) for part in behind)])
    _note(one, "retried", now_ms)


def drop(one: GivenUp, now_ms: int) -> None:
    """Keep what `find` gave out of the list from now on; its row stays."""
    match one.kind:
        case Kind.MESSAGE:
            state, outcome = inbox_step(InboxState.DONE, InboxEvent.DROP_HELD)
            change(InboxTable, "id = ?", (one.id,), state=state, outcome=outcome)
        case Kind.TURN:
            over = turn_step(TurnState.DONE, TurnEvent.DROPPED)
            change(TurnTable, "id = ?", (one.id,), state=over, outcome="dropped")
        case Kind.BUBBLE:
            dropped = out_step(OutState.DONE, OutEvent.DROPPED)
            change(OutboxTable, "id = ?", (one.id,), state=dropped, outcome="dropped")
    _note(one, "dropped", now_ms)


def _of_somebody(table: type[Model], where: str, number: int) -> Record | None:
    """A row of somebody who may still be told something."""
    row = record(table, where, number)
    return row if row is not None and rights.may_read(row.peer) else None


def _revive_turn(number: int) -> None:
    change(
        TurnTable,
        "id = ?",
        (number,),
        state=turn_step(TurnState.DONE, TurnEvent.REVIVED),
        outcome="",
        reason="",
        attempts=0,
        tries=0,
        run=None,
        codex_turn="",
        lock_token=None,
        expected_head=None,
        stop_requested=False,
        result="",
        cuts="[]",
        retry_at_ms=0,
        started_ms=0,
        ended_ms=0,
    )


def _note(one: GivenUp, outcome: str, now_ms: int) -> None:
    line = Audit("given_up", "owner at the desk", outcome, one.name, one.turn)
    audit.add_audit((line,), PeerId(""), now_ms)


def _decided(line: audit.Line) -> Decided:
    return Decided(line.at_ms, line.decided.what, line.decided.rule, line.decided.outcome)


def _came(row: Record) -> Came:
    kinds = tuple(part["kind"] for part in json.loads(row.parts))
    return Came(InboxId(row.id), row.received_ms, row.age_ms, kinds, row.done_ms)


def _bubble(row: Record) -> Bubble:
    tried = records(
        AttemptTable, "row = ? ORDER BY started_ms, id LIMIT ?", row.id, MAX_ATTEMPTS_TOLD
    )
    return Bubble(
        id=OutId(row.id),
        send_class=SendClass(row.send_class),
        part=row.part,
        parts=row.parts,
        chars=len(row.text),
        created_ms=row.created_ms,
        done_ms=row.done_ms,
        fate=row.outcome or row.state,
        tried=tuple(Tried(attempt.started_ms, attempt.outcome) for attempt in tried),
    )


def _message(row: Record) -> GivenUp:
    return GivenUp(Kind.MESSAGE, row.id, row.done_ms, row.outcome)


def _turn(row: Record) -> GivenUp:
    thread = ThreadId(row.thread)
    return GivenUp(
        Kind.TURN, row.id, row.ended_ms, row.outcome, TurnId(row.id), row.alias_name, thread
    )


def _unsent(row: Record) -> GivenUp:
    turn = TurnId(row.turn) if row.turn else None
    return GivenUp(Kind.BUBBLE, row.id, row.done_ms, row.outcome, turn)
