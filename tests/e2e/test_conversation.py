"""The main job on real input: phone, worker, bridge and controller over the Codex CLI.

Only WeChat and the model are ours here. One installation serves the whole file; every
test has threads of its own, made at the desk before the phone hears of them.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e import rig
from tests.e2e.desk import Desk, over_codex

ANSWERED_S = 10.0  # the card says one second; the cores of a test are shared
GREETING = "你好，请看一下 👩‍👩‍👧"
LONG_CHARS = 100_000


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One loop for the module, so that its tests can share a desk."""
    return "asyncio"


@pytest.fixture(scope="module")
async def desk() -> AsyncIterator[Desk]:
    async with over_codex() as made:
        yield made


async def test_a_message_runs_one_turn_in_the_listed_thread_and_its_answer_arrives(
    desk: Desk,
) -> None:
    """Card, item 4: the rollout of that very thread grows by that turn, and no other does."""
    other, chosen = await desk.thread("garden"), await desk.thread("kitchen")
    number = await desk.number_of("kitchen")
    await desk.phone.asks(f"/add code {number}", "code is reply:this is kitchen")
    await desk.phone.asks("/use code", "Now using code")
    turns, others, requests = desk.turns(chosen), desk.turns(other), desk.model.seen.requests

    await desk.phone.asks(GREETING, f"echo: {GREETING}")

    assert desk.turns(chosen) == turns + 1
    assert desk.turns(other) == others
    assert desk.model.seen.requests == requests + 1
    assert desk.model.seen.messages[-1] == GREETING
    assert GREETING in desk.rollout(chosen)


async def test_the_commands_of_the_card_work_without_a_turn(desk: Desk) -> None:
    """Card, item 4; design 1: no model heartbeat."""
    await desk.thread("cellar")
    requests = desk.model.seen.requests
    number = await desk.number_of("cellar")
    await desk.phone.asks(f"/bind {number}", "Now using default: reply:this is cellar")
    await desk.phone.asks("/status", "default: reply:this is cellar")
    await desk.phone.asks(f"/add wine {number}", "wine is")
    assert "→ default" in await desk.phone.asks("/list", "wine")
    await desk.phone.asks("/remove wine", "Answer /yes or /no")
    await desk.phone.asks("/yes", "The name wine is gone.")
    assert "wine" not in await desk.phone.asks("/list", "Your names")
    assert desk.model.seen.requests == requests


async def test_send_reaches_a_thread_without_switching_to_it(desk: Desk) -> None:
    """Card, item 4."""
    near, far = await desk.thread("near"), await desk.thread("far")
    await desk.phone.asks(f"/add far {far}", "far is")
    await desk.phone.asks(f"/bind {near}", "Now using default")
    await desk.phone.asks("/send far over there", "echo: over there")
    await desk.phone.asks("over here", "echo: over here")
    assert (desk.turns(far), desk.turns(near)) == (2, 2)


async def test_help_shows_only_what_works(desk: Desk) -> None:
    """Card, item 4: what the phone cannot do yet is not in /help."""
    shown = await desk.phone.asks("/help", "Commands:")
    verbs = re.findall(r"^/([a-z-]+)", shown, re.MULTILINE)
    assert {"threads", "use", "add", "bind", "list", "status", "stop", "help"} <= set(verbs)
    for verb in verbs:
        usage = await desk.phone.asks(f"/help {verb}", "Usage: ")
        assert f"/{verb}" in usage
    bare = [verb for verb in verbs if verb != "retry"]  # it runs what another test has stopped
    before = len(desk.phone.texts())
    for verb in bare:
        desk.phone.says(f"/{verb}")
    await desk.house.simulator.until_sent(before + len(bare), rig.PATIENCE_S)
    assert desk.phone.count("There is no such command") == 0


async def test_stop_ends_a_long_turn_and_is_answered_once(desk: Desk) -> None:
    """Card, item 4: the settlement is the reply; the answer of the turn never comes."""
    await desk.phone.asks(f"/bind {await desk.thread('attic')}", "Now using default")
    desk.phone.says("sleep:60\nreply:far too late")
    await desk.house.is_typing()
    stopped = desk.phone.count("is stopped")
    desk.phone.says("/stop")
    await desk.phone.reads("is stopped", ANSWERED_S)
    await desk.phone.asks("and now this", "echo: and now this")
    assert desk.phone.count("is stopped") == stopped + 1
    assert desk.phone.count("far too late") == 0


async def test_no_word_of_a_message_reaches_a_shell(desk: Desk) -> None:
    """R31: as words, as a name, and in the title that a new thread takes from it."""
    await desk.phone.asks(f"/bind {await desk.thread('scullery')}", "Now using default")
    bait = ";$(touch by-a-shell)`touch by-a-shell`"
    await desk.phone.asks(bait, f"echo: {bait}")
    await desk.phone.asks("/send default | touch by-a-shell", "echo: | touch by-a-shell")
    await desk.phone.asks("/new cupboard $(touch by-a-shell)", "cupboard")
    await desk.phone.asks(f"/use {bait}", "▸ ")
    assert desk.model.seen.messages[-2:] == [bait, "| touch by-a-shell"]
    assert not [*desk.house.folder.rglob("by-a-shell"), *Path.cwd().glob("by-a-shell")]


async def test_an_approval_is_asked_on_the_phone_and_approve_runs_it(desk: Desk) -> None:
    """Design 7: one request, one code, single use."""
    await desk.phone.asks(f"/bind {await desk.thread('shed')}", "Now using default")
    made = desk.workspace("shed") / "approved.txt"
    asked = await desk.phone.asks("escalate:touch approved.txt\nreply:it is there", "/approve")
    assert "touch approved.txt" in asked and not made.exists()
    code = re.findall(r"/approve (\w+)", asked)[0]
    await desk.phone.asks("/approve nonsense", "No pending request has this code.")
    await desk.phone.asks(f"/approve {code}", "it is there")
    assert made.exists()
    await desk.phone.asks(f"/approve {code}", "No pending request has this code.")


async def test_a_message_of_100000_characters_runs_whole(desk: Desk) -> None:
    """Card, bad input."""
    await desk.phone.asks(f"/bind {await desk.thread('library')}", "Now using default")
    text = "reply:all of it came\n" + "字" * LONG_CHARS
    await desk.phone.asks(text, "all of it came")
    assert desk.model.seen.messages[-1] == text
