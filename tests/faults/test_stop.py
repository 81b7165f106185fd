"""`/stop` from the phone, at a controller that answers one call at a time."""

from __future__ import annotations

import json
import sys

from tests.fakes.controller import SAMPLE_THREAD, transcript
from tests.faults.rig import Conditions, Launcher, empty_gateway

SLICE_S = 1.0  # delivery-semantics 6: as long as one wait takes at most
SLACK_S = 1.0  # the cores are shared


async def test_stop_is_through_after_one_slice_at_a_serial_controller(launcher: Launcher) -> None:
    """F49, issue 4 item 9: no call is answered during a wait, so waits stay at one second."""
    async with empty_gateway(launcher, Conditions()) as rig:
        state = rig.folder / "fake.json"
        fake = [sys.executable, "-m", "tests.fakes.controller", str(state), "serial"]
        rig.start_worker()
        rig.start_bridge(CTB_CONTROLLER_COMMAND=json.dumps(fake))
        rig.world.say(f"/bind {SAMPLE_THREAD}")
        await rig.until_shown("Now using default")
        rig.world.say("sleep:60")

        def is_waited_for() -> bool:
            return [call["tool"] for call in transcript(state)].count("wait_any") >= 2

        await rig.until(is_waited_for, "the turn is waited for")
        rig.world.say("/stop")
        await rig.until_shown("#1 is stopped")
        await rig.until_at_rest()

        calls = transcript(state)
        assert [call["tool"] for call in calls].count("cancel") == 1
        assert await rig.stop() == (0, 0)
        assert [row["outcome"] for row in rig.rows("SELECT outcome FROM turn")] == ["cancelled"]
        waits = [call for call in calls if call["tool"] == "wait_any"]
        assert {call["arguments"]["timeout_ms"] for call in waits} == {int(SLICE_S * 1000)}
        (decided,) = rig.rows("SELECT at_ms FROM audit WHERE what = 'turn.stop'")
        said_at = decided["at_ms"] / 1000
        cancelled_at = next(call["at"] for call in calls if call["tool"] == "cancel")
        # The wait that went on then, and one that had just been asked for, at most.
        assert sum(said_at < call["at"] < cancelled_at for call in waits) <= 1
        assert cancelled_at - said_at < SLICE_S + SLACK_S
