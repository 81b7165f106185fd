"""One Codex server process of ours: started, recorded, recognised, ended.

It outlives us on purpose, so its record is a file. A process id may be used again:
the record holds its start time too, and only a process that matches both is ours.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

import anyio

from bridge.codex import environment
from bridge.codex.model import Code, Refused
from bridge.wire import log as wire_log
from bridge.wire import place

TERM_S = 1.0  # SIGTERM ended a server in under 0.1 s (2026-11); then SIGKILL
LOOK_S = 0.02  # between two looks at a process that is ending
MAX_RECORD_BYTES = 64 * 1024  # ours has 0.2 kB

log = wire_log.get("process")


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of our server: enough to recognise it after our own death."""

    pid: int  # also its process group
    started: str
    binary: str  # fingerprint of the command it was started from


def start(command: tuple[str, ...], home: Path, folder: Path, socket: Path) -> Record:
    """Start a server in its own process group and record it.

    None of its standard streams is ours: an inherited stdout would make a dead
    controller look alive. Raises Refused(ENGINE_DOWN) when there is no such program.
    """
    program = shutil.which(command[0])
    if program is None:
        raise Refused(
            Code.ENGINE_DOWN,
            "the Codex CLI was not found: install it, or set CTB_CODEX_COMMAND",
        )
    argv = [program, *command[1:], "app-server", "--listen", f"unix://{socket}"]
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    errors = os.open(folder / "codex-server.log", flags, 0o600)
    try:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            cwd=home,
            env=environment.for_codex(os.environ, home),
            start_new_session=True,
        )
    except OSError as failed:
        raise Refused(Code.ENGINE_DOWN, "the Codex CLI could not be started") from failed
    finally:
        os.close(errors)
    record = Record(child.pid, start_mark(child.pid) or "", fingerprint(command))
    place.write_private(_record_path(folder), json.dumps(asdict(record)).encode())
    return record


def recorded(folder: Path) -> Record | None:
    """The server that was started last, if it still runs."""
    try:
        raw = place.read_private(_record_path(folder), MAX_RECORD_BYTES)
        record = Record(**json.loads(raw))
    except (FileNotFoundError, place.PlaceFault, ValueError, TypeError):
        return None
    return record if is_alive(record) else None


def is_alive(record: Record) -> bool:
    """Whether this very process runs; a child of ours that ended is reaped."""
    # One that an earlier controller started is no child of ours.
    with contextlib.suppress(ChildProcessError):
        os.waitpid(record.pid, os.WNOHANG)
    return start_mark(record.pid) == record.started


async def end(record: Record, folder: Path) -> None:
    """End the whole group: SIGTERM, then SIGKILL; the npm launcher passes on the first
    only. The record goes last."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(record.pid, sign)
        except (ProcessLookupError, PermissionError):
            break
        if await _is_gone_within(record, TERM_S):
            break
    _record_path(folder).unlink(missing_ok=True)


async def end_all(folder: Path, socket: Path) -> None:
    """End our server, recorded or not."""
    record = recorded(folder)
    if record is not None:
        await end(record, folder)
        log.info("server.ended", pid=record.pid)
    end_strays(socket)


def end_strays(socket: Path) -> None:
    """End what no record tells of: its controller was killed before it wrote one, or only
    the launcher that it names was ended.

    Known by the socket, which is nobody else's, on systems that have /proc.
    """
    told = f"unix://{socket}".encode()
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if told in entry.read_bytes().split(b"\0"):
                os.kill(int(entry.parent.name), signal.SIGKILL)
                log.warning("server.stray_ended", pid=int(entry.parent.name))


def fingerprint(command: tuple[str, ...]) -> str:
    """Changes when the program behind the command is replaced."""
    program = shutil.which(command[0])
    if program is None:
        return ""
    real = Path(program).resolve()
    found = real.stat()
    # npm gives every file the same date, so the inode is what moves there.
    return f"{real}:{found.st_size}:{found.st_mtime_ns}:{found.st_ino}"


def start_mark(pid: int) -> str | None:
    """When a process began, as the system writes it; None when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None if Path("/proc/self").exists() else _start_by_ps(pid)
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]


async def _is_gone_within(record: Record, seconds: float) -> bool:
    with anyio.move_on_after(seconds):
        while is_alive(record):  # noqa: ASYNC110  # a foreign process sets no event of ours
            await anyio.sleep(LOOK_S)
    return not is_alive(record)


def resident_bytes(pid: int | None) -> int | None:
    """Memory of a process, where the system tells."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def _start_by_ps(pid: int) -> str | None:
    """The same on systems without /proc."""
    argv = ["/bin/ps", "-o", "lstart=", "-p", str(pid)]
    found = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=5)
    return found.stdout.strip() or None


def _record_path(folder: Path) -> Path:
    return folder / "codex-server.json"
