"""kill -9 at every commit and every outside call; afterwards nothing is lost or said twice.

One gateway serves all the points of a matrix, one after the other: at each point the
victim dies while two prompts are on their way, comes back, and everything must end as
if nothing had happened. The points are those of `bridge.tasks.points`, so that a new one
is tested by being named; one that is never reached fails.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import get_args

import pytest

from bridge.tasks.points import Point
from tests.faults.rig import Conditions, Launcher, Rig, gateway
from tests.faults.strike import strike

POINTS: tuple[Point, ...] = get_args(Point)
KIND = Conditions()
HARSH = Conditions(gives_again=False, drops_copies=False, forgets_keys=True)
BLIND = Conditions(gives_again=True, drops_copies=False, forgets_keys=False)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module", params=[KIND, HARSH, BLIND], ids=str)
async def rig(request: pytest.FixtureRequest, launcher: Launcher) -> AsyncIterator[Rig]:
    """A gateway for a whole matrix; at its end the database is looked at."""
    async with gateway(launcher, request.param) as rig:
        yield rig
        assert await rig.stop() == (0, 0)
        rig.check_database()


@pytest.mark.parametrize("rig", [KIND, HARSH], indirect=True, ids=str)
@pytest.mark.parametrize("point", POINTS)
async def test_bridge_killed_at_any_point_loses_and_repeats_nothing(rig: Rig, point: Point) -> None:
    """F2, F3, F5 to F8, F11 to F13, F15 to F18: the bridge dies at each of T1 to T11."""
    await strike(rig, point, "bridge", f"bridge at {point}")


@pytest.mark.parametrize("rig", [HARSH], indirect=True, ids=str)
@pytest.mark.parametrize("point", POINTS)
async def test_worker_killed_at_any_point_loses_and_repeats_nothing(rig: Rig, point: Point) -> None:
    """F4, F14: the worker dies while the bridge is at each of T1 to T11."""
    await strike(rig, point, "worker", f"worker at {point}")


@pytest.mark.parametrize("rig", [HARSH], indirect=True, ids=str)
@pytest.mark.parametrize("point", POINTS)
async def test_controller_killed_at_any_point_runs_nothing_twice(rig: Rig, point: Point) -> None:
    """F48: the controller dies while the bridge is at each of T1 to T11."""
    await strike(rig, point, "controller", f"controller at {point}")


@pytest.mark.parametrize("rig", [BLIND], indirect=True, ids=str)
@pytest.mark.parametrize("point", POINTS)
async def test_both_killed_at_any_point_lose_nothing_and_mark_copies(
    rig: Rig, point: Point
) -> None:
    """F19: bridge and worker die at the same instant, at each of T1 to T11."""
    await strike(rig, point, "both", f"both at {point}")
