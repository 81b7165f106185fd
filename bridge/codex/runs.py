"""Runs: started once per key, followed to their end, told to whoever asks.

One task per run follows its turn; no call of a client holds anything that matters,
so an abandoned call harms nothing. Starting up and recovering are the same code:
every row that is not over is resolved, then followed.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import TypeVar

import anyio
from anyio.abc import TaskGroup

from bridge.codex.engine import Engine
from bridge.codex.keys import Keys
from bridge.codex.model import (
    Approval,
    Code,
    Ending,
    EngineGone,
    Lock,
    LockToken,
    Order,
    Refused,
    Run,
    RunId,
    Standing,
    Status,
    ThreadId,
)
from bridge.codex.once import Alone, Once
from bridge.wire import log as wire_log

KEPT_TEXTS = 64  # answers kept in memory; older ones are read again from the engine
RECOVER_S = 20.0  # for rows of an earlier life: two looks each, one second apart
STOP_S = 1.0  # of the 2 s that a stop may take in all

log = wire_log.get("runs")
T = TypeVar("T")


@dataclass(slots=True)
class _Live:
    """A run that goes on: what is special about it, and when that last changed."""

    standing: Standing
    seq: int


class Runs:
    """Everything above one engine. `serve` must run while any method is called."""

    def __init__(self, keys: Keys, engine: Engine) -> None:
        self._keys = keys
        self._engine = engine
        self._live: dict[RunId, _Live] = {}
        self._ended_seq: dict[RunId, int] = {}
        self._texts: dict[RunId, str | None] = {}
        self._alone = Alone()  # one start or release at a time for each thread
        self._once = Once(keys, engine)
        self._changed = anyio.Event()
        self._tasks: TaskGroup | None = None
        self.seq = 0  # events over all runs since this process began

    async def serve(self, *, ready: Callable[[], None]) -> None:
        """Recover, then follow every run until cancelled."""
        async with anyio.create_task_group() as self._tasks:
            self._tasks.start_soon(self._engine.serve)
            with anyio.move_on_after(RECOVER_S):
                async with anyio.create_task_group() as recovering:
                    for run in self._keys.unfinished():
                        recovering.start_soon(self._recover, run)
            ready()
            await anyio.sleep_forever()

    async def start(self, order: Order) -> tuple[Run, Lock | None, int]:
        """The run of this key, started now or earlier; its lock while it is held; `seq`.

        The row is committed before the engine is asked. Whatever happens to the run
        after its begin is news after that `seq`. Raises Refused.
        """
        return await self._apart(lambda: self._start(order))

    async def wait_any(
        self, ids: list[RunId], after_seq: int | None, timeout_s: float
    ) -> tuple[bool, list[Run]]:
        """Whether one of the runs is over or changed after `after_seq`, and all of them.

        None, or a number from another life of ours, answers at once.
        """
        with anyio.move_on_after(timeout_s):
            while not any(self._is_news(run_id, after_seq) for run_id in ids):
                await self._changed.wait()
        is_ready = any(self._is_news(run_id, after_seq) for run_id in ids)
        return is_ready, [self._keys.run(run_id) for run_id in ids]

    def standing(self, run: Run) -> Standing:
        live = self._live.get(run.id)
        return live.standing if live is not None else Standing()

    def changed_seq(self, run: Run) -> int:
        live = self._live.get(run.id)
        return live.seq if live is not None else self._ended_seq.get(run.id, 0)

    def text(self, run: Run) -> str | None:
        """The answer of a run that is over; read again from the engine when needed."""
        if not run.is_over:
            return None
        if run.id not in self._texts:
            self._keep_text(run.id, self._engine.result(run))
        return self._texts[run.id]

    async def cancel(self, run_id: RunId) -> Run:
        """Interrupt the turn; answers once it is over, or the engine stayed silent."""
        return await self._apart(lambda: self._cancel(run_id))

    async def steer(self, run_id: RunId, message: str, key: str) -> Run:
        """Add a message to the turn, once for each key; the run that has it."""
        run = self._keys.run(run_id)
        return self._keys.run(await self._apart(lambda: self._once.steer(run, message, key)))

    async def release(self, thread: ThreadId, token: str) -> None:
        """Free the thread; repeatable. Raises Refused(BUSY) while its turn runs."""
        await self._apart(lambda: self._release(thread, token))

    async def force_recover(self, thread: ThreadId, owner: str) -> LockToken:
        """Take the lock over; the caller has seen that a person allowed it."""
        if self._keys.live_run(thread) is not None:
            raise Refused(Code.BUSY, "a turn is running in this thread: stop it first")
        return self._keys.take_over(thread, owner)

    async def fork(self, thread: ThreadId, cwd: str | None, key: str | None) -> ThreadId:
        return await self._apart(lambda: self._once.fork(thread, cwd, key))

    def approvals(self, ids: list[RunId] | None) -> list[tuple[Run, Approval]]:
        """What waits for a person, in these runs or in all that go on."""
        runs = [self._keys.run(each) for each in ids] if ids else self._keys.unfinished()
        return [
            (run, approval)
            for run in runs
            if run.thread is not None and not run.is_over
            for approval in self._engine.approvals(run.thread)
            if approval.turn == run.turn
        ]

    async def answer(
        self, approval_id: str, digest: str, decision: str, answers: dict[str, list[str]]
    ) -> Approval:
        """Give one answer to one request; a wrong digest or a second answer is refused."""
        found = [each for _, each in self.approvals(None) if each.id == approval_id]
        if not found:
            raise Refused(Code.NOT_FOUND, "this request is no longer open")
        if found[0].digest != digest:
            raise Refused(Code.INVALID, "the request is not the one that was shown")
        await self._apart(lambda: self._engine.answer(found[0], decision, answers))
        log.info("approval.answered", approval_id=approval_id, decision=decision)
        return found[0]

    def has_live(self) -> bool:
        """Whether a turn of ours runs, or may just have been sent: a stop leaves Codex alone."""
        return any(run.head_before is not None for run in self._keys.unfinished())

    # one start

    async def _start(self, order: Order) -> tuple[Run, Lock | None, int]:
        async with self._alone.of(order.thread or order.key):
            digest = _digest(order)
            run = self._keys.of_key(order.key, digest)
            if run is None:
                await self._must_be_free(order)
                run = self._keys.claim(order, digest, _now_ms())
            elif run.status is Status.STARTING:
                run = await self._resolve(run)
            if run.status is Status.STARTING:
                run = await self._begin(order, run)
            return run, self._own_lock(run), self.seq

    async def _must_be_free(self, order: Order) -> None:
        """One turn at a time per thread, and nobody starts under another's lock."""
        if order.thread is None:
            return
        live = self._keys.live_run(order.thread)
        if live is not None and live.status is Status.STARTING:
            live = await self._without_trace(live)
        if live is not None:
            raise Refused(Code.BUSY, "a turn is running in this thread")
        lock = self._keys.lock(order.thread)
        if lock is not None and lock.owner != order.owner:
            raise Refused(Code.BUSY, f"this thread is locked by {lock.owner}", owner=lock.owner)

    async def _begin(self, order: Order, run: Run) -> Run:
        def commit(thread: ThreadId, head: str, settings_before: str | None) -> None:
            self._keys.sending(run.id, thread, head, settings_before)

        try:
            thread, turn = await self._engine.begin(order, commit)
        except Refused:
            self._keys.drop(run.id)
            raise
        except EngineGone as gone:
            resolved = await self._resolve(self._keys.run(run.id))
            if resolved.turn is None:
                # The row stays: whoever comes next looks for the message once more.
                raise Refused(Code.ENGINE_DOWN, "Codex did not answer: try again") from gone
            return resolved
        begun = self._keys.begun(run, thread, turn)
        log.info("run.started", run_id=run.id, thread_id=thread, turn_id=turn)
        self._watch(begun)
        return begun

    async def _resolve(self, run: Run) -> Run:
        """Find out whether the message of a start without an answer got in.

        The row comes back in progress when it did; else as it was, and the caller
        may begin again: the head is compared once more there.
        """
        if run.head_before is None or run.thread is None:
            return run  # never sent
        turn = await self._engine.find(run)
        if turn is None:
            facts = self._engine.facts(run.thread)
            if facts is not None and facts.head != run.head_before:
                raise Refused(
                    Code.RECONCILE_REQUIRED,
                    "the thread has moved on and the message is not in it",
                )
            return run
        begun = self._keys.begun(run, run.thread, turn)
        log.info("run.adopted", run_id=run.id, thread_id=run.thread, turn_id=turn)
        self._watch(begun)
        return begun

    async def _without_trace(self, run: Run) -> Run | None:
        """Resolve a start that nobody asks for any more; None when it never got in."""
        try:
            resolved = await self._resolve(run)
        except (Refused, EngineGone) as failed:
            log.warning("run.unresolved", run_id=run.id, cause=str(failed)[:80])
            resolved = run
        if resolved.turn is not None:
            return resolved
        self._keys.drop(run.id)
        return None

    def _own_lock(self, run: Run) -> Lock | None:
        """The lock of a run as long as its thread is not released."""
        lock = self._keys.lock(run.thread) if run.thread is not None else None
        return lock if lock is not None and lock.run == run.id else None

    # following

    async def _recover(self, run: Run) -> None:
        """A row that an earlier process left open."""
        if run.status is Status.STARTING:
            await self._without_trace(run)
            return
        log.info("run.joined_again", run_id=run.id, thread_id=run.thread)
        self._watch(run)

    def _watch(self, run: Run) -> None:
        self.seq += 1
        self._live[run.id] = _Live(Standing(), self.seq)
        if self._tasks is not None:
            self._tasks.start_soon(self._follow, run)

    async def _follow(self, run: Run) -> None:
        """Wait for the end of one run and settle it."""
        try:
            ending = await self._engine.follow(run, lambda new: self._told(run.id, new))
        except Exception:  # outermost ring of a run: the others go on
            log.exception("run.lost", run_id=run.id)
            ending = Ending(Status.INTERRUPTED, run.head_before or "", "controller_fault")
        self._settle(run, ending)

    def _told(self, run_id: RunId, standing: Standing) -> None:
        live = self._live.get(run_id)
        if live is None or live.standing == standing:
            return
        was, live.standing = live.standing, standing
        if (was.blocked, was.reason) != (standing.blocked, standing.reason):
            self.seq += 1
            live.seq = self.seq
            self._wake()

    def _settle(self, run: Run, ending: Ending) -> None:
        now = self._keys.run(run.id)
        if now.cancel_at_ms is not None and ending.status is Status.INTERRUPTED:
            reason = ending.reason
            if reason == "interrupted_elsewhere":
                reason = "cancel_requested"
            ending = Ending(Status.CANCELLED, ending.head, reason, ending.text)
        self._keys.end(run.id, ending, _now_ms())
        self._keep_text(run.id, ending.text)
        self.seq += 1
        self._ended_seq[run.id] = self.seq
        self._live.pop(run.id, None)
        log.info("run.ended", run_id=run.id, status=str(ending.status), reason=ending.reason)
        self._wake()

    def _keep_text(self, run_id: RunId, text: str | None) -> None:
        self._texts[run_id] = text
        while len(self._texts) > KEPT_TEXTS:
            del self._texts[next(iter(self._texts))]

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    def _is_news(self, run_id: RunId, after_seq: int | None) -> bool:
        if after_seq is None or after_seq > self.seq:
            return True
        live = self._live.get(run_id)
        if live is not None:
            return live.seq > after_seq
        return self._keys.run(run_id).is_over

    # ending and freeing

    async def _cancel(self, run_id: RunId) -> Run:
        run = self._keys.run(run_id)
        if run.is_over:
            return run
        self._keys.mark(run_id, "cancel", _now_ms())
        try:
            is_answered = await self._engine.interrupt(run)
        except EngineGone:
            is_answered = False
        if is_answered:
            with anyio.move_on_after(STOP_S):
                while run_id in self._live:
                    await self._changed.wait()
        elif run_id in self._live:
            log.warning("run.interrupt_unanswered", run_id=run_id)
            standing = self._live[run_id].standing
            self._told(run_id, Standing(standing.blocked, "interrupt_unanswered"))
        return self._keys.run(run_id)

    async def _release(self, thread: ThreadId, token: str) -> None:
        lock = self._keys.lock_by_token(token)
        if lock is None or lock.thread != thread:
            raise Refused(Code.INVALID, "this lock token is not known for this thread")
        if lock.released_at_ms is not None:
            return
        if self._keys.live_run(thread) is not None:
            raise Refused(Code.BUSY, "a turn is running in this thread")
        async with self._alone.of(thread):
            await self._engine.release(thread, self._keys.settings_before(lock.token))
            self._keys.released(lock.token, _now_ms())
        log.info("thread.released", thread_id=thread)

    async def _apart(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do the work in a task of ours, so that giving up on the call harms nothing."""
        if self._tasks is None:
            raise Refused(Code.ENGINE_DOWN, "the controller is stopping")
        done = anyio.Event()
        outcome: list[T | Exception] = []

        async def run() -> None:
            try:
                outcome.append(await work())
            except Exception as failed:  # outermost ring: handed to the caller below
                outcome.append(failed)
            finally:
                done.set()

        self._tasks.start_soon(run)
        await done.wait()
        if not outcome:
            raise Refused(Code.ENGINE_DOWN, "the controller is stopping")
        if isinstance(outcome[0], Exception):
            raise outcome[0]
        return outcome[0]


def _digest(order: Order) -> str:
    """What a key stands for. The expected head may differ: a retry has a newer one."""
    payload = asdict(order)
    del payload["expected_head"]
    text = json.dumps(payload, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
