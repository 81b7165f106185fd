"""One connection on the private socket: who may call what, and how it ends."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import SocketStream

from bridge.wire import codec, messages
from bridge.wire.peer import (
    MAX_CONNECTIONS,
    LinkLost,
    Peer,
    ProtocolMismatch,
    Refused,
    connect,
    listen,
    peer_uid,
    serve,
)
from bridge.wire.place import AlreadyRunning, PlaceFault

LIMIT_S = 5.0
ALL_CALLS = {call.method: call for calls in messages.CALLS.values() for call in calls}


class Listener:
    """A bridge that answers every call it lets in, or does as the test says."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.served: list[str] = []
        self.gate = anyio.Event()
        self.gate.set()
        self.left = anyio.Event()
        self.peers: list[Peer] = []

    async def answer(self, peer: Peer, request: Any) -> object:  # Any: a request
        self.served.append(request.method)
        self.peers.append(peer)
        await self.gate.wait()
        if isinstance(request, messages.OutboundBegun):
            raise ValueError("a handler of ours that fails")
        return messages.StatusReply((), True)

    def ended(self, _peer: Peer) -> None:
        self.left.set()


@asynccontextmanager
async def listening(uid: int | None = None) -> AsyncIterator[Listener]:
    with tempfile.TemporaryDirectory(prefix="ctb") as folder:
        bridge = Listener(Path(folder) / "s.sock")
        async with await listen(bridge.path) as listener, anyio.create_task_group() as tasks:
            uid_of = None if uid is None else lambda _raw: uid
            tasks.start_soon(serve, listener, bridge.answer, bridge.ended, uid_of)
            with anyio.fail_after(LIMIT_S):
                yield bridge
            tasks.cancel_scope.cancel()


async def nothing(_request: object) -> object:
    raise AssertionError("nobody asks a cli")


async def raw(stream: SocketStream, *sent: codec.Message) -> list[codec.Message | codec.Fault]:
    """Send messages by hand and read until the other side ends the connection."""
    decoder = codec.Decoder()
    found: list[codec.Message | codec.Fault] = []
    async with stream:
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
            await stream.send(b"".join(codec.encode(message) for message in sent))
            while True:
                found += decoder.feed(await stream.receive())
    return found


def hello(role: str = "cli", protocol: int = messages.PROTOCOL) -> codec.Request:
    return codec.Request(1, "hello", {"protocol": protocol, "role": role, "instance": "i"})


async def test_connections_are_bounded_and_room_comes_back() -> None:
    """F95, I12: who comes when all are taken is closed at once; the others are served."""
    async with listening() as bridge, anyio.create_task_group() as tasks:
        peers = [await connect(bridge.path, "cli", "i", nothing, tasks)]
        crowd = [await anyio.connect_unix(bridge.path) for _ in range(1_000)]
        closed = 0
        for stream in crowd[MAX_CONNECTIONS - 1 :]:
            with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                await stream.receive()
                continue
            closed += 1
        assert closed == 1_000 - (MAX_CONNECTIONS - 1)
        assert (await peers[0].call(messages.StatusGet(), LIMIT_S)).is_healthy
        for stream in crowd:
            await stream.aclose()
        await bridge.left.wait()
        peers.append(await connect(bridge.path, "cli", "i", nothing, tasks))
        assert (await peers[1].call(messages.StatusGet(), LIMIT_S)).is_healthy
        for peer in peers:
            peer.close()


@pytest.mark.parametrize("role", list(messages.CALLS))
async def test_role_may_call_its_own_methods_and_no_others(role: messages.Role) -> None:
    """R15: the full matrix of role and method; hello comes once."""
    own = {call.method for call in messages.CALLS[role]}
    others = [*ALL_CALLS, *(call.method for call in messages.BRIDGE_CALLS), "hello", "no.such"]
    async with listening() as bridge, anyio.create_task_group() as tasks:
        peer = await connect(bridge.path, role, "i", nothing, tasks)
        for method in others:
            if method in own:
                continue
            wanted = codec.METHOD_NOT_FOUND if method == "no.such" else codec.WRONG_ROLE
            call = type("Call", (messages.Done,), {"method": method, "reply": messages.Done})
            with pytest.raises(Refused) as refused:
                await peer.call(call(), LIMIT_S)
            assert refused.value.code == wanted, method
        assert bridge.served == []
        peer.close()


@pytest.mark.parametrize("method", [*ALL_CALLS, "no.such"])
async def test_nothing_is_served_before_hello(method: str) -> None:
    """R14, F95: the connection ends after the refusal."""
    async with listening() as bridge:
        found = await raw(await anyio.connect_unix(bridge.path), codec.Request(1, method, {}))
        assert [type(item) for item in found] == [codec.Failure]
        assert bridge.served == []


async def test_notification_before_hello_ends_the_connection() -> None:
    """R14: nothing is listened to before the greeting."""
    async with listening() as bridge:
        early = codec.Notification("outbound.begun", {"attempt_id": "a"})
        assert await raw(await anyio.connect_unix(bridge.path), early) == []
        assert bridge.served == []


@pytest.mark.parametrize("role", ["admin", "", "bridge", "WORKER"])
async def test_unknown_role_is_refused(role: str) -> None:
    """F95: no or unknown role."""
    async with listening() as bridge:
        (found,) = await raw(await anyio.connect_unix(bridge.path), hello(role))
        assert isinstance(found, codec.Failure) and found.code == codec.INVALID_PARAMS


async def test_other_protocol_is_a_clear_refusal() -> None:
    """F78: a sentence, and no polling."""
    async with listening() as bridge:
        (found,) = await raw(await anyio.connect_unix(bridge.path), hello(protocol=99))
        assert isinstance(found, codec.Failure) and found.code == codec.PROTOCOL_MISMATCH
        assert "same version" in found.message


async def test_caller_learns_of_another_protocol() -> None:
    """F78: exit code 3 of the one who called."""
    with tempfile.TemporaryDirectory(prefix="ctb") as folder:
        path = Path(folder) / "s.sock"
        async with await anyio.create_unix_listener(path) as listener:

            async def refuse(stream: SocketStream) -> None:
                await stream.receive()
                failure = codec.Failure(1, codec.PROTOCOL_MISMATCH, "older")
                await stream.send(codec.encode(failure))
                await stream.aclose()

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(listener.serve, refuse)
                with anyio.fail_after(LIMIT_S), pytest.raises(ProtocolMismatch):
                    await connect(path, "worker", "i", nothing, tasks)
                tasks.cancel_scope.cancel()


async def test_foreign_uid_is_dropped_unread() -> None:
    """R14: the kernel's word, before a byte is read."""
    async with listening(uid=os.geteuid() + 1) as bridge:
        assert await raw(await anyio.connect_unix(bridge.path), hello()) == []
        assert bridge.served == []


def test_uid_of_the_other_end_comes_from_the_kernel() -> None:
    """R14: SO_PEERCRED."""
    one, other = socket.socketpair()
    with one, other:
        assert peer_uid(one) == os.geteuid()


async def test_fifth_unanswered_request_ends_the_connection() -> None:
    """delivery-semantics 9: four credits each way."""
    async with listening() as bridge:
        bridge.gate = anyio.Event()
        asked = [codec.Request(n, "status.get", {}) for n in range(2, 7)]
        await raw(await anyio.connect_unix(bridge.path), hello(), *asked)
        await bridge.left.wait()


async def test_caller_waits_for_a_credit_instead_of_a_fifth_request() -> None:
    """delivery-semantics 9: a slow side slows its caller."""
    async with listening() as bridge, anyio.create_task_group() as tasks:
        bridge.gate = anyio.Event()
        peer = await connect(bridge.path, "cli", "i", nothing, tasks)
        async with anyio.create_task_group() as calls:
            for _ in range(6):
                calls.start_soon(peer.call, messages.StatusGet(), LIMIT_S)
            while len(bridge.served) < 4:
                await anyio.lowlevel.checkpoint()
            assert len(bridge.served) == 4
            bridge.gate.set()
        assert len(bridge.served) == 6
        peer.close()


async def test_end_of_the_connection_loses_every_call_that_waits() -> None:
    """delivery-semantics 5: what became of it is not known."""
    async with listening() as bridge, anyio.create_task_group() as tasks:
        bridge.gate = anyio.Event()
        peer = await connect(bridge.path, "cli", "i", nothing, tasks)

        async def end() -> None:
            while not bridge.peers:
                await anyio.lowlevel.checkpoint()
            bridge.peers[0].close()

        tasks.start_soon(end)
        with pytest.raises(LinkLost):
            await peer.call(messages.StatusGet(), LIMIT_S)
        with pytest.raises(LinkLost):
            await peer.call(messages.StatusGet(), LIMIT_S)


async def test_deadline_is_not_knowing_and_leaves_the_connection() -> None:
    """style: a timeout is not a failure."""
    async with listening() as bridge, anyio.create_task_group() as tasks:
        bridge.gate = anyio.Event()
        peer = await connect(bridge.path, "cli", "i", nothing, tasks)
        with pytest.raises(TimeoutError):
            await peer.call(messages.StatusGet(), 0.01)
        bridge.gate.set()
        assert await peer.call(messages.StatusGet(), LIMIT_S) == messages.StatusReply((), True)
        peer.close()


async def test_failing_handler_of_a_notification_ends_nothing() -> None:
    """R35: the error goes to the log; the bridge and the connection go on."""
    async with listening() as bridge, anyio.create_task_group() as tasks:
        peer = await connect(bridge.path, "worker", "i", nothing, tasks)
        await peer.notify(messages.OutboundBegun("a"))
        while not bridge.served:
            await anyio.lowlevel.checkpoint()
        await peer.notify(messages.OutboundBegun("b"))
        while len(bridge.served) < 2:
            await anyio.lowlevel.checkpoint()
        assert not bridge.left.is_set()
        peer.close()


async def test_malformed_frame_is_answered_and_ends_the_connection() -> None:
    """design 5: -32600, and the connection ends."""
    async with listening() as bridge:
        stream = await anyio.connect_unix(bridge.path)
        await stream.send(b"[1]\n")
        (found,) = await raw(stream)
        assert isinstance(found, codec.Failure) and found.code == codec.INVALID_REQUEST


async def test_socket_is_private_and_a_living_one_is_never_replaced() -> None:
    """R13, F69: 0600; who answers on it is left alone."""
    async with listening() as bridge:
        assert bridge.path.stat().st_mode & 0o777 == 0o600
        with pytest.raises(AlreadyRunning):
            await listen(bridge.path)


async def test_too_long_path_is_refused_before_anything_is_bound(tmp_path: Path) -> None:
    """R13: 108 bytes on Linux, 104 on macOS."""
    with pytest.raises(PlaceFault, match="CTB_SOCKET"):
        await listen(tmp_path / ("s" * 120))
