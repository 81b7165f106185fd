"""A controller as a real process with a home of its own, and a client of its tools."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters

from tests.fakes import codex_home, controller, model

REPLY_S = 60  # the longest any step of a test may take on a busy machine
ROOT = Path(__file__).parents[3]
SAMPLE = str(uuid.uuid5(uuid.NAMESPACE_URL, "ctb-echo:shop"))  # one of echo's own threads
OVER = {"completed", "failed", "cancelled", "interrupted"}

Json = dict[str, Any]  # Any: results, asserted field by field


class ToolError(Exception):
    """An `isError` result."""

    def __init__(self, body: Json) -> None:
        super().__init__(body["error"]["message"])
        self.code: str = body["error"]["code"]
        self.facts: Json = body["error"]


@dataclass
class Caller:
    """A connected MCP client of one controller."""

    client: Client
    owner: str = "ctb-private:owner"

    async def __call__(self, tool: str, **arguments: object) -> Json:
        with anyio.fail_after(REPLY_S):
            result = await self.client.call_tool(f"cross_thread_{tool}", arguments)
        body: Json = json.loads(result.content[0].text)  # type: ignore[union-attr]  # text only
        if result.is_error:
            raise ToolError(body)
        return body

    async def start(self, thread: str | None, message: str, **more: object) -> Json:
        order: Json = {"session_id": thread, "message": message, "owner": self.owner}
        order |= {"idempotency_key": f"key-{uuid.uuid4().hex}", "approval_policy": "on-request"}
        reply = await self("start", **(order | more))
        for name in ("run_id", "session_id", "lock_token", "last_event_seq"):
            within = [part[name] for part in (reply["run"], reply["session"]) if name in part]
            reply.setdefault(name, within[0] if within else None)  # contract 1: it may sit there
        return reply

    async def over(self, started: Json) -> Json:
        """The run, once it is over, with its answer."""
        run = await self.until(started, lambda run: run["status"] in OVER)
        if "result_text" not in run:  # contract 1: another controller is asked for it
            result = await self("read_result", run_id=started["run_id"])
            run = run | {"result_text": result["result_text"]}
        return run

    async def blocked(self, started: Json) -> Json:
        """The run, once it waits for a person."""
        return await self.until(started, lambda run: run["status"] in OVER | {"blocked"})

    async def until(self, started: Json, wanted: Callable[[Json], bool]) -> Json:
        """The run, once it is as wanted; learnt by waiting, as the bridge does."""
        seq = None
        ids = [started["run_id"]]
        with anyio.fail_after(REPLY_S):
            while True:
                reply = await self("wait_any", run_ids=ids, after_seq=seq, timeout_ms=2000)
                seq = reply["last_event_seq"]
                if wanted(reply["runs"][0]):
                    return dict(reply["runs"][0])

    async def run(self, thread: str | None, message: str, **more: object) -> tuple[Json, Json]:
        """Start, wait for the end, and free the thread, as the bridge does."""
        started = await self.start(thread, message, **more)
        over = await self.over(started)
        await self.free(started)
        return started, over

    async def free(self, started: Json) -> None:
        for tool in ("delivery_ack", "close"):
            await self(tool, run_id=started["run_id"])
        await self("release", session_id=started["session_id"], lock_token=started["lock_token"])


@dataclass
class Bench:
    """One engine with a home of its own; `connect` starts a controller over it."""

    engine: str
    home: Path
    workspace: Path
    model: model.Model | None = None
    extra: dict[str, str] = field(default_factory=dict)
    pids: list[int] = field(default_factory=list)

    @asynccontextmanager
    async def connect(self, *arguments: str) -> AsyncIterator[Caller]:
        pid_file = self.home / f"pid-{uuid.uuid4().hex}"
        words = self._fake(pid_file) if self.engine == "fake" else self._ours(pid_file)
        server = StdioServerParameters(
            command=sys.executable,
            args=[*words, *arguments],
            env=self.environment(),
            cwd=str(self.home),
        )
        async with Client(server, mode="legacy", read_timeout_seconds=REPLY_S) as client:
            self.pids.append(int(pid_file.read_text()))
            yield Caller(client)

    def _ours(self, pid_file: Path) -> list[str]:
        code = (
            "import os, pathlib, sys; sys.path.insert(0, sys.argv.pop(1));"
            "pathlib.Path(sys.argv.pop(1)).write_text(str(os.getpid()));"
            "from bridge.codex.cli import main; main()"
        )
        return ["-c", code, str(ROOT), str(pid_file), "--engine", self.engine]

    def _fake(self, pid_file: Path) -> list[str]:
        code = (
            "import os, pathlib, sys; sys.path.insert(0, sys.argv.pop(1));"
            "pathlib.Path(sys.argv.pop(1)).write_text(str(os.getpid()));"
            "from tests.fakes.controller import main; main()"
        )
        return ["-c", code, str(ROOT), str(pid_file), str(self.home / "fake.json")]

    @asynccontextmanager
    async def killed(self, *arguments: str) -> AsyncIterator[Caller]:
        """A controller that is killed with -9 when the block ends."""
        async with self.connect(*arguments) as caller:
            yield caller
            self.kill()

    def environment(self) -> dict[str, str]:
        binary = codex_home.codex_binary() or "codex"
        return codex_home.environment(self.home, **{"CTB_CODEX_COMMAND": binary} | self.extra)

    def kill(self) -> None:
        """Kill the newest controller, and nothing else."""
        os.kill(self.pids[-1], signal.SIGKILL)

    def server_pid(self) -> int | None:
        """The process group of our Codex server, by its record."""
        record = self.home / "cross-thread-controller" / "codex-server.json"
        return int(json.loads(record.read_text())["pid"]) if record.exists() else None

    def kill_codex(self) -> None:
        pid = self.server_pid()
        assert pid is not None
        os.killpg(pid, signal.SIGKILL)

    def thread(self, message: str = "reply:made at the desk") -> str:
        """A thread that was there before the controller."""
        if self.engine == "codex":
            return codex_home.make_thread(self.home, self.workspace, message)
        return SAMPLE if self.engine == "echo" else controller.SAMPLE_THREAD


@contextmanager
def made(engine: str, folder: Path) -> Iterator[Bench]:
    """A home and a workspace; a Codex server that a test left running is ended."""
    workspace = folder / "work"
    workspace.mkdir()
    if engine in ("echo", "fake"):
        home = folder / "home"
        home.mkdir()
        yield Bench(engine, home, workspace)
        return
    if codex_home.codex_binary() is None:
        pytest.skip("no Codex CLI: set CODEX_BIN to one")
    with model.running() as provider:
        bench = Bench("codex", codex_home.make(folder, provider.url), workspace, provider)
        try:
            yield bench
        finally:
            end_server(bench)


def end_server(bench: Bench) -> None:
    """End the Codex server that a test left running on purpose."""
    pid = bench.server_pid()
    if pid is None:
        return
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(pid, sign)
        except ProcessLookupError:
            return
        time.sleep(0.2)  # between the polite and the other signal, after the test
