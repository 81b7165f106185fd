"""The engine without Codex: for the demo, for tests, and as a partner that is fast.

What a turn does follows from its message (`script`), how far it is from its row
(`echo_store`): so it goes on where it was after any restart.
"""

from __future__ import annotations

import hashlib
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import anyio

from bridge.codex import script
from bridge.codex.echo_store import EchoStore, Row, now_ms
from bridge.codex.engine import Commit, Made, Tell
from bridge.codex.model import (
    Approval,
    Code,
    Ending,
    Item,
    Order,
    Page,
    Refused,
    Run,
    Session,
    Standing,
    ThreadFacts,
    ThreadId,
    TurnId,
)


class Echo:
    """Follows each turn step by step; `_changed` is set whenever a row was changed."""

    name = "echo"

    def __init__(self, db: sqlite3.Connection, folder: Path) -> None:
        self._store = EchoStore(db, folder)
        self._changed = anyio.Event()

    async def serve(self) -> None:
        await anyio.sleep_forever()

    async def begin(self, order: Order, commit: Commit) -> tuple[ThreadId, TurnId]:
        thread = order.thread or self._store.add_thread(
            order.message.splitlines()[0][:80], order.settings.cwd or "/"
        )
        found = self._known(thread)
        if order.expected_head is not None and order.expected_head != found.head:
            raise Refused(
                Code.HEAD_CONFLICT,
                "the thread has moved on since it was looked at",
                expected_session_head=order.expected_head,
                actual_session_head=found.head,
            )
        commit(thread, found.head, None)
        return thread, self._store.add_turn(thread, order.key, order.message)

    async def find(self, run: Run) -> TurnId | None:
        return self._store.turn_of_key(run.key)

    async def follow(self, run: Run, tell: Tell) -> Ending:
        while True:
            row = self._store.turn(run.turn or "")
            if row.state != "open":
                return row.ending()
            steps = script.steps(row.message)
            if row.step < len(steps):
                await self._do(row, steps[row.step], tell)
            else:
                text = script.answer(row.message, bool(row.is_refused), row.extras())
                self._store.end(row, "completed", text)

    async def interrupt(self, run: Run) -> bool:
        row = self._store.turn(run.turn or "")
        if row.state == "open":
            self._store.end(row, "aborted", None)
            self._wake()
        return True

    async def steer(self, run: Run, message: str, key: str) -> None:
        row = self._store.turn(run.turn or "")
        if row.state != "open":
            raise Refused(Code.NO_ACTIVE_TURN, "the turn is over")
        self._store.steer(row, message)

    async def release(self, thread: ThreadId, settings_before: str | None) -> None:
        return None

    async def fork(self, thread: ThreadId, cwd: str | None, made: Made) -> ThreadId:
        found = self._known(thread)
        title = f"{self._store.title(thread)} (branch)"
        branch = self._store.branch(thread, title, cwd or found.cwd or "/")
        made(branch)
        return branch

    def approvals(self, thread: ThreadId) -> tuple[Approval, ...]:
        rows = self._store.turns("WHERE thread = ? AND state = 'open'", thread)
        found = [_pending(row) for row in rows]
        return tuple(each for each in found if each is not None)

    async def answer(
        self, approval: Approval, decision: str, answers: dict[str, list[str]]
    ) -> None:
        self._store.decide(approval.turn, decision)
        self._wake()

    def facts(self, thread: ThreadId) -> ThreadFacts | None:
        return self._store.facts(thread)

    def result(self, run: Run) -> str | None:
        return self._store.turn(run.turn or "").ending().text

    def events(self, run: Run) -> tuple[Item, ...]:
        items = self._store.turn(run.turn or "").items()
        return tuple(each for each in items if each.kind != "user")

    async def sessions(
        self, limit: int, cursor: str | None, query: str | None, cwd: str | None
    ) -> tuple[list[Session], str | None]:
        return self._store.sessions(limit, cursor, query, cwd)

    async def history(
        self, thread: ThreadId, position: str | None, limit_bytes: int
    ) -> Page | None:
        return self._store.history(thread, position, limit_bytes)

    def health(self) -> dict[str, object]:
        return {"engine": self.name, "servers": []}

    async def is_idle(self) -> bool:
        return True

    async def stop(self) -> None:
        return None

    def _known(self, thread: ThreadId) -> ThreadFacts:
        found = self._store.facts(thread)
        if found is None:
            raise Refused(Code.NOT_FOUND, "there is no thread with this id")
        return found

    async def _do(self, row: Row, step: script.Step, tell: Tell) -> None:
        """One step, to its end; the row says where to go on after a restart."""
        if step.word == "fail":
            self._store.end(row, "failed", step.value)
        elif step.word in script.WAITS:
            await self._ask(row, tell)
        elif step.seconds:
            await self._sleep(row, step.seconds, tell)
        else:
            if step.word == "file":
                self._write(row, step.value)
            self._store.advance(row)

    async def _sleep(self, row: Row, seconds: float, tell: Tell) -> None:
        tell(Standing())
        due = row.due_at_ms
        if due is None:
            due = now_ms() + int(seconds * 1000)
            self._store.wait_until(row, due)
        while (left_ms := due - now_ms()) > 0 and self._store.turn(row.id).state == "open":
            changed = self._changed
            with anyio.move_on_after(left_ms / 1000):
                await changed.wait()
        if self._store.turn(row.id).state == "open":
            self._store.advance(row)

    async def _ask(self, row: Row, tell: Tell) -> None:
        while (now := self._store.turn(row.id)).state == "open" and now.answered is None:
            tell(Standing(blocked=True, reason="approval_required"))
            await self._changed.wait()
        if now.state != "open":
            return
        tell(Standing())
        if now.answered == "cancel":
            self._store.end(row, "aborted", None)
        else:
            self._store.advance(row, is_refused=now.answered == "decline")

    def _write(self, row: Row, value: str) -> None:
        """A file below the thread's folder; a path that leads out of it is left alone."""
        name, _, text = value.partition("=")
        root = Path(self._known(row.thread).cwd or "/").resolve()
        path = (root / name).resolve()
        if path.is_relative_to(root) and root.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("\\n", "\n") or "written by the echo engine\n")

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


def _pending(row: Row) -> Approval | None:
    """What the turn waits for now, if its present step asks."""
    steps = script.steps(row.message)
    if row.step >= len(steps) or row.answered is not None:
        return None
    step = steps[row.step]
    kind = script.WAITS.get(step.word)
    if kind is None:
        return None
    name = f"{row.id}/{row.step}"
    asked = datetime.fromtimestamp(row.begun_at_ms / 1000, UTC)
    return Approval(
        id="ap_" + hashlib.sha256(name.encode()).hexdigest()[:24],
        thread=row.thread,
        turn=row.id,
        kind=kind,
        summary=f"{kind}: {step.value}",
        detail=step.value,
        digest=hashlib.sha256(f"{name}/{kind}/{step.value}".encode()).hexdigest(),
        options=("Yes", "No") if kind == "question" else ("accept", "decline", "cancel"),
        asked_at=asked.isoformat(timespec="milliseconds"),
    )
