"""What `/retry` finds over a real database, and what it starts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bridge.core import commands as c
from bridge.core.decision import Decision
from bridge.core.model import PeerId
from bridge.core.retention import KEPT_MS
from bridge.store import past, views
from bridge.store.db import Database
from bridge.store.statements import change
from bridge.store.tables import TurnTable
from tests.contract.room import room
from tests.contract.test_store_inbox import NOW_MS, OWNER, accept, apply, plan, stored
from tests.contract.test_store_inbox import db as db  # the fixture
from tests.contract.test_store_plans import walks as walks  # the fixture


def end(db: Database, number: int, outcome: str, prompt: str, **columns: object) -> None:
    """A turn of this number has ended so; `columns` as they are then."""
    accept(db, stored(number), to="")
    planned = plan(number)
    assert planned.turn is not None
    apply(db, _saying(planned, prompt))
    done = {"state": "done", "outcome": outcome, "ended_ms": NOW_MS - number, **columns}
    db.run_now(lambda: change(TurnTable, "id = ?", (number,), **done))


def _saying(planned: Decision, prompt: str) -> Decision:
    assert planned.turn is not None
    return replace(planned, turn=replace(planned.turn, prompt=prompt))


def found(db: Database, peer: str = OWNER) -> list[int]:
    seen = db.run_now(lambda: past.told(views.view(PeerId(peer), "en"), c.Retry(), NOW_MS))
    return [turn.id for turn in seen.unanswered]


def test_what_has_no_answer_is_found_newest_first(db: Database, walks: list[str]) -> None:
    """design 7; by the order of the messages, whichever ended last, and by an index."""
    end(db, 1, "failed", "one")
    end(db, 2, "completed", "two")
    end(db, 3, "interrupted", "three")
    end(db, 4, "cancelled", "four")
    end(db, 5, "cancelled", "five", stop_requested=True)
    end(db, 6, "failed", "six", ended_ms=NOW_MS - KEPT_MS)
    end(db, 7, "failed", "seven", state="settling")
    assert found(db) == [7, 5, 3, 1]
    assert found(db, "oOther@im.wechat") == []
    assert not walks, "\n".join(walks)


def test_what_was_run_again_since_is_not_found_but_what_failed_again_is(db: Database) -> None:
    """delivery-semantics 1: never run twice by a second `/retry`."""
    end(db, 1, "failed", "build")
    end(db, 2, "failed", "build")
    assert found(db) == [2, 1]
    end(db, 3, "", "build", state="queued")
    assert found(db) == []
    db.run_now(lambda: change(TurnTable, "id = 3", (), state="done", outcome="completed"))
    assert found(db) == []


async def test_failed_message_runs_again_whatever_ended_after_it(tmp_path: Path) -> None:
    """design 7: and a second `/retry` finds that nothing is left to do."""
    async with room(tmp_path) as built:
        built.controller.says("failed", reason="rate_limited")
        await built.says("build it")
        await built.reads("#1 failed")
        await built.until_done()
        built.controller.says("completed", result="looked")
        await built.says("look at it")
        await built.reads("looked")
        await built.until_done(2)
        built.controller.says("completed", result="built")
        await built.says("/retry")
        await built.reads("built")
        await built.until_done(3)
        assert [turn.prompt for turn in await built.turns()] == [
            "build it",
            "look at it",
            "build it",
        ]
        await built.reads("Once more: #1 of code")
        await built.says("/retry")
        await built.reads("send its words again")
        assert built.controller.asked.count("start") == 3
