"""Runs outlive everybody but their engine (controller contract 3.1 and 3.2)."""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path

import anyio
import pytest

from bridge.codex import writers
from tests.contract.controller.rig import Bench, Caller, ToolError
from tests.fakes import codex_home


async def test_a_turn_goes_on_when_the_controller_is_killed(bench: Bench) -> None:
    """Contract 3.1, faults F10 and F48."""
    thread = bench.thread()
    async with bench.killed() as call:
        started = await call.start(thread, "sleep:2\nreply:survived", idempotency_key="k1")
    async with bench.connect() as call:
        found = (await call("list_runs", session_id=thread))["runs"][0]
        over = await call.over(started)
        again = await call.start(thread, "sleep:2\nreply:survived", idempotency_key="k1")
        await call.free(again)
    assert found["idempotency_key"] == "k1"
    assert found["status"] in ("in_progress", "completed")
    assert over["result_text"] == "survived"
    assert again["lock_token"] == started["lock_token"]
    assert only_once(bench, thread, "k1")


async def test_an_answer_that_nobody_heard_is_read_again(bench: Bench) -> None:
    """Fault F11: killed after the end, before the result was read."""
    thread = bench.thread()
    async with bench.killed() as call:
        started = await call.start(thread, "reply:kept")
        await call.over(started)
    async with bench.connect() as call:
        result = await call("read_result", run_id=started["run_id"])
        over = await call.over(started)
    assert result["result_text"] == over["result_text"] == "kept"


async def test_a_turn_that_ended_while_nobody_was_there_is_found(bench: Bench) -> None:
    """Contract 3.1."""
    thread = bench.thread()
    async with bench.killed() as call:
        started = await call.start(thread, "sleep:1\nreply:alone")
    if bench.engine == "codex":
        await wait_for_journal(bench, thread, "task_complete", count=2)
    async with bench.connect() as call:
        over = await call.over(started)
    assert over["result_text"] == "alone"


async def test_a_waiting_approval_is_the_same_after_a_kill(bench: Bench) -> None:
    """Contract 3.7, fault F57: same id, same digest, answered once."""
    thread = bench.thread()
    target = bench.workspace / "approved.txt"
    message = {"echo": "approve:touch it", "codex": f"escalate:touch {target}"}[bench.engine]
    async with bench.killed() as call:
        started = await call.start(thread, f"{message}\nreply:ran")
        await call.blocked(started)
        first = (await call("approvals", run_ids=[started["run_id"]]))["approvals"][0]
    async with bench.connect() as call:
        await call.blocked(started)
        second = (await call("approvals", run_ids=[]))["approvals"][0]
        reply = await answer(call, second, "accept")
        over = await call.over(started)
    assert (first["approval_id"], first["digest"]) == (second["approval_id"], second["digest"])
    assert first["detail"] == second["detail"]
    assert reply["approval"]["state"] == "answered"
    assert over["result_text"] == "ran"
    assert bench.engine == "echo" or target.exists()


async def test_a_key_survives_a_kill_at_the_moment_of_the_send(codex_bench: Bench) -> None:
    """Contract 3.2, fault F50: within 2 ms of `turn/start` the turn goes on, once."""
    bench = codex_bench
    thread = bench.thread()
    order: dict[str, object] = {"idempotency_key": "k1"}
    async with bench.connect() as call, anyio.create_task_group() as tasks:
        tasks.start_soon(ignore_loss, call, thread, order)
        with anyio.fail_after(10):
            # The commit right before the send is the sign; a file sets no event.
            while not was_sent(bench, "k1"):  # noqa: ASYNC110
                await anyio.sleep(0.0005)
        bench.kill()
        tasks.cancel_scope.cancel()
    async with bench.connect() as call:
        again = await call.start(thread, "sleep:1\nreply:once", **order)
        over = await call.over(again)
        await call.free(again)
    assert over["result_text"] == "once"
    assert only_once(bench, thread, "k1")


async def test_a_start_that_was_never_sent_leaves_no_run(codex_bench: Bench) -> None:
    """Contract 3.2: the row of a start that stopped before the send is dropped."""
    bench = codex_bench
    thread = bench.thread()
    async with bench.connect() as call:
        await call.run(thread, "reply:one")
    with sqlite3.connect(database(bench)) as db:
        db.execute(
            "INSERT INTO run (id, key, digest, owner, thread, status, started_at_ms)"
            " VALUES ('r', 'k9', 'd', 'o', ?, 'starting', 0)",
            (thread,),
        )
    async with bench.connect() as call:
        listed = await call("list_runs", session_id=thread)
        _, over = await call.run(thread, "reply:two", idempotency_key="k9")
    assert "k9" not in [run["idempotency_key"] for run in listed["runs"]]
    assert over["result_text"] == "two"


async def test_the_death_of_codex_ends_the_turn_and_it_is_not_run_again(
    codex_bench: Bench,
) -> None:
    """Issue 4, point 2; the thread is usable at once."""
    bench = codex_bench
    thread = bench.thread()
    async with bench.connect() as call:
        started = await call.start(thread, "sleep:30\nreply:late", idempotency_key="k1")
        await wait_for_journal(bench, thread, "UserMessage", count=2)
        bench.kill_codex()
        over = await call.over(started)
        replay = await call.start(thread, "sleep:30\nreply:late", idempotency_key="k1")
        await call.free(started)
        _, then = await call.run(thread, "reply:after")
    assert (over["status"], over["completion_reason"]) == ("interrupted", "engine_died")
    assert over["actual_session_head"].endswith(":open")
    assert replay["run_id"] == started["run_id"]
    assert then["result_text"] == "after"
    assert only_once(bench, thread, "k1")


async def test_the_death_of_both_ends_the_turn(codex_bench: Bench) -> None:
    """Issue 4, point 2."""
    bench = codex_bench
    thread = bench.thread()
    async with bench.killed() as call:
        started = await call.start(thread, "sleep:30\nreply:late")
        await wait_for_journal(bench, thread, "UserMessage", count=2)
    bench.kill_codex()
    async with bench.connect() as call:
        over = await call.over(started)
        _, then = await call.run(thread, "reply:after")
    assert (over["status"], over["completion_reason"]) == ("interrupted", "engine_died")
    assert then["result_text"] == "after"


async def test_a_clean_stop_leaves_no_process(codex_bench: Bench) -> None:
    """Contract 3.1."""
    bench = codex_bench
    thread = bench.thread()
    async with bench.connect() as call:
        await call.run(thread, "reply:one")
        pid = bench.server_pid()
    assert pid is not None
    await gone(pid)
    assert bench.server_pid() is None


async def test_a_clean_stop_with_a_live_turn_leaves_the_server_until_it_is_idle(
    codex_bench: Bench,
) -> None:
    """Contract 3.1: the next look ends it once the turn is over."""
    bench = codex_bench
    thread = bench.thread()
    async with bench.connect() as call:
        await call.start(thread, "sleep:6\nreply:late")  # the look below takes a while
    pid = bench.server_pid()
    assert pid is not None
    assert '"busy"' in await end_idle_server(bench)
    await wait_for_journal(bench, thread, "task_complete", count=2)
    with anyio.fail_after(5):
        while '"busy"' in await end_idle_server(bench):  # noqa: ASYNC110  # it is a command
            await anyio.sleep(0.1)
    await gone(pid)
    assert '"none"' in await end_idle_server(bench)


async def test_a_server_that_no_record_tells_of_is_joined_and_ended_with_the_others(
    codex_bench: Bench,
) -> None:
    """Contract 3.1: the controller died before it noted Codex, or only npm's launcher did."""
    bench = codex_bench
    thread = bench.thread()
    async with bench.killed() as call:
        started = await call.start(thread, "sleep:2\nreply:all the same")
    folder = bench.home / "cross-thread-controller"
    (folder / "codex-server.json").unlink()
    serving = writers.serving(writers.own_socket(folder))
    assert serving is not None
    group = os.getpgid(serving)
    async with bench.connect() as call:
        over = await call.over(started)
        await call.free(started)
        assert writers.serving(writers.own_socket(folder)) == serving
    assert over["result_text"] == "all the same"
    await gone(group)


async def test_a_replaced_codex_binary_is_started_when_the_old_one_is_idle(
    codex_bench: Bench, tmp_path: Path
) -> None:
    """Contract 3.1."""
    bench = codex_bench
    launcher = tmp_path / "codex-launcher"
    text = f'#!/bin/sh\nexec "{codex_home.codex_binary()}" "$@"\n'
    launcher.write_text(text)
    launcher.chmod(0o755)
    bench.extra["CTB_CODEX_COMMAND"] = str(launcher)
    thread = bench.thread()
    async with bench.connect() as call:
        await call.run(thread, "reply:one")
        before = bench.server_pid()
        launcher.write_text(text + "# newer\n")
        _, over = await call.run(thread, "reply:two")
        after = bench.server_pid()
    assert over["result_text"] == "two"
    assert before != after


async def test_a_missing_codex_is_a_sentence_and_no_crash(codex_bench: Bench) -> None:
    """Issue 2, bad input."""
    thread = codex_bench.thread()
    codex_bench.extra["CTB_CODEX_COMMAND"] = "/no/such/codex"
    async with codex_bench.connect() as call:
        with pytest.raises(ToolError) as refused:
            await call.start(thread, "reply:x")
        listed = await call("list_sessions")
    assert refused.value.code == "engine_down"
    assert "CTB_CODEX_COMMAND" in str(refused.value)
    assert listed["sessions"]


async def answer(
    call: Caller, approval: dict[str, str], decision: str
) -> dict[str, dict[str, str]]:
    names = {"approval_id": approval["approval_id"], "digest": approval["digest"]}
    return await call("answer", decision=decision, **names)


async def ignore_loss(call: Caller, thread: str, order: dict[str, object]) -> None:
    """A start whose answer will never come."""
    try:
        await call.start(thread, "sleep:1\nreply:once", **order)
    except Exception:  # the connection is cut under it, in one of several ways
        return


def database(bench: Bench) -> Path:
    return bench.home / "cross-thread-controller" / "ctb.sqlite3"


def was_sent(bench: Bench, key: str) -> bool:
    if not database(bench).exists():
        return False
    with sqlite3.connect(database(bench)) as db:
        row = db.execute("SELECT head_before FROM run WHERE key = ?", (key,)).fetchone()
    return row is not None and row[0] is not None


def only_once(bench: Bench, thread: str, key: str) -> bool:
    """Whether the thread holds the message exactly once."""
    return bench.engine == "echo" or codex_home.turn_keys(bench.home, thread).count(key) == 1


async def wait_for_journal(bench: Bench, thread: str, word: str, count: int) -> None:
    with anyio.fail_after(20):
        while True:
            lines = codex_home.journal(bench.home, thread)
            if sum(f"'{word}'" in str(line) for line in lines) >= count:
                return
            await anyio.sleep(0.02)


async def end_idle_server(bench: Bench) -> str:
    code = "from bridge.codex.cli import main; main()"
    done = await anyio.run_process(
        [sys.executable, "-c", code, "--end-idle-server"], env=bench.environment()
    )
    return done.stdout.decode()


async def gone(pid: int) -> None:
    with anyio.fail_after(5):
        while True:
            try:
                os.killpg(pid, 0)
            except ProcessLookupError:
                return
            await anyio.sleep(0.02)
