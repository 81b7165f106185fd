"""Answers to the desk: what `ctb-bridge status` shows of a bridge that runs.

What it changes: `turns.stop` ends what runs, for a demo that is left, and the repairs of
`ctb-bridge dead` take up what was given up, or drop it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from bridge.core.decision import Audit
from bridge.core.errors import Refusal
from bridge.core.model import Account, AccountState, PeerId, Turn, TurnState
from bridge.core.phrases import age, counted, say
from bridge.core.sending import UNCONFIRMED_ALERT
from bridge.core.tools import EXTRA
from bridge.health import NETWORK, Health, no_login, no_poll
from bridge.links.controller import NO_ANSWER, Controller
from bridge.links.worker import WorkerLink
from bridge.records import Records
from bridge.store import audit, turns, views
from bridge.tasks.door import Door
from bridge.tasks.state import Shared
from bridge.tasks.turns import Threads
from bridge.wire import codec, desk, messages
from bridge.wire.peer import Refused

MAX_SENDERS_TOLD = 50
SERVERS_S = 0.5  # a status never waits longer for its controller


class Desk:
    """The cli's side of the bridge."""

    def __init__(
        self,
        shared: Shared,
        door: Door,
        worker: WorkerLink,
        controller: Controller,
        threads: Threads,
        codex_fault: Callable[[], str],
    ) -> None:
        self._codex_fault = codex_fault  # looked at anew: it may be installed meanwhile
        self._shared = shared
        self._door = door
        self._worker = worker
        self._controller = controller
        self._threads = threads
        self._records = Records(shared, threads)
        self._health = Health(shared, door, worker, controller)

    async def answer(self, request: object) -> object:
        """One request of a cli."""
        match request:
            case messages.StatusGet():
                return await self._status()
            case messages.SendersRecent():
                return self._senders()
            case messages.TurnsStop():
                return await self._stop_turns()
            case desk.DoctorGet():
                return await self._health.answer()
        return await self._records.answer(request)

    async def _stop_turns(self) -> messages.StopReply:
        now_ms = self._shared.now_ms()

        def unit() -> tuple[Turn, ...]:
            left = turns.stop_all(now_ms)
            line = Audit("turns.stop", "owner at the desk", "stopping", f"{len(left)} turns")
            audit.add_audit((line,), PeerId(""), now_ms)
            return left

        unfinished = await self._shared.db.run(unit)
        for thread in {turn.thread for turn in unfinished}:
            self._threads.wake(thread)
        running = (TurnState.STARTING, TurnState.RUNNING)
        return messages.StopReply(sum(turn.state in running for turn in unfinished))

    def _senders(self) -> messages.SendersReply:
        newest = sorted(self._door.senders.seen.items(), key=lambda found: -found[1].last_at_ms)
        return messages.SendersReply(
            tuple(
                messages.Sender(user_id, seen.messages, seen.last_at_ms, seen.is_owner)
                for user_id, seen in newest[:MAX_SENDERS_TOLD]
            )
        )

    async def _status(self) -> messages.StatusReply:
        limits = self._shared.limits
        codex_fault = self._codex_fault()
        tally = await self._shared.db.read(lambda: views.tally(limits))
        lines = [
            f"bridge      running, {counted(tally.aliases, 'name')}, "
            f"{counted(tally.threads_busy, 'thread')} busy",
            f"worker      {self._worker_line(tally.account)}",
            f"controller  {self._controller_line()}",
            *([f"codex       {codex_fault}"] if codex_fault else await self._server_lines()),
            f"inbox       {tally.new} new, {tally.held} held, {tally.done} done",
            f"turns       {_counts(tally.turns) or 'none unfinished'}",
            f"outbox      {tally.ready} waiting, {tally.unknown} with an unknown outcome",
        ]
        lines += _window(tally, self._shared.now_ms())
        if tally.account.unconfirmed_run >= UNCONFIRMED_ALERT:
            says = "takes messages without a receipt: some may not be shown"
            lines.append(f"{tally.account.network:<11} {says}")
        denied = self._door.senders.strange
        if denied:
            lines.append(f"strangers   {counted(denied, 'message')} not let in")
        is_healthy = (
            bool(self._worker.instance)
            and tally.account.state is AccountState.ON
            and not no_poll(self._worker.condition, tally.account.network)
            and self._controller.trouble is None
            and not codex_fault
        )
        return messages.StatusReply(tuple(lines), is_healthy)

    def _worker_line(self, account: Account) -> str:
        if not self._worker.instance:
            heard = self._worker.condition
            if heard is not None and heard.condition == "no_credentials":
                return f"connected, {': '.join(no_login(heard.code))}"
            return "not connected: run  ctb-channel run"
        match account.state:
            case AccountState.ON:
                unpolled = no_poll(self._worker.condition, account.network)
                return f"connected; {unpolled}: {NETWORK}" if unpolled else "connected, polling"
            case AccountState.LOGIN_NEEDED:
                return (
                    f"login needed ({account.rest_reason}): run  ctb-channel login  "
                    "(a scan elsewhere, or one here that was not accepted, may be the cause)"
                )
            case AccountState.SUSPECT:
                said = f"{account.network} answered {account.rest_reason}"
                return f"in trouble, {said}; looking again"
            case AccountState.UNPAIRED:
                return "login needed: run  ctb-channel login"
        assert_never(account.state)

    async def _server_lines(self) -> list[str]:
        """The Codex processes behind our controller, with version and memory."""
        if not self._controller.offers("cross_thread_list_sessions"):
            return []
        try:
            status = await self._controller.status(None, SERVERS_S)
        except NO_ANSWER:
            return []
        return [
            f"codex       {server.name} {server.version}, {server.memory_bytes // 1_048_576} MB"
            for server in status.servers
        ]

    def _controller_line(self) -> str:
        trouble = self._controller.trouble
        lacks = ", ".join(sorted(self._controller.lacks - set(EXTRA)))
        if self._controller.is_up and lacks:
            return f"connected, without {lacks}: update or restart it"
        if trouble is None:
            return f"connected (link {self._controller.link_no})"
        hint = ": check CTB_CONTROLLER_COMMAND" if trouble is Refusal.CONTROLLER_MISSING else ""
        return say(trouble, "en") + hint


class SafeDesk:
    """What a bridge in safe mode answers: why, and what to do. It changes nothing."""

    def __init__(self, why: str) -> None:
        self._why = why

    async def answer(self, request: object) -> object:
        match request:
            case messages.StatusGet():
                lines = (
                    f"bridge      safe mode: {self._why}",
                    "            nothing is fetched, run or sent; nothing was changed",
                    "            make room on a full disk, or restore data/state from a backup,",
                    "            or move it away to begin anew; then start the bridge again",
                )
                return messages.StatusReply(lines, is_healthy=False)
            case desk.DoctorGet():
                found = desk.Finding(
                    "fail",
                    "database",
                    f"the bridge is in safe mode: {self._why}",
                    "make room on a full disk, restore data/state from a backup, "
                    "or move it away to begin anew",
                )
                return desk.DoctorReply((found,))
            case messages.ChannelHello():
                return messages.ChannelHelloReply("", poll=False)
            case messages.InboundCommit():
                return messages.CommitReply("storage_error", request.prev_cursor)
            case messages.ChannelState() | messages.OutboundBegun():
                return messages.Done()
        raise Refused(codec.SAFE_MODE, "the bridge is in safe mode; see  ctb-bridge doctor")


def _window(tally: views.Tally, now_ms: int) -> list[str]:
    """What the chat still takes: replies left, the end of their day, a breaker that is open."""
    lines, network = [], tally.account.network
    if tally.credits is not None:
        until = "until the owner writes"
        if tally.closes_ms is None:
            lines.append("replies     none: the owner has to write first")
        elif tally.closes_ms <= now_ms:
            lines.append(f"replies     none {until}: {network} takes them for a day")
        else:
            left = age(tally.closes_ms - now_ms, "en")
            lines.append(f"replies     {tally.credits} left {until}, for {left}")
    if tally.account.breaker_until_ms > now_ms:
        wait = age(tally.account.breaker_until_ms - now_ms, "en")
        lines.append(f"{network:<11} refused to take a message; trying again in {wait}")
    return lines


def _counts(found: dict[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(found.items()))
