"""The controller's own state: which key started what, and who may write where.

One SQLite file, one connection, one process (the caller holds the lock of the file).
Every method is one transaction, committed when it returns. Nothing of a message or
an answer is stored: those are read again from the engine.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from bridge.codex.model import (
    Code,
    Ending,
    Lock,
    LockToken,
    Order,
    Refused,
    Run,
    RunId,
    Status,
    ThreadId,
    TurnId,
)

BUSY_TIMEOUT_MS = 5000  # for a copy or a check by another program
KEPT_RUNS = 5000  # closed runs; a key older than these may be used anew
SCHEMA = 1

# `run` is written by Runs alone; a row goes when its start is refused, or when it is
# closed, released and older than the newest KEPT_RUNS. `lock` is written by Runs alone;
# a released one stays as long as its run, so that a repeated release is answered.
# `done` is written by Once alone; the newest KEPT_RUNS rows stay.
_TABLES = (
    """CREATE TABLE run (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        key TEXT NOT NULL UNIQUE,
        digest TEXT NOT NULL,
        owner TEXT NOT NULL,
        thread TEXT,
        turn TEXT,
        status TEXT NOT NULL,
        head_before TEXT,
        settings_before TEXT,
        head_after TEXT,
        reason TEXT,
        detail TEXT,
        started_at_ms INTEGER NOT NULL,
        ended_at_ms INTEGER,
        cancel_at_ms INTEGER,
        acked_at_ms INTEGER,
        closed_at_ms INTEGER)""",
    "CREATE INDEX run_thread ON run (thread, number)",
    """CREATE UNIQUE INDEX run_live ON run (thread)
        WHERE status IN ('starting', 'in_progress') AND thread IS NOT NULL""",
    """CREATE TABLE lock (
        token TEXT PRIMARY KEY,
        thread TEXT NOT NULL,
        owner TEXT NOT NULL,
        run TEXT,
        settings_before TEXT,
        released_at_ms INTEGER)""",
    "CREATE TABLE done (key TEXT PRIMARY KEY, what TEXT NOT NULL, result TEXT NOT NULL)",
    "CREATE UNIQUE INDEX lock_held ON lock (thread) WHERE released_at_ms IS NULL",
    "CREATE TABLE meta (engine TEXT NOT NULL)",
)

_SELECT_RUN = (
    "SELECT id, key, digest, owner, thread, turn, status, head_before, settings_before,"
    " head_after, reason, detail, started_at_ms, ended_at_ms, cancel_at_ms,"
    " acked_at_ms, closed_at_ms"
    " FROM run "
)
_SELECT_LOCK = "SELECT token, thread, owner, run, released_at_ms FROM lock "
_MARKS = {
    "ack": "UPDATE run SET acked_at_ms = coalesce(acked_at_ms, ?) WHERE id = ?",
    "close": "UPDATE run SET closed_at_ms = coalesce(closed_at_ms, ?) WHERE id = ?",
    "cancel": "UPDATE run SET cancel_at_ms = coalesce(cancel_at_ms, ?) WHERE id = ?",
}


class Keys:
    """The open state file. Raises sqlite3.Error when the disk refuses."""

    def __init__(self, path: Path, engine: str, is_durable: bool = True) -> None:
        """`is_durable` False may lose the last commits at a power cut, not at a crash.

        So may, in any case, what the journal of Codex tells again: that a message got in,
        and how it ended. Each flush to the disk is waited for in the middle of a turn.
        """
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._is_durable = is_durable
        self._prepare(engine)

    @property
    def db(self) -> sqlite3.Connection:
        """The connection, for an engine whose own data lives in the same file."""
        return self._db

    def of_key(self, key: str, digest: str) -> Run | None:
        """The run of a key; Refused(KEY_CONFLICT) when it was another payload's."""
        found = self._many("WHERE key = ?", key)
        if found and found[0].digest != digest:
            raise Refused(Code.KEY_CONFLICT, "this key was already used for another message")
        return found[0] if found else None

    def claim(self, order: Order, digest: str, now_ms: int) -> Run:
        """A new row for a key that has none; the caller asks `of_key` first."""
        run_id = RunId("run_" + secrets.token_hex(8))
        self._db.execute(
            "INSERT INTO run (id, key, digest, owner, thread, status, started_at_ms)"
            " VALUES (?, ?, ?, ?, ?, 'starting', ?)",
            (run_id, order.key, digest, order.owner, order.thread, now_ms),
        )
        return self.run(run_id)

    def sending(self, run: RunId, thread: ThreadId, head: str, settings_before: str | None) -> None:
        """The last commit before the message leaves: from here on it may be in."""
        with self._flushed():
            self._db.execute(
                "UPDATE run SET thread = ?, head_before = ?, settings_before = ? WHERE id = ?",
                (thread, head, settings_before, run),
            )

    def begun(self, run: Run, thread: ThreadId, turn: TurnId) -> Run:
        """The engine took the message; the thread is locked for the run's owner.

        One transaction: the turn is recorded, an older lock of the same owner is
        replaced, and what must be put back at its release is carried over.
        """
        with self._transaction():
            self._db.execute(
                "UPDATE run SET thread = ?, turn = ?, status = 'in_progress' WHERE id = ?",
                (thread, turn, run.id),
            )
            started = self.run(run.id)
            self._replace_lock(thread, started.owner, run.id, started.settings_before)
            return started

    def drop(self, run: RunId) -> None:
        """Forget a run whose message never left: its key may be used again."""
        self._db.execute("DELETE FROM run WHERE id = ?", (run,))

    def end(self, run: RunId, ending: Ending, now_ms: int) -> Run:
        self._db.execute(
            "UPDATE run SET status = ?, reason = ?, detail = ?, head_after = ?,"
            " ended_at_ms = ? WHERE id = ?",
            (ending.status, ending.reason, ending.detail, ending.head, now_ms, run),
        )
        return self.run(run)

    def mark(self, run: RunId, what: str, now_ms: int) -> Run:
        """Note that a run was acked, closed or told to end; the first time counts."""
        self._db.execute(_MARKS[what], (now_ms, run))
        return self.run(run)

    def released(self, token: LockToken, now_ms: int) -> None:
        """The thread is free; old closed runs go with the same transaction."""
        with self._flushed(), self._transaction():
            self._db.execute(
                "UPDATE lock SET released_at_ms = coalesce(released_at_ms, ?) WHERE token = ?",
                (now_ms, token),
            )
            self._prune()

    def take_over(self, thread: ThreadId, owner: str) -> LockToken:
        """A new lock for `owner`, whoever held the thread; a person allowed it."""
        with self._flushed(), self._transaction():
            return self._replace_lock(thread, owner, None, None)

    def run(self, run: RunId) -> Run:
        """Raises Refused(NOT_FOUND)."""
        return self._one(_SELECT_RUN + "WHERE id = ?", run)

    def live_run(self, thread: ThreadId) -> Run | None:
        found = self._many("WHERE thread = ? AND status IN ('starting', 'in_progress')", thread)
        return found[0] if found else None

    def unfinished(self) -> list[Run]:
        return self._many("WHERE status IN ('starting', 'in_progress') ORDER BY number")

    def runs(
        self, owner: str | None, thread: str | None, status: str | None, limit: int
    ) -> list[Run]:
        """Newest first; `starting` is never shown, `blocked` is asked as in_progress."""
        return self._many(
            "WHERE status <> 'starting' AND (?1 IS NULL OR owner = ?1)"
            " AND (?2 IS NULL OR thread = ?2) AND (?3 IS NULL OR status = ?3)"
            " ORDER BY number DESC LIMIT ?4",
            *(owner, thread, status, limit),
        )

    def lock(self, thread: ThreadId) -> Lock | None:
        """The lock that holds the thread now."""
        return self._lock("WHERE thread = ? AND released_at_ms IS NULL", thread)

    def lock_by_token(self, token: str) -> Lock | None:
        return self._lock("WHERE token = ?", token)

    def settings_before(self, token: LockToken) -> str | None:
        """What has to be put back when this lock is released."""
        row = self._db.execute(
            "SELECT settings_before FROM lock WHERE token = ?", (token,)
        ).fetchone()
        return row[0] if row else None

    def done_under(self, key: str, what: str) -> str | None:
        """What came of this work under this key; Refused(KEY_CONFLICT) for other work."""
        row = self._db.execute("SELECT what, result FROM done WHERE key = ?", (key,)).fetchone()
        if row is not None and row[0] != what:
            raise Refused(Code.KEY_CONFLICT, "this key was already used for something else")
        return str(row[1]) if row else None

    def note_done(self, key: str, what: str, result: str) -> None:
        """The work is done; the oldest such rows go."""
        with self._flushed(), self._transaction():
            self._db.execute("INSERT INTO done VALUES (?, ?, ?)", (key, what, result))
            self._db.execute(
                "DELETE FROM done WHERE rowid <= (SELECT max(rowid) FROM done) - ?", (KEPT_RUNS,)
            )

    def close(self) -> None:
        self._db.close()

    def _replace_lock(
        self, thread: ThreadId, owner: str, run: RunId | None, before: str | None
    ) -> LockToken:
        token = LockToken("lock_" + secrets.token_hex(12))
        older = self._db.execute(
            "UPDATE lock SET released_at_ms = 0"
            " WHERE thread = ? AND released_at_ms IS NULL RETURNING settings_before",
            (thread,),
        ).fetchone()
        # The oldest settings are the person's own; a later run saw ours.
        kept = (older[0] if older else None) or before
        self._db.execute(
            "INSERT INTO lock (token, thread, owner, run, settings_before) VALUES (?, ?, ?, ?, ?)",
            (token, thread, owner, run, kept),
        )
        return token

    def _prune(self) -> None:
        self._db.execute(
            "DELETE FROM run WHERE closed_at_ms IS NOT NULL AND number <="
            " (SELECT max(number) FROM run) - ? AND id NOT IN"
            " (SELECT run FROM lock WHERE released_at_ms IS NULL AND run IS NOT NULL)",
            (KEPT_RUNS,),
        )
        self._db.execute(
            "DELETE FROM lock WHERE released_at_ms IS NOT NULL AND run IS NOT NULL"
            " AND run NOT IN (SELECT id FROM run)"
        )

    def _one(self, sql: str, value: str) -> Run:
        row = self._db.execute(sql, (value,)).fetchone()
        if row is None:
            raise Refused(Code.NOT_FOUND, "this run is not known here", run_id=value)
        return _run(row)

    def _many(self, where: str, *values: object) -> list[Run]:
        rows = self._db.execute(_SELECT_RUN + where, values).fetchall()
        return [_run(row) for row in rows]

    def _lock(self, where: str, value: str) -> Lock | None:
        row = self._db.execute(_SELECT_LOCK + where, (value,)).fetchone()
        return Lock(*row) if row else None

    @contextmanager
    def _flushed(self) -> Iterator[None]:
        """What is committed inside survives a power cut, and so does all before it."""
        if self._is_durable:
            self._db.execute("PRAGMA synchronous = FULL")
        try:
            yield
        finally:
            self._db.execute("PRAGMA synchronous = NORMAL")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _prepare(self, engine: str) -> None:
        """Make the tables of a new file; refuse one of another engine or a newer us."""
        with self._transaction():
            found = self._db.execute("PRAGMA user_version").fetchone()[0]
            if found == 0:
                for statement in _TABLES:
                    self._db.execute(statement)
                self._db.execute("INSERT INTO meta VALUES (?)", (engine,))
                self._db.execute(f"PRAGMA user_version = {SCHEMA}")
            elif found > SCHEMA:
                raise Refused(
                    Code.ENGINE_DOWN,
                    "the controller's state file was written by a newer version",
                )
            kept = self._db.execute("SELECT engine FROM meta").fetchone()[0]
            if kept != engine:
                raise Refused(
                    Code.ENGINE_DOWN,
                    f"the controller's state file belongs to the engine {kept}:"
                    " set CROSS_THREAD_CONTROLLER_DB to another file",
                )


def _run(row: tuple[Any, ...]) -> Run:  # Any: the columns of _SELECT_RUN, in its order
    run = Run(*row)
    return replace(run, status=Status(run.status))
