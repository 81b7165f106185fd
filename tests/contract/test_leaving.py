"""How the processes that we start are ended: in order, in time, and for certain."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from anyio.abc import Process

from bridge import demo
from bridge.links import child

MARGIN_S = 0.1  # for everything that no bound is set for
LIMIT_S = 10.0
# A bridge whose controller takes all the time that it may, and then is killed.
SLOW = f"""
import signal, sys, time
def end(*_):
    time.sleep({child.END_BY_ITSELF_S + child.END_BY_TERM_S})
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("up", flush=True)
while True:
    signal.pause()
"""
# A controller that hears nothing.
DEAF = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(sys.argv[1], "w").write(str(os.getpid()))
while True:
    time.sleep(60)
"""


def test_bounds_of_leaving_fit_into_one_another() -> None:
    """issue: all of the leaving takes 3 s; what the bridge may need lies within."""
    bridge_s = child.END_BY_ITSELF_S + child.END_BY_TERM_S
    assert demo.STOP_TURNS_S + bridge_s + MARGIN_S <= demo.LEAVE_S


async def test_bridge_that_still_ends_its_controller_is_not_killed(tmp_path: Path) -> None:
    """issue: no child is left; a bridge that is killed would leave its controller behind."""
    bridge = await started(SLOW)
    with anyio.fail_after(LIMIT_S):
        await demo.leave(tmp_path / "bridge.sock", {"bridge": bridge})
    assert bridge.returncode == 0
    await bridge.aclose()


async def test_controller_that_hears_neither_eof_nor_sigterm_is_killed(tmp_path: Path) -> None:
    """delivery-semantics 11: ended for certain, within what the stop of the bridge allows."""
    told = tmp_path / "pid"
    command = [sys.executable, "-c", DEAF, str(told)]
    with anyio.fail_after(LIMIT_S):
        async with child.controller_process(command, {}, tmp_path / "errors") as running:
            while not told.exists() or not told.read_text():  # noqa: ASYNC110  # another process
                await anyio.sleep(0.02)
            assert not running.gone.is_set()
    with pytest.raises(ProcessLookupError):
        os.kill(int(told.read_text()), 0)


async def started(program: str) -> Process:
    process = await anyio.open_process(
        [sys.executable, "-c", program], stdin=subprocess.DEVNULL, start_new_session=True
    )
    assert process.stdout is not None
    with anyio.fail_after(LIMIT_S):
        assert (await process.stdout.receive()).startswith(b"up")
    return process
