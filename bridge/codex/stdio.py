"""MCP messages over our own standard input and output, one JSON object per line.

The SDK's transport reads in a worker thread that nothing can interrupt, so a SIGTERM
would wait for the next line; this one waits for readiness and can always be left.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

from bridge.wire import log as wire_log

MAX_LINE_BYTES = 8 * 1024 * 1024  # threat-model R9; a message of 10^6 characters fits
READ_BYTES = 64 * 1024
WRITE_BYTES = select.PIPE_BUF  # what a pipe that is ready takes without blocking

log = wire_log.get("stdio")

Incoming = SessionMessage | Exception
Streams = tuple[MemoryObjectReceiveStream[Incoming], MemoryObjectSendStream[SessionMessage]]


@asynccontextmanager
async def streams(source: int = 0, sink: int = 1) -> AsyncIterator[Streams]:
    """The two streams an MCP server runs on; input ends with the descriptor's EOF."""
    sys.stdout = sys.stderr  # a stray print must not land among the messages
    given, incoming = anyio.create_memory_object_stream[Incoming](0)
    outgoing, taken = anyio.create_memory_object_stream[SessionMessage](0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_read, source, given)
        tasks.start_soon(_write, sink, taken)
        async with incoming, outgoing:
            yield incoming, outgoing
        tasks.cancel_scope.cancel()


async def _read(source: int, given: MemoryObjectSendStream[Incoming]) -> None:
    kept = bytearray()
    async with given:
        while True:
            piece = await _piece(source)
            if not piece:
                return
            kept += piece
            while (end := kept.find(b"\n")) >= 0:
                line = bytes(kept[:end])
                del kept[: end + 1]
                await _hand_over(line, given)
            if len(kept) > MAX_LINE_BYTES:
                log.warning("line.too_long", size_bytes=len(kept))
                return  # what follows cannot be trusted; the client sees us end


async def _piece(source: int) -> bytes:
    try:
        await anyio.wait_readable(source)
    except PermissionError:
        await anyio.lowlevel.checkpoint()  # a plain file is always ready
    return os.read(source, READ_BYTES)


async def _hand_over(line: bytes, given: MemoryObjectSendStream[Incoming]) -> None:
    if not line.strip():
        return
    try:
        message = jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValueError as wrong:
        await given.send(wrong)
        return
    await given.send(SessionMessage(message))


async def _write(sink: int, taken: MemoryObjectReceiveStream[SessionMessage]) -> None:
    async with taken:
        async for message in taken:
            text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
            try:
                await _put(sink, text.encode() + b"\n")
            except (BrokenPipeError, ConnectionResetError):
                log.info("client.gone")
                return


async def _put(sink: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            await anyio.wait_writable(sink)
        except PermissionError:
            await anyio.lowlevel.checkpoint()
        view = view[os.write(sink, view[:WRITE_BYTES]) :]
