"""The controller's process: started by argument vector, watched, and ended for certain.

Its stdin and stdout carry MCP, one JSON message per line; stderr goes to a log file.
It runs in a session of its own, so that Ctrl-C in the terminal does not reach it. Its
death is seen from the process itself: a grandchild that inherited its stdout would
keep the pipe open and every call waiting for ever.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream, Process
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from bridge.links.calls import Calls

if TYPE_CHECKING:
    from bridge.links.sdk import SessionMessage

    Incoming: TypeAlias = "SessionMessage | Exception"

MAX_LINE_BYTES = 8 * 1024 * 1024  # threat-model R9: an MCP reply
READ_BYTES = 65536
END_BY_ITSELF_S = 2.0  # after its stdin closed; the controller promises 2 s (contract 3.12)
END_BY_TERM_S = 0.3  # then SIGKILL; a demo is left in 3 s, honcho kills us after 5


@dataclass(frozen=True, slots=True)
class Child:
    """A running controller: streams for an MCP session, and tool calls beside it."""

    incoming: MemoryObjectReceiveStream[Incoming]
    outgoing: MemoryObjectSendStream[SessionMessage]
    calls: Calls
    gone: anyio.Event  # fires when the process is gone


@asynccontextmanager
async def controller_process(
    command: Sequence[str], env: Mapping[str, str], stderr: Path
) -> AsyncIterator[Child]:
    """The process while it is wanted. Raises OSError when it cannot be started."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    errors = os.open(stderr, flags, 0o600)
    try:
        process = await anyio.open_process(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=dict(env),
            start_new_session=True,
        )
    finally:
        os.close(errors)
    assert process.stdin is not None and process.stdout is not None
    from bridge.links.sdk import SessionMessage

    to_session, from_process = anyio.create_memory_object_stream["SessionMessage | Exception"](0)
    to_process, from_session = anyio.create_memory_object_stream[SessionMessage](0)
    gone = anyio.Event()
    calls = Calls(process.stdin.send)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_watch, process, gone, to_session)
        tasks.start_soon(_read, process.stdout, calls, to_session)
        tasks.start_soon(_write, process.stdin, from_session)
        try:
            yield Child(from_process, to_process, calls, gone)
        finally:
            with anyio.CancelScope(shield=True):
                await _end(process)
            tasks.cancel_scope.cancel()
            for stream in (to_session, from_process, to_process, from_session):
                stream.close()


async def _watch(
    process: Process, gone: anyio.Event, to_session: MemoryObjectSendStream[Incoming]
) -> None:
    await process.wait()
    gone.set()
    to_session.close()


async def _read(
    stdout: ByteReceiveStream, calls: Calls, to_session: MemoryObjectSendStream[Incoming]
) -> None:
    """Lines to replies and messages. What is neither (a stray print) is passed over."""
    from bridge.links.sdk import SessionMessage, jsonrpc_message_adapter

    held = bytearray()
    overlong = False
    with suppress(anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
        while True:
            data = await stdout.receive(READ_BYTES)
            held += data
            lines: list[bytes] = []
            if b"\n" in data:
                *lines, rest = bytes(held).split(b"\n")
                held = bytearray(rest)
            for line in lines:
                if overlong:
                    overlong = False
                    continue
                if calls.take(line):
                    continue
                try:
                    message = jsonrpc_message_adapter.validate_json(line, by_name=False)
                except ValueError:
                    continue
                await to_session.send(SessionMessage(message))
            if len(held) > MAX_LINE_BYTES:
                overlong = True
                held.clear()


async def _write(
    stdin: ByteSendStream, from_session: MemoryObjectReceiveStream[SessionMessage]
) -> None:
    with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
        async for item in from_session:
            line = item.message.model_dump_json(by_alias=True, exclude_unset=True)
            await stdin.send(line.encode("utf-8", "replace") + b"\n")


async def _end(process: Process) -> None:
    """Close stdin and wait; then SIGTERM, then SIGKILL for the whole group."""
    if process.stdin is not None:
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
            await process.stdin.aclose()
    with anyio.move_on_after(END_BY_ITSELF_S):
        await process.wait()
        return
    for number, wait_s in ((signal.SIGTERM, END_BY_TERM_S), (signal.SIGKILL, END_BY_TERM_S)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with anyio.move_on_after(wait_s):
            await process.wait()
            return
