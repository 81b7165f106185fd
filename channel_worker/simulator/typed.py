"""What a line typed on the simulated phone does: words, or a file, a voice, a quote, the clock.

:file PATH          send this file; a picture goes as a picture
:voice TEXT         a voice message with this transcript; without TEXT, without one
:quote N TEXT       TEXT quotes the bot's N-th message from the end, by its id alone
:as USER TEXT       somebody else writes
:group ID TEXT      the owner writes in a group
:again N            the N-th message from the end comes once more, under another token
:clock +25h         the server's clock goes on: s, m, h or d
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from bridge.wire.filetype import HEAD_BYTES, type_of
from channel_worker.simulator import cdn
from channel_worker.simulator.scenarios import SILK
from channel_worker.simulator.server import Simulator

UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
HELP = (
    "lines of their own: :file PATH  :voice TEXT  :quote N TEXT  :as USER TEXT  "
    ":group ID TEXT  :again N  :clock +25h"
)


def enter(simulator: Simulator, line: str) -> str:
    """Do what the line says; a sentence where it cannot be done, else nothing."""
    if not line.startswith(":"):
        simulator.world.say(line)
        return ""
    verb, _, rest = line[1:].partition(" ")
    act = _VERBS.get(verb)
    if act is None:
        return HELP
    try:
        act(simulator, rest.strip())
    except (OSError, ValueError, IndexError) as failed:
        return f"{failed}; {HELP}"
    return ""


def _file(simulator: Simulator, rest: str) -> None:
    path = Path(rest).expanduser()
    content = path.read_bytes()
    is_picture = type_of(content[:HEAD_BYTES])[0].startswith("image/")
    item = (
        cdn.picture_item(simulator, content)
        if is_picture
        else cdn.file_item(simulator, path.name, content)
    )
    simulator.world.post([item])


def _voice(simulator: Simulator, rest: str) -> None:
    simulator.world.post([cdn.voice_item(simulator, SILK, rest)])


def _quote(simulator: Simulator, rest: str) -> None:
    number, text = rest.split(maxsplit=1)
    quoted = simulator.world.sent[-int(number)].message_id
    item = {"type": 1, "text_item": {"text": text}, "ref_msg": {"svr_id": quoted}}
    simulator.world.post([item])


def _as(simulator: Simulator, rest: str) -> None:
    user, text = rest.split(maxsplit=1)
    simulator.world.say(text, from_user_id=user)


def _group(simulator: Simulator, rest: str) -> None:
    group, text = rest.split(maxsplit=1)
    simulator.world.say(text, group_id=group)


def _again(simulator: Simulator, rest: str) -> None:
    simulator.world.repeat(int(rest or "1"))


def _clock(simulator: Simulator, rest: str) -> None:
    found = re.fullmatch(r"([+-]?\d{1,9})([smhd])", rest)
    if found is None:
        raise ValueError("no such time")
    simulator.world.clock_skew_s += int(found[1]) * UNITS_S[found[2]]
    simulator.world.wake()


_VERBS: dict[str, Callable[[Simulator, str], None]] = {
    "file": _file,
    "voice": _voice,
    "quote": _quote,
    "as": _as,
    "group": _group,
    "again": _again,
    "clock": _clock,
}
