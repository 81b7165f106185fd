"""Messages on their way in: nothing is lost, nothing is fetched that cannot be stored."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import anyio
import pytest

from bridge.wire.messages import ChannelHello, PollSet

if TYPE_CHECKING:
    from tests.contract.channel_rig import Rig

pytest_plugins = ["tests.contract.channel_rig"]


async def test_message_is_committed_and_cursor_moves(rig: Rig) -> None:
    """delivery-semantics 4."""
    async with rig.bridge.listening(), rig.working():
        rig.world.say("run the tests")
        await rig.bridge.until_rows(1)
        (row,) = rig.bridge.rows.values()
        assert row.parts[0].text == "run the tests"
        assert row.msg_key.startswith("mid:") and row.context_token.startswith("ctx-")
        commit = rig.bridge.commits[-1]
        assert commit.prev_cursor == "" and commit.next_cursor == rig.bridge.cursor
        assert commit.server_now_ms > 0
        hello = next(seen for seen in rig.bridge.seen if isinstance(seen, ChannelHello))
        assert hello.owner_user_ids == (rig.world.owner_id,)


async def test_next_poll_carries_only_a_stored_cursor(rig: Rig) -> None:
    """I4: the cursor of a request was committed before."""
    async with rig.bridge.listening(), rig.working():
        for number in range(5):
            rig.world.say(f"message {number}")
            await rig.bridge.until_rows(number + 1)
        await rig.until(lambda: len(rig.world.calls("getupdates")) >= 6)
    stored = {commit.next_cursor for commit in rig.bridge.commits} | {""}
    assert {call.body["get_updates_buf"] for call in rig.world.calls("getupdates")} <= stored


async def test_nothing_is_fetched_without_a_bridge(rig: Rig) -> None:
    """delivery-semantics 4: what cannot be stored is not fetched; any order of start."""
    rig.world.say("early")
    async with rig.working():
        await anyio.wait_all_tasks_blocked()
        assert not rig.world.calls("getupdates")
        async with rig.bridge.listening():
            await rig.bridge.until_rows(1)


async def test_nothing_is_fetched_while_poll_is_off(rig: Rig) -> None:
    """delivery-semantics 9."""
    rig.bridge.poll = False
    async with rig.bridge.listening(), rig.working():
        await rig.bridge.until_state("polling")
        assert not rig.world.calls("getupdates")
        rig.world.say("later")
        await rig.bridge.ask(PollSet(True))
        await rig.bridge.until_rows(1)


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_batch_survives_death_of_bridge_in_commit(rig: Rig, moment: str) -> None:
    """F2, F3: the worker keeps the batch and sends it again."""
    rig.bridge.die_at_commit = moment
    async with rig.working():
        async with rig.bridge.listening():
            rig.world.say("kept")
            await rig.bridge.until(lambda: rig.bridge.die_at_commit == "")
        assert len(rig.bridge.rows) == (moment == "after")
        async with rig.bridge.listening():
            await rig.bridge.until_rows(1)
            rig.world.say("next")
            await rig.bridge.until_rows(2)
    assert rig.bridge.texts() == ["kept", "next"]


async def test_storage_error_keeps_batch_and_old_cursor(rig: Rig) -> None:
    """F62: nothing stored, nothing moved, tried again."""
    rig.bridge.storage_errors = 2
    async with rig.bridge.listening(), rig.working():
        rig.world.say("kept")
        await rig.bridge.until_rows(1)
    assert len(rig.bridge.commits) == 3
    assert len({commit.prev_cursor for commit in rig.bridge.commits}) == 1


async def test_refused_cursor_stores_rows_and_follows_the_bridge(rig: Rig) -> None:
    """F29: rows are stored, the worker polls from the given cursor."""
    async with rig.bridge.listening(), rig.working():
        rig.world.say("one")
        await rig.bridge.until_rows(1)
        await rig.until(lambda: len(rig.world.calls("getupdates")) >= 2)
        rig.bridge.cursor = "YXQ6MQ=="
        rig.world.say("two")
        await rig.bridge.until_rows(2)


async def test_poll_outlives_the_bridge_and_its_batch_is_stored_later(rig: Rig) -> None:
    """delivery-semantics 4: a lost connection in the middle of a poll loses nothing."""
    async with rig.working():
        async with rig.bridge.listening():
            await rig.until(lambda: rig.world.calls("getupdates"))
            await rig.bridge.until_up()
        rig.world.say("meanwhile")
        async with rig.bridge.listening():
            await rig.bridge.until_rows(1)


async def test_malformed_message_does_not_hold_up_its_batch(rig: Rig) -> None:
    """F81: the item is malformed, the others pass, the cursor moves."""
    rig.world.put({"message_id": 5, "from_user_id": rig.world.owner_id, "item_list": "x"})
    rig.world.put([1])
    rig.world.say("well")
    async with rig.bridge.listening(), rig.working():
        await rig.bridge.until_rows(3)
    assert [bool(row.malformed) for row in rig.bridge.rows.values()] == [True, True, False]
    assert rig.bridge.cursor


async def test_words_of_a_stranger_never_travel(rig: Rig) -> None:
    """R1, R36: only the key and the sender."""
    rig.world.say("let me in", from_user_id="stranger@im.wechat")
    async with rig.bridge.listening(), rig.working():
        await rig.bridge.until_rows(1)
    (row,) = rig.bridge.rows.values()
    assert (row.parts, row.context_token, row.from_user_id) == ((), "", "stranger@im.wechat")


async def test_large_batch_goes_in_slices_and_only_the_last_moves_the_cursor(rig: Rig) -> None:
    """delivery-semantics 4: a batch larger than a frame."""
    for number in range(12):
        rig.world.say(f"{number}" + "字" * 170_000)
    async with rig.bridge.listening(), rig.working():
        await rig.bridge.until_rows(12)
        await rig.bridge.until(lambda: rig.bridge.cursor != "")
    cursors = [commit.next_cursor for commit in rig.bridge.commits]
    assert len(cursors) > 1 and not any(cursors[:-1]) and cursors[-1]


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
