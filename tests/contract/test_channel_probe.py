"""Asking who wrote lately never swallows a message."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from channel_worker.probe import probe

if TYPE_CHECKING:
    from tests.contract.channel_rig import Rig

PATIENCE_S = 60.0

pytest_plugins = ["tests.contract.channel_rig"]


async def test_without_a_bridge_what_comes_is_kept_for_the_next_start(rig: Rig) -> None:
    """issue 3, point 11; ilink-protocol 13: no probe polls that throw away."""
    rig.world.say("keep me")
    rig.world.say("me too", from_user_id="stranger@im.wechat")
    lines: list[str] = []
    await probe(rig.settings(), lines.append)
    assert lines[0].startswith("No bridge is running.")
    assert f"{rig.world.owner_id}   1 message   owner" in lines
    assert "stranger@im.wechat   1 message" in lines
    rig.bridge.poll = False
    async with rig.bridge.listening(), rig.working():
        await rig.bridge.until_rows(2)
    assert "keep me" in rig.bridge.texts()


def test_without_a_login_the_exit_code_says_so(tmp_path: Path) -> None:
    """Design 8: 6 for a command that cannot wait."""
    done = subprocess.run(
        [sys.executable, "-c", "from channel_worker.cli import main; main()", "probe-updates"],
        env={**os.environ, "CTB_DATA_DIR": str(tmp_path / "data")},
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 6
    assert b"login needed: run  ctb-channel login" in done.stderr


async def test_a_bridge_is_asked_first(rig: Rig) -> None:
    """issue 3, point 11."""
    rig.world.say("waiting")
    lines: list[str] = []
    async with rig.bridge.listening():
        await probe(rig.settings(), lines.append)
    (line,) = lines
    assert line.startswith("asked@im.wechat   3 messages") and line.endswith("owner")
    assert not rig.world.calls("getupdates")
