"""A controller that refuses what it is asked: bounded, said, and a stop is heard meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from bridge.core.decision import ThreadStatus
from bridge.core.errors import LinkDown, LinkLost, PeerFault, Refusal
from bridge.core.model import Head, Turn, TurnId, TurnState
from bridge.core.turns import MAX_OWED_TRIES
from bridge.links.link import ToolError
from bridge.store import turns as store
from bridge.tasks.follow import UNHEARD_LIMIT
from bridge.tasks.gate import MAX_REFUSALS, Gate, Verdict
from bridge.tasks.owed import Debts
from bridge.tasks.state import Bell
from tests.contract.room import OWNER, THREAD, Room, room

REFUSED = ToolError("cross_thread_list_runs", "engine_down", "another process has the state")
AT_ONCE_S = 2.0  # far below a pause between two questions, on a busy machine


class Impatient(Bell):
    """A bell for which every pause is over at once; it counts them."""

    pauses = 0

    async def heard(self, within_s: float | None = None) -> bool:
        self.pauses += 1
        return False


@pytest.fixture
async def lost(tmp_path: Path) -> AsyncIterator[Room]:
    """A room whose only start was lost on its way, and whose controller then refuses to tell."""
    async with room(tmp_path) as built:
        built.controller.starts.append(LinkLost("controller", 1))
        built.controller.find_fails = REFUSED
        await built.says("build it")
        await built.until_asked("find")
        yield built


@pytest.mark.parametrize("word", [REFUSED, PeerFault("cross_thread_list_runs: no list")])
async def test_gate_asks_a_few_times_and_then_nobody_can_say(lost: Room, word: Exception) -> None:
    """issue 4, item 9: what is refused is not asked for ever."""
    lost.controller.find_fails = word
    bell = Impatient()
    counted: set[TurnId] = set()
    gate = Gate(lost.shared, lost.controller, bell, counted)
    (turn,) = await lost.turns()
    verdicts = [await gate.look(turn) for _ in range(MAX_REFUSALS)]
    assert verdicts == [Verdict.LATER] * (MAX_REFUSALS - 1) + [Verdict.UNCERTAIN]
    assert bell.pauses == MAX_REFUSALS - 1


async def test_stop_ends_what_the_gate_is_refused_at_once(lost: Room) -> None:
    """Ours: it is said that nobody knows, and nothing is started again."""
    with anyio.fail_after(AT_ONCE_S):
        await lost.says("/stop")
        await lost.reads("Nobody can say whether #1 ran")
    lost.controller.find_fails = None
    await lost.until_done()
    assert lost.controller.asked.count("start") == 1


async def test_stop_ends_what_the_gate_loses_again(lost: Room) -> None:
    """Ours: a controller that dies of the question is not asked once more after a stop."""
    await lost.db.run(lambda: store.stop_all(0))
    lost.controller.find_fails = LinkLost("controller", 2)
    lost.threads.wake(THREAD)
    await lost.reads("Nobody can say whether #1 ran")


async def test_stop_is_answered_while_a_start_is_not(tmp_path: Path) -> None:
    """delivery-semantics 6: "stopping" where the settlement takes longer than a second."""
    async with room(tmp_path) as built:
        answered = built.controller.pauses["start"] = anyio.Event()
        await built.says("build it")
        await built.until_asked("start")
        await built.says("/stop")
        await built.reads("Stopping #1")
        answered.set()
        await built.reads("#1 is stopped")
        assert await built.outcomes() == ["cancelled"]


async def test_stop_is_answered_while_the_controller_is_away(lost: Room) -> None:
    """delivery-semantics 6: the settlement is the reply, "stopping" where it takes longer."""
    lost.controller.is_away = True
    lost.threads.wake(THREAD)
    await lost.says("/stop")
    await lost.reads("Stopping #1")
    lost.threads.wake(THREAD)
    await lost.says("/stop")
    await lost.reads("Stopping #1", 2)  # asked again, answered again
    lost.controller.is_away, lost.controller.find_fails = False, None
    lost.threads.wake(THREAD)
    await lost.until_done()
    assert await lost.outcomes() == ["cancelled"]
    assert lost.controller.asked.count("start") == 1


async def test_stopped_turn_that_no_wait_tells_of_ends_uncertain(tmp_path: Path) -> None:
    """Ours: until the stop it is waited for; then the thread is free for the next message."""
    async with room(tmp_path) as built:
        await built.says("build it")
        await built.until_asked("start")
        for _ in range(UNHEARD_LIMIT):
            built.controller.fails(LinkLost("controller", 1))
        built.controller.cancels = [LinkDown(Refusal.CONTROLLER_DOWN)]  # nobody is there to tell
        await built.says("/stop")
        await built.until_asked("cancel")
        assert [turn.state for turn in await built.turns()] == [TurnState.RUNNING]
        for _ in range(UNHEARD_LIMIT):
            built.controller.fails(LinkLost("controller", 1))
        await built.reads("Nobody can say whether #1 ran")


async def test_stop_that_is_not_possible_is_said(tmp_path: Path) -> None:
    """R32: a controller without `cross_thread_cancel` is named, and the turn goes on."""
    async with room(tmp_path) as built:
        built.controller.dropped.add("cross_thread_cancel")
        built.controller.cancels = [LinkDown(Refusal.CONTROLLER_LACKS)]
        await built.says("build it")
        await built.until_asked("start")
        await built.says("/stop")
        await built.reads("This controller cannot stop #1")
        built.controller.says("completed", result="built")
        await built.reads("built")
        assert not any("Stopping" in text for text in await built.bubbles())


async def test_stopped_turn_whose_result_cannot_be_had_ends_uncertain(tmp_path: Path) -> None:
    """Ours: a controller that dies of `read_result` each time tells only that the run is over."""
    async with room(tmp_path) as built:
        built.controller.result_fails = LinkLost("controller", 1)
        await built.says("build it")
        await built.until_asked("start")
        await built.says("/stop")
        await built.until_asked("cancel")
        for _ in range(UNHEARD_LIMIT):
            built.controller.says("cancelled")
        await built.reads("Nobody can say whether #1 ran")


async def test_lock_that_the_controller_does_not_give_up_is_told_of_once(tmp_path: Path) -> None:
    """delivery-semantics 6: `release` is never dropped; whoever waits behind it knows why."""
    async with room(tmp_path) as built:
        built.controller.release_fails = REFUSED
        built.controller.known = ThreadStatus(Head("head-0"), f"ctb-private:{OWNER}", True, "/")
        built.controller.says("completed", result="built")
        await built.says("build it")
        await built.until_asked("release")
        turn: Turn | None = (await built.turns())[0]
        debts = Debts(built.shared, built.controller, built.channel, Impatient(), True)
        for _ in range(MAX_OWED_TRIES + 2):
            assert turn is not None
            turn = await debts.pay(turn)
        told = [text for text in await built.bubbles() if "does not free code" in text]
        assert len(told) == 1 and "/recover code" in told[0]
        built.controller.release_fails = None
        built.threads.wake(THREAD)
        await built.until_done()
