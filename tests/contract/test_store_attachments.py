"""Files of messages over a real database: kept at once, waited for, fetched, quoted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from bridge.core.attached import FileId, Selection
from bridge.core.decision import Decision, NewRow, RowStep, View
from bridge.core.fetching import after_fetch
from bridge.core.model import InboxId, InboxState, Outcome, Part, PeerId, SendClass
from bridge.core.sending import Limits, OutEvent, OutStep
from bridge.store import accounts, attachments, inbox, outbox, turns, views
from bridge.store.db import Database
from bridge.store.statements import records, value
from bridge.store.tables import AttachmentTable
from tests.contract.test_store_inbox import ACCOUNT, NOW_MS, OWNER, accept, stored
from tests.contract.test_store_inbox import db as db  # the fixture

MEDIA = {"download_param": "Qx2", "full_url": "", "aes_key": "00" * 16}
PICTURE = Part("image", media=MEDIA)


def conversation(db: Database, limit: int = 8) -> views.Conversation:
    return db.run_now(lambda: views.conversation(PeerId(OWNER), limit, "en", ()))


def due(db: Database) -> list[FileId]:
    return [file.id for file in db.run_now(lambda: attachments.due(NOW_MS, 9, ()))]


def fetched(db: Database, file: FileId, outcome: str, tries: int = 0) -> None:
    step = after_fetch(outcome, tries, NOW_MS)  # type: ignore[arg-type]  # a word of the type
    path = "/data/x.png" if outcome == "stored" else ""
    db.run_now(lambda: attachments.fetched(file, step, path, "image/png", ""))


def test_reference_is_kept_with_its_row_and_found_there(db: Database) -> None:
    """delivery-semantics 4: at T1; the words of a row hold no key."""
    accept(db, stored(1, parts=(PICTURE, Part("text", "look"), Part("voice", "go on"))))
    (row,) = conversation(db).rows
    assert [(file.place, file.outcome) for file in row.files] == [(0, "")]
    assert not row.is_files_alone and not row.is_here
    assert "aes_key" not in db.run_now(lambda: str(value("SELECT parts FROM inbox")))
    (wanted,) = db.run_now(lambda: attachments.due(NOW_MS, 9, ()))
    assert (wanted.kind, wanted.media, wanted.tries) == ("image", MEDIA, 0)


def test_file_that_came_without_a_reference_is_given_up_at_once(db: Database) -> None:
    """F45: nothing waits for what cannot come."""
    accept(db, stored(1, parts=(Part("voice"),)))
    (row,) = conversation(db).rows
    assert row.is_files_alone and row.is_here and due(db) == []


@pytest.mark.parametrize("outcome", ["ignored", "malformed"])
def test_file_of_a_message_that_is_not_taken_is_not_fetched(db: Database, outcome: str) -> None:
    """R1, R8: one of before the pairing leaves its row, and no file."""
    passed = replace(stored(1, parts=(PICTURE,)), state=InboxState.DONE, outcome=outcome)
    accept(db, passed)
    assert due(db) == [] and db.run_now(lambda: records(AttachmentTable, "1")) == []


def test_two_pictures_of_one_instant_are_two_messages(db: Database) -> None:
    """F26: a twin says the same in every part, its reference included."""
    other = Part("image", media={**MEDIA, "download_param": "Qx3"})
    accept(db, stored(1, parts=(PICTURE,), create_time_ms=NOW_MS))
    accept(db, stored(2, parts=(PICTURE,), create_time_ms=NOW_MS), prev="c1", to="c2")
    accept(db, stored(3, parts=(other,), create_time_ms=NOW_MS), prev="c2", to="c3")
    assert len(conversation(db).rows) == 2


def test_file_that_failed_is_due_later_and_a_stored_one_never_again(db: Database) -> None:
    """issue 3, item 6: a step of its own, retried."""
    accept(db, stored(1, parts=(PICTURE,)), stored(2, parts=(PICTURE,)))
    first, second = due(db)
    fetched(db, first, "retry")
    fetched(db, second, "stored")
    assert due(db) == []
    assert db.run_now(lambda: attachments.next_due_ms(NOW_MS)) == NOW_MS + 5_000
    later = db.run_now(lambda: attachments.due(NOW_MS + 5_000, 9, ()))
    assert [(file.id, file.tries) for file in later] == [(first, 1)]


def test_key_of_a_file_goes_once_it_is_here_or_given_up(db: Database) -> None:
    """R21: what nobody needs is not kept."""
    accept(
        db, stored(1, parts=(PICTURE,)), stored(2, parts=(PICTURE,)), stored(3, parts=(PICTURE,))
    )
    for file, outcome in zip(due(db), ("stored", "gone", "retry"), strict=True):
        fetched(db, file, outcome)
    left = db.run_now(lambda: [row.media for row in records(AttachmentTable, "1 ORDER BY id")])
    assert [bool(media) for media in left] == [False, False, True]


def test_files_of_dropped_messages_are_not_fetched(db: Database) -> None:
    """delivery-semantics 4: only what still has a use."""
    accept(db, stored(1, parts=(PICTURE,)))
    drop = RowStep(InboxId(1), InboxState.DONE, "dropped")
    db.run_now(lambda: inbox.apply(Decision(PeerId(OWNER), (drop,)), ACCOUNT, None, NOW_MS))
    assert due(db) == []


def test_waiting_files_are_neither_poison_nor_pressure(db: Database) -> None:
    """delivery-semantics 9: only due rows count, at boot and for `poll: false`."""
    for number in range(300):
        accept(db, stored(number, parts=(PICTURE,)), to="")
    for _ in range(5):
        db.run_now(inbox.count_boot)
    assert db.run_now(views.due_rows) == 0
    assert {row.attempts for row in conversation(db).rows} == {0}
    accept(db, stored(999, parts=(PICTURE, Part("text", "look"))), to="")
    db.run_now(inbox.count_boot)
    assert db.run_now(views.due_rows) == 0
    accept(db, stored(1000, "words"), to="")
    db.run_now(inbox.count_boot)
    assert db.run_now(views.due_rows) == 1
    assert conversation(db, 400).rows[-1].attempts == 1


def test_many_files_never_hide_the_words_behind_them(db: Database) -> None:
    """F86: an album, then a sentence."""
    for number in range(300):
        accept(db, stored(number, parts=(PICTURE,)), to="")
    accept(db, stored(900, "/status"), stored(901, "look"), to="")
    assert [row.text for row in conversation(db).rows][-2:] == ["/status", "look"]


def test_question_about_files_is_asked_once(db: Database) -> None:
    """delivery-semantics 4: the rows stay `new`."""
    accept(db, stored(1, parts=(PICTURE,)))
    asked = RowStep(InboxId(1), InboxState.NEW, "", is_asked=True)
    db.run_now(lambda: inbox.apply(Decision(PeerId(OWNER), (asked,)), ACCOUNT, None, NOW_MS))
    (row,) = conversation(db).rows
    assert row.is_asked and row.state is InboxState.NEW
    seen = db.run_now(lambda: views.whole(conversation(db).view, None, Limits()))
    assert seen.files_alone == (row.id,) and seen.held == ()


def quoted(db: Database, **fields: Any) -> View:  # Any: fields of an Arrival
    accept(db, stored(50, "and this?", **fields), to="")
    row = conversation(db).rows[-1]
    return db.run_now(lambda: views.quoted(conversation(db).view, row))


@pytest.fixture
def sent(db: Database) -> Iterator[Database]:
    """A database in which one bubble has left, under the id 77."""
    accept(db, stored(1, "first words"))
    bubble = NewRow(SendClass.ANSWER, "the answer is 42", "ctb:1", "g")
    sender = outbox.Sender("worker", Limits(), "en")
    db.run_now(lambda: outbox.add_rows([bubble], PeerId(OWNER), NOW_MS))
    attempt = db.run_now(lambda: outbox.begin(sender, NOW_MS))
    assert attempt is not None
    step = OutStep(OutEvent.SENT)
    db.run_now(lambda: outbox.finish(attempt, Outcome.SENT, step, "77", "", None, NOW_MS))
    yield db


def test_quote_by_id_finds_what_we_sent_and_what_we_were_sent(sent: Database) -> None:
    """issue 3, item 7: newer phones send only the id."""
    assert quoted(sent, quoted_id="77").quoted_text == "the answer is 42"


def test_quote_of_an_own_message_finds_its_words(sent: Database) -> None:
    """issue 3, item 7: by the message key."""
    assert quoted(sent, quoted_id="1").quoted_text == "first words"


def test_quote_of_an_own_picture_says_that_it_was_one(sent: Database) -> None:
    """Ours: it is known, though it has no words."""
    accept(sent, stored(8, parts=(PICTURE,)), to="")
    assert quoted(sent, quoted_id="8").quoted_text == "[image]"


def test_quote_of_a_part_finds_that_part(sent: Database) -> None:
    """issue 3, item 7: the marked part alone."""
    part = Selection("answer", "42")
    assert quoted(sent, quoted_id="77", quoted_part=part).quoted_text == "answer is 42"


def test_quote_with_its_text_needs_no_id_that_is_known(sent: Database) -> None:
    """issue 3, item 7: older phones send the content."""
    assert quoted(sent, quoted_id="12345", quoted_text="old words").quoted_text == "old words"


def test_quote_of_an_unknown_id_is_none(sent: Database) -> None:
    """issue 3, item 7: unknown ids say so, nothing fails."""
    seen = quoted(sent, quoted_id="12345")
    assert (seen.quoted_text, seen.quoted_turn) == (None, None)


def test_account_of_another_owner_drops_the_files_of_the_first(db: Database) -> None:
    """R2: what the first owner sent is not fetched for the next."""
    from dataclasses import replace

    from bridge.core.model import Owner

    accept(db, stored(1, parts=(PICTURE,)))
    other = replace(ACCOUNT, owner=Owner(frozenset({"oNew"})), generation=2, owner_epoch=1)
    db.run_now(lambda: accounts.pair(other, NOW_MS))
    assert due(db) == [] and db.run_now(turns.busy_threads) == ()
