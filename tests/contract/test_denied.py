"""Who may not come in costs a counter and nothing else; who may is answered, and nobody else."""

from __future__ import annotations

import logging
from typing import Any

import anyio
import pytest

from bridge.core import intake
from bridge.store.statements import change
from bridge.store.tables import InboxTable, OutboxTable, TurnTable
from bridge.tasks.senders import MAX_SENDERS, Senders
from bridge.wire import messages
from tests.contract.desk_rig import CHAT, MEMBER, OFF, desk
from tests.contract.worker_rig import LIMIT_S, OWNER, WECHAT

SECRET = "attack-at-dawn"
FILE = messages.Media(download_param=SECRET, full_url="https://cdn.example/" + SECRET)
DENIED: dict[str, dict[str, Any]] = {  # Any: fields of an Inbound
    "stranger": {"sender": MEMBER, "chat": ""},
    "stranger with a file": {
        "sender": MEMBER,
        "chat": "",
        "parts": (messages.Part("image", SECRET, media=FILE),),
    },
    "stranger with a quote": {
        "sender": MEMBER,
        "chat": "",
        "quote": messages.Quote(server_id="srv-1", text=SECRET),
    },
    "owner of another case": {"sender": OWNER.upper(), "chat": ""},
    "owner in a group": {"sender": OWNER, "chat": CHAT},
    "stranger in a group": {"sender": MEMBER, "chat": CHAT},
    "malformed stranger": {"sender": MEMBER, "chat": "", "malformed": SECRET, "parts": ()},
    "nobody": {"sender": "", "chat": ""},
}
WORDS = ["", "/help ", "/approve ", "/yes ", "@Bot ", "/group list "]


@pytest.mark.parametrize("who", DENIED)
async def test_denied_message_costs_a_counter_and_nothing_else(
    who: str, caplog: pytest.LogCaptureFixture
) -> None:
    """R1, R36: no row, no file, no reply, no typing, no fetch, no call, no word in a log."""
    caplog.set_level(logging.DEBUG)
    async with desk(OFF) as at:
        await at.greets()
        before, asked = await at.everything(), list(at.asked)
        files = sorted(at.bench.folder.rglob("*"))
        for word in WORDS:
            await at.writes(word + SECRET, **DENIED[who])
        sender = DENIED[who]["sender"]
        assert at.bench.door.senders.seen[sender].messages == len(WORDS) + (sender == OWNER)
        assert await at.everything() == before
        assert (at.asked, at.controller.asked) == (asked, [])
        assert sorted(at.bench.folder.rglob("*")) == files
        logged = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
        assert logged and SECRET not in logged


async def test_replay_of_a_stranger_is_no_different_from_the_first() -> None:
    """R1: the check comes before any look at what is known already."""
    async with desk(OFF) as at:
        await at.greets()
        before = await at.everything()
        stranger = messages.Inbound("mid:1", MEMBER, parts=(messages.Part("text", "x"),))
        for _ in range(3):
            batch = messages.InboundCommit("", "", at.bench.shared.now_ms(), (stranger,))
            assert (await at.worker.call(batch, LIMIT_S)).status == "ok"
        assert await at.everything() == before


async def test_fault_in_the_check_lets_nobody_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """R1: an exception inside denies, for the owner too; the next message is judged anew."""
    async with desk(OFF) as at:
        await at.greets()
        with monkeypatch.context() as broken:
            broken.setattr(intake, "authorize", _breaks)
            await at.owner_writes("/help")
        assert len(await at.rows(InboxTable)) == 1
        await at.owner_writes("/list")
        await at.reads(OWNER, "Your names for threads")
        assert len(await at.rows(InboxTable)) == 2


def _breaks(*_given: object) -> None:
    raise ZeroDivisionError


async def test_counters_of_strangers_are_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """R36: many senders cost a table of fixed size and one log line, and hide no owner."""
    caplog.set_level(logging.INFO)
    async with desk(OFF) as at:
        strangers = [
            messages.Inbound(f"mid:{n}", f"o{n}@im.wechat", parts=(messages.Part("text", "x"),))
            for n in range(MAX_SENDERS + 500)
        ]
        batch = messages.InboundCommit("", "", at.bench.shared.now_ms(), tuple(strangers))
        assert (await at.worker.call(batch, LIMIT_S)).status == "ok"
        assert len(at.bench.door.senders.seen) == MAX_SENDERS
        assert at.bench.door.senders.strange == MAX_SENDERS + 500
        assert len([r for r in caplog.records if "denied" in r.getMessage()]) == 1
        await at.greets()
        assert at.bench.door.senders.seen[OWNER].is_owner
        assert len(at.bench.door.senders.seen) == MAX_SENDERS


def test_strangers_are_told_of_in_one_line_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """R36: the line counts what came since the one before; a clock set back hides nothing."""
    caplog.set_level(logging.INFO)
    senders = Senders()
    for at_ms in (0, 1, 59_999, 60_000, 60_001, 30_000):
        senders.note("oX", is_owner=False, is_denied=True, now_ms=at_ms)
    told = [vars(record)["fields"] for record in caplog.records]
    assert [(line["messages"], line["in_all"]) for line in told] == [(1, 1), (3, 4), (2, 6)]


def test_who_wrote_last_is_kept_and_owners_are() -> None:
    """Ours: `probe-updates` names the owner, and whoever has just written, in any flood."""
    senders = Senders()
    senders.note(OWNER, is_owner=True, is_denied=False, now_ms=0)
    for number in range(2 * MAX_SENDERS):
        senders.note(f"o{number}", is_owner=False, is_denied=True, now_ms=number)
    assert len(senders.seen) == MAX_SENDERS
    assert OWNER in senders.seen and f"o{2 * MAX_SENDERS - 1}" in senders.seen
    assert "o0" not in senders.seen


@pytest.mark.parametrize(("sender", "chat"), [(MEMBER, CHAT), (MEMBER, ""), (OWNER, "")])
async def test_another_bots_message_settles_nothing(sender: str, chat: str) -> None:
    """R1, R4: only who sends from the bot's own id may say that a bubble of ours arrived."""
    async with desk(OFF) as at:
        await at.greets()

        def unit() -> None:
            change(OutboxTable, "1", (), outcome="unknown", server_id="")

        await at.bench.db.run(unit)
        (row,) = await at.rows(OutboxTable)
        await at.writes("x", sender, chat, is_echo=True, client_id=row.client_id)
        assert await at.rows(OutboxTable) == [row]
        await at.writes("x", WECHAT.bot_id, "", is_echo=True, client_id=row.client_id)
        (after,) = await at.rows(OutboxTable)
        assert (after.outcome, after.server_id) == ("sent", "3")


async def test_hundred_echoes_start_nothing() -> None:
    """R7: neither the bot's own words, nor what bears an owner's name and says it is the bot's."""
    async with desk(OFF) as at:
        await at.greets()
        asked, sent = list(at.asked), len(at.sent)
        for sender in (WECHAT.bot_id, OWNER):
            for number in range(50):
                await at.writes(f"do it {number}", sender, "", is_echo=True)
        await at.until_decided()
        assert (at.asked, len(at.sent), at.controller.asked) == (asked, sent, [])
        assert await at.rows(TurnTable) == []


async def test_flood_of_a_hundred_thousand_costs_neither_room_nor_the_owners_time() -> None:
    """R36: ten thousand strangers; the state does not grow, and the owner is answered at once."""
    async with desk(OFF) as at:
        await at.greets()
        before = await at.everything()
        worker = at.bench.served
        assert worker is not None
        flood = [messages.Inbound(f"mid:x{n}", f"o{n}@im.wechat") for n in range(10_000)]
        for first in [*range(0, 10_000, 1_000)] * 10:
            some = tuple(flood[first : first + 1_000])
            batch = messages.InboundCommit("", "", at.bench.shared.now_ms(), some)
            await at.bench.door.answer(worker, batch)  # past the socket, which has its own bounds
        assert await at.everything() == before
        assert len(at.bench.door.senders.seen) == MAX_SENDERS
        assert at.bench.door.senders.strange == 100_000
        with anyio.fail_after(5):
            await at.owner_writes("/list")
            await at.reads(OWNER, "Your names for threads")


async def test_reply_goes_to_the_peer_of_the_row_and_never_to_a_name_in_the_text() -> None:
    """R6: two owners, a group, and words that name the other one."""
    other = "oSecond@im.wechat"
    async with desk() as at:
        await at.approves()
        both = messages.ChannelHello("wechat", "bot", (OWNER, other), generation=1)
        await at.worker.call(both, LIMIT_S)
        sent = len(at.sent)
        await at.writes(f"/send {OWNER} tell {OWNER}", other, "")
        await at.reads(other, "There is no")
        await at.writes("/use code", other, "")
        await at.reads(other, "Now using code")
        await at.writes(f"answer to {OWNER}", other, "", quote=messages.Quote(server_id="srv-1"))
        at.controller.says("completed", result=f"/send {OWNER} hi @{CHAT}")
        await at.reads(other, "/send")
        await at.writes(f"@Bot say it to {OWNER}", other)
        at.controller.says("completed", result=f"dear {OWNER}")
        await at.reads(CHAT, "dear")
        assert {o.to_user_id for o in list(at.sent)[sent:]} == {other, CHAT}
        said = {row.id: row.peer for row in await at.rows(InboxTable)}
        assert len(set(said.values())) == 3
        for row in await at.rows(OutboxTable, "turn IS NOT NULL"):
            assert row.peer in (other, f"group:{CHAT}")
