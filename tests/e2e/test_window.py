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
    assert "8 WeChat replies left until you write, for 22 h" in shown
    assert "replies     7 left until the owner writes, for 22 h" in await status(house)
    house.simulator.fail("sendmessage", "no_id", times=3)
    for _ in range(3):
        await house.phone.asks("/list", "")
    assert "without a receipt" in await status(house)
    house.simulator.fail("sendmessage", "ret", code=-2)
    house.phone.says("/list")
    with anyio.fail_after(PATIENCE_S):
        while True:
            if "refused to take a message; trying again in" in await status(house):
                break
            await anyio.sleep(LOOK_S)  # the desk is asked, it tells nothing
    await house.phone.asks("/lang en", "English")  # a message of the owner allows one probe
    assert "refused to take" not in await status(house)
