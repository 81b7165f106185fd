"""One connection on the private socket: calls, answers, deadlines, and its end.

Both sides are the same `Peer`; they differ in what they let the other call. The
listener reads the caller's uid from the kernel before a byte, and accepts nothing
before `hello`. At most four requests are unanswered in each direction, so a slow
side slows its caller instead of filling memory. When the connection ends, every
call that waits raises LinkLost: what became of it is then not known.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Awaitable, Callable, Iterable
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

import anyio
from anyio.abc import (
    ByteStream,
    SocketAttribute,
    SocketListener,
    SocketStream,
    TaskGroup,
)

from bridge.wire import codec, log, messages, place
from bridge.wire.values import WrongShape, from_json, to_json
from bridge.wire.version import VERSION

MAX_UNANSWERED = 4  # design 5
WRITE_DEADLINE_S = 30.0  # delivery-semantics 9: a peer that does not read is disconnected
HELLO_DEADLINE_S = 5.0
MAX_CONNECTIONS = 64  # a worker, some facades, a status now and then; macOS grants 256 files
READ_BYTES = 65536

R = TypeVar("R")
AnyRequest: TypeAlias = messages.Request[Any]  # Any: replies differ by method
Handler: TypeAlias = Callable[[Any], Awaitable[Any]]  # Any: a request in, its reply out

_EVERY_CALL: tuple[type[AnyRequest], ...] = (
    messages.Hello,
    *messages.WORKER_CALLS,
    *messages.BRIDGE_CALLS,
    *messages.CLI_CALLS,
    *messages.FACADE_CALLS,
)

_log = log.get("wire")


class LinkLost(Exception):
    """The connection ended; the outcome of calls in flight is unknown."""


class PeerFault(Exception):
    """The other side broke the protocol; the connection has ended."""


class ProtocolMismatch(PeerFault):
    """The bridge speaks another version of this protocol; exit code 3."""


class Refused(Exception):
    """A call was answered with an error. Raise it in a handler to answer with one."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Peer:
    """One end of one connection. Run `run()` in a task; calls work while it runs."""

    def __init__(
        self,
        stream: ByteStream,
        handle: Handler,
        may_call: Iterable[type[AnyRequest]] = (),
    ) -> None:
        self._stream = stream
        self._handle = handle
        self._may_call = {kind.method: kind for kind in may_call}
        self._decoder = codec.Decoder()
        self._ids = count(1)
        self._waiting: dict[int, _Answer] = {}
        self._credits = anyio.Semaphore(MAX_UNANSWERED, fast_acquire=True)
        self._unanswered = 0
        self._write_lock = anyio.Lock(fast_acquire=True)
        self._scope = anyio.CancelScope()
        self.is_closed = False
        self.greeted = anyio.Event()
        self.ended = anyio.Event()
        self.fault: str | None = None
        self.hello: messages.Hello | None = None  # of the caller, on the listening side

    async def run(self) -> None:
        """Read until the connection ends. Never raises: `fault` says what went wrong."""
        try:
            with self._scope:
                async with anyio.create_task_group() as calls:
                    await self._read(calls)
                    calls.cancel_scope.cancel()
        except* (
            anyio.BrokenResourceError,
            anyio.ClosedResourceError,
            ConnectionError,
            LinkLost,
        ):
            pass
        except* PeerFault as faults:
            self.fault = str(faults.exceptions[0])
            _log.warning("wire.peer_fault", why=self.fault)
        finally:
            self.is_closed = True
            self.ended.set()
            for answer in self._waiting.values():
                answer.lose()
            with anyio.CancelScope(shield=True):
                await anyio.aclose_forcefully(self._stream)

    def close(self) -> None:
        """End the connection now; calls in flight raise LinkLost."""
        self.is_closed = True
        self._scope.cancel()

    async def call(self, request: messages.Request[R], deadline_s: float) -> R:
        """The reply; raises LinkLost, Refused, PeerFault, or TimeoutError (not knowing)."""
        with anyio.fail_after(deadline_s):
            async with self._credits:
                if self.is_closed:
                    raise LinkLost(request.method)
                number = next(self._ids)
                answer = self._waiting[number] = _Answer()
                try:
                    await self._write(codec.Request(number, request.method, to_json(request)))
                    value = await answer.wait()
                finally:
                    del self._waiting[number]
        try:
            return cast(R, from_json(request.reply, value, request.method))  # cast: reply is R
        except WrongShape as wrong:
            raise PeerFault(str(wrong)) from wrong

    async def notify(self, note: messages.Request[None]) -> None:
        """Send what needs no answer; raises LinkLost."""
        await self._write(codec.Notification(note.method, to_json(note)))

    async def _read(self, calls: TaskGroup) -> None:
        while True:
            try:
                data = await self._stream.receive(READ_BYTES)
            except anyio.EndOfStream:
                return
            for item in self._decoder.feed(data):
                await self._take(item, calls)

    async def _take(self, item: codec.Message | codec.Fault, calls: TaskGroup) -> None:
        if self._awaits_hello() and not isinstance(item, codec.Request | codec.Fault):
            raise PeerFault("the first message was not hello")
        match item:
            case codec.Fault(code, text):
                await self._write(codec.Failure(None, code, text))
                raise PeerFault(text)
            case codec.Request():
                self._unanswered += 1
                if self._unanswered > MAX_UNANSWERED:
                    raise PeerFault("more than four unanswered requests")
                calls.start_soon(self._answer, item)
            case codec.Notification(method, params):
                await self._note(method, params)
            case codec.Result(number, value):
                if number in self._waiting:
                    self._waiting[number].give(value)
            case codec.Failure(failed, code, text):
                if failed in self._waiting:
                    self._waiting[failed].refuse(Refused(code, text))

    async def _answer(self, asked: codec.Request) -> None:
        try:
            request = self._typed(asked.method, asked.params)
            if isinstance(request, messages.Hello):
                reply: object = self._admit(request)
            else:
                reply = await self._handle(request)
            answer: codec.Message = codec.Result(asked.id, to_json(reply))
        except Refused as refused:
            answer = codec.Failure(asked.id, refused.code, str(refused))
        except Exception:
            _log.exception("wire.handler_failed", method=asked.method)
            answer = codec.Failure(asked.id, codec.INTERNAL_ERROR, "internal error, see the log")
        self._unanswered -= 1
        try:
            await self._write(answer)
        except codec.FrameTooLong as long:
            _log.error("wire.answer_too_long", method=asked.method, why=str(long))
            await self._write(codec.Failure(asked.id, codec.INTERNAL_ERROR, "answer too long"))
        if isinstance(answer, codec.Failure) and self._awaits_hello():
            self.close()  # who does not greet properly is not listened to

    def _awaits_hello(self) -> bool:
        return messages.Hello.method in self._may_call

    def _admit(self, hello: messages.Hello) -> messages.HelloReply:
        if hello.protocol != messages.PROTOCOL:
            raise Refused(
                codec.PROTOCOL_MISMATCH,
                f"the bridge speaks protocol {messages.PROTOCOL}, the caller {hello.protocol}: "
                "install the same version for both and restart both",
            )
        self.hello = hello
        self._may_call = {kind.method: kind for kind in messages.CALLS[hello.role]}
        self.greeted.set()
        return messages.HelloReply(messages.PROTOCOL, VERSION)

    async def _note(self, method: str, params: Any) -> None:  # Any: a JSON object
        try:
            await self._handle(self._typed(method, params))
        except Refused as refused:
            _log.warning("wire.note_refused", method=method, why=str(refused))
        except Exception:
            _log.exception("wire.handler_failed", method=method)

    def _typed(self, method: str, params: Any) -> AnyRequest:  # Any: a JSON object
        kind = self._may_call.get(method)
        if kind is None:
            known = any(method == other.method for other in _EVERY_CALL)
            if known:
                raise Refused(codec.WRONG_ROLE, f"{method} is not for this role")
            raise Refused(codec.METHOD_NOT_FOUND, "unknown method")
        try:
            return from_json(kind, params)
        except WrongShape as wrong:
            raise Refused(codec.INVALID_PARAMS, str(wrong)) from wrong

    async def _write(self, message: codec.Message) -> None:
        frame = codec.encode(message)
        try:
            async with self._write_lock:
                with anyio.fail_after(WRITE_DEADLINE_S):
                    await self._stream.send(frame)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as gone:
            raise LinkLost("the connection is gone") from gone
        except TimeoutError as stuck:
            self.close()
            raise LinkLost("the other side does not read") from stuck


class _Answer:
    """The place where one waiting call finds its answer."""

    def __init__(self) -> None:
        self._ready = anyio.Event()
        self._value: Any = None  # Any: a JSON object
        self._error: Exception | None = None

    def give(self, value: Any) -> None:  # Any: a JSON object
        self._value = value
        self._ready.set()

    def refuse(self, error: Exception) -> None:
        self._error = error
        self._ready.set()

    def lose(self) -> None:
        self.refuse(LinkLost("the connection ended before the answer"))

    async def wait(self) -> Any:  # Any: a JSON object
        await self._ready.wait()
        if self._error is not None:
            raise self._error
        return self._value


async def connect(
    path: Path, role: messages.Role, instance: str, handle: Handler, tasks: TaskGroup
) -> Peer:
    """A greeted connection to the bridge, read by a task in `tasks`.

    Raises OSError when nobody listens, ProtocolMismatch, LinkLost, or TimeoutError.
    """
    stream = await anyio.connect_unix(path)
    served = messages.BRIDGE_CALLS if role == "worker" else ()
    peer = Peer(stream, handle, served)
    tasks.start_soon(peer.run)
    try:
        await peer.call(messages.Hello(messages.PROTOCOL, role, instance), HELLO_DEADLINE_S)
    except Refused as refused:
        peer.close()
        if refused.code == codec.PROTOCOL_MISMATCH:
            raise ProtocolMismatch(str(refused)) from refused
        raise PeerFault(str(refused)) from refused
    except BaseException:
        peer.close()
        raise
    return peer


async def listen(path: Path) -> SocketListener:
    """Bind the private socket, 0600 from its first instant. The flock must be held.

    A left-over socket is removed only when nobody answers on it (delivery-semantics 10).
    Raises PlaceFault with a sentence.
    """
    place.check_socket_path(path)
    _remove_left_over(path)
    before = os.umask(0o177)
    try:
        return await anyio.create_unix_listener(path)
    finally:
        os.umask(before)


async def serve(
    listener: SocketListener,
    answer: Callable[[Peer, Any], Awaitable[Any]],  # Any: requests and replies differ
    ended: Callable[[Peer], None],
    uid_of: Callable[[socket.socket], int] | None = None,
) -> None:
    """Accept for ever; `answer` serves each request, `ended` is told of each end.

    Another uid is dropped unread, and so is who comes when MAX_CONNECTIONS are open, or
    does not say hello in 5 s.
    """
    uid = os.geteuid()
    read_uid = uid_of or peer_uid

    connections = 0

    async def welcome(stream: SocketStream) -> None:
        nonlocal connections
        if read_uid(stream.extra(SocketAttribute.raw_socket)) != uid:
            _log.warning("wire.foreign_uid")
            await anyio.aclose_forcefully(stream)
            return

        if connections >= MAX_CONNECTIONS:
            await anyio.aclose_forcefully(stream)
            return

        async def handle(request: AnyRequest) -> object:
            return await answer(peer, request)

        peer = Peer(stream, handle, (messages.Hello,))
        connections += 1
        if connections == MAX_CONNECTIONS:
            _log.warning("wire.full", connections=connections)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_close_without_hello, peer)
                await peer.run()
                tasks.cancel_scope.cancel()
        finally:
            connections -= 1
        ended(peer)

    await listener.serve(welcome)


async def _close_without_hello(peer: Peer) -> None:
    with anyio.move_on_after(HELLO_DEADLINE_S):
        await peer.greeted.wait()
    if peer.hello is None:
        peer.close()


def peer_uid(raw: socket.socket) -> int:
    """The uid of the process at the other end, from the kernel (threat-model R14)."""
    if hasattr(socket, "SO_PEERCRED"):
        found = raw.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("3i", found)[1])
    # macOS: LOCAL_PEERCRED (1) at level SOL_LOCAL (0) fills struct xucred: version, uid, ...
    found = raw.getsockopt(0, 1, struct.calcsize("2I"))
    return int(struct.unpack("2I", found[:8])[1])


def _remove_left_over(path: Path) -> None:
    if not path.exists() and not path.is_symlink():
        return
    if not path.is_socket() or path.is_symlink():
        raise place.PlaceFault(f"{path.name} is not a socket of ours: move it away and try again")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise place.AlreadyRunning("another bridge listens on the socket")
