"""One task per busy thread: starts its turns, follows them, stores what they end in.

The task lives while its thread has an unfinished turn. Strict order inside a thread,
freedom between threads. Recovery is the same function: a turn found in any state is
taken up where its row says. Only this task speaks to the controller about its turn.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

import anyio
from anyio.abc import TaskGroup

from bridge.core import turns as core
from bridge.core.bubbles import MANY_WAITING
from bridge.core.errors import LinkDown, LinkLost, PeerFault, Refusal, Stale, StoreFault
from bridge.core.group_chat import is_group
from bridge.core.model import Attempt, Parked, ThreadId, Turn, TurnId, TurnState, is_unmade
from bridge.core.turn_states import TurnEvent
from bridge.core.turns import Accepted, Run, Settlement
from bridge.links.controller import Controller
from bridge.links.link import FIRST_UP_S, ToolError
from bridge.links.worker import WorkerLink
from bridge.store import outbox, views
from bridge.store import turns as store
from bridge.store.outbox import Sender
from bridge.tasks.channel import Channel
from bridge.tasks.follow import STOPPING_AFTER_S, Follow
from bridge.tasks.gate import Gate, Verdict
from bridge.tasks.owed import Debts, link_or_news
from bridge.tasks.parked import is_due
from bridge.tasks.points import reach
from bridge.tasks.state import STORE_RETRY_S, Bell, Shared
from bridge.wire import log, messages

COMING_UP_S = 5.0  # for a controller that is only just starting, before a turn is parked
T = TypeVar("T")

_log = log.get("turns")


class Threads:
    """Every busy thread and its task."""

    def __init__(
        self,
        shared: Shared,
        controller: Controller,
        channel: Channel,
        worker: WorkerLink,
        recovers_own_locks: bool,
    ) -> None:
        self.shared = shared
        self.controller = controller
        self.channel = channel
        self.worker = worker
        self.recovers_own_locks = recovers_own_locks
        self.fresh: set[TurnId] = set()  # started by this process, so never through the gate
        self.counted: set[TurnId] = set()  # found `starting` by this process, and tried
        self.unread: set[TurnId] = set()  # whose start was answered in no words we know
        self.starting: set[ThreadId] = set()  # where nobody knows yet what a stop would stop
        self._bells: dict[ThreadId, Bell] = {}
        self._left: tuple[ThreadId, ...] = ()  # with turns that an earlier process left
        self._tasks: TaskGroup | None = None

    async def open(self) -> None:
        """Know the unfinished turns; raises StoreFault."""
        self._left = await self.shared.db.read(store.busy_threads)

    async def keep_serving(self) -> None:
        """Take up every unfinished turn, then serve for ever.

        A turn that is committed after our end is found by the next start.
        """
        try:
            async with anyio.create_task_group() as tasks:
                self._tasks = tasks
                for thread in self._left:
                    self.wake(thread)
                while True:
                    await self.shared.turns_bell.heard()
                    for thread in tuple(self._bells):
                        self.wake(thread)
        finally:
            self._tasks = None

    def began(self, turn: Turn) -> None:
        """A turn was committed; `starting` means that this process has just claimed it."""
        if turn.state is TurnState.STARTING:
            self.fresh.add(turn.id)
        self.wake(turn.thread, turn)

    def wake(self, thread: ThreadId, first: Turn | None = None) -> None:
        """Something about this thread's turns has changed; `first` is the one to take up."""
        bell = self._bells.get(thread)
        if bell is not None:
            bell.ring()
            if thread in self.starting and self._tasks is not None:
                self._tasks.start_soon(self._answer_stop, thread)
        elif self._tasks is not None:
            bell = self._bells[thread] = Bell()
            self._tasks.start_soon(_Thread(self, thread, bell).serve, first)

    def ended(self, thread: ThreadId) -> None:
        del self._bells[thread]
        self.starting.discard(thread)

    def renamed(self, unmade: ThreadId, thread: ThreadId) -> None:
        self._bells[thread] = self._bells.pop(unmade)

    async def _answer_stop(self, thread: ThreadId) -> None:
        """ "Stopping", where a stop has to wait for what becomes of a start."""
        await anyio.sleep(STOPPING_AFTER_S)

        def unit(now_ms: int, sender: Sender | None) -> Attempt | None:
            turn = store.first(thread)
            if turn is None or turn.state is not TurnState.STARTING or not turn.stop_requested:
                return None
            told = core.stopping(turn, views.peer(turn.peer, self.shared.lang))
            return store.tell(turn.peer, told, now_ms, sender)

        with suppress(StoreFault):
            await self.channel.write(unit)

    def show_typing(self, turn: Turn, *, is_on: bool) -> None:
        """The typing sign, beside the work: a lost hint harms nothing."""
        if self._tasks is not None and not is_group(turn.peer):
            self._tasks.start_soon(self._hint_typing, turn, is_on)

    async def _hint_typing(self, turn: Turn, is_on: bool) -> None:
        with suppress(StoreFault):
            token = await self.shared.db.read(lambda: outbox.context_token(turn.peer))
            await self.worker.hint(messages.TypingSet(turn.peer, token, is_on))


class _Thread:
    """One busy thread."""

    def __init__(self, all_threads: Threads, thread: ThreadId, bell: Bell) -> None:
        self._all = all_threads
        self._shared = all_threads.shared
        self._controller = all_threads.controller
        self._thread = thread
        self._bell = bell
        self._debts = Debts(
            self._shared,
            self._controller,
            all_threads.channel,
            bell,
            all_threads.recovers_own_locks,
        )
        self._gate = Gate(self._shared, self._controller, bell, all_threads.counted)

    async def serve(self, turn: Turn | None) -> None:
        """Work until the thread has no unfinished turn; `turn` is the first, where known."""
        is_looked_up = turn is not None and turn.state is TurnState.STARTING
        while True:
            try:
                if not is_looked_up:
                    turn = await self._shared.db.read(lambda: store.first(self._thread))
                is_looked_up = False
                if turn is None:
                    if self._bell.is_ringing:
                        await self._bell.heard()
                        continue
                    self._all.ended(self._thread)
                    return
                if turn.state is TurnState.SETTLING:
                    turn, is_looked_up = await self._pay(turn), True
                else:
                    await self._step(turn)
            except (Stale, LinkLost) as moved:
                _log.info("turn.again", thread_id=self._thread, why=str(moved))
            except StoreFault:
                _log.exception("turn.store_failed")
                await anyio.sleep(STORE_RETRY_S)
            except Exception:
                await self._failed(turn)

    async def _step(self, turn: Turn) -> None:
        match turn.state:
            case TurnState.QUEUED:
                await self._claim(turn, TurnEvent.THREAD_FREE, turn.expected_head)
            case TurnState.PARKED:
                await self._parked(turn)
            case TurnState.STARTING if turn.attempts >= core.MAX_ATTEMPTS:
                await self._end(turn, TurnEvent.GIVEN_UP, "dead")
            case TurnState.STARTING if turn.id in self._all.fresh:
                self._all.fresh.discard(turn.id)
                await self._start(turn)
            case TurnState.STARTING:
                await self._take_up(turn)
            case TurnState.RUNNING:
                await self._follow(turn, None)
            case TurnState.SETTLING | TurnState.DONE:
                pass  # `serve` pays

    # before the start

    async def _claim(self, turn: Turn, event: TurnEvent, head: str | None) -> None:
        """T3. The head comes from the turn before, else from the controller."""
        if head is None and not is_unmade(turn.thread):
            try:
                head = (await self._controller.status(turn.thread)).head
            except LinkDown as down:
                if down.reason is not Refusal.CONTROLLER_LACKS:
                    await link_or_news(self._controller, self._bell)
                    return
            except (ToolError, PeerFault) as refused:  # the start will say why
                _log.warning("turn.no_head", turn_id=turn.id, why=str(refused))
        claimed = await self._run(lambda now: store.claim(turn, event, head, now))
        reach("T3")
        await self._start(claimed)

    async def _parked(self, turn: Turn) -> None:
        match turn.reason:
            case Parked.HEAD:
                await self._bell.heard()
            case Parked.AGREED:
                await self._claim(turn, TurnEvent.OWNER_RETRY, None)
            case Parked.CONTROLLER if not self._controller.offers("cross_thread_start"):
                if await link_or_news(self._controller, self._bell, "cross_thread_start"):
                    await self._claim(turn, TurnEvent.LINK_UP, None)
            case _:
                now_ms = self._shared.now_ms()
                if await is_due(turn, self._controller, self._bell, now_ms):
                    await self._claim(turn, TurnEvent.RETRY_DUE, None)

    async def _start(self, turn: Turn) -> None:
        self._all.starting.add(self._thread)
        await self._controller.ready(COMING_UP_S, FIRST_UP_S)
        reach("before start")
        try:
            reply = await self._controller.start(turn)
        except LinkDown as down:
            await self._park(turn, down)
            return
        except PeerFault as fault:
            await self._unread(turn, fault)
            return
        reach("after start")
        if isinstance(reply, Accepted):
            await self._follow(turn, reply)
        else:
            await self._park(turn, reply)

    async def _unread(self, turn: Turn, fault: PeerFault) -> None:
        """Nobody can read what the start was answered: the gate looks for its key, once."""
        _log.warning("turn.start_unread", turn_id=turn.id, why=str(fault))
        if turn.id in self._all.unread:
            await self._end(turn, TurnEvent.GATE_BLOCKED, "uncertain")
        self._all.unread.add(turn.id)

    async def _take_up(self, turn: Turn) -> None:
        """A start whose outcome is not known: adopt it, repeat it, or say so."""
        self._all.starting.add(self._thread)
        match await self._gate.look(turn):
            case Accepted() as found:
                await self._follow(turn, found)
            case Verdict.START if turn.stop_requested:  # never begun, and ended by its owner
                await self._end(turn, TurnEvent.GATE_BLOCKED, "cancelled")
            case Verdict.START:
                await self._start(turn)
            case Verdict.UNCERTAIN:
                await self._end(turn, TurnEvent.GATE_BLOCKED, "uncertain")
            case Verdict.DEAD:
                await self._end(turn, TurnEvent.GIVEN_UP, "dead")
            case Verdict.LATER:
                pass

    async def _park(self, turn: Turn, reply: core.StartReply | LinkDown) -> None:
        """Store what a refused start means; LinkDown: there was no call."""

        def unit(now_ms: int, sender: Sender | None) -> Attempt | None:
            peer = views.peer(turn.peer, self._shared.lang)
            ids = self._shared.ids()
            now = store.get(turn.id)
            if now is not None and now.stop_requested:  # a stop during the start is obeyed here
                end = core.ended(turn, TurnEvent.INVALID, "cancelled", peer, ids)
                return store.settle(turn, end, now_ms, sender)
            if isinstance(reply, LinkDown):
                step = core.parked_for_controller(turn, reply.reason, peer, now_ms)
                return store.park(turn, step, now_ms, sender)
            found = core.after_start(turn, reply, peer, now_ms, ids)
            if isinstance(found, core.ParkStep):
                return store.park(turn, found, now_ms, sender)
            assert isinstance(found, Settlement)
            return store.settle(turn, found, now_ms, sender)

        await self._all.channel.write(unit)

    # while it runs

    async def _follow(self, turn: Turn, accepted: Accepted | None) -> None:
        """Wait for the run; T4 is committed beside the first wait."""
        self._all.starting.discard(self._thread)
        run_id = accepted.run if accepted else turn.run
        assert run_id is not None
        handle = accepted or Accepted(run_id, turn.thread, turn.lock, None, turn.codex_turn)
        follow = Follow(self._all, turn, self._bell, self._made)
        found = await follow.until_over(handle, is_new=accepted is not None)
        if follow.is_typing:
            self._all.show_typing(turn, is_on=False)
        now = replace(
            turn,
            state=TurnState.RUNNING,
            thread=self._thread,
            run=handle.run,
            lock=handle.lock,
            stop_requested=follow.was_stopped,
        )
        if found is None:
            await self._end(now, TurnEvent.UNKNOWN_RUN, "uncertain")
        else:
            await self._settle(now, found, follow.desk_turns)

    def _made(self, thread: ThreadId) -> None:
        """A first message has made its thread: this task goes on under the new name."""
        self._all.renamed(self._thread, thread)
        self._thread = thread

    # after the end

    async def _settle(self, turn: Turn, run: Run, desk_turns: int) -> None:
        """T5, with T6 of the first part."""
        reach("before T5")

        def unit(now_ms: int, sender: Sender | None) -> Attempt | None:
            peer = views.peer(turn.peer, self._shared.lang)
            waiting = store.answers_waiting(turn.peer)
            if waiting >= MANY_WAITING - 1:
                store.shorten_waiting(peer, now_ms)
            end = core.after_run(turn, run, peer, waiting, self._shared.ids(), desk_turns)
            return store.settle(turn, end, now_ms, sender)

        await self._all.channel.write(unit)
        reach("T5")
        _log.info("turn.settled", turn_id=turn.id, outcome=run.status)

    async def _end(self, turn: Turn, event: TurnEvent, outcome: str) -> None:
        """An end that the controller did not report."""

        def unit(now_ms: int, sender: Sender | None) -> Attempt | None:
            peer = views.peer(turn.peer, self._shared.lang)
            end = core.ended(turn, event, outcome, peer, self._shared.ids())
            return store.settle(turn, end, now_ms, sender)

        await self._all.channel.write(unit)
        _log.warning("turn.settled", turn_id=turn.id, outcome=outcome)

    async def _pay(self, turn: Turn) -> Turn | None:
        following = await self._debts.pay(turn)
        if following is not None and following.state is TurnState.STARTING:
            reach("T3")
            self._all.fresh.add(following.id)
        return following

    async def _failed(self, turn: Turn | None) -> None:
        """Our own code failed on this turn: count it, and give up what fails again."""
        _log.exception("turn.failed", turn_id=turn.id if turn else None)
        if turn is None or turn.state in (TurnState.DONE, TurnState.SETTLING):
            await anyio.sleep(STORE_RETRY_S)
            return
        try:
            count = await self._shared.db.run(lambda: store.count_attempt(turn.id))
            now = await self._shared.db.read(lambda: store.get(turn.id))
            can_end = now is not None and now.state in (TurnState.STARTING, TurnState.RUNNING)
            if now is not None and can_end and count >= core.MAX_ATTEMPTS:
                await self._end(now, TurnEvent.GIVEN_UP, "dead")
                return
        except StoreFault:
            _log.exception("turn.store_failed")
        await anyio.sleep(STORE_RETRY_S)

    async def _run(self, unit: Callable[[int], T]) -> T:
        now_ms = self._shared.now_ms()
        return await self._shared.db.run(lambda: unit(now_ms))
