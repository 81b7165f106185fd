"""A whole gateway for the kill tests: simulator, real worker, launched bridge, recorder.

The processes are real, the traffic is loopback. What a test may look at from outside is
here: what the phone shows, what the controller was asked, what `status` says; and the
database, once the bridge is gone (while it lives the file is its own).
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import anyio
from anyio import to_thread

from bridge.ask import NotRunning, ask
from bridge.core.sending import REPEAT_MARK
from bridge.tasks.points import FilePoint, Point
from bridge.wire.messages import StatusGet, StatusReply
from channel_worker.simulator.server import Simulator
from channel_worker.simulator.world import Sent, World
from tests.faults.recorder import THREAD

ROOT = Path(__file__).parents[2]
PATIENCE_S = 20.0  # the longest wait of a test; a second repeat may take 5 s of it
LOOK_S = 0.02  # between two looks at what only another process knows
MAX_COPIES = 3  # I3: without de-duplication
SETTINGS = {
    "CTB_MERGE_WINDOW_SECONDS": "0",
    "CTB_SEND_SPACING_SECONDS": "0",
    "CTB_SEND_BUDGET": "0",
    "CTB_FLOOD_LIMIT": "0",
    "CTB_QUEUE_LIMIT": "0",
    "CTB_LANG": "en",
}

Json = dict[str, Any]  # Any: JSON of the recorder


@dataclass(frozen=True, slots=True)
class Conditions:
    """What nobody knows about iLink, and what differs between controllers."""

    gives_again: bool = True
    drops_copies: bool = True
    forgets_keys: bool = False

    def __str__(self) -> str:
        words = (
            "redelivers" if self.gives_again else "consumes",
            "dedupes" if self.drops_copies else "shows-copies",
            "forgets-keys" if self.forgets_keys else "remembers-keys",
        )
        return "-".join(words)


class Launcher:
    """The process that forks bridges and workers; imports are paid for once a session."""

    def __init__(self) -> None:
        self._one_at_a_time = Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.launcher"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def ask(self, order: Json) -> Json:
        """Give an order and wait for its answer."""
        to, back = self._process.stdin, self._process.stdout
        assert to is not None and back is not None
        with self._one_at_a_time:
            to.write(json.dumps(order).encode() + b"\n")
            to.flush()
            answer: Json = json.loads(back.readline())
        return answer

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


class Rig:
    """One gateway and its surroundings, over many deaths of its processes."""

    def __init__(
        self, folder: Path, simulator: Simulator, conditions: Conditions, launcher: Launcher
    ) -> None:
        self.folder = folder
        self.simulator = simulator
        self.world = simulator.world
        self.conditions = conditions
        self.orders = folder / "orders.json"
        self.recorder = folder / "recorder.json"
        self.bridge = 0  # process ids
        self.worker = 0
        self._alive: set[int] = set()
        self._serial = 0
        self._launcher = launcher

    # processes

    def start_bridge(self, **settings: str) -> None:
        self.bridge = self._start("bridge", settings)

    def start_worker(self, **settings: str) -> None:
        self.worker = self._start("worker", settings)

    async def kill_worker(self) -> None:
        os.kill(self.worker, signal.SIGKILL)
        await self.ended(self.worker)

    def kill_controller(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.controller_pid(), signal.SIGKILL)

    def controller_pid(self) -> int:
        return int(self.recorder.with_name(self.recorder.name + ".pid").read_text())

    async def ended(self, pid: int) -> int:
        """Wait until a process is gone; its exit code."""
        with anyio.fail_after(PATIENCE_S):
            answer = await to_thread.run_sync(
                self._launcher.ask, {"wait": pid}, abandon_on_cancel=True
            )
        self._alive.discard(pid)
        return int(answer["code"])

    async def stop(self) -> tuple[int, int]:
        """End both in order; their exit codes."""
        for pid in (self.worker, self.bridge):
            os.kill(pid, signal.SIGTERM)
        return await self.ended(self.bridge), await self.ended(self.worker)

    def close(self) -> None:
        """End what still lives, at once."""
        for pid in list(self._alive):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            self._launcher.ask({"wait": pid})

    def _start(self, name: str, settings: dict[str, str]) -> int:
        answer = self._launcher.ask(
            {
                "start": name,
                "env": self._environment() | settings,
                "terminal": str(self.folder / "terminal.log"),
                "orders": str(self.orders),
            }
        )
        self._alive.add(int(answer["pid"]))
        return int(answer["pid"])

    def _environment(self) -> dict[str, str]:
        controller = [sys.executable, "-m", "tests.faults.recorder", str(self.recorder)]
        if self.conditions.forgets_keys:
            controller.append("forgets-keys")
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "CTB_DATA_DIR": str(self.folder / "data"),
            "CTB_CONTROLLER_COMMAND": json.dumps(controller),
            "ILINK_BASE_URL": self.simulator.base_url,
            **SETTINGS,
        }

    # faults

    def order(
        self,
        point: Point | FilePoint,
        *,
        victims: tuple[int, ...] = (),
        ends_itself: bool = True,
        arrival: int = 1,
        keeps: bool = False,
    ) -> None:
        """SIGKILL at the next arrival at this point; `keeps`: at that of every process."""
        self._serial += 1
        order = {
            "serial": self._serial,
            "point": point,
            "arrival": arrival,
            "victims": victims,
            "ends_itself": ends_itself,
            "keeps": keeps,
        }
        beside = self.orders.with_name("orders.new")
        beside.write_text(json.dumps(order))
        beside.replace(self.orders)

    def reached(self) -> Counter[str]:
        """How often each point was reached, over all lives of the bridge."""
        path = self.orders.with_name(self.orders.name + ".reached")
        return Counter(path.read_text().splitlines() if path.exists() else ())

    async def until_reached(self, point: Point | FilePoint, count: int) -> None:
        await self.until(lambda: self.reached()[point] >= count, f"{point} is reached")

    # the phone

    async def choose_thread(self) -> None:
        self.world.say(f"/bind {THREAD}")
        await self.until_shown("Now using default")

    def shown(self, words: str) -> list[Sent]:
        """The bubbles on the phone that hold these words, in their order."""
        return [sent for sent in self.world.sent if words in sent.text]

    async def until_shown(self, words: str) -> None:
        await self.simulator.until(lambda: self.shown(words), PATIENCE_S)

    def say_two(self, tag: str) -> tuple[str, ...]:
        """One prompt that runs a moment and a second behind it; the bubbles they lead to."""
        first, second = f"{tag} one", f"{tag} two"
        self.world.say(f"{first}\nsleep:0.15")
        self.world.say(f"{second}\nlong")
        return f"answer to {first}", f"begin of {second}", f"end of {second}"

    # what is said elsewhere

    def terminal(self) -> str:
        """What bridge and worker printed."""
        path = self.folder / "terminal.log"
        return path.read_text() if path.exists() else ""

    async def until_terminal_says(self, words: str) -> None:
        await self.until(lambda: words in self.terminal(), f"the terminal says {words}")

    async def until_worker_is_linked(self) -> None:
        await self.until_channel_says("link.up")

    async def until_channel_says(self, words: str) -> None:
        """Wait for these words in the worker's log."""
        path = self.folder / "data/logs/channel.log"
        await self.until(lambda: path.exists() and words in path.read_text(), words)

    async def status(self) -> StatusReply:
        return await ask(self.folder / "data/run/bridge.sock", StatusGet())

    # what is so

    def calls(self) -> list[Json]:
        path = self.recorder.with_name(self.recorder.name + ".calls")
        return [json.loads(line) for line in path.read_text().splitlines()]

    def engine(self) -> Json:
        found: Json = json.loads(self.recorder.read_text())
        return found

    async def until_at_rest(self) -> None:
        """Wait until `status` shows nothing unfinished, and the worker is connected."""
        rest = ("connected, polling", " 0 new", "none unfinished", " 0 waiting")

        async def is_at_rest() -> bool:
            try:
                reply = await self.status()
            except NotRunning:
                return False
            text = "\n".join(reply.lines)
            return all(words in text for words in rest)

        with anyio.fail_after(PATIENCE_S):
            while not await is_at_rest():  # noqa: ASYNC110  # another process
                await anyio.sleep(LOOK_S)

    async def until(self, is_so: Callable[[], object], what: str) -> None:
        """Wait for what only another process knows: a look every 20 ms."""
        try:
            with anyio.fail_after(PATIENCE_S):
                while not is_so():  # noqa: ASYNC110  # another process
                    await anyio.sleep(LOOK_S)
        except TimeoutError:
            raise AssertionError(f"never so: {what}") from None

    async def check(self, tag: str, bubbles: tuple[str, ...]) -> None:
        """Wait for these bubbles and for rest; then nothing was lost or done twice."""
        for words in bubbles:
            await self.until_shown(words)
        await self.until_at_rest()
        self._check_phone(tag, bubbles)
        self._check_engine(tag)

    def _check_phone(self, tag: str, bubbles: tuple[str, ...]) -> None:
        most = 1 if self.conditions.drops_copies else MAX_COPIES
        for words in bubbles:
            copies = self.shown(words)
            marked = [copy.text.startswith(REPEAT_MARK) for copy in copies]
            assert len(copies) <= most, f"{words}: {len(copies)} copies"
            assert all(marked[1:]), f"{words}: a copy without its mark"
            assert len({copy.client_id for copy in copies}) == 1
        places = [self.world.sent.index(self.shown(words)[0]) for words in bubbles[1:]]
        assert places == sorted(places), "the parts of an answer came in the wrong order"
        known = [sent for words in bubbles for sent in self.shown(words)]
        strange = [sent.text for sent in self.shown(tag) if sent not in known]
        assert not strange, strange

    def _check_engine(self, tag: str) -> None:
        engine = self.engine()
        accepted = Counter(start["key"] for start in engine["accepted"])
        assert set(accepted.values()) == {1}, "a key was started twice"
        said = [start["message"] for start in engine["accepted"]]
        assert len(said) == len(set(said)), "a message made two turns"
        assert not engine["locks"], "a thread is left locked"
        mine = [run for run in engine["runs"].values() if run["message"].startswith(tag)]
        assert mine and all(run["is_acked"] and run["is_closed"] for run in mine)

    def check_database(self) -> None:
        """Once the bridge has ended: every message once, nothing unfinished, order kept."""
        keys = Counter(row["msg_key"] for row in self.rows("SELECT msg_key FROM inbox"))
        said = {f"mid:{message['message_id']}" for message in self.world.messages}
        assert keys == Counter(said)
        assert not self.rows("SELECT id FROM inbox WHERE state != 'done'")
        assert not self.rows("SELECT id FROM turn WHERE state != 'done' OR owes != ''")
        assert not self.rows("SELECT id FROM turn WHERE outcome != 'completed'")
        assert not self.rows("SELECT id FROM outbox WHERE state != 'done'")
        assert not self.rows("SELECT id FROM outbox_attempt WHERE outcome = ''")
        assert not self.rows(
            "SELECT turn FROM inbox WHERE turn > 0 GROUP BY turn HAVING count(*)>1"
        )
        self._check_audit()

    def _check_audit(self) -> None:
        """R38: each dispatch, each end and each file sent has exactly one line."""
        lines = self.rows("SELECT what, turn FROM audit")
        turns = Counter(row["id"] for row in self.rows("SELECT id FROM turn"))
        for what in ("turn.plan", "turn.end"):
            assert Counter(line["turn"] for line in lines if line["what"] == what) == turns, what
        files = self.rows("SELECT id FROM outbox WHERE artifact IS NOT NULL")
        assert len([line for line in lines if line["what"] == "artifact.send"]) == len(files)

    def rows(self, query: str) -> list[sqlite3.Row]:
        """Rows of the bridge's database, which must not be running."""
        path = self.folder / "data/state/bridge.sqlite3"
        with closing(sqlite3.connect(path)) as database:
            database.row_factory = sqlite3.Row
            return database.execute(query).fetchall()


@asynccontextmanager
async def gateway(launcher: Launcher, conditions: Conditions) -> AsyncIterator[Rig]:
    """A rig with its processes up and a thread chosen; killed at the end of the block."""
    async with empty_gateway(launcher, conditions) as rig:
        rig.start_worker()
        rig.start_bridge()
        await rig.choose_thread()
        await rig.until_at_rest()
        yield rig


@asynccontextmanager
async def empty_gateway(launcher: Launcher, conditions: Conditions) -> AsyncIterator[Rig]:
    """A rig in which nothing runs yet but the simulator."""
    world = World(gives_again=conditions.gives_again, drops_copies=conditions.drops_copies)
    simulator = Simulator(world)
    with tempfile.TemporaryDirectory(
        prefix="ctb",  # short: a socket lies in it
        ignore_cleanup_errors=True,  # a controller may outlive its killed bridge, and write
    ) as name:
        async with simulator.serve():
            rig = Rig(Path(name), simulator, conditions, launcher)
            (rig.folder / "data").mkdir()
            with _credentials(rig):
                try:
                    yield rig
                except BaseException:
                    sys.stderr.write(_last_words(rig.folder))
                    raise
                finally:
                    rig.close()


@contextmanager
def _credentials(rig: Rig) -> Iterator[None]:
    folder = rig.folder / "data/local"
    folder.mkdir(mode=0o700)
    path = folder / "ilink_credentials.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps(rig.simulator.credentials()))
    yield


def _last_words(folder: Path) -> str:
    names = ("terminal.log", "data/logs/bridge.log", "data/logs/channel.log")
    return "".join(
        f"\n--- {name}\n{(folder / name).read_text()[-3000:]}"
        for name in names
        if (folder / name).exists()
    )
