"""The whole product from outside: the real commands in terminals, and the owner's phone.

WeChat is the simulator, in this process. Everything else is what a person would type, in
a pseudo-terminal of its own, over a folder of its own. A wait is on a bubble of the
phone, on words in a terminal, or on the end of a process; each is bounded by PATIENCE_S.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
import pexpect  # type: ignore[import-untyped]  # it ships no types
from anyio import to_thread
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from bridge.ask import NotRunning, ask
from bridge.wire.messages import StatusGet
from channel_worker.simulator.server import Simulator
from channel_worker.simulator.typed import HELP, Keyboard
from channel_worker.simulator.world import Json

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PATIENCE_S = 30.0  # the longest wait of a test, on two busy cores
AGAIN_S = 0.1  # between two questions to the bridge
LOOK_S = 0.02  # between two looks at what no event tells: the processes of the system
# A way up from a thread's folder is no absolute path: what is approved is shown exactly.
PATHS = re.compile(r"(?<![\w/.])/(?:tmp|home|root|usr|opt|var|etc|work|private|Users)/")
LISTENING = "0A"  # the state column of /proc/net/tcp
PLAIN = {  # no merging, pacing and limits, so that an answer is due at once
    "CTB_MERGE_WINDOW_SECONDS": "0",
    "CTB_SEND_SPACING_SECONDS": "0",
    "CTB_SEND_BUDGET": "0",
    "CTB_FLOOD_LIMIT": "0",
    "CTB_QUEUE_LIMIT": "0",
    "CTB_LANG": "en",
}


class Terminal:
    """One command in a terminal; `shown` is all that it has written so far."""

    def __init__(self, command: list[str], env: dict[str, str], cwd: Path) -> None:
        with warnings.catch_warnings():
            # From Python 3.12 on: forking with threads about; the child does nothing but exec.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._child = pexpect.spawn(
                command[0],
                command[1:],
                env=env,
                cwd=str(cwd),
                encoding="utf-8",
                codec_errors="replace",
                dimensions=(40, 100),
                timeout=PATIENCE_S,
            )
        self._child.delaybeforesend = None
        self.shown = ""

    @property
    def pid(self) -> int:
        return int(self._child.pid)

    def types(self, line: str) -> None:
        self._child.sendline(line)

    def presses(self, key: str) -> None:
        """`c` is Ctrl-C, `d` is Ctrl-D."""
        self._child.sendcontrol(key)

    async def expects(self, words: str) -> str:
        """Wait for these words behind those of the last wait; what came before them."""
        await to_thread.run_sync(self._child.expect_exact, words)
        self.shown += self._child.before + words
        return str(self._child.before)

    async def ends(self) -> int:
        """Wait until the command has ended; its exit code."""
        await to_thread.run_sync(self._child.expect_exact, pexpect.EOF)
        self.shown += self._child.before
        return await self._reaped()

    async def is_hung_up(self) -> int:
        """Close the terminal's window; the exit code that the command ends with."""
        self._child.ptyproc.fileobj.close()
        return await self._reaped()

    def signals(self, number: int) -> None:
        os.kill(self.pid, number)

    async def is_killed(self) -> None:
        """End the command as only the kernel can."""
        self.signals(signal.SIGKILL)
        await self._reaped()

    def close(self) -> None:
        """End what still runs, and the terminal."""
        if not self._child.terminated:
            with suppress(ProcessLookupError):
                self.signals(signal.SIGKILL)
            self._child.wait()
        self._child.ptyproc.fileobj.close()
        self._child.closed = True

    async def _reaped(self) -> int:
        with anyio.fail_after(PATIENCE_S):
            await to_thread.run_sync(self._child.wait, abandon_on_cancel=True)
        code = self._child.exitstatus
        return int(-self._child.signalstatus if code is None else code)


class Phone:
    """The owner's chat with the bot, read from top to bottom."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._keyboard = Keyboard(simulator)
        self._read = 0

    def says(self, text: str) -> None:
        self._simulator.world.say(text)

    def types(self, line: str) -> None:
        """Enter a line of the simulated phone: words, or `:file PATH`, `:voice TEXT`, ..."""
        told = self._keyboard.enter(line)
        assert HELP["en"] not in told, told

    def quotes(self, words: str, text: str) -> None:
        """Say it as an answer to the newest bubble with these words."""
        texts = self.texts()[::-1]
        number = next(n for n, bubble in enumerate(texts, 1) if words in bubble)
        self.types(f":quote {number} {text}")

    async def reads(self, words: str, patience_s: float = PATIENCE_S) -> str:
        """Wait for a bubble with these words below the one last read; its text."""

        def place() -> int | None:
            texts = enumerate(self.texts())
            return next((i for i, text in texts if i >= self._read and words in text), None)

        with suppress(TimeoutError):
            await self._simulator.until(lambda: place() is not None, patience_s)
        found = place()
        below = "\n".join(self.texts()[self._read :])
        assert found is not None, f"nothing with {words!r} came; what came: {below!r}"
        self._read = found + 1
        return self.texts()[found]

    async def asks(self, text: str, words: str) -> str:
        """Say it, and wait for a bubble with these words."""
        self.says(text)
        return await self.reads(words)

    async def asks_until(self, text: str, words: str, hoped: str) -> None:
        """Say it again until the bubble with these words has the hoped ones: no event tells."""
        with anyio.fail_after(PATIENCE_S):
            while hoped not in await self.asks(text, words):  # noqa: ASYNC110
                await anyio.sleep(AGAIN_S)

    def texts(self) -> list[str]:
        return [sent.text for sent in self._simulator.world.sent]

    def count(self, words: str) -> int:
        """How many bubbles hold these words."""
        return sum(words in text for text in self.texts())

    async def gets_files(self, count: int) -> list[tuple[str, bytes]]:
        """Wait for so many files in all; the name that each shows, and its bytes."""

        def items() -> list[Json]:
            return [s.item for s in self._simulator.world.sent if "text_item" not in s.item]

        await self._simulator.until(lambda: len(items()) >= count, PATIENCE_S)
        assert len(items()) == count
        return [self._opened(item) for item in items()]

    def _opened(self, item: Json) -> tuple[str, bytes]:
        kind = next(name for name in item if name.endswith("_item"))
        media = item[kind]["media"]
        key = bytes.fromhex(base64.b64decode(media["aes_key"]).decode())
        decryptor = Cipher(algorithms.AES128(key), modes.ECB()).decryptor()
        plain = decryptor.update(self._simulator.world.files[media["encrypt_query_param"]])
        plain += decryptor.finalize()
        return str(item[kind].get("file_name", kind)), plain[: -plain[-1]]


class House:
    """A folder with all state of one installation, its terminals, and the phone."""

    def __init__(self, folder: Path, simulator: Simulator) -> None:
        self.folder = folder
        self.simulator = simulator
        self.world = simulator.world
        self.phone = Phone(simulator)
        self.data = folder / "data"
        self.settings = {
            "CTB_PROJECT_ROOT": str(folder),
            "ILINK_BASE_URL": simulator.base_url,
            "CTB_CONTROLLER_COMMAND": shlex.join([str(BIN / "ctb-controller"), "--engine", "echo"]),
            **PLAIN,
        }
        self._terminals: list[Terminal] = []

    @property
    def credentials(self) -> Path:
        return self.data / "local" / "ilink_credentials.json"

    def log_in(self) -> None:
        """The credential file that a login here would have written."""
        self.credentials.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = self.credentials.with_name("new")
        beside.write_text(json.dumps(self.simulator.credentials()))
        beside.chmod(0o600)
        beside.replace(self.credentials)

    def opens(self, *command: str, **settings: str) -> Terminal:
        """A terminal that runs this command of ours."""
        env = environment(self.folder) | self.settings | settings
        program = command[0] if "/" in command[0] else str(BIN / command[0])
        terminal = Terminal([program, *command[1:]], env, self.folder)
        self._terminals.append(terminal)
        return terminal

    async def moves_in(self, **settings: str) -> tuple[Terminal, Terminal]:
        """Bridge and worker, with their controller, and a phone that they serve."""
        self.log_in()
        bridge = self.opens("ctb-bridge", "run", **settings)
        worker = self.opens("ctb-channel", "run", **settings)
        await self.is_healthy()
        return bridge, worker

    async def is_healthy(self) -> None:
        """Wait until the bridge has its worker and its controller, and WeChat is polled."""
        lines: tuple[str, ...] = ("the bridge is not running",)
        with anyio.move_on_after(PATIENCE_S) as waiting:
            while True:
                with suppress(NotRunning):
                    status = await ask(self.data / "run" / "bridge.sock", StatusGet())
                    lines = status.lines
                    if status.is_healthy:
                        break
                await anyio.sleep(LOOK_S)  # the bridge tells no beginnings
        assert not waiting.cancelled_caught, "\n".join(lines)
        await self.simulator.until(lambda: self.world.calls("getupdates"), PATIENCE_S)

    async def status(self) -> tuple[str, ...]:
        """What `ctb-bridge status` would say now; nothing while there is no bridge."""
        with suppress(NotRunning):
            return (await ask(self.data / "run" / "bridge.sock", StatusGet())).lines
        return ()

    async def is_told(self, words: str) -> None:
        """Wait until the status says this."""
        with anyio.fail_after(PATIENCE_S):
            while words not in "\n".join(await self.status()):  # noqa: ASYNC110
                await anyio.sleep(LOOK_S)  # the bridge tells no changes

    async def is_typing(self) -> None:
        """Wait until the phone shows that the bot is typing."""
        await self.simulator.until(lambda: any(self.world.typing.values()), PATIENCE_S)

    async def is_empty(self, within_s: float = PATIENCE_S) -> None:
        """Wait until no process of this folder is left."""
        until = time.monotonic() + within_s
        while left := processes(self.folder):
            assert time.monotonic() < until, f"still there: {left}"
            await anyio.sleep(LOOK_S)  # nobody tells when a grandchild ends

    def clear(self) -> None:
        """End what the test has left; only processes that were started from here."""
        for terminal in self._terminals:
            terminal.close()
        for pid in processes(self.folder):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def environment(folder: Path) -> dict[str, str]:
    """What a command of a test may know: nothing of this machine's owner."""
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "TERM": "xterm",
        "TMPDIR": str(temporary),
        "CODEX_HOME": str(folder / "codex"),
    }


def processes(folder: Path) -> dict[int, str]:
    """The processes whose environment names this folder, and their command lines."""
    name, found = os.fsencode(folder), {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if name in (entry / "environ").read_bytes():
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                found[int(entry.name)] = words.decode(errors="replace").strip()
    return found


def tcp_listeners(pid: int) -> list[str]:
    """The local addresses on which a process listens, as the kernel writes them."""
    mine = {link_of(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()}
    rows = [
        row.split()
        for table in ("tcp", "tcp6")
        for row in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
    ]
    return [row[1] for row in rows if row[3] == LISTENING and f"socket:[{row[9]}]" in mine]


def link_of(entry: Path) -> str:
    """Where a link leads; empty when it is gone by now."""
    try:
        return str(entry.readlink())
    except OSError:
        return ""


def indiscretions(texts: list[str]) -> list[str]:
    """Texts that hold a traceback or a path of this machine (threat-model R28)."""
    return [text for text in texts if "Traceback" in text or PATHS.search(text)]


@asynccontextmanager
async def house() -> AsyncIterator[House]:
    """A house on its own ground; when it goes, so does all that ran in it."""
    simulator = Simulator()
    folder = Path(tempfile.mkdtemp(prefix="ctb-e2e-"))  # short: a socket lies in it
    async with simulator.serve():
        built = House(folder, simulator)
        try:
            yield built
            assert not indiscretions(built.phone.texts())
        finally:
            built.clear()
            shutil.rmtree(folder, ignore_errors=True)
