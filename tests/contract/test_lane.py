"""The thread that waits for the disk: order, errors, and a caller who goes away."""

from __future__ import annotations

import threading
import time

import anyio
import pytest

from bridge.store.lane import Lane


async def test_units_run_in_order_on_one_other_thread() -> None:
    """Ten callers at once: one thread, no two at a time, first come first served."""
    lane, seen = Lane("disk"), []

    async def ask(number: int) -> None:
        await lane.run(lambda: seen.append((number, threading.current_thread().name)))

    async with anyio.create_task_group() as tasks:
        for number in range(10):
            tasks.start_soon(ask, number)
    lane.close()
    assert seen == [(number, "disk") for number in range(10)]


async def test_what_a_unit_raises_reaches_its_caller() -> None:
    """And the thread goes on with the next."""
    lane = Lane("disk")
    with pytest.raises(ZeroDivisionError):
        await lane.run(lambda: 1 // 0)
    assert await lane.run(lambda: 2) == 2
    lane.close()


async def test_a_cancelled_caller_waits_for_its_unit() -> None:
    """A commit is not left behind half done."""
    lane, ended = Lane("disk"), []

    def unit() -> None:
        time.sleep(0.1)
        ended.append(True)

    with anyio.move_on_after(0.01):
        await lane.run(unit)
    assert ended
    lane.close()


async def test_a_closed_lane_has_no_thread_left() -> None:
    """What was asked for is finished first."""
    lane, before = Lane("disk"), threading.active_count()
    await lane.run(lambda: None)
    lane.close()
    assert threading.active_count() == before
