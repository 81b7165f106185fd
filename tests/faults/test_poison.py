"""What crashes the process again and again is set aside, told once, and holds up nobody."""

from __future__ import annotations

import os
import signal

import anyio
import pytest

from bridge.tasks.points import Point
from tests.faults.rig import Conditions, Launcher, Rig, gateway

DEATHS = 3  # delivery-semantics 9
WAITS_S = 1.5  # the message is stored, and waits for what the controller says (at most 5 s)


async def die_until_shown(rig: Rig, point: Point, words: str) -> int:
    """Start the bridge again whenever it dies at this point; how often it did."""
    rig.order(point, keeps=True)
    rig.world.say("the message that kills")
    for _ in range(DEATHS):
        assert await rig.ended(rig.bridge) == -9
        rig.start_bridge()
    await rig.until_shown(words)
    rig.orders.unlink()
    return rig.reached()[point]


@pytest.mark.parametrize(
    ("point", "words", "outcome"),
    [
        ("before T2", "failed three times and is set aside", "poison"),
        ("before start", "failed three times and is set aside", "dead"),
    ],
)
async def test_message_that_kills_three_times_is_set_aside_and_the_next_one_served(
    launcher: Launcher, point: Point, words: str, outcome: str
) -> None:
    """F85: `done(poison)` while decided, `settling(dead)` while started; told once."""
    async with gateway(launcher, Conditions()) as rig:
        before = rig.reached()[point]
        assert await die_until_shown(rig, point, words) == before + DEATHS
        rig.world.say("the next one")
        await rig.until_shown("answer to the next one")
        await rig.until_at_rest()
        assert len(rig.shown(words)) == 1
        assert [start["message"] for start in rig.engine()["accepted"]] == ["the next one"]
        assert not rig.engine()["locks"]
        assert await rig.stop() == (0, 0)
        table = "inbox" if outcome == "poison" else "turn"
        ends = [row["outcome"] for row in rig.rows(f"SELECT outcome FROM {table}")]  # noqa: S608
        assert ends.count(outcome) == 1


async def test_deaths_while_the_controller_is_away_do_not_count(launcher: Launcher) -> None:
    """delivery-semantics 9: a start that nobody could try again is not given up for it."""
    async with gateway(launcher, Conditions()) as rig:
        rig.order("before start")
        rig.world.say("patience")
        assert await rig.ended(rig.bridge) == -9
        rig.orders.unlink(missing_ok=True)
        for _ in range(DEATHS):
            (rig.folder / "terminal.log").unlink()
            rig.start_bridge(CTB_CONTROLLER_COMMAND="/nowhere/controller")
            await rig.until_terminal_says("ready")
            os.kill(rig.bridge, signal.SIGKILL)
            await rig.ended(rig.bridge)
        rig.start_bridge()
        await rig.until_shown("answer to patience")


async def test_deaths_while_a_message_waits_for_a_slow_controller_do_not_count(
    launcher: Launcher,
) -> None:
    """delivery-semantics 9: a message that could not be looked into yet is not set aside."""
    async with gateway(launcher, Conditions()) as rig:
        os.kill(rig.bridge, signal.SIGKILL)
        await rig.ended(rig.bridge)
        for number in range(DEATHS + 2):
            (rig.folder / "terminal.log").unlink()
            rig.start_bridge(CTB_CONTROLLER_COMMAND="sleep 60")  # it never greets
            await rig.until_terminal_says("ready")
            if number == 0:
                rig.world.say("patience")
            await anyio.sleep(WAITS_S)
            os.kill(rig.bridge, signal.SIGKILL)
            await rig.ended(rig.bridge)
        rig.start_bridge()
        await rig.until_shown("answer to patience")
        assert not rig.shown("set aside")
