"""Phone and desk take turns on one thread (controller contract 3.3 to 3.6)."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from bridge.codex import appserver
from bridge.codex.appserver import AppServer
from tests.contract.controller.rig import Bench, ToolError
from tests.fakes import codex_home


async def test_a_turn_made_at_the_desk_moves_the_head(codex_bench: Bench) -> None:
    """Contract 3.4, fault F52."""
    bench = codex_bench
    thread = bench.thread()
    async with bench.connect() as call:
        before = (await call("status", session_id=thread))["session"]["session_head"]
        codex_home.add_turn(bench.home, bench.workspace, thread, "reply:typed at the desk")
        with pytest.raises(ToolError) as refused:
            await call.start(thread, "reply:x", expected_session_head=before)
        codex_home.add_turn(bench.home, bench.workspace, thread, "reply:and again")
        after = (await call("status", session_id=thread))["session"]["session_head"]
    assert refused.value.code == "head_conflict"
    assert after not in (before, refused.value.facts["actual_session_head"])


async def test_the_desk_opens_the_thread_right_after_the_release(codex_bench: Bench) -> None:
    """Contract 3.6: release means free."""
    bench = codex_bench
    thread = bench.thread()
    async with bench.connect() as call:
        started = await call.start(thread, "reply:one")
        await call.over(started)
        with pytest.raises(AssertionError, match="active writer"):
            codex_home.add_turn(bench.home, bench.workspace, thread, "reply:too early")
        await call.free(started)
        codex_home.add_turn(bench.home, bench.workspace, thread, "reply:now")
    assert len(codex_home.turn_keys(bench.home, thread)) == 3


async def test_a_thread_is_freed_by_the_next_controller_too(codex_bench: Bench) -> None:
    """Fault F17: killed between the answer and the release."""
    bench = codex_bench
    thread = bench.thread()
    async with bench.killed() as call:
        started = await call.start(thread, "reply:one")
        await call.over(started)
    async with bench.connect() as call:
        await call.free(started)
        codex_home.add_turn(bench.home, bench.workspace, thread, "reply:now")


async def test_settings_that_a_turn_overrode_are_put_back(codex_bench: Bench) -> None:
    """Contract 3.6: cwd, sandbox, policy, model and effort stick to a thread."""
    bench = codex_bench
    thread = bench.thread()
    other = bench.workspace.parent / "other"
    other.mkdir()
    wanted = {"cwd": str(other), "model": "other-model", "effort": "high"}
    async with bench.connect() as call:
        before = await settings_of(bench, thread)
        started, _ = await call.run(
            thread, "reply:one", sandbox="read-only", approval_policy="untrusted", **wanted
        )
        after = await settings_of(bench, thread)
    during = turn_context(bench, thread, started["run"]["turn_id"])
    assert (during["cwd"], during["model"]) == (str(other), "other-model")
    assert (during["approval_policy"], during["effort"]) == ("untrusted", "high")
    assert after == before


async def test_settings_are_put_back_by_the_next_controller_too(codex_bench: Bench) -> None:
    """Contract 3.6; what is to be put back is committed before the message is sent."""
    bench = codex_bench
    thread = bench.thread()
    async with bench.killed() as call:
        before = await settings_of(bench, thread)
        started = await call.start(thread, "reply:one", model="other-model")
        await call.over(started)
    bench.kill_codex()
    async with bench.connect() as call:
        await call.free(started)
        after = await settings_of(bench, thread)
    assert after == before


async def test_a_thread_in_a_foreign_program_is_elsewhere_and_left_alone(
    codex_bench: Bench,
) -> None:
    """Contract 3.5, fault F51: no lock deleted, nothing ended, no new thread."""
    bench = codex_bench
    thread = bench.thread()
    async with bench.connect() as call:
        with codex_home.foreign_server(bench.home, thread) as pid:
            with pytest.raises(ToolError) as refused:
                await call.start(thread, "reply:x", idempotency_key="k1")
            row = (await call("list_sessions"))["sessions"][0]
            os.kill(pid, 0)
        _, over = await call.run(thread, "reply:x", idempotency_key="k1")
    assert refused.value.code == "elsewhere"
    assert "codex" in refused.value.facts["holder"]
    assert (row["session_id"], row["state"]) == (thread, "elsewhere")
    assert over["result_text"] == "x"


async def test_a_thread_that_the_shared_daemon_holds_is_joined(codex_bench: Bench) -> None:
    """Contract 3.1: desk and phone see the same turn; the daemon is never ended."""
    bench = codex_bench
    thread = bench.thread()
    async with daemon(bench) as desk:
        events: list[str] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(desk.read, lambda method, _: events.append(method), nothing)
            await desk.call("thread/resume", {"threadId": thread, "excludeTurns": True})
            async with bench.connect() as call:
                state = (await call("status", session_id=thread))["session"]["state"]
                _, over = await call.run(thread, "reply:seen by both")
                servers = (await call("status"))["engine"]["servers"]
            await desk.call("server/diagnostics")
            tasks.cancel_scope.cancel()
    assert state == "idle"
    assert over["result_text"] == "seen by both"
    assert "turn/completed" in events
    assert [server["name"] for server in servers] == ["shared daemon"]
    assert servers[0]["version"]
    assert bench.server_pid() is None


async def test_an_archived_thread_is_refused(codex_bench: Bench) -> None:
    """Fault F55."""
    bench = codex_bench
    thread = bench.thread()
    async with daemon(bench) as desk, anyio.create_task_group() as tasks:
        tasks.start_soon(desk.read, nothing, nothing)
        await desk.call("thread/archive", {"threadId": thread})
        tasks.cancel_scope.cancel()
    async with bench.connect() as call:
        listed = await call("list_sessions")
        with pytest.raises(ToolError) as refused:
            await call.start(thread, "reply:x")
        history = await call("history", session_id=thread)
    assert refused.value.code == "archived"
    assert listed["sessions"] == []
    assert history["items"]


async def test_reads_only_starts_nothing_and_offers_three_tools(codex_bench: Bench) -> None:
    """Contract 2: beside a controller that lacks them."""
    bench = codex_bench
    thread = bench.thread()
    before = sorted(bench.home.rglob("rollout-*"))[0].read_bytes()
    async with bench.connect("--reads-only") as call:
        tools = {tool.name for tool in (await call.client.list_tools()).tools}
        listed = await call("list_sessions")
        status = await call("status", session_id=thread)
        history = await call("history", session_id=thread)
    assert tools == {
        "cross_thread_status",
        "cross_thread_list_sessions",
        "cross_thread_history",
    }
    assert listed["sessions"][0]["session_id"] == thread
    assert status["session"]["session_head"] == history["head"]
    assert [item["kind"] for item in history["items"]] == ["user", "assistant"]
    assert sorted(bench.home.rglob("rollout-*"))[0].read_bytes() == before
    assert bench.server_pid() is None
    assert not list(bench.home.rglob("ctb.sqlite3"))


async def settings_of(bench: Bench, thread: str) -> dict[str, object]:
    """What the desk would get now, as a fresh server tells it."""
    async with daemon(bench) as desk, anyio.create_task_group() as tasks:
        tasks.start_soon(desk.read, nothing, nothing)
        reply = await desk.call("thread/resume", {"threadId": thread, "excludeTurns": True})
        tasks.cancel_scope.cancel()
    names = ("cwd", "model", "sandbox", "approvalPolicy", "reasoningEffort")
    return {name: reply.get(name) for name in names}


def turn_context(bench: Bench, thread: str, turn: str) -> dict[str, object]:
    for record in codex_home.journal(bench.home, thread):
        payload: dict[str, object] = dict(record["payload"])  # type: ignore[call-overload]  # JSON
        if record["type"] == "turn_context" and payload["turn_id"] == turn:
            return payload
    raise AssertionError("the turn has no context")


def nothing(*_: object) -> None:
    """For events that a test does not look at."""


@asynccontextmanager
async def daemon(bench: Bench) -> AsyncIterator[AppServer]:
    """A server on the control socket of the home, as the TUI starts one, and a client."""
    socket = bench.home / "app-server-control" / "app-server-control.sock"
    socket.parent.mkdir(exist_ok=True)
    with codex_home.server(bench.home, "--listen", "unix://"):
        with anyio.fail_after(10):
            while not socket.exists():  # noqa: ASYNC110  # another process makes it
                await anyio.sleep(0.01)
        async with appserver.connect(socket) as link:
            yield link
