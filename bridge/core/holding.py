"""Messages that are held for their age or a full queue, until the owner says what to do."""

from __future__ import annotations

from dataclasses import replace

from bridge.core.decision import Audit, Decision, RowStep
from bridge.core.intake import InboxEvent, inbox_step
from bridge.core.model import InboxState
from bridge.core.phrases import age, notice
from bridge.core.room import Room, subject


def hold_stale(room: Room) -> Decision:
    """One summary for all of them, which names a sleep of the machine."""
    oldest_ms = max(row.age_ms for row in room.batch.rows)
    count, slept_ms = len(room.batch.rows), room.facts.slept_ms
    phrase = "stale_slept" if slept_ms else "stale"
    told = notice(
        phrase,
        room.lang,
        count=count,
        age=age(oldest_ms, room.lang),
        slept=age(slept_ms, room.lang),
    )
    return room.build(InboxEvent.STALE, told, room.not_done("held", phrase))


def release_held(room: Room, event: InboxEvent, phrase: str) -> Decision:
    """Held messages run in their order, or go for good with files that wait for words."""
    is_run = event is InboxEvent.RUN_HELD
    rows = [(row, InboxState.HELD) for row in room.view.held]
    if not is_run:
        rows += [(row, InboxState.NEW) for row in room.view.files_alone]
    if not rows:
        return room.tell("nothing_held")
    steps = tuple(RowStep(row, *inbox_step(was, event), is_released=is_run) for row, was in rows)
    outcome = "run" if is_run else "dropped"
    audit = tuple(Audit("inbox.release", "owner", outcome, subject(row)) for row, _ in rows)
    told = notice(phrase, room.lang, count=len(rows))
    found = room.build(InboxEvent.ANSWERED, told, audit)
    return replace(found, rows=found.rows + steps)
