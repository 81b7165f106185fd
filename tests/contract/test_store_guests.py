"""An agent's bubbles and questions over a real file: whose they are, and which may change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.core.decision import NewRow
from bridge.core.errors import Stale
from bridge.core.model import (
    Account,
    InboxId,
    InboxRow,
    InboxState,
    MsgKey,
    OutId,
    Owner,
    PeerId,
    Question,
    SendClass,
)
from bridge.core.sending import QUESTION_LIFE_MS
from bridge.store import accounts, guests, views
from bridge.store.db import Database
from bridge.store.statements import add, change
from bridge.store.tables import AttemptTable, OutboxTable

NOW_MS = 1_800_000_000_000
OWNER, FORMER = PeerId("oOwner@im.wechat"), PeerId("oFormer@im.wechat")


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "bridge.sqlite3")
    database.open()
    account = Account("wechat", "bot", Owner(frozenset({OWNER})), generation=1)
    database.run_now(lambda: accounts.pair(account, NOW_MS))
    yield database
    database.close()


def put(text: str, client: str = "codex", peer: PeerId = OWNER, at_ms: int = NOW_MS) -> OutId:
    row = NewRow(SendClass.NOTE, text, f"ctb:{text}", text, client=client)
    return guests.put(row, peer, at_ms)


def test_note_joins_only_an_untried_bubble_of_the_same_agent_to_the_same_owner(
    db: Database,
) -> None:
    """R6, delivery-semantics 5: rows are merged before their first attempt only."""

    def unit() -> None:
        put("other agent", "cursor")
        put("former owner", peer=FORMER)
        put("ours", client="")
        assert guests.untried_note("codex", OWNER) is None
        mine = put("mine")
        found = guests.untried_note("codex", OWNER)
        assert found is not None and found.id == mine
        guests.join(mine, "mine and more", NOW_MS + 5)
        found = guests.untried_note("codex", OWNER)
        assert found is not None and (found.text, found.created_ms) == ("mine and more", NOW_MS + 5)
        add(AttemptTable, id="a1", row=mine, peer=OWNER, instance="w", started_ms=NOW_MS)
        assert guests.untried_note("codex", OWNER) is None
        assert guests.untried_note("", OWNER) is None

    db.run_now(unit)


def test_bubble_is_shown_to_the_agent_that_wrote_it_and_to_no_other(db: Database) -> None:
    """R33: an id that is guessed finds nothing; nor do bubbles of ours."""

    def unit() -> None:
        mine, ours = put("mine"), put("ours", client="")
        found = guests.bubble(mine, "codex")
        assert found is not None and found[0].text == "mine"
        assert guests.bubble(mine, "cursor") is None
        assert guests.bubble(ours, "") is None

    db.run_now(unit)


def quoted(server_id: str, peer: PeerId = OWNER) -> Question | None:
    """What a message that quotes this id would answer."""
    row = InboxRow(
        InboxId(1), peer, MsgKey("mid:1"), (), server_id, False, 0, NOW_MS, 0, False, InboxState.NEW
    )
    return views.quoted(views.view(peer, "en"), row).quoted_question


def test_question_is_found_by_quote_and_closed_once(db: Database) -> None:
    """Ours: two answers race; the second is decided again."""

    def unit() -> None:
        number = put("which?")
        asked = Question(number, "codex", OWNER, ("a", "b"), "abc23defg", NOW_MS)
        guests.put_question(asked)
        change(OutboxTable, "id = ?", (number,), server_id="srv-1")
        assert quoted("srv-1") == asked and quoted("srv-2") is None
        assert quoted("srv-1", FORMER) is None
        assert guests.waiting_for(OWNER) == (asked,) and guests.waiting_for(FORMER) == ()
        assert guests.question(number, "cursor") is None
        assert [row.id for row in guests.asked("codex", NOW_MS)] == [number]
        assert guests.asked("codex", NOW_MS + QUESTION_LIFE_MS) == ()
        answered = replace(asked, outcome="answered", said="a")
        guests.close(answered)
        assert guests.question(number, "codex") == quoted("srv-1") == answered
        assert guests.waiting_for(OWNER) == ()
        with pytest.raises(Stale):
            guests.close(answered)

    db.run_now(unit)
