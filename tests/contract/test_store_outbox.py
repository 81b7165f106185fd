"""Bubbles over a real database: what becomes of answers when many of them wait."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.core.attached import NewFile
from bridge.core.bubbles import MANY_WAITING, bubbles
from bridge.core.decision import Decision, Ids, NewRow
from bridge.core.errors import Stale
from bridge.core.model import (
    Attempt,
    Outcome,
    Part,
    Peer,
    PeerId,
    RunId,
    SendClass,
    ThreadId,
    TurnId,
    TurnState,
)
from bridge.core.sending import STUBBORN_REFUSALS, Limits, OutEvent, OutStep, after_delivery
from bridge.core.turns import Accepted, Run, after_run
from bridge.store import accounts, inbox, outbox, turns, views, windows
from bridge.store.db import Database
from bridge.store.statements import change, records
from bridge.store.tables import OutboxTable, TurnTable
from tests.contract.test_store_inbox import NOW_MS, OWNER, accept, apply, plan, stored
from tests.contract.test_store_inbox import db as db  # the fixture

PEER = Peer(PeerId(OWNER), "en")
SENDER = outbox.Sender("worker", Limits(budget=0, spacing_ms=0), "en")


def answer(db: Database, number: int, result: str = "x" * 9_000) -> None:
    """A turn of its own thread is asked, runs and ends in this answer; nothing is sent."""
    accept(db, stored(number), to="")
    made = apply(db, plan(number, f"thread-{number}")).turn
    assert made is not None

    def unit() -> None:
        turns.running(made, Accepted(RunId(f"r{number}"), ThreadId(made.thread), None, None))
        now = turns.get(made.id)
        assert now is not None and now.state is TurnState.RUNNING
        waiting = turns.answers_waiting(PeerId(OWNER))
        if waiting >= MANY_WAITING - 1:
            turns.shorten_waiting(PEER, NOW_MS)
        run = Run(RunId(f"r{number}"), "completed", made.thread, result=result)
        turns.settle(now, after_run(now, run, PEER, waiting, Ids("i", f"s{number}")), NOW_MS, None)

    db.run_now(unit)


def ready(db: Database) -> list[str]:
    rows = db.run_now(lambda: records(OutboxTable, "state = 'ready' ORDER BY id"))
    return [str(row.text) for row in rows]


@pytest.mark.parametrize("result", ["x" * 9_000, "word " * 800])
def test_each_of_many_answers_that_wait_names_its_own_way_to_the_rest(
    db: Database, result: str
) -> None:
    """design 7, issue 3 item 4: one bubble each, also of those that came before there were many."""
    for number in (1, 2, 3, 4, 5):
        answer(db, number, result)
        assert len(ready(db)) == (2 * number if number < MANY_WAITING else number)
    left = 5 if "x" in result else 2
    for number, text in enumerate(ready(db), 1):
        assert text.splitlines()[-1].startswith(f"▸ {left} more: ")
        assert f"/result {number}" in text and "/more" not in text
        assert (f"/sendfile #{number}" in text) == (left == 5)
        assert len(text) <= 1_800


def test_answer_that_is_read_is_the_last_one_before_its_thread_is_free(db: Database) -> None:
    """Ours: `/retry` and `/status` never mean the answer before it (delivery-semantics 6)."""
    answer(db, 1, "the first")
    db.run_now(lambda: TurnTable.update(state="done").execute())
    answer(db, 2, "the second")
    seen = db.run_now(lambda: views.whole(views.view(PEER.id, "en"), None, SENDER.limits))
    assert [turn.state for turn in seen.turns] == [TurnState.SETTLING]
    assert seen.last_turn is not None and seen.last_turn.result == "the second"


def test_short_answers_are_left_as_they_are(db: Database) -> None:
    """Ours: there is nothing to save."""
    for number in (1, 2, 3, 4):
        answer(db, number, "done")
    assert ready(db) == ["(code)\ndone"] * 4


def leave(db: Database, step: OutStep) -> None:
    """One attempt that ends in this."""
    attempt = db.run_now(lambda: outbox.begin(SENDER, NOW_MS))
    assert attempt is not None
    db.run_now(lambda: outbox.finish(attempt, Outcome.REFUSED, step, "", "", None, NOW_MS))


def more(db: Database) -> tuple[int | None, int]:
    """Which answer `/more` goes on with, and at which bubble."""
    seen = db.run_now(lambda: views.peer(PEER.id, "en"))
    return seen.more_turn, seen.more_next


def test_more_goes_on_behind_the_one_bubble_that_is_left_of_an_answer(db: Database) -> None:
    """Ours: what was to be the second bubble is the first that `/more` brings."""
    answer(db, 1)
    assert more(db) == (1, 2)
    answer(db, 2, "short")
    answer(db, 3, "short")
    assert more(db) == (1, 1)
    answer(db, 4)
    assert more(db) == (4, 1)


def test_more_goes_on_behind_the_bubble_that_wechat_never_took(db: Database) -> None:
    """delivery-semantics 5: the rest of its group is cancelled, and nobody has read it."""
    answer(db, 1)

    leave(db, OutStep(OutEvent.DEAD, cancels_group=True))
    assert more(db) == (1, 1)
    leave(db, OutStep(OutEvent.SENT))  # the word that it is incomplete
    seen = db.run_now(lambda: views.peer(PEER.id, "en"))
    done = db.run_now(lambda: turns.get(TurnId(1)))
    assert done is not None
    rows = bubbles(done, 1, 4, PEER, Ids("i", "more"))
    read = Decision(PEER.id, bubbles=rows, peer_before=seen, peer_after=replace(seen, more_next=5))
    db.run_now(lambda: inbox.apply(read, accounts.get(), None, NOW_MS))
    leave(db, OutStep(OutEvent.SENT))
    leave(db, OutStep(OutEvent.DEAD, cancels_group=True))
    assert more(db) == (1, 3)


def test_more_that_a_new_answer_overtook_is_decided_again(db: Database) -> None:
    """Ours: the place in one answer is never taken for a place in another."""
    answer(db, 1)
    seen = db.run_now(lambda: views.peer(PEER.id, "en"))
    answer(db, 2)
    read_on = replace(seen, more_next=6)
    late = Decision(PEER.id, bubbles=(GOES,), peer_before=seen, peer_after=read_on)
    with pytest.raises(Stale):
        db.run_now(lambda: inbox.apply(late, accounts.get(), None, NOW_MS))
    assert more(db) == (2, 2) and "goes" not in ready(db)
    other = replace(late, peer_after=replace(seen, lang="zh"))
    db.run_now(lambda: inbox.apply(other, accounts.get(), None, NOW_MS))
    assert more(db) == (2, 2) and "goes" in ready(db)


def test_answer_that_has_begun_to_leave_is_never_changed(db: Database) -> None:
    """delivery-semantics 5: merged before the first attempt only."""
    answer(db, 1)
    attempt = db.run_now(lambda: outbox.begin(SENDER, NOW_MS))
    assert attempt is not None
    step = OutStep(OutEvent.RETRY, fails=1)
    db.run_now(lambda: outbox.finish(attempt, Outcome.NOT_SENT, step, "", "", None, NOW_MS))
    before = ready(db)
    answer(db, 2)
    answer(db, 3)
    assert ready(db)[:2] == before
    assert len(ready(db)) == 4


@pytest.mark.parametrize(
    ("outcome", "event", "now"),
    [
        (Outcome.UNKNOWN, OutEvent.UNKNOWN, "sent"),
        (Outcome.UNCONFIRMED, OutEvent.UNCONFIRMED, "sent"),
        (Outcome.REFUSED, OutEvent.DEAD, "dead"),
    ],
)
def test_echo_of_a_bubble_settles_what_was_not_known_of_it(
    db: Database, outcome: Outcome, event: OutEvent, now: str
) -> None:
    """F46, delivery-semantics 5: and then a quote of it resolves."""
    answer(db, 1, "done")
    attempt = db.run_now(lambda: outbox.begin(SENDER, NOW_MS))
    assert attempt is not None
    db.run_now(lambda: outbox.finish(attempt, outcome, OutStep(event), "", "", None, NOW_MS))
    db.run_now(lambda: outbox.echoed(attempt.row.client_id, "77"))
    db.run_now(lambda: outbox.echoed("ctb:of-somebody-else", "78"))
    (row,) = db.run_now(lambda: records(OutboxTable, "1"))
    assert (row.outcome, row.server_id) == (now, "77" if now == "sent" else "")


TIGHT = outbox.Sender("worker", Limits(budget=2, spacing_ms=0), "en")
HOUR_MS = 3_600_000


def attempt_now(db: Database, now_ms: int = NOW_MS, sender: outbox.Sender = TIGHT) -> Attempt:
    found = db.run_now(lambda: outbox.begin(sender, now_ms))
    assert found is not None
    return found


def fails(db: Database, attempt: Attempt, outcome: Outcome, now_ms: int = NOW_MS) -> None:
    def unit() -> None:
        step = after_delivery(attempt.row, outcome, accounts.get(), TIGHT.limits, now_ms)
        outbox.finish(attempt, outcome, step, "", "", None, now_ms)

    db.run_now(unit)


def test_word_for_the_rest_that_did_not_leave_is_said_again(db: Database) -> None:
    """issue 3, item 3: the last credit is for it, whatever becomes of its first attempt."""
    answer(db, 1)
    fails(db, attempt_now(db), Outcome.SENT)
    asking = attempt_now(db)
    assert "Send me anything" in asking.row.text
    fails(db, asking, Outcome.NOT_SENT)
    assert db.run_now(lambda: outbox.look(TIGHT, NOW_MS)) == outbox.Rest(NOW_MS + 2_000)
    again = attempt_now(db, NOW_MS + 2_000)
    assert again.row.client_id == asking.row.client_id
    fails(db, again, Outcome.SENT)
    assert db.run_now(lambda: outbox.look(TIGHT, NOW_MS + HOUR_MS)) == outbox.Rest(None)


def test_word_for_the_rest_is_void_once_the_owner_wrote(db: Database) -> None:
    """Ours: who has written need not be asked to."""
    answer(db, 1)
    fails(db, attempt_now(db), Outcome.SENT)
    fails(db, attempt_now(db), Outcome.NOT_SENT)
    later_ms = NOW_MS + 5_000
    account = db.run_now(accounts.get)
    wrote = stored(2, parts=(Part("text", "go on"),))
    db.run_now(lambda: inbox.accept([wrote], account, "", "c2", True, later_ms))
    assert attempt_now(db, later_ms).row.part == 2
    (row,) = db.run_now(lambda: records(OutboxTable, "grp = 'rest'"))
    assert (row.state, row.outcome) == ("done", "cancelled")


def test_word_for_the_rest_waits_for_the_breaker(db: Database) -> None:
    """F36: an open breaker stops all sending."""
    answer(db, 1)
    fails(db, attempt_now(db), Outcome.SENT)
    fails(db, attempt_now(db), Outcome.THROTTLED)
    assert db.run_now(lambda: outbox.look(TIGHT, NOW_MS + 1)) == outbox.Rest(NOW_MS + 60_000)


def test_day_of_replies_begins_when_the_owner_wrote(db: Database) -> None:
    """ilink-protocol 6.4: a message that waited out a downtime opens no whole day."""
    opened = Limits(budget=8)

    def left_ms() -> int:
        _credits, closes_ms = db.run_now(lambda: windows.standing(OWNER, opened))
        assert closes_ms is not None
        return closes_ms - NOW_MS

    accept(db, replace(stored(1), age_ms=20 * HOUR_MS))
    assert left_ms() == 3 * HOUR_MS
    accept(db, replace(stored(2), age_ms=1_000), prev="c1", to="c2")
    assert left_ms() == 23 * HOUR_MS
    accept(db, replace(stored(3), age_ms=10 * HOUR_MS), prev="c2", to="c3")
    assert left_ms() == 23 * HOUR_MS  # an older one, delivered late, closes nothing


def test_notice_of_an_incomplete_answer_outlives_a_closed_window_and_an_unknown_outcome(
    db: Database,
) -> None:
    """delivery-semantics 5 and 7: the rest is cancelled, and the notice is no mere note."""
    answer(db, 1)
    later_ms = NOW_MS + 2 * HOUR_MS
    for wait_ms in (0, 5_000, 65_000):
        refused = attempt_now(db, NOW_MS + wait_ms, SENDER)
        fails(db, refused, Outcome.REFUSED, NOW_MS + wait_ms)
    for _ in range(2):
        told = attempt_now(db, later_ms, SENDER)
        assert "/result 1" in told.row.text
        fails(db, told, Outcome.UNKNOWN, later_ms)
        later_ms += 60_000
    assert [row for row in ready(db) if "/result 1" not in row] == []
    assert len(ready(db)) == 1


def owe(db: Database, *rows: NewRow, now_ms: int = NOW_MS) -> None:
    db.run_now(lambda: outbox.add_rows(rows, PeerId(OWNER), now_ms))


def many(send_class: SendClass) -> list[NewRow]:
    """More than are read at once."""
    return [
        NewRow(send_class, f"{n}", f"ctb:{n}", f"g{n}") for n in range(2 * outbox.LOOKED_AT + 1)
    ]


GOES = NewRow(SendClass.NOTE, "goes", "ctb:goes", "goes")


@pytest.mark.parametrize("send_class", [SendClass.APPROVAL, SendClass.ANSWER, SendClass.NOTE])
def test_bubble_that_may_go_is_found_behind_any_number_that_wait(
    db: Database, send_class: SendClass
) -> None:
    """delivery-semantics 5: a back-off is of its own bubble, and holds up no other group."""
    accept(db, stored(1), to="")
    owe(db, *many(send_class))
    db.run_now(lambda: change(OutboxTable, "1", (), not_before_ms=NOW_MS + 60_000))
    owe(db, GOES)
    attempt = db.run_now(lambda: outbox.begin(SENDER, NOW_MS))
    assert attempt is not None and attempt.row.text == "goes"
    fails(db, attempt, Outcome.SENT)
    assert db.run_now(lambda: outbox.look(SENDER, NOW_MS)) == outbox.Rest(NOW_MS + 60_000)


def test_words_go_ahead_of_any_number_of_files_that_are_not_up(db: Database) -> None:
    """Ours: files go up one at a time; the first of them is named for it meanwhile."""
    accept(db, stored(1), to="")
    files = [NewFile(f"s{n}", "a.txt", "file", 5, "hash") for n in range(outbox.LOOKED_AT + 1)]
    owing = tuple(
        NewRow(
            SendClass.ANSWER, f.name, f"ctb:{f.staged_name}", f.staged_name, staged=f.staged_name
        )
        for f in files
    )
    decision = Decision(PeerId(OWNER), bubbles=(*owing, GOES), files=tuple(files))
    db.run_now(lambda: inbox.apply(decision, accounts.get(), None, NOW_MS))
    attempt = db.run_now(lambda: outbox.begin(SENDER, NOW_MS))
    assert attempt is not None and attempt.row.text == "goes"
    fails(db, attempt, Outcome.SENT)
    rest = db.run_now(lambda: outbox.look(SENDER, NOW_MS))
    assert isinstance(rest, outbox.Rest) and rest.upload is not None
    assert rest.upload.file is not None and rest.upload.file.staged_name == "s0"


def test_fresh_note_is_found_behind_any_number_that_nobody_needs_any_more(db: Database) -> None:
    """delivery-semantics 5: old notes go, and cost the ones behind them nothing."""
    accept(db, stored(1), to="")
    owe(db, *many(SendClass.NOTE), now_ms=NOW_MS - 2 * HOUR_MS)
    owe(db, GOES)
    attempt = db.run_now(lambda: outbox.begin(SENDER, NOW_MS))
    assert attempt is not None and attempt.row.text == "goes"


def test_word_for_the_rest_is_said_again_before_any_number_of_answers(db: Database) -> None:
    """issue 3, item 3: the last credit is for it alone."""
    accept(db, stored(1), to="")
    owe(db, *many(SendClass.ANSWER))
    fails(db, attempt_now(db), Outcome.SENT)
    asking = attempt_now(db)
    assert "Send me anything" in asking.row.text
    fails(db, asking, Outcome.NOT_SENT)
    again = attempt_now(db, NOW_MS + 2_000)
    assert again.row.client_id == asking.row.client_id


def test_bubble_that_wechat_never_takes_holds_up_nothing_for_ever(db: Database) -> None:
    """protocol 5.3: a `-2` may be about the bubble; after three of them another is the probe."""
    accept(db, stored(1), to="")
    owe(db, *(NewRow(SendClass.ANSWER, text, f"ctb:{text}", text) for text in "abc"))
    now_ms, tried = NOW_MS, []
    for _ in range(8):
        attempt = attempt_now(db, now_ms, SENDER)
        tried.append(attempt.row.text)
        is_bad = attempt.row.text == "a"
        fails(db, attempt, Outcome.THROTTLED if is_bad else Outcome.SENT, now_ms)
        now_ms += HOUR_MS if is_bad else 0
    assert tried == ["a", "a", "a", "b", "c", "a", "a", "a"]


def test_refusals_of_all_leave_the_order_as_it_was(db: Database) -> None:
    """delivery-semantics 5: a day that is over refuses everything; then the oldest goes first."""
    accept(db, stored(1), to="")
    owe(db, *(NewRow(SendClass.ANSWER, text, f"ctb:{text}", text) for text in "ab"))
    for hour in range(2 * STUBBORN_REFUSALS):
        fails(db, attempt_now(db, NOW_MS + hour * HOUR_MS, SENDER), Outcome.THROTTLED)
    late_ms = NOW_MS + 7 * HOUR_MS
    for text in "ab":
        attempt = attempt_now(db, late_ms, SENDER)
        assert attempt.row.text == text
        fails(db, attempt, Outcome.SENT, late_ms)
