"""The store over a real file: what is atomic, what is unique, what survives a full disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from bridge.core.decision import Decision, NewTurn, RowStep
from bridge.core.errors import Stale, StoreFault
from bridge.core.model import (
    Account,
    Arrival,
    InboxId,
    InboxState,
    Key,
    MsgKey,
    Owner,
    Part,
    PeerId,
    ThreadId,
    TurnState,
)
from bridge.core.turn_states import TurnEvent
from bridge.store import accounts, inbox, turns, views
from bridge.store.db import Database
from bridge.store.inbox import Accepted, CursorConflict, Stored
from bridge.store.tables import AuditTable, InboxTable, PeerRow, proxy

NOW_MS = 1_800_000_000_000
OWNER = PeerId("oOwner@im.wechat")
ACCOUNT = Account("wechat", "bot", Owner(frozenset({OWNER})), generation=1)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "bridge.sqlite3")
    database.open()
    database.run_now(lambda: accounts.pair(ACCOUNT, NOW_MS))
    yield database
    database.close()


def stored(number: int, text: str = "hello", is_dated: bool = True, **fields: object) -> Stored:
    arrival = Arrival(
        channel="wechat",
        sender=OWNER,
        msg_key=MsgKey(f"mid:{number}"),
        chat="direct",
        is_echo=False,
        create_time_ms=NOW_MS + number,
        client_id="",
        context_token=f"ctx-{number}",
        parts=(Part("text", text),),
        quoted_id="",
        quoted_text="",
        is_cut=False,
        malformed="",
    )
    changed = replace(arrival, **fields)  # type: ignore[arg-type]  # named as the arrival's own
    return Stored(changed, InboxState.NEW, "", 0, changed.create_time_ms, is_dated)


def accept(
    db: Database, *messages: Stored, prev: str = "", to: str = "c1", holds: bool = True
) -> Accepted | CursorConflict:
    account = db.run_now(accounts.get)
    return db.run_now(lambda: inbox.accept(messages, account, prev, to, holds, NOW_MS))


def keys(db: Database) -> list[str]:
    return db.run_now(lambda: [row.msg_key for row in InboxTable.select().order_by(InboxTable.id)])


def test_settings_are_as_the_page_says(db: Database) -> None:
    """delivery-semantics 3: read back at every open; kill -9 does not test power loss."""
    ask = proxy.execute_sql
    found = {name: ask(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")}
    assert found == {"journal_mode": "wal", "synchronous": 2}
    assert ask("PRAGMA locking_mode").fetchone()[0] == "exclusive"
    assert ask("PRAGMA foreign_keys").fetchone()[0] == 1


def test_second_connection_is_kept_out(db: Database, tmp_path: Path) -> None:
    """F72: EXCLUSIVE is the second barrier."""
    with (
        closing(sqlite3.connect(tmp_path / "bridge.sqlite3", timeout=0)) as other,
        pytest.raises(sqlite3.OperationalError, match="locked"),
    ):
        other.execute("SELECT * FROM inbox")


def test_file_is_ours_alone_and_reopens_with_the_same_installation(tmp_path: Path) -> None:
    """R21: 0600 from the first instant; the install id is made once."""
    path = tmp_path / "bridge.sqlite3"
    installs = []
    for _ in range(2):
        database = Database(path)
        installs.append(database.open())
        database.close()
    assert installs[0] == installs[1]
    assert path.stat().st_mode & 0o777 == 0o600


def test_file_of_the_first_schema_is_taken_along(tmp_path: Path) -> None:
    """delivery-semantics 3: a copy is kept beside it, and what it holds stays."""
    path = tmp_path / "bridge.sqlite3"
    database = Database(path)
    database.open()
    database.run_now(lambda: accounts.pair(ACCOUNT, NOW_MS))
    accept(database, stored(1))
    database.close()
    with closing(sqlite3.connect(path)) as old:
        old.execute("ALTER TABLE peer DROP COLUMN files_ms")
        old.execute("DELETE FROM schema_migration WHERE name = '0002_files_shown'")
        old.execute("PRAGMA user_version = 1")
        old.commit()
    database.open()
    assert database.run_now(lambda: PeerRow.get_by_id(OWNER).files_ms) == 0
    assert keys(database) == ["mid:1"]
    database.close()
    kept = tmp_path / "bridge.before-1.sqlite3"
    assert kept.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(kept)) as copy:
        assert copy.execute("PRAGMA user_version").fetchone() == (1,)


def test_symbolic_link_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    """R21: nothing of ours is written where somebody else points to."""
    path = tmp_path / "bridge.sqlite3"
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreFault):
        Database(path).open()
    assert not (tmp_path / "elsewhere").exists()


def test_rows_token_and_cursor_are_one_commit(db: Database) -> None:
    """F2, I4: T1."""
    assert accept(db, stored(1), stored(2)) == Accepted("c1", owes=False)
    assert keys(db) == ["mid:1", "mid:2"]
    assert db.run_now(lambda: PeerRow.get_by_id(OWNER).context_token) == "ctx-2"
    assert db.run_now(accounts.get).cursor == "c1"


def test_batch_that_comes_again_is_ok_and_changes_nothing(db: Database) -> None:
    """F3, F25: the reply was lost, the worker repeats it."""
    accept(db, stored(1), stored(2))
    assert accept(db, stored(2), stored(1)) == Accepted("c1", owes=False)
    assert keys(db) == ["mid:1", "mid:2"]


def test_rows_are_stored_even_when_the_cursor_is_refused(db: Database) -> None:
    """F29, F68: a conflict, or a worker that no longer holds the account."""
    accept(db, stored(1))
    assert accept(db, stored(2), prev="old", to="c9") == CursorConflict("c1")
    assert accept(db, stored(3), prev="c1", to="c2", holds=False) == CursorConflict("c1")
    assert keys(db) == ["mid:1", "mid:2", "mid:3"]


def test_slice_without_a_next_cursor_moves_nothing(db: Database) -> None:
    """F28: all slices but the last, and a server that gives no cursor."""
    accept(db, stored(1))
    assert accept(db, stored(2), prev="c1", to="") == Accepted("c1", owes=False)


def test_twin_under_another_id_is_one_message_and_a_second_later_is_two(db: Database) -> None:
    """F27: equal body and time; the owner may say "go on" twice."""
    accept(db, stored(1, "go on", create_time_ms=NOW_MS))
    accept(db, stored(2, "go on", create_time_ms=NOW_MS), prev="c1", to="c2")
    accept(db, stored(3, "go on", create_time_ms=NOW_MS + 1_000), prev="c2", to="c3")
    assert keys(db) == ["mid:1", "mid:3"]


def test_equal_texts_without_a_time_are_two_messages(db: Database) -> None:
    """delivery-semantics 4: only an equal, plausible time makes a twin."""
    for number in (1, 2):
        accept(db, stored(number, create_time_ms=NOW_MS, is_dated=False), prev="", to="")
    assert keys(db) == ["mid:1", "mid:2"]


def test_late_message_does_not_bring_back_an_older_token(db: Database) -> None:
    """F41: newest by the channel's time, never an empty one."""
    accept(db, stored(5))
    accept(db, stored(1), prev="c1", to="c2")
    accept(db, stored(6, context_token=""), prev="c2", to="c3")
    assert db.run_now(lambda: PeerRow.get_by_id(OWNER).context_token) == "ctx-5"


def test_new_generation_drops_cursor_and_tokens_and_keeps_the_rows(db: Database) -> None:
    """F31: login again by the same owner."""
    accept(db, stored(1))
    db.run_now(lambda: accounts.pair(replace(ACCOUNT, generation=2), NOW_MS))
    assert db.run_now(accounts.get).cursor == ""
    assert db.run_now(lambda: PeerRow.get_by_id(OWNER).context_token) == ""
    assert keys(db) == ["mid:1"]


def test_other_owner_needs_a_higher_epoch(db: Database) -> None:
    """R2, F32: refused, and nothing is changed."""
    accept(db, stored(1))
    other = replace(ACCOUNT, owner=Owner(frozenset({"oOther@im.wechat"})), generation=2)
    with pytest.raises(accounts.OwnerRefused):
        db.run_now(lambda: accounts.pair(other, NOW_MS))
    assert db.run_now(accounts.get).owner == ACCOUNT.owner
    db.run_now(lambda: accounts.pair(replace(other, owner_epoch=1), NOW_MS))
    assert db.run_now(accounts.get).owner == other.owner
    assert db.run_now(lambda: InboxTable.get().outcome) == "dropped"


def plan(number: int, thread: str = "t", state: TurnState = TurnState.STARTING) -> Decision:
    turn = NewTurn(
        key=Key(f"ctb1:{number}"),
        thread=ThreadId(thread),
        alias="code",
        prompt="hello",
        cwd="/",
        sandbox="workspace-write",
        approval_policy="on-request",
        model="",
        effort="",
        state=state,
        expected_head="h",
        seen_head="",
    )
    step = RowStep(InboxId(number), InboxState.DONE, "turn")
    return Decision(OWNER, rows=(step,), turn=turn)


def apply(db: Database, decision: Decision) -> inbox.Applied:
    return db.run_now(lambda: inbox.apply(decision, ACCOUNT, None, NOW_MS))


def test_thread_has_one_live_turn_and_a_second_is_refused_whole(db: Database) -> None:
    """F59, I2: a partial unique index; nothing of the second Decision is written."""
    accept(db, stored(1), stored(2))
    apply(db, plan(1))
    with pytest.raises(Stale):
        apply(db, plan(2))
    assert [r.id for r in db.run_now(lambda: views.conversation(OWNER, 9, "en", ())).rows] == [2]


def test_row_that_is_done_cannot_be_decided_again(db: Database) -> None:
    """I2: per message at most one turn; the turn of the second try is rolled back."""
    accept(db, stored(1))
    apply(db, plan(1))
    with pytest.raises(Stale):
        apply(db, replace(plan(1, "other"), turn=replace(plan(9, "u").turn, key=Key("ctb1:9"))))  # type: ignore[type-var]  # there is a turn
    assert db.run_now(turns.busy_threads) == ("t",)


def test_queued_turns_are_claimed_in_the_order_they_came(db: Database) -> None:
    """delivery-semantics 6: FIFO in a thread."""
    accept(db, stored(1), stored(2))
    for number in (1, 2):
        apply(db, plan(number, state=TurnState.QUEUED))
    first = db.run_now(lambda: turns.first(ThreadId("t")))
    assert first is not None and first.key == "ctb1:1"
    claimed = db.run_now(lambda: turns.claim(first, TurnEvent.THREAD_FREE, "h", NOW_MS))
    assert claimed.state is TurnState.STARTING
    with pytest.raises(Stale):
        db.run_now(lambda: turns.claim(first, TurnEvent.THREAD_FREE, "h", NOW_MS))


def test_audit_line_cannot_be_changed(db: Database) -> None:
    """R38: append-only."""
    from bridge.core.decision import Audit

    db.run_now(lambda: inbox.add_audit([Audit("a", "r", "o")], OWNER, NOW_MS))
    with pytest.raises(StoreFault):
        db.run_now(lambda: AuditTable.update(what="b").execute())


def test_oldest_new_message_alone_is_counted_at_boot(db: Database) -> None:
    """F85: a message that crashes the process cannot loop; no commit when none is new."""
    accept(db, stored(1), stored(2))
    db.run_now(inbox.count_boot)
    attempts = db.run_now(lambda: [row.attempts for row in InboxTable.select()])
    assert attempts == [1, 0]


def test_full_disk_stores_nothing_and_moves_no_cursor_and_passes(db: Database) -> None:
    """F62, R39: the unit is abandoned whole; when there is room again it works by itself."""
    accept(db, stored(1))
    pages = proxy.execute_sql("PRAGMA page_count").fetchone()[0]
    proxy.execute_sql(f"PRAGMA max_page_count = {pages}")
    long = [stored(number, "x" * 5_000) for number in range(2, 40)]
    with pytest.raises(StoreFault):
        accept(db, *long, prev="c1", to="c2")
    assert keys(db) == ["mid:1"]
    assert db.run_now(accounts.get).cursor == "c1"
    proxy.execute_sql("PRAGMA max_page_count = 100000")
    assert accept(db, *long, prev="c1", to="c2") == Accepted("c2", owes=False)
    assert len(keys(db)) == 39


async def test_impatient_caller_does_not_cut_a_transaction_in_half(db: Database) -> None:
    """style, async: a cancelled caller waits for its unit to end."""

    def unit() -> None:
        inbox.accept([stored(1)], ACCOUNT, "", "c1", True, NOW_MS)

    with anyio.CancelScope() as scope:
        scope.cancel()
        await db.run(unit)
    assert len(keys(db)) in (0, 1)
    assert (db.run_now(accounts.get).cursor == "c1") is (len(keys(db)) == 1)
