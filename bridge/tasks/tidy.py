"""Lets go, once a day, of files and audit lines that nobody needs any more.

The rows say first that a file is gone, then it goes: a crash in between leaves a file
that no message knows, and the next day finds it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import anyio
from anyio import to_thread

from bridge.core.errors import StoreFault
from bridge.core.retention import AUDIT_KEPT_MS, DAY_MS, Stored, outlived
from bridge.store import attachments, audit
from bridge.tasks.state import Shared
from bridge.wire import log

FIRST_S = 600.0  # a start has better things to do
DAY_S = DAY_MS / 1000

_log = log.get("tidy")


async def keep_tidy(shared: Shared, folder: Path, first_s: float = FIRST_S) -> None:
    """Once a day, for ever."""
    await anyio.sleep(first_s)
    while True:
        try:
            await _tidy(shared, folder)
        except (StoreFault, OSError) as failed:
            _log.warning("tidy.failed", why=type(failed).__name__)
        await anyio.sleep(DAY_S)


async def _tidy(shared: Shared, folder: Path) -> None:
    year_ago_ms = shared.now_ms() - AUDIT_KEPT_MS
    await shared.db.run(lambda: audit.let_go(year_ago_ms))
    files = await to_thread.run_sync(_listed, folder)
    going = await shared.db.run(partial(_let_go, folder, files, shared.now_ms()))
    if going:
        await to_thread.run_sync(_remove, folder, going)
        _log.info("tidy.done", files=len(going))


def _let_go(folder: Path, files: Sequence[Stored], now_ms: int) -> tuple[str, ...]:
    """One transaction: no turn can begin to name a file between the look and the word."""
    going = outlived(files, *attachments.needed(f"{folder}/"), now_ms)
    attachments.let_go([f"{folder}/{at}" for at in going])
    return going


def _listed(folder: Path) -> list[Stored]:
    """Every file below the folder; links are named, never followed."""
    found: list[Stored] = []
    for place, _folders, names in os.walk(folder):
        for name in names:
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
