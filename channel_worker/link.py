"""The connection to the bridge, made again for as long as the worker lives."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

import anyio
from anyio.abc import TaskGroup

from bridge.wire import log
from bridge.wire.messages import OutboundBegun
from bridge.wire.peer import (
    Handler,
    LinkLost,
    Peer,
    PeerFault,
    ProtocolMismatch,
    Refused,
    connect,
)

FIRST_DELAY_S = 0.05  # a bridge that restarts is back within a second
MAX_DELAY_S = 2.0  # design 9: polling again 2 s after a kill
STEADY_S = 5.0  # a connection that lived this long starts the back-off anew

_log = log.get("link")


class Link:
    """Holds the live peer, or None; `on_change` is called at each coming and going."""

    def __init__(self, path: Path, handle: Handler) -> None:
        self._path = path
        self._handle = handle
        self.on_change: Callable[[], None] = lambda: None
        self._instance = secrets.token_hex(8)
        self.peer: Peer | None = None

    async def run(self, tasks: TaskGroup) -> None:
        """Connect for ever; raises ProtocolMismatch alone."""
        delay_s = FIRST_DELAY_S
        while True:
            began = anyio.current_time()
            try:
                self.peer = await connect(self._path, "worker", self._instance, self._handle, tasks)
                _log.info("link.up")
                self.on_change()
                await self.peer.ended.wait()
                _log.warning("link.lost", why=self.peer.fault)
            except ProtocolMismatch:
                raise
            except (OSError, TimeoutError, LinkLost, PeerFault, Refused) as failed:
                _log.debug("link.absent", why=type(failed).__name__)
            self.peer = None
            self.on_change()
            if anyio.current_time() - began > STEADY_S:
                delay_s = FIRST_DELAY_S
            await anyio.sleep(delay_s)
            delay_s = min(delay_s * 2, MAX_DELAY_S)

    async def tell_begun(self, note: OutboundBegun) -> None:
        """Raises LinkLost when there is nobody to tell."""
        if self.peer is None:
            raise LinkLost("no bridge")
        await self.peer.notify(note)
