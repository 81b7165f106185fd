"""What the desk commands print: lives of turns, what was given up, decisions, units."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from bridge import service
from bridge.wire import desk, env

_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def clock(at_ms: int) -> str:
    """A time as this computer's clock shows it."""
    return datetime.fromtimestamp(at_ms / 1000).astimezone().isoformat(" ", "milliseconds")


def since_ms(given: str) -> int:
    """`12h` as a time that long ago; "" is the beginning. Raises ValueError."""
    if not given:
        return 0
    found = re.fullmatch(r"([0-9]{1,6})([smhd])", given, re.ASCII)
    if found is None:
        raise ValueError(given)
    return time.time_ns() // 1_000_000 - int(found[1]) * _UNITS_S[found[2]] * 1000


def trace_lines(reply: desk.TraceReply) -> Iterator[str]:
    yield from reply.heading
    width = max((len(step.what) for step in reply.steps), default=0)
    for step in reply.steps:
        yield f"{clock(step.at_ms)}  {step.what:<{width}}  {step.detail}".rstrip()


def dead_lines(reply: desk.DeadReply) -> Iterator[str]:
    if not reply.given_up:
        yield "nothing was given up in the last 30 days"
        return
    for one in reply.given_up:
        of = f"turn {one.turn}{f' of {one.alias}' if one.alias else ''}" if one.turn else ""
        yield f"{one.name:<8} {clock(one.at_ms)}  {one.outcome:<8} {of}".rstrip()
    yield "ctb-bridge dead retry NAME  takes one up again,  dead drop NAME  lists it no longer"


def audit_line(line: desk.AuditLine, *, as_json: bool) -> str:
    if as_json:
        return json.dumps(asdict(line), ensure_ascii=False)
    about = f"turn {line.turn} " if line.turn else ""
    return (
        f"{clock(line.at_ms)}  {line.who:<6} {line.what}: {line.outcome}  {about}{line.subject}"
        f"  [{line.rule}]"
    )


def unit_lines(
    kind: str, process: str | None, data_dir: Path | None, given: env.Env
) -> Iterator[str]:
    """One unit whole, or each under the name of the file that it belongs in."""
    bin_dir = Path(sys.executable).parent
    folders = (given.text("PATH") or os.defpath).split(os.pathsep)
    path = os.pathsep.join(dict.fromkeys([str(bin_dir), *folders]))  # each once
    place = service.Place(bin_dir, given.project_root, data_dir, path)
    make = service.launchd if kind == "launchd" else service.systemd
    if process is not None:
        yield make(process, place).rstrip()
        return
    for name in service.PROCESSES:
        file = f"~/Library/LaunchAgents/ctb.{name}.plist"
        if kind == "systemd":
            file = f"~/.config/systemd/user/ctb-{name}.service"
        yield f"# ---- {file}\n#      ctb-bridge service print --{kind} {name} > {file}"
        yield make(name, place)
