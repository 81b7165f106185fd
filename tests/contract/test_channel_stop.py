"""A worker that is told to stop: what has begun to arrive is kept, within four seconds."""

from __future__ import annotations

import os
import stat
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.contract.channel_rig import Rig

pytest_plugins = ["tests.contract.channel_rig"]


async def test_stop_ends_a_quiet_poll_and_says_goodbye(rig: Rig) -> None:
    """F76; delivery-semantics 11."""
    async with rig.bridge.listening(), rig.working():
        await rig.until(lambda: rig.world.calls("getupdates"))
    assert len(rig.world.calls("msg/notifystart")) == 1
    assert len(rig.world.calls("msg/notifystop")) == 1


async def test_arriving_reply_is_read_to_its_end_and_committed(rig: Rig) -> None:
    """F76: SIGTERM while a getupdates reply is arriving."""
    async with rig.bridge.listening():
        async with rig.working():
            await rig.until(lambda: rig.world.calls("getupdates"))
            rig.simulator.fail("getupdates", "pause", seconds=0.2)
            rig.world.say("first")
            await rig.bridge.until_rows(1)
            rig.world.say("late")
            await rig.until_arriving()
        await rig.bridge.until_rows(2)
    assert rig.bridge.texts() == ["first", "late"] and not rig.spools()


async def test_arriving_reply_is_spooled_without_a_bridge_and_committed_first(rig: Rig) -> None:
    """F76: what cannot be committed is spooled, 0600, and goes before any poll."""
    async with rig.working(), rig.bridge.listening():
        await rig.until(lambda: rig.world.calls("getupdates"))
        rig.simulator.fail("getupdates", "pause", seconds=0.2)
        rig.world.say("first")
        await rig.bridge.until_rows(1)
        rig.world.say("late")
        await rig.until_arriving()
    (spool,) = rig.spools()
    assert stat.S_IMODE(spool.stat().st_mode) == 0o600
    polls = len(rig.world.calls("getupdates"))
    rig.bridge.poll = False
    async with rig.bridge.listening(), rig.working():
        await rig.bridge.until_rows(2)
    assert rig.bridge.texts() == ["first", "late"]
    assert not rig.spools() and len(rig.world.calls("getupdates")) == polls


async def test_held_batch_is_spooled_by_a_second_signal(rig: Rig) -> None:
    """delivery-semantics 11: exit at once, a held batch first."""
    async with rig.working() as worker:
        async with rig.bridge.listening():
            await rig.until(lambda: rig.world.calls("getupdates"))
            rig.bridge.storage_errors = 1000
            rig.world.say("held")
            await rig.bridge.until(lambda: bool(rig.bridge.commits))
        worker.stop()
    assert len(rig.spools()) == 1


async def test_unreadable_spool_is_set_aside(rig: Rig) -> None:
    """issue 2, bad input: loses nothing, blocks nothing."""
    async with rig.bridge.listening():
        async with rig.working():
            await rig.until(lambda: rig.world.calls("getupdates"))
        spool = rig.folder / "data/run" / "spool-0a1b2c3d4e5f-im-bot.json"
        spool.write_text("{half")
        spool.chmod(0o600)
        async with rig.working():
            rig.world.say("works")
            await rig.bridge.until_rows(1)
    assert [path.suffix for path in rig.spools()] == [".unreadable"]


async def test_what_was_set_aside_goes_after_thirty_days(rig: Rig) -> None:
    """R21: texts at rest are bounded; neither file is ever read again."""
    run = rig.folder / "data/run"
    run.mkdir(parents=True, mode=0o700)
    long_ago = time.time() - 31 * 86_400
    for name in ("spool-0a1b2c3d4e5f-im-bot.unreadable", "spool-another-im-bot.json"):
        (run / name).touch()
        os.utime(run / name, (long_ago, long_ago))
    (run / "spool-recent-im-bot.unreadable").touch()
    spool = run / "spool-0a1b2c3d4e5f-im-bot.json"
    spool.write_text("{half, of last month")
    spool.chmod(0o600)
    os.utime(spool, (long_ago, long_ago))
    for _ in range(2):  # the half one is set aside by the first start, and kept by the second
        async with rig.bridge.listening(), rig.working():
            await rig.until(lambda: rig.world.calls("getupdates"))
        assert sorted(path.name for path in rig.spools()) == [
            "spool-0a1b2c3d4e5f-im-bot.unreadable",
            "spool-recent-im-bot.unreadable",
        ]
        rig.world.transcript.clear()
