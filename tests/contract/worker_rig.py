"""A worker by hand on the bridge's real socket, with the real door behind it."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
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
from tests.fakes import pigeon

LIMIT_S = 10.0
Answer = Callable[[Any], Awaitable[Any]]  # Any: a request in, its reply out


@dataclass(frozen=True, slots=True)
class Network:
    """What the ids of a chat network look like; opaque to the bridge."""

    channel: str
    bot_id: str
    owner: PeerId
    stranger: str
    key_form: str

    def key(self, number: int) -> str:
        return self.key_form.format(number)


WECHAT = Network(
    "wechat", "0a1b2c@im.bot", PeerId("oOwner@im.wechat"), "oOther@im.wechat", "mid:{}"
)
OWNER = WECHAT.owner
PIGEON = Network(pigeon.CHANNEL, pigeon.LOFT, PeerId(pigeon.OWNER), "2002", "mid:loft-7/{}")


class Bench:
    """The bridge's side: its door and its link to whoever holds the lease."""

    def __init__(self, folder: Path, tasks: TaskGroup, network: Network, policy: Policy) -> None:
        self.network = network
        self.folder = folder
        self.db = Database(folder / "bridge.sqlite3")
        self.db.open()
        self.shared = Shared(self.db, "install", "en", policy, Limits())
        self.link = WorkerLink()
        fetches = Fetches(self.shared, self.link, folder / "attachments")
        self.door = Door(self.shared, self.link, fetches, folder)
        self.path = folder / "s.sock"
        self.served: Peer | None = None  # the bridge's end of who asked last
        self._tasks = tasks

    async def answer(self, peer: Peer, request: object) -> object:
        """The door's answer; whose request it was is kept, for what goes past the socket."""
        self.served = peer
        return await self.door.answer(peer, request)

    async def connects(
        self, instance: str = "one", answer: Answer | None = None, claims: bool = True
    ) -> Peer:
        """A worker of this instance that holds the lease, unless it claims nothing."""
        peer = await connect(self.path, "worker", instance, answer or done, self._tasks)
        if claims:
            await self.greets(peer)
        return peer

    async def greets(self, peer: Peer) -> messages.ChannelHelloReply:
        network = self.network
        hello = messages.ChannelHello(
            network.channel, network.bot_id, (network.owner,), generation=1
        )
        return await peer.call(hello, LIMIT_S)

    def attempt(self, instance: str = "one") -> Attempt:
        owner = self.network.owner
        row = OutRow(OutId(1), owner, SendClass.ANSWER, "g", 1, 1, "hello", "ctb:1", 0)
        return Attempt(AttemptId("a1"), row, "ctx", instance)

    async def until_free(self) -> None:
        """Wait until nobody holds the lease."""
        while self.link.instance:
            await self.link.changed()


async def done(_request: object) -> messages.Done:
    return messages.Done()


@pytest.fixture(params=[WECHAT, PIGEON], ids=["wechat", "pigeon"])
async def built(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    async with bench(request.param) as found:
        yield found


@asynccontextmanager
async def bench(network: Network, policy: Policy | None = None) -> AsyncIterator[Bench]:
    """The socket served; ended with the block."""
    with tempfile.TemporaryDirectory(prefix="ctb") as name:  # short: a socket lies in it
        async with anyio.create_task_group() as tasks:
            built = Bench(Path(name), tasks, network, policy or Policy())
            try:
                async with await listen(built.path) as listener:
                    tasks.start_soon(serve, listener, built.answer, built.link.detach)
                    with anyio.fail_after(LIMIT_S):
                        yield built
                    tasks.cancel_scope.cancel()
            finally:
                built.db.close()
