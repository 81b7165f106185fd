"""What is left of an owner who is none any more: nothing that runs, waits, or is still sent."""

from __future__ import annotations

import pytest

from bridge.core.approvals import Asked
from bridge.core.given_up import Kind
from bridge.core.model import ApprovalId
from bridge.store import accounts, past
from bridge.store.statements import change
from bridge.store.tables import (
    AliasRow,
    ApprovalTable,
    AuditTable,
    GroupRow,
    InboxTable,
    OutboxTable,
    PeerRow,
    TurnTable,
)
from bridge.wire import messages
from tests.contract.desk_rig import OFF, Desk, desk
from tests.contract.worker_rig import LIMIT_S, OWNER

NEXT = "oNext@im.wechat"
SECOND = "oSecond@im.wechat"
ASKED = Asked(ApprovalId("t:1"), "command", "run a command: make", "make\n/", "digest-1", ())


async def owners(at: Desk, *people: str, epoch: int = 0) -> None:
    """The worker names these owners; a higher epoch is a login with `--change-owner`."""
    hello = messages.ChannelHello("wechat", "bot", people, 1 + epoch, epoch)
    await at.worker.call(hello, LIMIT_S)


async def fates(at: Desk) -> list[tuple[str, str, str]]:
    return [(row.peer, row.state, row.outcome) for row in await at.rows(TurnTable)]


async def test_turns_of_a_former_owner_end_and_what_waited_never_starts() -> None:
    """R2, R6: the running one is stopped, the queued one is over, and nobody is told a word."""
    async with desk(OFF) as at:
        await at.greets()
        await at.owner_writes("one")
        await at.until_running()
        await at.owner_writes("two")
        await at.until_turns("state = 'queued'")
        sent = len(at.sent)
        await owners(at, NEXT, epoch=1)
        await at.until_done(2)
        assert await fates(at) == [(OWNER, "done", "cancelled")] * 2
        assert [turn.prompt for turn, _ in at.controller.orders] == ["one"]
        assert "cancel" in at.controller.asked
        assert at.controller.asked[-3:] == ["ack", "close", "release"]
        assert await at.rows(OutboxTable, "state != 'done'") == [] and len(at.sent) == sent


async def test_another_owner_begins_with_nothing_of_the_former() -> None:
    """R2: tokens, names, requests, held messages and what was not sent yet are gone."""
    async with desk(OFF) as at:
        await at.greets()
        now_ms = at.bench.shared.now_ms()
        await at.writes("do it", OWNER, "", create_time_ms=now_ms - 7_200_000)
        await at.reads(OWNER, "/run-held")
        await at.owner_writes("one")
        await at.until_running()
        at.controller.listed = (ASKED,)
        at.controller.says("blocked", "approval_required")
        await at.reads(OWNER, "/approve")
        await at.until_settled()
        await owners(at, NEXT, epoch=1)
        assert [row.state for row in await at.rows(ApprovalTable)] == ["done"]
        assert [row.outcome for row in await at.rows(ApprovalTable)] == ["void"]
        assert await at.rows(AliasRow) == [] and await at.rows(PeerRow) == []
        assert await at.rows(InboxTable, "state != 'done' OR done_ms = 0") == []
        await at.until_done()
        assert {row.outcome for row in await at.rows(TurnTable)} == {"cancelled"}
        line = (await at.rows(AuditTable, "what = 'account.pair'"))[-1]
        assert (line.rule, line.outcome, line.subject) == (
            "threat-model R2",
            "owner taken",
            "epoch 1",
        )


async def test_question_of_a_group_ends_with_the_owner_who_allowed_it() -> None:
    """R2, R5: the group is forgotten, and so is what it had asked."""
    async with desk() as at:
        await at.approves()
        await at.writes("@Bot one")
        await at.until_running()
        await at.writes("@Bot two")
        await at.until_turns("state = 'queued'")
        await owners(at, NEXT, epoch=1)
        await at.until_done(2)
        assert {row.outcome for row in await at.rows(TurnTable)} == {"cancelled"}
        assert len(at.controller.orders) == 1 and at.to_groups() == []
        assert await at.rows(GroupRow) == []
        assert (await at.bench.db.read(accounts.get)).owner.user_ids == {NEXT}


async def test_person_taken_off_the_list_is_sent_nothing_and_runs_nothing() -> None:
    """R6: the list of the settings holds for what was begun before it, too; who stays, stays."""
    async with desk(OFF) as at:
        await at.greets()
        await owners(at, OWNER, SECOND)
        await at.writes("/use code", SECOND, "")
        await at.reads(SECOND, "Now using code")
        await at.writes("do it", SECOND, "")
        await at.until_running()
        await at.writes("do more", SECOND, "")
        await at.until_turns("state = 'queued'")
        await at.owner_writes("mine")
        await at.until_turns("state = 'queued'", 2)
        sent = len(at.sent)
        await owners(at, OWNER)
        await at.until_done(2)
        at.controller.says("completed", result="for the owner")
        await at.reads(OWNER, "for the owner")
        await at.until_done(3)
        assert [turn.prompt for turn, _ in at.controller.orders] == ["do it", "mine"]
        assert {order.to_user_id for order in list(at.sent)[sent:]} == {OWNER}
        assert [row.peer for row in await at.rows(PeerRow)] == [OWNER]
        assert len(await at.rows(AliasRow)) == 1


@pytest.mark.parametrize("outcome", ["dead", "unknown"])
async def test_what_a_former_owner_was_owed_is_given_up_for_good(outcome: str) -> None:
    """R6: no repair at the desk sends or runs it again."""
    async with desk(OFF) as at:
        await at.greets()

        def unit() -> None:
            change(OutboxTable, "1", (), outcome=outcome)

        await at.bench.db.run(unit)
        now_ms = at.bench.shared.now_ms()
        (one,) = await at.bench.db.read(lambda: past.given_up(now_ms))
        assert one.id == 1
        await owners(at, NEXT, epoch=1)
        assert await at.bench.db.read(lambda: past.given_up(now_ms)) == ()
        assert await at.bench.db.read(lambda: past.find(Kind.BUBBLE, 1)) is None


async def test_bubble_that_comes_back_after_its_owner_went_is_not_sent() -> None:
    """R6: an attempt that was under way is the last one."""
    async with desk(OFF) as at:
        await at.greets()
        await owners(at, NEXT, epoch=1)

        def unit() -> None:
            change(OutboxTable, "1", (), state="ready", outcome="")

        sent = len(at.sent)
        await at.bench.db.run(unit)
        at.bench.shared.outbox_bell.ring()

        async def is_over() -> bool:
            return not await at.rows(OutboxTable, "state != 'done'")

        await at.until(is_over)
        assert len(at.sent) == sent
