"""The engine over the real Codex: joins threads, sends messages, follows turns.

Implements `engine.Engine`. Per thread it chooses the server that has it, else the
shared daemon where that runs, else our own. Reads of the disk are in `disk`.
"""

from __future__ import annotations

import time
from pathlib import Path

import anyio

from bridge.codex import approvals, fence, locate, process, rollout, settings, writers
from bridge.codex.appserver import Denied
from bridge.codex.disk import Disk
from bridge.codex.engine import Commit, Made, Tell
from bridge.codex.fence import Fence
from bridge.codex.joined import Joined
from bridge.codex.model import (
    NO_TURNS,
    Approval,
    Code,
    Ending,
    EngineGone,
    Obj,
    Order,
    Refused,
    Run,
    ThreadId,
    TurnId,
)
from bridge.codex.outcome import ending_of
from bridge.codex.threads import Threads, translated
from bridge.wire import log as wire_log

FLUSH_S = 1.0  # the journal's last line follows `turn/completed`; 24 ms at most seen
FLUSH_LOOK_S = 0.02  # between two looks for that line; a file sets no event
LOOK_AGAIN_S = 1.0  # a message was in the journal 42 ms after the send at most
CALM_S = 30.0  # between two looks whether a silent turn has stalled
INTERRUPT_S = 10.0  # controller contract 3.8; measured 25 ms
ASK_AGAIN_S = 0.1  # after an interrupt that came before the turn was under way
REJOIN_S = 2.0  # between two attempts to find the server that runs a turn

log = wire_log.get("codex")


class Codex(Disk):
    """All threads we are subscribed to, over the servers of one home."""

    def __init__(self, home: Path, folder: Path, command: tuple[str, ...]) -> None:
        super().__init__(home, folder)
        self._threads = Threads(home, folder, command)

    async def serve(self) -> None:
        await self._threads.serve()

    async def begin(self, order: Order, commit: Commit) -> tuple[ThreadId, TurnId]:
        behind = Fence(order.settings.cwd) if order.is_of_group else None
        if order.thread is None:
            joined = await self._threads.start(order.settings, behind)
        else:
            self._must_exist(order.thread)
            joined = await self._threads.join(order.thread, behind)
        try:
            _check_fence(joined, behind)
            head = await self._settled_head(joined)
            _check(joined, head, order.expected_head)
            given = settings.overrides(order.settings, joined.settings)
            before = settings.to_put_back(given, joined.settings)
            is_ours = order.thread is None or order.is_of_group  # nobody's desk has it
            commit(joined.thread, head, None if is_ours else before)
        except Refused:
            await self._threads.let_go(joined)
            raise
        body = {
            "threadId": joined.thread,
            "clientUserMessageId": order.key,
            "input": _input(order),
            **given,
            **(fence.NOWHERE if order.is_of_group else {}),
        }
        try:
            reply = await joined.link.call("turn/start", body)
        except Denied as refused:
            await self._threads.let_go(joined)
            raise translated(refused) from refused
        turn = TurnId((reply.get("turn") or {}).get("id") or "")
        joined.active = turn if turn not in joined.endings else None
        return joined.thread, turn

    async def find(self, run: Run) -> TurnId | None:
        found = self._turn_of_key(run, run.key)
        if found is None:
            await anyio.sleep(LOOK_AGAIN_S)
            found = self._turn_of_key(run, run.key)
        return found

    async def follow(self, run: Run, tell: Tell) -> Ending:
        thread, turn = _names(run)
        while True:
            joined = self._threads.get(thread)
            if joined is None:
                ending = await self._rejoin(thread, turn, self._behind(run))
                if ending is not None:
                    return ending
                continue
            if turn in joined.endings:
                return joined.endings[turn]
            changed = joined.changed
            tell(joined.standing(time.monotonic()))
            with anyio.move_on_after(CALM_S):
                await changed.wait()

    async def interrupt(self, run: Run) -> bool:
        thread, turn = _names(run)
        joined = await self._threads.join(thread, self._behind(run))
        with anyio.move_on_after(INTERRUPT_S):
            while turn not in joined.endings and not joined.link.is_gone:
                changed = joined.changed
                if not await self._was_interrupted(joined, turn):
                    with anyio.move_on_after(ASK_AGAIN_S):
                        await changed.wait()
        if turn not in joined.endings:
            return False
        # A command that runs survives the interrupt of its turn (observed).
        await self._threads.quietly(joined, "thread/backgroundTerminals/clean")
        return True

    async def steer(self, run: Run, message: str, key: str) -> None:
        thread, turn = _names(run)
        if self._turn_of_key(run, key) == turn:
            return  # given again: it is in already
        if run.is_over:
            raise Refused(Code.NO_ACTIVE_TURN, "this turn is already over")
        joined = await self._threads.join(thread, self._behind(run))
        body = {
            "threadId": thread,
            "expectedTurnId": turn,
            "clientUserMessageId": key,
            "input": [{"type": "text", "text": message}],
        }
        if key in joined.steered:
            return  # a call that had no answer: it is in, or nobody can say
        joined.steered.add(key)
        try:
            await joined.link.call("turn/steer", body)
        except Denied as refused:
            joined.steered.discard(key)
            raise Refused(
                Code.NO_ACTIVE_TURN, "the turn is over or cannot take a message now"
            ) from refused

    async def release(self, thread: ThreadId, settings_before: str | None) -> None:
        joined = self._threads.get(thread)
        if joined is None:
            joined = await self._threads.left_behind(thread, settings_before)
        if joined is None:
            return
        if settings_before is not None:
            back = settings.put_back(settings_before, joined.settings)
            if back:
                await self._threads.quietly(joined, "thread/settings/update", **back)
        await self._threads.let_go(joined)

    async def fork(self, thread: ThreadId, cwd: str | None, made: Made) -> ThreadId:
        self._must_exist(thread)
        links = await self._threads.host.links() or [await self._threads.host.own()]
        body: Obj = {"threadId": thread, "excludeTurns": True}
        if cwd is not None:
            body["cwd"] = cwd
        try:
            reply = await links[0].call("thread/fork", body)
        except Denied as refused:
            raise translated(refused) from refused
        branch = Joined(ThreadId(reply["thread"]["id"]), links[0])
        made(branch.thread)
        await self._threads.let_go_of(branch)
        return branch.thread

    def approvals(self, thread: ThreadId) -> tuple[Approval, ...]:
        joined = self._threads.get(thread)
        if joined is None:
            return ()
        return tuple(approval for _, approval in joined.approvals())

    async def answer(
        self, approval: Approval, decision: str, answers: dict[str, list[str]]
    ) -> None:
        joined = self._threads.get(approval.thread)
        for pending, asked in joined.approvals() if joined is not None else ():
            if asked.id == approval.id and joined is not None:
                result = approvals.answer(asked, pending.params, decision, answers)
                pending.is_answered = True
                await joined.link.answer(pending.request, result)
                joined.moved()
                return
        raise Refused(Code.NOT_FOUND, "this request is no longer open")

    def health(self) -> dict[str, object]:
        servers = [
            {
                "name": name,
                "pid": link.pid,
                "version": link.version,
                "memory_bytes": process.resident_bytes(link.pid),
            }
            for name, link in self._threads.host.known()
        ]
        return {"engine": self.name, "servers": servers}

    async def is_idle(self) -> bool:
        return await self._threads.host.is_idle()

    async def stop(self) -> None:
        await self._threads.host.stop()

    async def _was_interrupted(self, joined: Joined, turn: TurnId) -> bool:
        """Ask once and see the turn end; False when Codex refused.

        It refuses in the first moments of a turn: 7 of 32 interrupts that came within
        0.3 s of the start found "no active turn" (2026-11).
        """
        body: Obj = {"threadId": joined.thread, "turnId": turn}
        try:
            await joined.link.call("turn/interrupt", body, INTERRUPT_S)
        except (Denied, EngineGone) as failed:
            log.info("turn.interrupt_refused", turn_id=turn, cause=str(failed)[:80])
            return False
        while turn not in joined.endings and not joined.link.is_gone:
            await joined.changed.wait()
        return True

    async def _rejoin(self, thread: ThreadId, turn: TurnId, behind: Fence | None) -> Ending | None:
        """After a lost connection: the end of the turn, or None once we are joined."""
        for link in await self._threads.host.links():
            try:
                joined = await self._threads.resume(link, thread, with_items=True, behind=behind)
            except (Refused, EngineGone):
                continue
            if joined is not None:
                if joined.active == turn:
                    return None
                return await self._ending_on_disk(thread, turn)
        ending = await self._ending_on_disk(thread, turn)
        holder = writers.Writers().of(self._home, thread)
        if ending.reason == "engine_died" and holder is not None:
            # Somebody still runs it, or opened it since: their journal will tell.
            await anyio.sleep(REJOIN_S)
            return None
        return ending

    async def _ending_on_disk(self, thread: ThreadId, turn: TurnId) -> Ending:
        with anyio.move_on_after(FLUSH_S):
            while True:
                found = locate.find(self._home, thread)
                path = found.path if found else None
                ending = await anyio.to_thread.run_sync(ending_of, path, turn)
                if ending.reason != "engine_died":
                    return ending
                await anyio.sleep(FLUSH_LOOK_S)
        return ending

    async def _settled_head(self, joined: Joined) -> str:
        """The head under our lock, once the line of the last end is written."""
        with anyio.move_on_after(FLUSH_S):
            while True:
                head = self._head(joined)
                turn = TurnId(head.partition(":")[0])
                if not head.endswith(":open") or turn not in joined.endings:
                    return head
                await anyio.sleep(FLUSH_LOOK_S)
        return head

    def _head(self, joined: Joined) -> str:
        if joined.path is None:
            found = locate.find(self._home, joined.thread)
            joined.path = found.path if found else None
        return rollout.head(joined.path) if joined.path else NO_TURNS

    def _turn_of_key(self, run: Run, key: str) -> TurnId | None:
        found = locate.find(self._home, run.thread or "")
        if found is None:
            return None
        return rollout.turn_of_key(found.path, key, run.head_before or NO_TURNS)

    def _behind(self, run: Run) -> Fence | None:
        """The fence of a run that may have to be joined again."""
        if not run.is_of_group or run.thread is None:
            return None
        known = self.facts(run.thread)
        return Fence(known.cwd if known else None)

    def _must_exist(self, thread: ThreadId) -> None:
        found = locate.find(self._home, thread)
        if found is None:
            raise Refused(Code.NOT_FOUND, "there is no thread with this id")
        if found.archived:
            raise Refused(Code.ARCHIVED, "this thread is archived: unarchive it at the desk first")


def _check_fence(joined: Joined, behind: Fence | None) -> None:
    """A thread that somebody else has loaded has their tools, whatever we ask for now."""
    if behind is not None and not joined.is_fenced:
        raise Refused(Code.ELSEWHERE, "this thread of a group is open in another program")


def _check(joined: Joined, head: str, expected: str | None) -> None:
    if joined.active is not None:
        raise Refused(Code.BUSY, "a turn is running in this thread")
    if expected is not None and head != expected:
        raise Refused(
            Code.HEAD_CONFLICT,
            "the thread has moved on since it was looked at",
            expected_session_head=expected,
            actual_session_head=head,
        )


def _input(order: Order) -> list[Obj]:
    text = [{"type": "text", "text": order.message}] if order.message.strip() else []
    return [*text, *({"type": "localImage", "path": path} for path in order.images)]


def _names(run: Run) -> tuple[ThreadId, TurnId]:
    if run.thread is None or run.turn is None:
        raise Refused(Code.NO_ACTIVE_TURN, "this run never had a turn")
    return run.thread, run.turn
