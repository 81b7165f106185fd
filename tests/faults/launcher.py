"""Starts the real bridge and worker with the fault points armed; nothing in the product can.

    python -m tests.faults.launcher

It imports everything once and forks a process for each line of JSON on its stdin, so that
a restart costs milliseconds instead of imports:

    {"start": "bridge", "env": {...}, "terminal": PATH, "orders": PATH}  ->  {"pid": 4711}
    {"wait": 4711}  ->  {"code": -9}

What runs in the fork is the command itself: `ctb-bridge run`, `ctb-channel run`. But
`bridge.tasks.points.reach` has been replaced: at each point the arrival is noted in
`ORDERS.reached`, and ORDERS is looked into, a file that a test may write at any time:

    {"serial": 3, "point": "T5", "arrival": 1, "victims": [4711], "ends_itself": true}

At that arrival, counted from the first sight of the serial, the victims get SIGKILL, and
then this process too if the order says so. An order strikes once: its file goes before.
With `"keeps": true` it strikes at every start of the bridge until the test takes it away.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from bridge.tasks import points

HASTY_S = 0.1  # the product waits longer for one that dies again and again
HASTY_REPEAT_MS = (500, 6_000)  # the product: 5 s, 60 s

Json = dict[str, Any]  # Any: orders and commands of a test


class Rehearsal:
    """A `reach` that does what the orders say."""

    def __init__(self, orders: Path) -> None:
        self._orders = orders
        self._reached = orders.with_name(orders.name + ".reached")
        self._serial = 0
        self._arrivals = 0

    def reach(self, point: points.Point | points.FilePoint) -> None:
        with self._reached.open("a") as out:
            out.write(f"{point}\n")
        with suppress(FileNotFoundError):
            self._obey(json.loads(self._orders.read_bytes()), point)

    def _obey(self, order: Json, point: points.Point | points.FilePoint) -> None:
        if order["serial"] != self._serial:
            self._serial, self._arrivals = order["serial"], 0
        if order["point"] != point:
            return
        self._arrivals += 1
        if self._arrivals == order["arrival"]:
            if not order["keeps"]:
                self._orders.unlink()
            self._strike(order)

    def _strike(self, order: Json) -> None:
        for victim in order["victims"]:
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        if order["ends_itself"]:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    rehearsal: list[Rehearsal] = []  # filled in the fork, which knows its orders
    vars(points)["reach"] = lambda point: rehearsal[0].reach(point)
    commands = _import_everything()
    for line in sys.stdin:
        asked = json.loads(line)
        if "wait" in asked:
            _say({"code": os.waitstatus_to_exitcode(os.waitpid(asked["wait"], 0)[1])})
            continue
        pid = os.fork()
        if pid == 0:
            rehearsal.append(Rehearsal(Path(asked["orders"])))
            _become(asked, commands[asked["start"]])
        _say({"pid": pid})


def _import_everything() -> dict[str, Callable[[list[str]], object]]:
    import mcp
    import mcp.types  # noqa: F401

    import bridge.app
    import bridge.core.sending
    import bridge.desk
    import bridge.links.link
    import bridge.store.db
    import bridge.tasks.dispatch
    import bridge.tasks.door
    from bridge.cli import main as bridge_command
    from channel_worker import link
    from channel_worker.cli import main as channel_command

    vars(link)["MAX_DELAY_S"] = HASTY_S
    vars(bridge.core.sending).update(REPEAT_MS=HASTY_REPEAT_MS, NOT_SENT_FIRST_MS=200)
    vars(bridge.links.link).update(BACKOFF_FIRST_S=HASTY_S, BACKOFF_LAST_S=HASTY_S)
    return {"bridge": bridge_command, "worker": channel_command}


def _become(asked: Json, command: Callable[[list[str]], object]) -> None:
    """This fork is the asked process from here on."""
    os.environ.clear()
    os.environ.update(asked["env"])
    nothing = os.open(os.devnull, os.O_RDONLY)
    terminal = os.open(asked["terminal"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for fd, standard in ((nothing, 0), (terminal, 1), (terminal, 2)):
        os.dup2(fd, standard)
    command(["run"])


def _say(answer: Json) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
