"""Pictures, files, voice and quotes from the phone, through the real commands."""

from __future__ import annotations

import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.core.intake import FILES_WAIT_MS
from channel_worker.simulator import cdn
from channel_worker.simulator.scenarios import small_png
from tests.e2e.rig import PATIENCE_S, House


@pytest.fixture
async def chat(house: House) -> AsyncIterator[House]:
    """A house that is lived in, with a thread in use."""
    await house.moves_in()
    await house.phone.asks("/threads", "1. ")
    await house.phone.asks("/use 1", "Now using")
    yield house


def attachments(house: House) -> list[Path]:
    return sorted(path for path in (house.data / "attachments").rglob("*") if path.is_file())


async def test_several_files_and_one_sentence_are_one_prompt(chat: House) -> None:
    """issue 3, item 6: bytes whole, 0600 below 0700, named by us; the phone sees names only."""
    report = bytes(range(256)) * 4_000
    chat.world.post([cdn.picture_item(chat.simulator, small_png())])
    chat.world.post([cdn.file_item(chat.simulator, "../报告 1.pdf", b"%PDF-" + report)])
    answer = await chat.phone.asks("compare them", "compare them")
    assert answer == "echo: [image]\n[file 报告 1.pdf]\ncompare them"
    found = {path.suffix: path for path in attachments(chat)}
    assert found[".png"].read_bytes() == small_png()
    assert found[".pdf"].read_bytes() == b"%PDF-" + report
    for path in found.values():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert chat.phone.count("echo:") == 1


async def test_send_takes_waiting_files_along(chat: House) -> None:
    """design 7: once, to another thread, without switching."""
    await chat.phone.asks("/add other 2", "other is")
    chat.world.post([cdn.file_item(chat.simulator, "notes.txt", b"words")])
    answer = await chat.phone.asks("/send other read it", "read it")
    assert answer == "(other)\necho: [file notes.txt]\nread it"
    await chat.phone.asks("and now", "echo: and now")


async def test_file_that_is_gone_is_said_and_the_words_still_run(chat: House) -> None:
    """F45: the message is kept, the file given up."""
    item = cdn.picture_item(chat.simulator, small_png())
    chat.world.files.clear()
    chat.world.post([item])
    answer = await chat.phone.asks("what is it?", "what is it?")
    assert answer.startswith("▸ 1 of your files could not be got")
    assert answer.endswith("echo: [image: could not be fetched]\nwhat is it?")


async def test_commands_go_on_while_a_file_is_on_its_way(chat: House) -> None:
    """design 4, item 7: `/status` never waits behind a download."""
    chat.simulator.fail("cdn_download", "delay", seconds=3)
    chat.world.post([cdn.picture_item(chat.simulator, small_png())])
    chat.phone.says("what is it?")
    await chat.phone.asks("/list", "Your names for threads")
    assert not chat.phone.count("echo:")
    await chat.phone.reads("echo: [image]\nwhat is it?")


async def test_files_alone_are_asked_about_once_and_go_with_the_words(chat: House) -> None:
    """delivery-semantics 4: one line after 30 s, no turn, and then they wait."""
    chat.world.post([cdn.picture_item(chat.simulator, small_png())])
    chat.world.post([cdn.file_item(chat.simulator, "notes.txt", b"words")])
    sent_s = time.monotonic()
    await chat.phone.reads("Got 2 of your files.", FILES_WAIT_MS / 1000 + PATIENCE_S)
    assert time.monotonic() - sent_s >= FILES_WAIT_MS / 1000
    await chat.phone.asks("/status", "Files that wait for your words: 2")
    answer = await chat.phone.asks("compare them", "compare them")
    assert answer.endswith("[image]\n[file notes.txt]\ncompare them")
    assert chat.phone.count("Got 2") == chat.phone.count("echo:") == 1


async def test_transcript_runs_and_a_voice_without_one_is_a_file(chat: House) -> None:
    """issue 3, item 6: the answer's first line shows what was heard."""
    silk = b"\x02#!SILK_V3" + bytes(90)
    chat.world.post([cdn.voice_item(chat.simulator, silk, "/stop the build")])
    heard = await chat.phone.reads("Heard")
    assert heard == "▸ Heard: /stop the build\necho: [voice] /stop the build"
    chat.world.post([cdn.voice_item(chat.simulator, silk)])
    await chat.phone.asks("write it down", "echo: [voice without a transcript: voice]")
    assert [path.suffix for path in attachments(chat)] == [".silk"]


async def test_quote_by_id_alone_brings_the_quoted_words_along(chat: House) -> None:
    """issue 3, item 7: newer phones send only `svr_id`; an unknown one is said."""
    await chat.phone.asks("the first one", "echo: the first one")
    quoted = chat.world.sent[-1].message_id

    def quote(server_id: str, text: str) -> None:
        ref = {"ref_msg": {"svr_id": server_id}}
        chat.world.post([{"type": 1, "text_item": {"text": text}, **ref}])

    quote(quoted, "and why?")
    await chat.phone.reads("echo: > echo: the first one\n\nand why?")
    quote("7497484083968569000", "and this?")
    unknown = await chat.phone.reads("and this?")
    assert unknown.startswith("▸ What you quoted is not known here")


async def test_files_survive_a_kill_of_both_processes(house: House) -> None:
    """F1 to F6 for files: the reference is a row, so the file still comes."""
    bridge, worker = await house.moves_in()
    await house.phone.asks("/threads", "1. ")
    await house.phone.asks("/use 1", "Now using")
    house.simulator.fail("cdn_download", "delay", seconds=30)
    house.world.post([cdn.picture_item(house.simulator, small_png())])
    house.phone.says("what is it?")
    await house.simulator.until(lambda: house.world.calls("cdn_download"))
    await bridge.is_killed()
    await worker.is_killed()
    await house.moves_in()
    await house.phone.reads("echo: [image]\nwhat is it?")
    assert house.phone.count("echo:") == 1
