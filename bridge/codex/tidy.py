"""What `status` and `doctor` need: our Codex server found, and ended when idle."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import anyio

from bridge.codex import appserver, process, writers
from bridge.codex.host import is_idle
from bridge.codex.model import EngineGone
from bridge.wire import place


async def end_idle(folder: Path, database: Path) -> dict[str, object]:
    """`{"server": "none" | "in_use" | "busy" | "ended", "pid", "memory_bytes"}`.

    One that a running controller uses, or that does not answer, is not ended.
    """
    record, socket = process.recorded(folder), writers.own_socket(folder)
    serving = writers.serving(socket)
    pid = record.pid if record is not None else serving
    if pid is None:
        return {"server": "none"}
    found: dict[str, object] = {"pid": pid, "memory_bytes": process.resident_bytes(serving)}
    if place.is_locked(database.with_name(database.name + ".lock")):
        return {"server": "in_use", **found}
    if await _is_idle(folder):
        await process.end_all(folder, socket)
        return {"server": "ended", **found}
    return {"server": "busy", **found}


async def _is_idle(folder: Path) -> bool:
    found = False
    with suppress(EngineGone):  # it does not answer: nobody can say
        async with (
            appserver.connect(writers.own_socket(folder)) as link,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(link.read, lambda *_: None, lambda *_: None)
            found = await is_idle(link)
            tasks.cancel_scope.cancel()
    return found
