"""`ctb-mcp` as the MCP Inspector sees it: a host that is not the SDK which serves it."""

from __future__ import annotations

import json
import os
import shutil
from typing import Any

import anyio
import pytest

from bridge.wire.scopes import SCOPES
from tests.contract.facade_rig import BIN, LIMIT_S, Ground
from tests.contract.test_facade import TOOLS
from tests.contract.test_facade import ground as ground  # the fixture

INSPECTOR = os.environ.get("INSPECTOR_BIN") or shutil.which("mcp-inspector-cli")
NOTE = ("tools/call", "--tool-name", "note_owner", "--tool-arg", "text=hello")
pytestmark = pytest.mark.skipif(
    INSPECTOR is None, reason="no MCP Inspector: set INSPECTOR_BIN to mcp-inspector-cli"
)


async def inspect(ground: Ground, client: str, *method: str) -> Any:  # Any: JSON of the host
    """What the Inspector prints; `--method` and `--tool-arg` take all words behind them."""
    env = [word for pair in ground.env.items() for word in ("-e", "=".join(pair))]
    server = [str(BIN / "ctb-mcp"), "--client", client]
    command = [str(INSPECTOR), "--cli", *env, *server, "--method", *method]
    with anyio.fail_after(LIMIT_S):
        done = await anyio.run_process(command, check=False)
    assert done.stdout, done.stderr.decode()
    return json.loads(done.stdout)


async def test_inspector_lists_and_calls_what_the_scopes_grant(ground: Ground) -> None:
    """issue 5, point 12; R33: by a client with every scope, and by one that has no table."""
    ground.allow(codex=list(SCOPES))
    async with ground.bridge(), ground.worker() as peer:
        await ground.writes(peer, 1, "/lang en")
        await ground.until_sent("English")
        for client, granted in (("codex", set(SCOPES)), ("cursor", {"status:read"})):
            listed = (await inspect(ground, client, "tools/list"))["tools"]
            assert {tool["name"] for tool in listed} == {
                n for n, s in TOOLS.items() if s in granted
            }
            assert all(tool["inputSchema"]["type"] == "object" for tool in listed)
        queued = (await inspect(ground, "codex", *NOTE))["structuredContent"]
        assert queued["id"] and queued["state"] == "queued"
        assert (await ground.until_sent("hello")).text == "▸ Note from codex:\nhello"
        refused = await inspect(ground, "cursor", *NOTE)
        assert refused["isError"] and refused["content"][0]["text"].startswith("unknown_tool: ")
