"""Other controllers: on another machine over `ssh`, and one with the base tools only."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import time
from pathlib import Path

import pytest
from anyio import to_thread

from tests.e2e.rig import BIN, ROOT, House, processes
from tests.fakes import codex_home, controller, model

SSH = """#!/bin/sh
# Stands in for ssh: no other machine, the same words.
shift
{how} "$@"
"""
THREADS = 32
AGAIN_S = 30.0  # a controller that starts again on shared cores, behind the old one's lock


def _ssh(house: House, how: str) -> None:
    """An `ssh` on PATH, and the setting that uses it."""
    folder = house.folder / "bin"
    folder.mkdir()
    (folder / "ssh").write_text(SSH.format(how=how))
    (folder / "ssh").chmod(0o755)
    house.settings["PATH"] = f"{folder}:{os.environ['PATH']}"
    words = ["ssh", "desk", str(BIN / "ctb-controller"), "--engine", "echo"]
    house.settings["CTB_CONTROLLER_COMMAND"] = shlex.join(words)


def _pids(house: House, words: str) -> list[int]:
    return [pid for pid, line in processes(house.folder).items() if words in line]


@pytest.mark.parametrize("how", ["exec", ""], ids=["the line drops", "the client dies"])
async def test_threads_on_another_machine_survive_a_lost_connection(house: House, how: str) -> None:
    """issue 4, item 8: an ssh command is all it takes; the answer of that turn comes once."""
    _ssh(house, how)
    await house.moves_in()
    await house.phone.asks("/threads", "Cart loses items")
    await house.phone.asks("/use 1", "Now using shop")
    await house.phone.asks("hello over there", "echo: hello over there")
    house.phone.says("sleep:3\nreply:after the break")
    await house.is_typing()
    (pid,) = _pids(house, "--engine echo" if how else "bin/ssh desk")
    os.kill(pid, signal.SIGKILL)
    await house.phone.reads("after the break", AGAIN_S)
    await house.phone.asks("and on", "echo: and on")
    assert house.phone.count("after the break") == 1


async def test_folders_of_another_machine_are_taken_at_their_word(house: House) -> None:
    """design 7, issue 4 item 8: nothing there is looked at or sent; the desk there says no."""
    _ssh(house, "exec")
    await house.moves_in()
    there = house.folder / "there"
    there.mkdir()
    await house.phone.asks("/new far there", "There is no such folder.")
    await house.phone.asks(f"/new far {there}", "far is a new thread in there")
    await house.phone.asks("are you there", "echo: are you there")
    await house.phone.asks("file:exports/plan.md=the plan", "exports/plan.md")
    assert (there / "exports" / "plan.md").exists()  # though it is said, rightly, to be elsewhere
    await house.phone.asks("/artifacts", "1. plan.md · stays: on another computer, out of reach")
    await house.phone.asks("/sendfile 1", "plan.md · stays: on another computer, out of reach")
    await house.phone.asks("/new gone /nowhere/at-all", "gone is a new thread in at-all")
    await house.phone.asks("hello", "the folder of gone is not there.")


def _base(house: House, threads: dict[str, object], locks: dict[str, object], *modes: str) -> None:
    """A controller with the base tools alone, with these threads and locks."""
    state = house.folder / "fake.json"
    empty: dict[str, object] = {"runs": {}, "seq": 0, "starts": {}}
    state.write_text(json.dumps({"threads": threads, "locks": locks, **empty}))
    words = [sys.executable, "-m", "tests.fakes.controller", str(state), *modes]
    house.settings["CTB_CONTROLLER_COMMAND"] = json.dumps(words)
    house.settings["CTB_CONTROLLER_ENV"] = "PYTHONPATH"
    house.settings["PYTHONPATH"] = str(ROOT)


def _thread(cwd: Path) -> dict[str, object]:
    return {"title": "A thread", "cwd": str(cwd), "head": "none"}


async def test_what_a_base_controller_cannot_do_is_said_and_the_rest_goes_on(house: House) -> None:
    """issue 4, items 5 and 9: /steer and /fork in words, /new and /recover for real."""
    locked = {"owner": "ctb-group-qa:club", "token": "old"}
    name = controller.SAMPLE_THREAD
    _base(house, {name: _thread(house.folder)}, {name: locked})
    await house.moves_in()
    await house.phone.asks(f"/bind {name}", "Now using default")
    await house.phone.asks("/fork default", "this controller cannot do that")
    await house.phone.asks("first", "default is locked by somebody else")
    await house.phone.asks("/recover default", "ctb-group-qa:club holds it")
    await house.phone.asks("/yes", "The lock of default is back")
    await house.phone.reads("echo: first")
    # The answer is on the phone; the lock goes beside it, a moment later.
    await house.phone.asks_until("/recover default", "default", "is not locked")
    house.phone.says("sleep:3\nreply:slow")
    await house.is_typing()
    await house.phone.asks("/steer more", "This controller cannot add to a running turn")
    await house.phone.reads("slow")
    (house.folder / "work").mkdir()
    await house.phone.asks("/new other work", "other is a new thread in work")
    await house.phone.asks("second", "echo: second")
    await house.phone.asks("third", "echo: third")
    threads = json.loads((house.folder / "fake.json").read_text())["threads"]
    assert [t["cwd"] for t in threads.values()].count(str(house.folder / "work")) == 1
    await house.phone.asks("/refresh", "cannot be read now: there is no such thread")


async def test_head_that_moves_after_planning_is_asked_about_and_retry_runs_it(
    house: House,
) -> None:
    """issue 4, item 3: the same turn, under the same key, with the new head."""
    name = controller.SAMPLE_THREAD
    _base(house, {name: _thread(house.folder)}, {}, "head-moves:1")
    await house.moves_in()
    await house.phone.asks(f"/bind {name}", "Now using default")
    await house.phone.asks("hello", "was not started: default just went on at the desk")
    await house.phone.asks("/retry", "echo: hello")
    assert list(controller.starts_per_key(house.folder / "fake.json").values()) == [1]


async def test_our_reader_serves_lists_and_histories_of_a_base_controller(house: House) -> None:
    """controller-contract 2: started when first asked, ended when idle."""
    if codex_home.codex_binary() is None:
        pytest.skip("no Codex CLI: set CODEX_BIN to one")
    with model.running() as provider:
        home = codex_home.make(house.folder, provider.url)
        work = house.folder / "work"
        work.mkdir()
        thread = await to_thread.run_sync(codex_home.make_thread, home, work, "reply:at the desk")
        _base(house, {thread: _thread(work)}, {})
        await house.moves_in()
        assert not _pids(house, "--reads-only")
        await house.phone.asks("/threads", "1. reply:at the desk")
        await house.phone.asks("/use 1", "Now using work")
        await to_thread.run_sync(codex_home.add_turn, home, work, thread, "reply:and more")
        shown = await house.phone.asks("/refresh", "work, since you last looked")
        assert "> reply:and more" in shown and "at the desk" not in shown
        assert _pids(house, "--reads-only")


async def test_32_new_threads_run_at_once_and_each_answers_once(house: House) -> None:
    """issue 4, item 5: strict order in a thread, freedom between threads."""
    (house.folder / "work").mkdir()
    await house.moves_in()
    names = [f"t{number}x" for number in range(THREADS)]
    began = time.monotonic()
    for name in names:
        house.phone.says(f"/new {name} work")
        house.phone.says(f"sleep:2\nreply:answer of {name}")
        house.phone.says(f"reply:after {name}")
    await house.simulator.until(
        lambda: all(house.phone.count(f"after {name}") for name in names), AGAIN_S
    )
    assert time.monotonic() - began < THREADS  # one after the other would take twice that
    for name in names:
        texts = [text for text in house.phone.texts() if text.endswith(name)]
        told = [text.splitlines()[-1] for text in texts]
        assert told == [f"answer of {name}", f"after {name}"]
