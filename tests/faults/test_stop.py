"""`/stop` from the phone, at a controller that answers one call at a time."""

from __future__ import annotations

import json
import sys

from tests.fakes.controller import SAMPLE_THREAD, transcript
from tests.faults.rig import Conditions, Launcher, empty_gateway

THROUGH_S = 2.0  # fault-catalogue F49
SLACK_S = 2.0  # the cores are shared


async def test_stop_is_through_in_two_seconds_at_a_serial_controller(launcher: Launcher) -> None:
    """F49: no other call is answered during a wait, so its slices stay at one second."""
    async with empty_gateway(launcher, Conditions()) as rig:
        state = rig.folder / "fake.json"
        fake = [sys.executable, "-m", "tests.fakes.controller", str(state), "serial"]
        rig.start_worker()
        rig.start_bridge(CTB_CONTROLLER_COMMAND=json.dumps(fake))
        rig.world.say(f"/bind {SAMPLE_THREAD}")
        await rig.until_shown("Now using default")
        rig.world.say("sleep:60")

        def waits() -> int:
            return sum(call["tool"] == "wait_any" for call in transcript(state))

        await rig.until(lambda: waits() >= 2, "the turn is waited for")
        rig.world.say("/stop")
        await rig.until_shown("#1 is stopped")
        await rig.until_at_rest()

        calls = transcript(state)
        assert [call["tool"] for call in calls].count("cancel") == 1
        slices = [c["arguments"]["timeout_ms"] for c in calls if c["tool"] == "wait_any"]
        assert set(slices) == {1_000}
        cancelled = next(call["at"] for call in calls if call["tool"] == "cancel")
        assert cancelled - rig.world.messages[-1]["create_time_ms"] / 1000 < THROUGH_S + SLACK_S
        assert await rig.stop() == (0, 0)
        assert [row["outcome"] for row in rig.rows("SELECT outcome FROM turn")] == ["cancelled"]
