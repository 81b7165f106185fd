"""Which process has a thread loaded, seen from outside and without touching its lock.

Codex holds an exclusive flock on `thread-writer-locks/<thread>.lock` as long as it
has the thread loaded (observed 2026-11, 0.169.0). Taking that lock to test it, even
shared, would make Codex report a writer; Linux lists holders by inode in /proc/locks.
"""

from __future__ import annotations

import os
import socket
import struct
from functools import cached_property
from pathlib import Path

PROBE_S = 0.2  # for a local connect; one that waits is not answering

_TABLE = Path("/proc/locks")


class Writers:
    """Holders of locks, as the kernel's table tells them when first asked.

    Only a thread with a lock file has one: to read the table may take 5 to 20 ms, for
    which the kernel waits until nobody changes it (2026-11).
    """

    def __init__(self, table: Path = _TABLE) -> None:
        self._table = table

    def of(self, home: Path, thread: str) -> int | None:
        """The process that has the thread loaded; None when none, or none is told."""
        try:
            found = (home / "thread-writer-locks" / f"{thread}.lock").stat()
        except OSError:
            return None
        return self._pids.get((found.st_dev, found.st_ino))

    @cached_property
    def _pids(self) -> dict[tuple[int, int], int]:
        """Process ids by device and inode; empty on systems that have no table."""
        try:
            lines = self._table.read_text().splitlines()
        except OSError:
            return {}
        pids: dict[tuple[int, int], int] = {}
        for line in lines:
            fields = line.split()
            if "FLOCK" not in fields or "WRITE" not in fields or "->" in fields:
                continue
            place = fields.index("WRITE")
            pid, where = fields[place + 1], fields[place + 2].split(":")
            device = os.makedev(int(where[0], 16), int(where[1], 16))
            pids[(device, int(where[2]))] = int(pid)
        return pids


def name_of(pid: int) -> str:
    """A few words that a person can recognise the process by."""
    try:
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        name = "another program"
    return f"{name} (process {pid})"


def daemon_socket(home: Path) -> Path:
    """Where the shared daemon of a home listens, when it runs (Codex 0.169.0)."""
    return home / "app-server-control" / "app-server-control.sock"


def own_socket(folder: Path) -> Path:
    """Where our own server listens, when it runs."""
    return folder / "codex.sock"


def short_path(where: Path) -> str:
    """What to connect to: Codex makes the path a link to a short one, and a socket's
    address holds 107 bytes."""
    return os.path.realpath(where)


def serving(where: Path) -> int | None:
    """The process behind a server's socket; None when nobody answers, or none is told."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(PROBE_S)
            probe.connect(short_path(where))
            return peer_pid(probe)
    except OSError:
        return None


def peer_pid(peer: socket.socket) -> int | None:
    """The process at the other end, where the system tells."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    raw = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", raw)[0])
