"""Desk and phone take turns on real threads: read on, steer, begin, branch, wait.

One installation over the real Codex CLI serves the whole file; every test has threads of
its own.
"""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator

import pytest

from tests.e2e import rig
from tests.e2e.desk import Desk, over_codex


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One loop for the module, so that its tests can share a desk."""
    return "asyncio"


@pytest.fixture(scope="module")
async def desk() -> AsyncIterator[Desk]:
    async with over_codex() as made:
        yield made


async def test_refresh_tells_what_the_desk_did_and_then_that_nothing_is_new(desk: Desk) -> None:
    """issue 4, item 6: user and final text, commands with outcome, files; no turn."""
    thread = await desk.thread("mill")
    await desk.phone.asks(f"/bind {await desk.number_of('mill')}", "Now using default")
    shown = await desk.phone.asks("/refresh", "nothing new since you last looked")
    assert "> reply:this is mill" in shown and "\nthis is mill" in shown
    await desk.adds_turn("mill", thread, "shell:echo 3 passed\nwrite:made.txt\nreply:all is well")
    requests = desk.model.seen.requests
    shown = await desk.phone.asks("/refresh", "default, since you last looked")
    assert "✓" in shown and "3 passed" in shown and "✎" in shown and "made.txt" in shown
    assert shown.endswith("all is well")
    assert desk.model.seen.requests == requests
    shown = await desk.phone.asks("/refresh default", "nothing new since you last looked")
    assert "all is well" in shown


async def test_refresh_goes_on_where_it_left_off(desk: Desk) -> None:
    """issue 4, item 6: what does not fit comes with the next one, once and in order."""
    thread = await desk.thread("pond")
    await desk.phone.asks(f"/bind {await desk.number_of('pond')}", "Now using default")
    for number in range(3):
        await desk.adds_turn("pond", thread, f"comment:step {number}\nlong:5000")
    first = len(desk.phone.texts())
    await desk.phone.asks("/refresh", "There is more: /refresh default again")
    for _ in range(3):
        if not desk.phone.texts()[-1].endswith("again"):
            break
        before = len(desk.phone.texts())
        desk.phone.says("/refresh")
        await desk.house.simulator.until_sent(before + 1, rig.PATIENCE_S)
    shown = "\n".join(desk.phone.texts()[first:])
    places = [shown.index(f"> comment:step {number}") for number in range(3)]
    assert places == sorted(places)
    assert all(shown.count(f"> comment:step {number}") == 1 for number in range(3))


async def test_desk_turns_between_two_messages_are_counted_and_shown(desk: Desk) -> None:
    """issue 4, item 3: the message runs, its answer opens with one line, /refresh shows them."""
    thread = await desk.thread("barn")
    await desk.phone.asks(f"/bind {await desk.number_of('barn')}", "Now using default")
    await desk.phone.asks("first", "echo: first")
    await desk.adds_turn("barn", thread, "reply:one at the desk")
    await desk.adds_turn("barn", thread, "reply:two at the desk")
    answer = await desk.phone.asks("second", "echo: second")
    assert "New turns at the desk before this answer: 2. To see them: /refresh default" in answer
    assert "at the desk" not in await desk.phone.asks("third", "echo: third")
    shown = await desk.phone.asks("/refresh", "default, since you last looked")
    places = [shown.index(words) for words in ("one at the desk", "two at the desk")]
    assert places == sorted(places)
    assert "#1 came from here" in shown and "#2 to #3, came from here" in shown
    assert "echo: " not in shown


async def test_steer_reaches_the_running_turn_once(desk: Desk) -> None:
    """issue 4, item 5: one turn, one answer, both texts in it."""
    thread = await desk.thread("loft")
    await desk.phone.asks(f"/bind {thread}", "Now using default")
    await desk.phone.asks("/steer too early", "Nothing is running in default")
    desk.phone.says("shell:sleep 4\nreply:done with the loft")
    await desk.house.is_typing()
    await desk.phone.asks("/steer and the roof too", "has taken that in")
    await desk.phone.reads("echo: and the roof too")
    assert desk.rollout(thread).count("and the roof too") >= 1
    assert desk.turns(thread) == 3
    await desk.phone.asks("/steer too late", "Nothing is running in default")


async def test_steer_outlives_the_controller_it_was_given_to(desk: Desk) -> None:
    """Done under the key of its message: by the next controller, and once."""
    thread = await desk.thread("vault")
    await desk.phone.asks(f"/bind {thread}", "Now using default")
    desk.phone.says("shell:sleep 12\nreply:done with the vault")
    await desk.house.is_typing()
    found = rig.processes(desk.house.folder)
    for pid in (pid for pid, words in found.items() if "ctb-controller" in words):
        os.kill(pid, signal.SIGKILL)
    await desk.phone.asks("/steer and the door", "has taken that in")
    await desk.phone.reads("echo: and the door")
    assert desk.turns(thread) == 3


async def test_new_thread_begins_with_its_first_message(desk: Desk) -> None:
    """design 7: the name is there at once, the thread with its first message."""
    folder = desk.workspace("fresh")
    folder.mkdir()
    await desk.phone.asks("/new den nowhere", "There is no such folder.")
    await desk.phone.asks("/new den /", "holds too much for one thread")
    await desk.phone.asks("/new den fresh", "den is a new thread in fresh")
    assert "A new thread" in await desk.phone.asks("/status", "den: ")
    await desk.phone.asks("/refresh", "den is still empty.")
    made = list((desk.home / "sessions").glob("*/*/*/*.jsonl"))
    await desk.phone.asks("hello there", "echo: hello there")
    await desk.phone.asks("and again", "echo: and again")
    found = [path for path in (desk.home / "sessions").glob("*/*/*/*.jsonl") if path not in made]
    assert len(found) == 1 and str(folder) in found[0].read_text()
    assert "hello there" in await desk.phone.asks("/list", "Your names")
    await desk.phone.asks("/new den fresh", "There is a den already.")


async def test_fork_goes_on_in_a_branch_with_the_same_past(desk: Desk) -> None:
    """design 7: the branch is chosen, and the thread it came from stays as it was."""
    thread = await desk.thread("tree")
    await desk.phone.asks(f"/add tree {thread}", "tree is")
    await desk.phone.asks("/fork tree", "tree-2 is a branch of tree, now in use.")
    await desk.phone.asks("on the branch", "echo: on the branch")
    assert desk.turns(thread) == 1
    await desk.phone.asks("/fork tree tree-2", "There is a tree-2 already.")
    await desk.phone.asks("/fork nobody", "There is no nobody.")


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("status:401", "Codex is not signed in. Run  codex login  at the desk"),
        ("status:429", "too many requests for now"),
        ("failed:rate_limit_exceeded", "too many requests for now"),
        ("failed:insufficient_quota", "the usage limit is reached"),
        ("failed:server_is_overloaded", "the model service is overloaded"),
        ("failed:context_length_exceeded", "too long for the model"),
        ("failed:cyber_policy", "was refused: the model will not do that"),
        ("failed:model_not_found", "the model does not exist"),
        ("cut", "the connection to the model broke"),
        ("status:400", "failed: "),
    ],
)
async def test_each_failure_has_its_own_sentence(desk: Desk, message: str, told: str) -> None:
    """issue 4, item 7: with the next step, and the thread goes on."""
    thread = await desk.thread(message.replace(":", "-"))
    await desk.phone.asks(f"/bind {thread}", "Now using default")
    shown = await desk.phone.asks(message, told)
    assert any(step in shown for step in ("/retry", "/new", "Say it another way"))
    await desk.phone.asks("reply:fine again", "fine again")
