"""Two channels behind one face: iLink with its worker, and pigeons with theirs.

What a test of the port may do to a network and may see of it; the worker between it and
the fake bridge is the real one of each.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar, Protocol

import anyio
import pytest

from channel_worker.worker import Worker
from tests.contract.channel_rig import Rig, rigged
from tests.fakes import pigeon
from tests.fakes.bridge import FakeBridge
from tests.fakes.pigeon import PigeonWorker, Post

LIMIT_S = 5.0


class Stops(Protocol):
    def stop(self) -> None: ...


class Side(Protocol):
    """One network, its worker, and the bridge that the worker speaks to."""

    bridge: FakeBridge
    channel: str
    owner: str
    stranger: str

    def writes(self, text: str, sender: str = "") -> None:
        """The owner, or somebody else, writes to the bot."""

    @asynccontextmanager
    async def working(self) -> AsyncIterator[Stops]:
        """A worker, stopped in order at the end of the block."""
        yield  # type: ignore[misc]  # a protocol

    async def ends(self) -> int:
        """Run a worker until it ends by itself; its exit code."""

    def positions(self) -> list[str]:
        """The cursors that the network was asked for messages with."""

    def shown(self) -> list[str]:
        """What the bot's people see."""

    def requests(self) -> int:
        """How often the network was asked to deliver something."""

    def will_say(self, outcome: str) -> None:
        """The next delivery ends so."""

    def will_take(self, seconds: float) -> None:
        """So does the next delivery, so long."""

    async def until(self, is_so: Callable[[], object]) -> None:
        """Looked at whenever something happens at the network."""

    async def drains(self) -> None:
        """Until no delivery is out."""

    def spools(self) -> list[Path]: ...


class IlinkSide:
    """The worker that we ship, over the simulated WeChat."""

    FAULTS: ClassVar = {
        "unconfirmed": ("no_id", 0),
        "throttled": ("ret", -2),
        "expired": ("ret", -14),
        "refused": ("ret", -4),
        "unknown_code": ("ret", -77),
        "unknown": ("reset_after", 0),
    }
    channel, stranger = "wechat", "oStranger@im.wechat"

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._world = rig.world
        self.bridge = rig.bridge
        self.owner = rig.world.owner_id

    def writes(self, text: str, sender: str = "") -> None:
        self._world.say(text, sender)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[Worker]:
        async with self._rig.working() as worker:
            yield worker

    async def ends(self) -> int:
        return await self._rig.run_until_it_ends()

    def positions(self) -> list[str]:
        return [call.body["get_updates_buf"] for call in self._world.calls("getupdates")]

    def shown(self) -> list[str]:
        return [sent.text for sent in self._world.sent]

    def requests(self) -> int:
        return len(self._world.calls("sendmessage"))

    def will_say(self, outcome: str) -> None:
        kind, code = self.FAULTS[outcome]
        self._rig.simulator.fail("sendmessage", kind, code=code)  # type: ignore[arg-type]  # a literal

    def will_take(self, seconds: float) -> None:
        self._rig.simulator.fail("sendmessage", "delay", seconds=seconds)

    async def until(self, is_so: Callable[[], object]) -> None:
        await self._rig.until(is_so)

    async def drains(self) -> None:
        assert self._rig.worker
        await self._rig.worker.drain()

    def spools(self) -> list[Path]:
        return self._rig.spools()


class PigeonSide:
    """Another network with ids of another kind, and a worker over `bridge.wire` alone."""

    SAYS: ClassVar = {
        "unconfirmed": "delivered, I think",
        "throttled": "too many birds",
        "expired": "who are you",
        "refused": "not like this",
        "unknown_code": "coo",
        "unknown": "",
    }
    channel, owner, stranger = pigeon.CHANNEL, pigeon.OWNER, pigeon.STRANGER

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._post = Post()
        self.bridge = FakeBridge(folder)

    def writes(self, text: str, sender: str = "") -> None:
        self._post.write(text, sender or self.owner)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[PigeonWorker]:
        worker = self._worker()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(worker.run)
            yield worker
            worker.stop()

    async def ends(self) -> int:
        with anyio.fail_after(LIMIT_S):
            return await self._worker().run()

    def positions(self) -> list[str]:
        return self._post.positions

    def shown(self) -> list[str]:
        return self._post.delivered

    def requests(self) -> int:
        return self._post.requests

    def will_say(self, outcome: str) -> None:
        self._post.answers.append(self.SAYS[outcome])

    def will_take(self, seconds: float) -> None:
        self._post.hold_s = seconds

    async def until(self, is_so: Callable[[], object]) -> None:
        with anyio.fail_after(LIMIT_S):
            while not is_so():
                await self._post.news.wait()

    async def drains(self) -> None:
        await self.until(lambda: len(self._post.delivered) == self._post.requests)

    def spools(self) -> list[Path]:
        return list(self._folder.glob("spool-*"))

    def _worker(self) -> PigeonWorker:
        return PigeonWorker(self._post, self.bridge.path, self._folder / "spool-pigeon")


@pytest.fixture(params=["ilink", "ilink-consumes", "pigeon"])
async def side(request: pytest.FixtureRequest) -> AsyncIterator[Side]:
    if request.param == "pigeon":
        with tempfile.TemporaryDirectory(prefix="ctb") as folder:  # short: a socket lies in it
            yield PigeonSide(Path(folder))
        return
    async with rigged(gives_again=request.param == "ilink") as rig:
        yield IlinkSide(rig)
