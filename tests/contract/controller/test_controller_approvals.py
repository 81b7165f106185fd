"""Requests that wait for a person (controller contract 3.7, threat-model R29)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.contract.controller.rig import Bench, Caller, Json, ToolError


@pytest.fixture
def outside() -> Iterator[Path]:
    """A folder that the sandbox does not let a turn write to, as it does /tmp."""
    with TemporaryDirectory(dir="/var/tmp", prefix="ctb-test-") as folder:
        yield Path(folder)


async def test_a_command_waits_and_runs_once_it_is_accepted(codex_bench: Bench) -> None:
    """Contract 2: `blocked`, then the run goes on after the answer."""
    target = codex_bench.workspace / "made.txt"
    async with codex_bench.connect() as call:
        started, asked = await ask(codex_bench, call, f"escalate:touch {target}\nreply:ran")
        assert not target.exists()
        await answer(call, asked, "accept")
        over = await call.over(started)
    assert asked["kind"] == "command"
    assert f"touch {target}" in asked["detail"]
    assert asked["options"] == ["accept", "decline", "cancel"]
    assert over["result_text"] == "ran"
    assert target.exists()


async def test_a_declined_command_does_not_run_and_the_turn_goes_on(codex_bench: Bench) -> None:
    """Codex, observed: the model is told."""
    target = codex_bench.workspace / "made.txt"
    async with codex_bench.connect() as call:
        started, asked = await ask(codex_bench, call, f"escalate:touch {target}\nreply:told no")
        await answer(call, asked, "decline")
        over = await call.over(started)
    assert over["result_text"] == "told no"
    assert not target.exists()


async def test_a_cancelled_request_ends_the_turn(codex_bench: Bench) -> None:
    """Codex, observed: the turn ends `interrupted`."""
    async with codex_bench.connect() as call:
        started, asked = await ask(codex_bench, call, "escalate:true\nreply:never")
        await answer(call, asked, "cancel")
        over = await call.over(started)
    assert over["status"] == "interrupted"


async def test_a_file_change_names_paths_and_counts_lines(
    codex_bench: Bench, outside: Path
) -> None:
    """Contract 3.7: joined from its item, since the request names no path."""
    target = outside / "new.txt"
    async with codex_bench.connect() as call:
        started, asked = await ask(codex_bench, call, f"write:{target}\nreply:wrote")
        await answer(call, asked, "accept")
        over = await call.over(started)
    assert asked["kind"] == "file_change"
    assert f"add {target} (+1 -0)" in asked["detail"]
    assert over["result_text"] == "wrote"
    assert target.read_text() == "one line\n"


async def test_a_file_change_is_the_same_after_a_kill(codex_bench: Bench, outside: Path) -> None:
    """Contract 3.7: fetched again with `initialTurnsPage` and full items."""
    target = outside / "new.txt"
    async with codex_bench.killed() as call:
        started, first = await ask(codex_bench, call, f"write:{target}\nreply:wrote")
    async with codex_bench.connect() as call:
        await call.blocked(started)
        again = (await call("approvals"))["approvals"][0]
        await answer(call, again, "decline")
        await call.over(started)
    assert first == again
    assert not target.exists()


async def test_a_request_asked_while_nobody_was_there_is_found(codex_bench: Bench) -> None:
    """Contract 3.7, fault F57."""
    thread = codex_bench.thread()
    async with codex_bench.killed() as call:
        started = await call.start(thread, "sleep:1\nescalate:true\nreply:ran")
    async with codex_bench.connect() as call:
        await call.blocked(started)
        asked = (await call("approvals", run_ids=[started["run_id"]]))["approvals"][0]
        await answer(call, asked, "accept")
        over = await call.over(started)
    assert over["result_text"] == "ran"


async def test_permissions_are_granted_for_the_turn_alone(
    codex_bench: Bench, tmp_path: Path
) -> None:
    """Contract 3.7: never for the session."""
    async with codex_bench.connect() as call:
        started, asked = await ask(codex_bench, call, f"permit:{tmp_path / 'x'}\nreply:thanks")
        await answer(call, asked, "accept")
        over = await call.over(started)
    assert asked["kind"] == "permissions"
    assert str(tmp_path / "x") in asked["detail"]
    assert over["result_text"] == "thanks"


async def test_a_question_is_answered_by_its_id(codex_bench: Bench) -> None:
    """Contract 2."""
    async with codex_bench.connect() as call:
        started, asked = await ask(codex_bench, call, "question:Which way?\nreply:thanks")
        with pytest.raises(ToolError) as refused:
            await answer(call, asked, "accept", answers={"other": ["No"]})
        await answer(call, asked, "accept", answers={"q1": ["No"]})
        over = await call.over(started)
    assert refused.value.code == "invalid"
    assert asked["kind"] == "question"
    assert asked["options"] == ["q1:Yes", "q1:No"]
    assert over["result_text"] == "thanks"


async def test_a_wrong_digest_or_a_second_answer_changes_nothing(bench: Bench) -> None:
    """Threat-model R29, fault F94."""
    message = {"echo": "approve:it", "codex": "escalate:true"}[bench.engine]
    async with bench.connect() as call:
        started, asked = await ask(bench, call, f"{message}\nsleep:1\nreply:ran")
        with pytest.raises(ToolError) as wrong:
            await answer(call, asked | {"digest": "0" * 64}, "accept")
        still = (await call("approvals"))["approvals"]
        await answer(call, asked, "accept")
        with pytest.raises(ToolError) as second:
            await answer(call, asked, "decline")
        over = await call.over(started)
        with pytest.raises(ToolError) as late:
            await answer(call, asked, "accept")
    assert wrong.value.code == "invalid"
    assert still == [asked]
    assert second.value.code == late.value.code == "not_found"
    assert over["result_text"] == "ran"


async def test_a_request_goes_with_its_turn(bench: Bench) -> None:
    """Contract 1: an interrupt resolves what was pending."""
    message = {"echo": "approve:it", "codex": "escalate:true"}[bench.engine]
    async with bench.connect() as call:
        started, asked = await ask(bench, call, f"{message}\nreply:ran")
        await call("cancel", run_id=started["run_id"], reason="stop")
        over = await call.over(started)
        left = await call("approvals")
        with pytest.raises(ToolError) as gone:
            await answer(call, asked, "accept")
    assert over["status"] == "cancelled"
    assert left["approvals"] == []
    assert gone.value.code == "not_found"


async def test_a_request_is_gone_when_codex_died(codex_bench: Bench) -> None:
    """Fault F57: `done(void)` in the bridge; the turn is interrupted."""
    async with codex_bench.connect() as call:
        started, asked = await ask(codex_bench, call, "escalate:true\nreply:ran")
        codex_bench.kill_codex()
        over = await call.over(started)
        with pytest.raises(ToolError) as gone:
            await answer(call, asked, "accept")
    assert over["completion_reason"] == "engine_died"
    assert gone.value.code == "not_found"


async def ask(bench: Bench, call: Caller, message: str) -> tuple[Json, Json]:
    """Start a turn and wait until it asks."""
    started = await call.start(bench.thread(), message)
    run = await call.blocked(started)
    assert (run["status"], run["block_reason"]) == ("blocked", "approval_required")
    found = (await call("approvals", run_ids=[started["run_id"]]))["approvals"]
    assert [each["run_id"] for each in found] == [started["run_id"]]
    return started, found[0]


async def answer(call: Caller, asked: Json, decision: str, **more: object) -> Json:
    names = {"approval_id": asked["approval_id"], "digest": asked["digest"]}
    return await call("answer", decision=decision, **names, **more)
