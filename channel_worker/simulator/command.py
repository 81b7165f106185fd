"""`ctb-channel simulate`: the server, its admin API, and a phone on the terminal."""

from __future__ import annotations

import contextlib
import sys

import anyio

from channel_worker.simulator import admin
from channel_worker.simulator.phone import run_phone
from channel_worker.simulator.scenarios import SCENARIOS
from channel_worker.simulator.server import Simulator, serving
from channel_worker.terminal import show


async def run_simulator(
    port: int, admin_port: int, scenario: str, consume: bool, lang: str
) -> None:
    """Serve until Ctrl-C; the end of standard input ends the phone, not the server."""
    simulator = Simulator()
    simulator.world.gives_again = not consume
    async with contextlib.AsyncExitStack() as stack:
        base = await stack.enter_async_context(simulator.serve(port))
        show(f"iLink server at {base}   set ILINK_BASE_URL to it; Ctrl-C ends it")
        if admin_port >= 0:
            desk = await stack.enter_async_context(serving(admin.app(simulator), admin_port))
            show(f"admin API at {desk}")
        SCENARIOS[scenario](simulator)
        if sys.stdin is not None and sys.stdin.isatty():
            show(
                "你就是主人，写下的每一行都是一条微信消息。"
                if lang == "zh"
                else "You are the owner. What you type is a WeChat message."
            )
        await run_phone(simulator, show, lang=lang)
        await anyio.sleep_forever()
