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

from bridge.wire.messages import OutboundSend
from bridge.wire.place import private_folder
from channel_worker.simulator import cdn
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
    attachments: Path

    def writes(self, text: str, sender: str = "", quotes: str = "") -> None:
        """The owner, or somebody else, writes to the bot; they may quote what it sent."""

    def draws(self, picture: bytes) -> None:
        """The owner sends a picture."""

    def shows_what_we_sent(self, order: OutboundSend, server_id: str) -> None:
        """The network gives the bot a message of its own."""

    def forgets_us(self) -> None:
        """The login is over, from the next call on."""

    def knows_us_again(self) -> None:
        """The same login is taken again, and the worker has cause to look."""

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
        self.attachments = rig.folder / "data/attachments"
        self._token = ""

    def writes(self, text: str, sender: str = "", quotes: str = "") -> None:
        item = {"type": 1, "text_item": {"text": text}}
        self._world.post([item | ({"ref_msg": {"svr_id": quotes}} if quotes else {})], sender)

    def draws(self, picture: bytes) -> None:
        self._world.post([cdn.picture_item(self._rig.simulator, picture)])

    def shows_what_we_sent(self, order: OutboundSend, server_id: str) -> None:
        self._world.post(
            [{"type": 1, "text_item": {"text": order.text}}],
            self._world.bot_id,
            message_type=2,
            message_id=int(server_id),
            client_id=order.client_id,
        )

    def forgets_us(self) -> None:
        self._token = self._world.token
        self._rig.simulator.expire_token()

    def knows_us_again(self) -> None:
        self._world.token = self._token
        self._rig.write_credentials()

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
        self.attachments = private_folder(folder / "attachments")
        private_folder(folder / "run")

    def writes(self, text: str, sender: str = "", quotes: str = "") -> None:
        self._post.write(text, sender or self.owner, quotes)

    def draws(self, picture: bytes) -> None:
        self._post.write("", self.owner, drawing=picture)

    def shows_what_we_sent(self, order: OutboundSend, server_id: str) -> None:
        self._post.copy(order.client_id, server_id)

    def forgets_us(self) -> None:
        self._post.knows_us = False
        self._post.tell()

    def knows_us_again(self) -> None:
        self._post.knows_us = True

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
        return list((self._folder / "run").glob("spool-*"))

    def _worker(self) -> PigeonWorker:
        return PigeonWorker(self._post, self.bridge.path, self._folder)


@pytest.fixture(params=["ilink", "ilink-consumes", "pigeon"])
async def side(request: pytest.FixtureRequest) -> AsyncIterator[Side]:
    if request.param == "pigeon":
        with tempfile.TemporaryDirectory(prefix="ctb") as folder:  # short: a socket lies in it
            yield PigeonSide(Path(folder))
        return
    async with rigged(gives_again=request.param == "ilink") as rig:
        yield IlinkSide(rig)
