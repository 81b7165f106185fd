"""Pays what the controller is owed once an answer is stored: ack, close, release.

Each is repeated until it is answered; one commit records them. `release` is never given
up: a thread must not stay locked.
"""

from __future__ import annotations

from collections.abc import Callable

import anyio

from bridge.core import turns as core
from bridge.core.decision import Audit, NewRow
from bridge.core.errors import LinkDown, LinkLost, PeerFault, Refusal
from bridge.core.group_chat import is_group
from bridge.core.model import Attempt, Owed, Peer, Turn
from bridge.links.controller import Controller, UnknownRun
from bridge.links.link import ToolError
from bridge.store import inbox, views
from bridge.store import turns as store
from bridge.store.outbox import Sender
from bridge.tasks.channel import Channel
from bridge.tasks.points import Point, reach
from bridge.tasks.state import Bell, Shared
from bridge.wire import log

PAY_RETRY_S = 5.0  # ours: between two attempts at what is owed
_POINTS: dict[Owed, Point] = {Owed.ACK: "T9", Owed.CLOSE: "T10", Owed.RELEASE: "T11"}

_log = log.get("turns")


class Debts:
    """What the turns of one thread owe to the controller."""

    def __init__(
        self,
        shared: Shared,
        controller: Controller,
        channel: Channel,
        bell: Bell,
        recovers_own_locks: bool,
    ) -> None:
        self._shared = shared
        self._controller = controller
        self._channel = channel
        self._bell = bell
        self._recovers_own_locks = recovers_own_locks
        self._refused = 0  # calls that the controller is owed and refuses

    async def pay(self, turn: Turn) -> Turn | None:
        """T8 to T11, in this order.

        The turn that is next in the thread, which the same commit may have claimed.
        """
        left = list(turn.owes)
        reach("T8")
        try:
            while left and await self._is_paid(turn, left[0]):
                self._refused = 0
                reach(_POINTS[left.pop(0)])
        except LinkDown as down:
            if down.reason is Refusal.CONTROLLER_LACKS:
                _log.error("turn.owes", turn_id=turn.id, call=left[0], why="no such tool")
                left.pop(0)
            else:
                await link_or_news(self._controller, self._bell)
        except UnknownRun:
            _log.info("turn.owes", turn_id=turn.id, call=left[0], why="no such run")
            left.pop(0)  # nobody is there to be owed
        except LinkLost as lost:
            _log.info("turn.again", turn_id=turn.id, why=str(lost))
        except (ToolError, PeerFault) as refused:
            _log.warning("turn.owes", turn_id=turn.id, call=left[0], why=str(refused))
            await self._refuse(turn, left)
        if tuple(left) == turn.owes:
            return turn
        now_ms = self._shared.now_ms()
        following = await self._shared.db.run(lambda: store.pay(turn, left, now_ms))
        reach("paid")
        return following

    async def _refuse(self, turn: Turn, left: list[Owed]) -> None:
        """Wait before the next try; after a few, drop the call, or tell of a lock that stays."""
        tries = self._refused + 1
        if left[0] is not Owed.RELEASE and tries >= core.MAX_OWED_TRIES:
            left.pop(0)
            self._refused = 0
            return
        if tries == core.MAX_OWED_TRIES:
            await self._tell(turn, core.not_freed)
        if not await self._bell.heard(PAY_RETRY_S):  # news is tried at once, uncounted
            self._refused = tries

    async def _is_paid(self, turn: Turn, call: Owed) -> bool:
        """Whether it could be; False: it has to wait."""
        match call:
            case Owed.ACK if turn.run is not None:
                await self._controller.acknowledge(turn.run)
            case Owed.CLOSE if turn.run is not None:
                await self._controller.close_run(turn.run)
            case Owed.RELEASE if turn.run is None and await self._may_run(turn):
                await anyio.sleep(PAY_RETRY_S)
                return False
            case Owed.RELEASE:
                await self._release(turn)
        return True

    async def _is_locked(self, turn: Turn) -> bool:
        """Whether the thread is locked in our name."""
        status = await self._controller.status(turn.thread)
        return status.is_active and status.owner == self._controller.owner(turn)

    async def _may_run(self, turn: Turn) -> bool:
        """Whether a start of which nobody knows the outcome goes on under our lock."""
        if not await self._is_locked(turn):
            return False
        found = await self._controller.find(turn.key, turn)
        return found is not None and found.status in ("in_progress", "blocked")

    async def _release(self, turn: Turn) -> None:
        """Free the thread; a lock that is not ours any more is free already."""
        lock = turn.lock
        if lock is None:
            if not await self._is_locked(turn):
                return
            if not self._recovers_own_locks:
                _log.error("turn.lock_lost", turn_id=turn.id)
                await self._tell(turn, core.lock_kept)
                return
            lock = await self._controller.recover_lock(turn)
            _log.warning("turn.lock_recovered", turn_id=turn.id)
            line = Audit("lock.recover", "controller-contract 1", "recovered", turn=turn.id)
            now_ms = self._shared.now_ms()
            await self._shared.db.run(lambda: inbox.add_audit((line,), turn.peer, now_ms))
            if lock is None:
                return
        try:
            await self._controller.release(turn.thread, lock)
        except ToolError:
            if await self._is_locked(turn):
                raise

    async def _tell(self, turn: Turn, words: Callable[[Turn, Peer], NewRow]) -> None:
        """Why the thread is not free, said once."""
        if is_group(turn.peer):
            return

        def unit(now_ms: int, sender: Sender | None) -> Attempt | None:
            told = words(turn, views.peer(turn.peer, self._shared.lang))
            return store.tell(turn.peer, (told,), now_ms, sender)

        await self._channel.write(unit)


async def link_or_news(controller: Controller, bell: Bell, tool: str = "") -> bool:
    """Wait until the controller is there, with this tool, or this thread's turns change.

    Whether it was the controller.
    """
    is_there = False
    async with anyio.create_task_group() as either:

        async def link() -> None:
            nonlocal is_there
            while not (controller.offers(tool) if tool else controller.is_up):
                await controller.changed()
            is_there = True
            either.cancel_scope.cancel()

        either.start_soon(link)
        await bell.heard()
        either.cancel_scope.cancel()
    return is_there
