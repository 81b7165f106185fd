"""One connection to a Codex app-server: calls with deadlines, and its events.

WebSocket over a Unix socket, one JSON object per text frame, no `jsonrpc` member
(Codex 0.169.0, observed 2026-11). Above sits `host`, which owns the connection's
task; nothing here knows what a thread or a turn is.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from websockets.asyncio.client import ClientConnection, unix_connect
from websockets.exceptions import WebSocketException

from bridge.codex import writers
from bridge.codex.model import EngineGone, Obj
from bridge.wire import log as wire_log

CALL_S = 30.0  # any call but a turn; a resume of a 3.3 MB rollout took 83 ms
CONNECT_S = 5.0  # a server answers `initialize` 93 to 230 ms after its start
MAX_FRAME_BYTES = 64 * 1024 * 1024  # a page of items with images inline
UNWANTED = ("account/rateLimits/updated", "thread/tokenUsage/updated")

log = wire_log.get("appserver")

OnEvent = Callable[[str, Obj], None]
OnRequest = Callable[[int | str, str, Obj], None]


class Denied(Exception):
    """Codex answered with an error; the text is Codex's own."""


class AppServer:
    """An initialised connection. Calls may be made from many tasks at once."""

    def __init__(self, connection: ClientConnection, pid: int | None) -> None:
        self._connection = connection
        self._waiting: dict[int, _Answer] = {}
        self._last_id = 0
        self.pid = pid  # of the process that serves the socket
        self.version = ""
        self.is_gone = False

    async def call(self, method: str, params: Obj | None = None, deadline_s: float = CALL_S) -> Obj:
        """The result of one request.

        Raises Denied with Codex's sentence, EngineGone when the connection ended or
        the deadline passed: then nobody knows whether the request was obeyed.
        """
        self._last_id += 1
        number = self._last_id
        answer = self._waiting[number] = _Answer()
        body = {"id": number, "method": method, "params": params or {}}
        try:
            with anyio.fail_after(deadline_s):
                await self._send(body)
                await answer.ready.wait()
        except TimeoutError:
            raise EngineGone(f"{method}: no answer in {deadline_s:g} s") from None
        finally:
            self._waiting.pop(number, None)
        if answer.error is not None:
            raise Denied(str(answer.error.get("message") or "refused"))
        if answer.result is None:
            raise EngineGone(f"{method}: the connection ended")
        return answer.result

    async def answer(self, request: int | str, result: Obj) -> None:
        """Answer a request of the server."""
        await self._send({"id": request, "result": result})

    async def refuse(self, request: int | str) -> None:
        """Tell the server that we cannot do this; it counts as a refusal there."""
        error = {"code": -32601, "message": "not supported by this client"}
        await self._send({"id": request, "error": error})

    async def read(self, on_event: OnEvent, on_request: OnRequest) -> None:
        """Hand out everything the server says, until the connection ends."""
        try:
            async for frame in self._connection:
                self._take(frame, on_event, on_request)
        except (WebSocketException, OSError) as ended:
            log.info("server.lost", cause=type(ended).__name__)
        finally:
            self.is_gone = True
            for answer in self._waiting.values():
                answer.ready.set()

    async def _send(self, body: Obj) -> None:
        if self.is_gone:
            raise EngineGone("the connection ended")
        try:
            await self._connection.send(json.dumps(body))
        except (WebSocketException, OSError) as failed:
            raise EngineGone("the connection ended") from failed

    def _take(self, frame: str | bytes, on_event: OnEvent, on_request: OnRequest) -> None:
        try:
            message = json.loads(frame)
        except (ValueError, RecursionError):
            log.warning("server.unreadable", size_bytes=len(frame))
            return
        method, number = message.get("method"), message.get("id")
        if method is None:
            answer = self._waiting.get(number)
            if answer is not None:
                answer.settle(message)
        elif number is None:
            on_event(method, message.get("params") or {})
        else:
            on_request(number, method, message.get("params") or {})


@asynccontextmanager
async def connect(path: Path) -> AsyncIterator[AppServer]:
    """A connection to the server at `path`, initialised.

    Raises EngineGone when nobody answers there in CONNECT_S. Somebody must be in
    `read` before any call but the handshake, which reads its own answer.
    """
    try:
        with anyio.fail_after(CONNECT_S):
            connection = await unix_connect(
                writers.short_path(path),
                "ws://localhost/",
                max_size=MAX_FRAME_BYTES,
                compression=None,
                ping_interval=None,
            )
    except (OSError, TimeoutError, WebSocketException) as failed:
        raise EngineGone("no Codex server answers there") from failed
    try:
        server = AppServer(connection, _pid_behind(connection))
        server.version = await _shake_hands(connection)
        yield server
    finally:
        with anyio.move_on_after(1, shield=True):  # 1 s: a peer that hangs
            await connection.close()


class _Answer:
    """What a request is waiting for."""

    def __init__(self) -> None:
        self.ready = anyio.Event()
        self.result: Obj | None = None
        self.error: Obj | None = None

    def settle(self, message: Obj) -> None:
        self.error = message.get("error")
        self.result = message.get("result") if self.error is None else None
        if self.error is None and not isinstance(self.result, dict):
            self.result = {}
        self.ready.set()


async def _shake_hands(connection: ClientConnection) -> str:
    """`initialize` and `initialized`; gives the server's version."""
    hello = {
        "clientInfo": {"name": "ctb-controller", "title": "ctb", "version": "1"},
        "capabilities": {
            "experimentalApi": True,
            "optOutNotificationMethods": list(UNWANTED),
        },
    }
    try:
        with anyio.fail_after(CONNECT_S):
            await connection.send(json.dumps({"id": 0, "method": "initialize", "params": hello}))
            reply = json.loads(await connection.recv())
            while reply.get("id") != 0 or "method" in reply:
                reply = json.loads(await connection.recv())
            await connection.send(json.dumps({"method": "initialized"}))
    except (WebSocketException, OSError, ValueError, TimeoutError) as failed:
        raise EngineGone("the Codex server broke off the handshake") from failed
    agent = str((reply.get("result") or {}).get("userAgent") or "")
    return agent.partition("/")[2].partition(" ")[0]


def _pid_behind(connection: ClientConnection) -> int | None:
    peer: Any = connection.transport.get_extra_info("socket")  # Any: asyncio's proxy
    return None if peer is None else writers.peer_pid(peer)
