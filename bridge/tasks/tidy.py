"""Lets go, once a day, of files, copies of them and rows that nobody needs any more.

The rows say first that a file is gone, then it goes: a crash in between leaves a file
that no row knows, and the next day finds it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeAlias

import anyio
from anyio import to_thread

from bridge.core.errors import StoreFault
from bridge.core.retention import DAY_MS, Kind, Stored, outlived
from bridge.store import artifacts, retention
from bridge.store import attachments as store
from bridge.tasks.state import Shared
from bridge.wire import log
from bridge.wire.place import GITIGNORE

FIRST_S = 600.0  # a start has better things to do
DAY_S = DAY_MS / 1000
PAUSE_S = 0.05  # some ten times as long as a slice takes
_LetGo: TypeAlias = Callable[[Path, Sequence[Stored], int], tuple[str, ...]]

_log = log.get("tidy")


async def keep_tidy(
    shared: Shared, attachments: Path, staging: Path, first_s: float = FIRST_S
) -> None:
    """Once a day, for ever."""
    await anyio.sleep(first_s)
    while True:
        for folder, let_go in ((attachments, _let_go), (staging, _let_go_copies)):
            try:
                await _tidy(shared, folder, let_go)
            except (StoreFault, OSError) as failed:
                _log.warning("tidy.failed", why=type(failed).__name__)
        for kind in Kind:
            try:
                await _let_rows_go(shared, kind)
            except StoreFault:
                _log.warning("tidy.failed", why="StoreFault", kind=kind)
        await anyio.sleep(DAY_S)


def clear(staging: Path) -> None:
    """At boot, when nobody copies: what a crash has left in the staging folder goes (F21)."""
    names = [path.name for path in staging.iterdir() if path.name != GITIGNORE]
    found = artifacts.strays(names)
    for name in found:
        with suppress(OSError):  # not ours to remove: a folder
            (staging / name).unlink()
    if found:
        _log.info("staging.cleared", files=len(found))


async def _let_rows_go(shared: Shared, kind: Kind) -> None:
    """Slice by slice, with a pause between: a message never waits for more than one."""
    gone, after = 0, 0
    while True:
        found = await shared.db.run(partial(retention.let_go, kind, after, shared.now_ms()))
        gone += found.gone
        if found.last is None:
            break
        after = found.last
        await anyio.sleep(PAUSE_S)
    if gone:
        _log.info("tidy.rows", kind=kind, rows=gone)


async def _tidy(shared: Shared, folder: Path, let_go: _LetGo) -> None:
    files = await to_thread.run_sync(_listed, folder)
    going = await shared.db.run(partial(let_go, folder, files, shared.now_ms()))
    if going:
        await to_thread.run_sync(_remove, folder, going)
        _log.info("tidy.done", folder=folder.name, files=len(going))


def _let_go_copies(_folder: Path, files: Sequence[Stored], now_ms: int) -> tuple[str, ...]:
    """As `_let_go`, for copies: one that no unfinished bubble carries goes after a day."""
    going = outlived(files, {}, artifacts.needed(), now_ms)
    artifacts.let_go(going)
    return going


def _let_go(folder: Path, files: Sequence[Stored], now_ms: int) -> tuple[str, ...]:
    """One transaction: no turn can begin to name a file between the look and the word."""
    going = outlived(files, *store.needed(f"{folder}/"), now_ms)
    store.let_go([f"{folder}/{at}" for at in going])
    return going


def _listed(folder: Path) -> list[Stored]:
    """Every file below the folder but GITIGNORE; links are named, never followed."""
    found: list[Stored] = []
    for place, _folders, names in os.walk(folder):
        for name in set(names) - {GITIGNORE}:
            path = Path(place, name)
            with suppress(FileNotFoundError):
                changed_ms = path.lstat().st_mtime_ns // 1_000_000
                found.append(Stored(str(path.relative_to(folder)), changed_ms))
    return found


def _remove(folder: Path, going: Sequence[str]) -> None:
    for at in going:
        (folder / at).unlink(missing_ok=True)
    for day in {(folder / at).parent for at in going} - {folder}:
        with suppress(OSError):  # not empty
            day.rmdir()
