"""A fast iLink server on loopback that notes when a message left and a send came.

It runs in its own process and is told what to do by JSON lines on standard
input, one answer line each, so that nothing of the measuring shares its loop.
It speaks only what `ilink-protocol.md` 4 to 8 asks of text: no headers are
checked, no faults are made. Times are of the system's monotonic clock, which
all processes of one machine share.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

POLL_S = 35.0  # how long getupdates is held open: ilink-protocol.md 5
OWNER = "o0bench@im.wechat"
BOT = "0b0b0b0b0b0b@im.bot"
FIRST_MESSAGE_ID = 7_497_484_083_968_000_000  # beyond 2^53, as real ones are

Json = dict[str, Any]  # foreign JSON, read here and nowhere else


class Server:
    """What the phone wrote, what is polled for, what was sent."""

    def __init__(self) -> None:
        self.polls = 0
        self.calls: Counter[str] = Counter()
        self.left: list[tuple[int, str]] = []  # (ns, text) of each message in a reply
        self.sent: list[tuple[int, str]] = []  # (ns, text) of each sendmessage
        self._waiting: Connection | None = None
        self._pending: list[Json] = []
        self._ids = itertools.count(FIRST_MESSAGE_ID)
        self._waiters: list[tuple[Callable[[], bool], asyncio.Event]] = []

    def push(self, texts: list[str]) -> None:
        now_ms = time.time_ns() // 1_000_000
        for number, text in enumerate(texts):
            self._pending.append(_message(next(self._ids), now_ms + number, text))
        if self._waiting:
            self._answer_poll(self._waiting)

    def handle(self, connection: Connection, endpoint: str, body: bytes) -> None:
        """Answer one request, at once unless it is a poll with nothing to give."""
        self.calls[endpoint] += 1
        if endpoint == "getupdates":
            self.polls += 1
            self._poll(connection)
        elif endpoint == "sendmessage":
            now_ns = time.monotonic_ns()
            items = json.loads(body)["msg"].get("item_list", [])
            text = "".join(item.get("text_item", {}).get("text", "") for item in items)
            self.sent.append((now_ns, text))
            connection.reply({"ret": 0, "message_id": next(self._ids)})
        elif endpoint == "getconfig":
            connection.reply({"ret": 0, "typing_ticket": "dGlja2V0"})
        else:
            connection.reply({"ret": 0})
        self.tell()

    def tell(self) -> None:
        """Wake those who wait for what has happened now."""
        for ready, event in self._waiters:
            if ready():
                event.set()

    async def until(self, ready: Callable[[], bool], timeout_s: float) -> bool:
        event = asyncio.Event()
        waiter = (ready, event)
        self._waiters.append(waiter)
        self.tell()
        try:
            async with asyncio.timeout(timeout_s):
                await event.wait()
        except TimeoutError:
            return False
        finally:
            self._waiters.remove(waiter)
        return True

    def forget(self, connection: Connection) -> None:
        if self._waiting is connection:
            self._waiting = None

    def _poll(self, connection: Connection) -> None:
        if self._waiting:
            self._answer_poll(self._waiting)
        self._waiting = connection
        if self._pending:
            self._answer_poll(connection)
        else:
            asyncio.get_running_loop().call_later(POLL_S, self._end_poll, connection, self.polls)

    def _end_poll(self, connection: Connection, poll: int) -> None:
        if self._waiting is connection and self.polls == poll:
            self._answer_poll(connection)

    def _answer_poll(self, connection: Connection) -> None:
        messages, self._pending = self._pending, []
        self._waiting = None
        connection.reply({"ret": 0, "msgs": messages, "get_updates_buf": f"buf-{self.polls}"})
        now_ns = time.monotonic_ns()
        self.left += [
            (now_ns, message["item_list"][0]["text_item"]["text"]) for message in messages
        ]


class Connection(asyncio.Protocol):
    """One keep-alive HTTP connection; requests come one after another."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.forget(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
            whole = end + 4 + int(length or 0)
            if len(self._buffer) < whole:
                return
            path = self._buffer.split(b" ", 2)[1].decode()
            body, self._buffer = self._buffer[end + 4 : whole], self._buffer[whole:]
            self._server.handle(self, path.partition("?")[0].rpartition("/")[2], body)

    def reply(self, value: Json) -> None:
        body = json.dumps(value).encode()
        head = (
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            f"Date: {formatdate(usegmt=True)}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        if self._transport and not self._transport.is_closing():
            self._transport.write(head.encode() + body)


def _message(message_id: int, now_ms: int, text: str) -> Json:
    return {
        "message_id": message_id,
        "from_user_id": OWNER,
        "to_user_id": BOT,
        "create_time_ms": now_ms,
        "message_type": 1,
        "message_state": 2,
        "item_list": [{"type": 1, "text_item": {"text": text}}],
        "context_token": f"bench-context-{message_id}",
    }


async def _obey(server: Server, order: Json) -> Json:
    match order["do"]:
        case "push":
            server.push(order["texts"])
            return {}
        case "sent":  # wait until so many sends hold the mark
            count, mark = order["count"], order["mark"]
            done = await server.until(
                lambda: sum(mark in text for _, text in server.sent) >= count, order["timeout_s"]
            )
            return {"done": done, "left": server.left, "sent": server.sent}
        case "polls":  # wait until more polls have begun than `after`
            after = order["after"]
            done = await server.until(lambda: server.polls > after, order["timeout_s"])
            return {"done": done, "at_ns": time.monotonic_ns(), "polls": server.polls}
        case "forget":
            server.left.clear()
            server.sent.clear()
            return {"polls": server.polls, "calls": dict(server.calls)}
    raise ValueError(order["do"])


async def _serve() -> None:
    server = Server()
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(lambda: Connection(server), "127.0.0.1", 0)
    orders = asyncio.StreamReader(limit=2**26)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    print(json.dumps({"port": listener.sockets[0].getsockname()[1]}), flush=True)
    while line := await orders.readline():
        print(json.dumps(await _obey(server, json.loads(line))), flush=True)


if __name__ == "__main__":
    asyncio.run(_serve())
