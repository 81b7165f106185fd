"""A worker by hand on the bridge's real socket, with the real door behind it."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import TaskGroup

from bridge.core.decision import Policy
from bridge.core.model import Attempt, AttemptId, OutId, OutRow, PeerId, SendClass
from bridge.core.sending import Limits
from bridge.links.worker import WorkerLink
from bridge.store.db import Database
from bridge.tasks.door import Door
from bridge.tasks.fetch import Fetches
from bridge.tasks.state import Shared
from bridge.wire import messages
from bridge.wire.peer import Peer, connect, listen, serve

OWNER = PeerId("oOwner@im.wechat")
LIMIT_S = 10.0
Answer = Callable[[Any], Awaitable[Any]]  # Any: a request in, its reply out


class Bench:
    """The bridge's side: its door and its link to whoever holds the lease."""

    def __init__(self, folder: Path, tasks: TaskGroup, policy: Policy) -> None:
        self.folder = folder
        self.db = Database(folder / "bridge.sqlite3")
        self.db.open()
        self.shared = Shared(self.db, "install", "en", policy, Limits())
        self.link = WorkerLink()
        fetches = Fetches(self.shared, self.link, folder / "attachments")
        self.door = Door(self.shared, self.link, fetches, folder)
        self.path = folder / "s.sock"
        self._tasks = tasks

    async def connects(self, instance: str = "one", answer: Answer | None = None) -> Peer:
        """A worker of this instance that holds the lease."""
        peer = await connect(self.path, "worker", instance, answer or done, self._tasks)
        await self.greets(peer)
        return peer

    async def greets(self, peer: Peer) -> messages.ChannelHelloReply:
        hello = messages.ChannelHello("wechat", "bot", (OWNER,), generation=1)
        return await peer.call(hello, LIMIT_S)

    async def until_free(self) -> None:
        """Wait until nobody holds the lease."""
        while self.link.instance:
            await self.link.changed()


async def done(_request: object) -> messages.Done:
    return messages.Done()


def attempt(instance: str = "one") -> Attempt:
    row = OutRow(OutId(1), OWNER, SendClass.ANSWER, "g", 1, 1, "hello", "ctb:1", 0)
    return Attempt(AttemptId("a1"), row, "ctx", instance)


@asynccontextmanager
async def bench(policy: Policy | None = None) -> AsyncIterator[Bench]:
    """The socket served; ended with the block."""
    with tempfile.TemporaryDirectory(prefix="ctb") as name:  # short: a socket lies in it
        async with anyio.create_task_group() as tasks:
            built = Bench(Path(name), tasks, policy or Policy())
            try:
                async with await listen(built.path) as listener:
                    tasks.start_soon(serve, listener, built.door.answer, built.link.detach)
                    with anyio.fail_after(LIMIT_S):
                        yield built
                    tasks.cancel_scope.cancel()
            finally:
                built.db.close()
