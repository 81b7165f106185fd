"""A worker between a simulated iLink server and a fake bridge, all in one process."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from bridge.wire import env
from bridge.wire.messages import MediaUpload
from channel_worker import settings
from channel_worker.simulator.server import Simulator
from channel_worker.simulator.world import World
from channel_worker.sleepwatch import SleepWatch
from channel_worker.trouble import Patience
from channel_worker.worker import Worker
from tests.fakes.bridge import FakeBridge

HURRIED = Patience(retry_s=0.02, recheck_s=0.1, odd_recheck_s=(0.1,), watch_s=0.02)


class Rig:
    """What a test holds: the simulator, the bridge, and workers it starts and stops."""

    def __init__(self, folder: Path, simulator: Simulator) -> None:
        self.folder = folder
        self.simulator = simulator
        self.world = simulator.world
        self.bridge = FakeBridge(folder)
        self.said: list[str] = []
        self.worker: Worker | None = None
        self._said_more = anyio.Event()

    @property
    def credentials_path(self) -> Path:
        return self.folder / "credentials.json"

    def write_credentials(self, generation: int = 1, **fields: object) -> None:
        """A login, written as a whole as ours is."""
        beside = self.folder / "credentials.new"
        beside.write_text(json.dumps(self.simulator.credentials(generation) | fields))
        beside.chmod(0o600)
        beside.replace(self.credentials_path)

    def settings(self, **variables: str) -> settings.Settings:
        given = {
            "CTB_PROJECT_ROOT": str(self.folder),
            "CTB_SOCKET": str(self.bridge.path),
            "ILINK_BASE_URL": self.simulator.base_url,
            "ILINK_CREDENTIALS_PATH": str(self.credentials_path),
        }
        return settings.read(env.read(given | variables))

    def staged(self, content: bytes, kind: str = "file", name: str = "report.pdf") -> MediaUpload:
        """The order to upload a file with this content, which lies in the staging folder."""
        (self.folder / "data/staging/blob").write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        return MediaUpload("blob", kind, self.world.owner_id, name, digest)  # type: ignore[arg-type]  # one of the words

    @asynccontextmanager
    async def working(
        self,
        sleep_watch: SleepWatch | None = None,
        watch_s: float = HURRIED.watch_s,
        lasts_s: float = HURRIED.lasts_s,
        **variables: str,
    ) -> AsyncIterator[Worker]:
        """A worker that runs inside the block and is stopped in order at its end."""
        patience = replace(HURRIED, watch_s=watch_s, lasts_s=lasts_s)
        self.worker = worker = Worker(self.settings(**variables), self._say, sleep_watch, patience)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(worker.run)
            yield worker
            worker.stop()

    async def run_until_it_ends(self, **variables: str) -> int:
        with anyio.fail_after(5):
            return await Worker(self.settings(**variables), self._say, None, HURRIED).run()

    async def until_said(self, words: str) -> str:
        """Wait until the worker's terminal shows a line with `words`; the line."""

        def found() -> list[str]:
            return [line for line in self.said if words in line]

        with anyio.fail_after(5):
            while not found():
                await self._said_more.wait()
        return found()[0]

    async def until_arriving(self) -> None:
        """Wait until the reply to the open poll has begun; only the connection knows."""
        with anyio.fail_after(5):
            while not (self.worker and self.worker.is_reply_arriving):
                await anyio.lowlevel.checkpoint()

    async def until(self, is_so: Callable[[], object]) -> None:
        await self.simulator.until(is_so, deadline_s=5.0)

    def spools(self) -> list[Path]:
        return list((self.folder / "data/run").glob("spool-*"))

    def _say(self, line: str) -> None:
        self.said.append(line)
        self._said_more.set()
        self._said_more = anyio.Event()


@asynccontextmanager
async def rigged(gives_again: bool) -> AsyncIterator[Rig]:
    """A rig with a login, in one of the two modes of a reply that was not read."""
    simulator = Simulator(World(gives_again=gives_again))
    with tempfile.TemporaryDirectory(prefix="ctb") as folder:  # short: a socket lies in it
        async with simulator.serve():
            rig = Rig(Path(folder), simulator)
            rig.write_credentials()
            yield rig


@pytest.fixture(params=["gives_again", "consumes"])
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    """The suite runs in both modes (delivery-semantics 1)."""
    async with rigged(request.param == "gives_again") as built:
        yield built
