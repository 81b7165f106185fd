"""Canaries in every field that WeChat may fill: they never turn up where people look."""

from __future__ import annotations

import json
import signal
import sqlite3
from contextlib import closing

from channel_worker.simulator import cdn
from channel_worker.simulator.scenarios import small_png
from tests.e2e.rig import PATIENCE_S, House

BIRD = "CANARY"  # every made-up secret holds it; so does no word of ours


def dump(house: House) -> dict[str, str]:
    """Every table of the bridge's database as text."""
    with closing(sqlite3.connect(house.data / "state" / "bridge.sqlite3")) as db:
        tables = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        rows = {name: db.execute(f'SELECT * FROM "{name}"').fetchall() for (name,) in tables}  # noqa: S608  # names of the schema
        return {name: repr(found) for name, found in rows.items()}


def reply(**fields: object) -> bytes:
    return json.dumps({"debug": f"{BIRD}-unknown-field", **fields}).encode()


async def test_no_secret_of_any_reply_is_ever_shown_or_kept_elsewhere(house: House) -> None:
    """R3, R18, R21, I6; issue 3, item 9: logs at debug, terminals, chat, status, database."""
    world, simulator = house.world, house.simulator
    world.token = f"{world.bot_id}:{BIRD}-bot-token"
    bridge, worker = await house.moves_in(CTB_LOG_LEVEL="debug")
    world.say("/threads", context_token=f"{BIRD}-context-1")
    await house.phone.reads("1. ")
    await house.phone.asks("/use 1", "Now using")

    simulator.fail("getconfig", "body", body=reply(ret=0, typing_ticket=f"{BIRD}-ticket"))
    simulator.fail("sendtyping", "body", body=reply(ret=-9, errmsg=f"{BIRD}-typing-errmsg"))
    simulator.fail("getupdates", "body", body=reply(ret=0, errmsg=f"{BIRD}-e", msgs=f"{BIRD}-m"))
    simulator.fail("getupdates", "body", body=f"<html>{BIRD}-html</html>".encode())
    simulator.fail("sendmessage", "body", body=reply(ret=-2, errmsg=f"{BIRD}-send-errmsg"))
    simulator.fail("sendmessage", "body", body=f"{BIRD}-no-json".encode())
    item = cdn.picture_item(simulator, small_png())
    image = item["image_item"]
    image["media"]["encrypt_query_param"] = f"{BIRD}-handle"
    image["media"]["full_url"] = f"{simulator.base_url}/c2c/download?x={BIRD}-url"
    world.post([item], context_token=f"{BIRD}-context-2")
    world.put(
        {"from_user_id": world.owner_id, "context_token": f"{BIRD}-context-3", "item_list": 7}
    )
    world.say("sleep:2\nreply:done", context_token=f"{BIRD}-context-4")
    await simulator.until(lambda: len(world.faults["sendmessage"]) == 1, PATIENCE_S)
    world.say(
        "/lang en", context_token=f"{BIRD}-context-5"
    )  # a message of the owner allows one probe past the breaker
    await house.phone.reads("done")
    status = house.opens("ctb-bridge", "status")
    await status.ends()

    bridge.signals(signal.SIGTERM)
    worker.signals(signal.SIGTERM)
    assert (await bridge.ends(), await worker.ends()) == (0, 0)
    secrets = {BIRD, image["aeskey"]}
    logs = [path for path in (house.data / "logs").rglob("*") if path.is_file()]
    assert len(logs) >= 2
    shown = {str(path.name): path.read_text() for path in logs}
    shown |= {"bridge": bridge.shown, "worker": worker.shown, "status": status.shown}
    shown |= {"chat": "\n".join(house.phone.texts())}
    assert not _where(secrets, shown)
    tables = dump(house)
    assert f"{BIRD}-context-5" in tables["peer"]  # needed for every reply
    elsewhere = {name: rows for name, rows in tables.items() if name != "peer"}
    assert not _where(secrets, elsewhere)
    assert not _where({f"{BIRD}-bot-token", f"{BIRD}-ticket"}, tables)


def _where(secrets: set[str], texts: dict[str, str]) -> list[str]:
    """Which texts hold a secret, with the start of what is around it."""
    return [
        f"{name}: …{text[max(0, text.index(word) - 200) : text.index(word) + 60]}"
        for name, text in texts.items()
        for word in secrets
        if word in text
    ]
