"""What agents are told of their bubbles, and what a call that is made again does."""

from __future__ import annotations

from bridge.core.guests import MAX_WAITING_OFFERS, MAX_WAITING_QUESTIONS, NOTE_SPACING_MS
from bridge.core.model import Outcome
from bridge.core.sending import NOTE_LIFE_MS, QUESTION_LIFE_MS
from bridge.facade import words
from bridge.store import artifacts
from bridge.store.statements import count
from bridge.store.tables import ArtifactTable, OutboxTable
from bridge.wire.facade import (
    ArtifactOffer,
    DeliveryStatus,
    NoteQueue,
    QuestionAsk,
    QuestionResult,
)
from tests.contract.guest_rig import OWNER, Counter
from tests.contract.guest_rig import counter as counter  # the fixture


async def test_refused_question_is_undelivered_and_takes_no_place(counter: Counter) -> None:
    """issue 5, point 12: an agent with `notify:owner` alone has no other way to know."""
    asked = [await counter.asks(QuestionAsk(f"{n}?")) for n in range(MAX_WAITING_QUESTIONS)]
    refused = await counter.asks(QuestionAsk("one more?"))
    assert (refused.why, refused.id) == ("too_many_questions", 0)
    for _ in range(3):
        assert "\n0?\n" in counter.leaves(Outcome.REFUSED)
        counter.shared.at_ms += 60_000
    result = await counter.asks(QuestionResult(asked[0].id))
    assert result.state == "undelivered" and "never reached" in words.of_result(result)
    assert (await counter.asks(DeliveryStatus(asked[0].id))).state == "failed"
    assert (await counter.asks(QuestionResult(asked[1].id))).state == "waiting"
    assert (await counter.asks(QuestionAsk("one more?"))).id


async def test_question_that_never_left_is_undelivered_when_it_is_over(counter: Counter) -> None:
    """Ours: the owner has not written since; nobody was asked."""
    asked = await counter.asks(QuestionAsk("go on?"))
    counter.shared.at_ms += QUESTION_LIFE_MS + 1
    assert (await counter.asks(QuestionResult(asked.id))).state == "expired"
    assert counter.leaves() == ""
    assert (await counter.asks(QuestionResult(asked.id))).state == "undelivered"


async def test_call_that_is_made_again_has_the_receipt_of_the_first(counter: Counter) -> None:
    """R34: its reply was lost with the bridge, or on the way."""
    note, question = NoteQueue("deploy done"), QuestionAsk("Deploy?", ("y", "n"))
    offer = ArtifactOffer(counter.file("plot.txt"), "as you asked")
    for request in (note, question, offer):
        first = await counter.asks(request)
        assert first.id and await counter.asks(request) == first
        assert (await counter.asks(request, "cursor")).id != first.id
    assert counter.db.run_now(lambda: count(OutboxTable, "1")) == 6
    assert counter.db.run_now(lambda: count(ArtifactTable, "1")) == 2


async def test_file_that_is_offered_again_is_one_offer_and_told_again_when_nobody_was(
    counter: Counter,
) -> None:
    """Ours: /sendfile ends it, and three of one file do not take all the places."""
    offer = ArtifactOffer(counter.file("plot.txt"))
    first = await counter.asks(offer)
    assert "plot.txt" in counter.leaves()
    counter.shared.at_ms += NOTE_SPACING_MS
    told = await counter.asks(offer)
    assert (told.id, told.state, counter.leaves()) == (first.id, "offered", "")

    lost = await counter.asks(ArtifactOffer(counter.file("lost.txt")))
    counter.shared.at_ms += NOTE_LIFE_MS + 1
    assert counter.leaves() == ""
    status = await counter.asks(DeliveryStatus(lost.id))
    assert status.state == "dropped"
    assert "stays in their list" in words.of_receipt(status)
    again = await counter.asks(ArtifactOffer(counter.file("lost.txt")))
    assert again.id != lost.id and "lost.txt" in counter.leaves()
    offers = counter.db.run_now(lambda: artifacts.offers_of_agents(OWNER, 0))
    assert [found.path.rpartition("/")[2] for found in offers] == ["lost.txt", "plot.txt"]


async def test_refusal_says_what_of_it_is_too_many_or_too_long(counter: Counter) -> None:
    """issue 5, point 12: what has to happen before another is taken."""
    for number in range(MAX_WAITING_OFFERS):
        await counter.asks(ArtifactOffer(counter.file(f"{number}.txt")))
    more = await counter.asks(ArtifactOffer(counter.file("more.txt")))
    assert "three of your files" in words.of_receipt(more)
    long = await counter.asks(ArtifactOffer("/" + "x/" * 600))
    assert "too long" in words.of_receipt(long)
    relative = await counter.asks(ArtifactOffer("x.txt"))
    assert "must be absolute" in words.of_receipt(relative)
