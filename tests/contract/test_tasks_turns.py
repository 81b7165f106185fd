"""A turn at a controller that forgets, stumbles or lacks what it needs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from bridge.core.decision import ThreadStatus
from bridge.core.errors import LinkDown, LinkLost, PeerFault, Refusal
from bridge.core.given_up import Kind
from bridge.core.model import Head, ThreadId
from bridge.core.turns import Busy, Elsewhere, Run
from bridge.links.controller import UnknownRun
from bridge.store import past
from bridge.store.statements import change
from bridge.store.tables import TurnTable
from tests.contract.room import OWNER, RUN, THREAD, Room, room

GOES_ON = Run(RUN, "in_progress", THREAD)


@pytest.fixture
async def busy(tmp_path: Path) -> AsyncIterator[Room]:
    """A room in which one turn runs."""
    async with room(tmp_path) as built:
        await built.says("build it")
        await built.until_asked("start")
        yield built


@pytest.mark.parametrize("is_denied", [True, False])
async def test_run_that_the_controller_has_forgotten_ends_uncertain(
    busy: Room, is_denied: bool
) -> None:
    """delivery-semantics 6: unknown_run -> settling(uncertain), once its key is not there."""
    busy.controller.is_forgetful = True
    busy.controller.fails(UnknownRun(RUN, is_denied=is_denied))
    await busy.reads("Nobody can say whether #1 ran")
    await busy.until_done()
    assert await busy.outcomes() == ["uncertain"]
    assert busy.controller.asked.count("find") == 1
    assert busy.controller.asked[-3:] == ["ack", "close", "release"]


async def test_run_that_is_forgotten_over_a_restart_ends_uncertain(busy: Room) -> None:
    """F48: the controller died, and the new one answers as if there were no run."""
    busy.controller.fails(LinkLost("controller", 1))
    busy.controller.fails(UnknownRun(RUN, is_denied=False))
    await busy.reads("Nobody can say whether #1 ran")


async def test_run_that_a_wait_passes_over_is_waited_for_while_its_key_is_there(
    busy: Room,
) -> None:
    """Ours: a controller that tells only of runs that have changed."""
    busy.controller.found = GOES_ON
    for _ in range(20):
        busy.controller.fails(UnknownRun(RUN, is_denied=False))
    busy.controller.says("completed", result="built")
    await busy.reads("built")
    assert busy.controller.asked.count("find") == 1  # not once for each wait


async def test_run_that_is_denied_and_listed_all_the_same_ends_uncertain(busy: Room) -> None:
    """Ours: who contradicts himself is not asked for ever."""
    busy.controller.found = GOES_ON
    busy.controller.fails(UnknownRun(RUN, is_denied=True))
    await busy.reads("Nobody can say whether #1 ran")


async def test_run_that_is_denied_but_over_by_its_key_gives_its_answer(busy: Room) -> None:
    """delivery-semantics 6: late, but delivered."""
    busy.controller.found = Run(RUN, "completed", THREAD, result="built")
    busy.controller.fails(UnknownRun(RUN, is_denied=True))
    await busy.reads("built")


async def test_forgotten_run_of_a_controller_that_lists_none_ends_uncertain(busy: Room) -> None:
    """R32: nothing to look it up with, so nobody can say."""
    busy.controller.find_fails = LinkDown(Refusal.CONTROLLER_LACKS)
    busy.controller.fails(UnknownRun(RUN, is_denied=False))
    await busy.reads("Nobody can say whether #1 ran")


async def test_own_lock_that_is_taken_back_leaves_an_audit_line(tmp_path: Path) -> None:
    """R38, controller-contract 1: nobody is dispossessed, and it can be looked up."""
    async with room(tmp_path) as built:
        await end_with_a_lost_token(built)
        assert built.controller.asked[-2:] == ["recover_lock", "release"]
        assert ("lock.recover", "recovered") in await built.audits()


async def test_own_lock_that_may_not_be_taken_back_is_told_once(tmp_path: Path) -> None:
    """controller-contract 1: with CTB_RECOVER_OWN_LOCKS off the owner is told what to send."""
    async with room(tmp_path, recovers_own_locks=False) as built:
        await end_with_a_lost_token(built)
        assert "recover_lock" not in built.controller.asked
        assert "lock.recover" not in {what for what, _ in await built.audits()}
        told = [text for text in await built.bubbles() if "/recover code" in text]
        assert len(told) == 1


@pytest.mark.parametrize("word", ["/stop", "/stop code"])
async def test_stop_that_overtakes_a_prompt_cancels_it(tmp_path: Path, word: str) -> None:
    """Ours: the owner is never told that nothing runs, only to see it start then."""
    async with room(tmp_path) as built:
        answered = built.controller.pauses["status"] = anyio.Event()
        await built.says("build it")
        await built.until_asked("status")
        await built.says(word)
        await built.reads("had not begun")
        answered.set()
        await built.says("build the other one")
        await built.until_asked("start")
        built.controller.says("completed", result="built")
        await built.reads("built")
        assert [turn.prompt for turn in await built.turns()] == ["build the other one"]
        assert not any("Nothing is running" in text for text in await built.bubbles())


async def test_turn_that_was_stopped_before_it_began_is_not_begun_again(tmp_path: Path) -> None:
    """delivery-semantics 6: the start was lost, nobody has it, and its owner has ended it."""
    async with room(tmp_path) as built:
        built.controller.pauses["start"] = answered = anyio.Event()
        built.controller.starts.append(LinkLost("controller", 1))
        built.controller.known = ThreadStatus(Head("head-0"), "", False, "/")
        await built.says("build it")
        await built.until_asked("start")
        await built.says("/stop")
        await built.until_decided()
        answered.set()
        await built.until_done()
        assert await built.outcomes() == ["cancelled"]
        assert built.controller.asked.count("start") == 1


async def test_stop_of_another_thread_leaves_a_prompt_alone(tmp_path: Path) -> None:
    """Ours: `/stop` names a thread, or means the one in use."""
    async with room(tmp_path) as built:
        answered = built.controller.pauses["status"] = anyio.Event()
        await built.says("build it")
        await built.until_asked("status")
        await built.says("/stop other")
        await built.reads("There is no other")
        answered.set()
        await built.until_asked("start")


async def test_stop_during_the_start_stops_the_turn(tmp_path: Path) -> None:
    """delivery-semantics 6: obeyed after the start's reply."""
    async with room(tmp_path) as built:
        started = built.controller.pauses["start"] = anyio.Event()
        await built.says("build it")
        await built.until_asked("start")
        await built.says("/stop")
        await built.until_decided()
        started.set()
        await built.reads("#1 is stopped")
        assert await built.outcomes() == ["cancelled"]


async def test_stop_means_the_running_turn_also_before_one_that_was_taken_up_again(
    tmp_path: Path,
) -> None:
    """design 7: `/stop`, `/status` and `/queue` begin with the turn that is live."""
    async with room(tmp_path) as built:
        built.controller.says("failed", reason="odd")
        await built.says("the first")
        await built.until_done()
        await built.says("the second")
        await built.until_asked("start", 2)

        def revive() -> None:
            change(TurnTable, "id = 1", (), outcome="dead")
            given_up = past.find(Kind.TURN, 1)
            assert given_up is not None
            past.retry(given_up, built.shared.now_ms())

        await built.db.run(revive)
        await built.says("/status")
        assert "#2 " in (await built.reads("▸ code: ")).splitlines()[1]
        await built.says("/queue")
        assert "#2 " in (await built.reads("the second")).splitlines()[1]
        await built.says("/stop")
        await built.reads("#2 is stopped")
        assert (await built.turns())[0].outcome == ""


async def test_answer_bears_no_name_where_its_thread_is_in_use_under_another(
    tmp_path: Path,
) -> None:
    """issue 5.5: threads are compared, for one may have two names."""
    async with room(tmp_path) as built:
        await built.says("/add other thread-0001")
        await built.says("build it")
        await built.until_asked("start")
        await built.says("/use other")
        await built.reads("Now using other")
        built.controller.says("completed", result="built")
        assert await built.reads("built") == "built"
        await built.says("/result 1")
        assert await built.reads("built", times=2) == "built"


UNREAD = PeerFault("cross_thread_start: run_id is missing")
OURS = ThreadStatus(Head("head-1"), f"ctb-private:{OWNER}", True, "/")


async def test_start_that_was_answered_in_unknown_words_is_found_by_its_key(
    tmp_path: Path,
) -> None:
    """Ours: the answer comes, once, and nothing is started again."""
    async with room(tmp_path) as built:
        built.controller.starts = [UNREAD]
        built.controller.found = GOES_ON
        built.controller.says("completed", result="built")
        await built.says("build it")
        await built.reads("built")
        await built.until_done()
        assert built.controller.asked.count("start") == 1


async def test_start_that_nobody_can_read_twice_ends_uncertain_and_leaves_no_lock(
    tmp_path: Path,
) -> None:
    """Ours: it is said, the lock in our name is taken back, and the next message runs."""
    async with room(tmp_path) as built:
        built.controller.starts = [UNREAD, UNREAD]
        first = built.controller.pauses["start"] = anyio.Event()
        await built.says("build it")
        await built.until_asked("start")
        second = built.controller.pauses["start"] = anyio.Event()
        first.set()
        await built.until_asked("start", 2)
        built.controller.known = OURS
        second.set()
        await built.reads("Nobody can say whether #1 ran")
        await built.until_done()
        assert built.controller.asked[-2:] == ["recover_lock", "release"]
        built.controller.known = ThreadStatus(Head("head-1"), "", False, "/")
        built.controller.says("completed", result="built")
        await built.says("once more")
        await built.reads("built")
        assert await built.outcomes() == ["uncertain", "completed"]


async def test_start_that_nobody_could_read_keeps_its_lock_while_it_runs(tmp_path: Path) -> None:
    """controller-contract 1: a lock is taken back once its run is over, and not before."""
    async with room(tmp_path) as built:
        built.controller.starts = [UNREAD]
        built.controller.known = OURS  # the head is not as planned: the gate does not start
        built.controller.finds = [None]
        built.controller.found = GOES_ON
        await built.says("build it")
        await built.reads("Nobody can say whether #1 ran")
        await built.until_asked("find", 2)
        assert "recover_lock" not in built.controller.asked
        assert [turn.state for turn in await built.turns()] == ["settling"]


async def test_another_reason_to_wait_is_told_and_the_same_one_is_not(tmp_path: Path) -> None:
    """Ours: busy, then locked, then busy again; each is said once."""
    async with room(tmp_path) as built:
        free, locked = Busy("", is_locked=False), Busy("night-shift", is_locked=True)
        built.controller.starts = [free, free, locked, free]
        await built.says("build it")
        for count in range(1, 5):
            await built.until_asked("start", count)
            await built.until_parked()
            await built.db.run(lambda: change(TurnTable, "state = 'parked'", (), retry_at_ms=0))
            built.threads.wake(THREAD)
        built.controller.says("completed", result="built")
        await built.reads("built")
        told = [text for text in await built.bubbles() if "/cancel 1" in text]
        assert len(told) == 2
        assert "begun elsewhere" in told[0] and "locked by night-shift" in told[1]


async def test_message_that_waits_for_a_thread_elsewhere_can_be_cancelled(tmp_path: Path) -> None:
    """issue 4, item 3: it is told once, and never started again."""
    async with room(tmp_path) as built:
        built.controller.starts = [Elsewhere("the TUI")]
        await built.says("build it")
        await built.reads("is open at the desk, in the TUI")
        await built.says("/cancel 1")
        await built.reads("#1 is cancelled")
        await built.says("/queue")
        await built.reads("Nothing is waiting")
        assert built.controller.asked.count("start") == 1


async def test_turn_that_is_committed_while_the_tasks_end_waits_for_the_next_start(
    tmp_path: Path,
) -> None:
    """delivery-semantics 11: a commit is never cut off, so its word may come too late."""
    async with room(tmp_path) as built:
        await built.says("build it")
        await built.until_asked("start")
        (turn,) = await built.turns()
    built.threads.wake(ThreadId("thread-0002"))
    built.threads.show_typing(turn, is_on=True)


async def end_with_a_lost_token(room: Room) -> None:
    """A turn ends whose lock still carries our name, and whose token nobody has."""
    room.controller.lock = None
    await room.says("build it")
    await room.until_asked("start")
    room.controller.known = ThreadStatus(Head("head-1"), f"ctb-private:{OWNER}", True, "/")
    room.controller.says("completed", result="built")
    await room.until_done()
