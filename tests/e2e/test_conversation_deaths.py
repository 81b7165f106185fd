"""Processes that die in the middle of a turn of the real Codex: what the phone is shown."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing

import anyio
import pytest

from tests.e2e import rig
from tests.e2e.desk import Desk, over_codex

AGAIN_S = 60.0  # a bridge and a controller that start again on shared cores


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with over_codex() as made:
        yield made


LOOK_S = 0.0005  # far below the 2 ms in which a client's death could end its turn

OURS = ("ctb-bridge run", "ctb-controller")


def _pids(desk: Desk, *names: str) -> list[int]:
    found = rig.processes(desk.house.folder).items()
    return [pid for pid, words in found if any(name in words for name in names)]


def _kill(*pids: int) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


async def _kill_ours(desk: Desk) -> None:
    """The bridge and its controller at once; Codex is left alone. Then the bridge again."""
    _kill(*_pids(desk, *OURS))
    await _begin_again(desk)


async def _begin_again(desk: Desk) -> None:
    desk.house.opens("ctb-bridge", "run")
    await desk.house.is_healthy()


async def test_turn_goes_on_while_bridge_and_controller_are_dead(desk: Desk) -> None:
    """issue 4, item 2: also one that asks while nobody is connected; its answer comes once."""
    thread = await desk.thread("fort")
    await desk.phone.asks(f"/bind {thread}", "Now using default")
    made = desk.workspace("fort") / "gate.txt"
    desk.phone.says("shell:sleep 4\nescalate:touch gate.txt\nreply:held the fort")
    await desk.house.is_typing()
    await _kill_ours(desk)
    asked = await desk.phone.reads("/approve", AGAIN_S)
    (code,) = re.findall(r"/approve (\w+)", asked)
    await desk.phone.asks(f"/approve {code}", "held the fort")
    assert made.exists()
    await desk.phone.asks("and on", "echo: and on")
    assert desk.phone.count("held the fort") == 1
    assert desk.turns(thread) == 3


async def test_answer_comes_once_when_both_die_at_the_send_or_before_it_is_read(
    desk: Desk,
) -> None:
    """issue 4, item 2: within 2 ms of `turn/start`, and after the end of the turn."""
    thread = await desk.thread("tower")
    await desk.phone.asks(f"/bind {thread}", "Now using default")
    ours = _pids(desk, *OURS)
    desk.phone.says("sleep:1\nreply:sent once")
    with anyio.fail_after(AGAIN_S):
        # The commit right before the send is the sign; a file sets no event.
        while not _was_sent(desk):  # noqa: ASYNC110
            await anyio.sleep(LOOK_S)
    _kill(*ours)
    await _begin_again(desk)
    await desk.phone.reads("sent once", AGAIN_S)

    desk.phone.says("shell:sleep 3\nreply:heard once")
    await desk.house.is_typing()
    ours = _pids(desk, *OURS)
    for pid in ours:
        os.kill(pid, signal.SIGSTOP)  # so that nobody hears the end
    with anyio.fail_after(AGAIN_S):
        while '"heard once"' not in desk.rollout(thread):  # noqa: ASYNC110
            await anyio.sleep(rig.LOOK_S)
    _kill(*ours)
    await _begin_again(desk)
    await desk.phone.reads("heard once", AGAIN_S)
    await desk.phone.asks("and on", "echo: and on")
    assert desk.phone.count("sent once") == desk.phone.count("heard once") == 1
    assert desk.turns(thread) == 4


def _was_sent(desk: Desk) -> bool:
    """Whether the controller is about to send a turn to Codex, or has just done it."""
    path = desk.home / "cross-thread-controller" / "ctb.sqlite3"
    with closing(sqlite3.connect(path)) as db:
        return bool(db.execute("SELECT 1 FROM run WHERE head_before IS NOT NULL").fetchall())


async def test_approval_outlives_bridge_and_controller_under_the_same_code(desk: Desk) -> None:
    """issue 4, item 4: same code, same request, one action; /deny and /answer too."""
    await desk.phone.asks(f"/bind {await desk.thread('gate')}", "Now using default")
    made = desk.workspace("gate") / "opened.txt"
    asked = await desk.phone.asks("escalate:touch opened.txt\nreply:it is open", "/approve")
    (code,) = re.findall(r"/approve (\w+)", asked)
    await _kill_ours(desk)
    desk.phone.says(f"/approve {code}")
    await desk.phone.reads("it is open", AGAIN_S)
    assert made.exists()
    assert desk.phone.count("wants to run this command") == 1
    await desk.phone.asks(f"/approve {code}", "No pending request has this code.")

    asked = await desk.phone.asks("escalate:rm opened.txt\nreply:left as it is", "/deny")
    (code,) = re.findall(r"/deny (\w+)", asked)
    await desk.phone.asks(f"/deny {code}", "left as it is")
    assert made.exists()

    asked = await desk.phone.asks("question:Which colour?\nreply:painted", "/answer")
    assert asked.count("1. Yes") == 1
    (code,) = re.findall(r"/answer (\w+)", asked)
    await _kill_ours(desk)
    desk.phone.says(f"/answer {code} 1")
    await desk.phone.reads("painted", AGAIN_S)


async def test_death_of_codex_is_said_and_the_thread_is_usable_at_once(desk: Desk) -> None:
    """issue 4, item 2: `interrupted`, never run again by itself; /retry does."""
    thread = await desk.thread("mine")
    await desk.phone.asks(f"/bind {thread}", "Now using default")
    desk.phone.says("shell:sleep 30\nreply:out of the mine")
    await desk.house.is_typing()
    _kill(*_pids(desk, "app-server"))
    await desk.phone.reads("was cut off: Codex ended in the middle", AGAIN_S)
    desk.phone.says("reply:fine again")
    await desk.phone.reads("fine again", AGAIN_S)
    assert desk.phone.count("out of the mine") == 0
    assert desk.turns(thread) == 3


async def test_request_is_only_told_where_it_may_not_be_answered_from_afar() -> None:
    """issue 4, item 4: CTB_REMOTE_APPROVALS=off gives the summary and "confirm at the desk"."""
    async with over_codex(CTB_REMOTE_APPROVALS="off") as desk:
        await desk.phone.asks(f"/bind {await desk.thread('safe')}", "Now using default")
        made = desk.workspace("safe") / "opened.txt"
        asked = await desk.phone.asks(
            "escalate:touch opened.txt\nreply:never", "confirm it at the desk"
        )
        assert "/approve" not in asked and not made.exists()
        await desk.phone.asks("/stop", "is stopped")
        assert not made.exists()
