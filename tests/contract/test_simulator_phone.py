"""The simulated phone by hand: every line of its own, and what WeChat refuses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from channel_worker.simulator.phone import run_phone
from channel_worker.simulator.scenarios import SCENARIOS, small_png
from channel_worker.simulator.server import Simulator
from channel_worker.simulator.typed import HELP, enter


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    found = Simulator()
    async with found.serve():
        yield found


def last(simulator: Simulator) -> Any:  # Any: JSON as on the wire
    return simulator.world.messages[-1]


def send(simulator: Simulator, text: str = "hi", **fields: object) -> tuple[int, str]:
    message = {
        "to_user_id": simulator.world.owner_id,
        "client_id": f"c{len(simulator.world.sent)}{text[:5]}",
        "message_type": 2,
        "item_list": [{"type": 1, "text_item": {"text": text}}],
        "context_token": "ctx",
    }
    return simulator.world.accept(message | fields)


async def test_lines_of_the_phone_become_messages(simulator: Simulator, tmp_path: Path) -> None:
    """issue 5, item 13: all of it can be driven by hand and by a script."""
    (tmp_path / "a b.png").write_bytes(small_png())
    (tmp_path / "notes.txt").write_text("words")
    assert enter(simulator, "plain : words") == ""
    assert last(simulator)["item_list"][0]["text_item"]["text"] == "plain : words"
    assert enter(simulator, f":file {tmp_path / 'a b.png'}") == ""
    assert "image_item" in last(simulator)["item_list"][0]
    assert enter(simulator, f":file {tmp_path / 'notes.txt'}") == ""
    assert last(simulator)["item_list"][0]["file_item"]["file_name"] == "notes.txt"
    assert enter(simulator, ":voice yes, go on") == ""
    assert last(simulator)["item_list"][0]["voice_item"]["text"] == "yes, go on"
    assert enter(simulator, ":voice") == ""
    assert "text" not in last(simulator)["item_list"][0]["voice_item"]
    assert enter(simulator, ":as oStranger@im.wechat hello") == ""
    assert last(simulator)["from_user_id"] == "oStranger@im.wechat"
    assert enter(simulator, ":group 77 hello all") == ""
    assert last(simulator)["group_id"] == "77"
    code, sent = send(simulator)
    assert code == 0
    assert enter(simulator, ":quote 1 why?") == ""
    assert last(simulator)["item_list"][0]["ref_msg"] == {"svr_id": sent}


@pytest.mark.parametrize(
    "line", [":nothing", ":file /nowhere", ":quote 9 x", ":quote x y", ":clock soon", ":as you"]
)
async def test_line_that_cannot_be_done_is_a_sentence(simulator: Simulator, line: str) -> None:
    """Ours: the phone stays."""
    assert HELP in enter(simulator, line)
    assert not simulator.world.messages


async def test_five_kinds_of_minus_two(simulator: Simulator) -> None:
    """issue 3, item 10; ilink-protocol 5.3: one code, five causes."""
    assert send(simulator) == (-2, "")
    enter(simulator, "hello")
    assert send(simulator, context_token="") == (-2, "")
    assert send(simulator, "x" * 7_001) == (-2, "prepare failed")
    simulator.world.send_limit = 1
    assert send(simulator)[0] == 0
    assert send(simulator, "more") == (-2, "freq limit")
    simulator.world.send_limit, simulator.world.least_pause_s = 0, 60.0
    assert send(simulator, "soon") == (-2, "rate limited")
    enter(simulator, ":clock +25h")
    assert send(simulator, "late") == (-2, "unknown error")


async def test_friendly_has_one_text_and_one_picture_waiting(simulator: Simulator) -> None:
    """issue 3, item 10: the default scenario."""
    SCENARIOS["friendly"](simulator)
    kinds = [message["item_list"][0]["type"] for message in simulator.world.messages]
    assert kinds == [1, 2]
    assert simulator.world.standard_login[-1] == "confirmed"


@pytest.mark.parametrize(("lang", "words"), [("zh", "正在输入"), ("en", "is typing")])
async def test_phone_speaks_the_language_of_its_owner(
    simulator: Simulator, lang: str, words: str
) -> None:
    """design 8: CTB_LANG, on the simulated phone as well."""
    shown: list[str] = []
    has_shown = anyio.Event()

    def show(line: str) -> None:
        shown.append(line)
        has_shown.set()

    async def read() -> str | None:
        simulator.world.typing[simulator.world.owner_id] = True
        simulator.world.wake()
        with anyio.fail_after(5):
            await has_shown.wait()
        return None

    await run_phone(simulator, show, read, lang)
    assert words in shown[0]
