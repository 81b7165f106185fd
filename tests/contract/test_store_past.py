"""What became of messages, over a real database: lives, what was given up, and the audit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from peewee import Model

from bridge.core import commands as c
from bridge.core.decision import Audit, Refused, View
from bridge.core.given_up import TOLD_FOR_MS, GivenUp, Kind
from bridge.core.model import Alias, AliasName, Outcome, PeerId, ThreadId, TurnId
from bridge.core.retention import KEPT_FOR_MS
from bridge.core.retention import Kind as Kept
from bridge.core.sending import after_delivery, wire_text
from bridge.records import Records
from bridge.store import accounts, audit, outbox, past, turns, views
from bridge.store.db import Database
from bridge.store.statements import Record, change, record, records, value
from bridge.store.tables import InboxTable, OutboxTable, TurnTable
from bridge.tasks.state import Shared
from bridge.tasks.tidy import keep_tidy
from bridge.wire import desk
from tests.contract.room import room
from tests.contract.test_store_inbox import NOW_MS, OWNER, accept, stored
from tests.contract.test_store_inbox import db as db  # the fixture
from tests.contract.test_store_outbox import SENDER, answer
from tests.contract.test_store_plans import walks as walks  # the fixture

LATER_MS = NOW_MS + 1_000


def send(db: Database, outcome: Outcome, at_ms: int = LATER_MS) -> str:
    """One attempt with this outcome; what left."""
    attempt = db.run_now(lambda: outbox.begin(SENDER, at_ms))
    assert attempt is not None

    def unit() -> None:
        limits = SENDER.limits
        step = after_delivery(attempt.row, outcome, accounts.get(), limits, at_ms)
        outbox.finish(attempt, outcome, step, "", "", None, at_ms)

    db.run_now(unit)
    return wire_text(attempt.row)


def lose(db: Database) -> None:
    """Send until nobody knows whether the first bubble arrived, and it is not tried again."""
    for number in range(3):
        send(db, Outcome.UNKNOWN, NOW_MS + number * 100_000)


def dead_turn(db: Database) -> None:
    """Turn 1 was given up, and all that was said about it is sent."""
    answer(db, 1, "x")
    change(TurnTable, "id = 1", (), state="done", outcome="dead", owes="", ended_ms=NOW_MS)
    send(db, Outcome.SENT, NOW_MS)


def poison(db: Database) -> None:
    accept(db, stored(50, "it kills"), to="")
    done = {"state": "done", "outcome": "poison", "attempts": 3, "done_ms": NOW_MS}
    change(InboxTable, "msg_key = 'mid:50'", (), **done)


def row_of(db: Database, table: type[Model]) -> Record:
    """The first row of a table."""
    return db.run_now(lambda: records(table, "id = 1"))[0]


def ask(db: Database, command: c.Command, peer: str = OWNER) -> View:
    def unit() -> View:
        return past.told(views.view(PeerId(peer), "en"), command, NOW_MS)

    return db.run_now(unit)


def test_life_of_a_message_is_read_from_its_rows(db: Database) -> None:
    """issue 5 item 10: message, turn, bubbles, every attempt, and what was decided."""
    answer(db, 1)
    send(db, Outcome.NOT_SENT)
    send(db, Outcome.SENT, NOW_MS + 60_000)
    life = ask(db, c.Trace(1)).life
    assert life is not None and life.turn.id == 1
    assert [one.kinds for one in life.came] == [("text",)]
    first, second = life.bubbles
    assert [tried.outcome for tried in first.tried] == ["not_sent", "sent"]
    assert (first.fate, first.part, first.parts, second.fate) == ("sent", 1, 2, "ready")
    assert [line.what for line in life.decided] == ["turn.end"]


def test_life_of_another_peer_or_of_nothing_is_not_told(db: Database) -> None:
    """R6."""
    answer(db, 1)
    assert ask(db, c.Trace(1), "oOther@im.wechat").life is None
    assert ask(db, c.Resend(1), "oOther@im.wechat").life is None
    assert ask(db, c.Trace(999_999_999)).life is None


@pytest.mark.parametrize(
    ("lost", "mark"), [(Outcome.UNKNOWN, "[可能重复] "), (Outcome.REFUSED, "")]
)
def test_bubble_that_is_sent_again_keeps_its_id_and_is_marked_where_it_may_be_there(
    db: Database, lost: Outcome, mark: str
) -> None:
    """delivery-semantics 7: the same client id; what surely never arrived is no repetition."""
    answer(db, 1)
    for number in range(3):
        send(db, lost, NOW_MS + number * 100_000)
    row = row_of(db, OutboxTable)
    assert row.state == "done"
    db.run_now(lambda: outbox.again([row.id]))
    assert row_of(db, OutboxTable).client_id == row.client_id
    assert send(db, Outcome.SENT, NOW_MS + 900_000).startswith(f"{mark}(code)")


def test_bubble_that_has_arrived_meanwhile_is_not_sent_again(db: Database) -> None:
    """delivery-semantics 5: an echo settles it, whatever was asked before."""
    answer(db, 1, "x")
    lose(db)
    row = row_of(db, OutboxTable)
    db.run_now(lambda: outbox.echoed(row.client_id, "77"))
    db.run_now(lambda: outbox.again([row.id]))
    assert db.run_now(lambda: outbox.begin(SENDER, NOW_MS + 900_000)) is None


def test_last_answer_is_the_last_text_of_the_thread_that_is_meant(
    db: Database, walks: list[str]
) -> None:
    """design 7: `/status`; a failure, and an end without a word, is no answer."""
    answer(db, 1, "of the first thread")
    db.run_now(lambda: TurnTable.update(state="done").execute())
    answer(db, 2, "of the second")
    answer(db, 3, "x")
    answer(db, 4, "x")
    later: dict[str, object] = {"state": "done", "thread": "thread-1", "ended_ms": NOW_MS + 1}
    db.run_now(lambda: change(TurnTable, "id = 3", (), outcome="failed", **later))
    db.run_now(lambda: change(TurnTable, "id = 4", (), cuts="[]", **later))
    walks.clear()

    def last(thread: str | None) -> int | None:
        seen = views.view(PeerId(OWNER), "en")
        if thread:
            alias = Alias(AliasName("code"), ThreadId(thread))
            seen = replace(seen, aliases={alias.name: alias})
        found = past.told(seen, c.Status("code" if thread else ""), NOW_MS).last_answer
        return found.id if found else None

    threads = ("thread-1", "thread-2", "thread-9", None)
    assert db.run_now(lambda: [last(thread) for thread in threads]) == [1, 2, None, 2]
    assert not walks, "\n".join(walks)


def listed(db: Database, now_ms: int = LATER_MS) -> list[tuple[str, str]]:
    return [(one.name, one.outcome) for one in db.run_now(lambda: past.given_up(now_ms))]


def named(db: Database, kind: Kind, number: int = 1) -> GivenUp:
    found = db.run_now(lambda: past.find(kind, number))
    assert found is not None
    return found


def test_what_was_given_up_is_listed_for_thirty_days(db: Database) -> None:
    """delivery-semantics 9; notes and progress lines are never repeated, so never listed."""
    dead_turn(db)
    answer(db, 2, "lost")
    lose(db)
    poison(db)
    assert set(listed(db)) == {("E-M3", "poison"), ("E-T1", "dead"), ("E-B2", "unknown")}
    assert not listed(db, NOW_MS + TOLD_FOR_MS + 300_000)
    assert ask(db, c.Dead(), "oOther@im.wechat").given_up == ()
    assert len(ask(db, c.Dead()).given_up) == 3
    change(OutboxTable, "id = 2", (), send_class=4)
    assert ("E-B2", "unknown") not in listed(db)


def test_message_that_is_tried_again_is_new_and_never_stale(db: Database) -> None:
    """delivery-semantics 4: done(poison), by the owner's word, is new with fresh attempts."""
    poison(db)
    db.run_now(lambda: past.retry(named(db, Kind.MESSAGE), NOW_MS))
    row = row_of(db, InboxTable)
    assert (row.state, row.outcome, row.attempts, row.is_released) == ("new", "", 0, 1)
    assert db.run_now(views.peers_with_news) == (OWNER,)
    assert not listed(db)


def test_turn_that_is_tried_again_waits_for_its_thread_under_its_old_key(db: Database) -> None:
    """delivery-semantics 6: never another key, so a controller that ran it gives that run."""
    dead_turn(db)
    key = db.run_now(lambda: turns.get(TurnId(1))).key  # type: ignore[union-attr]  # it is there
    db.run_now(lambda: past.retry(named(db, Kind.TURN), NOW_MS))
    turn = db.run_now(lambda: turns.get(TurnId(1)))
    assert turn is not None and (turn.state, turn.key, turn.run) == ("queued", key, None)
    assert (turn.outcome, turn.attempts, turn.result, turn.ended_ms) == ("", 0, "", 0)
    assert db.run_now(turns.busy_threads) == (turn.thread,)


def test_bubble_that_is_tried_again_takes_the_parts_behind_it_along(db: Database) -> None:
    """delivery-semantics 5: a dead part had cancelled the rest of its group."""
    answer(db, 1)
    for number in range(3):
        send(db, Outcome.REFUSED, NOW_MS + number * 100_000)
    fates = db.run_now(lambda: [row.outcome for row in records(OutboxTable, "1 ORDER BY id")])
    assert fates[:2] == ["dead", "cancelled"]
    db.run_now(lambda: past.retry(named(db, Kind.BUBBLE), NOW_MS))
    states = db.run_now(lambda: [row.state for row in records(OutboxTable, "1 ORDER BY id")])
    assert states[:2] == ["ready", "ready"] and not listed(db)


@pytest.mark.parametrize("kind", list(Kind))
def test_what_is_dropped_is_no_longer_listed_nor_found(db: Database, kind: Kind) -> None:
    """Ours: its row stays, and so does a line of who dropped it."""
    if kind is Kind.MESSAGE:
        poison(db)
    elif kind is Kind.TURN:
        dead_turn(db)
    else:
        answer(db, 1, "x")
        lose(db)
    one = named(db, kind)
    db.run_now(lambda: past.drop(one, NOW_MS))
    assert not listed(db) and db.run_now(lambda: past.find(kind, one.id)) is None
    (line,) = db.run_now(lambda: audit.page(0, 0, 99))[-1:]
    assert (line.decided.what, line.decided.outcome) == ("given_up", "dropped")
    assert line.decided.subject == one.name


def test_looking_back_walks_through_no_whole_table(db: Database, walks: list[str]) -> None:
    """design 9: a million old rows slow no command."""
    answer(db, 1)
    for command in (c.Trace(1), c.Resend(1), c.Why(), c.Dead()):
        ask(db, command)
    for kind in Kind:
        db.run_now(lambda kind=kind: past.find(kind, 1))  # type: ignore[misc]  # one of each
    assert not walks, "\n".join(walks)


def test_last_refusal_is_the_peers_own_and_the_newest(db: Database) -> None:
    """design 7: `/why`."""

    def note(what: str, outcome: str, peer: str = OWNER) -> None:
        line = Audit(what, "a rule", outcome)
        db.run_now(lambda: audit.add_audit((line,), PeerId(peer), NOW_MS))

    assert ask(db, c.Why()).not_done is None
    note("refused", "no_alias")
    note("turn.plan", "queued")
    note("withheld", "rest_waits", "oOther@im.wechat")
    assert ask(db, c.Why()).not_done == Refused(NOW_MS, "a rule", "no_alias")
    note("held", "stale")
    assert ask(db, c.Why()).not_done == Refused(NOW_MS, "a rule", "stale")


def test_last_credit_that_asks_for_a_word_is_on_record(db: Database) -> None:
    """delivery-semantics 5: what waits for the owner was withheld by a rule."""
    answer(db, 1)
    few = replace(SENDER, limits=replace(SENDER.limits, budget=1))
    assert db.run_now(lambda: outbox.begin(few, NOW_MS)) is not None
    last = ask(db, c.Why()).not_done
    assert last is not None and last.told == "rest_waits"


async def test_audit_lines_go_after_a_year_and_nothing_younger(tmp_path: Path) -> None:
    """Retention is a daily decision: the audit does not grow for ever."""
    async with room(tmp_path) as built:
        shared: Shared = built.shared
        now_ms = shared.now_ms()

        def unit() -> None:
            old = now_ms - KEPT_FOR_MS[Kept.AUDIT] - 1_000
            audit.add_audit((Audit("old", "r", "o"),), PeerId(OWNER), old)
            audit.add_audit((Audit("young", "r", "o"),), PeerId(OWNER), old + 60_000)

        await built.db.run(unit)

        async def is_gone() -> bool:
            return ("old", "o") not in await built.audits()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(keep_tidy, shared, tmp_path / "a", tmp_path / "s", 0.0)
            await built.until(is_gone, "the old line is gone")
            tasks.cancel_scope.cancel()
        assert await built.audits() == [("young", "o")]


async def test_commands_about_the_past_are_answered_from_the_rows(tmp_path: Path) -> None:
    """issue 5 item 10: through the dispatcher, in one conversation; only words make a turn."""
    async with room(tmp_path) as built:
        built.controller.says("completed", result="the answer")
        await built.says("do it")
        await built.reads("the answer")
        await built.until_done()
        await built.says("/trace 1")
        assert "#1 code: done" in await built.reads("planned")
        await built.says("/use nowhere")
        await built.reads("There is no nowhere")
        await built.says("/why")
        assert "/threads" in await built.reads("ago: a message only goes")
        await built.says("/dead")
        await built.reads("Nothing was given up")
        await _forget_fate(built.db)
        await built.says("/resend 1")

        async def is_owed() -> bool:
            where = "text LIKE '%the answer' AND state = 'ready' AND maybe_sent"
            return await built.db.read(lambda: record(OutboxTable, where)) is not None

        await built.until(is_owed, "the answer is owed again, marked")
        await built.says("/resend 99")
        await built.reads("There is no #99")
        assert len(await built.turns()) == 1
        assert ("answer.resend", "owed again") in await built.audits()
        plan = await built.db.read(_turn_of_plan)
        assert plan == 1


async def _forget_fate(db: Database) -> None:
    columns: dict[str, object] = {"state": "done", "outcome": "unknown"}
    await db.run(lambda: change(OutboxTable, "text LIKE '%the answer'", (), **columns))


def _turn_of_plan() -> int | None:
    found: Callable[[str], int | None] = value
    return found("SELECT turn FROM audit WHERE what = 'turn.plan'")


async def test_turn_that_is_tried_again_runs_through_the_same_states(tmp_path: Path) -> None:
    """design 5: `dead.retry`; the thread's task takes it up at once, under its own key."""
    async with room(tmp_path) as built:
        built.controller.says("failed", reason="odd")
        await built.says("do it")
        await built.until_done()
        (before,) = await built.turns()
        dead: dict[str, object] = {"outcome": "dead"}
        await built.db.run(lambda: change(TurnTable, "id = 1", (), **dead))
        desk_side = Records(built.shared, built.threads)
        assert await desk_side.answer(desk.DeadList()) == desk.DeadReply(
            (desk.Dead("E-T1", before.ended_ms, "dead", 1, "code"),)
        )
        assert await desk_side.answer(desk.DeadRetry("E-T2")) == desk.RepairReply("not_found")
        assert await desk_side.answer(desk.DeadRetry("1")) == desk.RepairReply("not_found")
        built.controller.says("completed", result="at last")
        assert await desk_side.answer(desk.DeadRetry("e-t1")) == desk.RepairReply("done")
        await built.reads("at last")
        await built.until_done()
        (after,) = await built.turns()
        assert (after.key, after.outcome) == (before.key, "completed")
        assert built.controller.asked.count("start") == 2
        assert ("given_up", "retried") in await built.audits()
