"""How a simulated server begins: what waits for the bot, and how a login goes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

from channel_worker.simulator import cdn
from channel_worker.simulator.server import Simulator

LOGIN = ("wait", "scaned", "confirmed")


def friendly(simulator: Simulator) -> None:
    """Logins confirm themselves; one text and one picture wait."""
    simulator.world.standard_login = LOGIN
    simulator.world.say("hello")
    simulator.world.post([cdn.picture_item(simulator, small_png())])


def silent(simulator: Simulator) -> None:
    """Logins confirm themselves; nobody has written yet."""
    simulator.world.standard_login = LOGIN


def strict(simulator: Simulator) -> None:
    """Ten sends for each message, copies are shown, unread replies are gone."""
    silent(simulator)
    simulator.world.send_limit = 10
    simulator.world.drops_copies = False
    simulator.world.gives_again = False


SCENARIOS: dict[str, Callable[[Simulator], None]] = {
    "friendly": friendly,
    "silent": silent,
    "strict": strict,
}


def small_png() -> bytes:
    """A picture of one grey point."""
    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0\x80")), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
