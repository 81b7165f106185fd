"""Messages of WeChat on their way in; what is true of every channel: test_channel_port.py."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from tests.contract.channel_rig import Rig

pytest_plugins = ["tests.contract.channel_rig"]


async def test_batch_bears_the_time_of_its_server(rig: Rig) -> None:
    """delivery-semantics 12: the HTTP Date of the poll, not a clock of ours."""
    rig.world.clock_skew_s = 25 * 3600
    async with rig.bridge.listening(), rig.working():
        rig.world.say("run the tests")
        await rig.bridge.until_rows(1)
    ahead_s = rig.bridge.commits[0].server_now_ms / 1000 - time.time()
    assert 24.9 < ahead_s / 3600 < 25.1


async def test_malformed_message_does_not_hold_up_its_batch(rig: Rig) -> None:
    """F81: the item is malformed, the others pass, the cursor moves."""
    rig.world.put({"message_id": 5, "from_user_id": rig.world.owner_id, "item_list": "x"})
    rig.world.put([1])
    rig.world.say("well")
    async with rig.bridge.listening(), rig.working():
        await rig.bridge.until_rows(3)
    assert [bool(row.malformed) for row in rig.bridge.rows.values()] == [True, True, False]
    assert rig.bridge.cursor


async def test_fenced_worker_stores_its_batch_and_ends(rig: Rig) -> None:
    """delivery-semantics 4, F68: another worker has taken over; exit code 4."""
    codes: list[int] = []

    async def work() -> None:
        codes.append(await rig.run_until_it_ends())

    rig.bridge.die_at_commit = "before"
    async with rig.bridge.listening(), anyio.create_task_group() as tasks:
        tasks.start_soon(work)
        rig.world.say("mine")
        await rig.bridge.until(lambda: rig.bridge.die_at_commit == "")
        rig.bridge.fence_next_hello = True
        await rig.bridge.until_rows(1)
    assert codes == [4]
    assert "taken over" in rig.said[-1]


async def test_storm_of_empty_replies_is_not_answered_in_kind(rig: Rig) -> None:
    """F39: at most 60 requests a minute, and a message still comes through."""
    rig.simulator.fail("getupdates", "instant", times=10_000)
    async with rig.bridge.listening(), rig.working():
        await rig.until(lambda: len(rig.world.calls("getupdates")) >= 4)
        calls = rig.world.calls("getupdates")
        rig.world.faults["getupdates"].clear()
        rig.world.say("still here")
        await rig.bridge.until_rows(1)
    pauses = [after.at - before.at for before, after in itertools.pairwise(calls)]
    assert min(pauses[-2:]) >= 1.0
