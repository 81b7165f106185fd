"""What docs/channel-port.md asks of a worker, whatever network it is for.

Run against the worker for WeChat, in both modes of a reply that was not read, and against
one for another network with other ids (issue 5, item 11).
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import anyio
import pytest

from bridge.wire.messages import (
    Media,
    MediaFetch,
    OutboundQuery,
    OutboundSend,
    PollSet,
    SendReply,
)

if TYPE_CHECKING:
    from tests.contract.port_rig import Side

PICTURE = bytes(range(256)) * 8
pytest_plugins = ["tests.contract.channel_rig", "tests.contract.port_rig"]  # in this order


async def token_of(side: Side) -> str:
    """What the owner may be answered with, once a message has come in."""
    side.writes("hello")
    await side.bridge.until_rows(1)
    return next(row.context_token for row in side.bridge.rows.values() if row.context_token)


async def test_message_is_committed_and_cursor_moves(side: Side) -> None:
    """delivery-semantics 4: ids come as the network made them."""
    async with side.bridge.listening(), side.working():
        side.writes("run the tests")
        await side.bridge.until_rows(1)
        (row,) = side.bridge.rows.values()
        assert (row.from_user_id, row.parts[0].text) == (side.owner, "run the tests")
        assert row.msg_key.startswith("mid:") and row.context_token
        commit = side.bridge.commits[-1]
        assert commit.prev_cursor == "" and commit.next_cursor == side.bridge.cursor != ""
        (hello,) = side.bridge.hellos
        assert (hello.channel, hello.owner_user_ids) == (side.channel, (side.owner,))


async def test_next_fetch_carries_only_a_stored_cursor(side: Side) -> None:
    """I4: the cursor of a request was committed before."""
    async with side.bridge.listening(), side.working():
        for number in range(5):
            side.writes(f"message {number}")
            await side.bridge.until_rows(number + 1)
        await side.until(lambda: len(side.positions()) >= 6)
    stored = {commit.next_cursor for commit in side.bridge.commits} | {""}
    assert set(side.positions()) <= stored and len(set(side.positions())) > 2


async def test_nothing_is_fetched_without_a_bridge(side: Side) -> None:
    """Promise 1: what cannot be stored is not fetched; any order of start."""
    side.writes("early")
    async with side.working():
        await anyio.wait_all_tasks_blocked()
        assert not side.positions()
        async with side.bridge.listening():
            await side.bridge.until_rows(1)


async def test_nothing_is_fetched_while_poll_is_off(side: Side) -> None:
    """Promise 1."""
    side.bridge.poll = False
    async with side.bridge.listening(), side.working():
        await side.bridge.until_up()
        await side.bridge.until_state("polling")
        await anyio.wait_all_tasks_blocked()
        assert not side.positions()
        side.writes("later")
        await side.bridge.ask(PollSet(True))
        await side.bridge.until_rows(1)


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_batch_survives_death_of_bridge_in_commit(side: Side, moment: str) -> None:
    """Promise 2; F2, F3: the worker keeps the batch and sends it again."""
    side.bridge.die_at_commit = moment
    async with side.working():
        async with side.bridge.listening():
            side.writes("kept")
            await side.bridge.until(lambda: side.bridge.die_at_commit == "")
        assert len(side.bridge.rows) == (moment == "after")
        async with side.bridge.listening():
            await side.bridge.until_rows(1)
            side.writes("next")
            await side.bridge.until_rows(2)
    assert side.bridge.texts() == ["kept", "next"]


async def test_storage_error_keeps_batch_and_old_cursor(side: Side) -> None:
    """Promise 2; F62: nothing stored, nothing moved, tried again."""
    side.bridge.storage_errors = 2
    async with side.bridge.listening(), side.working():
        side.writes("kept")
        await side.bridge.until_rows(1)
    assert len(side.bridge.commits) == 3
    assert len({commit.prev_cursor for commit in side.bridge.commits}) == 1


async def test_refused_cursor_stores_rows_and_follows_the_bridge(side: Side) -> None:
    """Promise 2; F29: rows are stored, the worker goes on from the given cursor."""
    async with side.bridge.listening(), side.working():
        side.writes("one")
        await side.bridge.until_rows(1)
        await side.until(lambda: len(side.positions()) == 2)
        first, side.bridge.cursor = side.bridge.cursor, ""
        side.writes("two")
        await side.bridge.until_rows(2)
        await side.until(lambda: len(side.positions()) >= 3)
    assert side.positions()[:3] == ["", first, ""]
    assert side.bridge.texts() == ["one", "two"]  # by their keys, should they come again


async def test_lost_connection_in_the_middle_of_a_fetch_loses_nothing(side: Side) -> None:
    """Promise 2."""
    async with side.working():
        async with side.bridge.listening():
            await side.until(side.positions)
            await side.bridge.until_up()
        side.writes("meanwhile")
        async with side.bridge.listening():
            await side.bridge.until_rows(1)


async def test_batch_that_cannot_be_stored_at_a_stop_goes_first_at_the_next_start(
    side: Side,
) -> None:
    """Promise 3: on disk, 0600, before anything is fetched."""
    side.bridge.storage_errors = 1_000_000
    async with side.bridge.listening():
        async with side.working() as worker:
            side.writes("held")
            await side.bridge.until(lambda: bool(side.bridge.commits))
            worker.stop()
        (spool,) = side.spools()
        assert stat.S_IMODE(spool.stat().st_mode) == 0o600
        side.bridge.storage_errors, side.bridge.poll = 0, False
        fetched = len(side.positions())
        async with side.working():
            await side.bridge.until_rows(1)
    assert side.bridge.texts() == ["held"]
    assert not side.spools() and len(side.positions()) == fetched


async def test_large_batch_goes_in_slices_and_only_the_last_moves_the_cursor(side: Side) -> None:
    """docs/channel-port.md: a batch larger than a line."""
    for number in range(12):
        side.writes(f"{number}" + "字" * 170_000)
    async with side.bridge.listening(), side.working():
        await side.bridge.until_rows(12)
        await side.bridge.until(lambda: side.bridge.cursor != "")
    cursors = [commit.next_cursor for commit in side.bridge.commits]
    assert len(cursors) > 1 and not any(cursors[:-1]) and cursors[-1]


async def test_fenced_worker_stores_its_batch_and_ends(side: Side) -> None:
    """F68: another worker has taken over; exit code 4."""
    codes: list[int] = []

    async def work() -> None:
        codes.append(await side.ends())

    side.bridge.die_at_commit = "before"
    async with side.bridge.listening(), anyio.create_task_group() as tasks:
        tasks.start_soon(work)
        side.writes("mine")
        await side.bridge.until(lambda: side.bridge.die_at_commit == "")
        side.bridge.fence_next_hello = True
        await side.bridge.until_rows(1)
    assert codes == [4]


async def test_words_of_a_stranger_never_travel(side: Side) -> None:
    """Promise 10; R1, R36: only the key and the sender."""
    side.writes("let me in", side.stranger)
    async with side.bridge.listening(), side.working():
        await side.bridge.until_rows(1)
    (row,) = side.bridge.rows.values()
    assert (row.parts, row.context_token, row.from_user_id) == ((), "", side.stranger)


async def test_attempt_is_one_request_and_begun_comes_before_it(side: Side) -> None:
    """Promise 4."""
    async with side.bridge.listening(), side.working():
        token = await token_of(side)
        reply = await side.bridge.send("12 passed 🎉", token, side.owner)
        assert reply.outcome == "sent" and reply.server_id
        assert side.shown() == ["12 passed 🎉"] and side.requests() == 1
        assert side.bridge.begun() == ["a1"]
        again = OutboundSend("a1", side.owner, "ctb:1", token, "12 passed 🎉")
        assert await side.bridge.ask(again) == reply and side.requests() == 1


@pytest.mark.parametrize(
    ("outcome", "shown"),
    [
        ("unconfirmed", 1),
        ("throttled", 0),
        ("expired", 0),
        ("refused", 0),
        ("unknown_code", 0),
        ("unknown", 1),
    ],
)
async def test_outcome_says_what_is_known_and_nothing_is_repeated(
    side: Side, outcome: str, shown: int
) -> None:
    """Promise 5: the table of docs/channel-port.md."""
    async with side.bridge.listening(), side.working():
        token = await token_of(side)
        side.will_say(outcome)
        reply = await side.bridge.send("once", token, side.owner)
        assert reply.outcome == outcome and not reply.server_id
        assert bool(reply.code) or outcome not in ("unknown_code", "unknown")
    assert (side.requests(), len(side.shown())) == (1, shown)


async def test_what_cannot_be_a_message_is_not_sent_and_never_begins(side: Side) -> None:
    """Promise 5: it surely never left."""
    async with side.bridge.listening(), side.working():
        token = await token_of(side)
        reply = await side.bridge.send("", token, side.owner)
        assert (reply.outcome, side.requests(), side.bridge.begun()) == ("not_sent", 0, [])


@pytest.mark.parametrize("outcome", ["expired", "unknown_code"])
async def test_doubt_about_the_login_is_followed_by_a_word_on_it(side: Side, outcome: str) -> None:
    """Promise 6: until then the bridge sends nothing at all."""
    async with side.bridge.listening(), side.working():
        token = await token_of(side)
        await side.bridge.until_state("polling")
        side.will_say(outcome)
        await side.until(lambda: len(side.positions()) == 2)
        said = len(side.bridge.states)
        assert (await side.bridge.send("once", token, side.owner)).outcome == outcome
        await side.until(lambda: len(side.positions()) > 2)  # a message may vanish with a cut fetch
        side.writes("still there?")
        await side.bridge.until(lambda: "polling" in conditions(side)[said:])
        assert (await side.bridge.send("again", token, side.owner)).outcome == "sent"


async def test_login_that_is_over_is_said_and_so_is_its_return(side: Side) -> None:
    """Promise 6: with messages or without."""
    async with side.bridge.listening(), side.working():
        await side.bridge.until_state("polling")
        side.forgets_us()
        await side.bridge.until(lambda: conditions(side)[-1] == "login_needed")
        side.knows_us_again()
        side.writes("back again")
        await side.bridge.until_rows(1)
        await side.bridge.until(lambda: conditions(side)[-1] == "polling")


def conditions(side: Side) -> list[str]:
    return [state.condition for state in side.bridge.states]


async def test_login_that_the_bridge_does_not_take_is_offered_again(side: Side) -> None:
    """docs/channel-port.md: nothing is fetched meanwhile, and nobody ends."""
    side.bridge.refuse_hello = "another owner is paired"
    async with side.working():
        async with side.bridge.listening():
            side.writes("early")
            await side.bridge.until(lambda: bool(side.bridge.hellos))
            await anyio.wait_all_tasks_blocked()
            assert not side.positions()
        side.bridge.refuse_hello = ""
        async with side.bridge.listening():
            await side.bridge.until_rows(1)


async def test_quote_and_echo_bear_the_name_that_the_send_was_given(side: Side) -> None:
    """Promise 7: so the bridge knows its own message again."""
    async with side.bridge.listening(), side.working():
        token = await token_of(side)
        order = OutboundSend("a1", side.owner, "ctb:1", token, "12 passed")
        named = (await side.bridge.ask(order)).server_id
        side.writes("why?", quotes=named)
        await side.bridge.until_rows(2)
        side.shows_what_we_sent(order, named)
        await side.bridge.until_rows(3)
    _, quoting, echo = side.bridge.rows.values()
    assert quoting.quote is not None and quoting.quote.server_id == named
    assert (echo.is_echo, echo.client_id, echo.msg_key) == (True, "ctb:1", f"mid:{named}")
    assert not echo.parts


async def test_file_comes_as_a_reference_that_fetches_it(side: Side) -> None:
    """Promise 9; R27: the members of `media` come back as they were given."""
    side.draws(PICTURE)
    async with side.bridge.listening(), side.working():
        await side.bridge.until_rows(1)
        (row,) = side.bridge.rows.values()
        (part,) = row.parts
        assert part.kind == "image" and part.media is not None
        order = MediaFetch("image", Media(**vars(part.media)), len(PICTURE))
        reply = await side.bridge.ask(order)
        assert (reply.outcome, reply.size_bytes) == ("stored", len(PICTURE))
        stored = side.attachments / reply.stored_path
        assert stored.read_bytes() == PICTURE and stat.S_IMODE(stored.stat().st_mode) == 0o600
        small = MediaFetch("image", part.media, len(PICTURE) - 1)
        assert (await side.bridge.ask(small)).outcome == "gone"
        nothing = MediaFetch("file", Media("no such thing", aes_key=part.media.aes_key), 1)
        assert (await side.bridge.ask(nothing, 20.0)).outcome == "gone"


async def test_outcome_is_remembered_for_a_bridge_that_died(side: Side) -> None:
    """Promise 4; F15: outbound.query tells, and exactly one request was made."""
    async with side.working():
        async with side.bridge.listening():
            token = await token_of(side)
            side.will_take(0.2)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(side.bridge.send, "once", token, side.owner)
                await side.until(side.requests)
                assert (await side.bridge.ask(OutboundQuery("a1"))).state == "in_flight"
                tasks.cancel_scope.cancel()
        await side.drains()
        async with side.bridge.listening():
            found = await side.bridge.ask(OutboundQuery("a1"))
            assert isinstance(found.send, SendReply) and found.send.outcome == "sent"
            assert (await side.bridge.ask(OutboundQuery("a2"))).state == "not_started"
    assert side.requests() == 1


async def test_fetching_and_sending_do_not_wait_for_each_other(side: Side) -> None:
    """ilink-protocol 13, and true of any network: a held poll stops no answer."""
    async with side.bridge.listening(), side.working():
        token = await token_of(side)
        for number in range(3):
            await side.bridge.send(f"part {number}", token, side.owner)
        side.writes("and another")
        await side.bridge.until_rows(2)
    assert side.shown() == ["part 0", "part 1", "part 2"]
