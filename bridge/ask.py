"""One question of the desk to the running bridge, over its private socket."""

from __future__ import annotations

import uuid
from pathlib import Path

import anyio

from bridge.wire import messages
from bridge.wire.peer import LinkLost, PeerFault, connect

ANSWER_DEADLINE_S = 5.0


class NotRunning(Exception):
    """Nobody listens on the socket, or nobody answers."""


def ask_status(socket: Path) -> messages.StatusReply:
    """How the bridge is; raises NotRunning or ProtocolMismatch."""
    return anyio.run(_ask, socket)


async def _ask(socket: Path) -> messages.StatusReply:
    found: messages.StatusReply | None = None
    trouble: Exception | None = None
    async with anyio.create_task_group() as tasks:
        try:
            peer = await connect(socket, "cli", uuid.uuid4().hex, _refuse, tasks)
            found = await peer.call(messages.StatusGet(), ANSWER_DEADLINE_S)
        except (OSError, LinkLost, TimeoutError) as gone:
            trouble = NotRunning(str(gone))
        except PeerFault as fault:
            trouble = fault
        tasks.cancel_scope.cancel()
    if found is None:
        raise trouble or NotRunning("no answer")
    return found


async def _refuse(_request: object) -> object:
    raise PeerFault("a desk serves nothing")
