"""Follows one run: waits for its end, obeys a stop, shows and answers its requests.

Three things go on side by side: the wait, the commit that the turn is running (T4), and
an ear for the owner. Each may outlive several links; a decision that may not have been
heard is given again.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

import anyio
from anyio.abc import TaskGroup

from bridge.core import approvals as core
from bridge.core import history, rules
from bridge.core.bubbles import has_moved
from bridge.core.decision import Audit, Item, NewRow
from bridge.core.errors import LinkDown, LinkLost, PeerFault, Refusal, StoreFault
from bridge.core.group_chat import is_group
from bridge.core.model import (
    Approval,
    ApprovalState,
    Attempt,
    RunId,
    SendClass,
    ThreadId,
    Turn,
    is_unmade,
)
from bridge.core.phrases import notice
from bridge.core.turns import Accepted, Run
from bridge.links.controller import NO_ANSWER, Controller, UnknownRun
from bridge.links.link import MISSED_LIMIT, ToolError
from bridge.store import approvals, turns, views
from bridge.store.audit import add_audit
from bridge.store.outbox import Sender
from bridge.tasks.channel import Channel
from bridge.tasks.points import reach
from bridge.tasks.state import STORE_RETRY_S, Bell, Shared
from bridge.wire import log

STOPPING_AFTER_S = 0.8  # delivery-semantics 6: "stopping" only if a second passes
WORKING_AFTER_S = 60.0  # design 7: one note for a long turn
TYPING_AFTER_S = 0.3  # a quicker answer needs no sign that it is coming
ASK_AGAIN_S = 5.0  # after an answer of the controller that says nothing
# Waits in a row that tell nothing of a run whose owner said stop. More than the missed
# deadlines after which a controller is started again (`link`): the new one may know.
UNHEARD_LIMIT = MISSED_LIMIT + 2
SEEN_FIRST_S = 1.0  # doubled at each look for the key of a run that no wait tells of
SEEN_LAST_S = 30.0  # delivery-semantics 6: as long as the longest slice
COUNT_S = 2.0  # an answer waits no longer for the number of turns at the desk
COUNT_BYTES = 65_536  # of history in one call
COUNT_PAGES = 16  # 1 MiB in all
LISTEN_S = 3600.0  # a lost wake-up costs no more; a stop and a decision ring the bell

_log = log.get("turns")


class Room(Protocol):
    """What a follow needs of the tasks around it."""

    shared: Shared
    controller: Controller
    channel: Channel

    def show_typing(self, turn: Turn, *, is_on: bool) -> None: ...


class Follow:
    """One run of one turn."""

    def __init__(
        self, room: Room, turn: Turn, bell: Bell, made: Callable[[ThreadId], None]
    ) -> None:
        self._room = room
        self._shared = room.shared
        self._controller = room.controller
        self._channel = room.channel
        self._turn = turn
        self._bell = bell
        self._giving: set[str] = set()  # codes of the decisions on their way
        self._made = made
        self._seen_for_s = SEEN_FIRST_S
        self._seen_until = 0.0  # its key was found, though no wait tells of it
        self.is_typing = False
        self.desk_turns = 0
        self.was_stopped = turn.stop_requested

    async def until_over(self, handle: Accepted, *, is_new: bool) -> Run | None:
        """The run when it is over; None when the controller does not know it any more.

        `is_new`: the start was just accepted, and T4 is committed beside the first wait.
        """
        found: Run | None = None
        is_noted, is_counted = anyio.Event(), anyio.Event()
        try:
            async with anyio.create_task_group() as beside:
                beside.start_soon(self._note_running, handle, is_new, is_noted)
                beside.start_soon(self._attend, handle.run, is_new)
                if has_moved(self._turn):
                    beside.start_soon(self._count_desk, handle, is_counted)
                else:
                    is_counted.set()
                try:
                    found = await self._waited(handle)
                except UnknownRun:
                    _log.warning("run.unknown", turn_id=self._turn.id)
                await is_noted.wait()
                with anyio.move_on_after(COUNT_S):
                    await is_counted.wait()
                beside.cancel_scope.cancel()
        except* StoreFault as failed:
            raise StoreFault("turn") from failed
        return found

    async def _waited(self, handle: Accepted) -> Run:
        """The run when it is over, over as many links as that takes; raises UnknownRun.

        A controller that tells nothing, or that a run is over and not what came of it, is
        asked again and again, until its owner says stop.
        """
        after, unheard = handle.seq, 0
        while True:
            try:
                run = await self._next_word(handle.run, after)
                if run.status == "in_progress":
                    unheard = 0
                    continue
                if self._asks(run):
                    await self._ask_owner(run)
                    after, unheard = run.seq, 0
                    continue
                return await self._controller.result(run)
            except LinkDown:
                await self._controller.changed()
            except LinkLost:
                unheard += 1
            except (ToolError, PeerFault) as refused:
                _log.warning("run.wait_refused", turn_id=self._turn.id, why=str(refused))
                unheard += 1
                await anyio.sleep(ASK_AGAIN_S)
            if self.was_stopped and unheard >= UNHEARD_LIMIT:
                raise UnknownRun(handle.run, is_denied=False)
            after = None  # a new process counts its events anew
            self._seen_until = 0.0  # and may know of other runs
            self._bell.ring()  # a decision may have to be given again

    async def _next_word(self, run: RunId, after: int | None) -> Run:
        """What a wait says of the run, else what is found by its key; raises UnknownRun."""
        try:
            return await self._controller.wait(run, after)
        except UnknownRun as unknown:
            if not unknown.is_denied and anyio.current_time() < self._seen_until:
                return Run(run, "in_progress", self._turn.thread)
            try:
                found = await self._controller.find(self._turn.key, self._turn)
            except LinkDown as down:
                if down.reason is Refusal.CONTROLLER_LACKS:
                    raise unknown from down
                raise
            if found is None or found.id != run:
                raise
            if unknown.is_denied and found.status == "in_progress":
                raise  # it would be asked for ever
            self._seen_for_s = min(self._seen_for_s * 2, SEEN_LAST_S)
            self._seen_until = anyio.current_time() + self._seen_for_s
            return found

    async def _note_running(self, handle: Accepted, is_new: bool, is_noted: anyio.Event) -> None:
        """T4, until it is written."""
        while is_new:
            try:
                await self._shared.db.run(lambda: turns.running(self._turn, handle))
            except StoreFault:
                _log.exception("turn.store_failed")
                await anyio.sleep(STORE_RETRY_S)
                continue
            if is_unmade(self._turn.thread):
                self._made(handle.thread)
            reach("T4")
            break
        is_noted.set()

    async def _count_desk(self, handle: Accepted, is_counted: anyio.Event) -> None:
        """How many turns the desk made since the phone looked."""
        with suppress(*NO_ANSWER):
            self.desk_turns = await self._desk_turns(handle)
        is_counted.set()

    async def _desk_turns(self, handle: Accepted) -> int:
        position = await self._shared.db.read(lambda: turns.position(handle.thread))
        if not position or not handle.turn:
            return 0
        items: list[Item] = []
        for _ in range(COUNT_PAGES):
            page = await self._controller.history(handle.thread, position, COUNT_BYTES)
            items += page.items
            position = page.position
            if not page.more:
                ours = await self._shared.db.read(lambda: turns.ours(handle.thread))
                return history.desk_turns(items, {*ours, handle.turn})
        return 0  # too many to count beside the turn: the line goes without a number

    async def _attend(self, run: RunId, is_new: bool) -> None:
        """The typing sign and an ear for the owner, for a turn that is not over at once."""
        await anyio.sleep(TYPING_AFTER_S)
        self.is_typing = True
        self._room.show_typing(self._turn, is_on=True)
        await self._listen(run, is_new)

    async def _listen(self, run: RunId, is_new: bool) -> None:
        """Obey a stop, give decisions on, and say once that a long turn still works."""
        note_at = anyio.current_time() + WORKING_AFTER_S if is_new else None
        is_stopping = False
        async with anyio.create_task_group() as beside:
            wait_s = LISTEN_S
            if not is_new or self._turn.stop_requested:
                self._bell.ring()  # a stop or a decision may be older than this process
            while True:
                if note_at is not None:
                    wait_s = min(wait_s, max(0.0, note_at - anyio.current_time()))
                has_news = await self._bell.heard(wait_s)
                if has_news and not is_stopping and await self._stop_requested():
                    is_stopping = True
                    beside.start_soon(self._stop, run)
                wait_s = await self._give_decisions(beside)
                if note_at is not None and anyio.current_time() >= note_at:
                    note_at = None
                    if not await self._shared.db.read(lambda: approvals.of_turn(self._turn.id)):
                        await self._tell(await self._how_it_works(run), SendClass.NOTE)

    async def _how_it_works(self, run: RunId) -> str:
        """The phrase for a long turn: it works, or it waits for the network."""
        try:
            status = await self._controller.status(None, ASK_AGAIN_S, run)
        except NO_ANSWER:
            return "working"
        is_offline = status.run_reason == "network_waiting"
        return "status_network_waiting" if is_offline else "working"

    async def _stop_requested(self) -> bool:
        now = await self._shared.db.read(lambda: turns.get(self._turn.id))
        self.was_stopped = now is not None and now.stop_requested
        return self.was_stopped

    async def _stop(self, run: RunId) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._cancel_run, run)
            await anyio.sleep(STOPPING_AFTER_S)
            is_able = self._controller.offers("cross_thread_cancel") or not self._controller.is_up
            await self._tell("stopping" if is_able else "cannot_stop", SendClass.ANSWER)

    async def _cancel_run(self, run: RunId) -> None:
        """Ask until the controller has taken the stop; the wait sees the end."""
        while True:
            try:
                await self._controller.cancel(run, "stopped by the owner")
                return
            except LinkDown:
                await self._controller.changed()
            except LinkLost:
                continue
            except (ToolError, PeerFault) as refused:
                _log.info("run.cancel_refused", run_id=run, why=str(refused))
                await anyio.sleep(ASK_AGAIN_S)

    # approvals

    def _asks(self, run: Run) -> bool:
        """Whether a blocked run waits for its owner, and can be answered from here."""
        waits = run.status == "blocked" and run.reason == "approval_required"
        return waits and self._controller.offers("cross_thread_answer")

    async def _ask_owner(self, run: Run) -> None:
        """Show what the run waits for; what it no longer waits for is void."""
        if self.was_stopped:
            return  # what it asked goes with it
        if is_group(self._turn.peer):
            # Nobody may approve anything for a group.
            await self._controller.cancel(run.id, "a group has nobody who may approve")
            return
        turn = self._turn
        before = await self._shared.db.read(lambda: approvals.of_turn(turn.id))
        answer = await self._controller.approvals(run.id)
        opened: tuple[Approval, ...] = ()

        def unit(now_ms: int, sender: Sender | None) -> Attempt | None:
            nonlocal opened
            peer = views.peer(turn.peer, self._shared.lang)
            known = approvals.of_turn(turn.id)
            listed = core.still_asked(answer, before, known)
            ids = [self._shared.ids() for _ in listed]
            is_remote = self._shared.policy.remote_approvals
            step = core.after_asked(turn, listed, known, peer, is_remote, now_ms, ids)
            opened = step.opened
            return approvals.asked(step, turn.peer, now_ms, sender)

        await self._channel.write(unit)
        for approval in opened:
            self._shared.codes.shown(approval)
        self._bell.ring()

    async def _give_decisions(self, tasks: TaskGroup) -> float:
        """Tell the controller what was decided; how long until a request's last deadline.

        Told in tasks of their own: a controller that is slow to take a decision must not
        keep a stop waiting.
        """
        wait_s = LISTEN_S
        for approval in await self._shared.db.read(lambda: approvals.of_turn(self._turn.id)):
            if approval.state is ApprovalState.ANSWERING:
                if approval.code not in self._giving:
                    self._giving.add(approval.code)
                    tasks.start_soon(self._give, approval)
                wait_s = min(wait_s, ASK_AGAIN_S)  # until it is known to be taken
                continue
            left_ms = self._left_ms(approval)
            if left_ms > 0:
                wait_s = min(wait_s, left_ms / 1000)
                continue
            await self._decline(approval)
            wait_s = 0.0
        return wait_s

    def _left_ms(self, approval: Approval) -> int:
        """Until the last deadline of a request."""
        return approval.asked_ms + self._shared.policy.approval_ms - self._shared.now_ms()

    async def _give(self, approval: Approval) -> None:
        try:
            was_taken = await self._controller.answer(approval)
        except NO_ANSWER as failed:
            _log.info("approval.not_taken", turn_id=self._turn.id, why=str(failed))
            return  # stays `answering`: the same decision is given again
        finally:
            self._giving.discard(approval.code)
        is_late = self._left_ms(approval) <= 0

        def unit(now_ms: int, sender: Sender | None) -> Attempt | None:
            peer = views.peer(approval.peer, self._shared.lang)
            outcome, told = core.after_answer(approval, was_taken, peer, is_late=is_late)
            return approvals.closed(approval, outcome, (told,), now_ms, sender)

        await self._channel.write(unit)

    async def _decline(self, approval: Approval) -> None:
        """The last deadline of a request: declined for its owner, who is told once it is."""
        state = core.approval_step(approval.state, core.ApprovalEvent.EXPIRED)
        declined = replace(approval, state=state, decision="decline")
        line = Audit("approval.deny", "threat-model R29", "waited too long", turn=approval.turn)
        told = rules.line("refused", "approval_expired", f"turn {approval.turn}")
        now_ms = self._shared.now_ms()

        def unit() -> None:
            approvals.decide(declined)
            add_audit((line, *told), approval.peer, now_ms, approval.turn)

        await self._shared.db.run(unit)

    async def _tell(self, phrase: str, send_class: SendClass) -> None:
        if is_group(self._turn.peer):
            return

        def unit(now_ms: int, sender: Sender | None) -> Attempt | None:
            turn = self._turn
            peer = views.peer(turn.peer, self._shared.lang)
            told = notice(phrase, peer.lang, id=turn.id, alias=turn.alias)
            row = NewRow(send_class, told, f"ctb:{phrase}-{turn.key[5:29]}", f"{phrase}-{turn.id}")
            return turns.tell(turn.peer, (row,), now_ms, sender)

        await self._channel.write(unit)
