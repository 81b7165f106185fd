"""Groups over a real file: asked once, moved by the owner, owed nothing they may not read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.core.decision import NewRow
from bridge.core.errors import Stale
from bridge.core.group_chat import GroupState, GroupStep, group_peer
from bridge.core.model import (
    Account,
    AccountState,
    Attempt,
    Outcome,
    Owner,
    PeerId,
    SendClass,
    ThreadId,
    TurnId,
)
from bridge.core.sending import PROBE_MS, Limits, after_delivery
from bridge.store import accounts, groups, outbox
from bridge.store.db import Database
from bridge.store.outbox import Sender
from bridge.store.statements import add, change, records
from bridge.store.tables import AccountRow, OutboxTable, PeerRow

NOW_MS = 1_800_000_000_000
OWNER, GROUP = PeerId("zOwner@im.wechat"), group_peer("77")
SENDER = Sender("w1", Limits(budget=2, spacing_ms=0), "en")


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    """A bridge whose owner and whose one approved group have written."""
    database = Database(tmp_path / "bridge.sqlite3")
    database.open()
    account = Account("wechat", "bot", Owner(frozenset({OWNER})), generation=1)
    database.run_now(lambda: accounts.pair(account, NOW_MS))
    database.run_now(_approved)
    yield database
    database.close()


def _approved() -> None:
    group = groups.ask(GROUP, NOW_MS)
    assert group is not None
    now = replace(group, state=GroupState.APPROVED, thread=ThreadId("new:g"))
    groups.step(GroupStep(group, now), NOW_MS)
    for peer in (OWNER, GROUP):
        add(
            PeerRow,
            peer=peer,
            lang="en",
            context_token="ctx",
            token_generation=1,
            wrote_ms=NOW_MS,
        )


def bubble(name: str, part: int = 1, parts: int = 1, turn: int | None = None) -> NewRow:
    number = TurnId(turn) if turn else None
    return NewRow(SendClass.ANSWER, name, f"ctb:{name}{part}", name, part, parts, number)


def owe(db: Database, peer: PeerId, *rows: NewRow) -> None:
    db.run_now(lambda: outbox.add_rows(rows, peer, NOW_MS))


def begin(db: Database) -> Attempt | None:
    return db.run_now(lambda: outbox.begin(SENDER, NOW_MS))


def end(db: Database, attempt: Attempt, outcome: Outcome) -> None:
    step = after_delivery(attempt.row, outcome, Account(), SENDER.limits, NOW_MS)
    db.run_now(lambda: outbox.finish(attempt, outcome, step, "", "", None, NOW_MS))


def shown(db: Database, peer: PeerId) -> list[tuple[str, str]]:
    found = db.run_now(lambda: records(OutboxTable, "peer = ? ORDER BY id", peer))
    return [(row.text, row.outcome or row.state) for row in found]


def test_group_asks_once_whatever_became_of_it(db: Database) -> None:
    """issue 5.9: its request is told to the owner once."""
    assert db.run_now(lambda: groups.ask(GROUP, NOW_MS)) is None
    other = db.run_now(lambda: groups.ask(group_peer("78"), NOW_MS))
    assert other is not None and (other.state, other.thread) == ("pending", None)
    assert [group.peer for group in db.run_now(groups.known)] == [GROUP, other.peer]


def test_word_about_a_group_that_has_moved_is_decided_again(db: Database) -> None:
    """Ours: two words race; the second sees what the first has made of it."""
    (group,) = db.run_now(groups.known)
    disabled = GroupStep(group, replace(group, state=GroupState.DISABLED))
    db.run_now(lambda: groups.step(disabled, NOW_MS))
    with pytest.raises(Stale):
        db.run_now(lambda: groups.step(disabled, NOW_MS))


def test_group_that_may_not_ask_is_owed_nothing_any_more(db: Database) -> None:
    """R5: what waits goes, and an answer that comes late is not sent after it."""
    owe(db, GROUP, bubble("one"))
    owe(db, OWNER, bubble("mine"))
    db.run_now(lambda: groups.silence_all(NOW_MS))
    owe(db, GROUP, bubble("late"))
    assert shown(db, GROUP) == [("one", "cancelled")]
    assert shown(db, OWNER) == [("mine", "ready")]


def test_group_comes_after_its_owner(db: Database) -> None:
    """R36: a group that asks much delays no word to the owner."""
    owe(db, GROUP, bubble("theirs"))
    owe(db, OWNER, bubble("mine"))
    attempt = begin(db)
    assert attempt is not None and attempt.row.peer == OWNER


def test_group_is_never_asked_to_write_for_the_rest(db: Database) -> None:
    """issue 5.9: an answer or silence; the window of a group is its own."""
    owe(db, GROUP, bubble("one"), bubble("two"))
    first = begin(db)
    assert first is not None
    end(db, first, Outcome.SENT)
    assert begin(db) is None
    assert shown(db, GROUP) == [("one", "sent"), ("two", "ready")]
    owe(db, OWNER, bubble("mine"))
    mine = begin(db)
    assert mine is not None and mine.row.peer == OWNER


def test_dead_answer_of_a_group_is_not_told_of(db: Database) -> None:
    """Ours: no number of a turn, no `/result`, in a group."""
    owe(db, GROUP, bubble("answer", 1, 2, turn=7), bubble("answer", 2, 2, turn=7))
    db.run_now(lambda: change(OutboxTable, "1", (), tries=2))
    attempt = begin(db)
    assert attempt is not None
    end(db, attempt, Outcome.REFUSED)
    assert shown(db, GROUP) == [("answer", "dead"), ("answer", "cancelled")]


@pytest.mark.parametrize("outcome", [Outcome.THROTTLED, Outcome.UNKNOWN_CODE, Outcome.EXPIRED])
def test_refusal_in_a_group_holds_back_no_word_to_the_owner(db: Database, outcome: Outcome) -> None:
    """R36: nobody knows what iLink says to a group (6.6); only that group waits for it."""
    owe(db, GROUP, bubble("theirs"), bubble("more of theirs"))
    refused = begin(db)
    assert refused is not None and refused.row.peer == GROUP
    end(db, refused, outcome)
    owe(db, OWNER, bubble("mine"))
    mine = begin(db)
    assert mine is not None and mine.row.peer == OWNER
    assert db.run_now(accounts.get).state is AccountState.ON
    assert db.run_now(accounts.get).breaker_until_ms == 0
    end(db, mine, Outcome.SENT)
    if outcome is Outcome.THROTTLED:  # the breaker is for all bubbles of that group
        rest = db.run_now(lambda: outbox.look(SENDER, NOW_MS))
        assert rest == outbox.Rest(NOW_MS + PROBE_MS[0])


def test_group_makes_no_probe_past_the_breaker_of_the_account(db: Database) -> None:
    """delivery-semantics 5: only the owner's next message allows one; nothing hammers."""
    until_ms = NOW_MS + 60_000
    db.run_now(lambda: change(AccountRow, "1", (), breaker_until_ms=until_ms, probe_no=1))
    owe(db, GROUP, bubble("theirs"))
    assert db.run_now(lambda: outbox.look(SENDER, NOW_MS)) == outbox.Rest(until_ms)
    owe(db, OWNER, bubble("mine"))
    attempt = begin(db)
    assert attempt is not None and attempt.row.peer == OWNER
