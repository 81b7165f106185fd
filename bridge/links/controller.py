"""The MCP client of a cross-thread-controller: its tools as typed calls.

Only the tools of the contract are known here, not what is behind them. Every method may
raise LinkDown, LinkLost or PeerFault; those that say so, ToolError.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio

from bridge.core.approvals import Asked, answers
from bridge.core.decision import History, Session, ThreadStatus
from bridge.core.errors import LinkDown, LinkLost, PeerFault
from bridge.core.group_chat import is_group
from bridge.core.model import Approval, Key, LockToken, PeerId, RunId, ThreadId, Turn, is_unmade
from bridge.core.turns import (
    Busy,
    Elsewhere,
    EngineDown,
    HeadMoved,
    Invalid,
    Run,
    StartReply,
    Uncertain,
)
from bridge.links import replies
from bridge.links.link import CALL_DEADLINE_S, FIRST_UP_S, Link, ToolError
from bridge.links.tools import NEEDED, OTHERS, SENT

FIRST_SLICE_S = 1.0  # delivery-semantics 6
LAST_SLICE_S = 30.0
SLICE_SLACK_S = 10.0
LEASE_S = 1800  # controller-contract 1
READER_UP_S = 5.0
GROUP_OWNER = "ctb-group-qa"  # controller-contract 1
QUICK_S = 0.02  # a wait that is answered sooner and without news was no wait

_LOCKED = re.compile(r"\block")  # not "blocked": a busy thread, as other controllers put it


# A call that brought nothing we can use, whosever fault it is.
NO_ANSWER = (LinkDown, LinkLost, PeerFault, ToolError)


class UnknownRun(Exception):
    """The controller does not tell of this run; `is_denied`: it says there is none."""

    def __init__(self, run: RunId | Key, *, is_denied: bool) -> None:
        super().__init__(run)
        self.is_denied = is_denied


class Controller(Link):
    """One controller, and beside it a reader of ours for what it cannot list."""

    def __init__(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        stderr: Path,
        owner_prefix: str,
        reader: Link,
        *,
        is_remote: bool = False,
    ) -> None:
        super().__init__(command, env, stderr, NEEDED, OTHERS, SENT)
        self._owner_prefix = owner_prefix
        self._reader = reader
        self._is_remote = is_remote  # then a reader here would read another machine's threads

    @property
    def lacks(self) -> frozenset[str]:
        """The tools we use that are not there, or lack an argument; without their prefix."""
        used = (*NEEDED, *OTHERS)
        return frozenset(n.removeprefix("cross_thread_") for n in used if not self.offers(n))

    @property
    def unusable(self) -> frozenset[str]:
        """Those of them that are there, in a form that we cannot use."""
        return frozenset(name.removeprefix("cross_thread_") for name in self.unfit)

    async def status(
        self,
        thread: ThreadId | None,
        deadline_s: float = CALL_DEADLINE_S,
        run: RunId | None = None,
    ) -> ThreadStatus:
        """The thread, and a run in it, as the controller sees it: no model, no change."""
        arguments = {"run_ids": [run] if run else [], "session_id": thread}
        return replies.status(await self.call("cross_thread_status", arguments, deadline_s))

    async def sessions(self, words: str, limit: int) -> tuple[Session, ...]:
        """Threads, newest first; where the controller has no list, a reader of ours has."""
        arguments = {"limit": limit, "cursor": None, "query": words or None, "cwd": None}
        return replies.sessions(await self._read("cross_thread_list_sessions", arguments))

    async def history(
        self, thread: ThreadId, position: str, limit_bytes: int, deadline_s: float = CALL_DEADLINE_S
    ) -> History:
        """What happened after a position, or the last turn; may raise ToolError."""
        arguments: dict[str, Any] = {  # Any: JSON
            "session_id": thread,
            "position": position or None,
            "limit_bytes": limit_bytes,
        }
        return replies.history(await self._read("cross_thread_history", arguments, deadline_s))

    @property
    def can_read_now(self) -> bool:
        """Whether a history is at hand without another process being started."""
        tool = "cross_thread_history"
        return self.offers(tool) or self._reader.offers(tool)

    async def _read(
        self, tool: str, arguments: dict[str, Any], deadline_s: float = CALL_DEADLINE_S
    ) -> dict[str, Any]:  # Any: JSON
        link: Link = self
        if self.is_up and not self.offers(tool) and not self._is_remote:
            link = self._reader
            link.ask()
            await link.ready(READER_UP_S, FIRST_UP_S)
        return await link.call(tool, arguments, deadline_s)

    async def start(self, turn: Turn) -> StartReply:
        """Start the turn under its key, or learn why not. Safe to repeat with the same key."""
        if is_group(turn.peer) and not self._confines():
            return Invalid("refused", "this controller does not take a sandbox")
        arguments: dict[str, Any] = {  # Any: JSON
            "session_id": None if is_unmade(turn.thread) else turn.thread,
            "cwd": turn.cwd or None,
            "message": turn.prompt,
            "owner": self.owner(turn),
            "intent": "direct_message",
            "transport": "app_server",
            "plan_capability": "protocol",
            "sandbox": turn.sandbox,
            "approval_policy": turn.approval_policy,
            "writable_roots": [],
            "model": turn.model or None,
            "effort": turn.effort or None,
            "idempotency_key": turn.key,
            "expected_session_head": turn.expected_head,
            "attachments": self._images(turn),
            "authorization_grant": None,
            "acceptance_criteria": [],
            "parent_run_id": None,
            "lease_seconds": LEASE_S,
        }
        try:
            body = await self.call("cross_thread_start", arguments)
        except ToolError as refused:
            return _refusal(refused)
        accepted = replies.start(body, turn.thread)
        if is_unmade(accepted.thread):
            raise PeerFault("cross_thread_start: session_id is missing")
        return accepted

    def _confines(self) -> bool:
        """Whether a start is bound to the sandbox and the approval policy that it is given."""
        known = self.need("cross_thread_start").tools["cross_thread_start"]
        return known >= {"sandbox", "approval_policy"}

    def _images(self, turn: Turn) -> list[str]:
        """Images go beside the text to a controller of our kind, here; else only the text does.

        A controller on another machine would look for them there, and refuse the turn.
        """
        if self._is_remote or not self.offers("cross_thread_list_sessions"):
            return []
        return [file.path for file in turn.files if file.is_image]

    async def find(self, key: Key, turn: Turn) -> Run | None:
        """The run of this key; for a controller without keys, our one open run there.

        Raises UnknownRun where it has no keys and nobody knows the thread either.
        """
        thread = None if is_unmade(turn.thread) else turn.thread
        arguments = {"owner": None, "status": None, "session_id": thread, "limit": 50}
        body = await self.call("cross_thread_list_runs", arguments)
        if thread is None and not replies.shows_keys(body):
            raise UnknownRun(key, is_denied=False)
        return replies.find(body, key, self.owner(turn))

    async def wait(self, run: RunId, after: int | None) -> Run:
        """The run once it is over, or newly blocked; `after` None on a new link.

        Asked in slices, because an abandoned call cancels its handler. Slices grow only
        beside a controller that has answered another call during a wait. Raises LinkLost,
        LinkDown, or UnknownRun.
        """
        slice_s = FIRST_SLICE_S
        while True:
            asked_at = anyio.current_time()
            body = await self._wait_once(run, after, slice_s)
            found, seq = replies.waited(body, run)
            was_ready = body.get("status") != "timeout"
            after = seq if seq is not None else after
            is_news = found is not None and found.status != "in_progress"
            if found is not None and is_news and (found.status != "blocked" or was_ready):
                return replace(found, seq=after)
            if anyio.current_time() - asked_at < QUICK_S:
                await anyio.sleep(slice_s)  # it does not wait itself: nothing is asked in a rush
            if found is None:
                raise UnknownRun(run, is_denied=False)
            live = self.need("cross_thread_wait_any")
            grows = live.answers_during_wait
            slice_s = min(slice_s * 2, LAST_SLICE_S) if grows else FIRST_SLICE_S

    async def _wait_once(self, run: RunId, after: int | None, slice_s: float) -> dict[str, Any]:
        live = self.need("cross_thread_wait_any")
        number = next(self.calls)
        live.waits.add(number)
        arguments = {
            "run_ids": [run],
            "after_seq": after,
            "timeout_ms": int(slice_s * 1000),
            "include_progress": False,
        }
        try:
            return await self.call("cross_thread_wait_any", arguments, slice_s + SLICE_SLACK_S)
        except ToolError as refused:
            if _knows_no_run(refused):
                raise UnknownRun(run, is_denied=True) from refused
            raise PeerFault(f"cross_thread_wait_any {refused.code}") from refused
        finally:
            live.waits.discard(number)

    async def result(self, run: Run) -> Run:
        """The run with its answer; asks only where the answer did not come with it."""
        if run.result or run.status == "blocked":
            return run
        try:
            body = await self.call("cross_thread_read_result", {"run_id": run.id})
        except ToolError as refused:
            raise PeerFault(f"cross_thread_read_result {refused.code}") from refused
        return replies.result(body, run)

    async def approvals(self, run: RunId) -> tuple[Asked, ...]:
        """What this run waits for; raises LinkDown(CONTROLLER_LACKS) where it cannot say."""
        return replies.approvals(await self.call("cross_thread_approvals", {"run_ids": [run]}))

    async def answer(self, approval: Approval) -> bool:
        """Give the stored decision; False when the request is gone or is another by now.

        Raises ToolError when the controller could not take it now.
        """
        arguments: dict[str, Any] = {  # Any: JSON
            "approval_id": approval.id,
            "digest": approval.digest,
            "decision": approval.decision,
        }
        if approval.kind == "question":
            arguments["answers"] = answers(approval, approval.said)
        try:
            await self.call("cross_thread_answer", arguments)
        except ToolError as refused:
            if _is_gone(refused):
                return False
            raise
        return True

    async def acknowledge(self, run: RunId) -> None:
        """Our durable copy of the answer exists. Repeatable; raises ToolError, UnknownRun."""
        await self._of_known("cross_thread_delivery_ack", run)

    async def close_run(self, run: RunId) -> None:
        """Nothing more will be asked of it. Repeatable; raises ToolError, UnknownRun."""
        await self._of_known("cross_thread_close", run)

    async def _of_known(self, tool: str, run: RunId) -> None:
        try:
            await self.call(tool, {"run_id": run})
        except ToolError as refused:
            if _knows_no_run(refused):
                raise UnknownRun(run, is_denied=True) from refused
            raise

    async def release(self, thread: ThreadId, lock: LockToken) -> None:
        await self.call("cross_thread_release", {"session_id": thread, "lock_token": lock})

    async def recover_lock(self, turn: Turn) -> LockToken | None:
        """Our own lock, whose token a crash has lost (controller-contract 1)."""
        return await self._take_lock(turn.thread, self.owner(turn))

    async def take_lock(self, thread: ThreadId, peer: PeerId) -> LockToken | None:
        """A lock of whomever, as a person has confirmed; raises ToolError."""
        return await self._take_lock(thread, f"{self._owner_prefix}:{peer}")

    async def _take_lock(self, thread: ThreadId, owner: str) -> LockToken | None:
        body = await self.call(
            "cross_thread_force_recover",
            {
                "session_id": thread,
                "owner": owner,
                "transport": "app_server",
                "lease_seconds": LEASE_S,
                "human_authorized": True,
            },
        )
        return replies.lock(body)

    async def steer(self, run: RunId, text: str, key: Key) -> RunId:
        """Add to the running turn, once per key; the run that has it. Raises ToolError."""
        arguments = {"run_id": run, "message": text, "idempotency_key": key}
        return replies.steered(await self.call("cross_thread_steer", arguments), run)

    @property
    def forks_once(self) -> bool:
        """Whether a branch goes by a key, so that it may be asked for again."""
        return self.takes("cross_thread_fork", "idempotency_key")

    async def fork(self, thread: ThreadId, key: Key) -> ThreadId:
        """A branch of a thread, the same for a key where the controller knows it.

        Raises ToolError.
        """
        arguments: dict[str, Any] = {"session_id": thread, "cwd": None}  # Any: JSON
        if self.forks_once:
            arguments["idempotency_key"] = key
        return replies.forked(await self.call("cross_thread_fork", arguments))

    async def cancel(self, run: RunId, reason: str) -> None:
        await self.call("cross_thread_cancel", {"run_id": run, "reason": reason})

    def owner(self, turn: Turn) -> str:
        if is_group(turn.peer):
            return f"{GROUP_OWNER}:{turn.alias}"
        return f"{self._owner_prefix}:{turn.peer}"


def _knows_no_run(refused: ToolError) -> bool:
    return refused.code == "not_found" or "unknown run" in refused.message.lower()


def _is_gone(refused: ToolError) -> bool:
    """Whether a refused decision can never be taken: no such request, answered, or another."""
    words = ("not found", "digest", "already", "no longer", "unknown")
    text = refused.message.lower()
    is_told = not refused.code and any(word in text for word in words)
    return is_told or refused.code in ("not_found", "invalid")


def _refusal(refused: ToolError) -> StartReply:
    """What a refused start means. Other controllers are read by their sentence."""
    text = refused.message.lower()
    if refused.code == "elsewhere" or "active writer" in text:
        return Elsewhere(refused.facts.get("holder", ""))
    if refused.code == "busy":
        return Busy(refused.facts.get("owner", ""), is_locked=bool(_LOCKED.search(text)))
    if refused.code == "head_conflict" or ("head" in text and "expected" in text):
        return HeadMoved()
    if refused.code == "reconcile_required":
        return Uncertain()
    if refused.code == "engine_down":
        return EngineDown()
    return Invalid(refused.code or "refused", refused.message)
