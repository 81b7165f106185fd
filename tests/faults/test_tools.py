"""A controller whose tools come and go while it is connected."""

from __future__ import annotations

from tests.faults.recorder import THREAD
from tests.faults.rig import Conditions, Launcher, Rig, gateway

LOST = "does not offer: /stop"
AGAIN = "offers again: /stop"


def offer(rig: Rig, *modes: str) -> None:
    """From its next answer on the controller has these modes, and says that its tools changed."""
    later = rig.recorder.with_name(rig.recorder.name + ".modes")
    beside = later.with_name(later.name + ".new")
    beside.write_text(" ".join(modes))
    beside.replace(later)


async def test_tool_that_goes_is_told_once_and_the_rest_goes_on(launcher: Launcher) -> None:
    """R32, F60: phone and terminal, an audit line, no call of it; a restart says nothing new."""
    async with gateway(launcher, Conditions()) as rig:
        offer(rig, "drops:cancel")
        rig.world.say("hello\nsleep:0.5")
        await rig.until_shown(LOST)
        await rig.until_terminal_says(LOST)
        await rig.until_shown("answer to hello")
        assert "without cancel" in "\n".join((await rig.status()).lines)

        rig.kill_controller()
        rig.world.say("once more")
        await rig.until_shown("answer to once more")
        await rig.until_at_rest()
        assert len(rig.shown(LOST)) == 1

        offer(rig)
        rig.world.say("and again")
        await rig.until_shown(AGAIN)
        await rig.until_at_rest()
        assert "without" not in "\n".join((await rig.status()).lines)

        log = rig.folder / "data/logs/bridge.log"
        before = log.read_text().count("controller.lacks")
        offer(rig, "noise")  # nothing that we use
        rig.world.say("at last")
        await rig.until_shown("answer to at last")
        await rig.until(lambda: log.read_text().count("controller.lacks") > before, "a look")
        assert await rig.stop() == (0, 0)
        where = "FROM audit WHERE what = 'controller.tools' ORDER BY id"
        lines = [(row["outcome"], row["subject"]) for row in rig.rows(f"SELECT * {where}")]
        assert [subject for outcome, subject in lines if outcome == "lacks"] == [
            "approvals,fork,history,list_sessions,steer",
            "approvals,cancel,fork,history,list_sessions,steer",
            "approvals,cancel,fork,history,list_sessions,steer",
            "approvals,fork,history,list_sessions,steer",
            "approvals,fork,history,list_sessions,steer",
        ]
        assert not [call for call in rig.calls() if call["tool"] == "cancel"]


async def test_start_that_goes_and_comes_back_parks_the_turn_meanwhile(
    launcher: Launcher,
) -> None:
    """R32, F60: no dispatch without it; the turn starts as soon as it is there again."""
    async with gateway(launcher, Conditions()) as rig:
        offer(rig, "drops-field:start:idempotency_key")
        rig.world.say(f"/bind {THREAD}")
        await rig.until_shown("does not offer: running messages")
        rig.world.say("hello")
        await rig.until_shown("is sent when it is back")
        offer(rig)
        rig.world.say("/add other thread-0002")  # the controller is asked about it
        await rig.until_shown("answer to hello")
        await rig.until_at_rest()
        assert [call["tool"] for call in rig.calls()].count("start") == 1
        assert len(rig.shown("running messages")) == 2  # gone, and there again


async def test_extension_that_asks_for_more_is_named_and_never_called(launcher: Launcher) -> None:
    """issue 4, item 9: a field that we do not know is required; the rest goes on."""
    async with gateway(launcher, Conditions()) as rig:
        offer(rig, "adds:steer:fork:history:list_sessions", "requires:steer:mood")
        rig.world.say("hello\nsleep:0.5")
        await rig.until_shown("does not offer: /steer.")
        rig.world.say("/steer more")
        await rig.until_shown("This controller cannot add to a running turn")
        await rig.until_shown("answer to hello")
        await rig.until_at_rest()
        offer(rig, "adds:steer:fork")  # as if it had been upgraded in place, and lost two
        rig.world.say("once more")
        await rig.until_shown("does not offer: its own list of threads, its own history")
        await rig.until_shown("offers again: /steer")
        await rig.until_shown("answer to once more")
        await rig.until_at_rest()
        assert not [call for call in rig.calls() if call["tool"] == "steer"]
        assert await rig.stop() == (0, 0)
