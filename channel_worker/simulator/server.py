"""A simulated iLink server on loopback: the bot API, the QR login and the CDN over HTTP.

    simulator = Simulator()
    async with simulator.serve() as base_url:      # ILINK_BASE_URL
        simulator.world.say("run the tests")
        await simulator.until(lambda: simulator.world.sent)

A client written for the real service works against it unchanged: the same paths, the
same header checks, the same shapes (`ilink-protocol` 1 to 8). Faults are queued per
endpoint and strike the next calls.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from email.utils import formatdate
from typing import get_args

import anyio
import anyio.lowlevel
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from channel_worker.simulator import cdn, qr_login
from channel_worker.simulator.world import Fault, FaultKind, Json, World

HANG_S = 3600.0  # "never", for one test
CUT_PAUSE_S = 0.01  # so that the half before a cut is on its way
APP_HEADERS = ("ilink-app-id", "ilink-app-clientversion")
STALE = {"errcode": -14, "errmsg": "session timeout"}
INVALID = {"ret": -1, "errmsg": "invalid arguments"}


class Simulator:
    """The server; `world` is what it knows and what it will do."""

    def __init__(self, world: World | None = None) -> None:
        self.world = world or World()
        self.base_url = ""
        self.app = self._dated(Starlette(routes=self._routes()))

    @asynccontextmanager
    async def serve(self, port: int = 0) -> AsyncIterator[str]:
        """Listen on 127.0.0.1 inside the block; gives the base URL."""
        async with serving(self.app, port) as self.base_url:
            yield self.base_url

    async def until(self, is_so: Callable[[], object], deadline_s: float = 10.0) -> None:
        """Wait until `is_so`, looked at whenever something happened here."""
        with anyio.fail_after(deadline_s):
            while not is_so():
                await self.world.news.wait()

    async def until_sent(self, number: int, deadline_s: float = 10.0) -> None:
        """Wait until the bot has sent so many messages in all."""
        await self.until(lambda: len(self.world.sent) >= number, deadline_s)

    def fail(self, endpoint: str, kind: FaultKind, **fields: Json) -> None:
        """The next call of this endpoint goes wrong: `fail("sendmessage", "ret", code=-2)`."""
        if kind not in get_args(FaultKind):
            raise ValueError(f"{kind!r} is not one of {', '.join(get_args(FaultKind))}")
        if isinstance(fields.get("body"), str):
            fields["body"] = fields["body"].encode()
        self.world.faults[endpoint].append(Fault(kind, **fields))

    def expire_token(self) -> None:
        """Every call answers -14 from now on, until the next login."""
        self.world.new_token()
        self.world.wake()

    def credentials(self, generation: int = 1) -> dict[str, Json]:
        """A credential file for a worker, as a login here would write it."""
        return {
            "bot_token": self.world.token,
            "account_id": self.world.bot_id,
            "base_url": self.base_url,
            "user_id": self.world.owner_id,
            "generation": generation,
        }

    def _routes(self) -> list[Route]:
        table: list[tuple[str, Callable[[Request, Json], Awaitable[Json]]]] = [
            ("getupdates", self._getupdates),
            ("sendmessage", self._sendmessage),
            ("sendtyping", self._sendtyping),
            ("getconfig", self._getconfig),
            ("getuploadurl", self._getuploadurl),
            ("msg/notifystart", self._notify),
            ("msg/notifystop", self._notify),
        ]
        routes = [
            Route(f"/ilink/bot/{name}", self._endpoint(name, handle), methods=["POST"])
            for name, handle in table
        ]
        return [*routes, *qr_login.routes(self), *cdn.routes(self)]

    @property
    def host(self) -> str:
        """Another name of this server, for a login that is sent to another data centre."""
        return f"localhost:{self.base_url.rpartition(':')[2]}"

    def _endpoint(
        self, name: str, handle: Callable[[Request, Json], Awaitable[Json]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def serve_one(request: Request) -> Response:
            body = _object_of(await request.body())
            self.world.record(name, dict(request.headers), body)
            fault = self.world.next_fault(name)
            if fault is None:
                return self.reply(await self._checked(request, body, handle))
            return await self._struck(request, body, handle, fault)

        return serve_one

    async def _checked(
        self, request: Request, body: Json, handle: Callable[[Request, Json], Awaitable[Json]]
    ) -> Json:
        if not isinstance(body, dict):
            return INVALID
        headers = request.headers
        is_known = headers.get("authorization") == f"Bearer {self.world.token}"
        is_ours = headers.get("authorizationtype") == "ilink_bot_token" and all(
            headers.get(name) for name in APP_HEADERS
        )
        return await handle(request, body) if is_known and is_ours else STALE

    async def _struck(
        self,
        request: Request,
        body: Json,
        handle: Callable[[Request, Json], Awaitable[Json]],
        fault: Fault,
    ) -> Response:
        match fault.kind:
            case "ret" | "errcode":
                return self.reply({fault.kind: fault.code, "errmsg": fault.message})
            case "body":
                return self._raw(fault.body)
            case "status":
                return self._raw(b"<html>trouble</html>", fault.code)
            case "reset_before":
                cut(request)
            case "hang":
                await anyio.sleep(HANG_S)
            case "instant":
                return self.reply({"ret": 0, "msgs": []})
            case "delay":
                await anyio.sleep(fault.seconds)
        answer = await self._checked(request, body, handle)
        match fault.kind:
            case "no_id":
                answer.pop("message_id", None)
            case "reset_after":
                cut(request)
            case "status_after":
                return self._raw(b"<html>trouble</html>", fault.code)
            case "half_body":
                return _Slow(json.dumps(answer).encode(), 2, CUT_PAUSE_S, is_cut=True)
            case "pause":
                return _Slow(json.dumps(answer).encode(), 2, fault.seconds)
            case "drip":
                return _Slow(json.dumps(answer).encode(), 0, fault.seconds)
        return self.reply(answer)

    async def _getupdates(self, request: Request, body: Json) -> Json:
        cursor = str(body.get("get_updates_buf") or "")
        token = self.world.token
        with anyio.move_on_after(self.world.hold_s):
            async with anyio.create_task_group() as waiting:
                waiting.start_soon(_until_gone, request, waiting.cancel_scope)
                while True:
                    news = self.world.news
                    if token != self.world.token:
                        waiting.cancel_scope.cancel()
                        return STALE
                    messages, after = self.world.take(cursor)
                    if messages:
                        waiting.cancel_scope.cancel()
                        return self._batch(messages, after)
                    await news.wait()
        return self._batch([], self.world.take(cursor)[1])

    def _batch(self, messages: list[Json], cursor: str) -> Json:
        answer: Json = {"ret": 0, "msgs": messages, "get_updates_buf": cursor}
        suggested = self.world.suggested_ms
        if suggested < 0:
            suggested = int(self.world.hold_s * 1000)
        return answer | {"longpolling_timeout_ms": suggested} if suggested else answer

    async def _sendmessage(self, request: Request, body: Json) -> Json:
        code, said = self.world.accept(body.get("msg") or {})
        return {"ret": code, "errmsg": said} if code else {"ret": 0, "message_id": int(said)}

    async def _getconfig(self, request: Request, body: Json) -> Json:
        if not body.get("context_token"):
            return {"ret": -4, "errmsg": "GetTypingTicket rpc failed"}
        return {"ret": 0, "typing_ticket": secrets.token_urlsafe(12)}

    async def _sendtyping(self, request: Request, body: Json) -> Json:
        self.world.typing[body.get("ilink_user_id", "")] = body.get("status") == 1
        self.world.wake()
        return {"ret": 0}

    async def _getuploadurl(self, request: Request, body: Json) -> Json:
        return cdn.upload_place(self, body)

    async def _notify(self, request: Request, body: Json) -> Json:
        return {"ret": 0}

    def reply(self, body: Json) -> Response:
        """A JSON answer."""
        return self._raw(json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode())

    def _raw(self, body: bytes, status: int = 200) -> Response:
        return Response(body, status, media_type="application/json")

    def _dated(self, app: ASGIApp) -> ASGIApp:
        """Give each reply the Date of the world's clock, each request a way to be cut."""

        async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
            cycle = getattr(send, "__self__", None)  # uvicorn's, which knows the transport
            transport = getattr(cycle, "transport", None)
            scope["cut"] = transport.abort if transport else lambda: None

            async def dated(message: Message) -> None:
                if message["type"] == "http.response.start":
                    date = formatdate(self.world.now(), usegmt=True).encode()
                    message["headers"] = [*message["headers"], (b"date", date)]
                await send(message)

            with contextlib.suppress(ConnectionCut, ClientDisconnect):
                await app(scope, receive, dated)

        return wrapped


class ConnectionCut(Exception):
    """The connection was cut on purpose; there is nobody left to answer."""


def cut(request: Request) -> None:
    """Reset the connection of this request now; raises ConnectionCut."""
    request.scope["cut"]()
    raise ConnectionCut


@asynccontextmanager
async def serving(app: ASGIApp, port: int) -> AsyncIterator[str]:
    """`app` on 127.0.0.1; port 0 takes a free one. Signals are left to the caller."""
    # The protocol is named because asyncio turns Nagle off only where it is: 40 ms a reply.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", port))
        config = uvicorn.Config(
            app, log_config=None, log_level="critical", access_log=False, lifespan="off",
            date_header=False, server_header=False, timeout_keep_alive=75,
            timeout_graceful_shutdown=0,
        )  # fmt: skip
        server = _Server(config)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [bound])
            await server.is_up.wait()
            try:
                yield f"http://127.0.0.1:{bound.getsockname()[1]}"
            finally:
                server.should_exit = True
                server.is_over.set()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = anyio.Event()
        self.is_over = anyio.Event()

    async def main_loop(self) -> None:
        """uvicorn's own looks ten times a second whether it is over."""
        await self.is_over.wait()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """uvicorn's own gives every connection a tenth of a second."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        for task in list(self.server_state.tasks):
            task.cancel()
        await anyio.lowlevel.checkpoint()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Slow(Response):
    """A body in `pieces`, 0 for byte by byte, with a pause before each but the first."""

    def __init__(self, content: bytes, pieces: int, pause_s: float, is_cut: bool = False) -> None:
        super().__init__(content, media_type="application/json")
        self._length = len(content) // pieces if pieces else 1
        self._pause_s = pause_s
        self._is_cut = is_cut

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        whole = bytes(self.body)
        for place in range(0, len(whole), self._length):
            if place:
                await anyio.sleep(self._pause_s)
                if self._is_cut:
                    scope["cut"]()
                    return
            piece = whole[place : place + self._length]
            more = place + len(piece) < len(whole)
            await send({"type": "http.response.body", "body": piece, "more_body": more})


def _object_of(body: bytes) -> Json:
    """The JSON object that was posted; None for anything else."""
    try:
        found = json.loads(body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


async def _until_gone(request: Request, scope: anyio.CancelScope) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
