"""Takes what is due from the inbox, decides it, and writes the Decision.

One command or burst of a peer at a time. Nothing here waits on a peer or a disk: a
decision that needs the controller is looked into by a task of its own and comes back
with its facts. Meanwhile the peer's commands that make no turn go on, and its prompts
wait, so that their order stays.
"""

from __future__ import annotations

from dataclasses import replace

import anyio
from anyio.abc import TaskGroup

from bridge.core import commands, decide, intake
from bridge.core.decision import Asking, Decision, Facts, View
from bridge.core.errors import Stale, StoreFault
from bridge.core.group_chat import is_group
from bridge.core.model import InboxRow, InboxState, PeerId, ThreadId
from bridge.links.controller import Controller
from bridge.store import inbox, past, views
from bridge.store.inbox import Applied
from bridge.tasks.channel import Channel
from bridge.tasks.facts import Inquiry
from bridge.tasks.groups import Groups
from bridge.tasks.points import reach
from bridge.tasks.state import STORE_RETRY_S, Pace, Shared
from bridge.tasks.turns import Threads
from bridge.wire import log

LOOK_AGAIN_S = 60.0  # a lost wake-up costs no more than this
FLOOD_MS = 60_000  # delivery-semantics 9: messages a minute
FEW_ROWS = 8  # where each message is a prompt of its own
ROWS_AT_ONCE = 100  # of one peer: more than a burst of ten seconds holds

_log = log.get("dispatch")


class Dispatcher:
    """The way from the inbox to the rows that a message leads to."""

    def __init__(
        self,
        shared: Shared,
        controller: Controller,
        channel: Channel,
        threads: Threads,
        groups: Groups,
    ) -> None:
        self._shared = shared
        self._inquiry = Inquiry(shared, controller)
        self._channel = channel
        self._threads = threads
        self._groups = groups
        self._asking: dict[PeerId, tuple[InboxRow, ...]] = {}  # what waits for facts
        self._plans: dict[PeerId, Asking] = {}  # the prompt among them
        self._prompted = Pace(FLOOD_MS)
        self._flooded: set[PeerId] = set()  # who was told that it is many
        self._full: set[ThreadId] = set()  # of which it was told that its queue is full
        self._passed_over: set[PeerId] = set()  # who has rows that wait behind those

    async def keep_deciding(self) -> None:
        """Serve the inbox for ever."""
        async with anyio.create_task_group() as asking:
            while True:
                try:
                    wait_s = await self._round(asking)
                except StoreFault:
                    _log.exception("inbox.store_failed")
                    wait_s = STORE_RETRY_S
                await self._shared.inbox_bell.heard(wait_s)

    async def _round(self, asking: TaskGroup) -> float:
        """Take everything that is due; how long until something else is, in seconds."""
        wait_s = LOOK_AGAIN_S
        for peer in await self._shared.db.read(views.peers_with_news):
            wait_s = min(wait_s, await self._serve(peer, asking))
        return wait_s

    async def _serve(self, peer: PeerId, asking: TaskGroup) -> float:
        """Everything of one peer that is due; a fault of ours costs that peer a second."""
        try:
            while (wait_s := await self._take(peer, asking)) is None:
                pass
        except StoreFault:
            raise
        except Exception:
            _log.exception("inbox.peer_failed")
            return STORE_RETRY_S
        return wait_s

    async def _take(self, peer: PeerId, asking: TaskGroup) -> float | None:
        """Take one batch of this peer: None when there may be more, else how long to wait."""
        if is_group(peer):
            return None if await self._groups.take(peer) else LOOK_AGAIN_S
        policy = self._shared.policy
        busy = self._asking.get(peer, ())
        limit = ROWS_AT_ONCE if policy.merge_window_ms or busy else FEW_ROWS
        found = await self._look(peer, limit)
        rows = intake.passing(found.rows, busy) if busy else found.rows
        if busy and len(rows) < len(found.rows):
            self._passed_over.add(peer)
        now_ms = self._shared.now_ms()
        batch = intake.batch(rows, now_ms, policy.merge_window_ms, policy.stale_ms)
        if batch is None:
            return LOOK_AGAIN_S
        if isinstance(batch, intake.WaitUntil):
            return max(0.0, (batch.at_ms - now_ms) / 1000)
        if batch.is_stale and limit == FEW_ROWS:
            found = await self._look(peer, ROWS_AT_ONCE)
            whole = intake.batch(found.rows, now_ms, policy.merge_window_ms, policy.stale_ms)
            batch = whole if isinstance(whole, intake.Batch) else batch
        await self._decide(batch, found.view, asking)
        has_more = len(found.rows) > len(batch.rows) or len(found.rows) >= limit
        return None if has_more else LOOK_AGAIN_S

    async def _look(self, peer: PeerId, limit: int) -> views.Conversation:
        busy = [row.id for row in self._asking.get(peer, ())]
        lang = self._shared.lang
        return await self._shared.db.read(lambda: views.conversation(peer, limit, lang, busy))

    async def _decide(self, batch: intake.Batch, view: View, asking: TaskGroup) -> None:
        try:
            spoilt = tuple(r for r in batch.rows if r.attempts >= intake.MAX_ATTEMPTS)
            if spoilt:
                await self._set_aside(intake.Batch(spoilt), view)
                return
            reach("before T2")
            command = decide.command_of(batch)
            if commands.needs_whole(command):
                plan = self._plans.get(view.peer.id)  # first: it may become a turn meanwhile
                plan = plan or await self._passed(batch.passed, view)
                view = replace(await self._whole(view, command), asking=plan)
            view = self._aged(await self._quoted(view, batch.rows))
            said = [row for row in batch.rows if not row.is_files_alone] or batch.rows
            if said[0].meant:
                view = replace(view, meant=said[0].meant)
            if commands.needs_past(command):
                view = await self._past(view, command)
            need = commands.Need.NONE
            if not batch.is_stale and not batch.is_wordless:
                need = decide.need_of(command, view, self._shared.now_ms())
            if need is commands.Need.NONE:
                await self._write(batch, command, view, Facts())
                return
            peer = view.peer.id
            self._asking[peer] = batch.rows + self._asking.get(peer, ())
            if (plan := decide.asking(batch, command, view)) is not None:
                self._plans[peer] = plan
            asking.start_soon(self._ask, batch, command, need, view)
        except StoreFault:
            raise
        except Exception:
            await self._failed(batch.rows)

    async def _whole(self, view: View, command: commands.Command) -> View:
        asked = command.turn if isinstance(command, commands.Result) else view.peer.more_turn
        limits = self._shared.limits
        return await self._shared.db.read(lambda: views.whole(view, asked, limits))

    def _aged(self, view: View) -> View:
        now_ms = self._shared.now_ms()
        aged = tuple(self._shared.codes.aged(asked, now_ms) for asked in view.approvals)
        return replace(view, approvals=aged)

    async def _passed(self, rows: tuple[InboxRow, ...], view: View) -> Asking | None:
        """The prompt that a command goes ahead of, because its files are not here yet."""
        if not rows:
            return None
        batch = intake.Batch(rows)
        return decide.asking(batch, decide.command_of(batch), await self._quoted(view, rows))

    async def _past(self, view: View, command: commands.Command) -> View:
        now_ms = self._shared.now_ms()
        return await self._shared.db.read(lambda: past.told(view, command, now_ms))

    async def _quoted(self, view: View, rows: tuple[InboxRow, ...]) -> View:
        """The view with what these rows quote, if they quote anything."""
        quoting = next((row for row in rows if row.quoted_id or row.quoted_text), None)
        if quoting is None:
            return view
        return await self._shared.db.read(lambda: views.quoted(view, quoting))

    async def _ask(
        self, batch: intake.Batch, command: commands.Command, need: commands.Need, view: View
    ) -> None:
        ids = tuple(row.id for row in batch.rows)
        try:
            counted = [row.id for row in batch.rows if row.attempts]  # none, but after a crash
            if counted:
                await self._shared.db.run(lambda: inbox.uncount(counted))
            facts = await self._inquiry.facts(batch, command, need, view)
            if counted:
                await self._shared.db.run(lambda: inbox.count_attempts(counted))
            await self._write(batch, command, view, facts)
        except StoreFault:
            _log.exception("inbox.store_failed")
            await anyio.sleep(STORE_RETRY_S)
            self._passed_over.add(view.peer.id)
        except Exception:
            await self._failed(batch.rows)
        finally:
            if isinstance(command, commands.Dispatching):
                self._plans.pop(view.peer.id, None)
            left = tuple(r for r in self._asking.get(view.peer.id, ()) if r.id not in ids)
            if left:
                self._asking[view.peer.id] = left
            else:
                self._asking.pop(view.peer.id, None)
            if view.peer.id in self._passed_over:
                self._passed_over.discard(view.peer.id)
                self._shared.inbox_bell.ring()

    async def _write(
        self, batch: intake.Batch, command: commands.Command, view: View, facts: Facts
    ) -> None:
        now_ms = self._shared.now_ms()
        before = self._prompted.before(view.peer.id, now_ms)
        if not before:
            self._flooded.discard(view.peer.id)
        plan = None if batch.is_stale else decide.asking(batch, command, view)
        facts = replace(
            facts,
            prompts_before=before,
            is_flood_told=view.peer.id in self._flooded,
            is_full_told=plan is not None and plan.thread in self._full,
            slept_ms=self._shared.slept_ms(now_ms),
        )
        decision = decide.decide(
            batch, command, view, facts, self._shared.policy, now_ms, self._shared.ids()
        )
        try:
            applied = await self._apply(decision, view, now_ms)
        except Stale as moved:
            _log.info("decision.stale", why=str(moved))
            self._shared.inbox_bell.ring()
            return
        reach("T2")
        if applied.turn is not None:
            self._prompted.note(view.peer.id, now_ms)
            if before >= self._shared.policy.flood_limit:
                self._flooded.add(view.peer.id)
            self._full.discard(applied.turn.thread)
            self._threads.began(applied.turn)
        elif plan is not None and any(row.state is InboxState.HELD for row in decision.rows):
            self._full.add(plan.thread)
        for step in decision.turn_steps:
            self._threads.wake(step.thread)
        if decision.moved is not None:
            self._threads.wake(decision.moved.thread)
            self._threads.wake(decision.moved.to.thread)
        if decision.group is not None and decision.group.was.thread is not None:
            self._threads.wake(decision.group.was.thread)
        if decision.approval_thread is not None:
            self._threads.wake(decision.approval_thread)
        if any(row.is_released for row in decision.rows):
            self._full.clear()
            self._shared.inbox_bell.ring()

    async def _apply(self, decision: Decision, view: View, now_ms: int) -> Applied:
        sender = self._channel.sender()
        applied = await self._shared.db.run(
            lambda: inbox.apply(decision, view.account, sender, now_ms)
        )
        if decision.approval is not None:
            self._shared.codes.shown(decision.approval)
        if decision.owes:
            self._channel.take(applied.attempt)
        return applied

    async def _failed(self, rows: tuple[InboxRow, ...]) -> None:
        """Our own code failed on these rows: count it; what failed often is set aside."""
        _log.exception("inbox.failed", row=rows[0].id)
        try:
            failed = [row.id for row in rows]
            await self._shared.db.run(lambda: inbox.count_attempts(failed))
        except StoreFault:
            _log.exception("inbox.store_failed")
            await anyio.sleep(STORE_RETRY_S)
        self._shared.inbox_bell.ring()

    async def _set_aside(self, batch: intake.Batch, view: View) -> None:
        _log.error("inbox.poison", row=batch.rows[0].id)
        decision = decide.set_aside(batch, view, self._shared.ids())
        await self._apply(decision, view, self._shared.now_ms())
        self._shared.inbox_bell.ring()  # for the rows that it was taken with
