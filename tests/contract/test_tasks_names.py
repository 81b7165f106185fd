"""Names of threads are everybody's, and which one is in use is each person's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.core.model import Alias, AliasName, Owner, PeerId, ThreadId
from bridge.store import accounts, views
from bridge.store.statements import records
from bridge.store.tables import AliasRow, OutboxTable
from tests.contract.room import ACCOUNT, OWNER, THREAD, Room, name_thread, room

SECOND = PeerId("oSecond@im.wechat")  # of ILINK_OWNER_USER_IDS
WEB = Alias(AliasName("web"), ThreadId("thread-0002"), "/")


@pytest.fixture
async def shared(tmp_path: Path) -> AsyncIterator[Room]:
    """Two owners and two names; the first owner uses one of them, the second none."""
    both = replace(ACCOUNT, owner=Owner(frozenset({OWNER, SECOND})))
    async with room(tmp_path) as built:
        await built.db.run(lambda: accounts.pair(both, 0))
        await built.db.run(lambda: name_thread(WEB))
        yield built


async def told(built: Room, text: str, sender: PeerId) -> str:
    """What this owner is answered."""

    async def bubbles() -> list[str]:
        found = await built.db.read(lambda: records(OutboxTable, "peer = ? ORDER BY id", sender))
        return [row.text for row in found]

    async def look() -> bool:
        return len(await bubbles()) > before

    before = len(await bubbles())
    await built.says(text, sender=sender)
    await built.until(look, f"{sender} is answered")
    return (await bubbles())[-1]


async def in_use(built: Room) -> dict[PeerId, str | None]:
    """The name that each owner uses."""
    return await built.db.read(
        lambda: {peer: views.peer(peer, "en").active for peer in (OWNER, SECOND)}
    )


async def test_name_is_global_and_the_one_in_use_is_per_peer(shared: Room) -> None:
    """design 6 and 7: /add names for all conversations, /use selects here."""
    listed = await told(shared, "/list", SECOND)
    assert "code" in listed and "web" in listed
    assert "No thread is chosen" in await told(shared, "hello", SECOND)
    assert await shared.turns() == []
    assert "Now using web" in await told(shared, "/use web", SECOND)
    assert await in_use(shared) == {OWNER: "code", SECOND: "web"}
    await shared.says("for the code", sender=OWNER)
    await shared.says("for the web", sender=SECOND)
    await shared.until_asked("start", 2)
    turns = [(turn.peer, turn.thread) for turn in await shared.turns()]
    assert turns == [(OWNER, THREAD), (SECOND, WEB.thread)]


async def test_name_that_one_owner_removes_is_gone_for_the_other(shared: Room) -> None:
    """design 7: aliases are global; who was using it is told to choose."""
    await told(shared, "/use web", SECOND)
    assert "/yes" in await told(shared, "/remove web", OWNER)
    await told(shared, "/yes", OWNER)
    assert [row.name for row in await shared.db.read(lambda: records(AliasRow, "1"))] == ["code"]
    assert await in_use(shared) == {OWNER: "code", SECOND: None}
    assert "No thread is chosen" in await told(shared, "still there?", SECOND)
