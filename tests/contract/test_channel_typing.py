"""The typing sign: shown, kept, ended, and never in the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from bridge.wire.messages import TypingSet
from channel_worker import typing_sign
from channel_worker.simulator.world import FaultKind

if TYPE_CHECKING:
    from tests.contract.channel_rig import Rig

pytest_plugins = ["tests.contract.channel_rig"]


async def test_sign_is_shown_and_ended_with_one_ticket(rig: Rig) -> None:
    """ilink-protocol 8: getconfig once, status 1, status 2."""
    owner = rig.world.owner_id
    async with rig.bridge.listening(), rig.working():
        await rig.bridge.until_up()
        for _ in range(2):
            await rig.bridge.ask(TypingSet(owner, "ctx", True))
            await rig.until(lambda: rig.world.typing.get(owner) is True)
            await rig.bridge.ask(TypingSet(owner, "ctx", False))
            await rig.until(lambda: rig.world.typing.get(owner) is False)
    assert len(rig.world.calls("getconfig")) == 1
    assert rig.world.calls("getconfig")[0].body["ilink_user_id"] == owner
    assert [call.body["status"] for call in rig.world.calls("sendtyping")] == [1, 2, 1, 2]


async def test_sign_is_kept_alive_as_long_as_it_is_wanted(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ilink-protocol 8: status 1 every 5 s, status 2 once at the end; nothing after it."""
    assert typing_sign.KEEP_ALIVE_S == 5.0
    monkeypatch.setattr(typing_sign, "KEEP_ALIVE_S", 0.02)
    owner = rig.world.owner_id
    async with rig.bridge.listening(), rig.working():
        await rig.bridge.until_up()
        await rig.bridge.ask(TypingSet(owner, "ctx", True))
        await rig.until(lambda: len(rig.world.calls("sendtyping")) >= 4)
        await rig.bridge.ask(TypingSet(owner, "ctx", False))
        await rig.until(lambda: rig.world.typing.get(owner) is False)
    *shown, ended = [call.body["status"] for call in rig.world.calls("sendtyping")]
    assert set(shown) == {1} and ended == 2
    assert len(rig.world.calls("getconfig")) == 1


async def test_sign_is_shown_while_a_file_goes_up(rig: Rig) -> None:
    """issue 3, Bench: kept by an upload that outlasts the wish of its turn, ended with it."""
    owner = rig.world.owner_id
    rig.simulator.fail("cdn_upload", "delay", seconds=1.0)
    async with rig.bridge.listening(), rig.working(), anyio.create_task_group() as tasks:
        await rig.bridge.until_up()
        await rig.bridge.ask(TypingSet(owner, "ctx", True))
        await rig.until(lambda: rig.world.typing.get(owner) is True)
        await rig.bridge.ask(TypingSet(owner, "ctx", False))
        await rig.until(lambda: rig.world.typing.get(owner) is False)
        tasks.start_soon(rig.bridge.ask, rig.staged(b"x" * 100))
        await rig.until(lambda: rig.world.typing.get(owner) is True)
        assert not rig.world.files  # it is still on its way
        await rig.until(lambda: rig.world.typing.get(owner) is False)
        assert rig.world.files
    assert len(rig.world.calls("getconfig")) == 1


async def test_no_ticket_means_no_sign_and_no_fault(rig: Rig) -> None:
    """ilink-protocol 8: skipped silently; F30: -14 at typing is told."""
    owner = rig.world.owner_id
    rig.simulator.fail("getconfig", "errcode", code=-14)
    async with rig.bridge.listening(), rig.working():
        await rig.bridge.until_up()
        await rig.bridge.ask(TypingSet(owner, "ctx", True))
        await rig.bridge.until_state("suspect")
        rig.world.say("still served")
        await rig.bridge.until_rows(1)
    assert not rig.world.calls("sendtyping")


async def test_sign_ends_when_the_bridge_goes(rig: Rig) -> None:
    """Ours: nobody is left who would end it."""
    owner = rig.world.owner_id
    async with rig.working():
        async with rig.bridge.listening():
            await rig.bridge.until_up()
            await rig.bridge.ask(TypingSet(owner, "ctx", True))
            await rig.until(lambda: rig.world.typing.get(owner) is True)
        await rig.until(lambda: rig.world.typing.get(owner) is False)


@pytest.mark.parametrize("endpoint", ["getconfig", "sendtyping"])
@pytest.mark.parametrize("kind", ["status", "hang", "reset_before", "half_body"])
async def test_trouble_with_the_sign_fails_nothing_else(
    rig: Rig, endpoint: str, kind: FaultKind
) -> None:
    """issue 3, item 8: never blocks, never fails anything; no doubt about the account."""
    owner = rig.world.owner_id
    rig.simulator.fail(endpoint, kind, code=500, times=50)
    async with rig.bridge.listening(), rig.working():
        rig.world.say("hello")
        await rig.bridge.until_rows(1)
        token = next(iter(rig.bridge.rows.values())).context_token
        await rig.bridge.ask(TypingSet(owner, token, True))
        await rig.until(lambda: rig.world.calls(endpoint))
        assert (await rig.bridge.send("answer", token, owner)).outcome == "sent"
        await rig.bridge.ask(TypingSet(owner, token, False))
        rig.world.say("and again")
        await rig.bridge.until_rows(2)
    assert not {"suspect", "login_needed"} & {state.condition for state in rig.bridge.states}
