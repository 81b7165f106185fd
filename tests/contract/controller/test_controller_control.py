"""Steering, stopping, branching, and many threads at once (issue 4, point 5)."""

from __future__ import annotations

import anyio
import pytest

from tests.contract.controller.rig import Bench, Caller, Json, ToolError
from tests.contract.controller.test_controller_survival import wait_for_journal
from tests.fakes import codex_home

THREADS = 32  # controller contract 3.12


async def test_a_steered_message_reaches_the_running_turn(codex_bench: Bench) -> None:
    """Contract 2: taken up after the running tool call."""
    bench = codex_bench
    thread = bench.thread()
    async with bench.connect() as call:
        started = await call.start(thread, "shell:sleep 1\nreply:first")
        await wait_for_journal(bench, thread, "UserMessage", count=2)
        await call("steer", run_id=started["run_id"], message="reply:second", idempotency_key="s1")
        over = await call.over(started)
    assert over["result_text"] == "second"
    assert codex_home.turn_keys(bench.home, thread)[-1] == "s1"


async def test_steering_a_turn_that_is_over_is_refused(
    call: Caller, ours: Bench, thread: str
) -> None:
    """Contract 2: `no_active_turn`."""
    started, _ = await call.run(thread, "reply:one")
    with pytest.raises(ToolError) as refused:
        await call("steer", run_id=started["run_id"], message="x", idempotency_key="s")
    assert refused.value.code == "no_active_turn"


async def test_a_steer_given_again_is_taken_once_even_after_its_turn(bench: Bench) -> None:
    """Ours: who died before hearing the answer asks the next controller under the same key."""
    thread = bench.thread()
    step = "shell:sleep 2" if bench.engine == "codex" else "sleep:2"
    added = {"message": "and the roof", "idempotency_key": "s1"}
    async with bench.killed() as call:
        started = await call.start(thread, f"{step}\nreply:first")
        if bench.engine == "codex":
            await wait_for_journal(bench, thread, "UserMessage", count=2)
        await call("steer", run_id=started["run_id"], **added)
    async with bench.connect() as call:
        again = await call("steer", run_id=started["run_id"], **added)
        over = await call.over(started)
        late = await call("steer", run_id=started["run_id"], **added)
        with pytest.raises(ToolError) as refused:
            await call("steer", run_id=started["run_id"], message="x", idempotency_key="s2")
    assert again["run"]["run_id"] == late["run"]["run_id"] == started["run_id"]
    assert over["result_text"].count("and the roof") == 1
    assert refused.value.code == "no_active_turn"
    if bench.engine == "codex":
        assert codex_home.turn_keys(bench.home, thread).count("s1") == 1


async def test_a_branch_asked_for_again_under_its_key_is_the_same(bench: Bench) -> None:
    """Ours: also by a controller that never heard of the first; without a key it is another."""
    thread = bench.thread()
    async with bench.killed() as call:
        first = await call("fork", session_id=thread, idempotency_key="f1")
    async with bench.connect() as call:
        again = await call("fork", session_id=thread, idempotency_key="f1")
        other = await call("fork", session_id=thread)
        _, over = await call.run(first["session_id"], "reply:branch")
        with pytest.raises(ToolError) as refused:
            await call("fork", session_id=other["session_id"], idempotency_key="f1")
    assert first == again != other
    assert over["result_text"] == "branch"
    assert refused.value.code == "key_conflict"


async def test_a_stopped_turn_leaves_no_command_running(codex_bench: Bench) -> None:
    """Contract 3.8: a command survives the interrupt of its turn (observed)."""
    bench = codex_bench
    thread = bench.thread()
    mark = bench.workspace / "mark"
    async with bench.connect() as call:
        started = await call.start(thread, f"shell:touch {mark}; sleep 5; rm {mark}\nreply:x")
        with anyio.fail_after(10):
            while not mark.exists():  # noqa: ASYNC110  # a command makes it
                await anyio.sleep(0.02)
        await call("cancel", run_id=started["run_id"], reason="stop")
        over = await call.over(started)
        with anyio.fail_after(3):
            while await is_running(str(mark)):  # noqa: ASYNC110  # Codex ends it
                await anyio.sleep(0.05)
    assert over["status"] == "cancelled"
    assert mark.exists()


async def test_a_branch_has_the_past_and_a_life_of_its_own(
    call: Caller, ours: Bench, thread: str
) -> None:
    """Contract 2."""
    forked = (await call("fork", session_id=thread))["session_id"]
    before = (await call("status", session_id=thread))["session"]["session_head"]
    _, over = await call.run(forked, "reply:branch")
    after = (await call("status", session_id=thread))["session"]["session_head"]
    assert forked != thread
    assert over["result_text"] == "branch"
    assert before == after


async def test_a_branch_tells_what_the_thread_was_told(call: Caller, ours: Bench) -> None:
    """Contract 2: the same past, and only that; a turn that was not over stays behind."""
    thread = ours.thread()
    await call.run(thread, "reply:the past")
    forked = (await call("fork", session_id=thread))["session_id"]
    items = (await call("history", session_id=forked))["items"]
    assert "the past" in [item["text"] for item in items]


async def test_a_branch_of_a_thread_whose_turn_runs_is_allowed(codex_bench: Bench) -> None:
    """Codex, observed: reading and forking need no lock."""
    thread = codex_bench.thread()
    async with codex_bench.connect() as call:
        started = await call.start(thread, "sleep:20\nreply:late")
        forked = (await call("fork", session_id=thread))["session_id"]
        _, over = await call.run(forked, "reply:branch")
        await call("cancel", run_id=started["run_id"], reason="test")
    assert over["result_text"] == "branch"


async def test_many_threads_run_at_once(bench: Bench) -> None:
    """Contract 3.12; each is told apart and ends by itself."""
    async with bench.connect() as call:
        cwd = str(bench.workspace)
        started: list[Json] = []

        async def begin(number: int) -> None:
            started.append(await call.start(None, f"sleep:120\nreply:{number}", cwd=cwd))

        async def stop(run_id: str) -> None:
            await call("cancel", run_id=run_id, reason="test")

        async with anyio.create_task_group() as tasks:
            for number in range(THREADS):
                tasks.start_soon(begin, number)
        ids = [each["run_id"] for each in started]
        during = (await call("status", run_ids=ids))["runs"]
        async with anyio.create_task_group() as tasks:
            for run_id in ids:
                tasks.start_soon(stop, run_id)
        after = [await call.over(each) for each in started]
    assert len({each["session_id"] for each in started}) == THREADS
    assert [run["status"] for run in during] == ["in_progress"] * THREADS
    assert [run["status"] for run in after] == ["cancelled"] * THREADS


async def is_running(words: str) -> bool:
    done = await anyio.run_process(["pgrep", "-f", f"sleep 5; rm {words}"], check=False)
    return done.returncode == 0
