"""Steps that change something at the controller, and a link or a process that dies in them."""

from __future__ import annotations

import json
from pathlib import Path

import anyio

from bridge.store.statements import change
from bridge.store.tables import InboxTable, PeerRow
from tests.contract.room import OWNER, room


async def test_branch_whose_answer_was_lost_is_asked_for_under_the_same_key(
    tmp_path: Path,
) -> None:
    """Ours: no second branch that nobody names."""
    async with room(tmp_path) as built:
        built.controller.losses = 2
        await built.says("/fork code den")
        await built.reads("den is a branch of code")
        assert built.controller.asked.count("fork") == 3
        assert len(set(built.controller.keys)) == 1


async def test_branch_of_a_controller_without_keys_is_asked_for_once(tmp_path: Path) -> None:
    """Ours: nobody can say whether the first one was made."""
    async with room(tmp_path) as built:
        built.controller.dropped.add("cross_thread_fork")
        built.controller.losses = 1
        await built.says("/fork code den")
        await built.reads("did not answer in time")
        assert built.controller.asked.count("fork") == 1


async def test_stop_right_behind_a_use_is_about_the_thread_that_is_chosen(tmp_path: Path) -> None:
    """design 7: the turn of the thread that was left goes on; by its name it is stopped at once."""
    async with room(tmp_path) as built:
        await built.says("long work")
        await built.until_asked("start")
        answered = anyio.Event()
        built.controller.pauses["status"] = answered
        listed = json.dumps([["thread-0002", "Second", "/o"]])
        await built.db.run(lambda: change(PeerRow, "peer = ?", (OWNER,), listed=listed))
        await built.says("/use 1")
        await built.until_asked("status", 2)
        await built.says("/stop")
        await built.says("/queue")
        await built.reads("#1 code")  # which has passed both
        assert "cancel" not in built.controller.asked
        answered.set()
        await built.reads("Now using o")
        await built.reads("Nothing is running in o.")
        assert "cancel" not in built.controller.asked
        await built.says("/stop code")
        await built.until_asked("cancel")


async def test_number_of_a_named_thread_is_chosen_without_asking(tmp_path: Path) -> None:
    """design 7: nothing has to be known for a name that is there."""
    async with room(tmp_path) as built:
        listed = json.dumps([["thread-0001", "Code", "/o"]])
        await built.db.run(lambda: change(PeerRow, "peer = ?", (OWNER,), listed=listed))
        await built.says("/use 1")
        await built.reads("Now using code")
        assert "status" not in built.controller.asked


async def test_steer_that_a_crash_cut_off_is_asked_for_again_at_the_turn_that_is_over(
    tmp_path: Path,
) -> None:
    """Ours: it was taken, so it is never said that nothing runs; without a crash it is."""
    async with room(tmp_path) as built:
        await built.says("build it")
        await built.until_asked("start")
        built.controller.says("completed", result="built")
        await built.until_done()
        await built.says("/steer more")
        await built.reads("Nothing is running in code")
        assert not built.controller.keys
        # As a process finds it that died between the steer and its reply.
        again = {"state": "new", "attempts": 1, "outcome": ""}
        await built.db.run(lambda: change(InboxTable, "msg_key = ?", ("mid:2",), **again))
        built.shared.inbox_bell.ring()
        await built.reads("#1 has taken that in")
        assert len(built.controller.keys) == 1
