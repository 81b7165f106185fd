"""What is done once for each key beside a start: a message added to a turn, a branch."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from bridge.codex.engine import Engine
from bridge.codex.keys import Keys
from bridge.codex.model import Run, RunId, ThreadId


class Alone:
    """One piece of work at a time for each name."""

    def __init__(self) -> None:
        self._locks: dict[str, anyio.Lock] = {}

    @asynccontextmanager
    async def of(self, name: str) -> AsyncIterator[None]:
        lock = self._locks.setdefault(name, anyio.Lock())
        async with lock:
            yield
        if not lock.statistics().tasks_waiting and not lock.locked():
            self._locks.pop(name, None)


class Once:
    """A key that comes again, to whichever process, is answered as it was the first time."""

    def __init__(self, keys: Keys, engine: Engine) -> None:
        self._keys = keys
        self._engine = engine
        self._alone = Alone()

    async def steer(self, run: Run, message: str, key: str) -> RunId:
        """Add to the turn of a run; the run that has it. Raises Refused(NO_ACTIVE_TURN)."""
        async with self._alone.of(key):
            taken = self._keys.done_under(key, "steer")
            if taken is None:
                await self._engine.steer(run, message, key)
                self._keys.note_done(key, "steer", run.id)
            return RunId(taken) if taken else run.id

    async def fork(self, thread: ThreadId, cwd: str | None, key: str | None) -> ThreadId:
        """A branch of a thread; without a key, a new one each time."""
        if key is None:
            return await self._engine.fork(thread, cwd, lambda _made: None)
        what = f"fork {thread}"
        async with self._alone.of(key):
            made = self._keys.done_under(key, what)
            if made is None:
                return await self._engine.fork(
                    thread, cwd, lambda made: self._keys.note_done(key, what, made)
                )
            branch = ThreadId(made)
            await self._engine.release(branch, None)  # whoever made it may have died first
            return branch
