"""`ctb-bridge demo` as a newcomer meets it: one terminal, and nothing left behind."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Awaitable, Callable

import pytest

from bridge import lifeline
from bridge.wire.log import Secret
from channel_worker.credentials import Credentials, load_file, save
from channel_worker.simulator.phone import TO_LINE_START
from tests.e2e.rig import BIN, House, Terminal, processes

LEAVE_S = 3.0  # card: all of the leaving
COLUMNS = 100  # of the terminals here
READY = "This is the phone."
HAPPY_FAMILY = "👩‍👩‍👧"  # three people and two joiners: one sign

Leave = Callable[[Terminal], Awaitable[int]]


@pytest.fixture
async def demo(house: House) -> Terminal:
    """A demo over the echo engine, with a thread in use."""
    return await _begin(house)


async def test_what_is_typed_is_a_message_and_what_comes_back_is_the_phone(
    demo: Terminal,
) -> None:
    """Card, items 3 and 4: bubbles with borders and time, typing, Chinese and emoji."""
    what, where, how = demo.shown.splitlines()[:3]
    assert "An echo answers" in what and "threads are samples" in what
    assert "scratch folder /" in where and "Ctrl-C or Ctrl-D" in how
    assert all(len(line) <= COLUMNS for line in demo.shown.splitlines())
    await demo.expects("> ")  # a place to type at

    demo.types("hello there")
    await demo.expects("╭───────────────────╮\r\n│ echo: hello there │\r\n╰───────────────────╯ ")
    assert re.fullmatch(r"\d\d:\d\d", await demo.expects("\r\n"))

    # Twenty columns: a Chinese sign takes two, and so does the whole family.
    text = f"请把测试修好 {HAPPY_FAMILY} 谢谢"
    demo.types(text)
    await demo.expects(f"╭{'─' * 28}╮\r\n│ echo: {text} │\r\n╰{'─' * 28}╯ ")

    demo.types(":group team")  # issue 5, item 13: the phone speaks in a group from now on
    await demo.expects("[team]> ")
    demo.types(":group")

    demo.types("x" * 5000)  # the kernel keeps 4,095 bytes: never half a message
    assert "not sent" in await demo.expects(":text PATH")

    demo.types("sleep:30")
    await demo.expects("is typing")


async def _ctrl_c(demo: Terminal) -> int:
    demo.presses("c")
    return await demo.ends()


async def _ctrl_d(demo: Terminal) -> int:
    demo.presses("d")
    return await demo.ends()


async def _sigterm(demo: Terminal) -> int:
    demo.signals(signal.SIGTERM)
    return await demo.ends()


async def _hang_up(demo: Terminal) -> int:
    return await demo.is_hung_up()


@pytest.mark.parametrize("leave", [_ctrl_c, _ctrl_d, _sigterm, _hang_up])
async def test_leaving_in_the_middle_of_a_turn_ends_everything_and_leaves_nothing(
    house: House, demo: Terminal, leave: Leave
) -> None:
    """Card, item 3: within 3 s, no child left; the scratch folder is gone."""
    demo.types("sleep:30")
    await demo.expects("is typing")
    began = time.monotonic()
    assert await leave(demo) == 0
    assert time.monotonic() - began < 2 * LEAVE_S  # twice: the cores are shared
    await house.is_empty(within_s=LEAVE_S)
    assert list((house.folder / "tmp").iterdir()) == []
    assert "Traceback" not in demo.shown


@pytest.mark.parametrize("leave", [_ctrl_c, _sigterm, _hang_up])
async def test_leaving_right_after_the_first_line_leaves_nothing(
    house: House, leave: Leave
) -> None:
    """Card, item 3: the line says how to leave, so from it on that works."""
    demo = house.opens("ctb-bridge", "demo", "--engine", "echo")
    await demo.expects("Leave with")
    assert await leave(demo) == 0
    await house.is_empty(within_s=LEAVE_S)
    assert list((house.folder / "tmp").iterdir()) == []
    assert "Traceback" not in demo.shown


async def test_second_ctrl_c_leaves_nothing_behind_either(house: House, demo: Terminal) -> None:
    """Ours: who presses it again while the processes end does not cut that off."""
    demo.presses("c")
    demo.presses("c")
    assert await demo.ends() == 0
    await house.is_empty(within_s=LEAVE_S)
    assert list((house.folder / "tmp").iterdir()) == []


async def test_nothing_goes_on_when_the_demo_is_killed(house: House, demo: Terminal) -> None:
    """Ours: in the middle of a turn; nobody is left to end what it has started."""
    demo.types("sleep:30")
    await demo.expects("is typing")
    await demo.is_killed()
    await house.is_empty(within_s=2 * lifeline.ENDS_S)  # twice: the cores are shared


@pytest.mark.parametrize("name", ["bridge", "channel"])
async def test_what_is_killed_is_started_again(house: House, demo: Terminal, name: str) -> None:
    """README: kill any of these processes at any moment; it is said in a line of its own."""
    os.kill(_pid(house, name), signal.SIGKILL)
    told = f"{TO_LINE_START}The {name} was ended by signal 9, and is started again.\r\n> "
    await demo.expects(told)
    demo.types("hello again")
    await demo.expects("│ echo: hello again │")
    assert await _ctrl_c(demo) == 0
    await house.is_empty(within_s=LEAVE_S)


async def test_logs_stay_where_a_process_of_the_demo_cannot_go_on(
    house: House, demo: Terminal
) -> None:
    """Design 8: exit code 1, and what the sentence points at is there."""
    (scratch,) = (house.folder / "tmp").iterdir()
    (scratch / "run").chmod(0o755)  # which the bridge refuses
    os.kill(_pid(house, "bridge"), signal.SIGKILL)
    assert await demo.ends() == 1
    assert f"The bridge has ended with code 2. The logs are in {scratch}/logs\r\n" in demo.shown
    assert (scratch / "logs" / "bridge.log").exists()
    await house.is_empty(within_s=LEAVE_S)


async def test_a_demo_without_a_terminal_says_so(house: House) -> None:
    """Ours: nobody types there, so it ends at once, with code 0 and a word."""
    line = f"{BIN}/ctb-bridge demo --engine echo </dev/null"
    demo = house.opens("/bin/sh", "-c", line)
    assert await demo.ends() == 0
    assert "run it in a terminal" in demo.shown
    assert list((house.folder / "tmp").iterdir()) == []


async def test_a_demo_on_the_same_data_goes_on_where_the_last_one_ended(house: House) -> None:
    """Ours: `--data` keeps the state; the thread in use and its name are still there."""
    data = str(house.folder / "kept")
    demo = await _begin(house, "--data", data)
    assert await _ctrl_d(demo) == 0
    assert not (house.folder / "codex").exists()  # the samples are the demo's own
    demo = house.opens("ctb-bridge", "demo", "--engine", "echo", "--data", data)
    await demo.expects(f"State: {data}")
    await demo.expects(READY)
    demo.types("hello again")
    await demo.expects("│ echo: hello again │")
    assert await _ctrl_d(demo) == 0


async def test_a_second_demo_on_the_same_data_leaves_the_first_alone(house: House) -> None:
    """Design 8: exit code 4, and the login of the first is not replaced."""
    data = str(house.folder / "kept")
    demo = await _begin(house, "--data", data)
    second = house.opens("ctb-bridge", "demo", "--engine", "echo", "--data", data)
    assert await second.ends() == 4
    assert "is in use" in second.shown and len(second.shown.splitlines()) == 1
    demo.types("still there")
    await demo.expects("│ echo: still there │")
    assert await _ctrl_d(demo) == 0


async def test_a_demo_never_replaces_a_login_to_wechat(house: House) -> None:
    """Threat-model R17: the token is nowhere else, so the folder is refused with code 2."""
    data = house.folder / "real"
    login = Credentials(Secret("token-of-wechat"), "b@im.bot", "", "o@im.wechat", 1)
    data.mkdir()
    save(data / "local" / "ilink_credentials.json", login)
    demo = house.opens("ctb-bridge", "demo", "--engine", "echo", "--data", str(data))
    assert await demo.ends() == 2
    assert "login to WeChat" in demo.shown and "token-of" not in demo.shown
    kept = load_file(data / "local" / "ilink_credentials.json")
    assert kept and kept.token.reveal() == "token-of-wechat"


async def test_engine_codex_without_codex_is_one_sentence(house: House) -> None:
    """Design 8: exit code 2, nothing started, and the next command to type."""
    demo = house.opens(
        "ctb-bridge", "demo", "--engine", "codex", CTB_CODEX_COMMAND="/nowhere/codex"
    )
    assert await demo.ends() == 2
    assert "/nowhere/codex cannot be found" in demo.shown
    assert "--engine echo" in demo.shown and len(demo.shown.splitlines()) == 1


async def test_a_data_folder_that_cannot_be_is_one_sentence(house: House) -> None:
    """Design 8: exit code 2, and no traceback."""
    demo = house.opens("ctb-bridge", "demo", "--engine", "echo", "--data", "/dev/null")
    assert await demo.ends() == 2
    assert "cannot be made" in demo.shown and len(demo.shown.splitlines()) == 1
    assert "name another  --data" in demo.shown


async def test_the_first_line_is_chinese_where_the_locale_is(house: House) -> None:
    """Design 8, CTB_LANG: unset, the locale decides."""
    house.settings["CTB_LANG"] = ""
    demo = house.opens("ctb-bridge", "demo", "--engine", "echo", LC_ALL="zh_CN.UTF-8")
    assert "由 echo 回答" in await demo.expects("离开。")


def _pid(house: House, name: str) -> int:
    module = {"bridge": "bridge import cli", "channel": "channel_worker.cli"}[name]
    (pid,) = (pid for pid, words in processes(house.folder).items() if module in words)
    return pid


async def _begin(house: House, *options: str) -> Terminal:
    demo = house.opens("ctb-bridge", "demo", "--engine", "echo", *options)
    await demo.expects(READY)
    demo.types("/threads")
    await demo.expects("│ 1. ")
    await demo.expects("╯ ")
    demo.types("/use 1")
    await demo.expects("Now using")
    await demo.expects("╯ ")
    return demo
