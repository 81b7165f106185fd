"""A second chat network and a worker for it: the channel port, and nothing of iLink.

Letters are carried by pigeons. People are numbers, a letter is `loft/number`, a position is
a sentence, and there is no token to answer with: the chat stands in for it. A letter may bring
a drawing along; a bird takes none back. The worker knows `bridge.wire` alone, as a worker for
any other network would (docs/channel-port.md).
"""

from __future__ import annotations

import json
import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import TaskGroup

from bridge.wire import codec
from bridge.wire.messages import (
    ChannelCondition,
    ChannelHello,
    ChannelState,
    Done,
    FetchReply,
    Inbound,
    InboundCommit,
    Media,
    MediaFetch,
    MediaUpload,
    OutboundBegun,
    OutboundQuery,
    OutboundSend,
    OutcomeWord,
    Part,
    PollSet,
    QueryReply,
    Quote,
    SendReply,
    TypingSet,
    UploadReply,
)
from bridge.wire.peer import LinkLost, Peer, PeerFault, Refused, connect
from bridge.wire.place import read_private, write_private
from bridge.wire.values import from_json, to_json

CHANNEL, LOFT, OWNER, STRANGER = "pigeon", "loft-7", "1001", "2002"
FENCED_OFF = 4  # the exit code that docs/channel-port.md names
SLICE_BYTES = 2 * 1024 * 1024  # well below a frame
RETRY_S = 0.01
CALL_S = 10.0
REMEMBERED = 256
ANSWERS: dict[str, tuple[OutcomeWord, str]] = {
    "delivered": ("sent", ""),
    "delivered, I think": ("unconfirmed", ""),
    "too many birds": ("throttled", ""),
    "who are you": ("expired", ""),
    "not like this": ("refused", ""),
    "coo": ("unknown_code", "coo"),
}


@dataclass(frozen=True, slots=True)
class Letter:
    name: str
    sender: str
    text: str = ""
    quotes: str = ""
    drawing: bytes = b""
    client_id: str = ""  # of what the bot itself has sent


class WhoAreYou(Exception):
    """The post does not know us: the login is over."""


class Post:
    """The network: letters by position, what was delivered, and what will go wrong."""

    def __init__(self) -> None:
        self.knows_us = True
        self.letters: list[Letter] = []
        self.delivered: list[str] = []
        self.requests = 0  # to deliver something, whatever came of it
        self.positions: list[str] = []  # that letters were asked for with
        self.answers: deque[str] = deque()  # of the next deliveries; "" loses its bird
        self.hold_s = 0.0  # how long the next delivery takes
        self.news = anyio.Event()

    def write(self, text: str, sender: str = OWNER, quotes: str = "", drawing: bytes = b"") -> None:
        """Somebody writes to the bot."""
        self._put(Letter(f"{LOFT}/{len(self.letters) + 1}", sender, text, quotes, drawing))

    async def collect(self, position: str) -> tuple[list[Letter], str]:
        """The letters behind a position, once there are some, and the position behind them."""
        self.positions.append(position)
        self.tell()
        seen = int(position.removeprefix("after letter ") or 0)
        while self.knows_us and len(self.letters) <= seen:
            await self.news.wait()
        if not self.knows_us:
            raise WhoAreYou
        return self.letters[seen:], f"after letter {len(self.letters)}"

    def drawing(self, name: str) -> bytes:
        """What came with the letter of this name; empty when nothing did."""
        return next((letter.drawing for letter in self.letters if letter.name == name), b"")

    async def deliver(self, text: str) -> tuple[str, str]:
        """What the network says, and the name of the letter; ConnectionError loses both."""
        self.requests += 1
        self.tell()
        await anyio.sleep(self.hold_s)
        answer = self.answers.popleft() if self.answers else "delivered"
        if not self.knows_us:
            answer = "who are you"
        if answer in ("delivered", "delivered, I think", ""):
            self.delivered.append(text)
            self.tell()
        if not answer:
            raise ConnectionError("the bird did not come back")
        return answer, f"out/{len(self.delivered)}" if answer == "delivered" else ""

    def copy(self, client_id: str, name: str) -> None:
        """What the bot sent comes to the bot."""
        self._put(Letter(name, LOFT, client_id=client_id))

    def _put(self, letter: Letter) -> None:
        self.letters.append(letter)
        self.tell()

    def tell(self) -> None:
        self.news.set()
        self.news = anyio.Event()


class PigeonWorker:
    """Between the post and a bridge's socket; no state but a batch and its attempts."""

    def __init__(self, post: Post, socket: Path, data: Path) -> None:
        self._post = post
        self._socket = socket
        self._spool = data / "run" / "spool-pigeon"
        self._attachments = data / "attachments"
        self._told: ChannelCondition | None = None  # None: our login is in doubt
        self._instance = secrets.token_hex(8)
        self._batch: list[InboundCommit] = []
        self._cursor = ""
        self._may_poll = False
        self._changed = anyio.Event()
        self._is_stopping = False
        self._attempts: dict[str, _Attempt] = {}
        self._peer: Peer | None = None
        self._code = 0

    async def run(self) -> int:
        """Work until `stop` or another worker; the exit code."""
        async with anyio.create_task_group() as tasks:
            await self._serve(tasks)
            tasks.cancel_scope.cancel()
        if self._batch:
            kept = json.dumps([to_json(commit) for commit in self._batch])
            write_private(self._spool, kept.encode())
        return self._code

    def stop(self) -> None:
        """A call that is out is still answered; nothing more is begun."""
        self._is_stopping = True
        self._look_again()

    async def _serve(self, tasks: TaskGroup) -> None:
        while not self._is_stopping:
            try:
                peer = await connect(
                    self._socket, "worker", self._instance, self._handler(tasks), tasks
                )
                self._peer = peer
                await self._hold(peer)
            except* (OSError, LinkLost, PeerFault, TimeoutError):
                await anyio.sleep(RETRY_S)

    async def _hold(self, peer: Peer) -> None:
        """While the connection lasts."""
        async with anyio.create_task_group() as beside:
            beside.start_soon(self._until_ended, peer, beside)
            try:
                hello = ChannelHello(CHANNEL, LOFT, (OWNER,), generation=1)
                reply = await peer.call(hello, CALL_S)
            except Refused as refused:
                await self._not_taken(peer, refused)
                beside.cancel_scope.cancel()
                return
            self._cursor, self._may_poll = reply.cursor, reply.poll
            self._batch = self._batch or self._spooled()
            self._told = None
            while not self._is_stopping:
                await self._tell_state(peer)
                await self._store(peer)
                await self._fetch()
            beside.cancel_scope.cancel()

    async def _until_ended(self, peer: Peer, beside: TaskGroup) -> None:
        await peer.ended.wait()
        beside.cancel_scope.cancel()

    async def _not_taken(self, peer: Peer, refused: Refused) -> None:
        """Another pigeon flies for this loft; or this login is not taken, or not now."""
        if refused.code == codec.FENCED:
            await self._store(peer)
            self._code = FENCED_OFF
            self.stop()
        peer.close()
        await anyio.sleep(RETRY_S)

    async def _tell_state(self, peer: Peer) -> None:
        """How our login fares, after any doubt: the bridge sends nothing before that."""
        if self._told == "polling":
            return
        await anyio.sleep(RETRY_S)  # behind the reply that made the doubt
        found: ChannelCondition = "polling" if self._post.knows_us else "login_needed"
        if found != self._told:
            self._told = found
            await peer.call(ChannelState(found, 0), CALL_S)

    async def _store(self, peer: Peer) -> None:
        """Hand over what is held; it goes from memory and disk only once it is stored."""
        while self._batch:
            reply = await peer.call(self._batch[0], CALL_S)
            if reply.status == "storage_error":
                if self._is_stopping:
                    return
                await anyio.sleep(RETRY_S)
                continue
            self._cursor = reply.cursor
            del self._batch[0]
        self._spool.unlink(missing_ok=True)

    async def _fetch(self) -> None:
        changed = self._changed
        if self._is_stopping:
            return
        if self._told != "polling":
            return
        if not self._may_poll:
            await changed.wait()
            return
        async with anyio.create_task_group() as racing:

            async def collect() -> None:
                try:
                    letters, position = await self._post.collect(self._cursor)
                    self._batch = self._commits(letters, position)
                except WhoAreYou:
                    self._told = None
                racing.cancel_scope.cancel()

            racing.start_soon(collect)
            await changed.wait()
            racing.cancel_scope.cancel()

    def _commits(self, letters: list[Letter], position: str) -> list[InboundCommit]:
        """Slices that fit a frame; the last one alone moves the cursor."""
        slices: list[list[Inbound]] = [[]]
        room = SLICE_BYTES
        for letter in letters:
            room -= len(letter.text.encode())
            if room < 0 and slices[-1]:
                slices.append([])
                room = SLICE_BYTES
            slices[-1].append(_inbound(letter))
        last = len(slices) - 1
        return [
            InboundCommit(self._cursor, position if place == last else "", 0, tuple(part))
            for place, part in enumerate(slices)
        ]

    def _spooled(self) -> list[InboundCommit]:
        try:
            kept = json.loads(read_private(self._spool, 1 << 27))
        except FileNotFoundError:
            return []
        return [from_json(InboundCommit, commit, "spool") for commit in kept]

    def _look_again(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    def _handler(self, tasks: TaskGroup) -> Callable[[Any], Awaitable[Any]]:
        async def answer(request: Any) -> Any:  # Any: a request in, its reply out
            match request:
                case OutboundSend():
                    return await self._send(request, tasks)
                case OutboundQuery(attempt_id):
                    return self._query(attempt_id)
                case PollSet(poll):
                    self._may_poll = poll
                    self._look_again()
                case MediaUpload():
                    return UploadReply("refused", code="pigeons carry no files")
                case MediaFetch(_, media, limit_bytes):
                    return self._keep(self._post.drawing(media.download_param), limit_bytes)
                case TypingSet():
                    pass  # nobody sees a pigeon think
            return Done()

        return answer

    async def _send(self, order: OutboundSend, tasks: TaskGroup) -> SendReply:
        attempt = self._attempts.get(order.attempt_id)
        if attempt is None:
            attempt = self._attempts[order.attempt_id] = _Attempt()
            for old in list(self._attempts)[:-REMEMBERED]:
                del self._attempts[old]
            tasks.start_soon(self._carry, order, attempt)
        await attempt.is_done.wait()
        return attempt.reply

    def _keep(self, drawing: bytes, limit_bytes: int) -> FetchReply:
        if not 0 < len(drawing) <= limit_bytes:
            return FetchReply("gone", code="no such drawing, or one that is too large")
        name = f"{secrets.token_hex(16)}.bin"
        write_private(self._attachments / name, drawing)
        return FetchReply("stored", name, "application/octet-stream", len(drawing))

    async def _carry(self, order: OutboundSend, attempt: _Attempt) -> None:
        """In a task of the worker: a connection that ends does not end it."""
        try:
            attempt.reply = await self._fly(order)
        except ConnectionError:
            attempt.reply = SendReply("unknown", code="no answer")
        except LinkLost:
            attempt.reply = SendReply("not_sent", code="no bridge")
        attempt.is_done.set()
        if attempt.reply.outcome in ("expired", "unknown_code"):
            self._told = None
            self._look_again()

    async def _fly(self, order: OutboundSend) -> SendReply:
        if not order.text:
            return SendReply("not_sent", code="a bird without a letter")
        await self._tell_begun(order.attempt_id)
        answer, name = await self._post.deliver(order.text)
        outcome, code = ANSWERS[answer]
        return SendReply(outcome, name, code)

    async def _tell_begun(self, attempt_id: str) -> None:
        if self._peer is None:
            raise LinkLost("no bridge")
        await self._peer.notify(OutboundBegun(attempt_id))

    def _query(self, attempt_id: str) -> QueryReply:
        attempt = self._attempts.get(attempt_id)
        if attempt is None:
            return QueryReply("not_started")
        if not attempt.is_done.is_set():
            return QueryReply("in_flight")
        return QueryReply("done", attempt.reply)


class _Attempt:
    def __init__(self) -> None:
        self.is_done = anyio.Event()
        self.reply = SendReply("unknown", code="cut off")


def _inbound(letter: Letter) -> Inbound:
    key = f"mid:{letter.name}"
    if letter.sender == LOFT:
        return Inbound(key, letter.sender, is_echo=True, client_id=letter.client_id)
    if letter.sender != OWNER:
        return Inbound(key, letter.sender)
    parts = [Part("text", letter.text)] if letter.text else []
    if letter.drawing:
        parts.append(Part("image", media=Media(letter.name), size_bytes=len(letter.drawing)))
    return Inbound(
        key,
        letter.sender,
        context_token=f"chat with {letter.sender}",
        parts=tuple(parts),
        quote=Quote(server_id=letter.quotes) if letter.quotes else None,
    )
