"""Tool calls beside an MCP session: whose reply is whose, and what an abandoned one says."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest

from bridge.links.calls import Calls


class Pipe:
    """What was written, as JSON; an event for each line."""

    def __init__(self) -> None:
        self.lines: list[Any] = []  # Any: JSON
        self.written = anyio.Event()

    async def send(self, line: bytes) -> None:
        assert line.endswith(b"\n")
        self.lines.append(json.loads(line))
        self.written.set()


async def test_each_call_gets_its_own_reply_whatever_their_order() -> None:
    """Two calls in flight, answered in reverse."""
    pipe, found = Pipe(), {}
    calls = Calls(pipe.send)

    async def ask(tool: str) -> None:
        found[tool] = (await calls.call(tool, {"of": tool}))["result"]

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask, "one")
        tasks.start_soon(ask, "two")
        while len(pipe.lines) < 2:
            await anyio.lowlevel.checkpoint()
        for line in reversed(pipe.lines):
            reply = {"jsonrpc": "2.0", "id": line["id"], "result": line["params"]}
            assert calls.take(json.dumps(reply).encode())
    assert found == {name: {"name": name, "arguments": {"of": name}} for name in ("one", "two")}


async def test_ids_are_numbers_of_31_bits_that_the_session_never_uses() -> None:
    """A controller written by hand may read a request's id as a plain number."""
    pipe = Pipe()
    with anyio.move_on_after(0.05):
        await Calls(pipe.send).call("cross_thread_status", {})
    assert type(pipe.lines[0]["id"]) is int
    assert 1_000_000 < pipe.lines[0]["id"] < 2**31


@pytest.mark.parametrize(
    "line",
    [
        b'{"jsonrpc":"2.0","id":1,"result":{}}',
        b'{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}',
        b'{"jsonrpc":"2.0","id":7,"result":{"id":1000000000}}',
        b'{"jsonrpc":"2.0","id":"1000000000","method":"ping"}',
        b'{"jsonrpc":"2.0","id":1000000000,"method":"ping"}',
        b'a stray print of "id":1000000000',
        b"[" * 100_000 + b'"id"',
    ],
)
async def test_what_is_no_reply_to_a_call_is_left_to_the_session(line: bytes) -> None:
    """The session's numbers, its notifications, and what is no message at all."""
    assert not Calls(Pipe().send).take(line)


async def test_a_late_reply_is_dropped() -> None:
    """It is for a call, so the session must not see it; nobody waits for it any more."""
    assert Calls(Pipe().send).take(b'{"jsonrpc":"2.0","id":1000000009,"result":{}}')


async def test_an_abandoned_call_is_cancelled_at_the_controller() -> None:
    """A deadline passes: the controller is told which request nobody waits for."""
    pipe = Pipe()
    with anyio.move_on_after(0.05):
        await Calls(pipe.send).call("cross_thread_wait_any", {})
    request, cancel = pipe.lines
    assert cancel["method"] == "notifications/cancelled"
    assert cancel["params"]["requestId"] == request["id"]


async def test_abandoning_a_call_on_a_broken_pipe_is_no_error() -> None:
    """The cancellation cannot be told; the caller's deadline is what it hears of."""
    pipe = Pipe()

    async def send(line: bytes) -> None:
        if pipe.lines:
            raise anyio.BrokenResourceError
        await pipe.send(line)

    with anyio.move_on_after(0.05) as scope:
        await Calls(send).call("cross_thread_wait_any", {})
    assert scope.cancelled_caught
