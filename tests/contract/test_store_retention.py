"""Rows that nobody needs any more go, in slices; what is unfinished or leads on stays."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from peewee import Model

from bridge.core.decision import Audit
from bridge.core.given_up import Kind as Lost
from bridge.core.model import OutId, PeerId, Question, TurnId
from bridge.core.retention import DAY_MS, KEPT_FOR_MS, Kind
from bridge.store import artifacts, audit, guests, past, retention
from bridge.store.db import Database
from bridge.store.statements import add, change, count, record
from bridge.store.tables import (
    ApprovalTable,
    ArtifactTable,
    AttachmentTable,
    AttemptTable,
    AuditTable,
    InboxTable,
    OutboxTable,
    QuestionTable,
    TurnTable,
    proxy,
)
from tests.contract.test_store_inbox import NOW_MS, OWNER, accept, apply, keys, plan, stored
from tests.contract.test_store_inbox import db as db  # the fixture
from tests.contract.test_store_outbox import answer

MONTH_LATER = NOW_MS + 31 * DAY_MS
QUARTER_LATER = NOW_MS + 91 * DAY_MS


def round_of(db: Database, now_ms: int) -> dict[Kind, int]:
    """One day's round: how many rows of each kind went."""
    gone = dict.fromkeys(Kind, 0)
    for kind in Kind:
        after: int | None = 0
        while after is not None:
            at = after
            found = db.run_now(lambda at=at, kind=kind: retention.let_go(kind, at, now_ms))  # type: ignore[misc]  # lambda
            gone[kind] += found.gone
            after = found.last
    return gone


def left(db: Database, table: type[Model], where: str = "1") -> int:
    return db.run_now(lambda: count(table, where))


def put(db: Database, unit: Callable[[], Any]) -> Any:  # Any: whatever the unit gives
    return db.run_now(unit)


def ended(db: Database, number: int, **turn: object) -> None:
    """A message, its turn, its answer in bubbles, all done when it was made."""
    accept(db, stored(number, f"words {number}"), to="")
    apply(db, plan(number, thread=f"thread-{number}"))
    put(db, lambda: change(TurnTable, "state != 'done'", (), **done(turn)))
    put(db, lambda: add(OutboxTable, **bubble(number)))


def done(more: dict[str, object]) -> dict[str, object]:
    columns = {"state": "done", "outcome": "completed", "ended_ms": NOW_MS}
    return columns | {"result": "the answer", "cuts": "[0]"} | more


def bubble(turn: int | None, **more: object) -> dict[str, object]:
    columns: dict[str, object] = {"peer": OWNER, "send_class": 2, "grp": "g", "part": 1}
    columns |= {"parts": 1, "text": "the answer", "client_id": f"c-{time.monotonic_ns()}"}
    columns |= {"turn": turn, "state": "done", "outcome": "sent", "created_ms": NOW_MS}
    return columns | {"done_ms": NOW_MS, "server_id": f"s{turn}"} | more


def test_after_a_month_words_and_bubbles_go_and_keys_and_answers_stay(db: Database) -> None:
    """delivery-semantics 4: a body may go earlier than its key."""
    ended(db, 1)
    put(db, lambda: add(AttemptTable, id="a", row=1, peer=OWNER, instance="i", started_ms=NOW_MS))
    assert not any(round_of(db, MONTH_LATER - 2 * DAY_MS).values())
    gone = round_of(db, MONTH_LATER)
    assert (gone[Kind.TEXT], gone[Kind.BUBBLE]) == (1, 1)
    assert (left(db, OutboxTable), left(db, AttemptTable)) == (0, 0)
    row = put(db, lambda: record(InboxTable, "1"))
    assert (row.parts, row.turn) == ("[]", 1)
    turn = put(db, lambda: record(TurnTable, "1"))
    assert (turn.result, turn.prompt) == ("the answer", "hello")
    assert not any(round_of(db, MONTH_LATER).values()), "a second round finds nothing"


def test_message_that_comes_again_does_nothing_as_long_as_its_key_is_kept(db: Database) -> None:
    """R8: by its own id, and as a twin under another one."""
    ended(db, 1)
    round_of(db, QUARTER_LATER - 2 * DAY_MS)
    before = keys(db)
    accept(db, stored(1, "words 1"), to="")
    accept(db, stored(1, "words 1", msg_key="mid:other"), to="")
    assert keys(db) == before


def test_after_a_quarter_nothing_is_left_of_what_is_done(db: Database) -> None:
    """Requests and offers go with their turn, references with their message."""
    ended(db, 1)
    request = {"id": "q", "digest": "d", "turn": 1, "peer": OWNER, "kind": "command"}
    request |= {"summary": "", "detail": "", "is_cut": False, "options": "[]", "code": "K"}
    times = {"code_ms": NOW_MS, "asked_ms": NOW_MS, "state": "done"}
    put(db, lambda: add(ApprovalTable, **request, **times))
    put(db, lambda: add(ArtifactTable, peer=OWNER, turn=1, path="/w/a", created_ms=NOW_MS))
    put(db, lambda: add(AttachmentTable, inbox=1, place=0, kind="image", media="", outcome="gone"))
    round_of(db, QUARTER_LATER)
    tables = (InboxTable, TurnTable, OutboxTable, ApprovalTable, ArtifactTable, AttachmentTable)
    assert [left(db, table) for table in tables] == [0] * 6


@pytest.mark.parametrize("state", ["queued", "parked", "starting", "running", "settling"])
def test_nothing_of_an_unfinished_turn_ever_goes(db: Database, state: str) -> None:
    """design 6: its message, its words, what was said of it."""
    ended(db, 1, state=state, outcome="")
    assert not any(round_of(db, NOW_MS + 9_999 * DAY_MS).values())


def test_new_and_held_messages_wait_for_ever(db: Database) -> None:
    accept(db, stored(1), to="")
    accept(db, stored(2), to="")
    put(db, lambda: change(InboxTable, "id = 2", (), state="held"))
    assert not any(round_of(db, NOW_MS + 9_999 * DAY_MS).values())
    assert left(db, InboxTable, "parts != '[]'") == 2


def test_answer_of_which_a_part_still_waits_stays_whole(db: Database) -> None:
    """A parked answer: its order inside its group must hold when the window opens."""
    ended(db, 1)
    waiting = {"part": 2, "state": "ready", "outcome": "", "done_ms": 0}
    put(db, lambda: add(OutboxTable, **bubble(1, **waiting)))
    gone = round_of(db, QUARTER_LATER)
    assert (gone[Kind.BUBBLE], gone[Kind.TURN]) == (0, 0)
    put(db, lambda: change(OutboxTable, "1", (), state="done"))
    assert round_of(db, QUARTER_LATER)[Kind.BUBBLE] == 2


def test_file_of_a_message_keeps_the_row_that_says_whose_it_is(db: Database) -> None:
    ended(db, 1)
    here = {"inbox": 1, "place": 0, "kind": "image", "media": "", "outcome": "stored"}
    put(db, lambda: add(AttachmentTable, **here, path="/d/a.png"))
    assert round_of(db, QUARTER_LATER)[Kind.MESSAGE] == 0
    put(db, lambda: change(AttachmentTable, "1", (), path="", outcome="gone"))
    gone = round_of(db, QUARTER_LATER)
    assert (gone[Kind.MESSAGE], gone[Kind.TURN], left(db, AttachmentTable)) == (1, 1, 0)


def test_bubble_copy_offer_and_its_note_go_one_behind_the_other(db: Database) -> None:
    """Foreign keys: each round frees what the last one led to."""
    note = put(db, lambda: add(OutboxTable, **bubble(None, client="agent")))
    put(db, lambda: artifacts.offer("/w/a", "agent", OutId(note), PeerId(OWNER), NOW_MS))
    copied = {"offer": 1, "staged_name": "s", "client": "agent", "created_ms": NOW_MS}
    copy = put(db, lambda: add(ArtifactTable, peer=OWNER, **copied))
    put(db, lambda: add(OutboxTable, **bubble(None, artifact=copy, state="ready")))
    assert not any(round_of(db, MONTH_LATER).values()), "the file has not left yet"
    put(db, lambda: change(OutboxTable, "1", (), state="done"))
    for _ in range(3):
        round_of(db, MONTH_LATER)
    assert (left(db, OutboxTable), left(db, ArtifactTable)) == (0, 0)


def test_question_of_an_agent_goes_with_its_bubble(db: Database) -> None:
    made = put(db, lambda: add(OutboxTable, **bubble(None, client="agent")))
    asked = Question(OutId(made), "agent", PeerId(OWNER), (), "K", NOW_MS)
    put(db, lambda: guests.put_question(asked))
    round_of(db, MONTH_LATER)
    assert (left(db, QuestionTable), left(db, OutboxTable)) == (0, 0)
    assert put(db, lambda: guests.question(made, "agent")) is None


def test_what_was_given_up_is_not_tried_again_without_its_words(db: Database) -> None:
    """`/dead`: a message that was set aside is listed as long as it can be run."""
    accept(db, stored(1), to="")
    poison = {"state": "done", "outcome": "poison", "done_ms": NOW_MS}
    put(db, lambda: change(InboxTable, "1", (), **poison))
    assert put(db, lambda: past.find(Lost.MESSAGE, 1)) is not None
    round_of(db, MONTH_LATER)
    assert put(db, lambda: past.find(Lost.MESSAGE, 1)) is None


def test_life_of_a_turn_is_told_without_its_bubbles(db: Database) -> None:
    ended(db, 1)
    round_of(db, MONTH_LATER)
    life = put(db, lambda: past.life(TurnId(1)))
    assert life is not None
    assert (life.turn.result, life.bubbles) == ("the answer", ())


def test_slice_is_bounded_and_the_next_goes_on_behind_it(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No message waits for more than one slice."""
    monkeypatch.setattr(retention, "SLICE", 3)

    def lines() -> None:
        for number in range(10):
            at_ms = NOW_MS + (0 if number < 8 else 400 * DAY_MS)
            audit.add_audit((Audit(f"w{number}", "r", "o"),), PeerId(OWNER), at_ms)

    put(db, lines)
    now_ms = NOW_MS + KEPT_FOR_MS[Kind.AUDIT] + DAY_MS
    first = put(db, lambda: retention.let_go(Kind.AUDIT, 0, now_ms))
    assert (first.gone, first.last) == (3, 3)
    assert round_of(db, now_ms)[Kind.AUDIT] == 5
    assert left(db, AuditTable) == 2


def test_looking_for_old_rows_walks_through_no_whole_table(db: Database) -> None:
    """design 9: a slice goes along the key and asks indexes, however many rows there are."""
    answer(db, 1)
    found: list[str] = []
    run = proxy.obj.execute_sql

    def watched(statement: str, values: Any = None) -> Any:  # Any: as peewee declares it
        if statement.lstrip().startswith(("SELECT", "UPDATE", "DELETE")):
            plan = run(f"EXPLAIN QUERY PLAN {statement}", values).fetchall()
            found.extend(f"{row[3]}: {statement}" for row in plan if row[3].startswith("SCAN"))
        return run(statement, values)

    proxy.obj.execute_sql = watched
    try:
        round_of(db, QUARTER_LATER)
    finally:
        del proxy.obj.execute_sql
    assert not found
