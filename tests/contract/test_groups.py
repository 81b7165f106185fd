"""Groups through the whole bridge, from the worker's socket to the controller's door."""

from __future__ import annotations

import json
import stat

import anyio
import pytest

from bridge.core import verbs
from bridge.core.group_chat import group_peer
from bridge.core.groups import HOURLY, MAX_PENDING
from bridge.store import groups, views, windows
from bridge.store.statements import change
from bridge.store.tables import (
    AliasRow,
    ApprovalTable,
    AuditTable,
    GroupRow,
    InboxTable,
    OutboxTable,
    PeerRow,
    QuestionTable,
    TurnTable,
)
from bridge.wire import messages
from tests.contract.desk_rig import CHAT, GROUP, MEMBER, NOW_MS, OFF, Desk, desk
from tests.contract.worker_rig import LIMIT_S, OWNER


async def test_group_asks_is_approved_and_is_answered_where_it_asked() -> None:
    """issue 5.9, R5, R6: pending, told once, approved, a read-only turn, answered there."""
    async with desk() as at:
        await at.greets()
        await at.writes("@Bot hello")
        told = await at.reads(OWNER, "/group approve 1")
        assert told.group_id == "" and "@chatroom" not in told.text
        await at.writes("@Bot hello again")
        await at.owner_writes("/group approve 1")
        await at.reads(OWNER, "Group 1 may ask")
        await at.writes("@Bot what is WAL?")
        at.controller.says("completed", result="A log that is written ahead.")
        answer = await at.reads(CHAT, "written ahead")
        assert (answer.group_id, answer.context_token) == (CHAT, f"ctx-{CHAT}")
        await at.until_done()
        ((turn, owner),) = at.controller.orders
        assert (turn.sandbox, turn.approval_policy, owner) == (
            "read-only",
            "never",
            "ctb-group-qa:1",
        )
        assert at.controller.asked[-3:] == ["ack", "close", "release"]
        assert [o.text for o in at.sent if "/group approve 1 " in o.text] == [told.text]
        assert len(at.sent) == 4


async def test_thread_of_a_group_runs_in_an_empty_private_folder_of_its_own() -> None:
    """R5: never a workspace."""
    async with desk() as at:
        await at.approves()
        await at.writes("@Bot what is WAL?")
        at.controller.says("completed", result="A log.")
        await at.reads(CHAT, "A log.")
        folder = at.bench.folder / "groups" / "1"
        assert at.controller.orders[0][0].cwd == str(folder)
        assert list(folder.iterdir()) == []
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700


async def test_second_question_goes_on_in_the_same_thread_and_other_groups_have_their_own() -> None:
    """issue 5.9: an isolated thread per group."""
    async with desk() as at:
        await at.approves()
        for number in (1, 2):
            await at.writes(f"@Bot question {number}")
            at.controller.says("completed", result=f"answer {number}")
            await at.reads(CHAT, f"answer {number}")
            await at.until_done(number)
        await at.writes("@Bot hello", chat="88")
        await at.reads(OWNER, "/group approve 2")
        await at.owner_writes("/group approve 2")
        await at.reads(OWNER, "Group 2 may ask")
        await at.writes("@Bot question 3", chat="88")
        at.controller.says("completed", result="answer 3")
        await at.reads("88", "answer 3")
        first, second, third = (turn for turn, _ in at.controller.orders)
        assert first.thread.startswith("new:") and second.thread == "made-1"
        assert third.thread.startswith("new:") and third.thread != first.thread
        assert first.cwd == second.cwd != third.cwd
        kept = {row.peer: row.thread for row in await at.rows(GroupRow)}
        assert kept == {GROUP: "made-1", group_peer("88"): "made-3"}


@pytest.mark.parametrize("verb", verbs.verbs())
async def test_no_command_in_a_group_reaches_anything_of_the_owners(verb: str) -> None:
    """R5, F88: every verb, by the owner too: no alias, approval, file, choice or work thread."""
    async with desk() as at:
        await at.approves()
        before, sends = await owners_state(at), len(at.sent)
        for rest in ("", "code", "1", "abcdefghj", "code go", "approve 1", "disable 1"):
            await at.writes(f"@Bot /{verb} {rest}", OWNER)
        await at.writes(f"/{verb}", OWNER)
        await at.writes("/qa status", MEMBER)
        await at.until_decided()
        await at.reads(CHAT, "within this hour")
        assert at.controller.orders == [] and at.controller.asked == []
        assert await owners_state(at) == before
        assert {order.group_id for order in list(at.sent)[sends:]} == {CHAT}
        assert len([o for o in at.to_groups() if "Only questions" in o.text]) == 7


async def owners_state(at: Desk) -> list[object]:
    """Every row that belongs to the owner, as it is."""
    found = await at.rows(PeerRow, f"peer = '{OWNER}'")
    for table in (AliasRow, ApprovalTable, QuestionTable, TurnTable, GroupRow):
        found += await at.rows(table)
    return found


@pytest.mark.parametrize("text", ["@Bot hello", "/qa status", "@Bot /group approve 1"])
@pytest.mark.parametrize("sender", [OWNER, MEMBER])
async def test_switched_off_a_group_costs_a_counter_and_nothing_else(
    text: str, sender: str
) -> None:
    """R5, F88, R36: no row, no reply, no controller call, and the owner is told nothing."""
    async with desk(OFF) as at:
        await at.writes(text, sender)
        await at.owner_writes("/group list")
        await at.reads(OWNER, "CTB_GROUP_QA=on")
        assert await at.rows(GroupRow) == [] and at.controller.asked == []
        assert [row.peer for row in await at.rows(InboxTable)] == [OWNER]
        assert len(at.sent) == 1 and sender in at.bench.door.senders.seen


async def test_group_that_asks_leaves_no_words_behind_and_no_more_than_three_ask() -> None:
    """R36, R37: strangers can neither fill the disk nor the owner's chat."""
    async with desk() as at:
        await at.greets()
        for number in range(MAX_PENDING + 5):
            await at.writes("@Bot hello secret words", chat=f"chat-{number}")
        await at.owner_writes("/group list")
        text = (await at.reads(OWNER, "Groups (")).text
        assert text.count("asks") == MAX_PENDING
        assert len(await at.rows(GroupRow)) == MAX_PENDING
        assert len([o for o in at.sent if "wants to ask" in o.text]) == MAX_PENDING
        assert {row.peer for row in await at.rows(InboxTable)} == {OWNER}
        assert not any("secret" in o.text for o in at.sent)
        asked = [row.subject for row in await at.rows(AuditTable, "what = 'group.ask'")]
        assert asked == [f"group {number}" for number in range(1, MAX_PENDING + 1)]


async def test_five_groups_that_ask_at_once_are_no_more_than_there_is_room_for() -> None:
    """R37: two ask already, and five more in one batch."""
    async with desk() as at:
        await at.greets()
        for number in range(2):
            await at.writes("@Bot hello", chat=f"chat-{number}")
        now_ms = at.bench.shared.now_ms()
        batch = tuple(
            messages.Inbound(
                f"mid:g{number}",
                MEMBER,
                chat="group",
                group_id=f"more-{number}",
                create_time_ms=now_ms,
                parts=(messages.Part("text", "@Bot hello"),),
            )
            for number in range(5)
        )
        await at.worker.call(messages.InboundCommit("", "", now_ms, batch), LIMIT_S)
        await at.owner_writes("/group list")
        text = (await at.reads(OWNER, "Groups (")).text
        assert text.count("asks") == len(await at.rows(GroupRow)) == MAX_PENDING
        assert len(await at.rows(OutboxTable, "grp LIKE '%-group-%'")) == MAX_PENDING


async def test_group_opens_no_window_of_the_owner_and_is_not_their_word() -> None:
    """issue 5.9: no token, no time, no send of the owner's is made by what a group says."""
    async with desk() as at:
        await at.approves()
        (owner,) = await at.rows(PeerRow, f"peer = '{OWNER}'")
        used = await at.bench.db.read(lambda: windows.of_peer(OWNER))
        await at.writes("@Bot hello", OWNER)
        at.controller.says("completed", result="hi")
        await at.reads(CHAT, "hi")
        assert await at.rows(PeerRow, f"peer = '{OWNER}'") == [owner]
        assert await at.bench.db.read(lambda: windows.of_peer(OWNER)) == used
        tally = await at.bench.db.read(lambda: views.tally(at.bench.shared.limits))
        assert tally.credits is not None and tally.credits == 8 - used.used


async def test_confirmation_of_the_owner_is_not_given_in_a_group() -> None:
    """R29, design 7: `/yes` counts in the private chat alone."""
    async with desk() as at:
        await at.approves()
        await at.owner_writes("/remove code")
        await at.reads(OWNER, "Remove the name code?")
        await at.writes("@Bot /yes", OWNER)
        await at.until_decided()
        assert [row.name for row in await at.rows(AliasRow)] == ["code"]
        await at.owner_writes("/yes")
        await at.reads(OWNER, "The name code is gone")


async def test_owner_does_not_see_or_stop_a_groups_turn_as_their_own() -> None:
    """R5: kept apart both ways; `/group disable` is the way to end it."""
    async with desk() as at:
        await at.approves()
        await at.writes("@Bot what is WAL?")
        await at.until_running()
        await at.owner_writes("/queue")
        await at.reads(OWNER, "Nothing is waiting")
        await at.owner_writes("/stop")
        await at.reads(OWNER, "Nothing is running in code")
        assert "cancel" not in at.controller.asked
        await at.owner_writes("/group disable 1")
        await at.reads(OWNER, "may not ask any more")
        await at.until_done()
        assert "cancel" in at.controller.asked
        assert at.controller.asked[-3:] == ["ack", "close", "release"]
        assert at.to_groups() == []


async def test_disabled_group_is_met_with_silence_and_what_waited_ends() -> None:
    """issue 5.9: disable; the queue of the group goes with it."""
    async with desk() as at:
        await at.approves()
        await at.writes("@Bot one")
        await at.until_running()
        await at.writes("@Bot two")
        await at.until_decided()
        await at.owner_writes("/group disable 1")
        await at.until_done(2)
        await at.writes("@Bot three")
        await at.writes("/qa status")
        assert [row.outcome for row in await at.rows(TurnTable)] == ["cancelled", "cancelled"]
        assert len(at.controller.orders) == 1 and at.to_groups() == []
        assert len(await at.rows(InboxTable, f"peer = '{GROUP}'")) == 2


async def test_reset_forgets_the_conversation_and_not_the_right_to_ask() -> None:
    """issue 5.9: reset, a fresh thread under the same number."""
    async with desk() as at:
        await at.approves()
        await at.writes("@Bot one")
        at.controller.says("completed", result="first answer")
        await at.reads(CHAT, "first answer")
        await at.until_done()
        await at.owner_writes("/group reset 1")
        await at.reads(OWNER, "begins anew")
        await at.writes("@Bot two")
        at.controller.says("completed", result="second answer")
        await at.reads(CHAT, "second answer")
        first, second = (turn for turn, _ in at.controller.orders)
        assert second.thread.startswith("new:") and second.thread != first.thread
        assert second.cwd == first.cwd
        await at.until_done(2)
        made = {row.thread for row in await at.rows(TurnTable)}
        assert len(made) == 2
        assert await at.bench.db.read(groups.threads) == made
        listed = json.dumps([["made-1", "what the group asked", "/elsewhere"]])
        await at.bench.db.run(lambda: change(PeerRow, "peer = ?", (OWNER,), listed=listed))
        await at.owner_writes("/use 1")
        await at.reads(OWNER, "belongs to a group")


async def test_status_in_the_group_is_answered_in_the_group() -> None:
    """issue 5.9: `/qa status`, without a turn."""
    async with desk() as at:
        await at.approves()
        await at.writes("/qa status")
        order = await at.reads(CHAT, f"{HOURLY - 1} more within this hour")
        assert order.group_id == CHAT and at.controller.asked == []


async def test_flood_of_a_group_is_one_sentence_and_a_bounded_number_of_rows() -> None:
    """R36, delivery-semantics 9: the owner's messages always get in."""
    async with desk() as at:
        await at.approves()
        for number in range(HOURLY + 30):
            await at.writes(f"@Bot /{number}")
        await at.owner_writes("/queue")
        await at.reads(OWNER, "Nothing is waiting")
        await at.until_decided()
        assert len(await at.rows(InboxTable, f"peer = '{GROUP}'")) == HOURLY + 1
        said = [row.text for row in await at.rows(OutboxTable, f"peer = '{GROUP}'")]
        assert len(said) == HOURLY + 1 and len([t for t in said if "asked" in t]) == 1


async def test_run_of_a_group_that_wants_an_approval_is_ended_and_nobody_is_asked() -> None:
    """R5, R29: approval_policy=never, also where a controller does not keep to it."""
    async with desk() as at:
        await at.approves()
        sends = len(at.sent)
        await at.writes("@Bot what is WAL?")
        await at.until_running()
        at.controller.says("blocked", reason="approval_required")
        await at.reads(CHAT, "could not be answered")
        assert await at.rows(ApprovalTable) == [] and "approvals" not in at.controller.asked
        assert "cancel" in at.controller.asked
        assert all(order.group_id for order in list(at.sent)[sends:])


async def test_question_over_which_our_own_code_stumbles_is_set_aside_in_silence() -> None:
    """delivery-semantics 9: poison; the owner's chat goes on beside it."""
    async with desk() as at:
        await at.approves()
        (at.bench.folder / "groups").write_text("in the way of its folder")
        await at.writes("@Bot what is WAL?")
        await at.until_decided()
        (row,) = await at.rows(InboxTable, f"peer = '{GROUP}'")
        assert (row.outcome, at.to_groups(), at.controller.asked) == ("poison", [], [])
        await at.owner_writes("/list")
        await at.reads(OWNER, "Your names for threads")


async def test_typing_sign_is_never_shown_for_a_group() -> None:
    """R1: no request for anybody but the owner but the answer itself."""
    async with desk() as at:
        await at.approves()
        await at.writes("@Bot what is WAL?")
        await at.until_running()
        await anyio.sleep(0.5)  # longer than TYPING_AFTER_S
        assert not any(isinstance(request, messages.TypingSet) for request in at.asked)


async def test_quote_of_a_groups_answer_leads_the_owner_nowhere() -> None:
    """R5: an id of the channel is looked for in the chat it came from alone."""
    async with desk() as at:
        await at.approves()
        await at.writes("@Bot what is WAL?")
        at.controller.says("completed", result="A log.")
        await at.reads(CHAT, "A log.")
        (sent,) = await at.rows(OutboxTable, f"peer = '{GROUP}'")
        await at.until_done()
        await at.writes("and why?", OWNER, "", quote=messages.Quote(server_id=sent.server_id))
        at.controller.says("completed", result="because")
        await at.reads(OWNER, "because")
        assert [turn.thread for turn, _ in at.controller.orders][-1] == "thread-0001"


async def test_boot_with_groups_off_ends_every_approval_and_what_it_left() -> None:
    """R5: QA off -> no controller call at all, of an earlier process's questions neither."""
    async with desk() as at:
        await at.approves()
        await at.writes("@Bot one")
        await at.until_running()
        await at.writes("@Bot two")
        await at.until_decided()
        await at.bench.db.run(lambda: groups.silence_all(NOW_MS))
        (group,) = await at.bench.db.read(groups.known)
        assert group.state == "disabled"
        live, waits = await at.rows(TurnTable)
        assert (live.stop_requested, waits.state, waits.outcome) == (1, "done", "cancelled")
