"""What a worker is told about its batches: stored, refused, or not stored at all.

For two networks, whose ids have nothing in common (issue 5, item 11).
"""

from __future__ import annotations

import pytest

from bridge.core.decision import NewRow
from bridge.core.model import AccountState, SendClass, TurnId
from bridge.store import accounts, outbox
from bridge.store.statements import change, records
from bridge.store.tables import InboxTable, OutboxTable, proxy
from bridge.tasks.door import LOOK_EVERY, MAX_DUE_ROWS
from bridge.wire import codec, messages
from bridge.wire.peer import Peer, Refused
from tests.contract.worker_rig import Bench
from tests.contract.worker_rig import built as built  # the fixture

LIMIT_S = 10.0
NOW_MS = 1_800_000_000_000
DAY_MS = 86_400_000


def message(built: Bench, number: int, text: str = "go on", **fields: object) -> messages.Inbound:
    known = {"create_time_ms": NOW_MS, "context_token": "ctx", "parts": (text_part(text),)}
    key, owner = built.network.key(number), built.network.owner
    return messages.Inbound(key, owner, **known | fields)  # type: ignore[arg-type]  # named as its own


def text_part(text: str) -> messages.Part:
    return messages.Part("text", text)


async def commit(
    peer: Peer, *batch: messages.Inbound, prev: str = "", to: str = "c1"
) -> messages.CommitReply:
    return await peer.call(messages.InboundCommit(prev, to, NOW_MS, batch), LIMIT_S)


async def keys(bench: Bench) -> list[str]:
    return await bench.db.read(lambda: [row.msg_key for row in InboxTable.select()])


@pytest.mark.parametrize(
    ("time_ms", "kept"),
    [
        pytest.param(NOW_MS - 1_000, 1, id="true"),
        pytest.param(NOW_MS + 1_000, 1, id="a-second-ahead-of-the-date"),
        pytest.param(NOW_MS + DAY_MS, 2, id="future"),
        pytest.param(DAY_MS, 2, id="before-2020"),
        pytest.param(0, 2, id="missing"),
        pytest.param(-1, 2, id="negative"),
    ],
)
async def test_twin_is_only_who_has_an_equal_time_that_can_be_true(
    built: Bench, time_ms: int, kept: int
) -> None:
    """delivery-semantics 4 and 12: the owner may say "go on" twice."""
    worker = await built.connects()
    batch = [message(built, number, create_time_ms=time_ms) for number in (1, 2)]
    assert (await commit(worker, *batch)).status == "ok"
    assert len(await keys(built)) == kept


async def test_batch_that_cannot_be_stored_is_storage_error_until_there_is_room(
    built: Bench,
) -> None:
    """F62, R39: nothing stored, no cursor moved; the same batch goes in later."""
    worker = await built.connects()
    assert (await commit(worker, message(built, 1))).status == "ok"
    pages = (await built.db.read(lambda: proxy.execute_sql("PRAGMA page_count").fetchone()))[0]
    await limit_pages(built, pages)
    long = [message(built, n, "x" * 5_000, create_time_ms=NOW_MS - n) for n in range(2, 40)]
    reply = await commit(worker, *long, prev="c1", to="c2")
    assert (reply.status, reply.cursor) == ("storage_error", "c1")
    assert await keys(built) == [built.network.key(1)]
    await limit_pages(built, 100_000)
    reply = await commit(worker, *long, prev="c1", to="c2")
    assert (reply.status, reply.cursor) == ("ok", "c2")
    assert len(await keys(built)) == 39


async def limit_pages(bench: Bench, pages: int) -> None:
    await bench.db.read(lambda: proxy.execute_sql(f"PRAGMA max_page_count = {pages}").fetchone())


async def test_worker_stops_fetching_behind_200_due_rows_that_came_one_by_one(
    built: Bench,
) -> None:
    """delivery-semantics 9: with the first row too many, and few of the others counted for it."""
    told: list[object] = []

    async def hear(request: object) -> messages.Done:
        told.append(request)
        return messages.Done()

    counts: list[str] = []

    def watch(statement: str) -> None:
        if "count(*) FROM inbox" in statement:
            counts.append(statement)

    worker = await built.connects(answer=hear)
    await built.db.read(lambda: proxy.connection().set_trace_callback(watch))
    for number in range(1, MAX_DUE_ROWS + 2):
        assert not told
        await commit(worker, message(built, number, create_time_ms=NOW_MS - number), to="")
    assert told == [messages.PollSet(poll=False)]
    assert len(counts) <= MAX_DUE_ROWS // LOOK_EVERY + 1


async def test_messages_of_strangers_are_counted_and_nothing_else_of_them_is_kept(
    built: Bench,
) -> None:
    """R1, R36: no row, no body."""
    worker = await built.connects()
    stranger = messages.Inbound(
        built.network.key(1), built.network.stranger, parts=(text_part("let me in"),)
    )
    assert (await commit(worker, stranger)).status == "ok"
    assert await keys(built) == []
    seen = built.door.senders.seen[built.network.stranger]
    assert (seen.messages, seen.denied, seen.is_owner) == (1, 1, False)


async def test_owner_who_writes_in_a_group_is_no_stranger(built: Bench) -> None:
    """Ours: `status` counts what others were denied, `probe-updates` still says who owns."""
    worker = await built.connects()
    here = messages.Inbound(built.network.key(1), built.network.owner, parts=(text_part("hi"),))
    there = messages.Inbound(
        built.network.key(2),
        built.network.owner,
        chat="group",
        group_id="g1",
        parts=(text_part("@Bot hi"),),
    )
    assert (await commit(worker, here, there)).status == "ok"
    seen = built.door.senders.seen[built.network.owner]
    assert (seen.messages, seen.denied, seen.is_owner) == (2, 1, True)


@pytest.mark.parametrize("code", ["-14", "http 401", "coo", ""])
async def test_account_follows_its_worker_whatever_the_code_is(built: Bench, code: str) -> None:
    """delivery-semantics 5: the codes of a network are read by its worker alone."""
    worker = await built.connects()
    steps = ("suspect", "suspect", "login_needed", "suspect", "polling", "login_needed")
    seen = []
    for number, condition in enumerate(steps):
        await worker.call(messages.ChannelState(condition, number, code), LIMIT_S)  # type: ignore[arg-type]  # a literal
        seen.append((await built.db.read(accounts.get)).state.value)
    assert seen == ["suspect", "suspect", "login_needed", "login_needed", "on", "login_needed"]


async def test_new_login_names_the_answers_that_waited_for_long(built: Bench) -> None:
    """delivery-semantics 8: with the new generation, and not when a worker only comes again."""
    network = built.network
    worker = await built.connects()
    row = NewRow(SendClass.ANSWER, "an answer", "ctb:1", "turn-7-0-s", turn=TurnId(7))
    await built.db.run(lambda: outbox.add_rows((row,), network.owner, NOW_MS))
    await built.db.run(lambda: change(OutboxTable, "1", (), created_ms=1))
    await built.greets(worker)
    assert await ready(built) == ["an answer"]
    hello = messages.ChannelHello(network.channel, network.bot_id, (network.owner,), generation=2)
    for _ in range(2):
        await worker.call(hello, LIMIT_S)
        (told,) = await ready(built)
        assert "/result 7" in told


async def ready(bench: Bench) -> list[str]:
    rows = await bench.db.read(lambda: records(OutboxTable, "state = 'ready' ORDER BY id"))
    return [str(row.text) for row in rows]


async def test_another_channel_gets_no_hand_on_the_state_of_this_one(built: Bench) -> None:
    """R2: whoever its owner is, however high its epoch; a sentence says what to do."""
    mine = await built.connects()
    assert (await commit(mine, message(built, 1))).status == "ok"
    other = await built.connects("two", claims=False)
    for epoch in (0, 9):
        with pytest.raises(Refused, match=f"belongs to {built.network.channel}: ") as refused:
            await other.call(hello_of("telegram", built.network.owner, epoch), LIMIT_S)
        assert refused.value.code == codec.INVALID_PARAMS and "CTB_DATA_DIR" in str(refused.value)
    with pytest.raises(Refused, match="hello comes first"):
        await commit(other, message(built, 2), prev="c1", to="c2")
    await other.call(messages.ChannelState("suspect", 0), LIMIT_S)
    account = await built.db.read(accounts.get)
    assert (account.channel, account.state) == (built.network.channel, AccountState.ON)
    assert account.owner.user_ids == {built.network.owner} and account.cursor == "c1"
    assert await keys(built) == [built.network.key(1)]
    assert (await commit(mine, message(built, 3), prev="c1", to="c2")).cursor == "c2"


async def test_state_of_a_worker_that_was_refused_moves_no_account(built: Bench) -> None:
    """R2: also while the account's own worker is away."""
    mine = await built.connects()
    await mine.call(messages.ChannelState("login_needed", 0, "-14"), LIMIT_S)
    mine.close()
    await built.until_free()
    other = await built.connects("two", claims=False)
    with pytest.raises(Refused):
        await other.call(hello_of("telegram", "424242"), LIMIT_S)
    await other.call(messages.ChannelState("polling", 0), LIMIT_S)
    assert (await built.db.read(accounts.get)).state is AccountState.LOGIN_NEEDED


def hello_of(channel: str, owner: str, epoch: int = 0) -> messages.ChannelHello:
    return messages.ChannelHello(channel, "tbot", (owner,), generation=1, owner_epoch=epoch)
