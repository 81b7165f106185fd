"""An agent's words on the phone: by any MCP host, and by the real Codex CLI as the host.

Only WeChat and the model are ours here.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import to_thread
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from bridge.wire.scopes import FILE
from tests.e2e import rig
from tests.e2e.rig import House
from tests.fakes import codex_home, model

HOST = """
[mcp_servers.phone]
command = "{command}"
args = ["--client", "codex"]
startup_timeout_sec = {patience_s}
[mcp_servers.phone.env]
CTB_PROJECT_ROOT = "{root}"
"""


def allow(house: House, *scopes: str) -> None:
    path = house.data / FILE
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    granted = json.dumps(["status:read", "notify:owner", *scopes])
    path.write_text(f"[codex]\nscopes = {granted}\n")
    path.chmod(0o600)


async def test_note_and_question_of_a_host_reach_the_phone_and_the_answer_comes_back(
    house: House,
) -> None:
    """issue 5, point 12: the whole way, quoting the question included."""
    allow(house)
    await house.moves_in()
    await house.phone.asks("/help", "Commands:")
    env = rig.environment(house.folder) | house.settings
    server = StdioServerParameters(
        command=str(rig.BIN / "ctb-mcp"), args=["--client", "codex"], env=env
    )
    with anyio.fail_after(2 * rig.PATIENCE_S):
        async with stdio_client(server) as streams, ClientSession(*streams) as session:
            await session.initialize()
            await session.call_tool("note_owner", {"text": "the build is green ✓"})
            shown = await house.phone.reads("the build is green")
            assert shown == "▸ Note from codex:\nthe build is green ✓"

            options = ["Blue", "Red"]
            asked = await session.call_tool(
                "ask_owner", {"question": "Which colour?", "options": options}
            )
            number = {"id": (asked.structured_content or {})["id"]}
            shown = await house.phone.reads("Which colour?")
            assert "1. Blue\n2. Red" in shown
            found = await session.call_tool("ask_result", number)
            assert (found.structured_content or {})["state"] == "waiting"
            code = re.findall(r"/answer (\w+)", shown)[0]
            await house.phone.asks(f"/answer {code} 2", "Your answer is kept for codex.")
            found = await session.call_tool("ask_result", number)
            assert (found.structured_content or {})["answer"] == "Red"
            await house.phone.asks(f"/answer {code} 1", "No pending request has this code.")


async def test_offered_file_leaves_when_the_owner_asks_for_it(house: House) -> None:
    """issue 5, point 12: the gate at both ends, a truthful receipt, the very bytes."""
    allow(house, "artifact:offer")
    await house.moves_in()
    await house.phone.asks("/threads", "1. ")
    await house.phone.asks("/use 1", "Now using")
    await house.phone.asks("file:exports/first.txt=one", "I wrote exports/first.txt.")
    workspace = next(house.folder.rglob("exports"))
    plot = workspace / "plot.txt"
    plot.write_text("the plot")
    env = rig.environment(house.folder) | house.settings
    server = StdioServerParameters(
        command=str(rig.BIN / "ctb-mcp"), args=["--client", "codex"], env=env
    )
    with anyio.fail_after(2 * rig.PATIENCE_S):
        async with stdio_client(server) as streams, ClientSession(*streams) as session:
            await session.initialize()

            async def call(tool: str, **given: object) -> dict[str, Any]:  # Any: JSON
                return (await session.call_tool(tool, given)).structured_content or {}

            async def becomes(state: str) -> dict[str, Any]:  # Any: JSON
                while True:
                    found = await call("delivery_status", id=number)
                    if found["state"] == state:
                        return found
                    await anyio.sleep(rig.LOOK_S)  # nobody tells an agent

            for path, why in (
                ("/etc/passwd", "files may leave from"),
                ("plot.txt", "must be absolute"),
                (str(workspace / "none.txt"), "no such file"),
                (str(house.data / "logs" / "bridge.log"), "files may leave from"),
            ):
                refused = await call("send_file", path=path)
                assert (refused["id"], refused["state"]) == (0, "refused")
                assert why in refused["message"]
            assert not house.phone.count("codex has a file")

            number = (await call("send_file", path=str(plot), caption="as you asked"))["id"]
            shown = await house.phone.reads("codex has a file for you: plot.txt (8 B).")
            assert shown.endswith("as you asked")
            assert "leaves only when they ask for it" in (await becomes("offered"))["message"]
            assert not house.world.calls("getuploadurl")

            listed = await house.phone.asks("/artifacts", "Files of #1:")
            assert "plot.txt · 8 B · codex · ready" in listed
            house.phone.says("/sendfile 2")
            assert "The owner asked for your file." in (await becomes("delivered"))["message"]
            assert house.world.sent[-1].item["file_item"]["file_name"] == "plot.txt"
            await house.phone.asks("/artifacts", "1. first.txt")
            assert "plot.txt" not in house.phone.texts()[-1]


async def test_codex_itself_is_a_host_whose_model_leaves_a_note_in_its_turn(house: House) -> None:
    """issue 5, point 12: the real Codex CLI calls note_owner, and the phone shows it."""
    codex = codex_home.codex_binary()
    if codex is None:
        pytest.skip("no Codex CLI: set CODEX_BIN to one")
    allow(house)
    with model.running() as provider:
        home = codex_home.make(house.folder, provider.url)
        await to_thread.run_sync(_configure, home, house)
        house.settings["CTB_CODEX_COMMAND"] = codex
        del house.settings["CTB_CONTROLLER_COMMAND"]  # ours, over Codex
        workspace = house.folder / "kitchen"
        workspace.mkdir()
        thread = await to_thread.run_sync(
            codex_home.make_thread, home, workspace, "reply:this is kitchen"
        )
        await house.moves_in()
        await house.phone.asks(f"/bind {thread}", "Now using default")
        house.phone.says(
            'mcp:phone note_owner {"text": "the kitchen is clean"}\nreply:I left a note'
        )
        await house.phone.reads("▸ Note from codex:\nthe kitchen is clean", 3 * rig.PATIENCE_S)
        assert house.phone.count("the kitchen is clean") == 1
        await _until_answered(house)


def _configure(home: Path, house: House) -> None:
    with (home / "config.toml").open("a") as config:
        config.write(
            HOST.format(
                command=rig.BIN / "ctb-mcp", root=house.folder, patience_s=int(rig.PATIENCE_S)
            )
        )


async def _until_answered(house: House) -> None:
    """The answer goes before or after the note: they are two bubbles of two senders."""
    await house.simulator.until(lambda: house.phone.count("I left a note") == 1, rig.PATIENCE_S)
