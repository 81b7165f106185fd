"""A message that waits: what it keeps meanwhile, and what is on record of why."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from bridge.core import life
from bridge.core.model import Parked, ThreadId, TurnId, TurnState
from bridge.core.turn_states import TurnEvent
from bridge.core.turns import Elsewhere, HeadMoved, ParkStep
from bridge.desk import Desk
from bridge.store import past
from bridge.store import turns as store
from bridge.store.tables import AuditTable
from bridge.wire import messages
from tests.contract.desk_rig import OFF, desk
from tests.contract.room import THREAD, Room, room
from tests.contract.worker_rig import OWNER

HOUR_MS = 3_600_000


async def test_turn_that_waits_leaves_one_line_for_each_reason(tmp_path: Path) -> None:
    """issue 5 item 10: the trace tells why, and from when; a repetition is no news."""
    async with room(tmp_path) as built:
        built.controller.starts = [Elsewhere("the TUI")]
        await built.says("build it")
        await built.until_asked("start")
        await built.until_parked()
        (turn,) = await built.turns()
        for reason in (Parked.ELSEWHERE, Parked.CONTROLLER, Parked.CONTROLLER):
            await park_again(built, reason)
        found = await built.db.read(lambda: past.life(turn.id))
        assert found is not None
        told = [step.detail for step in life.steps(found) if step.what == "turn.park"]
        assert told == [
            f"{reason} (rule: delivery-semantics 6)" for reason in ("elsewhere", "controller")
        ]


async def park_again(built: Room, reason: Parked) -> None:
    (turn,) = await built.turns()
    now_ms = built.shared.now_ms()
    event = TurnEvent.ELSEWHERE if reason is Parked.ELSEWHERE else TurnEvent.LINK_DOWN
    step = ParkStep(event, reason, now_ms + HOUR_MS, ())
    live = replace(turn, state=TurnState.STARTING)
    await built.db.run(lambda: store.park(live, step, now_ms, None))


async def test_why_tells_of_a_turn_whose_head_moved(tmp_path: Path) -> None:
    """R30, design 7: that it was not started has a rule, too."""
    async with room(tmp_path) as built:
        built.controller.starts = [HeadMoved()]
        await built.says("build it")
        await built.reads("was not started")
        await built.says("/why")
        await built.reads("is not run unasked")
        assert {("held", "head_moved"), ("turn.park", "head")} <= set(await built.audits())


async def test_turn_keeps_its_thread_when_its_name_goes_to_another(tmp_path: Path) -> None:
    """R30: bound anew between queue and start: nothing that was planned is retargeted."""
    async with room(tmp_path) as built:
        await built.says("one")
        await built.until_asked("start")
        await built.says("two")
        await built.until_decided()
        await built.says("/remove code")
        await built.reads("Answer /yes or /no")
        await built.says("/yes")
        await built.reads("The name code is gone")
        await built.says("/add code thread-0002")
        await built.reads("code is")
        await built.says("/use code")
        await built.reads("Now using code")
        built.controller.says("completed", result="first")
        await built.until_done()
        await built.until_asked("start", 2)
        built.controller.says("completed", result="second")
        await built.until_done(2)
        assert [turn.thread for turn in await built.turns()] == [THREAD, THREAD]
        assert built.controller.started == [THREAD, THREAD]
        await built.says("three")
        await built.until_asked("start", 3)
        assert built.controller.started[-1] == ThreadId("thread-0002")


async def test_trace_tells_that_a_message_was_held_and_when_it_was_let_go() -> None:
    """issue 5 item 10: the times between its arrival and its turn."""
    async with desk(OFF) as at:
        await at.greets()
        then_ms = at.bench.shared.now_ms() - 2 * HOUR_MS
        await at.writes("do this", OWNER, "", create_time_ms=then_ms)
        await at.reads(OWNER, "/run-held")
        await at.writes("and that", OWNER, "", create_time_ms=then_ms + 1)
        await at.until_decided()
        await at.owner_writes("/run-held")
        await at.until_turns("state = 'queued'")
        for number in (TurnId(1), TurnId(2)):
            found = await at.bench.db.read(partial(past.life, number))
            assert found is not None
            assert [line.what for line in found.decided] == ["held", "inbox.release", "turn.plan"]
            assert len({line.at_ms for line in found.decided}) >= 2


async def test_stop_at_the_desk_leaves_its_line() -> None:
    """R38: whoever looks back sees who ended what ran and what waited."""
    async with desk(OFF) as at:
        await at.greets()
        await at.owner_writes("one")
        await at.until_running()
        await at.owner_writes("two")
        await at.until_turns("state = 'queued'")
        shared, bench = at.bench.shared, at.bench
        stops = Desk(shared, bench.door, bench.link, at.controller, at.threads, str)
        await stops.answer(messages.TurnsStop())
        await at.until_done(2)
        (line,) = await at.rows(AuditTable, "what = 'turns.stop'")
        assert (line.rule, line.outcome, line.peer) == ("owner at the desk", "stopping", "")
