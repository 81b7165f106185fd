"""What a computer that slept finds: connections that only look alive."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream

from channel_worker.sleepwatch import SleepWatch

if TYPE_CHECKING:
    from tests.contract.channel_rig import Rig

pytest_plugins = ["tests.contract.channel_rig"]


class Line:
    """The way to a server; after `forget` nothing passes over what was connected before."""

    def __init__(self, base_url: str) -> None:
        self._there = urlsplit(base_url)
        self._connected: set[SocketStream] = set()
        self._forgotten: set[SocketStream] = set()

    def forget(self) -> None:
        """As a router does meanwhile: no goodbye, no refusal, only silence."""
        self._forgotten |= self._connected

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[str]:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, self._carry)
            yield f"http://127.0.0.1:{listener.extra(SocketAttribute.local_port)}"
            tasks.cancel_scope.cancel()

    async def _carry(self, client: SocketStream) -> None:
        assert self._there.hostname and self._there.port
        self._connected.add(client)
        server = await anyio.connect_tcp(self._there.hostname, self._there.port)
        async with client, server, anyio.create_task_group() as both:

            async def one_way(source: SocketStream, sink: SocketStream) -> None:
                with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                    while True:
                        data = await source.receive()
                        if client not in self._forgotten:
                            await sink.send(data)
                both.cancel_scope.cancel()

            both.start_soon(one_way, client, server)
            both.start_soon(one_way, server, client)


@pytest.mark.parametrize(
    ("slept_s", "outcome"), [(3600.0, "sent"), (0.0, "unknown")], ids=["slept", "awake"]
)
async def test_first_send_after_a_sleep_is_known(rig: Rig, slept_s: float, outcome: str) -> None:
    """F61; issue 3, item 9: the send itself looks at the clock, before its request leaves.

    The same silence without a sleep shows what it would end as.
    """
    offset = [0.0]
    clock = SleepWatch(wall=lambda: offset[0], monotonic=lambda: 0.0)
    line = Line(rig.simulator.base_url)
    async with (
        line.opened() as base_url,
        rig.bridge.listening(),
        rig.working(
            sleep_watch=clock,
            watch_s=3600.0,  # the look each second comes too late
            ILINK_BASE_URL=base_url,
            ILINK_REQUEST_TIMEOUT_SECONDS="1",
        ),
    ):
        rig.world.say("hello")
        await rig.bridge.until_rows(1)
        (row,) = rig.bridge.rows.values()
        first = await rig.bridge.send("before", row.context_token, rig.world.owner_id)
        assert first.outcome == "sent"
        line.forget()
        offset[0] = slept_s
        found = await rig.bridge.send("after", row.context_token, rig.world.owner_id)
        assert found.outcome == outcome
        if slept_s:
            assert [sent.text for sent in rig.world.sent] == ["before", "after"]
            rig.world.say("good morning")  # over a poll that was renewed too
            await rig.bridge.until_rows(2)


async def test_batch_that_was_kept_over_a_sleep_bears_the_time_of_its_commit(rig: Rig) -> None:
    """delivery-semantics 4 and 12: so the bridge holds what is too old to run unasked."""
    offset = [0.0]
    clock = SleepWatch(wall=lambda: offset[0], monotonic=lambda: 0.0)
    rig.bridge.storage_errors = 1_000_000
    async with rig.bridge.listening(), rig.working(sleep_watch=clock):
        rig.world.say("of last night")
        await rig.bridge.until(lambda: bool(rig.bridge.commits))
        offset[0] = 8 * 3600.0
        rig.bridge.storage_errors = 0
        await rig.bridge.until_rows(1)
    kept_ms = rig.bridge.commits[-1].server_now_ms - rig.bridge.commits[0].server_now_ms
    assert kept_ms == 8 * 3_600_000


async def test_file_written_again_as_it_was_brings_a_check_at_once(rig: Rig) -> None:
    """issue 3, item 1: `binded_redirect` keeps the login and wakes a worker that waits."""
    token = rig.world.token
    async with rig.bridge.listening(), rig.working():
        await rig.until(lambda: rig.world.calls("getupdates"))
        rig.simulator.expire_token()
        await rig.bridge.until_state("login_needed")  # the next look is ten minutes away
        rig.world.token = token
        rig.write_credentials()
        rig.world.say("still the same login")
        await rig.bridge.until_rows(1)
        assert [hello.generation for hello in rig.bridge.hellos] == [1]
