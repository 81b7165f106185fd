"""How a simulated server begins: one small file for each scenario, ours or the caller's.

A file is TOML. All of it may be left out:

    login = ["wait", "scaned", "confirmed"]     the script of every code that has none
    [set]         values of the world, as `POST /set` of the admin API takes them;
                  `send_limit` is ten unless it is set
    [[message]]   what waits for the bot: `text`, `voice`, `file` with `content`,
                  `picture = true`, or `again = 1`: the newest message comes again; of all
                  but the last: `from` another person, in a `group`, `hours_ago`
    [[fail]]      what goes wrong, as `POST /fail` takes it
"""

from __future__ import annotations

import struct
import tomllib
import zlib
from pathlib import Path

from channel_worker.simulator import cdn
from channel_worker.simulator.server import Simulator
from channel_worker.simulator.world import SEND_LIMIT, Json

FOLDER = Path(__file__).with_name("scenario_files")
ENDING = ".toml"
SILK = b"\x02#!SILK_V3"  # how a voice message of WeChat begins
PARTS = ("login", "set", "message", "fail")


class NoScenario(Exception):
    """There is none of this name, or it cannot be played; the text is for the terminal."""


def names() -> list[str]:
    """The scenarios that come along."""
    return sorted(path.stem for path in FOLDER.glob(f"*{ENDING}"))


def play(simulator: Simulator, name: str) -> None:
    """Let the server begin as a scenario of ours says, or a file; raises NoScenario."""
    path = Path(name) if name.endswith(ENDING) else FOLDER / f"{name}{ENDING}"
    if path.parent == FOLDER and name not in names():
        listed = ", ".join(names())
        raise NoScenario(f"no scenario {name!r}: there are {listed}, and files that end in .toml")
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        _begin(simulator, found)
    except OSError as failed:
        raise NoScenario(f"the scenario {name} cannot be read: {failed.strerror}") from failed
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as wrong:
        raise NoScenario(f"the scenario {name} cannot be played: {wrong}") from wrong


def _begin(simulator: Simulator, scenario: Json) -> None:
    odd = [part for part in scenario if part not in PARTS]
    if odd:
        raise ValueError(f"{odd[0]!r} is not one of {', '.join(PARTS)}")
    world = simulator.world
    world.standard_login = tuple(scenario.get("login", ()))
    world.send_limit = SEND_LIMIT
    world.change(scenario.get("set", {}))
    for message in scenario.get("message", []):
        _post(simulator, dict(message))
    for fault in scenario.get("fail", []):
        simulator.fail(**fault)


def _post(simulator: Simulator, message: Json) -> None:
    if "again" in message:
        simulator.world.repeat(message["again"])
        return
    fields = {"ago_s": message.pop("hours_ago", 0) * 3600.0}
    for name, member in (("from", "from_user_id"), ("group", "group_id")):
        if name in message:
            fields[member] = message.pop(name)
    simulator.world.post([_item(simulator, message)], **fields)


def _item(simulator: Simulator, message: Json) -> Json:
    match message:
        case {"text": str(text)}:
            return {"type": 1, "text_item": {"text": text}}
        case {"voice": str(text)}:
            return cdn.voice_item(simulator, SILK, text)
        case {"file": str(name), "content": str(content)}:
            return cdn.file_item(simulator, name, content.encode())
        case {"picture": True}:
            return cdn.picture_item(simulator, small_png())
    raise ValueError(f"what is the message {message}?")


def small_png() -> bytes:
    """A picture of one grey point."""
    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0\x80")), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
