"""A small bridge on the private socket: stores in memory, keeps a transcript, fails on demand.

It keeps the promises of delivery-semantics 4: rows are stored even when the cursor is
refused, a repeated commit is `ok`, a newer `channel.hello` closes the older connection.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import anyio

from bridge.wire import codec
from bridge.wire.messages import (
    ChannelHello,
    ChannelHelloReply,
    ChannelState,
    CommitReply,
    Done,
    Inbound,
    InboundCommit,
    OutboundBegun,
    OutboundSend,
    Request,
    Sender,
    SendersRecent,
    SendersReply,
    SendReply,
)
from bridge.wire.peer import LinkLost, Peer, Refused, listen, serve

R = TypeVar("R")


class FakeBridge:
    """What a bridge would hold, across as many lives of its listener as a test wants."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "bridge.sock"
        self.rows: dict[tuple[str, str], Inbound] = {}
        self.cursor = ""
        self.generation = -1
        self.poll = True
        self.seen: list[Request[Any]] = []  # Any: replies differ
        self.storage_errors = 0  # the next so many commits fail
        self.die_at_commit = ""  # "before" or "after" storing: the connection is cut
        self.refuse_hello = ""
        self.fence_next_hello = False
        self.peer: Peer | None = None
        self._changed = anyio.Event()
        self._answered = 0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Listen until the block ends; then every connection is gone, as after a kill."""
        listener = await listen(self.path)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(serve, listener, self._answer, self._ended)
                yield
                tasks.cancel_scope.cancel()
        finally:
            self.peer = None
            with anyio.CancelScope(shield=True):
                await listener.aclose()
            self.path.unlink(missing_ok=True)

    async def until(self, is_so: Callable[[], bool], deadline_s: float = 5.0) -> None:
        """Wait until `is_so`, looked at after each message."""
        with anyio.fail_after(deadline_s):
            while not is_so():
                changed = self._changed
                await changed.wait()

    async def until_rows(self, number: int) -> None:
        await self.until(lambda: len(self.rows) >= number)

    async def until_state(self, condition: str) -> ChannelState:
        await self.until(lambda: condition in [state.condition for state in self.states])
        return next(state for state in self.states if state.condition == condition)

    async def until_up(self) -> Peer:
        await self.until(lambda: self.peer is not None)
        assert self.peer is not None
        return self.peer

    @property
    def states(self) -> list[ChannelState]:
        return [seen for seen in self.seen if isinstance(seen, ChannelState)]

    @property
    def commits(self) -> list[InboundCommit]:
        return [seen for seen in self.seen if isinstance(seen, InboundCommit)]

    @property
    def hellos(self) -> list[ChannelHello]:
        return [seen for seen in self.seen if isinstance(seen, ChannelHello)]

    def texts(self) -> list[str]:
        return [part.text for row in self.rows.values() for part in row.parts]

    async def ask(self, request: Request[R], deadline_s: float = 5.0) -> R:
        """Call the worker on the live connection."""
        return await (await self.until_up()).call(request, deadline_s)

    async def send(
        self, text: str, token: str, to: str = "owner@im.wechat", group: str = ""
    ) -> SendReply:
        """One attempt under the next attempt id."""
        self._answered += 1
        number = self._answered
        order = OutboundSend(f"a{number}", to, f"ctb:{number}", token, text, group_id=group)
        return await self.ask(order, deadline_s=20.0)

    def begun(self) -> list[str]:
        return [seen.attempt_id for seen in self.seen if isinstance(seen, OutboundBegun)]

    async def _answer(self, peer: Peer, request: Any) -> Any:  # Any: requests, replies differ
        self.seen.append(request)
        try:
            return self._reply(peer, request)
        finally:
            self._changed.set()
            self._changed = anyio.Event()

    def _ended(self, peer: Peer) -> None:
        if self.peer is peer:
            self.peer = None

    def _reply(self, peer: Peer, request: Request[Any]) -> Any:  # Any: replies differ
        match request:
            case ChannelHello():
                return self._hello(peer, request)
            case InboundCommit():
                return self._commit(peer, request)
            case ChannelState():
                return Done()
            case SendersRecent():
                return SendersReply((Sender("asked@im.wechat", 3, 0, True),))
        return None

    def _hello(self, peer: Peer, hello: ChannelHello) -> ChannelHelloReply:
        if self.fence_next_hello:
            raise Refused(codec.FENCED, "another worker has taken over this account")
        if self.refuse_hello:
            raise Refused(codec.INVALID_PARAMS, self.refuse_hello)
        if self.peer and self.peer is not peer:
            self.peer.close()
        self.peer = peer
        if hello.generation != self.generation:
            self.generation, self.cursor = hello.generation, ""
        return ChannelHelloReply(self.cursor, self.poll)

    def _commit(self, peer: Peer, commit: InboundCommit) -> CommitReply:
        if self.storage_errors:
            self.storage_errors -= 1
            return CommitReply("storage_error", self.cursor)
        if self.die_at_commit == "before":
            return self._die(peer)
        for message in commit.messages:
            self.rows.setdefault((message.from_user_id, message.msg_key), message)
        is_ours = commit.prev_cursor == self.cursor or commit.next_cursor == self.cursor
        if is_ours and commit.next_cursor:
            self.cursor = commit.next_cursor
        if self.die_at_commit == "after":
            return self._die(peer)
        return CommitReply("ok" if is_ours else "cursor_conflict", self.cursor)

    def _die(self, peer: Peer) -> CommitReply:
        self.die_at_commit = ""
        peer.close()
        raise LinkLost("the fake bridge died here")
