"""The SDK's client without its servers: what comes along, and what others get afterwards."""

from __future__ import annotations

import subprocess
import sys

import pytest

SERVERS = ("starlette", "uvicorn", "httpx2", "cryptography", "sse_starlette")


def printed(program: str) -> str:
    """What this program prints, in a process that has imported nothing yet."""
    command = [sys.executable, "-c", program]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_client_brings_no_server_along() -> None:
    """design 9: resident memory."""
    loaded = printed("import bridge.links.sdk, sys; print(*sys.modules)").split()
    assert "mcp.client.session" in loaded
    assert not set(SERVERS) & set(loaded)
    assert not {"mcp", "mcp.client", "mcp.shared"} & set(loaded)  # nothing stands in any more


@pytest.mark.parametrize("first", ["bridge.links.sdk", "mcp"])
def test_whoever_imports_the_sdk_gets_it_whole_and_the_same(first: str) -> None:
    """Ours: one class of sessions in one process, whichever came first."""
    second = "mcp" if first != "mcp" else "bridge.links.sdk"
    said = printed(
        f"import {first}, {second}, bridge.links.sdk as ours\n"
        "import mcp, mcp.types, mcp.server.lowlevel\n"
        "print(mcp.ClientSession is ours.ClientSession, ours.Implementation is mcp.Implementation)"
    )
    assert said == "True True"


def test_an_sdk_of_another_build_is_imported_as_it_is() -> None:
    """Ours: the names are the SDK's own affair; where they moved, its package is asked."""
    said = printed(
        "import importlib.util as u, sys\n"
        "found = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'mcp' else found(name, *a)\n"
        "import bridge.links.sdk as ours, mcp\n"
        "print(ours.ClientSession is mcp.ClientSession)"
    )
    assert said == "True"
