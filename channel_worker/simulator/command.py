"""`ctb-channel simulate`: the server, its admin API, and a phone on the terminal."""

from __future__ import annotations

import contextlib
import socket

import anyio

from bridge.wire.terminal import show
from channel_worker.simulator import admin
from channel_worker.simulator.phone import run_phone, told
from channel_worker.simulator.scenarios import play
from channel_worker.simulator.server import Simulator, serving
from channel_worker.terminal import has_person

HINT = {
    "en": "You are the owner. What you type is a WeChat message. Ctrl-C ends it.",
    "zh": "你就是主人，写下的每一行都是一条微信消息。按 Ctrl-C 结束。",
}


class PortTaken(Exception):
    """A port that cannot be listened on; the text is for the terminal."""


async def run_simulator(
    port: int, admin_port: int, scenario: str, consume: bool, lang: str
) -> None:
    """Serve until Ctrl-C; the end of standard input ends the phone, not the server.

    Raises PortTaken, NoScenario.
    """
    _try_ports(port, admin_port)
    simulator = Simulator()
    play(Simulator(), scenario)  # a wrong one is said before anything is served
    async with contextlib.AsyncExitStack() as stack:
        base = await stack.enter_async_context(simulator.serve(port))
        play(simulator, scenario)
        if consume:
            simulator.world.gives_again = False
        show(f"iLink server at {base}   set ILINK_BASE_URL to it")
        if admin_port >= 0:
            desk = await stack.enter_async_context(serving(admin.app(simulator), admin_port))
            show(f"admin API at {desk}")
        if has_person():
            show(told(HINT[lang]))
        await run_phone(simulator, show, lang=lang)
        await anyio.sleep_forever()


def _try_ports(*ports: int) -> None:
    """Find out before anything is served: inside a task group it would be a group of errors."""
    with contextlib.ExitStack() as stack:
        for port in ports:
            if port <= 0:
                continue
            bound = stack.enter_context(socket.socket())
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                bound.bind(("127.0.0.1", port))
                bound.listen(1)
            except (OSError, OverflowError) as failed:
                why = failed.strerror if isinstance(failed, OSError) else "no such port"
                raise PortTaken(f"port {port} cannot be used: {why}") from failed
