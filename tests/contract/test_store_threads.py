"""The store over a real file: how far a history was shown, new threads, branches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.core.decision import Decision, Ids, Looked, Moved, NewTurn, RowStep
from bridge.core.errors import Stale
from bridge.core.model import (
    Alias,
    AliasName,
    InboxId,
    InboxState,
    Key,
    Peer,
    RunId,
    ThreadId,
    Turn,
    TurnId,
    TurnState,
    unmade_thread,
)
from bridge.core.turns import Accepted, Elsewhere, ParkStep, after_start
from bridge.store import accounts, inbox, turns, views
from bridge.store.db import Database
from tests.contract.test_store_inbox import ACCOUNT, NOW_MS, OWNER, accept, stored

THREAD = ThreadId("thread-1")
CODE = Alias(AliasName("code"), THREAD, "/work", "Shop")
UNMADE = unmade_thread("seed")


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "bridge.sqlite3")
    database.open()
    database.run_now(lambda: accounts.pair(ACCOUNT, NOW_MS))
    yield database
    database.close()


def apply(db: Database, decision: Decision) -> Turn | None:
    return db.run_now(lambda: inbox.apply(decision, ACCOUNT, None, NOW_MS)).turn


def planned(db: Database, number: int, thread: ThreadId, state: TurnState) -> Turn | None:
    """One message of the owner, planned as a turn of this thread."""
    account = db.run_now(accounts.get)
    accept(db, stored(number), prev=account.cursor, to=f"c{number}")
    turn = NewTurn(
        key=Key(f"ctb1:{number}"),
        thread=thread,
        alias="code",
        prompt=f"message {number}",
        cwd="/work",
        sandbox="workspace-write",
        approval_policy="on-request",
        model="",
        effort="",
        state=state,
        expected_head=None,
        seen_head="",
    )
    row = RowStep(InboxId(number), InboxState.DONE, "turn")
    return apply(db, Decision(OWNER, rows=(row,), turn=turn))


def aliases(db: Database) -> dict[str, Alias]:
    seen = db.run_now(lambda: views.view(OWNER, "en"))
    return {str(name): alias for name, alias in seen.aliases.items()}


def turned(db: Database) -> list[Turn]:
    """The first two turns, as they are now."""
    found = db.run_now(lambda: [turns.get(TurnId(number)) for number in (1, 2)])
    return [turn for turn in found if turn is not None]


def test_history_is_shown_on_from_where_it_was_shown_to(db: Database) -> None:
    """issue 4, item 6: two looks at once never show the same, nor leave a gap."""
    apply(db, Decision(OWNER, aliases=(CODE, replace(CODE, name=AliasName("twin")))))
    first = aliases(db)["code"]
    apply(db, Decision(OWNER, looked=Looked(first, "f:10", "")))
    second = aliases(db)["code"]
    apply(db, Decision(OWNER, looked=Looked(second, "f:20", "t2:completed")))
    found = aliases(db)
    assert {alias.position for alias in found.values()} == {"f:20"}
    assert {alias.seen_head for alias in found.values()} == {"t2:completed"}
    with pytest.raises(Stale):
        apply(db, Decision(OWNER, looked=Looked(second, "f:30", "")))
    assert db.run_now(lambda: turns.position(THREAD)) == "f:20"


def test_thread_that_a_message_made_gets_its_name_on_every_row_at_once(db: Database) -> None:
    """T4 of a new thread: whoever planned for the name before it plans again."""
    apply(db, Decision(OWNER, aliases=(replace(CODE, thread=UNMADE, title=""),)))
    first = planned(db, 1, UNMADE, TurnState.STARTING)
    behind = planned(db, 2, UNMADE, TurnState.QUEUED)
    assert first is not None and behind is not None
    handle = Accepted(RunId("run"), THREAD, None, 1, "codex-turn")
    db.run_now(lambda: turns.running(first, handle))
    assert aliases(db)["code"].thread == THREAD
    assert aliases(db)["code"].title == "message 1"
    assert [turn.thread for turn in turned(db)] == [THREAD, THREAD]
    assert db.run_now(lambda: turns.ours(THREAD)) == {"codex-turn": first.id}
    with pytest.raises(Stale):
        planned(db, 3, UNMADE, TurnState.STARTING)


def test_turns_of_an_existing_thread_keep_its_name(db: Database) -> None:
    """R30: no silent retarget, whatever the controller answers."""
    apply(db, Decision(OWNER, aliases=(CODE,)))
    first = planned(db, 1, THREAD, TurnState.STARTING)
    assert first is not None
    other = Accepted(RunId("run"), ThreadId("another"), None, 1)
    db.run_now(lambda: turns.running(first, other))
    assert aliases(db)["code"].thread == THREAD


def test_what_waits_goes_to_the_branch_in_its_order(db: Database) -> None:
    """issue 4, item 3: only turns whose start was never accepted."""
    apply(db, Decision(OWNER, aliases=(CODE,)))
    first = planned(db, 1, THREAD, TurnState.STARTING)
    planned(db, 2, THREAD, TurnState.QUEUED)
    assert first is not None
    step = after_start(first, Elsewhere(""), Peer(OWNER, "en"), NOW_MS, Ids("i", "s"))
    assert isinstance(step, ParkStep)
    db.run_now(lambda: turns.park(first, step, NOW_MS, None))
    branch = replace(CODE, name=AliasName("branch"), thread=ThreadId("thread-2"))
    apply(db, Decision(OWNER, aliases=(branch,), moved=Moved(THREAD, branch)))
    assert db.run_now(lambda: turns.first(THREAD)) is None
    for found in turned(db):
        assert (found.thread, found.alias) == ("thread-2", "branch")
        assert found.state is TurnState.QUEUED and found.expected_head is None
    next_one = db.run_now(lambda: turns.first(branch.thread))
    assert next_one is not None and next_one.id == first.id


def test_running_turn_never_goes_to_a_branch(db: Database) -> None:
    """R30."""
    apply(db, Decision(OWNER, aliases=(CODE,)))
    first = planned(db, 1, THREAD, TurnState.STARTING)
    assert first is not None
    branch = replace(CODE, name=AliasName("branch"), thread=ThreadId("thread-2"))
    apply(db, Decision(OWNER, moved=Moved(THREAD, branch)))
    found = db.run_now(lambda: turns.first(THREAD))
    assert found is not None and found.id == first.id
