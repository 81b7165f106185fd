"""Requests of a turn, from the controller's list to the owner's word and back."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from bridge.core.approvals import Asked
from bridge.core.errors import LinkLost, Stale
from bridge.core.model import ApprovalId, ApprovalState, PeerId, TurnId
from bridge.links.link import ToolError
from bridge.store import approvals
from bridge.store.statements import change
from bridge.store.tables import ApprovalTable
from bridge.tasks.state import Codes
from tests.contract.room import OWNER, THREAD, Room, room

COMMAND = Asked(ApprovalId("t:1"), "command", "run a command: make", "make\n/", "digest-1", ())
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
OBEYED_S = 2.0  # a stop is obeyed within about a second; the cores are shared


@pytest.fixture
async def busy(tmp_path: Path) -> AsyncIterator[Room]:
    """A room in which one turn asks for COMMAND, and the owner has seen it."""
    async with room(tmp_path) as built:
        await built.says("build it")
        await built.until_asked("start")
        await asks(built)
        yield built


async def asks(room: Room) -> str:
    """The run is blocked on COMMAND; the code that the owner is shown."""
    room.controller.listed = (COMMAND,)
    before = sum("/approve" in text for text in await room.bubbles())
    room.controller.says("blocked", "approval_required")
    return code_in(await room.reads("/approve", before + 1))


def code_in(bubble: str) -> str:
    found = re.search(r"/approve (\w+)", bubble)
    assert found is not None, bubble
    return found[1]


async def test_request_asked_again_after_it_was_answered_is_shown_under_a_code_that_works(
    busy: Room,
) -> None:
    """R29: what is shown is what is stored, also when the same request comes again."""
    first = (await busy.codes())[0]
    await busy.says(f"/approve {first}")
    await busy.reads("is approved")
    again = await asks(busy)
    assert again != first
    assert await busy.codes() == [again]
    await busy.says(f"/deny {again}")
    await busy.reads("is declined")
    assert busy.controller.given == ["accept", "decline"]


async def test_request_listed_twice_is_one_bubble_with_the_code_that_is_stored(
    tmp_path: Path,
) -> None:
    """Ours: a controller that repeats itself in one list."""
    async with room(tmp_path) as built:
        await built.says("build it")
        built.controller.listed = (COMMAND, COMMAND)
        built.controller.says("blocked", "approval_required")
        shown = code_in(await built.reads("/approve"))
        assert await built.codes() == [shown]
        assert sum("/approve" in text for text in await built.bubbles()) == 1


async def test_decision_that_could_not_be_taken_is_given_again(busy: Room) -> None:
    """delivery-semantics 6: `answering` stays, and the stored decision is given again."""
    busy.controller.answers = [ToolError("cross_thread_answer", "engine_down", "try again")]
    await busy.says(f"/approve {(await busy.codes())[0]}")
    await busy.reads("is approved")
    assert busy.controller.given == ["accept", "accept"]
    assert not any("no longer pending" in text for text in await busy.bubbles())


async def test_request_that_is_gone_is_void_and_told(busy: Room) -> None:
    """delivery-semantics 6: gone, or another by now."""
    busy.controller.answers = [False]
    await busy.says(f"/approve {(await busy.codes())[0]}")
    await busy.reads("no longer pending")
    assert busy.controller.given == ["accept"]


async def test_message_behind_a_request_says_so_once_and_how_to_answer(busy: Room) -> None:
    """Ours: whoever writes on must learn that the thread waits for them, not for Codex."""
    code = (await busy.codes())[0]
    await busy.says("and then test it")
    told = await busy.reads("waits behind #1")
    assert f"/approve {code}" in told and "(code)" in told
    await busy.says("and publish it")
    await busy.until_decided()
    assert len(await busy.turns()) == 3
    assert sum("waits behind" in text for text in await busy.bubbles()) == 1


async def test_message_behind_a_turn_that_only_runs_says_nothing(tmp_path: Path) -> None:
    """Ours: a queue that moves by itself costs no bubble."""
    async with room(tmp_path) as built:
        await built.says("build it")
        await built.until_asked("start")
        await built.says("and then test it")
        await built.until_decided()
        assert await built.bubbles() == []


async def test_stop_is_obeyed_while_a_decision_is_on_its_way(busy: Room) -> None:
    """delivery-semantics 6: a controller that is slow to take a decision delays no stop."""
    busy.controller.pauses["answer"] = anyio.Event()  # never taken
    await busy.says(f"/approve {(await busy.codes())[0]}")
    await busy.until_asked("answer")
    await busy.says("/stop")
    with anyio.fail_after(OBEYED_S):
        await busy.until_asked("cancel")
    await busy.until_done()
    assert await busy.outcomes() == ["cancelled"]


async def test_request_answered_while_the_list_came_is_not_shown_again(busy: Room) -> None:
    """Ours: a list that is older than the answer opens nothing."""
    taken, listed = anyio.Event(), anyio.Event()
    busy.controller.pauses = {"answer": taken, "approvals": listed}
    await busy.says(f"/approve {(await busy.codes())[0]}")
    await busy.until_asked("answer")
    busy.controller.says("blocked", "approval_required")
    await busy.until_asked("approvals", 2)
    taken.set()
    await busy.reads("is approved")
    listed.set()
    busy.controller.says("completed", result="built")
    await busy.reads("built")
    assert sum("/approve" in text for text in await busy.bubbles()) == 1


async def test_request_that_waited_twelve_hours_is_declined_and_told(busy: Room) -> None:
    """R29: declined at the controller, once; the code that was shown is void."""
    (code,) = await busy.codes()
    await older(busy, "asked_ms", 13 * HOUR_MS)
    busy.threads.wake(THREAD)
    await busy.reads("waited too long and was declined for you")
    assert busy.controller.given == ["decline"]
    await busy.says(f"/approve {code}")
    await busy.reads("No pending request has this code")
    assert busy.controller.given == ["decline"]


async def test_stale_code_shows_the_same_request_under_a_fresh_one(busy: Room) -> None:
    """R29: ten minutes; using it answers nothing."""
    (code,) = await busy.codes()
    await older(busy, "code_ms", 11 * MINUTE_MS)
    await busy.says(f"/approve {code}")
    await busy.reads("The same request under a new code")
    fresh = code_in(await busy.reads("/approve", 2))
    assert fresh != code and not busy.controller.given
    await busy.says(f"/approve {fresh}")
    await busy.reads("is approved")
    assert busy.controller.given == ["accept"]


async def test_code_goes_stale_by_the_clock_that_nobody_sets(busy: Room) -> None:
    """R29: by either clock; the wall clock was set back, and the code is eleven minutes old."""
    (code,) = await busy.codes()
    ticks = [0.0]
    codes = Codes(lambda: ticks[0])
    for approval in await busy.db.read(lambda: approvals.of_turn(TurnId(1))):
        codes.shown(approval)
    busy.shared.codes = codes
    ticks[0] = 11 * 60.0
    await busy.says(f"/approve {code}")
    await busy.reads("/approve", 2)
    assert (await busy.codes())[0] != code and busy.controller.given == []
    await busy.says(f"/approve {(await busy.codes())[0]}")
    await busy.reads("is approved")


async def test_code_that_lies_ahead_of_the_clock_is_stale(busy: Room) -> None:
    """R29: the clock was set back by an hour behind it."""
    (code,) = await busy.codes()
    await older(busy, "code_ms", -HOUR_MS)
    busy.shared.codes = Codes()  # an earlier process has shown it
    await busy.says(f"/approve {code}")
    await busy.reads("/approve", 2)
    assert (await busy.codes())[0] != code and busy.controller.given == []


async def test_why_tells_of_a_request_that_was_declined_at_its_deadline(busy: Room) -> None:
    """design 7, R29: and the audit has one line of the decision and one for `/why`."""
    await older(busy, "asked_ms", 13 * HOUR_MS)
    busy.controller.fails(LinkLost("controller", 1))
    await busy.reads("declined for you")
    await busy.says("/why")
    await busy.reads("at its deadline it is declined for you")
    audits = await busy.audits()
    assert audits.count(("approval.deny", "waited too long")) == 1
    assert audits.count(("refused", "approval_expired")) == 1


async def test_request_is_decided_once_where_two_words_race(busy: Room) -> None:
    """R29: the second of approve and deny finds nothing open, whatever it had read before."""
    (asked,) = await busy.db.read(lambda: approvals.of_turn(TurnId(1)))
    given = [
        replace(asked, state=ApprovalState.ANSWERING, decision=word)
        for word in ("decline", "accept")
    ]
    await busy.db.run(lambda: approvals.decide(given[0]))
    with pytest.raises(Stale):
        await busy.db.run(lambda: approvals.decide(given[1]))
    (kept,) = await busy.db.read(lambda: approvals.of_turn(TurnId(1)))
    assert kept.decision == "decline"


async def test_code_of_another_owner_is_nobodys(busy: Room) -> None:
    """R29: a request is asked of one person, and answered by that one alone."""
    assert len(await busy.db.read(lambda: approvals.of_peer(OWNER))) == 1
    assert await busy.db.read(lambda: approvals.of_peer(PeerId("oSecond@im.wechat"))) == ()


async def older(room: Room, column: str, age_ms: int) -> None:
    """As if this had been so long ago."""
    at_ms = room.shared.now_ms() - age_ms
    await room.db.run(lambda: change(ApprovalTable, "state = 'open'", (), **{column: at_ms}))
