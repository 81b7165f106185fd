"""What WeChat takes, told at the desk and on the phone: credits, their day, the breaker."""

from __future__ import annotations

import anyio

from bridge.ask import ask
from bridge.wire.messages import StatusGet
from tests.e2e.rig import LOOK_S, PATIENCE_S, House


async def status(house: House) -> str:
    reply = await ask(house.data / "run" / "bridge.sock", StatusGet())
    return "\n".join(reply.lines)


async def test_status_shows_what_wechat_still_takes(house: House) -> None:
    """issue 3, items 3 and 9: at the desk and on the phone; receipts that do not come."""
    await house.moves_in(CTB_SEND_BUDGET="8")
    assert "the owner has to write first" in await status(house)
    shown = await house.phone.asks("/status", "replies left")
    assert "WeChat replies left until you write: 8, for 22 h" in shown
    assert "replies     7 left until the owner writes, for 22 h" in await status(house)
    house.simulator.fail("sendmessage", "no_id", times=3)
    for _ in range(3):
        await house.phone.asks("/list", "")
    await house.is_told("without a receipt")
    house.simulator.fail("sendmessage", "ret", code=-2)
    house.phone.says("/list")
    with anyio.fail_after(PATIENCE_S):
        while True:
            if "refused to take a message; trying again in" in await status(house):
                break
            await anyio.sleep(LOOK_S)  # the desk is asked, it tells nothing
    await house.phone.asks("/lang en", "English")  # a message of the owner allows one probe
    assert "refused to take" not in await status(house)


async def test_answer_of_unknown_fate_is_held_told_of_and_sent_again_on_the_owners_word(
    house: House,
) -> None:
    """delivery-semantics 7, CTB_RESEND_POLICY=hold: `/resend` is the only way, and marked."""
    house.world.drops_copies = False
    await house.moves_in(CTB_RESEND_POLICY="hold")
    await house.phone.asks("/threads", "1. ")
    await house.phone.asks("/use 1", "Now using")
    house.simulator.fail("sendmessage", "status_after", code=502)
    await house.phone.asks("only once", "only once")
    await house.is_told("0 waiting, 1 with an unknown outcome")
    await house.phone.asks("/status", "given up: /dead")
    assert "#1" in await house.phone.asks("/dead", "/resend 1")
    assert "may have arrived, or not" in await house.phone.asks("/trace 1", "#1 ")
    assert house.phone.count("only once") == 1
    await house.phone.asks("/resend 1", "[可能重复] ")
    await house.phone.reads("Parts of #1 sent again: 1")
    assert house.phone.count("only once") == 2
    await house.phone.asks("/resend 1", "Nothing of #1 is in doubt")
    await house.phone.asks("/dead", "Nothing was given up")
