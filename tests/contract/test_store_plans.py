"""A million old rows must not slow one message down: what it takes goes by an index."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from bridge.core.attached import ArtifactId
from bridge.core.decision import NewRow
from bridge.core.guests import NOTE_SPACING_MS
from bridge.core.model import Attempt, Outcome, OutId, PeerId, SendClass, ThreadId, TurnId
from bridge.core.sending import Limits, OutEvent, OutStep
from bridge.store import (
    artifacts,
    attachments,
    groups,
    guests,
    inbox,
    outbox,
    turns,
    views,
)
from bridge.store.db import Database
from bridge.store.tables import proxy
from tests.contract.test_store_inbox import NOW_MS, OWNER, accept, stored
from tests.contract.test_store_inbox import db as db  # the fixture
from tests.contract.test_store_outbox import PEER, SENDER, answer

# As many rows as there are people, names, or groups that somebody has decided about.
FEW = ("SCAN account", "SCAN alias", "SCAN peer", "SCAN group_chat")


@pytest.fixture
def walks(db: Database, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Statements of the store that walk through a whole table, as they are run."""
    found: list[str] = []
    run = proxy.obj.execute_sql

    def watched(statement: str, values: Any = None) -> Any:  # Any: as peewee declares it
        if statement.startswith(("SELECT", "UPDATE")):
            plan = [row[3] for row in run(f"EXPLAIN QUERY PLAN {statement}", values).fetchall()]
            tables = [step for step in plan if step.startswith(("SCAN", "SEARCH"))]
            bad = [step for step in tables if "USING" not in step]
            if bad and bad[0].startswith("SEARCH") and " WHERE " not in statement:
                bad = []  # for the largest key of all: one step
            bad += [step for step in plan if "(peer=?)" in step and "inbox_twin" in step]
            if any(step not in FEW for step in bad):
                found.append(f"{statement} {plan}")
        return run(statement, values)

    monkeypatch.setattr(proxy.obj, "execute_sql", watched)
    return found


def test_way_of_one_message_walks_through_no_whole_table(db: Database, walks: list[str]) -> None:
    """design 9: from its arrival over its answer to the send, with files and a quote."""
    accept(db, stored(50, "why?", quoted_id="77"), to="")
    db.run_now(views.peers_with_news)
    seen = db.run_now(lambda: views.conversation(PeerId(OWNER), 8, "en", ()))
    db.run_now(lambda: views.quoted(seen.view, seen.rows[0]))
    answer(db, 1)
    attempt = db.run_now(lambda: outbox.begin(SENDER, NOW_MS))
    assert attempt is not None
    db.run_now(lambda: turns.shorten_waiting(PEER, NOW_MS))
    db.run_now(lambda: attachments.due(NOW_MS, 2, ()))
    db.run_now(lambda: attachments.next_due_ms(NOW_MS))
    db.run_now(views.due_rows)
    db.run_now(inbox.count_boot)
    db.run_now(turns.busy_threads)
    db.run_now(lambda: artifacts.latest_answer(PeerId(OWNER), None))
    db.run_now(lambda: artifacts.latest_answer(PeerId(OWNER), ThreadId("thread-1")))
    db.run_now(lambda: artifacts.offers_of(TurnId(1)))
    db.run_now(lambda: artifacts.offers_of_agents(PeerId(OWNER), 0))
    db.run_now(lambda: artifacts.offer_told_by(OutId(1)))
    db.run_now(lambda: artifacts.sent(ArtifactId(1)))
    db.run_now(artifacts.needed)
    db.run_now(groups.threads)
    assert not walks, "\n".join(walks)


def test_way_of_an_agents_notes_walks_through_no_whole_table(
    db: Database, walks: list[str]
) -> None:
    """R37: that they leave a minute apart is read from the attempts of that minute."""
    accept(db, stored(1), to="")
    for text in ("one", "two"):
        row = NewRow(SendClass.NOTE, text, f"ctb:{text}", text, client="codex")
        db.run_now(partial(guests.put, row, PeerId(OWNER), NOW_MS))
    found = db.run_now(lambda: outbox.look(SENDER, NOW_MS))
    assert isinstance(found, Attempt) and found.row.text == "one"
    left = OutStep(OutEvent.SENT)
    db.run_now(lambda: outbox.finish(found, Outcome.SENT, left, "", "", None, NOW_MS))
    assert db.run_now(lambda: guests.untried_note("codex", PeerId(OWNER))) is not None
    rest = db.run_now(lambda: outbox.look(SENDER, NOW_MS))
    assert rest == outbox.Rest(NOW_MS + NOTE_SPACING_MS)
    assert not walks


def test_a_status_walks_through_no_whole_table(db: Database, walks: list[str]) -> None:
    """On the phone and at the desk; what is told is counted by partial indexes."""
    answer(db, 1)
    seen = db.run_now(lambda: views.view(PeerId(OWNER), "en"))
    db.run_now(lambda: views.whole(seen, 1, Limits()))
    told = db.run_now(lambda: views.tally(Limits()))
    assert (told.turns, told.threads_busy, told.ready) == ({"settling": 1}, 1, 2)
    assert not walks, "\n".join(walks)
