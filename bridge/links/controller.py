"""The MCP client of a cross-thread-controller: its tools as typed calls.

Only the tools of the contract are known here, not what is behind them. The child is
started again with back-off whenever it dies or misses three deadlines; each process
is a new link number. A call raises LinkDown when it was not made, LinkLost when nobody
knows what became of it, and ToolError when the controller said no.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from anyio import to_thread
from pydantic import ValidationError

from bridge.core.approvals import Asked, answers
from bridge.core.model import (
    Approval,
    Key,
    LinkDown,
    LinkLost,
    LockToken,
    PeerFault,
    Refusal,
    RunId,
    Session,
    ThreadId,
    ThreadStatus,
    Turn,
)
from bridge.core.turns import (
    Elsewhere,
    EngineDown,
    HeadMoved,
    Invalid,
    Run,
    StartReply,
    Uncertain,
)
from bridge.links import replies
from bridge.links.child import controller_process
from bridge.wire import log

if TYPE_CHECKING:
    from mcp import ClientSession

CALL_DEADLINE_S = 30.0  # delivery-semantics 6
GREETING_DEADLINE_S = 15.0  # importing mcp alone takes up to 1.3 s (libraries 2)
FIRST_SLICE_S = 1.0  # delivery-semantics 6
LAST_SLICE_S = 30.0
SLICE_SLACK_S = 10.0
CONNECTION_CLOSED = -32000  # MCPError's code when the stream ended (libraries 4)
MISSED_LIMIT = 3  # delivery-semantics 6: then the controller is started again
BACKOFF_FIRST_S = 0.5
BACKOFF_LAST_S = 15.0
MAX_TOOL_PAGES = 20
LEASE_S = 1800  # controller-contract 1
MESSAGE_FIELDS = ("session_id", "message", "idempotency_key", "expected_session_head")
NEEDED = {  # tools we use, with the arguments we cannot do without
    "cross_thread_start": MESSAGE_FIELDS,
    "cross_thread_wait_any": ("run_ids",),
    "cross_thread_read_result": ("run_id",),
}

_log = log.get("controller")


class ToolError(Exception):
    """The controller answered with an error; `code` is one of the contract's words, or ""."""

    def __init__(self, tool: str, code: str, message: str) -> None:
        super().__init__(f"{tool}: {code or 'error'}")
        self.code = code
        self.message = message


class UnknownRun(Exception):
    """The controller does not know this run."""


@dataclass
class _Live:
    """One connected child."""

    session: ClientSession
    number: int
    tools: Mapping[str, frozenset[str]]
    lost: anyio.Event = field(default_factory=anyio.Event)
    missed: int = 0
    waits: set[int] = field(default_factory=set)
    answers_during_wait: bool = False
    scopes: set[anyio.CancelScope] = field(default_factory=set)

    def lose(self) -> None:
        """End every call in flight: a pending MCP call may never notice by itself."""
        self.lost.set()
        for scope in self.scopes:
            scope.cancel()


class Controller:
    """One controller for the life of the bridge, whatever process serves it."""

    def __init__(
        self, command: Sequence[str], env: Mapping[str, str], stderr: Path, owner_prefix: str
    ) -> None:
        self._command = tuple(command)
        self._env = dict(env)
        self._stderr = stderr
        self._owner_prefix = owner_prefix
        self._live: _Live | None = None
        self._numbers = count(1)
        self._calls = count(1)
        self._changed = anyio.Event()
        self.trouble: Refusal | None = Refusal.CONTROLLER_DOWN

    # ---- the link -------------------------------------------------------

    async def keep(self) -> None:
        """Hold a connection for ever: start the child, watch it, start it again."""
        await to_thread.run_sync(_import_mcp)  # 0.7 to 1.3 s: the socket is served meanwhile
        wait_s = BACKOFF_FIRST_S
        while True:
            try:
                began = anyio.current_time()
                await self._connect_once()
                if anyio.current_time() - began > BACKOFF_LAST_S:
                    wait_s = BACKOFF_FIRST_S
            except* FileNotFoundError:
                self._down(Refusal.CONTROLLER_MISSING)
            except* PermissionError:
                self._down(Refusal.CONTROLLER_MISSING)
            except* Exception as failed:
                _log.warning("link.failed", link="controller", why=_kinds(failed))
            self._down(self.trouble or Refusal.CONTROLLER_DOWN)
            await anyio.sleep(wait_s)
            wait_s = min(wait_s * 2, BACKOFF_LAST_S)

    @property
    def is_up(self) -> bool:
        return self._live is not None

    @property
    def link_no(self) -> int:
        return self._live.number if self._live else 0

    def offers(self, tool: str) -> bool:
        return self._live is not None and tool in self._live.tools

    async def ready(self, within_s: float) -> None:
        """Give a controller that is only just starting a moment to come up."""
        with anyio.move_on_after(within_s):
            while self._live is None and self.trouble is Refusal.CONTROLLER_DOWN:
                await self._changed.wait()

    async def changed(self) -> None:
        """Wait until the link comes or goes."""
        await self._changed.wait()

    async def _connect_once(self) -> None:
        from mcp import ClientSession
        from mcp.types import Implementation

        async with controller_process(self._command, self._env, self._stderr) as (
            incoming,
            outgoing,
            gone,
        ):
            info = Implementation(name="codex-thread-bridge", version="0.1.0")
            async with ClientSession(incoming, outgoing, client_info=info) as session:
                with anyio.fail_after(GREETING_DEADLINE_S):
                    await session.initialize()
                    tools = await self._tools(session)
                live = _Live(session, next(self._numbers), tools)
                self._up(live)
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(_lose_when, gone, live)
                    await live.lost.wait()
                    tasks.cancel_scope.cancel()
                self._down(Refusal.CONTROLLER_DOWN)

    async def _tools(self, session: ClientSession) -> Mapping[str, frozenset[str]]:
        from mcp.types import PaginatedRequestParams

        found: dict[str, frozenset[str]] = {}
        cursor: str | None = None
        for _ in range(MAX_TOOL_PAGES):
            page = await session.list_tools(params=PaginatedRequestParams(cursor=cursor))
            for tool in page.tools:
                known = tool.input_schema.get("properties")
                found[tool.name] = frozenset(known) if isinstance(known, dict) else frozenset()
            cursor = page.next_cursor
            if not cursor:
                break
        for name, fields in NEEDED.items():
            lacking = [f for f in fields if found.get(name) and f not in found[name]]
            if name not in found or lacking:
                _log.error("controller.lacks", tool=name, fields=lacking)
                found.pop(name, None)
        return found

    def _up(self, live: _Live) -> None:
        self._live = live
        lacks = [name for name in NEEDED if name not in live.tools]
        self.trouble = Refusal.CONTROLLER_LACKS if lacks else None
        _log.info("link.up", link="controller", link_no=live.number, tools=len(live.tools))
        self._tell()

    def _down(self, trouble: Refusal) -> None:
        if self._live is not None:
            _log.warning("link.lost", link="controller", link_no=self._live.number)
            self._live.lose()
        self._live, self.trouble = None, trouble
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    # ---- the tools ------------------------------------------------------

    async def status(self, thread: ThreadId, deadline_s: float = CALL_DEADLINE_S) -> ThreadStatus:
        """The thread as the controller sees it: no model, no lock, no change."""
        body = await self._call(
            "cross_thread_status", {"run_ids": [], "session_id": thread}, deadline_s
        )
        return replies.status(body)

    async def sessions(self, words: str, limit: int) -> tuple[Session, ...]:
        """Threads, newest first; raises LinkDown(CONTROLLER_LACKS) where it cannot."""
        arguments = {"limit": limit, "cursor": None, "query": words or None, "cwd": None}
        return replies.sessions(await self._call("cross_thread_list_sessions", arguments))

    async def start(self, turn: Turn) -> StartReply:
        """Start the turn under its key, or learn why not. Safe to repeat with the same key."""
        arguments: dict[str, Any] = {  # Any: JSON
            "session_id": turn.thread,
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
            "attachments": [],
            "authorization_grant": None,
            "acceptance_criteria": [],
            "parent_run_id": None,
            "lease_seconds": LEASE_S,
        }
        try:
            body = await self._call("cross_thread_start", arguments)
        except ToolError as refused:
            return _refusal(refused)
        return replies.start(body, turn.thread)

    async def find(self, key: Key, turn: Turn) -> Run | None:
        """The run of this key; for a controller without keys, our one open run there."""
        arguments = {"owner": None, "status": None, "session_id": turn.thread, "limit": 50}
        body = await self._call("cross_thread_list_runs", arguments)
        return replies.find(body, key, self.owner(turn))

    async def wait(self, run: RunId, after: int | None) -> Run:
        """The run once it is over, or newly blocked; `after` None on a new link.

        Asked in slices, because an abandoned call cancels its handler. Slices grow only
        beside a controller that has answered another call during a wait. Raises LinkLost,
        LinkDown, or UnknownRun.
        """
        slice_s = FIRST_SLICE_S
        while True:
            body = await self._wait_once(run, after, slice_s)
            found, seq = replies.waited(body, run)
            was_ready = body.get("status") != "timeout"
            after = seq if seq is not None else after
            is_news = found is not None and found.status != "in_progress"
            if found is not None and is_news and (found.status != "blocked" or was_ready):
                return found
            live = self._need("cross_thread_wait_any")
            grows = live.answers_during_wait
            slice_s = min(slice_s * 2, LAST_SLICE_S) if grows else FIRST_SLICE_S

    async def _wait_once(self, run: RunId, after: int | None, slice_s: float) -> dict[str, Any]:
        live = self._need("cross_thread_wait_any")
        number = next(self._calls)
        live.waits.add(number)
        arguments = {
            "run_ids": [run],
            "after_seq": after,
            "timeout_ms": int(slice_s * 1000),
            "include_progress": False,
        }
        try:
            return await self._call("cross_thread_wait_any", arguments, slice_s + SLICE_SLACK_S)
        except ToolError as refused:
            if refused.code == "not_found" or "unknown run" in refused.message.lower():
                raise UnknownRun(run) from refused
            raise PeerFault(f"cross_thread_wait_any {refused.code}") from refused
        finally:
            live.waits.discard(number)

    async def result(self, run: Run) -> Run:
        """The run with its answer; asks only where the answer did not come with it."""
        if run.result or run.status == "blocked":
            return run
        try:
            body = await self._call("cross_thread_read_result", {"run_id": run.id})
        except ToolError as refused:
            raise PeerFault(f"cross_thread_read_result {refused.code}") from refused
        return replies.result(body, run)

    async def approvals(self, run: RunId) -> tuple[Asked, ...]:
        """What this run waits for; raises LinkDown(CONTROLLER_LACKS) where it cannot say."""
        return replies.approvals(await self._call("cross_thread_approvals", {"run_ids": [run]}))

    async def answer(self, approval: Approval) -> bool:
        """Give the stored decision; False when the request is gone or is another by now."""
        arguments: dict[str, Any] = {  # Any: JSON
            "approval_id": approval.id,
            "digest": approval.digest,
            "decision": approval.decision,
        }
        if approval.kind == "question":
            arguments["answers"] = answers(approval, approval.said)
        try:
            await self._call("cross_thread_answer", arguments)
        except ToolError:
            return False
        return True

    async def acknowledge(self, run: RunId) -> None:
        """Our durable copy of the answer exists. Repeatable; raises ToolError."""
        await self._call("cross_thread_delivery_ack", {"run_id": run})

    async def close_run(self, run: RunId) -> None:
        await self._call("cross_thread_close", {"run_id": run})

    async def release(self, thread: ThreadId, lock: LockToken) -> None:
        await self._call("cross_thread_release", {"session_id": thread, "lock_token": lock})

    async def recover_lock(self, turn: Turn) -> LockToken | None:
        """Our own lock, whose token a crash has lost (controller-contract 1)."""
        body = await self._call(
            "cross_thread_force_recover",
            {
                "session_id": turn.thread,
                "owner": self.owner(turn),
                "transport": "app_server",
                "lease_seconds": LEASE_S,
                "human_authorized": True,
            },
        )
        return replies.lock(body)

    async def cancel(self, run: RunId, reason: str) -> None:
        await self._call("cross_thread_cancel", {"run_id": run, "reason": reason})

    def owner(self, turn: Turn) -> str:
        return f"{self._owner_prefix}:{turn.peer}"

    # ---- one call -------------------------------------------------------

    def _need(self, tool: str) -> _Live:
        live = self._live
        if live is None:
            raise LinkDown(self.trouble or Refusal.CONTROLLER_DOWN)
        if tool not in live.tools:
            raise LinkDown(Refusal.CONTROLLER_LACKS)
        return live

    async def _call(
        self, tool: str, arguments: dict[str, Any], deadline_s: float = CALL_DEADLINE_S
    ) -> dict[str, Any]:  # Any: JSON
        from mcp import MCPError

        live = self._need(tool)
        waits = set(live.waits)
        result = None
        try:
            with anyio.move_on_after(deadline_s) as scope:
                live.scopes.add(scope)
                result = await live.session.call_tool(tool, arguments)
        except MCPError as failed:
            if failed.code != CONNECTION_CLOSED:
                raise ToolError(tool, "", str(failed)) from failed
            live.lose()
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            live.lose()
        except (ValidationError, RuntimeError) as wrong:
            raise PeerFault(f"{tool}: not a tool result") from wrong
        finally:
            live.scopes.discard(scope)
        if result is None:
            self._missed(live, tool)
            raise LinkLost("controller", live.number)
        live.missed = 0
        if tool != "cross_thread_wait_any" and waits & live.waits:
            live.answers_during_wait = True
        return _body(tool, result)

    def _missed(self, live: _Live, tool: str) -> None:
        if live.lost.is_set():
            return
        live.missed += 1
        _log.warning("controller.deadline", tool=tool, missed=live.missed)
        if live.missed >= MISSED_LIMIT:
            live.lose()


def _body(tool: str, result: Any) -> dict[str, Any]:  # Any: an MCP result and its JSON
    body = result.structured_content
    if not isinstance(body, dict):
        texts = [item.text for item in result.content if getattr(item, "type", "") == "text"]
        try:
            body = json.loads(texts[0]) if texts else {}
        except ValueError:
            body = {"error": {"code": "", "message": texts[0][:500]}} if result.is_error else None
    if not isinstance(body, dict):
        raise PeerFault(f"{tool}: the result is no JSON object")
    error = body.get("error")
    if result.is_error or isinstance(error, dict):
        told = error if isinstance(error, dict) else {}
        raise ToolError(tool, str(told.get("code", "")), str(told.get("message", ""))[:500])
    return body


def _refusal(refused: ToolError) -> StartReply:
    """What a refused start means. Other controllers are read by their sentence."""
    text = refused.message.lower()
    if refused.code in ("elsewhere", "busy") or "active writer" in text:
        return Elsewhere("")
    if refused.code == "head_conflict" or ("head" in text and "expected" in text):
        return HeadMoved()
    if refused.code == "reconcile_required":
        return Uncertain()
    if refused.code == "engine_down":
        return EngineDown()
    return Invalid(refused.code or "refused", refused.message)


def _import_mcp() -> None:
    import mcp  # noqa: F401


async def _lose_when(gone: anyio.Event, live: _Live) -> None:
    await gone.wait()
    live.lose()


def _kinds(group: BaseExceptionGroup[BaseException]) -> str:
    """The kinds of what went wrong, flat; their texts may hold anything."""
    return ", ".join(
        _kinds(error) if isinstance(error, BaseExceptionGroup) else type(error).__name__
        for error in group.exceptions
    )
