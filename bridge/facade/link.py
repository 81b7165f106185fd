"""One question of an agent to the running bridge, over its private socket.

Each has a connection of its own, so that the facade holds nothing: it outlives any
number of bridges, and what the owner allows or forbids counts from the next call.
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TypeVar

import anyio

from bridge.wire import codec, facade, log
from bridge.wire.peer import LinkLost, PeerFault, ProtocolMismatch, Refused, connect
from bridge.wire.request import Request

ANSWER_DEADLINE_S = 15.0  # the bridge itself gives up on a controller sooner

R = TypeVar("R")

_log = log.get("facade")


class Unanswered(Exception):
    """There is no reply; the text is a code and a sentence for the agent (R34)."""


async def ask(socket: Path, client: str, request: Request[R]) -> R:
    """The reply; raises Unanswered."""
    replies: list[R] = []
    trouble, has_asked = "", False
    async with anyio.create_task_group() as tasks:
        try:
            peer = await connect(socket, "facade", uuid.uuid4().hex, _refuse, tasks)
            await peer.call(facade.FacadeHello(client), ANSWER_DEADLINE_S)
            has_asked = True
            replies.append(await peer.call(request, ANSWER_DEADLINE_S))
        except TimeoutError:
            trouble = _LOST if has_asked else _SILENT
        except OSError:
            trouble = _NOT_RUNNING
        except codec.FrameTooLong:
            trouble = "too_long: that is far too long; nothing was done"
        except Refused as refused:
            trouble = _refusal(refused)
        except ProtocolMismatch:
            trouble = _OTHER_VERSION
        except (LinkLost, PeerFault) as fault:
            _log.warning("facade.unanswered", why=str(fault))
            trouble = _LOST if has_asked else _SILENT
        tasks.cancel_scope.cancel()
    if trouble:  # raised out here, where no task group wraps it
        raise Unanswered(trouble)
    return replies[0]


_NOT_RUNNING = (
    "not_running: the bridge is not running, nothing was done; "
    "its owner starts it with  honcho start"
)
_SILENT = "not_answering: the bridge does not answer, nothing was done; try again in a minute"
_LOST = (
    "unknown: the bridge did not answer; what you asked may have been done, or not; "
    "asked again in the same words, it is not done twice while it waits"
)
_OTHER_VERSION = (
    "protocol: ctb-mcp and the bridge are of different versions, nothing was done; "
    "its owner installs one version and restarts both"
)


def _refusal(refused: Refused) -> str:
    match refused.code:
        case codec.NOT_ALLOWED:
            return f"not_allowed: {refused}"
        case codec.METHOD_NOT_FOUND:
            return "not_offered: the bridge does not offer this; nothing was done"
        case codec.SAFE_MODE:
            return (
                "safe_mode: the bridge cannot trust its state, nothing was done; "
                "its owner runs  ctb-bridge doctor"
            )
        case codec.INVALID_PARAMS:
            return "invalid_arguments: an argument is missing or of another type"
    return unexpected(str(refused))


def unexpected(why: str) -> str:
    """What an agent hears of a fault of ours: an id that stands in the log, and no more."""
    number = uuid.uuid4().hex[:8]
    _log.error("facade.fault", id=number, why=why)
    return f"E-{number}: something failed here; its owner finds this id in the log"


async def _refuse(_request: object) -> object:
    raise PeerFault("a facade serves nothing")
