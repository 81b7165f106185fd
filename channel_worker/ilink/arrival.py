"""Has a reply begun to arrive? The connection of the long poll can tell.

Nobody knows whether iLink gives a reply again that was never read
(delivery-semantics 4), so a poll may be ended only while nothing of its reply has
arrived. httpx cannot say that: it reports a reply once its headers are whole. These
streams notice the first byte. Ending cancels only a read that still waits, and a
read that already has its bytes wins against it. All connections gather what httpcore
writes in pieces: one packet for a request, and one system call.
"""

from __future__ import annotations

import math
import ssl
from collections.abc import Iterable
from typing import Any

import anyio
import httpcore

GATHERED_BYTES = 16 * 1024  # a request without a file fits; larger gains nothing


class PollEnded(Exception):
    """Nothing had arrived when the poll was ended, or when its time was over."""


class Arrival:
    """What is known of the reply to the poll that is out now."""

    def __init__(self) -> None:
        self.has_begun = False
        self._is_ended = False
        self._quiet_until = math.inf
        self._reading: anyio.CancelScope | None = None
        self._whole: anyio.CancelScope | None = None

    def start(self, quiet_until: float, whole: anyio.CancelScope) -> None:
        """A new poll: its first byte is due by `quiet_until`, all of it within `whole`."""
        self.has_begun = False
        self._is_ended = False
        self._quiet_until = quiet_until
        self._reading = None
        self._whole = whole

    def finish(self) -> None:
        """The poll is over, whatever came of it."""
        self._whole = None

    @property
    def is_out(self) -> bool:
        return self._whole is not None

    def end(self, grace_s: float) -> None:
        """End the poll now; a reply that has begun gets `grace_s` to be read to its end."""
        if self._whole is None:
            return
        self._is_ended = True
        if self.has_begun:
            self._whole.deadline = min(self._whole.deadline, anyio.current_time() + grace_s)
        elif self._reading is not None:
            self._reading.cancel()
        else:
            self._whole.cancel()

    def restart(self) -> None:
        """A request is written; what came before, from a proxy for instance, was no reply."""
        self.has_begun = False

    async def read(self, stream: httpcore.AsyncNetworkStream, max_bytes: int) -> bytes:
        """The next bytes; raises PollEnded when none had come in time."""
        if self.has_begun:
            return await stream.read(max_bytes)
        if self._is_ended:
            raise PollEnded
        with anyio.CancelScope(deadline=self._quiet_until) as self._reading:
            data = await stream.read(max_bytes)
            self.has_begun = True
            return data
        raise PollEnded


class Backend(httpcore.AsyncNetworkBackend):
    """Opens connections that gather their writes; reads go through the Arrival, if any."""

    def __init__(self, arrival: Arrival | None = None) -> None:
        self._inner = httpcore.AnyIOBackend()
        self._arrival = arrival

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,  # Any: as httpcore declares it
    ) -> httpcore.AsyncNetworkStream:
        stream = await self._inner.connect_tcp(host, port, timeout, local_address, socket_options)
        return _Stream(stream, self._arrival)


class _Stream(httpcore.AsyncNetworkStream):
    """httpcore writes head and body apart; here they leave together, at the next read."""

    def __init__(self, inner: httpcore.AsyncNetworkStream, arrival: Arrival | None) -> None:
        self._inner = inner
        self._arrival = arrival
        self._held = bytearray()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        await self._flush()
        if self._arrival:
            return await self._arrival.read(self._inner, max_bytes)
        return await self._inner.read(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._held += buffer
        if len(self._held) >= GATHERED_BYTES:
            await self._flush()

    async def _flush(self) -> None:
        if not self._held:
            return
        if self._arrival:
            self._arrival.restart()
        data = bytes(self._held)
        self._held.clear()
        await self._inner.write(data)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        secured = await self._inner.start_tls(ssl_context, server_hostname, timeout)
        return _Stream(secured, self._arrival)

    def get_extra_info(self, info: str) -> Any:  # Any: as httpcore declares it
        return self._inner.get_extra_info(info)
