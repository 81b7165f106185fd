"""The Codex server that ours starts: what it inherits, and what of its home is left alone."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import anyio

from tests.contract.controller.rig import Bench

SECRETS = {"ILINK_BOT_TOKEN": "secret", "PYTHONPATH": "/nowhere", "LD_PRELOAD": ""}


async def test_our_server_inherits_no_stream_no_secret_and_no_group(codex_bench: Bench) -> None:
    """R19; contract 3.1: an inherited stdout makes a dead controller look alive."""
    bench = codex_bench
    bench.extra |= SECRETS
    thread = bench.thread()
    async with bench.connect() as call:
        await call.run(thread, "reply:done")
        pid = bench.server_pid()
        assert pid is not None
        assert os.getpgid(pid) == pid != os.getpgid(bench.pids[-1])
        log = bench.home / "cross-thread-controller"
        for target in streams(pid):
            assert target == Path("/dev/null") or log in target.parents, target
        assert variables(pid).isdisjoint(SECRETS) and "CODEX_HOME" in variables(pid)


async def test_the_owners_settings_are_left_as_they_are(codex_bench: Bench) -> None:
    """issue 4, item 7: `plugins` and `apps` untouched; Codex itself may add its trust line."""
    bench = codex_bench
    config = bench.home / "config.toml"
    before = config.read_text()
    assert "plugins" in before and "apps" in before
    thread = bench.thread()
    async with bench.connect() as call:
        await call.run(thread, "reply:done")
        await call.run(None, "reply:new", cwd=str(bench.workspace))
    assert config.read_text().startswith(before.rstrip())


async def test_state_that_cannot_be_used_is_said_on_the_terminal_too(echo_bench: Bench) -> None:
    """R35: who starts the controller learns why it serves no tools, in one sentence."""
    folder = echo_bench.home / "cross-thread-controller"
    folder.mkdir(mode=0o700)
    (folder / "echo.sqlite3").write_text("this is no database, whatever its name says")
    errors = echo_bench.home / "stderr"
    hello = b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}\n'
    command = [sys.executable, "-c", "from bridge.codex.cli import main; main()"]
    with errors.open("wb") as sink:
        await anyio.run_process(
            [*command, "--engine", "echo"], input=hello, stderr=sink, env=echo_bench.environment()
        )
    told = errors.read_text()
    assert told.count("\n") == 1 and "its database is damaged: move it away" in told


def streams(pid: int) -> list[Path]:
    return [Path(f"/proc/{pid}/fd/{number}").readlink() for number in range(3)]


def variables(pid: int) -> set[str]:
    raw = Path(f"/proc/{pid}/environ").read_bytes()
    return {item.partition(b"=")[0].decode() for item in raw.split(b"\0") if item}
