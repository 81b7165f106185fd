"""What a quote leads to: the thread that gave the answer, or the question that was asked.

The channel names a bubble only in its reply to the send; a bubble without a name may be on
the phone all the same.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.core.approvals import Asked
from bridge.core.decision import NewRow
from bridge.core.model import ApprovalId, OutId, Question, SendClass
from bridge.core.sending import QUESTION_LIFE_MS, REPEAT_MARK
from bridge.store import guests
from bridge.store.statements import change, records
from bridge.store.tables import OutboxTable, QuestionTable
from tests.contract.room import OWNER, Room, room

SHOWN = "▸ codex asks you:\nBlue or red?\n1. Blue\n2. Red"
ASKED = Asked(
    ApprovalId("t:1"), "question", "which port?", "which port?", "digest-1", ("a:80", "a:81")
)


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Room]:
    """A room in which an agent's question was sent, and nobody knows under which id."""
    async with room(tmp_path) as built:
        await built.db.run(lambda: ask(built.shared.now_ms()))
        yield built


def ask(now_ms: int) -> None:
    row = NewRow(SendClass.QUESTION, SHOWN, "ctb:q", "q", client="codex")
    number = guests.put(row, OWNER, now_ms)
    guests.put_question(Question(number, "codex", OWNER, ("Blue", "Red"), "abc23defg", now_ms))
    change(OutboxTable, "id = ?", (number,), state="done", outcome="unconfirmed")


async def answers(at: Room) -> list[str]:
    found = await at.db.read(lambda: records(QuestionTable, "outcome = 'answered'"))
    return [row.said for row in found]


@pytest.mark.parametrize("shown", [SHOWN, f"  {SHOWN}\n", REPEAT_MARK + SHOWN])
async def test_quote_by_its_words_answers_the_question_whose_id_is_unknown(
    at: Room, shown: str
) -> None:
    """design 7: quoting the question does the same as its code."""
    await at.says("2", "unknown-id", shown)
    await at.reads("kept for codex")
    assert await answers(at) == ["Red"] and await at.turns() == []


async def test_quote_of_an_unknown_id_is_not_run_while_it_may_be_an_answer(at: Room) -> None:
    """R30: an answer for an agent must not become work of a thread."""
    await at.says("2", "unknown-id")
    told = await at.reads("nothing was done")
    assert "/answer abc23defg" in told
    assert await answers(at) == [] and await at.turns() == []
    await at.says("/answer abc23defg 2")
    await at.reads("kept for codex")
    await at.says("build it", "unknown-id")
    await at.until_asked("start")


@pytest.mark.parametrize("outcome", ["sent", "cancelled", "dead"])
async def test_quote_of_an_unknown_id_is_a_prompt_where_the_question_has_a_name_or_never_left(
    at: Room, outcome: str
) -> None:
    """Ours: what cannot be that question is no reason to ask back."""
    name = "srv-1" if outcome == "sent" else ""
    await at.db.run(lambda: change(OutboxTable, "1", (), outcome=outcome, server_id=name))
    await at.says("build it", "unknown-id")
    await at.until_asked("start")


async def test_quote_of_other_words_is_a_prompt(at: Room) -> None:
    """design 7: its words are known, and they are no question's."""
    await at.says("build it", "unknown-id", "something older")
    await at.until_asked("start")


async def test_question_that_nobody_waits_for_any_more_holds_up_no_quote(at: Room) -> None:
    """core.guests: 12 hours."""
    late_ms = at.shared.now_ms() - QUESTION_LIFE_MS - 1_000
    await at.db.run(lambda: change(QuestionTable, "1", (), asked_ms=late_ms))
    await at.says("build it", "unknown-id")
    await at.until_asked("start")


async def asked_by_the_thread(at: Room) -> OutId:
    """The bubble of a question that the running turn asks."""
    await at.says("build it")
    await at.until_asked("start")
    at.controller.listed = (ASKED,)
    at.controller.says("blocked", reason="approval_required")
    await at.reads("asks you")
    (row,) = await at.db.read(lambda: records(OutboxTable, "text LIKE '%which port%'"))
    return OutId(row.id)


async def test_quoted_question_of_a_thread_is_answered_and_is_no_prompt(tmp_path: Path) -> None:
    """design 7: `/answer`, a question of a thread or of an agent; quoting it does the same."""
    async with room(tmp_path) as at:
        number = await asked_by_the_thread(at)
        columns = {"server_id": "srv-7", "state": "done", "outcome": "sent"}
        await at.db.run(lambda: change(OutboxTable, "id = ?", (number,), **columns))
        await at.says("2", "srv-7")
        await at.reads("has your answer")
        assert at.controller.given == ["accept"] and len(await at.turns()) == 1
        await at.says("2", "srv-7")
        await at.until_decided()
        assert at.controller.given == ["accept"]


async def test_quoted_question_of_a_thread_is_known_by_its_words(tmp_path: Path) -> None:
    """The same where the channel did not name the bubble."""
    async with room(tmp_path) as at:
        number = await asked_by_the_thread(at)
        columns = {"state": "done", "outcome": "unconfirmed"}
        await at.db.run(lambda: change(OutboxTable, "id = ?", (number,), **columns))
        (shown,) = await at.db.read(lambda: records(OutboxTable, "text LIKE '%which port%'"))
        await at.says("81, please", "unknown-id")
        assert "#1" in await at.reads("nothing was done")
        await at.says("2", "unknown-id", shown.text)
        await at.reads("has your answer")
        assert len(await at.turns()) == 1


async def test_quoted_request_for_a_command_is_approved_by_nothing_but_its_code(
    tmp_path: Path,
) -> None:
    """R29: in a quote -> nothing is approved, whatever it says."""
    async with room(tmp_path) as at:
        await at.says("build it")
        await at.until_asked("start")
        make = Asked(ApprovalId("t:1"), "command", "run a command: make", "make", "d", ())
        at.controller.listed = (make,)
        at.controller.says("blocked", reason="approval_required")
        await at.reads("wants to run this command")
        columns = {"server_id": "srv-7", "state": "done", "outcome": "sent"}
        await at.db.run(lambda: change(OutboxTable, "text LIKE '%make%'", (), **columns))
        await at.says("yes, /approve", "srv-7")
        await at.reads("waits for your answer")
        assert at.controller.given == [] and len(await at.codes()) == 1
