"""`ctb-controller` as a process: an MCP server on stdio, from its start to its end.

`initialize` is answered before the state file is open; every tool waits for that.
It ends within 2 s of the end of its input or a SIGTERM. Codex is left running while a
turn of ours goes on, else our own server ends with us.
"""

from __future__ import annotations

import json
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import anyio
import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server

from bridge.codex import stdio
from bridge.codex.codex import Codex
from bridge.codex.disk import Disk
from bridge.codex.echo import Echo
from bridge.codex.engine import Engine
from bridge.codex.keys import Keys
from bridge.codex.model import Code, EngineGone, Refused
from bridge.codex.runs import Runs
from bridge.codex.tools import Reads, Tool, Tools
from bridge.wire import log as wire_log
from bridge.wire import place

PREDECESSOR_S = 10.0  # an earlier controller ends within 2 s of its client's death
LOOK_S = 0.05  # between two attempts at the lock it holds
READY_S = 30.0  # a tool's wait for the state file and the recovery
STOP_S = 1.7  # of the 2 s that the contract allows for the end

log = wire_log.get("serve")

Context = ServerRequestContext[object]


@dataclass(frozen=True, slots=True)
class Place:
    """Where everything is; the command line and the environment decide."""

    engine: str
    home: Path
    folder: Path  # of our own files below CODEX_HOME, mode 0700
    database: Path
    samples: Path  # folders of the threads of `echo`, away from Codex's own files
    codex_command: tuple[str, ...]
    reads_only: bool


class Controller:
    """The tools, once the state file is open."""

    def __init__(self, where: Place) -> None:
        self._where = where
        self._ready = anyio.Event()
        self._tools: dict[str, Tool] = {}
        self._fault: Refused | None = None
        self._runs: Runs | None = None
        self._engine: Engine | None = None

    async def serve(self) -> None:
        """Open the state and follow runs until cancelled; a fault is told to each request."""
        try:
            if self._where.reads_only:
                self._offer(Reads(Disk(self._where.home, self._where.folder)).tools())
                return
            await self._serve_runs()
        except (place.PlaceFault, OSError, sqlite3.Error, Refused) as failed:
            log.exception("state.failed")
            self._fault = failed if isinstance(failed, Refused) else _unusable(failed)
            # Also where whoever started us looks: without its tools nothing can be asked.
            sys.stderr.write(f"ctb-controller: {self._fault.message}\n")
            self._ready.set()

    async def list_tools(
        self, _context: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        await self._wait()
        return types.ListToolsResult(tools=[_shown(tool) for tool in self._tools.values()])

    async def call_tool(
        self, _context: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        try:
            await self._wait()
            tool = self._tools.get(params.name)
            if tool is None:
                raise Refused(Code.NOT_FOUND, "there is no such tool here")
            return _result(await tool.run(dict(params.arguments or {})))
        except Refused as refused:
            return _refusal(refused)
        except EngineGone:
            return _refusal(Refused(Code.ENGINE_DOWN, "Codex did not answer: try again"))
        except Exception:  # outermost ring of a call: the client gets one sentence
            log.exception("tool.failed", tool=params.name)
            return _refusal(Refused(Code.ENGINE_DOWN, "a fault here: see the controller's log"))

    async def stop(self) -> None:
        """End our own server unless a turn needs it; bounded."""
        if self._runs is None or self._engine is None or self._runs.has_live():
            return
        with anyio.move_on_after(STOP_S, shield=True), suppress(Refused):
            if await self._engine.is_idle():
                await self._engine.stop()

    async def _serve_runs(self) -> None:
        where = self._where
        place.private_folder(where.folder)
        where.database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = await _sole(where.database.with_name(where.database.name + ".lock"))
        try:
            keys = Keys(where.database, where.engine, is_durable=where.engine != "echo")
            self._engine = engine = _engine(where, keys)
            self._runs = runs = Runs(keys, engine)
            await runs.serve(ready=lambda: self._offer(Tools(keys, engine, runs).tools()))
        finally:
            lock.release()

    def _offer(self, tools: list[Tool]) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._ready.set()

    async def _wait(self) -> None:
        with anyio.move_on_after(READY_S):
            await self._ready.wait()
        if self._fault is not None:
            raise self._fault
        if not self._ready.is_set():
            raise Refused(Code.ENGINE_DOWN, "the controller is still starting: try again")


async def serve(where: Place) -> None:
    """Serve one client until its input ends or a signal comes."""
    controller = Controller(where)
    server = Server(
        "ctb-controller",
        version=_version(),
        on_list_tools=controller.list_tools,
        on_call_tool=controller.call_tool,
    )
    async with anyio.create_task_group() as tasks:
        ended = anyio.Event()
        tasks.start_soon(controller.serve)
        tasks.start_soon(_end_on_signal, ended.set)
        tasks.start_soon(_talk, server, ended.set)
        await ended.wait()
        await controller.stop()
        tasks.cancel_scope.cancel()
    log.info("controller.ended")


async def _talk(server: Server[object], ended: Callable[[], None]) -> None:
    try:
        async with stdio.streams() as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())
    finally:
        ended()


async def _end_on_signal(ended: Callable[[], None]) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async for number in signals:
            log.info("signal.received", number=number)
            ended()


async def _sole(path: Path) -> place.HeldLock:
    """The lock of the state file; an earlier controller may still be ending."""
    with anyio.move_on_after(PREDECESSOR_S):
        while True:
            try:
                return place.hold_lock(path)
            except place.AlreadyRunning:
                await anyio.sleep(LOOK_S)
    raise Refused(Code.ENGINE_DOWN, "another controller is running with the same state file")


def _engine(where: Place, keys: Keys) -> Engine:
    if where.engine == "echo":
        return Echo(keys.db, where.samples)
    return Codex(where.home, where.folder, where.codex_command)


def _unusable(failed: Exception) -> Refused:
    cause = getattr(failed, "strerror", None) or "it is not private to us"
    if isinstance(failed, sqlite3.Error):
        cause = "its database is damaged: move it away, runs that go on are then unknown"
    return Refused(Code.ENGINE_DOWN, f"the controller's state cannot be used: {cause}")


def _shown(tool: Tool) -> types.Tool:
    schema = tool.arguments.model_json_schema()
    return types.Tool(name=tool.name, description=tool.says, input_schema=schema)


def _result(body: dict[str, object]) -> types.CallToolResult:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    content = [types.TextContent(type="text", text=text)]
    return types.CallToolResult(content=list(content), structured_content=body)


def _refusal(refused: Refused) -> types.CallToolResult:
    error = {"code": str(refused.code), "message": refused.message, **refused.facts}
    text = json.dumps({"error": error}, ensure_ascii=False)
    content = [types.TextContent(type="text", text=text)]
    return types.CallToolResult(
        content=list(content), structured_content={"error": error}, is_error=True
    )


def _version() -> str:
    try:
        return version("codex-thread-bridge")
    except PackageNotFoundError:
        return "0"
