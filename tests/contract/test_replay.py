"""A day that comes again, and clocks that are wrong: the same decisions, and no second run."""

from __future__ import annotations

import pytest

from bridge.store.tables import InboxTable, OutboxTable, TurnTable
from bridge.wire import messages
from tests.contract.desk_rig import OFF, Desk, desk
from tests.contract.worker_rig import LIMIT_S, OWNER

HOUR_MS = 3_600_000
YEAR_MS = 365 * 24 * HOUR_MS


def said(number: int, text: str, written_ms: int, **more: object) -> messages.Inbound:
    return messages.Inbound(
        f"mid:{number}",
        OWNER,
        create_time_ms=written_ms,
        context_token="ctx",
        parts=(messages.Part("text", text),),
        **more,  # type: ignore[arg-type]  # the message's own
    )


async def comes(at: Desk, *batch: messages.Inbound, server_ms: int, cursor: str = "") -> None:
    reply = await at.worker.call(messages.InboundCommit("", cursor, server_ms, batch), LIMIT_S)
    assert reply.status in ("ok", "cursor_conflict")


async def test_day_that_is_given_again_runs_nothing_again() -> None:
    """R8: the cursor was reset; also hours later, when every message of it is old."""
    async with desk(OFF) as at:
        await at.greets()
        now_ms = at.bench.shared.now_ms()
        day = [
            said(50, "build it", now_ms),
            said(51, "/list", now_ms + 1),
            said(52, "/send code again", now_ms + 2),
            said(53, "/add other thread-0002", now_ms + 3),
            said(54, "an old one", now_ms - 2 * HOUR_MS),
        ]
        for one in day:
            await comes(at, one, server_ms=now_ms, cursor="c1")
        await at.reads(OWNER, "/run-held")
        for number in (1, 2):
            await at.until_running()
            at.controller.says("completed", result=f"answer {number}")
            await at.until_done(number)
        await at.reads(OWNER, "answer 2")
        await at.until_settled()
        before, asked = await at.everything(), list(at.controller.asked)
        for later_ms in (0, HOUR_MS, 24 * HOUR_MS):
            await comes(at, *day, server_ms=now_ms + later_ms)
            await comes(at, *reversed(day), server_ms=now_ms + later_ms)
        await at.until_decided()
        after = await at.everything()
        # The window of the owner and the token are those of the newest message as before.
        assert {name: rows for name, rows in after.items() if name != "peer"} == {
            name: rows for name, rows in before.items() if name != "peer"
        }
        assert at.controller.asked == asked and len(at.controller.orders) == 2


@pytest.mark.parametrize("off_ms", [-YEAR_MS, 0, YEAR_MS])
async def test_age_of_a_message_is_that_of_the_server_whatever_our_clock_says(
    off_ms: int,
) -> None:
    """R8: our clock is a year before or behind, and what is old and what is not stays so."""
    async with desk(OFF) as at:
        server_ms = at.bench.shared.now_ms() - off_ms
        await comes(at, said(1, "/queue", server_ms), server_ms=server_ms)
        await at.reads(OWNER, "Nothing is waiting")
        await comes(at, said(2, "too late", server_ms - 2 * HOUR_MS), server_ms=server_ms)
        await at.until_decided()
        await comes(at, said(3, "in time", server_ms - HOUR_MS // 4), server_ms=server_ms)
        await at.until_running()
        await comes(at, said(4, "no time", 0), server_ms=server_ms)
        await at.until_turns("state = 'queued'")
        found = {row.msg_key: (row.state, row.outcome) for row in await at.rows(InboxTable)}
        assert found == {
            "mid:1": ("done", "command"),
            "mid:2": ("held", ""),
            "mid:3": ("done", "turn"),
            "mid:4": ("done", "turn"),
        }
        assert [turn.prompt for turn in await at.rows(TurnTable)] == ["in time", "no time"]
        assert await at.rows(OutboxTable)
