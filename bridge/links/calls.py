"""Tool calls on the pipe of an MCP session, without the session's own machinery.

The session of the mcp SDK greets the controller, lists its tools and answers what it
asks. Its `call_tool` costs 0.7 ms of validation, tracing and streams; with seven calls
a message that was a third of the bridge's time, and what it validates is read leniently
by `replies` anyway. One of these takes 0.1 ms (both measured 2026-11-22).

Ids are numbers, because a controller written by hand may know no others, and begin far
above the session's, so a reply has one taker. A call that is abandoned is cancelled at
the controller, as the protocol wants.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from itertools import count
from typing import Any, TypeAlias

import anyio

PIPE_BROKEN = (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError)
CANCEL_S = 1.0  # to tell a controller that does not read; it is lost anyway
FIRST_ID = 1_000_000_000  # the session counts its few requests from 0; below 2^31

_to_json = json.JSONEncoder(separators=(",", ":")).encode  # `dumps` makes one for each line

Reply: TypeAlias = Mapping[str, Any]  # Any: a JSON-RPC response as it came


class Calls:
    """The tool calls in flight to one child; `send` writes one whole line."""

    def __init__(self, send: Callable[[bytes], Awaitable[None]]) -> None:
        self._send = send
        self._ids = count(FIRST_ID)
        self._waiting: dict[int, _Waiting] = {}

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> Reply:  # Any: JSON
        """The response, `result` or `error`. Waits for ever: deadlines are the caller's.

        Raises one of PIPE_BROKEN.
        """
        call_id = next(self._ids)
        waiting = self._waiting[call_id] = _Waiting()
        params = {"name": tool, "arguments": arguments}
        try:
            await self._send(_line(id=call_id, method="tools/call", params=params))
            await waiting.is_here.wait()
        except anyio.get_cancelled_exc_class():
            cancel = {"requestId": call_id, "reason": "abandoned"}
            with anyio.move_on_after(CANCEL_S, shield=True), suppress(*PIPE_BROKEN):
                await self._send(_line(method="notifications/cancelled", params=cancel))
            raise
        finally:
            del self._waiting[call_id]
        return waiting.reply

    def take(self, line: bytes) -> bool:
        """Whether this line was the reply to a call; one that nobody waits for is dropped."""
        if b'"id"' not in line:  # a notification, or no message at all
            return False
        try:
            reply = json.loads(line)
        except (ValueError, RecursionError):
            return False
        if not isinstance(reply, dict) or "method" in reply:
            return False
        call_id = reply.get("id")
        if type(call_id) is not int or call_id < FIRST_ID:
            return False
        if waiting := self._waiting.get(call_id):
            waiting.reply = reply
            waiting.is_here.set()
        return True


class _Waiting:
    """The place where one call finds its reply."""

    def __init__(self) -> None:
        self.is_here = anyio.Event()
        self.reply: Reply = {}


def _line(**members: object) -> bytes:
    return _to_json({"jsonrpc": "2.0", **members}).encode() + b"\n"
