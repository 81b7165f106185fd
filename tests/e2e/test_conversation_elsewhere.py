"""A thread in other hands, a network that is down, servers with names: the real Codex CLI."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import pytest

from tests.e2e import rig
from tests.e2e.desk import Desk, over_codex
from tests.fakes import codex_home

FREED_S = 30.0  # a look at the lock every 3 s, a turn, and shared cores
HASTY = """
from bridge.codex import cli, codex, joined
joined.STALLED_S, codex.CALM_S = 2.0, 0.5
cli.main()
"""
OFFLINE_S = 60.0  # Codex tries a few times before it waits for the network


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with over_codex() as made:
        yield made


async def test_message_waits_for_a_thread_elsewhere_and_is_sent_when_it_is_free(
    desk: Desk,
) -> None:
    """issue 4, item 3: told once, no model turn meanwhile, and kill -9 changes nothing."""
    thread = await desk.thread("quay")
    await desk.phone.asks(f"/bind {thread}", "Now using default")
    requests = desk.model.seen.requests
    with codex_home.foreign_server(desk.home, thread):
        await desk.phone.asks("hello from afar", "default is open at the desk, in codex")
        assert "open elsewhere: codex" in await desk.phone.asks("/threads", "Recent threads")
        assert "The thread is open in codex" in await desk.phone.asks("/status", "waits for")
        found = rig.processes(desk.house.folder)
        for pid in (pid for pid, words in found.items() if "ctb-bridge run" in words):
            os.kill(pid, signal.SIGKILL)
        desk.house.opens("ctb-bridge", "run")
        await desk.house.is_healthy()
        await desk.phone.asks("/queue", "waits for the thread")
        assert desk.model.seen.requests == requests
    await desk.phone.reads("echo: hello from afar", FREED_S)
    assert desk.phone.count("is open at the desk") == 1
    assert desk.turns(thread) == 2


async def test_fork_takes_along_what_waits_for_a_thread_elsewhere(desk: Desk) -> None:
    """issue 4, item 3: the messages wait unless /fork or /cancel; their order stays."""
    thread = await desk.thread("pier")
    await desk.phone.asks(f"/add pier {thread}", "pier is")
    await desk.phone.asks("/use pier", "Now using pier")
    with codex_home.foreign_server(desk.home, thread):
        await desk.phone.asks("one", "pier is open at the desk, in codex")
        desk.phone.says("two")
        await desk.phone.asks("/recover pier", "no lock is left over")
        await desk.phone.asks("/fork pier", "Messages that waited go there: 2")
        await desk.phone.reads("echo: one")
        await desk.phone.reads("echo: two")
    assert desk.turns(thread) == 1


async def test_turn_of_the_shared_daemon_is_joined_and_named(desk: Desk) -> None:
    """issue 4, items 2 and 7: the TUI's own server has the thread; /status names its version."""
    thread = await desk.thread("dock")
    socket = desk.home / "app-server-control" / "app-server-control.sock"
    socket.parent.mkdir()
    with codex_home.server(desk.home, "--listen", "unix://"):
        with anyio.fail_after(rig.PATIENCE_S):
            while not socket.exists():  # noqa: ASYNC110  # another process makes it
                await anyio.sleep(rig.LOOK_S)
        await desk.phone.asks(f"/bind {thread}", "Now using default")
        await desk.phone.asks("through the daemon", "echo: through the daemon")
        shown = await desk.phone.asks("/status", "shared daemon 0.")
        assert " MB" in shown and "own server" not in shown


async def test_file_change_outside_is_shown_from_the_folder_and_allowed_once(desk: Desk) -> None:
    """issue 4, item 4: paths and a diff summary on the phone; R35: no home."""
    await desk.phone.asks(f"/bind {await desk.thread('cove')}", "Now using default")
    with TemporaryDirectory(dir="/var/tmp", prefix="ctb-test-") as outside:  # no sandbox's /tmp
        made = Path(outside) / "new.txt"
        asked = await desk.phone.asks(f"write:{made}\nreply:written", "/approve")
        assert "wants to change these files" in asked
        assert f"add ../../..{made} (+1 -0)" in asked.splitlines()
        assert not made.exists()
        code = asked.split("/approve ")[1].split()[0]
        await desk.phone.asks(f"/approve {code}", "written")
        assert made.read_text() == "one line\n"


async def test_turn_without_network_waits_in_words_and_can_be_stopped(desk: Desk) -> None:
    """issue 4, item 7: Codex never fails such a turn by itself."""
    await desk.phone.asks(f"/bind {await desk.thread('isle')}", "Now using default")
    await desk.phone.asks("before", "echo: before")
    assert "own server 0." in await desk.phone.asks("/status", " MB")
    desk.model.close()
    desk.phone.says("reply:never")
    await desk.house.is_typing()
    waited = ""
    with anyio.move_on_after(OFFLINE_S):
        while "waits for the network" not in waited:
            waited = await desk.phone.asks("/status", "running")
            await anyio.sleep(0.5)  # nothing tells the phone by itself
    assert "waits for the network and goes on by itself" in waited
    await desk.phone.asks("/stop", "is stopped")


async def test_turn_without_a_sign_of_life_is_said_to_be_stuck() -> None:
    """issue 4, item 7: with the next step; ten minutes are two seconds here."""
    async with over_codex(CTB_CONTROLLER_COMMAND=json.dumps([sys.executable, "-c", HASTY])) as desk:
        await desk.phone.asks(f"/bind {await desk.thread('moor')}", "Now using default")
        desk.phone.says("hang")
        await desk.house.is_typing()
        told = ""
        with anyio.move_on_after(OFFLINE_S):
            while "no sign of life" not in told:
                told = await desk.phone.asks("/status", "running")
                await anyio.sleep(0.5)  # nothing tells the phone by itself
        assert "it may be stuck: /stop, then /retry" in told
        await desk.phone.asks("/stop", "is stopped")
        await desk.phone.asks("reply:fine again", "fine again")
