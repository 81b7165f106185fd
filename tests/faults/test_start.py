"""How the bridge starts where something is in the way, and what it then leaves alone."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.recorder import THREAD
from tests.faults.rig import Conditions, Launcher, Rig, empty_gateway, gateway

WRONG_USE, RUNNING, UNTRUSTED = 2, 4, 5  # exit codes of design 8


@pytest.fixture
async def rig(launcher: Launcher) -> AsyncIterator[Rig]:
    async with empty_gateway(launcher, Conditions()) as rig:
        yield rig


def garbage(path: Path) -> None:
    path.write_bytes(os.urandom(64 * 1024))


def cut_in_half(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA application_id = 0x43544231")
        database.execute("CREATE TABLE t (x TEXT)")
        database.executemany("INSERT INTO t VALUES (?)", [("x" * 3000,)] * 40)
        database.commit()
    os.truncate(path, path.stat().st_size // 2)


def foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE somebody_elses (x TEXT)")
        database.commit()


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA application_id = 0x43544231")
        database.execute("PRAGMA user_version = 9999")
        database.execute("CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
        database.commit()


def empty(path: Path) -> None:
    path.touch()


def without_its_file(path: Path) -> None:
    path.with_name(f"{path.name}-wal").write_bytes(b"what was not written back")


@pytest.mark.parametrize("spoil", [garbage, cut_in_half, foreign, newer, empty, without_its_file])
async def test_untrusted_database_is_left_alone_and_nothing_is_fetched(
    rig: Rig, spoil: Callable[[Path], None]
) -> None:
    """F65, R39: safe mode stays up, says why, gives `poll: false`, and ends with 5."""
    state = rig.folder / "data/state"
    state.mkdir(mode=0o700)
    database = state / "bridge.sqlite3"
    spoil(database)
    before = contents(state)
    rig.world.say("hello")
    rig.start_bridge()
    rig.start_worker()
    await rig.until_terminal_says("safe mode")
    await rig.until_worker_is_linked()
    assert "safe mode" in (await rig.status()).lines[0]
    assert await rig.stop() == (UNTRUSTED, 0)
    assert not rig.world.calls("getupdates")
    assert contents(state) == before


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param("ALTER TABLE inbox RENAME TO gone", id="count-boot-of-messages"),
        pytest.param("ALTER TABLE turn RENAME TO gone", id="count-boot-of-turns"),
        pytest.param("ALTER TABLE outbox RENAME TO gone", id="clamp"),
        pytest.param("ALTER TABLE account RENAME COLUMN owners TO gone", id="door"),
        pytest.param("ALTER TABLE outbox RENAME COLUMN text TO gone", id="attempts-under-way"),
        pytest.param("ALTER TABLE turn RENAME COLUMN result TO gone", id="busy-threads"),
    ],
)
async def test_state_that_fails_while_it_is_read_at_boot_is_safe_mode(rig: Rig, spoil: str) -> None:
    """delivery-semantics 3, F63: whichever statement it is, the bridge stays up and says so."""
    rig.start_bridge()
    await rig.until_terminal_says("ready")
    await rig.status()  # then signals are heard too
    os.kill(rig.bridge, signal.SIGTERM)
    assert await rig.ended(rig.bridge) == 0
    with closing(sqlite3.connect(rig.folder / "data/state/bridge.sqlite3")) as database:
        database.execute(spoil)
        database.commit()
    rig.world.say("hello")
    rig.start_bridge()
    rig.start_worker()
    await rig.until_terminal_says("safe mode")
    await rig.until_worker_is_linked()
    assert "safe mode" in (await rig.status()).lines[0]
    assert await rig.stop() == (UNTRUSTED, 0)
    assert not rig.world.calls("getupdates")


async def test_second_bridge_ends_with_4_and_leaves_the_first_alone(launcher: Launcher) -> None:
    """F69: the lock file tells them apart; the first goes on."""
    async with gateway(launcher, Conditions()) as rig:
        first = rig.bridge
        rig.start_bridge()
        assert await rig.ended(rig.bridge) == RUNNING
        assert "already running" in rig.terminal()
        rig.bridge = first
        rig.world.say("hello")
        await rig.until_shown("answer to hello")


async def test_left_over_socket_is_replaced(rig: Rig) -> None:
    """F71: nobody answers on it and the lock is ours, so it goes."""
    run = rig.folder / "data/run"
    run.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(run / "bridge.sock"))
    rig.start_bridge()
    await rig.until_terminal_says("ready")


async def test_other_file_in_the_place_of_the_socket_is_not_removed(rig: Rig) -> None:
    """F71, R13: what is no socket is not ours to remove."""
    run = rig.folder / "data/run"
    run.mkdir(mode=0o700)
    (run / "bridge.sock").write_text("mine")
    rig.start_bridge()
    assert await rig.ended(rig.bridge) == WRONG_USE
    assert (run / "bridge.sock").read_text() == "mine"


async def test_socket_path_that_the_system_would_cut_is_refused(rig: Rig) -> None:
    """R13: the sentence names the variable, nothing falls back to another folder."""
    rig.start_bridge(CTB_SOCKET=str(rig.folder / ("s" * 120)))
    assert await rig.ended(rig.bridge) == WRONG_USE
    assert "CTB_SOCKET" in rig.terminal()


async def test_folder_that_others_may_enter_is_refused(rig: Rig) -> None:
    """R13: `data/run` is ours alone, or nothing starts."""
    run = rig.folder / "data/run"
    run.mkdir()
    run.chmod(0o755)
    (run / "something").touch()
    rig.start_bridge()
    assert await rig.ended(rig.bridge) == WRONG_USE
    assert "chmod 700" in rig.terminal()


async def test_missing_controller_is_told_on_the_phone_and_nothing_is_lost(rig: Rig) -> None:
    """issue 2, bad input: the phone is polled and told all the same."""
    rig.start_worker()
    rig.start_bridge(CTB_CONTROLLER_COMMAND="/nowhere/controller")
    rig.world.say("/bind thread-0001")
    await rig.until_shown("Now using default")
    rig.world.say("hello")
    await rig.until_shown("Codex cannot be reached")
    os.kill(rig.bridge, 9)
    await rig.ended(rig.bridge)
    rig.start_bridge()
    await rig.until_shown("answer to hello")


async def test_message_while_the_controller_comes_up_is_not_told_that_it_is_away(
    rig: Rig,
) -> None:
    """Ours: the first connection is waited for up to its own deadline."""
    slow = [sys.executable, "-m", "tests.faults.recorder", str(rig.recorder), "late:6"]
    rig.start_worker()
    rig.start_bridge(CTB_CONTROLLER_COMMAND=json.dumps(slow))
    rig.world.say(f"/bind {THREAD}")
    await rig.until_shown("Now using default")
    rig.world.say("hello")
    await rig.until_shown("answer to hello")
    assert not [sent.text for sent in rig.world.sent if "reached" in sent.text]
    assert await rig.stop() == (0, 0)
