"""The tasks of one bridge in this process: a real database, a scripted controller, no worker.

Rows are what the tasks hand to one another, so rows are what is looked at: bubbles stay
`ready` in the outbox, for no worker ever comes. Waits are on the bells of the bridge.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import TypeVar

import anyio

from bridge.core.approvals import Asked
from bridge.core.decision import Policy, ThreadStatus
from bridge.core.errors import LinkLost
from bridge.core.model import (
    Account,
    Alias,
    AliasName,
    Approval,
    Arrival,
    Head,
    InboxState,
    Key,
    LockToken,
    MsgKey,
    Owner,
    Part,
    PeerId,
    RunId,
    ThreadId,
    Turn,
    TurnState,
)
from bridge.core.sending import Limits
from bridge.core.turns import Accepted, Run, StartReply
from bridge.links.controller import Controller, UnknownRun
from bridge.links.link import CALL_DEADLINE_S, Link
from bridge.links.worker import WorkerLink
from bridge.store import accounts, inbox, rows, views
from bridge.store.db import Database
from bridge.store.statements import add, change, records
from bridge.store.tables import (
    AliasRow,
    ApprovalTable,
    AuditTable,
    OutboxTable,
    PeerRow,
    TurnTable,
)
from bridge.tasks.channel import Channel
from bridge.tasks.dispatch import Dispatcher
from bridge.tasks.groups import Groups
from bridge.tasks.state import Bell, Shared
from bridge.tasks.turns import Threads

OWNER = PeerId("oOwner@im.wechat")
THREAD = ThreadId("thread-0001")
RUN = RunId("run-1")
ACCOUNT = Account("wechat", "bot", Owner(frozenset({OWNER})), generation=1)
LIMIT_S = 10.0
T = TypeVar("T")


class Scripted(Controller):
    """A controller whose answers a test gives, call by call, at the door of the link."""

    def __init__(self) -> None:
        nothing = Path("/dev/null")
        super().__init__((), {}, nothing, "ctb-private", Link((), {}, nothing, {}))
        self.trouble = None
        self.asked: list[str] = []  # the calls, in order
        self.dropped: set[str] = set()
        self.listed: tuple[Asked, ...] = ()
        self.known = ThreadStatus(Head("head-0"), "", False, "/")
        self.found: Run | None = None
        self.finds: list[Run | None] = []  # what is found before that, once each
        self.find_fails: Exception | None = None
        self.starts: list[StartReply | Exception] = []  # what a start is answered, once each
        self.started: list[ThreadId] = []  # where, in the order of the starts
        self.is_forgetful = False  # of every run that is over
        self.lock: LockToken | None = LockToken("lock")
        self.given: list[str] = []  # decisions, as they came
        self.keys: list[Key] = []  # of steers and branches, as they came
        self.release_fails: Exception | None = None
        self.result_fails: Exception | None = None
        self.cancels: list[Exception] = []  # what a stop is answered first, once each
        self.is_away = False  # its process is not there
        self.losses = 0  # how many branches end with the link
        self.pauses: dict[str, anyio.Event] = {}  # what a call waits for, once
        self.answers: list[bool | Exception] = []
        self._words: deque[Run | Exception] = deque()
        self._spoke = Bell()

    def says(self, status: str, reason: str = "", result: str = "") -> None:
        """The next word about the run."""
        run = Run(RUN, status, THREAD, reason=reason, result=result, head=Head("head-1"))
        self._words.append(run)
        self._spoke.ring()

    def fails(self, error: Exception) -> None:
        """The next wait ends in this."""
        self._words.append(error)
        self._spoke.ring()

    @property
    def is_up(self) -> bool:
        return not self.is_away

    def offers(self, tool: str) -> bool:
        return tool not in self.dropped

    async def ready(self, within_s: float, first_s: float = 0.0) -> None:
        return None

    async def changed(self) -> None:
        await anyio.sleep_forever()

    async def status(
        self,
        thread: ThreadId | None,
        deadline_s: float = CALL_DEADLINE_S,
        run: RunId | None = None,
    ) -> ThreadStatus:
        await self.note_call("status")
        return self.known

    async def start(self, turn: Turn) -> StartReply:
        self.started.append(turn.thread)
        await self.note_call("start")
        reply = self.starts.pop(0) if self.starts else Accepted(RUN, turn.thread, self.lock, 1)
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def find(self, key: Key, turn: Turn) -> Run | None:
        self.asked.append("find")
        if self.find_fails is not None:
            raise self.find_fails
        return self.finds.pop(0) if self.finds else self.found

    async def wait(self, run: RunId, after: int | None) -> Run:
        while not self._words:
            await self._spoke.heard()
        told = self._words.popleft()
        if isinstance(told, Exception):
            raise told
        return told

    async def result(self, run: Run) -> Run:
        if self.result_fails is not None:
            raise self.result_fails
        return run

    async def approvals(self, run: RunId) -> tuple[Asked, ...]:
        listed = self.listed
        await self.note_call("approvals")
        return listed

    async def answer(self, approval: Approval) -> bool:
        self.given.append(approval.decision)
        word = self.answers.pop(0) if self.answers else True
        await self.note_call("answer")
        if isinstance(word, Exception):
            raise word
        return word

    async def acknowledge(self, run: RunId) -> None:
        self.asked.append("ack")
        if self.is_forgetful:
            raise UnknownRun(run, is_denied=True)

    async def close_run(self, run: RunId) -> None:
        self.asked.append("close")
        if self.is_forgetful:
            raise UnknownRun(run, is_denied=True)

    async def release(self, thread: ThreadId, lock: LockToken) -> None:
        self.asked.append("release")
        if self.release_fails is not None:
            raise self.release_fails

    async def recover_lock(self, turn: Turn) -> LockToken | None:
        self.asked.append("recover_lock")
        return LockToken("lock-again")

    async def steer(self, run: RunId, text: str, key: Key) -> RunId:
        self.keys.append(key)
        await self.note_call("steer")
        return run

    @property
    def forks_once(self) -> bool:
        return "cross_thread_fork" not in self.dropped

    async def fork(self, thread: ThreadId, key: Key) -> ThreadId:
        self.keys.append(key)
        await self.note_call("fork")
        if self.losses:
            self.losses -= 1
            raise LinkLost("controller", 1)
        return ThreadId("thread-0002")

    async def cancel(self, run: RunId, reason: str) -> None:
        self.asked.append("cancel")
        if self.cancels:
            raise self.cancels.pop(0)
        self.says("interrupted")

    async def note_call(self, call: str) -> None:
        self.asked.append(call)
        if call in self.pauses:
            await self.pauses.pop(call).wait()


class Room:
    """One bridge's tasks and what they have written."""

    def __init__(
        self, db: Database, folder: Path, controller: Scripted, recovers_own_locks: bool
    ) -> None:
        policy = Policy(merge_window_ms=0)
        self.db = db
        self.controller = controller
        self.shared = Shared(db, "install", "en", policy, Limits())
        worker = WorkerLink()
        self.channel = Channel(self.shared, worker)
        self.threads = Threads(self.shared, controller, self.channel, worker, recovers_own_locks)
        groups = Groups(self.shared, self.channel, self.threads, folder / "groups")
        self.dispatcher = Dispatcher(self.shared, controller, self.channel, self.threads, groups)
        self._numbers = count(1)

    async def says(
        self,
        text: str,
        quoted_id: str = "",
        quoted_text: str = "",
        *parts: Part,
        sender: PeerId = OWNER,
    ) -> None:
        """A message of an owner, as the worker would have brought it: words, or `parts`."""
        number = next(self._numbers)
        now_ms = self.shared.now_ms()
        message = Arrival(
            channel="wechat",
            sender=sender,
            msg_key=MsgKey(f"mid:{number}"),
            chat="direct",
            is_echo=False,
            create_time_ms=now_ms + number,
            client_id="",
            context_token="ctx",
            parts=parts or (Part("text", text),),
            quoted_id=quoted_id,
            quoted_text=quoted_text,
            is_cut=False,
            malformed="",
        )
        kept = inbox.Stored(message, InboxState.NEW, "", 0, now_ms, is_dated=False)
        await self.db.run(lambda: inbox.accept([kept], ACCOUNT, "", "", True, now_ms))
        self.shared.inbox_bell.ring()

    async def bubbles(self) -> list[str]:
        found = await self.db.read(lambda: records(OutboxTable, "1 ORDER BY id"))
        return [row.text for row in found]

    async def reads(self, words: str, times: int = 1) -> str:
        """Wait until this many bubbles hold these words; the last of them."""
        texts: list[str] = []

        async def look() -> bool:
            texts[:] = [text for text in await self.bubbles() if words in text]
            return len(texts) >= times

        await self.until(look, words)
        return texts[-1]

    async def until(self, is_so: Callable[[], Awaitable[bool]], what: str) -> None:
        """Wait for rows: a bubble rings, and what rings nothing is looked at again soon."""
        with anyio.move_on_after(LIMIT_S):
            while not await is_so():
                await self.shared.outbox_bell.heard(0.02)
            return
        raise AssertionError(f"never so: {what}; bubbles: {await self.bubbles()}")

    async def until_asked(self, call: str, times: int = 1) -> None:
        async def look() -> bool:
            return self.controller.asked.count(call) >= times

        await self.until(look, f"{call} is called: {self.controller.asked}")

    async def until_parked(self) -> None:
        async def look() -> bool:
            return (await self.turns())[-1].state is TurnState.PARKED

        await self.until(look, "the turn is parked")

    async def until_done(self, turns: int = 1) -> None:
        async def look() -> bool:
            ended = await self.db.read(lambda: records(TurnTable, "state = 'done'"))
            return len(ended) >= turns

        await self.until(look, "the turns are done")

    async def until_decided(self) -> None:
        """Wait until no message is left to decide."""

        async def look() -> bool:
            return await self.db.read(views.due_rows) == 0

        await self.until(look, "every message is decided")

    async def turns(self) -> list[Turn]:
        found = await self.db.read(lambda: records(TurnTable, "1 ORDER BY id"))
        return [rows.turn(row) for row in found]

    async def outcomes(self) -> list[str]:
        return [turn.outcome for turn in await self.turns()]

    async def codes(self) -> list[str]:
        """The codes that can be used now."""
        found = await self.db.read(lambda: records(ApprovalTable, "state = 'open'"))
        return [row.code for row in found]

    async def audits(self) -> list[tuple[str, str]]:
        found = await self.db.read(lambda: records(AuditTable, "1 ORDER BY id"))
        return [(row.what, row.outcome) for row in found]


@asynccontextmanager
async def room(folder: Path, *, recovers_own_locks: bool = True) -> AsyncIterator[Room]:
    """The tasks, running, with a thread in use; ended with the block."""
    db = Database(folder / "bridge.sqlite3")
    db.open()
    try:
        db.run_now(lambda: accounts.pair(ACCOUNT, 0))
        db.run_now(choose_thread)
        built = Room(db, folder, Scripted(), recovers_own_locks)
        async with anyio.create_task_group() as tasks:
            await built.threads.open()
            tasks.start_soon(built.threads.keep_serving)
            tasks.start_soon(built.dispatcher.keep_deciding)
            yield built
            tasks.cancel_scope.cancel()
    finally:
        db.close()


def choose_thread() -> None:
    name_thread(Alias(AliasName("code"), THREAD, "/"))
    add(PeerRow, peer=OWNER, lang="en")
    change(PeerRow, "peer = ?", (OWNER,), active="code")


def name_thread(alias: Alias) -> None:
    add(
        AliasRow,
        name=alias.name,
        skeleton=alias.name,
        thread=alias.thread,
        cwd=alias.cwd,
        title="",
        sandbox=alias.sandbox,
        approval_policy=alias.approval_policy,
        model="",
        effort="",
        seen_head="",
    )
