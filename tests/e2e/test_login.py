"""`ctb-channel login` in a real terminal, against the simulated server, in every state."""

from __future__ import annotations

import json
import os
import stat
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pexpect  # type: ignore[import-untyped]  # it ships no types
import pytest

from channel_worker.simulator.server import Simulator

COMMAND = Path(sys.executable).with_name("ctb-channel")
EXPECT_S = 20


class Desk:
    """A terminal in which the login runs, and the file it writes."""

    def __init__(self, folder: Path, simulator: Simulator) -> None:
        self.folder = folder
        self.simulator = simulator
        self.world = simulator.world
        self.path = folder / "data/local/ilink_credentials.json"
        self.shown = ""

    def script(self, *states: str) -> None:
        self.world.login_script.extend(states)

    async def log_in(self, *options: str, answers: tuple[tuple[str, str], ...] = (),
                     columns: int = 100) -> int:  # fmt: skip
        """Run the command, answer its questions, and give its exit code."""
        return await anyio.to_thread.run_sync(self._drive, options, answers, columns)

    def file(self) -> dict[str, Any]:  # Any: JSON
        found: dict[str, Any] = json.loads(self.path.read_text())  # Any: JSON
        return found

    def logs(self) -> str:
        return "".join(path.read_text() for path in (self.folder / "data/logs").glob("*.log"))

    def _drive(
        self, options: tuple[str, ...], answers: tuple[tuple[str, str], ...], columns: int
    ) -> int:
        variables = {
            "CTB_PROJECT_ROOT": str(self.folder),
            "ILINK_BASE_URL": self.simulator.base_url,
            "CTB_LOG_LEVEL": "debug",
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
        }
        child = pexpect.spawn(
            str(COMMAND), ["login", *options], env=variables, encoding="utf-8",
            timeout=EXPECT_S, dimensions=(50, columns), echo=False,
        )  # fmt: skip
        self.shown = ""
        for question, answer in answers:
            child.expect_exact(question)
            self.shown += (child.before or "") + question
            child.send(answer)
        child.expect(pexpect.EOF)
        self.shown += child.before or ""
        child.close()
        return int(child.exitstatus if child.exitstatus is not None else -1)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    simulator = Simulator()
    with tempfile.TemporaryDirectory(prefix="ctb") as folder:
        async with simulator.serve():
            yield Desk(Path(folder), simulator)


ACCEPT = (("Is this you? [y/N]", "y\n"),)


async def test_code_is_drawn_owner_accepted_and_file_private(desk: Desk) -> None:
    """ilink-protocol 3; R2, R3, R17: nothing secret in the log."""
    desk.script("error", "drop", "wait", "scaned", "confirmed")
    assert await desk.log_in(answers=ACCEPT) == 0
    assert "█▀▀▀▀▀▀▀█" in desk.shown and "https://liteapp.weixin.qq.com/q/" in desk.shown
    assert "Logged in. The owner is …6789. Next: honcho start" in desk.shown
    found = desk.file()
    assert found["bot_token"] == desk.world.token and found["generation"] == 1
    assert found["paired_at"] > 0 and found["owner_epoch"] == 0
    assert stat.S_IMODE(desk.path.stat().st_mode) == 0o600
    key = desk.world.calls("get_qrcode_status")[0].body["qrcode"]
    for secret in (desk.world.token, key, desk.world.owner_id):
        assert secret not in desk.logs()
    assert desk.world.token not in desk.shown


async def test_headers_are_those_of_the_official_client(desk: Desk) -> None:
    """ilink-protocol 1.2, 3.1."""
    desk.script("confirmed")
    assert await desk.log_in("--yes") == 0
    asked = desk.world.calls("get_bot_qrcode")[0]
    assert json.loads(asked.body) == {"local_token_list": []}
    assert asked.headers["ilink-app-id"] == "bot"
    assert asked.headers["ilink-app-clientversion"] == "132105"
    assert asked.headers["authorizationtype"] == "ilink_bot_token"
    assert "x-wechat-uin" in asked.headers and "authorization" not in asked.headers
    looked = desk.world.calls("get_qrcode_status")[0].headers
    assert looked["ilink-app-id"] == "bot" and "x-wechat-uin" not in looked


async def test_answer_other_than_yes_changes_nothing(desk: Desk) -> None:
    """R2."""
    desk.script("confirmed")
    assert await desk.log_in(answers=(("[y/N]", "n\n"),)) == 1
    assert "Nothing was changed" in desk.shown and not desk.path.exists()


async def test_expired_code_is_replaced_and_three_are_all(desk: Desk) -> None:
    """ilink-protocol 3.3."""
    desk.script("expired", "expired", "expired")
    assert await desk.log_in() == 1
    assert "A new code (3 of 3)" in desk.shown and "3 codes went unused" in desk.shown
    assert len(desk.world.calls("get_bot_qrcode")) == 3


async def test_digits_are_asked_until_they_are_right(desk: Desk) -> None:
    """ilink-protocol 3.2: need_verifycode."""
    desk.script("need_verifycode", "confirmed")
    answers = (("Type the digits", "1111\n"), ("Wrong digits; type", "4711\n"), *ACCEPT)
    assert await desk.log_in(answers=answers) == 0
    assert "1111" not in desk.logs() and "4711" not in desk.logs()


async def test_blocked_digits_bring_a_new_code(desk: Desk) -> None:
    """ilink-protocol 3.2: verify_code_blocked counts as a refresh."""
    desk.script("need_verifycode", "confirmed")
    wrong = tuple((question, "0\n") for question in ("Type", "Wrong", "Wrong"))
    assert await desk.log_in(answers=(*wrong, *ACCEPT)) == 0
    assert "Too many wrong digits" in desk.shown and "A new code (2 of 3)" in desk.shown


async def test_redirect_goes_on_at_the_other_host(desk: Desk) -> None:
    """ilink-protocol 3.2: a loopback base keeps its scheme."""
    desk.world.redirect_host = desk.simulator.base_url.replace("http://127.0.0.1", "localhost")
    desk.script("scaned_but_redirect", "confirmed")
    assert await desk.log_in("--yes") == 0
    hosts = [call.headers["host"] for call in desk.world.calls("get_qrcode_status")]
    assert hosts[0].startswith("127.0.0.1") and hosts[-1].startswith("localhost")


async def test_foreign_redirect_is_refused(desk: Desk) -> None:
    """R20, F42."""
    desk.world.redirect_host = "evil.example"
    desk.script("scaned_but_redirect", "confirmed")
    assert await desk.log_in("--yes") == 1
    assert "data centre we do not talk to" in desk.shown and not desk.path.exists()


async def test_next_login_of_the_same_owner_asks_nothing_and_counts_on(desk: Desk) -> None:
    """R2: asked only for a new owner; paired_at and owner_epoch are kept."""
    desk.script("confirmed", "confirmed")
    assert await desk.log_in("--yes") == 0
    first = desk.file()
    assert await desk.log_in() == 0
    second = desk.file()
    assert second["generation"] == 2 and second["paired_at"] == first["paired_at"]
    offered = json.loads(desk.world.calls("get_bot_qrcode")[1].body)
    assert offered == {"local_token_list": [first["bot_token"]]}


async def test_other_owner_is_refused_without_the_option(desk: Desk) -> None:
    """R2, F32: the old file is intact, its token may not be; --change-owner raises owner_epoch."""
    desk.script(*["confirmed"] * 4)
    assert await desk.log_in("--yes") == 0
    before = desk.path.read_bytes()
    desk.world.owner_id = "oSomebodyElse@im.wechat"
    assert await desk.log_in("--yes") == 1
    assert "--change-owner" in desk.shown and desk.path.read_bytes() == before
    assert "may have ended it with this scan" in desk.shown.replace("\r\n", "")
    assert await desk.log_in("--change-owner", answers=(("[y/N]", "n\n"),)) == 1
    assert "may have ended it with this scan" in desk.shown.replace("\r\n", "")
    assert await desk.log_in("--change-owner", answers=ACCEPT) == 0
    after = desk.file()
    assert (after["owner_epoch"], after["user_id"]) == (1, "oSomebodyElse@im.wechat")


async def test_existing_binding_is_kept_and_the_file_rewritten(desk: Desk) -> None:
    """issue 3, point 1: binded_redirect; --fresh offers nothing."""
    desk.script("confirmed", "binded_redirect", "confirmed")
    assert await desk.log_in("--yes") == 0
    before, inode = desk.path.read_bytes(), desk.path.stat().st_ino
    assert await desk.log_in() == 0
    assert "credentials are kept" in desk.shown
    assert desk.path.read_bytes() == before and desk.path.stat().st_ino != inode
    assert await desk.log_in("--fresh") == 0
    assert json.loads(desk.world.calls("get_bot_qrcode")[2].body) == {"local_token_list": []}


async def test_binding_that_fresh_does_not_end_says_how_to_move_it(desk: Desk) -> None:
    """ilink-protocol 3.4: one account is bound to one place; not the same advice again."""
    desk.script("confirmed", "binded_redirect")
    assert await desk.log_in("--yes") == 0
    before, inode = desk.path.read_bytes(), desk.path.stat().st_ino
    assert await desk.log_in("--fresh") == 0
    assert "another computer" in desk.shown and "--fresh" not in desk.shown
    assert desk.path.read_bytes() == before and desk.path.stat().st_ino != inode


async def test_binding_without_credentials_is_explained(desk: Desk) -> None:
    """ilink-protocol 13."""
    desk.script("binded_redirect")
    assert await desk.log_in() == 1
    assert "ilink_credentials.json" in desk.shown and "another computer" in desk.shown
    assert "--fresh" not in desk.shown  # nothing was offered, so it would change nothing


async def test_narrow_terminal_gets_the_address_alone(desk: Desk) -> None:
    """issue 3, point 1."""
    desk.script("confirmed")
    assert await desk.log_in("--yes", columns=20) == 0
    assert "too narrow" in desk.shown and "█" not in desk.shown
    assert "liteapp" in desk.shown.replace("\r\n", "")


async def test_ctrl_c_leaves_everything_as_it_was(desk: Desk) -> None:
    """style 2, Commands."""
    answers = (("or open on the phone", "\x03"),)
    assert await desk.log_in(answers=answers) == 1
    assert "no login was written" in desk.shown and "Traceback" not in desk.shown
    assert not desk.path.exists()


async def test_folder_that_others_may_open_is_refused_before_a_code_is_shown(desk: Desk) -> None:
    """R17: a scan that cannot be saved would be lost."""
    desk.path.parent.mkdir(parents=True)
    (desk.path.parent / "something").touch()
    desk.path.parent.chmod(0o755)
    assert await desk.log_in("--yes") == 1
    assert "chmod 700" in desk.shown.replace("\r\n", "")
    assert not desk.world.calls("get_bot_qrcode")
