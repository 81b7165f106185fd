"""How often an agent's words leave, whatever held them up (threat-model R33, R37)."""

from __future__ import annotations

from bridge.core.guests import NOTE_SPACING_MS
from bridge.core.model import Outcome
from bridge.store.statements import records
from bridge.store.tables import OutboxTable
from bridge.wire.facade import ArtifactOffer, NoteQueue
from tests.contract.guest_rig import Counter
from tests.contract.guest_rig import counter as counter  # the fixture


async def test_notes_of_a_minute_are_one_bubble_and_another_agent_waits_for_none(
    counter: Counter,
) -> None:
    """docs/mcp.md: one bubble of notes leaves a minute for each client."""
    await counter.asks(NoteQueue("one"))
    assert counter.leaves().endswith("\none")
    counter.shared.at_ms += 1_000
    for text in ("two", "three"):
        await counter.asks(NoteQueue(text))
    await counter.asks(NoteQueue("hers"), "cursor")
    assert counter.leaves().endswith("\nhers")
    assert (counter.leaves(), counter.next_ms()) == ("", NOTE_SPACING_MS - 1_000)
    counter.shared.at_ms += NOTE_SPACING_MS - 1_000
    assert counter.leaves().endswith("\ntwo\n\nthree")


async def test_offers_and_a_note_leave_a_minute_apart(counter: Counter) -> None:
    """R37: each counts from what left before it, not from when it was written."""
    for name in ("a.txt", "b.txt", "c.txt"):
        assert (await counter.asks(ArtifactOffer(counter.file(name)))).id
    await counter.asks(NoteQueue("and a note"))
    for words in ("a.txt", "b.txt", "c.txt", "and a note"):
        assert words in counter.leaves()
        assert counter.leaves() == ""
        counter.shared.at_ms += NOTE_SPACING_MS


async def test_note_that_was_held_is_a_minute_before_the_next(counter: Counter) -> None:
    """R37: the minute begins when it leaves."""
    counter.shared.at_ms += 24 * 3_600_000  # the window of the owner's last message is over
    assert (await counter.asks(NoteQueue("held"))).state == "held"
    counter.shared.at_ms += 3 * NOTE_SPACING_MS
    counter.writes()
    assert counter.leaves().endswith("\nheld")
    assert (await counter.asks(NoteQueue("next"))).id
    assert (counter.leaves(), counter.next_ms()) == ("", NOTE_SPACING_MS)


async def test_notes_of_a_dead_network_are_two_bubbles_in_their_order(counter: Counter) -> None:
    """R37: behind the one that is tried again, one waits and takes all the others up."""
    for number in range(40):
        await counter.asks(NoteQueue(f"note {number}"))
        while counter.leaves(Outcome.NOT_SENT):
            pass
        counter.shared.at_ms += 15_000
    ready = counter.db.run_now(lambda: records(OutboxTable, "state = 'ready' ORDER BY id"))
    assert [row.text.count("note ") for row in ready] == [1, 39]
    counter.shared.at_ms += 300_000
    assert counter.leaves().endswith("\nnote 0")
    assert counter.leaves() == ""
    counter.shared.at_ms += NOTE_SPACING_MS
    assert counter.leaves().count("note ") == 39
