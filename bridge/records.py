"""What the desk is told of the past: lives of turns, what was given up, the audit.

The same answers come from a running bridge and, while none runs, from the file itself;
repairs need the bridge. Message text never passes through here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from bridge.core import given_up, life
from bridge.core.model import Turn, TurnId, TurnState
from bridge.core.phrases import counted
from bridge.settings import Settings
from bridge.store import audit, past
from bridge.store.db import Database
from bridge.tasks.state import Shared
from bridge.tasks.turns import Threads
from bridge.wire import codec, desk, place
from bridge.wire.peer import Refused
from bridge.wire.request import Request

TURNS_LISTED = 20
LINES_OF_A_PAGE = 1_000  # some 200 KiB: well below the frame limit

T = TypeVar("T")


class Records:
    """The past as a running bridge answers for it, and its repairs."""

    def __init__(self, shared: Shared, threads: Threads) -> None:
        self._shared = shared
        self._threads = threads

    async def answer(self, request: object) -> object:
        now_ms = self._shared.now_ms()
        match request:
            case desk.DeadRetry(name):
                return await self._repair(name, past.retry)
            case desk.DeadDrop(name):
                return await self._repair(name, past.drop)
            case Request():
                return await self._shared.db.read(lambda: told(request, now_ms))
        raise Refused(codec.METHOD_NOT_FOUND, "unknown method")

    async def _repair(
        self, name: str, repair: Callable[[given_up.GivenUp, int], None]
    ) -> desk.RepairReply:
        """One transaction: find it, change it, note it; then wake whoever works on it."""
        meant, now_ms = given_up.read(name), self._shared.now_ms()

        def unit() -> given_up.GivenUp | None:
            one = past.find(*meant) if meant else None
            if one is not None:
                repair(one, now_ms)
            return one

        one = await self._shared.db.run(unit)
        if one is None:
            return desk.RepairReply("not_found")
        if one.thread is not None:
            self._threads.wake(one.thread)
        self._shared.inbox_bell.ring()
        self._shared.outbox_bell.ring()
        return desk.RepairReply("done")


def told(request: Request[T], now_ms: int) -> T:
    """The answer to a question about the past, read in one unit of the store."""
    asked: object = request
    found: object
    match asked:
        case desk.TraceGet(0):
            found = _newest()
        case desk.TraceGet(number):
            found = _life(number)
        case desk.DeadList():
            found = desk.DeadReply(tuple(_dead(one) for one in past.given_up(now_ms)))
        case desk.AuditGet(since_ms, after):
            lines = audit.page(after, since_ms, LINES_OF_A_PAGE)
            found = desk.AuditReply(tuple(_line(line) for line in lines))
        case _:
            raise Refused(codec.METHOD_NOT_FOUND, "unknown method")
    return cast(T, found)  # cast: each request has met its own reply


def offline(settings: Settings, unit: Callable[[], T]) -> T | None:
    """What `unit` finds in the file while no bridge has it; None when there is no file yet.

    It is checked as at a start. Raises StoreFault, AlreadyRunning, or another PlaceFault.
    """
    if not settings.database.exists():
        return None
    lock = place.hold_lock(settings.run_dir / "bridge.lock")
    db = Database(settings.database)
    try:
        db.open()
        return db.run_now(unit)
    finally:
        db.close()
        lock.release()


def _newest() -> desk.TraceReply:
    found = past.newest(TURNS_LISTED)
    heading = (f"the newest {counted(len(found), 'turn')}",) if found else ()
    steps = tuple(desk.Step(t.created_ms, f"turn {t.id}", _summary(t)) for t in found)
    return desk.TraceReply(heading, steps)


def _summary(turn: Turn) -> str:
    is_over = turn.state is TurnState.DONE
    took = f" after {(turn.ended_ms - turn.created_ms) / 1000:.1f} s" if turn.ended_ms else ""
    return f"{turn.alias}: {turn.outcome if is_over else turn.state}{took}"


def _life(number: int) -> desk.TraceReply:
    found = past.life(TurnId(number))
    if found is None:
        return desk.TraceReply((), ())
    steps = tuple(desk.Step(s.at_ms, s.what, s.detail) for s in life.steps(found))
    return desk.TraceReply(life.heading(found), steps)


def _dead(one: given_up.GivenUp) -> desk.Dead:
    return desk.Dead(one.name, one.at_ms, one.outcome, one.turn or 0, one.alias)


def _line(line: audit.Line) -> desk.AuditLine:
    decided = line.decided
    who = f"…{line.peer.partition('@')[0][-4:]}" if line.peer else ""
    return desk.AuditLine(
        line.id,
        line.at_ms,
        who,
        decided.what,
        decided.rule,
        decided.outcome,
        decided.subject,
        decided.turn or 0,
    )
