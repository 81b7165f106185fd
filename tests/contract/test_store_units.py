"""One unit, one transaction: what a fault, a full disk and a second caller do to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from bridge.core.errors import StoreFault
from bridge.store.db import Database
from bridge.store.tables import MetaRow, proxy


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "bridge.sqlite3")
    database.open()
    yield database
    database.close()


def note(name: str, value: str = "") -> None:
    MetaRow.insert(name=name, value=value).execute()


def noted() -> set[str]:
    return {row.name for row in MetaRow.select()} - {"install"}


async def test_a_unit_that_raises_leaves_nothing(db: Database) -> None:
    """Its first statement is taken back, and the next unit is served."""

    def unit() -> None:
        note("first")
        raise KeyError("second")

    with pytest.raises(KeyError):
        await db.run(unit)
    await db.run(lambda: note("other"))
    assert await db.read(noted) == {"other"}


async def test_a_database_error_is_a_store_fault(db: Database) -> None:
    """The whole unit is abandoned, not only the statement that failed."""

    def unit() -> None:
        note("once")
        note("once")

    with pytest.raises(StoreFault):
        await db.run(unit)
    assert await db.read(noted) == set()


async def test_a_commit_that_finds_no_room_is_a_store_fault(db: Database) -> None:
    """A full disk, and room again: nothing of the failed unit is there."""
    pages = proxy.execute_sql("PRAGMA page_count").fetchone()[0]
    proxy.execute_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreFault):
        await db.run(lambda: note("large", "x" * 100_000))
    proxy.execute_sql("PRAGMA max_page_count = 100000")
    await db.run(lambda: note("small"))
    assert await db.read(noted) == {"small"}


async def test_nobody_gets_between_the_statements_of_a_unit_and_its_commit(db: Database) -> None:
    """Many writers and readers at once: every reader sees whole units only."""
    seen: list[int] = []

    def pair(number: int) -> None:
        note(f"{number}-a")
        note(f"{number}-b")

    async def write(number: int) -> None:
        await db.run(lambda: pair(number))

    async def read() -> None:
        seen.append(len(await db.read(noted)))

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(write, number)
            tasks.start_soon(read)
    assert len(await db.read(noted)) == 40
    assert all(count % 2 == 0 for count in seen)


async def test_a_cancelled_caller_leaves_a_whole_unit_or_none(db: Database) -> None:
    """It waits for the commit; the connection serves the next."""
    with anyio.move_on_after(0):
        await db.run(lambda: note("cancelled"))
    await db.run(lambda: note("next"))
    assert "next" in await db.read(noted)
