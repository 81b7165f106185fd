"""Files from threads to the phone, through the real commands: the very bytes, or a reason."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from channel_worker.simulator.scenarios import small_png
from tests.e2e.desk import over_codex
from tests.e2e.rig import House

KEY = "-----BEGIN OPENSSH " + "PRIVATE KEY-----"  # in two, so that no scanner takes it for one


@pytest.fixture
async def chat(house: House) -> AsyncIterator[House]:
    """A house that is lived in, with a thread in use."""
    await house.moves_in()
    await house.phone.asks("/threads", "1. ")
    await house.phone.asks("/use 1", "Now using")
    yield house


def workspace(house: House) -> Path:
    """The folder of the thread in use: where the newest export lies."""
    exports = sorted(house.folder.rglob("exports"))
    return exports[0].parent


async def test_a_file_of_the_answer_comes_to_the_phone_byte_for_byte(chat: House) -> None:
    """issue 5, item 7: named, listed, sent; nothing left by itself, and no turn was made."""
    words = "第一行\nline two"
    line = f"file:exports/报告 1.md={words}".replace("\n", "\\n")
    await chat.phone.asks(f"{line}\nreply:见 `exports/报告 1.md`", "见")
    listed = await chat.phone.asks("/artifacts", "Files of #1:")
    assert "1. 报告 1.md · 18 B · ready" in listed and "/sendfile" in listed
    assert not chat.world.calls("getuploadurl")
    chat.phone.says("/sendfile 1")
    assert await chat.phone.gets_files(1) == [("报告 1.md", words.encode())]
    await chat.phone.asks("/status", "Last answer: #1")
    staged = list((chat.data / "staging").iterdir())
    assert [path.stat().st_mode & 0o777 for path in staged] == [0o600]


async def test_whole_of_a_long_answer_comes_as_a_file(chat: House) -> None:
    """issue 5, item 6: the head, how to go on, and all of it in one send."""
    said = "".join(f"line {number} of many words\\n" for number in range(1_000))
    await chat.phone.asks(f"reply:{said}", "more: /more, or /sendfile #1 for all of it as a file")
    chat.phone.says("/sendfile #1")
    ((name, data),) = await chat.phone.gets_files(1)
    assert name == "answer-1.md"
    assert data.decode().strip() == said.replace("\\n", "\n").strip()
    await chat.phone.asks("/sendfile #2", "There is no answer #2")


async def test_pictures_go_as_pictures_and_all_sends_every_file_that_is_ready(
    chat: House,
) -> None:
    """issue 3, item 5: by content; what is in doubt is said and asked about one by one."""
    await chat.phone.asks("file:exports/a.txt=one\nfile:notes.md=two", "I wrote notes.md.")
    picture = workspace(chat) / "exports" / "plot.txt"
    picture.write_bytes(small_png())
    await chat.phone.asks(
        "sleep:0.1\nreply:see `exports/plot.txt`, exports/a.txt and notes.md", "see"
    )
    listed = await chat.phone.asks("/artifacts", "Files of #2:")
    assert re.search(r"1\. plot\.txt · \d+ B · ready", listed)
    await chat.phone.asks("/sendfile all", "Not sent")
    found = await chat.phone.gets_files(2)
    assert sorted(found) == [("a.txt", b"one"), ("image_item", small_png())]


async def test_a_file_in_doubt_is_asked_about_and_yes_sends_what_was_hashed(chat: House) -> None:
    """R24, R25: name, size and hash; what is written into the file meanwhile is not sent."""
    await chat.phone.asks("file:notes.md=as it was", "I wrote notes.md.")
    await chat.phone.asks("/artifacts", "1. notes.md · 9 B · asks you first: it is not in")
    asked = await chat.phone.asks("/sendfile 1", "Send notes.md?")
    assert "9 B, SHA-256 " in asked
    path = next((chat.folder / ".cache").rglob("notes.md"))
    path.write_text("changed since")
    chat.phone.says("/yes")
    assert await chat.phone.gets_files(1) == [("notes.md", b"as it was")]
    await chat.phone.asks("/yes", "There is nothing to confirm.")


async def test_a_secret_stays_without_a_yes_and_a_link_in_any_case(chat: House) -> None:
    """R23, R25: the reason and the next step, and nothing was uploaded."""
    await chat.phone.asks(f"file:exports/log.txt={KEY}", "I wrote exports/log.txt.")
    listed = await chat.phone.asks("/artifacts", "1. log.txt")
    assert "asks you first: it may hold a key or a password" in listed
    await chat.phone.asks("/sendfile all", "Not sent: /sendfile these one by one")
    await chat.phone.asks("/sendfile 1", "it may hold a key or a password")
    await chat.phone.asks("/no", "Nothing was changed.")
    (workspace(chat) / "exports" / "passwords.txt").symlink_to("/etc/passwd")
    await chat.phone.asks("reply:see exports/passwords.txt, or exports/none.txt", "see")
    await chat.phone.asks("/artifacts", "1. passwords.txt · stays: a link")
    await chat.phone.asks("/sendfile 1", "Not sent:\npasswords.txt · stays: a link")
    await chat.phone.asks("/sendfile 7", "There is no file 7 in the list.")
    assert not chat.world.calls("getuploadurl")


async def test_what_wechat_does_not_take_is_said_once_and_the_rest_goes_on(chat: House) -> None:
    """issue 3, item 5: a refused upload, then one that only needs another try."""
    await chat.phone.asks("file:exports/a.txt=one", "I wrote exports/a.txt.")
    chat.simulator.fail("cdn_upload", "status", code=413, message="too large")
    await chat.phone.asks("/sendfile 1", "a.txt was not sent: it is too large for WeChat.")
    chat.simulator.fail("cdn_upload", "status", code=500)
    chat.phone.says("/sendfile 1")
    assert await chat.phone.gets_files(1) == [("a.txt", b"one")]
    assert chat.phone.count("was not sent") == 1


async def test_the_same_in_chinese(chat: House) -> None:
    """design 7: two languages; an old file in the exports is asked about."""
    await chat.phone.asks("/lang zh", "以后用中文")
    await chat.phone.asks("/artifacts", "还没有回答")
    await chat.phone.asks("file:exports/旧.txt=去年的", "I wrote exports")
    old = workspace(chat) / "exports" / "旧.txt"
    os.utime(old, (1_700_000_000, 1_700_000_000))
    await chat.phone.asks("/artifacts", "1. 旧.txt · 9 B · 发之前要你确认：不是这一轮写的")
    await chat.phone.asks("/sendfile 1", "要发送 旧.txt 吗？9 B，SHA-256 ")
    chat.phone.says("/yes")
    assert await chat.phone.gets_files(1) == [("旧.txt", "去年的".encode())]


async def test_file_that_codex_wrote_in_its_turn_comes_to_the_phone() -> None:
    """issue 5, item 7: the real Codex CLI in its sandbox, whose turn is the file's window."""
    async with over_codex() as desk:
        await desk.phone.asks(f"/bind {await desk.thread('garden')}", "Now using default")
        await desk.phone.asks(
            "shell:mkdir -p exports && printf roses > exports/plan.txt\n"
            "reply:The plan is in [plan](exports/plan.txt).",
            "The plan is in",
        )
        await desk.phone.asks("/artifacts", "1. plan.txt · 5 B · ready")
        desk.phone.says("/sendfile 1")
        assert await desk.phone.gets_files(1) == [("plan.txt", b"roses")]
