"""How long a parked turn waits: until its time, or until its thread is seen to be free."""

from __future__ import annotations

import anyio

from bridge.core.model import Parked, Turn
from bridge.core.turns import RETRY_LAST_MS
from bridge.links.controller import NO_ANSWER, Controller
from bridge.tasks.state import Bell

WATCH_S = 3.0  # between two looks at who has the thread; each is one quick read
LOOK_S = 5.0  # ours: such a read takes 20 ms where all is well


async def is_due(turn: Turn, controller: Controller, bell: Bell, now_ms: int) -> bool:
    """Wait; False when the turns of the thread have changed meanwhile.

    A thread that was seen in other hands and is so no more is tried at once. One that
    was never seen there is tried at its time: not every system tells who has it.
    """
    longest_ms = min(turn.retry_at_ms - now_ms, RETRY_LAST_MS)  # a clock that was set back
    until = anyio.current_time() + longest_ms / 1000
    was_taken = False
    while (left_s := until - anyio.current_time()) > 0:
        is_watched = turn.reason == Parked.ELSEWHERE
        is_free = await _is_free(turn, controller) if is_watched else None
        if is_free and was_taken:
            return True
        was_taken = was_taken or is_free is False
        if await bell.heard(min(left_s, WATCH_S) if is_watched else left_s):
            return False
    return True


async def _is_free(turn: Turn, controller: Controller) -> bool | None:
    """Whether nobody has the thread; None where nobody tells."""
    try:
        status = await controller.status(turn.thread, LOOK_S)
    except NO_ANSWER:
        return None
    return status.state == "idle" and not status.is_active if status.state else None
