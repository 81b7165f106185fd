"""A question of a group sees nothing of this computer (threat-model R5; docs/groups.md)."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from tests.contract.controller.rig import Bench, Json, ToolError, made
from tests.contract.controller.test_controller_desk import daemon, nothing

CANARY = "canary-7f3a"
GROUP = "ctb-group-qa:1"
SERVERS = """
[mcp_servers.pigeon]
command = "{python}"
args = ["-c", "open('{mark}', 'a').write('x'); import sys; sys.stdin.read()"]
[mcp_servers."with a dot. and spaces"]
command = "{python}"
args = ["-c", "open('{mark}', 'a').write('x'); import sys; sys.stdin.read()"]
"""


@pytest.fixture
def fenced(tmp_path: Path) -> Iterator[Bench]:
    """A home with MCP servers that leave a mark, beside a file that is none of a group's."""
    (tmp_path / "secret").write_text(CANARY)
    (tmp_path / "AGENTS.md").write_text("the owner's notes: " + CANARY)
    with made("codex", tmp_path) as bench:
        (bench.workspace / ".git").mkdir()
        with (bench.home / "config.toml").open("a") as config:
            config.write(SERVERS.format(python=sys.executable, mark=tmp_path / "mark"))
        yield bench


def asked(bench: Bench, **more: object) -> Json:
    order: Json = {"owner": GROUP, "cwd": str(bench.workspace), "sandbox": "read-only"}
    return order | {"approval_policy": "never"} | more


async def test_a_command_of_a_group_is_not_run_and_no_server_is_started(fenced: Bench) -> None:
    """Begun, and loaded again by the next question."""
    assert fenced.model is not None
    config = (fenced.home / "config.toml").read_text()
    peek = f"unasked:cat {fenced.workspace.parent / 'secret'}\nreply:what I know"
    async with fenced.connect() as call:
        thread = None
        for _ in range(2):
            started, over = await call.run(thread, peek, **asked(fenced))
            thread = started["session_id"]
            assert over["result_text"] == "what I know"
            assert CANARY not in fenced.model.seen.newest
            assert str(fenced.workspace) not in fenced.model.seen.newest, "it is nowhere"
            assert not {t for t in fenced.model.seen.tools if t.startswith(("exec", "mcp__"))}
    assert not (fenced.workspace.parent / "mark").exists()
    assert (fenced.home / "config.toml").read_text() == config


async def test_without_the_fence_the_same_prompt_reads_the_file(fenced: Bench) -> None:
    """So that the test above cannot pass for nothing: an owner's thread is as it was."""
    assert fenced.model is not None
    peek = f"shell:cat {fenced.workspace.parent / 'secret'}\nreply:what I know"
    async with fenced.connect() as call:
        await call.run(None, peek, **asked(fenced, owner="ctb-private:me"))
    assert CANARY in fenced.model.seen.newest
    assert str(fenced.workspace) in fenced.model.seen.newest
    assert (fenced.workspace.parent / "mark").exists()


async def test_a_newer_model_is_offered_none_of_it_either(fenced: Bench) -> None:
    """It has a script tool with others inside, and helpers without any feature."""
    assert fenced.model is not None
    async with fenced.connect() as call:
        await call.run(None, "reply:hello", **asked(fenced, model="gpt-6.1-sol"))
    body = fenced.model.seen.newest
    nested = set(re.findall(r"declare const tools: \{ (\w+)\(", body))
    assert '"name": "exec"' in body, "the newer models run their tools from a script"
    assert "spawn_agent" not in body
    assert not {n for n in nested if n.startswith(("exec", "write", "view", "mcp__"))}


async def test_a_group_thread_that_the_desk_has_open_waits(fenced: Bench) -> None:
    """Loaded by somebody else it has their tools, and a fence changes nothing."""
    async with daemon(fenced) as desk, anyio.create_task_group() as tasks:
        tasks.start_soon(desk.read, nothing, nothing)
        async with fenced.connect() as call:
            started, _ = await call.run(None, "reply:one", **asked(fenced))
            thread = started["session_id"]
            await desk.call("thread/resume", {"threadId": thread, "excludeTurns": True})
            with pytest.raises(ToolError) as refused:
                await call.start(thread, "reply:two", **asked(fenced))
            await desk.call("thread/unsubscribe", {"threadId": thread})
            with anyio.fail_after(60):
                while True:
                    try:
                        _, over = await call.run(thread, "reply:three", **asked(fenced))
                        break
                    except ToolError as again:
                        assert again.code == "elsewhere"
        tasks.cancel_scope.cancel()
    assert refused.value.code == "elsewhere"
    assert over["result_text"] == "three"


async def test_a_killed_controller_joins_a_question_of_a_group_again(fenced: Bench) -> None:
    """Recovery is not kept out by the fence."""
    async with fenced.killed() as call:
        started = await call.start(None, "sleep:1\nreply:late", **asked(fenced))
    async with fenced.connect() as call:
        over = await call.over(started)
        await call.free(started)
        _, then = await call.run(started["session_id"], "reply:next", **asked(fenced))
    assert (over["result_text"], then["result_text"]) == ("late", "next")
    assert not (fenced.workspace.parent / "mark").exists()
