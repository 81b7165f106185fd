"""The rows of the echo engine: its threads, and how far each of its turns is.

They lie in the controller's own state file. Every method is one transaction.
"""

from __future__ import annotations

import sqlite3
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bridge.codex.model import (
    NO_TURNS,
    Code,
    Ending,
    Item,
    Page,
    Refused,
    Session,
    Status,
    ThreadFacts,
    ThreadId,
    TurnId,
)

MAX_HISTORY_BYTES = 1024 * 1024  # of text in one page

_TABLES = (
    # Written and read by Echo alone; a thread is never deleted.
    """CREATE TABLE IF NOT EXISTS echo_thread (
        id TEXT PRIMARY KEY, title TEXT NOT NULL, cwd TEXT NOT NULL,
        head TEXT NOT NULL, updated_at_ms INTEGER NOT NULL)""",
    # Written and read by Echo alone; `step` is the next step, `due_at_ms` its time,
    # `answered` the decision on the step that waits.
    """CREATE TABLE IF NOT EXISTS echo_turn (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, thread TEXT NOT NULL,
        key TEXT NOT NULL, message TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'open',
        step INTEGER NOT NULL DEFAULT 0, due_at_ms INTEGER, answered TEXT,
        is_refused INTEGER NOT NULL DEFAULT 0, steered TEXT NOT NULL DEFAULT '',
        text TEXT, begun_at_ms INTEGER NOT NULL, ended_at_ms INTEGER)""",
    "CREATE INDEX IF NOT EXISTS echo_turn_thread ON echo_turn (thread, number)",
)
_SELECT_TURN = "SELECT * FROM echo_turn "
_SAMPLES = (  # folder, title, question, minutes since it was asked
    ("shop", "Cart loses items after login", "Why does the cart lose items?", 12),
    ("blog", "Move the blog to static pages", "Which pages are left?", 3 * 60),
    ("scripts", "Nightly backup script", "Does the backup run at night?", 2 * 24 * 60),
)
_ENDS = {
    "completed": Status.COMPLETED,
    "failed": Status.FAILED,
    "aborted": Status.INTERRUPTED,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One turn, as its row says."""

    number: int
    id: TurnId
    thread: ThreadId
    key: str
    message: str
    state: str
    step: int
    due_at_ms: int | None
    answered: str | None
    is_refused: int
    steered: str
    text: str | None
    begun_at_ms: int
    ended_at_ms: int | None

    def extras(self) -> list[str]:
        """The messages that were added while the turn ran."""
        return [each for each in self.steered.split("\x1e") if each]

    def ending(self) -> Ending:
        """How the turn ended; its state is not `open`."""
        status = _ENDS[self.state]
        head = f"{self.id}:{self.state}"
        if status is Status.FAILED:
            return Ending(status, head, self.text or "engine_error")
        if status is Status.INTERRUPTED:
            return Ending(status, head, "interrupted_elsewhere")
        return Ending(status, head, None, self.text)

    def items(self) -> list[Item]:
        """The turn in words."""
        found = [Item(self.id, "user", self.message, _iso(self.begun_at_ms))]
        if self.state == "completed":
            found.append(Item(self.id, "assistant", self.text or "", _iso(self.ended_at_ms)))
        elif self.state != "open":
            found.append(Item(self.id, "note", f"the turn was {self.state}", ""))
        return found


class EchoStore:
    """All echo threads of one state file; the folders of the samples are made."""

    def __init__(self, db: sqlite3.Connection, folder: Path) -> None:
        self._db = db
        for statement in _TABLES:
            db.execute(statement)
        if db.execute("SELECT count(*) FROM echo_thread").fetchone()[0] == 0:
            self._plant(folder)

    def facts(self, thread: ThreadId) -> ThreadFacts | None:
        row = self._db.execute(
            "SELECT head, cwd FROM echo_thread WHERE id = ?", (thread,)
        ).fetchone()
        if row is None:
            return None
        return ThreadFacts(thread, row[0], row[1], _state(row[0]), None)

    def title(self, thread: ThreadId) -> str:
        row = self._db.execute("SELECT title FROM echo_thread WHERE id = ?", (thread,))
        return str(row.fetchone()[0])

    def sessions(
        self, limit: int, cursor: str | None, query: str | None, cwd: str | None
    ) -> tuple[list[Session], str | None]:
        first = int(cursor) if cursor and cursor.isdigit() else 0
        rows = self._db.execute(
            "SELECT id, title, cwd, updated_at_ms, head FROM echo_thread"
            " WHERE (?1 IS NULL OR cwd = ?1) AND (?2 IS NULL OR instr(lower(title), ?2) > 0)"
            " ORDER BY updated_at_ms DESC, id LIMIT ?3 OFFSET ?4",
            (cwd, query.lower() if query else None, limit + 1, first),
        ).fetchall()
        found = [
            Session(ThreadId(row[0]), row[1], row[2], row[3], _state(row[4]))
            for row in rows[:limit]
        ]
        return found, str(first + limit) if len(rows) > limit else None

    def history(self, thread: ThreadId, position: str | None, limit_bytes: int) -> Page | None:
        found = self.facts(thread)
        if found is None:
            return None
        if position is None:
            rows = self.turns("WHERE thread = ? ORDER BY number DESC LIMIT 1", thread)
        elif position.isdigit():
            rows = self.turns(
                "WHERE thread = ? AND number > ? ORDER BY number", thread, int(position)
            )
        else:
            raise Refused(Code.INVALID, "this position is not one of ours")
        items: list[Item] = []
        reached = position or "0"
        room = min(limit_bytes, MAX_HISTORY_BYTES)
        for row in rows:
            if room <= 0:
                return Page(tuple(items), reached, True, found.head)
            items += row.items()
            room -= sum(len(item.text.encode()) for item in row.items())
            reached = str(row.number if row.state != "open" else row.number - 1)
        return Page(tuple(items), reached, False, found.head)

    def turn(self, turn: str) -> Row:
        """Raises Refused(NOT_FOUND)."""
        found = self.turns("WHERE id = ?", turn)
        if not found:
            raise Refused(Code.NOT_FOUND, "this turn is not known")
        return found[0]

    def turn_of_key(self, key: str) -> TurnId | None:
        found = self.turns("WHERE key = ?", key)
        return found[0].id if found else None

    def turns(self, where: str, *values: object) -> list[Row]:
        rows = self._db.execute(_SELECT_TURN + where, values)
        return [Row(*row) for row in rows.fetchall()]

    def add_thread(self, title: str, cwd: str, ident: uuid.UUID | None = None) -> ThreadId:
        thread = ThreadId(str(ident or uuid.uuid4()))
        self._db.execute(
            "INSERT INTO echo_thread VALUES (?, ?, ?, ?, ?)",
            (thread, title, cwd, NO_TURNS, now_ms()),
        )
        return thread

    def branch(self, thread: ThreadId, title: str, cwd: str) -> ThreadId:
        """A new thread with the same past: the turns of the other one that are over."""
        made = self.add_thread(title, cwd)
        for row in self.turns("WHERE thread = ? AND state != 'open' ORDER BY number", thread):
            self.end(self.turn(self.add_turn(made, "", row.message)), row.state, row.text)
        return made

    def add_turn(self, thread: ThreadId, key: str, message: str) -> TurnId:
        """A new open turn; it is the thread's head from now on."""
        turn = TurnId(f"turn_{uuid.uuid4().hex[:16]}")
        with self._db:
            self._db.execute("BEGIN")
            self._db.execute(
                "INSERT INTO echo_turn (id, thread, key, message, begun_at_ms)"
                " VALUES (?, ?, ?, ?, ?)",
                (turn, thread, key, message, now_ms()),
            )
            self._move_head(thread, f"{turn}:open")
        return turn

    def steer(self, row: Row, message: str) -> None:
        extras = "\x1e".join([*row.extras(), message])
        self._db.execute("UPDATE echo_turn SET steered = ? WHERE id = ?", (extras, row.id))

    def wait_until(self, row: Row, due_at_ms: int) -> None:
        self._db.execute("UPDATE echo_turn SET due_at_ms = ? WHERE id = ?", (due_at_ms, row.id))

    def decide(self, turn: TurnId, decision: str) -> None:
        """Note the answer to the step that waits; the first one counts."""
        self._db.execute(
            "UPDATE echo_turn SET answered = ? WHERE id = ? AND answered IS NULL",
            (decision, turn),
        )

    def advance(self, row: Row, is_refused: bool = False) -> None:
        """The next step is due."""
        self._db.execute(
            "UPDATE echo_turn SET step = step + 1, due_at_ms = NULL, answered = NULL,"
            " is_refused = max(is_refused, ?) WHERE id = ?",
            (is_refused, row.id),
        )

    def end(self, row: Row, state: str, text: str | None) -> None:
        with self._db:
            self._db.execute("BEGIN")
            self._db.execute(
                "UPDATE echo_turn SET state = ?, text = ?, ended_at_ms = ? WHERE id = ?",
                (state, text, now_ms(), row.id),
            )
            self._move_head(row.thread, f"{row.id}:{state}")

    def _move_head(self, thread: ThreadId, head: str) -> None:
        self._db.execute(
            "UPDATE echo_thread SET head = ?, updated_at_ms = ? WHERE id = ?",
            (head, now_ms(), thread),
        )

    def _plant(self, folder: Path) -> None:
        """A few threads with a past, so that a list has something to show."""
        for name, title, question, age_min in _SAMPLES:
            (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
            ident = uuid.uuid5(uuid.NAMESPACE_URL, f"ctb-echo:{name}")  # the same everywhere
            thread = self.add_thread(title, str(folder / name), ident)
            row = self.turn(self.add_turn(thread, f"sample:{name}", question))
            self.end(row, "completed", f"echo: {question}")
            self._db.execute(
                "UPDATE echo_thread SET updated_at_ms = ? WHERE id = ?",
                (now_ms() - age_min * 60_000, thread),
            )


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def _state(head: str) -> str:
    return "busy" if head.endswith(":open") else "idle"


def _iso(at_ms: int | None) -> str:
    return datetime.fromtimestamp((at_ms or 0) / 1000, UTC).isoformat(timespec="milliseconds")
