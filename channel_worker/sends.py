"""One attempt, one request: hands messages to iLink and remembers what became of them.

An attempt runs as a task of the worker, not of the connection that asked for it: when
the bridge goes away in the middle, the request ends in its own time and the outcome
waits for `outbound.query` (delivery-semantics 5). Nothing is ever sent twice here.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable

import anyio
from anyio.abc import TaskGroup

from bridge.wire import log
from bridge.wire.messages import OutboundBegun, OutboundSend, OutcomeWord, QueryReply, SendReply
from bridge.wire.peer import LinkLost
from channel_worker.ilink.calls import Ilink

REMEMBERED = 256  # delivery-semantics 2

_log = log.get("sends")


class Sends:
    """The attempts of this process, the last 256 with their outcomes."""

    def __init__(
        self,
        tasks: TaskGroup,
        account: Callable[[], Awaitable[Ilink | None]],
        tell_begun: Callable[[OutboundBegun], Awaitable[None]],
        doubt: Callable[[Ilink, OutcomeWord, str], None],
    ) -> None:
        self._tasks = tasks
        self._account = account
        self._tell_begun = tell_begun
        self._doubt = doubt
        self._attempts: OrderedDict[str, _Attempt] = OrderedDict()

    async def send(self, order: OutboundSend) -> SendReply:
        """The outcome; the same one again for an attempt that is already known."""
        attempt = self._attempts.get(order.attempt_id)
        if attempt is None:
            attempt = self._remember(order.attempt_id)
            self._tasks.start_soon(self._run, order, attempt)
        await attempt.is_done.wait()
        return attempt.reply

    def query(self, attempt_id: str) -> QueryReply:
        """What became of an attempt, as far as this process knows."""
        attempt = self._attempts.get(attempt_id)
        if attempt is None:
            return QueryReply("not_started")
        if not attempt.is_done.is_set():
            return QueryReply("in_flight")
        return QueryReply("done", attempt.reply)

    async def drain(self) -> None:
        """Wait until no attempt is out."""
        for attempt in list(self._attempts.values()):
            await attempt.is_done.wait()

    def _remember(self, attempt_id: str) -> _Attempt:
        attempt = self._attempts[attempt_id] = _Attempt()
        if len(self._attempts) > REMEMBERED:
            self._attempts.popitem(last=False)
        return attempt

    async def _run(self, order: OutboundSend, attempt: _Attempt) -> None:
        try:
            attempt.reply = await self._attempt(order)
        except Exception:
            _log.exception("send.failed", attempt_id=order.attempt_id)
        finally:
            attempt.is_done.set()

    async def _attempt(self, order: OutboundSend) -> SendReply:
        if not order.context_token:
            return SendReply("not_sent", code="no context token")
        if not order.text and order.media is None:
            return SendReply("not_sent", code="empty")
        ilink = await self._account()
        if ilink is None:
            return SendReply("not_sent", code="no credentials")
        try:
            await self._tell_begun(OutboundBegun(order.attempt_id))
        except LinkLost:
            return SendReply("not_sent", code="bridge gone")
        reply = await ilink.send(order)
        if reply.outcome in ("expired", "unknown_code") and not order.group_id:
            # What a group is answered may be about the group: the poll knows the token.
            self._doubt(ilink, reply.outcome, reply.code)
        if reply.outcome != "sent":
            _log.warning("send.ended", outcome=reply.outcome, code=reply.code)
        return reply


class _Attempt:
    """Unknown until it is done: that is what a caller gets if the task is cut off."""

    __slots__ = ("is_done", "reply")

    def __init__(self) -> None:
        self.is_done = anyio.Event()
        self.reply = SendReply("unknown", code="cut off")
