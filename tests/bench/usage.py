"""What a process has used, as the kernel tells it.

Linux only (`/proc`); elsewhere these rows are left out by the caller.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

_PROC = Path("/proc")
IS_MEASURABLE = (_PROC / "self" / "stat").exists()
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")  # how finely the kernel counts CPU time


def cpu_s(pids: Iterable[int]) -> float:
    """User and system time of these processes, without their children, in seconds."""
    ticks = 0
    for pid in pids:
        # The name in parentheses may hold blanks: count the fields after it.
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks * _TICK_S


def resident_mib(pid: int) -> float:
    """VmRSS in MiB."""
    status = (_PROC / str(pid) / "status").read_text()
    return int(status.partition("VmRSS:")[2].split(None, 1)[0]) / 1024


def children(pid: int) -> list[int]:
    """The processes that this one has started."""
    listed = (_PROC / str(pid) / "task" / str(pid) / "children").read_text()
    return [int(child) for child in listed.split()]
