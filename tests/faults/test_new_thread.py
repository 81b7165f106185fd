"""kill -9 while a first message makes its thread: one thread, each message one turn in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import get_args

import pytest

from bridge.tasks.points import Point
from tests.faults.rig import Conditions, Launcher, Rig, gateway
from tests.faults.strike import strike

POINTS: tuple[Point, ...] = get_args(Point)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def rig(launcher: Launcher) -> AsyncIterator[Rig]:
    async with gateway(launcher, Conditions()) as rig:
        (rig.folder / "work").mkdir()
        yield rig
        assert await rig.stop() == (0, 0)
        rig.check_database()
        assert not rig.rows("SELECT id FROM turn WHERE thread LIKE 'new:%'")
        assert not rig.rows("SELECT name FROM alias WHERE thread LIKE 'new:%'")


@pytest.mark.parametrize("point", POINTS)
async def test_killed_bridge_makes_one_thread_for_a_new_name(rig: Rig, point: Point) -> None:
    """issue 4, item 5: the alias survives a crash between the name and its thread."""
    name = f"n{POINTS.index(point)}n"
    rig.world.say(f"/new {name} work")
    await rig.until_shown(f"{name} is a new thread in work")
    await strike(rig, point, "bridge", f"new at {point}")
    runs = rig.engine()["runs"].values()
    threads = {run["thread"] for run in runs if run["message"].startswith(f"new at {point},")}
    assert len(threads) == 1 and threads.pop().startswith("made-")


async def test_controller_without_keys_is_never_asked_for_a_second_thread(
    launcher: Launcher,
) -> None:
    """controller-contract 1: without keys nobody knows which thread was made."""
    async with gateway(launcher, Conditions(forgets_keys=True)) as rig:
        (rig.folder / "work").mkdir()
        rig.world.say("/new den work")
        await rig.until_shown("den is a new thread in work")
        rig.order("after start")
        rig.world.say("hello")
        await rig.ended(rig.bridge)
        rig.start_bridge()
        await rig.until_shown("Nobody can say whether")
        assert len(rig.engine()["accepted"]) == 1
