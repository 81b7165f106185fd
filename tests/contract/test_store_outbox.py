"""Bubbles over a real database: what becomes of answers when many of them wait."""

from __future__ import annotations

import pytest

from bridge.core.decision import Ids
from bridge.core.model import Outcome, Peer, PeerId, RunId, ThreadId, TurnState
from bridge.core.sending import Limits, OutEvent, OutStep
from bridge.core.turns import MANY_WAITING, Accepted, Run, after_run
from bridge.store import outbox, turns
from bridge.store.db import Database
from bridge.store.statements import records
from bridge.store.tables import OutboxTable
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


def test_three_answers_that_wait_are_one_bubble_each(db: Database) -> None:
    """design 7, issue 3 item 4: the ones before are merged as well, and say how to go on."""
    answer(db, 1)
    answer(db, 2)
    assert len(ready(db)) == 4
    answer(db, 3)
    found = ready(db)
    assert len(found) == 3
    assert [text.splitlines()[-1] for text in found] == [
        "▸ 5 more: send /result 1",
        "▸ 5 more: send /result 2",
        "▸ 5 more: send /more",
    ]
    assert all(len(text) <= 1_800 for text in found)


def test_short_answers_are_left_as_they_are(db: Database) -> None:
    """Ours: there is nothing to save."""
    for number in (1, 2, 3, 4):
        answer(db, number, "done")
    assert ready(db) == ["(code)\ndone"] * 4


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
