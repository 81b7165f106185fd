"""One question of the desk to the running bridge, over its private socket."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TypeVar

import anyio

from bridge.wire import messages
from bridge.wire.peer import LinkLost, PeerFault, Refused, connect

ANSWER_DEADLINE_S = 5.0

R = TypeVar("R")


class NotRunning(Exception):
    """Nobody listens on the socket, or nobody answers."""


async def ask(socket: Path, question: messages.Request[R]) -> R:
    """The answer; raises NotRunning, ProtocolMismatch, another PeerFault, or Refused."""
    answers: list[R] = []
    trouble: Exception | None = None
    async with anyio.create_task_group() as tasks:
        try:
            peer = await connect(socket, "cli", uuid.uuid4().hex, _refuse, tasks)
            answers.append(await peer.call(question, ANSWER_DEADLINE_S))
        except (OSError, LinkLost, TimeoutError) as gone:
            trouble = NotRunning(str(gone))
        except (PeerFault, Refused) as fault:
            trouble = fault
        tasks.cancel_scope.cancel()
    if trouble is not None:  # raised out here, where no task group wraps it
        raise trouble
    return answers[0]


async def _refuse(_request: object) -> object:
    raise PeerFault("a desk serves nothing")
