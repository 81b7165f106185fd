"""A controller whose reply to a start is in no words that the contract knows."""

from __future__ import annotations

import pytest

from tests.faults.rig import Conditions, Launcher, Rig, gateway
from tests.faults.test_tools import offer


@pytest.mark.parametrize("mode", ["wrong:start", "text:start"])
async def test_start_that_nobody_can_read_never_leaves_a_lock(
    launcher: Launcher, mode: str
) -> None:
    """Ours: where its run is listed the answer comes, else it is said that nobody knows."""
    async with gateway(launcher, Conditions()) as rig:
        offer(rig, mode)
        rig.world.say("first\nsleep:0.2")
        if mode == "wrong:start":  # it ran, and its key is in the list of runs
            await rig.until_shown("answer to first")
        else:
            await rig.until_shown("Nobody can say whether #1 ran")
        await rig.until_at_rest()
        offer(rig)
        rig.world.say("second")
        await rig.until_shown("answer to second")
        await rig.until_at_rest()
        assert not rig.engine()["locks"]
        assert await rig.stop() == (0, 0)


async def test_run_that_nobody_can_find_is_said_and_the_thread_is_usable(
    launcher: Launcher,
) -> None:
    """Ours: it may have run; the lock in our own name is taken back all the same."""
    async with gateway(launcher, Conditions()) as rig:
        offer(rig, "wrong:start", "wrong:list_runs")
        rig.world.say("first")
        await rig.until_shown("Nobody can say whether #1 ran")
        await rig.until(lambda: _is_free(rig), "the lock is given back")
        offer(rig)
        rig.world.say("second")
        await rig.until_shown("answer to second")
        await rig.until_at_rest()
        assert len(rig.engine()["accepted"]) == 2  # never again by itself
        assert await rig.stop() == (0, 0)


def _is_free(rig: Rig) -> bool:
    return bool(rig.engine()["accepted"]) and not rig.engine()["locks"]
