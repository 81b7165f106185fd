"""What ends before its time: a turn, one that waits, a prompt that is not planned yet."""

from __future__ import annotations

from dataclasses import replace

from bridge.core.decision import Asking, Audit, Decision, RowStep, TurnStep
from bridge.core.intake import InboxEvent, inbox_step
from bridge.core.model import InboxState, ThreadId, Turn, TurnState
from bridge.core.phrases import notice
from bridge.core.room import Room, active_thread, alias_named, called, subject, turns_of
from bridge.core.turn_states import TurnEvent, turn_step


def stop(room: Room, name: str) -> Decision:
    """Marks the turn; the task of its thread alone speaks to the controller about it."""
    thread = _named_thread(room, name)
    if thread is None:
        return room.tell("no_alias" if name else "no_thread", alias=name)
    mine = turns_of(room.view, thread)
    asking = room.view.asking
    if not mine and asking is not None and asking.thread == thread:
        return _unplan(room, asking)
    if not mine or mine[0].state is TurnState.SETTLING:
        return room.tell("nothing_runs", alias=name or called(room.view, thread))
    turn = mine[0]
    if turn.state in (TurnState.QUEUED, TurnState.PARKED):
        return _cancel(room, turn)
    if turn.stop_requested:
        return room.tell("stopping", id=turn.id)
    after = turn_step(turn.state, TurnEvent.STOP)
    step = TurnStep(turn.id, turn.thread, turn.state, after, stop_requested=True)
    audit = Audit("turn.stop", "owner", "stopping", turn=turn.id)
    return replace(room.build(InboxEvent.ANSWERED), turn_steps=(step,), audit=(audit,))


def cancel(room: Room, number: int) -> Decision:
    """A turn that waits never starts; one that runs is not touched."""
    for turn in room.view.turns:
        if turn.id == number and turn.state in (TurnState.QUEUED, TurnState.PARKED):
            return _cancel(room, turn)
    return room.tell("not_waiting", id=number)


def _unplan(room: Room, asking: Asking) -> Decision:
    """A prompt whose turn is not there yet: its rows are done, so no turn can follow."""
    state, outcome = inbox_step(InboxState.NEW, InboxEvent.ANSWERED)
    steps = tuple(RowStep(row, state, outcome) for row in asking.rows)
    audit = Audit("turn.stop", "owner", "not begun", subject(asking.rows[0]))
    found = room.build(InboxEvent.ANSWERED, notice("not_begun", room.lang))
    return replace(found, rows=found.rows + steps, audit=(audit,))


def _cancel(room: Room, turn: Turn) -> Decision:
    after = turn_step(turn.state, TurnEvent.CANCEL)
    step = TurnStep(turn.id, turn.thread, turn.state, after, outcome="cancelled")
    told = notice("cancelled", room.lang, id=turn.id)
    audit = Audit("turn.cancel", "owner", "cancelled", turn=turn.id)
    return replace(room.build(InboxEvent.ANSWERED, told), turn_steps=(step,), audit=(audit,))


def _named_thread(room: Room, name: str) -> ThreadId | None:
    """The thread of this name; without one that in use, else where something goes on."""
    if name:
        found = alias_named(room.view, name)
        return found.thread if found else None
    asked = (room.view.asking.thread,) if room.view.asking else ()
    others = (*(t.thread for t in room.view.turns), *asked)
    return active_thread(room.view) or next(iter(others), None)
