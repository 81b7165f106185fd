"""When iLink or the login is in trouble: visible, patient, and back by itself."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import anyio
import pytest

from channel_worker import poller
from channel_worker.sleepwatch import SleepWatch
from channel_worker.told import POLLING

if TYPE_CHECKING:
    from tests.contract.channel_rig import Rig

pytest_plugins = ["tests.contract.channel_rig"]


async def test_missing_login_is_said_once_and_ends_with_the_file(rig: Rig) -> None:
    """design 2: stays up, goes on by itself once the credential file changes."""
    rig.credentials_path.unlink()
    rig.world.say("early")
    async with rig.bridge.listening(), rig.working():
        await rig.bridge.until_state("no_credentials")
        assert rig.said == ["login needed: run ctb-channel login"]
        rig.write_credentials()
        await rig.bridge.until_rows(1)
        await rig.until_said(POLLING)
    assert rig.said == ["login needed: run ctb-channel login", POLLING]


async def test_network_that_is_gone_for_long_is_told_once_and_so_is_its_end(rig: Rig) -> None:
    """Ours: nobody looks into the log while messages do not come; a short gap is no news."""
    for lasts_s, is_told in ((0.0, True), (30.0, False)):
        rig.said.clear()
        rig.simulator.fail("getupdates", "reset_before", times=2)
        async with rig.bridge.listening(), rig.working(lasts_s=lasts_s):
            await rig.bridge.until_state("backing_off")
            rig.world.say("through")
            await rig.until_said(POLLING)
        told = [line for line in rig.said if "look at the network" in line]
        assert len(told) == is_told and rig.said[-1] == POLLING


async def test_poll_that_is_held_ends_the_trouble(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours: a quiet chat is told of as well within seconds, not at the end of the poll."""
    monkeypatch.setattr(poller, "HELD_S", 0.1)
    rig.simulator.fail("getupdates", "status", code=503)
    async with rig.bridge.listening(), rig.working(lasts_s=0.0):
        await rig.until_said("look at the network")
        await rig.until_said(POLLING)
        await rig.bridge.until(lambda: rig.bridge.states[-1].condition == "polling")
        assert len(rig.world.calls("getupdates")) == 2


async def test_stale_token_is_checked_once_then_login_is_needed(rig: Rig) -> None:
    """F30: suspect, one re-check, login_needed; a new login goes on by itself."""
    async with rig.bridge.listening(), rig.working():
        await rig.until(lambda: rig.world.calls("getupdates"))
        rig.simulator.expire_token()
        await rig.bridge.until_state("suspect")
        polls = len(rig.world.calls("getupdates"))
        state = await rig.bridge.until_state("login_needed")
        assert state.code == "-14"
        assert len(rig.world.calls("getupdates")) == polls + 1
        assert "another computer" in await rig.until_said("login needed")
        rig.write_credentials(generation=2)
        rig.world.say("back")
        await rig.bridge.until_rows(1)
        assert rig.bridge.generation == 2


async def test_stale_token_at_a_send_is_checked_by_a_poll(rig: Rig) -> None:
    """F30: -14 on any call; the poll that is held clears the doubt."""
    async with rig.bridge.listening(), rig.working():
        rig.world.say("hello")
        await rig.bridge.until_rows(1)
        (row,) = rig.bridge.rows.values()
        rig.simulator.fail("sendmessage", "ret", code=-14)
        await rig.bridge.send("x", row.context_token, rig.world.owner_id)
        await rig.bridge.until_state("suspect")
        starts = len(rig.world.calls("msg/notifystart"))
        await rig.until(lambda: len(rig.world.calls("msg/notifystart")) > starts)
        rig.world.say("all is well")
        await rig.bridge.until_rows(2)
        await rig.bridge.until(lambda: rig.bridge.states[-1].condition == "polling")


async def test_send_that_fails_while_a_trusted_poll_is_held_is_looked_into_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F31: the bridge took the outcome for a new doubt, so it must be told when that is over."""
    monkeypatch.setattr(poller, "HELD_S", 0.1)
    rig.simulator.fail("getupdates", "ret", code=-99)
    async with rig.bridge.listening(), rig.working():
        await rig.bridge.until_state("suspect")
        await rig.bridge.until(lambda: rig.bridge.states[-1].condition == "polling")
        seen = len(rig.bridge.states)
        rig.simulator.fail("sendmessage", "ret", code=-99)
        reply = await rig.bridge.send("x", "ctx", rig.world.owner_id)
        assert reply.outcome == "unknown_code"
        await rig.bridge.until(lambda: len(rig.bridge.states) >= seen + 2)
        assert [state.condition for state in rig.bridge.states[seen:]] == ["suspect", "polling"]


@pytest.mark.parametrize("code", [-14, -4711])
async def test_code_that_a_group_is_answered_puts_no_doubt_on_the_account(
    rig: Rig, code: int
) -> None:
    """R36: it may be about the group alone; the poll goes on, and knows a dead token."""
    async with rig.bridge.listening(), rig.working():
        rig.world.say("hello")
        await rig.bridge.until_rows(1)
        rig.simulator.fail("sendmessage", "ret", code=code)
        reply = await rig.bridge.send("x", "ctx", "77@chatroom", group="77@chatroom")
        assert reply.code == str(code)
        rig.world.say("all is well")
        await rig.bridge.until_rows(2)
        assert {state.condition for state in rig.bridge.states} <= {"polling"}


async def test_world_readable_file_is_refused_with_the_command_to_type(rig: Rig) -> None:
    """F73, R17."""
    rig.credentials_path.chmod(0o644)
    async with rig.working():
        await rig.until_said("chmod 600")
    assert stat.S_IMODE(rig.credentials_path.stat().st_mode) == 0o644


async def test_half_written_file_keeps_the_login_before_it(rig: Rig) -> None:
    """F73: the previous generation stays valid."""
    async with rig.bridge.listening(), rig.working():
        await rig.until(lambda: rig.world.calls("getupdates"))
        rig.credentials_path.write_text('{"bot_token": "x')
        await rig.until_said("is not whole")
        rig.world.say("still here")
        await rig.bridge.until_rows(1)


async def test_sleep_renews_the_poll_and_is_reported(rig: Rig) -> None:
    """F61: wall and monotonic time part; both pools are closed."""
    offset = [0.0]
    clock = SleepWatch(wall=lambda: offset[0], monotonic=lambda: 0.0)
    async with rig.bridge.listening(), rig.working(sleep_watch=clock):
        await rig.until(lambda: len(rig.world.calls("getupdates")) == 1)
        offset[0] = 3600.0
        state = await rig.bridge.until_state("woke")
        assert state.code == "3600"
        await rig.until(lambda: len(rig.world.calls("getupdates")) == 2)
        rig.world.say("good morning")
        await rig.bridge.until_rows(1)


async def test_sleep_is_told_before_the_messages_that_it_kept_back(rig: Rig) -> None:
    """delivery-semantics 12: so that the summary of held messages can name it."""
    offset = [0.0]
    clock = SleepWatch(wall=lambda: offset[0], monotonic=lambda: 0.0)
    async with rig.bridge.listening(), rig.working(sleep_watch=clock, watch_s=3600.0):
        await rig.until(lambda: rig.world.calls("getupdates"))
        offset[0] = 3600.0
        rig.world.say("good morning")
        await rig.bridge.until_rows(1)
        told = [type(s).__name__ for s in rig.bridge.seen]
        woke = rig.bridge.seen.index(await rig.bridge.until_state("woke"))
        assert woke < told.index("InboundCommit")


async def test_second_worker_for_the_same_bot_is_refused(rig: Rig) -> None:
    """F68: flock; exit code 4."""
    async with rig.bridge.listening(), rig.working():
        await rig.until(lambda: rig.world.calls("getupdates"))
        assert await rig.run_until_it_ends() == 4
    assert "already running" in rig.said[-1]


async def test_reply_that_never_parses_is_poison_after_five(rig: Rig) -> None:
    """F80; delivery-semantics 4: told, and tried on."""
    rig.simulator.fail("getupdates", "body", body=b"<html>", times=2)
    async with rig.bridge.listening(), rig.working():
        state = await rig.bridge.until_state("backing_off")
        assert state.code.startswith("body")
        rig.world.say("through")
        await rig.bridge.until(lambda: len(rig.bridge.rows) == 1, deadline_s=8.0)


async def test_refused_login_is_said_and_a_new_one_is_tried(rig: Rig) -> None:
    """F32: another owner is refused by the bridge."""
    rig.bridge.refuse_hello = "another owner is paired: run ctb-channel login --change-owner"
    async with rig.bridge.listening(), rig.working():
        await rig.until_said("--change-owner")
        rig.bridge.refuse_hello = ""
        rig.write_credentials(generation=2, owner_epoch=1)
        await rig.bridge.until_state("polling")
        rig.world.say("new owner")
        with anyio.fail_after(5):
            await rig.bridge.until_rows(1)
