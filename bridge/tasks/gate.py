"""The start gate: what became of a start whose outcome nobody knows (delivery-semantics 6).

It looks and counts; the task of the thread acts on the verdict. What the controller
refuses to say, or dies of, is asked again: a few times, and no more once the owner has
said stop.
"""

from __future__ import annotations

from collections import Counter
from enum import Enum, auto

from bridge.core import turns as core
from bridge.core.errors import LinkDown, LinkLost, PeerFault, Refusal
from bridge.core.model import Turn, TurnId, is_unmade
from bridge.core.turns import Accepted
from bridge.links.controller import Controller, UnknownRun
from bridge.links.link import ToolError
from bridge.store import turns as store
from bridge.tasks.owed import link_or_news
from bridge.tasks.state import Bell, Shared
from bridge.wire import log

ASK_AGAIN_S = 5.0  # ours: between two questions to a controller that refuses
MAX_REFUSALS = 5  # as for what it is owed (delivery-semantics 6)

_log = log.get("turns")


class Verdict(Enum):
    START = auto()  # nobody has it: it is begun under the same key
    UNCERTAIN = auto()  # nobody can say
    DEAD = auto()  # it was what ended the process, too often
    LATER = auto()  # not known yet


class Gate:
    """The gate of one thread; `counted`: the turns that this process has counted already."""

    def __init__(
        self,
        shared: Shared,
        controller: Controller,
        bell: Bell,
        counted: set[TurnId],
    ) -> None:
        self._shared = shared
        self._controller = controller
        self._bell = bell
        self._counted = counted
        self._refusals: Counter[TurnId] = Counter()

    async def look(self, turn: Turn) -> Accepted | Verdict:
        """Whether a run has the turn's key, and if not, whether one may be begun.

        The turn may be what ended the process before, so it is counted, once in each
        process; waiting for the controller is not (delivery-semantics 9).
        """
        if not self._controller.is_up:
            return await self._wait()
        if turn.id not in self._counted:
            count = await self._shared.db.run(lambda: store.count_attempt(turn.id))
            self._counted.add(turn.id)
            if count >= core.MAX_ATTEMPTS:
                return Verdict.DEAD
        try:
            return await self._ask(turn)
        except UnknownRun:
            return Verdict.UNCERTAIN
        except LinkDown as down:
            if down.reason is Refusal.CONTROLLER_LACKS:
                return Verdict.UNCERTAIN
            return await self._wait()
        except LinkLost:
            if turn.stop_requested:
                return Verdict.UNCERTAIN
            raise
        except (ToolError, PeerFault) as refused:
            return await self._refused(turn, refused)

    async def _ask(self, turn: Turn) -> Accepted | Verdict:
        found = await self._controller.find(turn.key, turn)
        if found is not None:
            thread, lock = found.thread or turn.thread, found.lock or turn.lock
            return Accepted(found.id, thread, lock, None, found.turn)
        if is_unmade(turn.thread):
            return Verdict.START  # the controller knows whether it has this key
        status = await self._controller.status(turn.thread)
        is_told = status.head is not None or not status.is_known
        is_clear = is_told and status.head == turn.expected_head and not status.is_active
        return Verdict.START if is_clear else Verdict.UNCERTAIN

    async def _refused(self, turn: Turn, refused: Exception) -> Verdict:
        _log.warning("turn.gate_refused", turn_id=turn.id, why=str(refused))
        if turn.stop_requested or self._refusals[turn.id] >= MAX_REFUSALS - 1:
            return Verdict.UNCERTAIN
        if not await self._bell.heard(ASK_AGAIN_S):  # news is asked about at once, uncounted
            self._refusals[turn.id] += 1
        return Verdict.LATER

    async def _wait(self) -> Verdict:
        """For the link, or news of this thread."""
        await link_or_news(self._controller, self._bell)
        return Verdict.LATER
