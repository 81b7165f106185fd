"""kill -9 of the worker at moments that only the channel sees."""

from __future__ import annotations

import os
import signal

import pytest

from bridge.core.sending import REPEAT_MARK
from tests.faults.rig import Conditions, Launcher, gateway

HOUR_S = 3_600


@pytest.mark.parametrize("drops_copies", [True, False])
async def test_worker_killed_while_a_send_is_out_is_repeated_under_its_mark(
    launcher: Launcher, drops_copies: bool
) -> None:
    """F14, I3: accepted by the channel, and nobody heard it."""
    async with gateway(launcher, Conditions(drops_copies=drops_copies)) as rig:
        sends = len(rig.world.calls("sendmessage"))
        rig.simulator.fail("sendmessage", "hang")
        rig.world.say("hello")
        await rig.simulator.until(lambda: len(rig.world.calls("sendmessage")) > sends, 20)
        await rig.kill_worker()
        rig.start_worker()
        await rig.until_shown("answer to hello")
        await rig.until_at_rest()
        (shown,) = rig.shown("answer to hello")
        assert shown.text.startswith(REPEAT_MARK)
        ids = {call.body["msg"]["client_id"] for call in rig.world.calls("sendmessage")[sends:]}
        assert len(ids) == 1


@pytest.mark.parametrize("gives_again", [True, False])
async def test_worker_killed_with_a_batch_in_its_hands_loses_it_only_where_replies_are_consumed(
    launcher: Launcher, gives_again: bool
) -> None:
    """F1, delivery-semantics 1: the one loss left; afterwards everything works."""
    async with gateway(launcher, Conditions(gives_again=gives_again)) as rig:
        os.kill(rig.bridge, signal.SIGSTOP)
        rig.world.say("in its hands")
        await rig.until(lambda: rig.world._handed == len(rig.world.messages), "it is handed out")
        await rig.kill_worker()
        os.kill(rig.bridge, signal.SIGCONT)
        rig.start_worker()
        rig.world.say("the next one")
        await rig.until_shown("answer to the next one")
        await rig.until_at_rest()
        copies = len(rig.shown("answer to in its hands"))
        assert copies == 1 if gives_again else copies <= 1


@pytest.mark.parametrize("gives_again", [True, False])
async def test_stop_of_the_worker_while_the_bridge_is_away_loses_nothing(
    launcher: Launcher, gives_again: bool
) -> None:
    """F76: the batch is kept, or spooled and committed first at the next start."""
    async with gateway(launcher, Conditions(gives_again=gives_again)) as rig:
        rig.order("before T1")
        rig.world.say("kept")
        assert await rig.ended(rig.bridge) == -9
        os.kill(rig.worker, signal.SIGTERM)
        assert await rig.ended(rig.worker) == 0
        rig.start_worker()
        rig.start_bridge()
        await rig.check("kept", ("answer to kept",))


async def test_message_that_lay_on_disk_overnight_is_held(launcher: Launcher) -> None:
    """delivery-semantics 4: stale is what is old on arrival at the bridge, not at the worker."""
    async with gateway(launcher, Conditions()) as rig:
        rig.order("before T1")
        rig.world.say("of last night")
        assert await rig.ended(rig.bridge) == -9
        os.kill(rig.worker, signal.SIGTERM)
        assert await rig.ended(rig.worker) == 0
        (spool,) = (rig.folder / "data/run").glob("spool-*")
        written_s = spool.stat().st_mtime - 8 * HOUR_S
        os.utime(spool, (written_s, written_s))
        rig.start_worker()
        rig.start_bridge()
        await rig.until_shown("/run-held")
        assert not rig.shown("answer to of last night")
        rig.world.say("/run-held")
        await rig.until_shown("answer to of last night")
        await rig.until_at_rest()
        await rig.stop()
        (row,) = rig.rows("SELECT age_ms FROM inbox WHERE parts LIKE '%last night%'")
        late_s = row["age_ms"] / 1000 - 8 * HOUR_S
        assert -1 <= late_s < 60  # a Date has whole seconds
