"""What can be said of Codex's threads from its files alone: no server, no lock.

This is the whole engine of `--reads-only`, and the reading half of the other one.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import anyio

from bridge.codex import history, locate, rollout, writers
from bridge.codex.model import (
    Code,
    Item,
    Page,
    Refused,
    Run,
    Session,
    ThreadFacts,
    ThreadId,
)
from bridge.codex.outcome import ending_of

EVENT_BYTES = 256 * 1024  # of what a turn did, in one result


class Disk:
    """Reads one CODEX_HOME; nothing in it is changed."""

    name = "codex"

    def __init__(self, home: Path, folder: Path) -> None:
        self._home = home
        self._sockets = (writers.daemon_socket(home), writers.own_socket(folder))

    def facts(self, thread: ThreadId) -> ThreadFacts | None:
        """Head, folder and holder; None for a thread that no file knows."""
        found = locate.find(self._home, thread)
        if found is None:
            return None
        head = rollout.head(found.path)
        state, holder = self._state(writers.Writers(), thread, head)
        return ThreadFacts(thread, head, found.cwd, state, holder, found.archived)

    def result(self, run: Run) -> str | None:
        """The final text of the run's turn."""
        found = locate.find(self._home, run.thread or "")
        if found is None or run.turn is None:
            return None
        return ending_of(found.path, run.turn).text

    def events(self, run: Run) -> tuple[Item, ...]:
        """What the run's turn did."""
        found = locate.find(self._home, run.thread or "")
        if found is None or run.turn is None:
            return ()
        return history.turn_items(found.path, run.turn, EVENT_BYTES)

    async def sessions(
        self, limit: int, cursor: str | None, query: str | None, cwd: str | None
    ) -> tuple[list[Session], str | None]:
        """A page of threads, newest first; the cursor counts those already given."""
        return await anyio.to_thread.run_sync(self._sessions, limit, cursor, query, cwd)

    async def history(
        self, thread: ThreadId, position: str | None, limit_bytes: int
    ) -> Page | None:
        """A stretch of the thread's past; None for a thread that no file knows."""
        found = locate.find(self._home, thread)
        if found is None:
            return None
        read = partial(history.page, self._home, found.path, position, limit_bytes)
        return await anyio.to_thread.run_sync(read)

    def health(self) -> dict[str, object]:
        return {"engine": "codex", "servers": []}

    def _sessions(
        self, limit: int, cursor: str | None, query: str | None, cwd: str | None
    ) -> tuple[list[Session], str | None]:
        if cursor is not None and not cursor.isdigit():
            raise Refused(Code.INVALID, "this cursor is not one of ours")
        first = int(cursor or 0)
        rows = locate.listed(self._home, query, cwd, first, limit + 1)
        holders = writers.Writers()
        found = []
        for row in rows[:limit]:
            pid = holders.of(self._home, row.id)
            # Only a thread that somebody holds can be busy: the others cost no read.
            head = rollout.head(row.path) if pid else ""
            state, holder = self._state(holders, row.id, head)
            found.append(Session(row.id, row.title, row.cwd, row.updated_at_ms, state, holder))
        return found, str(first + limit) if len(rows) > limit else None

    def _state(
        self, holders: writers.Writers, thread: ThreadId, head: str
    ) -> tuple[str, str | None]:
        """`idle`, `busy` or `elsewhere`, and who holds the thread."""
        pid = holders.of(self._home, thread)
        if pid is None:
            return "idle", None
        if pid in [writers.serving(where) for where in self._sockets]:
            return ("busy" if head.endswith(":open") else "idle"), None
        return "elsewhere", writers.name_of(pid)
