"""Brings the owner's files here: each is a step of its own, retried, beside everything else.

The reference is a row since T1. A message waits for its files until each is stored or
given up, and the dispatcher is told then; the poll, the sends and the turns wait for
nothing of this.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import anyio
from anyio.abc import TaskGroup

from bridge.core.attached import FileId
from bridge.core.errors import LinkLost, StoreFault
from bridge.core.fetching import Wanted, after_fetch
from bridge.links.worker import WorkerLink
from bridge.store import attachments
from bridge.tasks.state import STORE_RETRY_S, Bell, Shared
from bridge.wire import log

AT_ONCE = 2  # of the four requests that may be open; the others are an upload and a send
LOOK_AGAIN_S = 60.0  # a lost wake-up costs no more than this

_log = log.get("fetch")


class Fetches:
    """The files that are on their way."""

    def __init__(self, shared: Shared, worker: WorkerLink, folder: Path) -> None:
        self._shared = shared
        self._worker = worker
        self._folder = folder
        self._out: set[FileId] = set()
        self._bell = Bell()

    def wake(self) -> None:
        """Messages were stored, which may have brought files."""
        self._bell.ring()

    async def keep_fetching(self) -> None:
        """Fetch what is wanted, for ever."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch_worker)
            while True:
                try:
                    wait_s = await self._round(tasks)
                except StoreFault:
                    _log.exception("fetch.store_failed")
                    wait_s = STORE_RETRY_S
                await self._bell.heard(wait_s)

    async def _watch_worker(self) -> None:
        """A worker that comes back may be asked again."""
        while True:
            await self._worker.changed()
            self._bell.ring()

    async def _round(self, tasks: TaskGroup) -> float:
        """Ask for what is due; how long until something else is, in seconds."""
        free = AT_ONCE - len(self._out)
        if not self._worker.instance or free <= 0:
            return LOOK_AGAIN_S
        now_ms = self._shared.now_ms()
        out = tuple(self._out)
        found = await self._shared.db.read(lambda: attachments.due(now_ms, free, out))
        for file in found:
            self._out.add(file.id)
            tasks.start_soon(self._fetch, file)
        if len(found) == free:
            return LOOK_AGAIN_S  # the end of one rings
        next_ms = await self._shared.db.read(lambda: attachments.next_due_ms(now_ms))
        if next_ms is None or next_ms <= now_ms:
            return LOOK_AGAIN_S
        return min(LOOK_AGAIN_S, (next_ms - now_ms) / 1000)

    async def _fetch(self, file: Wanted) -> None:
        try:
            reply = await self._worker.fetch(file)
            step = after_fetch(reply.outcome, file.tries, self._shared.now_ms())
            path = str(self._folder / reply.stored_path) if reply.stored_path else ""
            unit = partial(attachments.fetched, file.id, step, path, reply.content_type, reply.code)
            with anyio.CancelScope(shield=True):
                await self._shared.db.run(unit)
            _log.info("fetch.done", file=file.id, outcome=step.outcome, code=reply.code)
            if step.outcome:
                self._shared.inbox_bell.ring()
        except LinkLost:
            _log.info("fetch.again", file=file.id)  # no try: it is asked for when one is back
        except StoreFault:
            _log.exception("fetch.store_failed")
            await anyio.sleep(STORE_RETRY_S)
        finally:
            self._out.discard(file.id)
            self._bell.ring()
