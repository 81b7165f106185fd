"""What `ctb-controller` costs: a turn beside the engine's own, reads of a large home, a crowd.

One run of each measurement, as in `measures`. The client is bare (`tools`), so that what
is measured is the controller and the pipe to it.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from tests.bench import home, subjects, tools, usage
from tests.bench.subjects import BIN
from tests.bench.tools import Json, Tools
from tests.fakes import codex_home, model

TURNS = 30  # by each way, taken by turns
CALLS = 30  # of each read
REFRESHES = 10  # of each journal
CROWD = 32  # controller-contract 3.12
CROWD_TURN_S = 1.0
WAIT_MS = 30_000
LIST = 50  # controller-contract 3.10
SETTLE_S = 2.0  # the bridge's link to its controller comes up after the first poll

Figures = dict[str, float]


def turns() -> Figures:
    """A turn of a model that answers at once: at Codex itself, and through the controller."""
    binary = codex_home.codex_binary()
    if binary is None:
        raise FileNotFoundError("no Codex CLI: set CODEX_BIN to one")
    with subjects.scratch() as folder, model.running() as provider:
        where = codex_home.make(folder, provider.url)
        work = folder / "work"
        work.mkdir()
        environment = codex_home.environment(where, CTB_CODEX_COMMAND=binary)
        command = [str(BIN / "ctb-controller")]
        with (
            codex_home.server(where) as process,
            tools.connected(command, environment, folder) as controller,
        ):
            engine = _Engine(process, work)
            ours = _Thread(controller, cwd=str(work), sandbox="workspace-write")
            figures = _beside("held", engine, ours) | _beside("free", engine, ours)
            ours.free()
            return figures | {"controller_mib": usage.resident_mib(controller.pid)}


def _beside(name: str, engine: _Engine, ours: _Thread) -> Figures:
    """Turns by each way, by turns; a thread that is `free` is let go before each of them."""
    took_ms: dict[str, list[float]] = {"engine": [], "controller": []}
    ways: tuple[tuple[str, _Engine | _Thread], ...] = (("engine", engine), ("controller", ours))
    for number in range(TURNS + 1):
        for way, thread in ways:
            if name == "free":
                thread.free()
            turn_ms = thread.turn_ms()
            if number:  # the first one of each pays for what is loaded but once
                took_ms[way].append(turn_ms)
    own_ms, through_ms = (statistics.median(column) for column in took_ms.values())
    return {
        f"engine_{name}_ms": own_ms,
        f"controller_{name}_ms": through_ms,
        f"{name}_overhead_ms": through_ms - own_ms,
    }


def reads() -> Figures:
    """Status, list and history on a home with 2,000 threads and a journal of 1 GiB."""
    with subjects.scratch() as folder:
        where = folder / "codex"
        long, _ = home.make(where)
        begin = long.add_turn("turn-new", "the newest answer")
        command = [str(BIN / "ctb-controller"), "--reads-only"]
        with tools.connected(command, codex_home.environment(where), folder) as controller:
            at = {"session_id": long.thread, "position": f"{long.thread}:{begin}"}
            found = {
                "status_ms": _median_ms(controller, "status", session_id=long.thread),
                "history_ms": _median_ms(controller, "history", limit_bytes=home.TURN_BYTES, **at),
                "list_ms": _median_ms(controller, "list_sessions", limit=LIST),
            }
            newest = controller.call("history", limit_bytes=home.TURN_BYTES, **at)["items"]
            assert newest[-1]["text"] == "the newest answer", newest[-1]
            (where / home.INDEX).unlink()
            found["bare_list_ms"] = _median_ms(controller, "list_sessions", limit=LIST)
            return found | {"reads_mib": usage.resident_mib(controller.pid)}


def refresh() -> Figures:
    """`/refresh` with 10 KiB new on 1 GiB and on 1 MiB: poll reply to `sendmessage`."""
    took_ms: dict[str, list[float]] = {"long": [], "short": []}
    with subjects.phone() as phone, subjects.scratch() as folder:
        journals = dict(zip(took_ms, home.make(folder / "codex"), strict=True))
        command = (str(BIN / "ctb-controller"), "--reads-only")
        with subjects.gateway(phone, *command, codex=folder / "codex"):
            time.sleep(SETTLE_S)
            for name, journal in journals.items():
                phone.say(f"/add {name} {journal.thread}")
            for number in range(REFRESHES):
                for name, journal in journals.items():
                    journal.add_turn(f"turn-{name}-{number}", f"answer {name} {number}")
                    exchange = phone.say(f"/refresh {name}", f"answer {name} {number}")
                    took_ms[name].append((exchange.sent_ns[0] - exchange.left_ns[0]) / 1e6)
    return {f"refresh_{name}_ms": statistics.median(each) for name, each in took_ms.items()}


def crowd() -> Figures:
    """32 turns on as many threads at once, by the echo engine."""
    with subjects.scratch() as folder:
        command = [str(BIN / "ctb-controller"), "--engine", "echo"]
        with tools.connected(command, codex_home.environment(folder), folder) as controller:
            threads = [_Thread(controller, cwd=str(folder)) for _ in range(CROWD)]
            begun_s = time.monotonic()
            asked = [each.ask(f"sleep:{CROWD_TURN_S:g}\nreply:done") for each in threads]
            started = [controller.take(number) for number in asked]
            waits = [_wait(controller, run) for run in started]
            over = [controller.take(number)["runs"][0] for number in waits]
            took_s = time.monotonic() - begun_s
            assert all(run["status"] == "completed" for run in over), over
            resident_mib = usage.resident_mib(controller.pid)
    return {"crowd_s": took_s, "crowd_mib": resident_mib}


class _Thread:
    """One thread of a controller, used as the bridge uses it."""

    def __init__(self, controller: Tools, **settings: str) -> None:
        self._controller = controller
        self._settings = settings
        self._thread: str | None = None
        self._lock = ""

    def ask(self, message: str) -> int:
        """Send a start."""
        return self._controller.ask(
            "start",
            session_id=self._thread,
            message=message,
            owner="bench",
            idempotency_key=uuid.uuid4().hex,
            **self._settings,
        )

    def turn_ms(self) -> float:
        """From the start to the answer; what is owed for the run is paid after that."""
        begun_s = time.monotonic()
        started = self._controller.take(self.ask("reply:ok"))
        (run,) = self._controller.take(_wait(self._controller, started))["runs"]
        took_s = time.monotonic() - begun_s
        assert run["result_text"] == "ok", run
        self._thread, self._lock = started["session_id"], started["lock_token"]
        for tool in ("delivery_ack", "close"):
            self._controller.call(tool, run_id=started["run_id"])
        return took_s * 1e3

    def free(self) -> None:
        """Let the thread go, as the bridge does after each turn."""
        self._controller.call("release", session_id=self._thread, lock_token=self._lock)


class _Engine:
    """One thread of a Codex app-server over its standard streams, without anybody between."""

    def __init__(self, process: subprocess.Popen[bytes], work: Path) -> None:
        self._process = process
        hello: Json = {"clientInfo": {"name": "bench", "title": "bench", "version": "1"}}
        hello["capabilities"] = {"experimentalApi": True}
        self._send({"id": 0, "method": "initialize", "params": hello})
        self._until(lambda message: message.get("id") == 0)
        self._send({"method": "initialized"})
        reply = self._call("thread/start", cwd=str(work))
        self._thread = reply["result"]["thread"]["id"]
        self._is_held = True

    def turn_ms(self) -> float:
        """From the start, or from joining the thread, to the word that it is over."""
        begun_s = time.monotonic()
        if not self._is_held:
            held = {"thread_unload_delay_secs": 60}
            self._call("thread/resume", threadId=self._thread, excludeTurns=True, config=held)
            self._is_held = True
        said = [{"type": "text", "text": "reply:ok"}]
        params = {"threadId": self._thread, "input": said}
        self._send({"id": 2, "method": "turn/start", "params": params})
        over = self._until(lambda message: message.get("method") == "turn/completed")
        took_s = time.monotonic() - begun_s
        assert over["params"]["turn"]["items"][-1]["text"] == "ok", over
        return took_s * 1e3

    def free(self) -> None:
        """Let the thread go in the only way that frees it at once (codex-app-server 7)."""
        now = {"excludeTurns": True, "config": {"thread_unload_delay_secs": 0}}
        self._call("thread/unsubscribe", threadId=self._thread)
        self._call("thread/resume", threadId=self._thread, **now)
        self._send({"id": 3, "method": "thread/unsubscribe", "params": {"threadId": self._thread}})
        self._until(lambda message: message.get("method") == "thread/closed")
        self._is_held = False

    def _call(self, method: str, **params: object) -> Json:
        self._send({"id": 1, "method": method, "params": params})
        return self._until(lambda message: message.get("id") == 1)

    def _send(self, message: Json) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()

    def _until(self, wanted: Callable[[Json], bool]) -> Json:
        assert self._process.stdout
        for line in self._process.stdout:
            message: Json = json.loads(line)
            if wanted(message):
                return message
        raise ConnectionError("Codex has ended")


def _wait(controller: Tools, started: Json) -> int:
    """Ask for the end of a run."""
    given = {"run_ids": [started["run_id"]], "after_seq": started["last_event_seq"]}
    return controller.ask("wait_any", timeout_ms=WAIT_MS, **given)


def _median_ms(controller: Tools, tool: str, **given: object) -> float:
    return statistics.median(controller.call_ms(tool, **given) for _ in range(CALLS))
