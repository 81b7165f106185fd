"""A group asks through the real commands: approved in private, answered where it asked."""

from __future__ import annotations

import re

from channel_worker.simulator.typed import Keyboard
from tests.e2e.rig import House

TEAM = "team@chatroom"


def in_the_group(house: House) -> list[str]:
    return [sent.text for sent in house.world.sent if sent.group_id == TEAM]


async def test_group_is_approved_in_private_and_answered_where_it_asked(house: House) -> None:
    """issue 5, items 9 and 13: and the work thread has seen nothing of it."""
    phone, keyboard = house.phone, Keyboard(house.simulator)
    await house.moves_in(CTB_GROUP_QA="on")
    await phone.asks("/threads", "1. ")
    await phone.asks("/use 1", "Now using")
    await phone.asks("fix the cart", "echo: fix the cart")
    await phone.asks("/refresh", "came from here")
    seen = await phone.asks("/refresh", "nothing new")

    keyboard.enter(f":group {TEAM}")
    keyboard.enter(":as member @Bot what is WAL?")
    told = await phone.reads("wants to ask questions")
    number = re.search(r"/group approve (\d+)", told)
    assert number is not None and "WAL" not in told
    keyboard.enter("@Bot /approve 1")  # the owner, but in the group: no word there is a command
    await phone.asks("/status", "The thread is free")
    assert in_the_group(house) == []

    await phone.asks(f"/group approve {number[1]}", "may ask now")
    keyboard.enter(":as member @Bot what is WAL?")
    await phone.reads("what is WAL?")
    keyboard.enter(":as member nothing for the bot")
    keyboard.enter(":as member /qa status")
    await phone.reads("within this hour")
    answer, status = in_the_group(house)
    assert "echo: " in answer and "what is WAL?" in answer and status
    assert await phone.asks("/refresh", "nothing new") == seen

    # WeChat refuses it all for the group: the owner's answers come as ever.
    house.simulator.fail("sendmessage", "ret", code=-2)
    keyboard.enter(":as member @Bot and what is SHM?")
    await house.simulator.until(lambda: not house.world.faults["sendmessage"])
    await phone.asks("still there?", "echo: still there?")
    assert not any("SHM" in text for text in phone.texts())
