"""The past of real threads, reverted and branched (contract 2; issue 4, point 6)."""

from __future__ import annotations

import anyio
import pytest

from tests.contract.controller.rig import Bench, Caller, ToolError
from tests.contract.controller.test_controller_desk import daemon, nothing
from tests.fakes import codex_home


async def test_refresh_gives_what_the_desk_did_since_then(codex_bench: Bench) -> None:
    """Contract 2: by position; commands and files are told, no model is run."""
    bench = codex_bench
    thread = bench.thread()
    async with bench.connect("--reads-only") as call:
        first = await call("history", session_id=thread)
        codex_home.add_turn(bench.home, bench.workspace, thread, "shell:echo hi\nreply:did it")
        assert bench.model is not None
        before = bench.model.seen.requests
        found = await call("history", session_id=thread, position=first["position"])
        later = await call("history", session_id=thread, position=found["position"])
    told = [(item["kind"], item["text"]) for item in found["items"]]
    assert told == [
        ("user", "shell:echo hi\nreply:did it"),
        ("command", "echo hi (exit 0)\nhi"),
        ("assistant", "did it"),
    ]
    assert later["items"] == []
    assert bench.model.seen.requests == before


async def test_a_revert_and_a_branch_of_it_are_followed(codex_bench: Bench) -> None:
    """Codex app-server 8: both begin new files; the thread keeps its id."""
    bench = codex_bench
    thread = bench.thread("reply:one")
    codex_home.add_turn(bench.home, bench.workspace, thread, "reply:two")
    async with bench.connect() as call:
        before = await call("history", session_id=thread)
        turn = before["items"][0]["turn_id"]
        async with daemon(bench) as desk, anyio.create_task_group() as tasks:
            tasks.start_soon(desk.read, nothing, nothing)
            await desk.call("thread/resume", {"threadId": thread, "excludeTurns": True})
            await desk.call("thread/revert", {"threadId": thread, "beforeTurnId": turn})
            tasks.cancel_scope.cancel()
        reverted = await call("history", session_id=thread)
        since = await call("history", session_id=thread, position=before["position"])
        forked = (await call("fork", session_id=thread))["session_id"]
        branch = await call("history", session_id=forked)
        _, over = await call.run(thread, "reply:three", expected_session_head=reverted["head"])
    assert texts(reverted) == texts(branch) == ["reply:one", "one"]
    assert texts(since) == ["turns were taken back at the desk"]
    assert reverted["head"].startswith("base:")
    assert over["result_text"] == "three"


async def test_everything_reads_alike_without_the_databases(codex_bench: Bench) -> None:
    """Codex app-server 8: they are a cache, the files are the truth."""
    bench = codex_bench
    thread = bench.thread()
    async with bench.connect("--reads-only") as call:
        with_index = await look(call, thread)
        for path in bench.home.glob("*.sqlite*"):
            path.unlink()
        without = await look(call, thread)
    assert with_index == without


async def test_an_unknown_thread_has_no_history(call: Caller, ours: Bench) -> None:
    """Contract 3.4."""
    with pytest.raises(ToolError) as refused:
        await call("history", session_id="01a20404-5299-7441-a18a-49f4ee77d2d5")
    assert refused.value.code == "not_found"


async def look(call: Caller, thread: str) -> tuple[object, ...]:
    listed = (await call("list_sessions"))["sessions"]
    status = (await call("status", session_id=thread))["session"]
    history = await call("history", session_id=thread)
    rows = [(row["session_id"], row["title"], row["cwd"]) for row in listed]
    return rows, status["session_head"], status["cwd"], history


def texts(page: dict[str, list[dict[str, str]]]) -> list[str]:
    return [item["text"] for item in page["items"]]
