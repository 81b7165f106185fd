"""The simulated phone by hand: every line of its own, and what WeChat refuses."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from channel_worker.simulator.phone import bubble, reader_of, run_phone, width, wrapped
from channel_worker.simulator.scenarios import small_png
from channel_worker.simulator.server import Simulator
from channel_worker.simulator.typed import HELP, Keyboard


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    found = Simulator()
    async with found.serve():
        yield found


def enter(simulator: Simulator, line: str) -> str:
    """One line, typed by the owner in the private chat."""
    return Keyboard(simulator).enter(line)


def last(simulator: Simulator) -> Any:  # Any: JSON as on the wire
    return simulator.world.messages[-1]


def send(simulator: Simulator, text: str = "hi", **fields: object) -> tuple[int, str]:
    tokens = [message["context_token"] for message in simulator.world.messages]
    message = {
        "to_user_id": simulator.world.owner_id,
        "client_id": f"c{len(simulator.world.sent)}{text[:5]}",
        "message_type": 2,
        "item_list": [{"type": 1, "text_item": {"text": text}}],
        "context_token": tokens[-1] if tokens else "made-up",
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
    (tmp_path / "long.txt").write_text("很长 " * 5000 + "end\n")
    assert enter(simulator, f":text {tmp_path / 'long.txt'}") == ""
    assert last(simulator)["item_list"][0]["text_item"]["text"].endswith(" 很长 end")
    assert enter(simulator, ":voice yes, go on") == ""
    assert last(simulator)["item_list"][0]["voice_item"]["text"] == "yes, go on"
    assert enter(simulator, ":voice") == ""
    assert "text" not in last(simulator)["item_list"][0]["voice_item"]
    assert enter(simulator, ":as oStranger@im.wechat hello") == ""
    assert last(simulator)["from_user_id"] == "oStranger@im.wechat"
    assert enter(simulator, ":group 77 hello all") == ""
    assert last(simulator)["group_id"] == "77"
    enter(simulator, "and now?")
    code, sent = send(simulator)
    assert code == 0
    assert enter(simulator, ":quote 1 why?") == ""
    assert last(simulator)["item_list"][0]["ref_msg"] == {"svr_id": sent}


async def test_phone_stays_where_and_who_it_is_until_told_otherwise(simulator: Simulator) -> None:
    """issue 5, item 13: a whole conversation in a group, by several people, file included."""
    keyboard = Keyboard(simulator)
    for line in (":group team", ":as alice", "@Bot what is due?", ":voice and when?", ":as"):
        assert keyboard.enter(line) == ""
    assert keyboard.place == "[team]"
    keyboard.enter("mine")
    keyboard.enter(":as bob@im.wechat once")
    keyboard.enter(":group")
    keyboard.enter("alone")
    assert keyboard.place == ""
    seen = [(m.get("group_id"), m["from_user_id"]) for m in simulator.world.messages]
    owner = simulator.world.owner_id
    assert seen == [
        ("team", "alice@im.wechat"),
        ("team", "alice@im.wechat"),
        ("team", owner),
        ("team", "bob@im.wechat"),
        (None, owner),
    ]
    code, sent = send(simulator)
    assert code == 0
    for line in (":quote 1", "why?", "and on"):
        keyboard.enter(line)
    items = [message["item_list"][0] for message in simulator.world.messages[-2:]]
    assert [item.get("ref_msg") for item in items] == [{"svr_id": sent}, None]


async def test_group_is_a_conversation_of_its_own(simulator: Simulator) -> None:
    """issue 5, item 13: tokens, ten sends and the day of a group are not those of a person."""
    enter(simulator, "hello")
    assert send(simulator, group_id="team") == (-2, "")  # nobody has written there
    enter(simulator, ":group team @Bot hello")
    simulator.world.send_limit = 1
    assert send(simulator)[0] == -2  # that token belongs to the group
    assert send(simulator, "to it", to_user_id="team")[0] == 0
    assert send(simulator, "again", group_id="team") == (-2, "freq limit")
    assert [sent.group_id for sent in simulator.world.sent] == ["team"]
    private = simulator.world.messages[0]["context_token"]
    assert send(simulator, "private", context_token=private)[0] == 0


@pytest.mark.parametrize(
    ("lang", "labels"),
    [("en", ["", "group team", "to b@im.wechat"]), ("zh", ["", "群 team", "给 b@im.wechat"])],
)
async def test_bubble_says_who_else_reads_it(
    simulator: Simulator, lang: str, labels: list[str]
) -> None:
    """issue 5, item 13: an answer to a group is shown as such."""
    owner = simulator.world.owner_id
    for line, to in ((":as b@im.wechat hi", "b@im.wechat"), (":group team hi", "team")):
        enter(simulator, line)
        assert send(simulator, line, to_user_id=to)[0] == 0
    enter(simulator, "hi")
    assert send(simulator, "x" * 30)[0] == 0
    to_person, to_group, to_owner = simulator.world.sent
    seen = [reader_of(sent, owner, lang) for sent in (to_owner, to_group, to_person)]
    assert seen == labels
    for sent, label in zip((to_owner, to_group, to_person), labels, strict=True):
        lines = bubble(sent, 80, lang, label).splitlines()
        assert label in lines[0] and len({width(line) for line in lines[:-1]}) == 1


@pytest.mark.parametrize(
    ("line", "pieces"),
    [
        ("one two three", ["one two", "three"]),
        ("17 秒前：看", ["17 秒", "前：看"]),
        ("秒前 /status 看", ["秒前", "/status", "看"]),
        ("abcdefghij", ["abcdefgh", "ij"]),
        ("一二三四。", ["一二三", "四。"]),
        ("一二三（四）", ["一二三", "（四）"]),
        ("。。。。。", ["。。。。", "。"]),
        ("看👩\u200d♀abcdef", ["看", "👩\u200d♀abcdef"]),
    ],
)
def test_line_is_cut_at_a_blank_or_between_chinese_signs(line: str, pieces: list[str]) -> None:
    """Ours: neither a lone word on a line nor a command in two; no line begins with a stop."""
    assert wrapped(line, 8) == pieces


async def test_clock_is_shown_when_it_is_moved(simulator: Simulator) -> None:
    """Ours."""
    now = time.time()
    assert enter(simulator, ":clock +25h").startswith("🕒 ")
    assert 24.9 < (simulator.world.now() - now) / 3600 < 25.1


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (":nothing", ""),
        (":file /nowhere", "this file cannot be read"),
        (":file ~nobody-at-all/x", "this file cannot be read"),
        (":text /bin/sh", "this file holds no text"),
        (":quote 9 x", "the bot has sent 0"),
        (":quote x y", "the bot has sent 0"),
        (":quote 0", "the bot has sent 0"),
        (":again 1", "0 messages were written"),
        (":again x", "0 messages were written"),
        (":clock soon", "that is no time"),
        (":clock +367d", "the clock goes a year at most"),
        (":clock -99999999d", "the clock goes a year at most"),
    ],
)
async def test_line_that_cannot_be_done_is_a_sentence(
    simulator: Simulator, line: str, why: str
) -> None:
    """Ours: the phone stays."""
    said = enter(simulator, line)
    assert said.startswith(why) and HELP["en"] in said
    chinese = Keyboard(simulator, "zh").enter(line)
    assert HELP["zh"] in chinese and (not why or why not in chinese)
    assert not simulator.world.messages


async def test_two_colons_are_a_message_that_begins_with_one(simulator: Simulator) -> None:
    """Ours: as `//` is for a slash."""
    enter(simulator, "::)")
    assert last(simulator)["item_list"][0]["text_item"]["text"] == ":)"


async def test_clock_that_is_set_back_keeps_no_bubble(simulator: Simulator) -> None:
    """Ours: a pause is not negative."""
    enter(simulator, "hello")
    assert send(simulator, "first")[0] == 0
    enter(simulator, ":clock -5m")
    assert send(simulator, "second")[0] == 0


async def test_five_kinds_of_minus_two(simulator: Simulator) -> None:
    """issue 3, item 10; ilink-protocol 5.3: one code, five causes."""
    assert send(simulator) == (-2, "")
    enter(simulator, "hello")
    assert send(simulator, context_token="") == (-2, "")
    assert send(simulator, context_token="made-up") == (-2, "")
    assert send(simulator, "x" * 7_001) == (-2, "prepare failed")
    simulator.world.send_limit = 1
    assert send(simulator)[0] == 0
    assert send(simulator, "more") == (-2, "freq limit")
    simulator.world.send_limit, simulator.world.least_pause_s = 0, 60.0
    assert send(simulator, "soon") == (-2, "rate limited")
    enter(simulator, ":clock +25h")
    assert send(simulator, "late") == (-2, "unknown error")


@pytest.mark.parametrize(
    "fields",
    [
        {"item_list": []},
        {"item_list": [{"type": 1}, {"type": 1}]},
        {"item_list": [7]},
        {"item_list": {"type": 1}},
        {"item_list": [{"type": 1, "text_item": {"text": 7}}]},
        {"client_id": ""},
        {"to_user_id": ["o"]},
        {"context_token": ["ctx"]},
        {"message_type": 1},
    ],
)
async def test_message_of_a_wrong_shape_is_refused(
    simulator: Simulator, fields: dict[str, object]
) -> None:
    """Ours: an answer, whatever a client in the making sends."""
    enter(simulator, "hello")
    assert send(simulator, "hi", **fields) == (-1, "invalid arguments")
    assert simulator.world.accept(7) == (-1, "invalid arguments")
    assert not simulator.world.sent


async def test_message_comes_again_under_another_token(simulator: Simulator) -> None:
    """ilink-protocol 5.2: redelivery; it is no new message, so it grants no sends."""
    enter(simulator, "one")
    enter(simulator, "two")
    simulator.world.send_limit = 1
    assert send(simulator)[0] == 0
    assert enter(simulator, ":again 2") == ""
    one, _two, again = simulator.world.messages
    assert again["message_id"] == one["message_id"]
    assert again["context_token"] != one["context_token"]
    assert send(simulator, "more") == (-2, "freq limit")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/ilink/bot/get_bot_qrcode?bot_type=3"),
        ("POST", "/ilink/bot/getupdates"),
        ("POST", "/ilink/bot/getconfig"),
        ("POST", "/c2c/upload"),
        ("GET", "/c2c/download?encrypted_query_param=none"),
        ("PUT", "/c2c/upload"),
    ],
)
async def test_every_reply_bears_the_servers_own_time(
    simulator: Simulator, method: str, path: str
) -> None:
    """issue 3, item 10; a body that is no JSON is an answer too, not a fault."""
    enter(simulator, ":clock +25h")
    async with httpx.AsyncClient(base_url=simulator.base_url, trust_env=False) as client:
        content = b"{no json" if method == "POST" else None
        reply = await client.request(method, path, content=content)
    ahead_s = parsedate_to_datetime(reply.headers["date"]).timestamp() - time.time()
    assert 24.9 < ahead_s / 3600 < 25.1
    assert reply.status_code < 500


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
