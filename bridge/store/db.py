"""The one connection to the one file, and every rule that keeps it whole.

SQLite in WAL with `synchronous=FULL`: the cursor tells iLink to forget, so what it
covers must survive a power cut. One connection, exclusive, used by one thread at a
time. Each unit is one IMMEDIATE transaction; after any error the whole unit is
abandoned. The settings are read back at every open: a mismatch is a StoreFault, and
the bridge then stays up in safe mode and changes nothing.
"""

from __future__ import annotations

import sqlite3
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import anyio
from peewee import DatabaseError, PeeweeException, SqliteDatabase

from bridge.core.errors import StoreFault
from bridge.store.lane import Lane
from bridge.store.tables import MetaRow, proxy
from bridge.wire import place

APPLICATION_ID = 0x43544231  # "CTB1"
SCHEMA = 2  # number of the newest file in `migrations/`
BUSY_MS = 5_000  # delivery-semantics 3
HEADER_BYTES = 100  # SQLite file format 1.3, as the three below
JOURNAL_AT = 18
JOURNAL_WAL = b"\x02"
APPLICATION_AT = 68
T = TypeVar("T")

_EXPECTED: dict[str, object] = {
    "journal_mode": "wal",
    "synchronous": 2,
    "foreign_keys": 1,
    "busy_timeout": BUSY_MS,
    "locking_mode": "exclusive",
}
if sys.platform == "darwin":
    _EXPECTED |= {"fullfsync": 1, "checkpoint_fullfsync": 1}


class Database:
    """The open file. `run` is the only way to it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = anyio.Lock(fast_acquire=True)
        self._disk = Lane("disk")
        self._db = SqliteDatabase(
            str(path),
            pragmas=dict(_EXPECTED) | {"synchronous": "full"},
            lock_type="IMMEDIATE",
            thread_safe=False,
            check_same_thread=False,
        )

    def open(self) -> str:
        """Open, check, migrate; the id of this installation. Raises StoreFault."""
        try:
            if not (self._path.exists() or self._path.is_symlink()):
                self._create()
            place.touch_private(self._path)  # refuses a symbolic link
            self._check_header()
            self._db.connect()
            self._check()
            self._migrate()
            proxy.initialize(self._db)
            return self._install_id()
        except (PeeweeException, sqlite3.Error, OSError, place.PlaceFault) as failed:
            self.close()
            raise StoreFault(f"{type(failed).__name__}: {failed}") from failed

    def close(self) -> None:
        """Write everything back into the main file, then close."""
        self._disk.close()
        if self._db.is_closed():
            return
        with suppress(PeeweeException, sqlite3.Error):  # else the WAL is read at the next open
            self._ask("PRAGMA wal_checkpoint(TRUNCATE)")
        self._db.close()

    async def run(self, unit: Callable[[], T]) -> T:
        """One transaction; raises StoreFault when it is abandoned.

        Its statements run here and now, 0.02 ms each; its commit, which waits for the
        disk, on a thread of its own, so that the event loop goes on. No other unit gets
        in between. A cancelled caller waits for the commit all the same.
        """
        async with self._turn:
            with _faults():
                transaction = self._db.transaction("IMMEDIATE")
                transaction.__enter__()
                try:
                    found = unit()
                except BaseException:
                    transaction.__exit__(*sys.exc_info())
                    raise
                await self._disk.run(lambda: transaction.__exit__(None, None, None))
        return found

    async def read(self, unit: Callable[[], T]) -> T:
        """As `run`, for a unit that writes nothing: no transaction, no commit."""
        async with self._turn:
            with _faults():
                return unit()

    def run_now(self, unit: Callable[[], T]) -> T:
        """As `run`, before the event loop has anything else to do."""
        with _faults(), self._db.atomic("IMMEDIATE"):
            return unit()

    def _create(self) -> None:
        """A new file appears whole, as ours: so an empty one was never ours (F65)."""
        if self._path.with_name(f"{self._path.name}-wal").exists():
            raise StoreFault("the database file is gone, its write-ahead log is there")
        beside = self._path.with_name(f"{self._path.name}.new")
        beside.unlink(missing_ok=True)
        place.touch_private(beside)
        with closing(sqlite3.connect(beside)) as fresh:
            fresh.execute("PRAGMA journal_mode = WAL")
            fresh.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        beside.rename(self._path)
        place.sync_folder(self._path.parent)

    def _check_header(self) -> None:
        """Before SQLite touches it: opening turns a foreign file into WAL, which writes.

        Ours is WAL from its first page. No connection is open, so no lock is dropped.
        """
        with self._path.open("rb") as source:
            header = source.read(HEADER_BYTES)
        application = int.from_bytes(header[APPLICATION_AT:][:4], "big")
        if not header:
            raise StoreFault("the database file is empty: it was cut, or replaced")
        if header[JOURNAL_AT:][:1] != JOURNAL_WAL and application != APPLICATION_ID:
            raise StoreFault("the database file is damaged or not one of ours")

    def _check(self) -> None:
        for name, expected in _EXPECTED.items():
            if self._ask(f"PRAGMA {name}") != expected:
                raise StoreFault(f"the database does not keep {name}={expected}")
        application = self._ask("PRAGMA application_id")
        if application != APPLICATION_ID:
            raise StoreFault("the database file is not one of ours")
        verdict = self._ask("PRAGMA quick_check(1)")
        if verdict != "ok":
            raise StoreFault("the database file is damaged")

    def _migrate(self) -> None:
        version = self._ask("PRAGMA user_version")
        if version > SCHEMA:
            raise StoreFault(f"the database has schema {version}, this version knows {SCHEMA}")
        if version == SCHEMA:
            return
        from playhouse import migrations  # type: ignore[import-untyped]  # ships no stubs

        if version:
            self._back_up(version)
        migrations.run(self._db, str(Path(__file__).parent / "migrations"))
        with self._db.atomic("IMMEDIATE"):
            self._ask(f"PRAGMA user_version = {SCHEMA}")

    def _back_up(self, version: int) -> None:
        beside = self._path.with_name(f"{self._path.stem}.before-{version}.sqlite3")
        with sqlite3.connect(beside) as target:
            source: sqlite3.Connection = self._db.connection()  # type: ignore[no-untyped-call]  # stubs
            source.backup(target)
        beside.chmod(0o600)

    def _ask(self, pragma: str) -> Any:  # Any: the first value of whatever SQLite answers
        cursor = self._db.execute_sql(pragma)  # type: ignore[no-untyped-call]  # peewee's stubs
        row = cursor.fetchone()
        return row[0] if row else None

    def _install_id(self) -> str:
        fresh = uuid.uuid4().hex
        with self._db.atomic("IMMEDIATE"):
            MetaRow.insert(name="install", value=fresh).on_conflict_ignore().execute()
        return str(MetaRow.get_by_id("install").value)


@contextmanager
def _faults() -> Iterator[None]:
    """What the database says went wrong, as a StoreFault."""
    try:
        yield
    except (DatabaseError, sqlite3.Error) as failed:
        raise StoreFault(f"{type(failed).__name__}: {failed}") from failed
