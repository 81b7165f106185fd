"""A login ends by itself, whatever it waits for."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from bridge.wire import env
from channel_worker import login, settings
from channel_worker.login import LoginFailed, Wishes, log_in
from channel_worker.simulator.server import Simulator

LIMIT_S = 10.0


class Silent:
    """A terminal before which nobody sits."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def say(self, line: str) -> None:
        self.shown.append(line)

    def show_code(self, link: str) -> None:
        self.shown.append(link)

    async def ask(self, question: str) -> str | None:
        self.shown.append(question)
        await anyio.sleep_forever()
        return None


@pytest.mark.parametrize(
    ("states", "waits_for"),
    [
        ((), "https://liteapp"),
        (("need_verifycode",), "Type the digits"),
        (("scaned", "confirmed"), "Is this you?"),
        (("error",) * 1000, "https://liteapp"),
        (None, "WeChat cannot be reached"),
    ],
    ids=["the scan", "the digits", "the owner's word", "a server in trouble", "the network"],
)
async def test_eight_minutes_are_for_all_of_it(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    states: tuple[str, ...] | None,
    waits_for: str,
) -> None:
    """ilink-protocol 3.3: 480 s in all; nothing is written."""
    assert login.LOGIN_DEADLINE_S == 480
    monkeypatch.setattr(login, "LOGIN_DEADLINE_S", 1.0)
    simulator, terminal = Simulator(), Silent()
    simulator.world.login_script.extend(states or ())
    async with simulator.serve() as base_url:
        url = base_url if states is not None else "http://127.0.0.1:9"  # nobody listens there
        given = {"CTB_PROJECT_ROOT": str(tmp_path), "ILINK_BASE_URL": url}
        found = settings.read(env.read(given))
        with anyio.fail_after(LIMIT_S), pytest.raises(LoginFailed, match="within 8 minutes"):
            await log_in(found, Wishes(), terminal, pause_s=0.01)
    assert waits_for in terminal.shown[-1]
    assert not found.credentials_path.exists()
