"""What goes together, what goes ahead, and what waits, while files are on their way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from bridge.core.attached import FileId
from bridge.core.decision import Policy
from bridge.core.fetching import FetchStep
from bridge.core.model import Part
from bridge.store import attachments
from bridge.store.statements import change, value
from bridge.store.tables import InboxTable
from tests.contract.room import Room, room

PICTURE = Part("image", media={"download_param": "x", "full_url": "", "aes_key": "k"})
AT_ONCE_S = 2.0  # far below any fetch that is tried again


@pytest.fixture
async def waiting(tmp_path: Path) -> AsyncIterator[Room]:
    """A room with a prompt whose picture is not here yet."""
    async with room(tmp_path) as built:
        built.shared.policy = Policy(merge_window_ms=100)
        await built.says("", "", "", PICTURE)
        await built.says("look at it")
        yield built


async def arrives(built: Room) -> None:
    """The picture is here."""
    step = FetchStep("stored", 0)
    await built.db.run(lambda: attachments.fetched(FileId(1), step, "/d/1.png", "image/png", ""))
    built.shared.inbox_bell.ring()


async def test_status_passes_a_prompt_whatever_stands_between(waiting: Room) -> None:
    """design 4: commands that make no turn are answered within a second."""
    await waiting.says("/use code")
    await waiting.says("/queue")
    with anyio.fail_after(AT_ONCE_S):
        await waiting.reads("Nothing is waiting")


async def test_stop_ends_a_prompt_that_waits_for_its_files(waiting: Room) -> None:
    """design 7: what was stopped never starts, also where it had not begun."""
    await waiting.says("/stop")
    await waiting.reads("It had not begun and is cancelled.")
    await arrives(waiting)
    await waiting.until_decided()
    assert not await waiting.turns()


async def test_name_given_anew_moves_no_prompt_that_was_said_before(waiting: Room) -> None:
    """R30: words go to the thread that was in use when they were said."""
    await waiting.says("/add code thread-0002xyz")
    await arrives(waiting)
    await waiting.until_asked("start")
    (turn,) = await waiting.turns()
    assert turn.thread == "thread-0001" and turn.prompt.endswith("look at it")


async def test_dropped_messages_take_no_file_of_a_prompt_along(waiting: Room) -> None:
    """issue 5, item 4: in their order; the picture belongs to the words behind it."""
    await waiting.says("/drop-held")
    await arrives(waiting)
    await waiting.until_asked("start")
    (turn,) = await waiting.turns()
    assert "/d/1.png" in turn.prompt


async def test_what_was_written_later_is_its_own_turn(waiting: Room) -> None:
    """design 7: two seconds, also where the files of the first take minutes."""
    first_ms = await waiting.db.read(lambda: value("SELECT max(received_ms) FROM inbox"))
    waiting.shared.now_ms = lambda: int(str(first_ms)) + 60_000  # type: ignore[method-assign]  # a minute later
    await waiting.says("another thing")
    await arrives(waiting)
    await waiting.until_asked("start")
    first, *_ = await waiting.turns()
    assert first.prompt.endswith("look at it")


async def test_full_queue_is_told_once_until_it_takes_one_again(tmp_path: Path) -> None:
    """delivery-semantics 9: whatever else is held, and again after `/run-held`."""
    async with room(tmp_path) as built:
        built.shared.policy = Policy(merge_window_ms=0, queue_limit=1)
        for number in range(5):
            await built.says(f"message {number}")
        await built.until_decided()
        await built.reads("more are held")
        await built.says("/run-held")
        await built.reads("more are held", times=2)
        await built.until_decided()
        assert len([text for text in await built.bubbles() if "more are held" in text]) == 2


async def test_only_what_failed_three_times_is_set_aside(tmp_path: Path) -> None:
    """delivery-semantics 9: the message right behind it runs."""
    async with room(tmp_path) as built:
        built.shared.policy = Policy(merge_window_ms=60_000)
        await built.says("poison")
        await built.says("and this is fine")
        await built.db.run(lambda: change(InboxTable, "id = 1", (), attempts=3))
        built.shared.policy = Policy(merge_window_ms=100)
        built.shared.inbox_bell.ring()
        await built.reads("failed three times and is set aside (E-M1)")
        await built.until_asked("start")
        assert [turn.prompt for turn in await built.turns()] == ["and this is fine"]
