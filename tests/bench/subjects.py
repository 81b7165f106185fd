"""What is measured: the gateway as an outsider starts it, and the reference.

Both stand before the same iLink server and the same bare controller, so every
row is measured by the same code on both.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench import controller as bare
from tests.bench.ilink import BOT, OWNER

BIN = Path(sys.executable).parent  # where `ctb-bridge` and the rest are installed
BARE_CONTROLLER = (sys.executable, bare.__file__)
THREAD = "session-bench"
ANSWER_S = 120.0  # an answer that has not come by then never will
SHOWN_CHARS = 300  # of a process's output, when something went wrong
SETTLE_S = 5.0  # the controller's link comes up after the first poll, beside it
BETWEEN_S = 0.03  # between single messages: the turn before is over and released
STOP_S = 10.0  # a process that has not ended by then is killed

Json = dict[str, Any]  # foreign JSON, read here and nowhere else


@dataclass(frozen=True)
class Exchange:
    """Monotonic nanoseconds: when each message left, when each answer's request came."""

    left_ns: list[int]
    sent_ns: list[int]


class Phone:
    """The iLink server in its own process, and the person who writes."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.bench.ilink"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._last_number = 0
        self.base_url = f"http://127.0.0.1:{self._read()['port']}"

    def say(self, text: str, mark: str = "") -> Exchange:
        """One message, and the wait for whatever comes back, or what holds the mark."""
        self._ask(do="forget")
        self._ask(do="push", texts=[text])
        return self.answers(1, mark)

    def ask(self, count: int = 1, mark: str = bare.ANSWER) -> Exchange:
        """So many plain messages in one poll reply, and the wait for their answers."""
        self.write(count)
        return self.answers(count, mark)

    def write(self, count: int = 1) -> None:
        """So many plain messages, as soon as somebody polls."""
        texts = [f"message {self._last_number + 1 + number}" for number in range(count)]
        self._last_number += count
        self._ask(do="forget")
        self._ask(do="push", texts=texts)

    def answers(self, count: int, mark: str = bare.ANSWER) -> Exchange:
        """Wait for so many messages that hold the mark."""
        reply = self._ask(do="sent", count=count, mark=mark, timeout_s=ANSWER_S)
        if not reply["done"]:
            raise TimeoutError(f"{count} answers wanted, came: {reply['sent'][-3:]}")
        sent_ns = [at_ns for at_ns, text in reply["sent"] if mark in text]
        return Exchange([at_ns for at_ns, _ in reply["left"]], sent_ns)

    def bind(self) -> None:
        """Choose the thread, and let the controller's link come up."""
        self.say(f"/bind {THREAD}")
        time.sleep(SETTLE_S)

    def singles_ms(self, count: int) -> list[float]:
        """How long each of so many messages took, one after another."""
        took_ms: list[float] = []
        for _ in range(count):
            time.sleep(BETWEEN_S)
            exchange = self.ask()
            took_ms += millis(exchange.left_ns, exchange.sent_ns)
        return took_ms

    def polls(self) -> int:
        """How many have begun."""
        return int(self._ask(do="forget")["polls"])

    def calls(self) -> dict[str, int]:
        return dict(self._ask(do="forget")["calls"])

    def next_poll_ns(self, after: int, timeout_s: float = ANSWER_S) -> int:
        """Wait until more polls have begun than `after`; when that was seen."""
        reply = self._ask(do="polls", after=after, timeout_s=timeout_s)
        if not reply["done"]:
            raise TimeoutError(f"no poll within {timeout_s} s")
        return int(reply["at_ns"])

    def close(self) -> None:
        self._process.communicate()

    def _ask(self, **order: object) -> Json:
        assert self._process.stdin
        print(json.dumps(order), file=self._process.stdin, flush=True)
        return self._read()

    def _read(self) -> Json:
        assert self._process.stdout
        reply: Json = json.loads(self._process.stdout.readline())
        return reply


@dataclass
class Subject:
    """Processes under measurement, by name, and how to start one of them again."""

    commands: dict[str, list[str]]
    environment: dict[str, str]
    folder: Path
    pids: dict[str, int] = field(default_factory=dict)
    begun_at_ns: int = 0  # when it was started
    polled_at_ns: int = 0  # when its first poll was seen
    _children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str) -> None:
        with (self.folder / f"{name}.out").open("ab") as out:
            child = subprocess.Popen(
                self.commands[name],
                env=self.environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        self._children[name] = child
        self.pids[name] = child.pid

    def kill(self, name: str) -> None:
        self._children[name].kill()
        self._children[name].wait()

    def last_words(self) -> str:
        """How each process ended, if it did, and the end of what it printed."""
        return "; ".join(
            f"{name} ({'runs' if child.poll() is None else f'exit {child.returncode}'}): "
            + (self.folder / f"{name}.out").read_text()[-SHOWN_CHARS:].strip()
            for name, child in self._children.items()
        )

    def stop(self) -> None:
        for child in self._children.values():
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
        for child in self._children.values():
            try:
                child.wait(STOP_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def millis(begun_ns: list[int], ended_ns: list[int]) -> list[float]:
    return [(end - begin) / 1e6 for begin, end in zip(begun_ns, ended_ns, strict=True)]


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that goes away."""
    with tempfile.TemporaryDirectory(prefix="ctb-bench-") as name:
        yield Path(name)


@contextmanager
def phone() -> Iterator[Phone]:
    one = Phone()
    try:
        yield one
    finally:
        one.close()


@contextmanager
def reference(phone: Phone, *flags: str) -> Iterator[Subject]:
    """The bare loop, polling."""
    with scratch() as folder:
        command = [sys.executable, "-m", "tests.bench.reference", f"{phone.base_url}/ilink/bot/"]
        command += [str(folder / "reference.sqlite3"), *BARE_CONTROLLER, *flags]
        root = str(Path(__file__).parents[2])
        subject = Subject({"reference": command}, os.environ | {"PYTHONPATH": root}, folder)
        with _running(subject, phone):
            yield subject


@contextmanager
def gateway(
    phone: Phone,
    *controller: str,
    codex: Path | None = None,
    before: Callable[[Path], None] | None = None,
) -> Iterator[Subject]:
    """Worker and bridge with limits off, polling, started as an outsider starts them.

    `before` is given the data folder when nothing is started yet.
    """
    with scratch() as folder:
        home = codex or folder / "codex"
        subject = _prepared(phone, folder, controller or BARE_CONTROLLER, home)
        if before is not None:
            before(folder / "data")
        with _running(subject, phone):
            yield subject


def _prepared(phone: Phone, folder: Path, controller: tuple[str, ...], codex: Path) -> Subject:
    """A gateway with credentials and settings that has not been started."""
    credentials = folder / "data" / "local" / "ilink_credentials.json"
    credentials.parent.mkdir(parents=True, mode=0o700)
    known = {"bot_token": f"{BOT}:bench", "account_id": BOT, "base_url": phone.base_url}
    credentials.touch(0o600)
    credentials.write_text(json.dumps(known | {"user_id": OWNER, "generation": 1}))
    limits = ("MERGE_WINDOW_SECONDS", "SEND_SPACING_SECONDS", "SEND_BUDGET", "FLOOD_LIMIT")
    settings = {f"CTB_{limit}": "0" for limit in (*limits, "QUEUE_LIMIT")} | {
        "CTB_DATA_DIR": str(folder / "data"),
        "CTB_CONTROLLER_COMMAND": json.dumps(controller),
        "CTB_LANG": "en",
        "CODEX_HOME": str(codex),
        "ILINK_BASE_URL": phone.base_url,
        "ILINK_CREDENTIALS_PATH": str(credentials),
    }
    commands = {
        "bridge": [str(BIN / "ctb-bridge"), "run"],
        "worker": [str(BIN / "ctb-channel"), "run"],
    }
    outside = {
        key: value for key, value in os.environ.items() if not key.startswith(("CTB_", "ILINK_"))
    }
    return Subject(commands, outside | settings, folder)


@contextmanager
def _running(subject: Subject, phone: Phone) -> Iterator[None]:
    polls = phone.polls()
    try:
        subject.begun_at_ns = time.monotonic_ns()
        for name in subject.commands:
            subject.start(name)
        subject.polled_at_ns = phone.next_poll_ns(polls)
        yield
    except TimeoutError as fault:
        raise TimeoutError(f"{fault}; {subject.last_words()}") from fault
    finally:
        subject.stop()
