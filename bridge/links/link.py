"""The MCP link to one controller process: kept up, watched, called with deadlines.

The child is started again with back-off whenever it dies or misses three deadlines;
each process is a new link number. A call raises LinkDown when it was not made, LinkLost
when nobody knows what became of it, and ToolError when the controller said no.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from anyio import to_thread
from anyio.streams.memory import MemoryObjectReceiveStream

from bridge.core.errors import LinkDown, LinkLost, PeerFault, Refusal
from bridge.links.calls import PIPE_BROKEN, Calls, Reply
from bridge.links.child import controller_process
from bridge.wire import log
from bridge.wire.version import VERSION

if TYPE_CHECKING:
    from bridge.links.sdk import ClientSession

CALL_DEADLINE_S = 30.0  # delivery-semantics 6
GREETING_DEADLINE_S = 15.0  # importing mcp alone takes up to 1.3 s (libraries 2)
FIRST_UP_S = 20.0  # the greeting and what comes before it, on a machine that has just started
COUNTED_DEADLINE_S = 10.0  # a shorter one is impatience of ours, not a hung controller
MISSED_LIMIT = 3  # delivery-semantics 6: then the controller is started again
BACKOFF_FIRST_S = 0.5
BACKOFF_LAST_S = 15.0
IDLE_S = 120.0  # after its last use, an on-demand link is ended
MAX_TOOL_PAGES = 20
SAID_CHARS = 500  # of a refusal's sentence, for the log and to tell its kind

_log = log.get("controller")


class ToolError(Exception):
    """The controller answered with an error; `code` is one of the contract's words, or "".

    `facts`: what else the error says, by name; who holds a thread, for example.
    """

    def __init__(
        self, tool: str, code: str, message: str, facts: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{tool}: {code or 'error'}")
        self.code = code
        self.message = message
        self.facts = facts or {}


@dataclass
class _Live:
    """One connected child."""

    calls: Calls
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


class Link:
    """One controller command for the life of the bridge, whatever process serves it."""

    def __init__(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        stderr: Path,
        needed: Mapping[str, tuple[str, ...]],
        others: Mapping[str, tuple[str, ...]] | None = None,
        sent: Mapping[str, frozenset[str]] | None = None,
    ) -> None:
        self._command = tuple(command)
        self._env = dict(env)
        self._stderr = stderr
        self.counted_deadline_s = COUNTED_DEADLINE_S
        self._needed = needed
        self._others = others or {}  # used where they are offered whole
        self._sent = sent or {}  # all that we give each tool: one that requires more is no use
        self.unfit: frozenset[str] = frozenset()  # tools that are there, and no use to us
        self._live: _Live | None = None
        self._numbers = count(1)
        self.calls = count(1)
        self._changed = anyio.Event()
        self._asked = anyio.Event()
        self._asked_at = 0.0
        self._is_first = True  # until the first attempt to connect has ended, well or not
        self.trouble: Refusal | None = Refusal.CONTROLLER_DOWN
        self.look_no = 0  # how often its tools were looked at, over all links

    # the link

    async def keep(self) -> None:
        """Hold a connection for ever: start the child, watch it, start it again."""
        await to_thread.run_sync(_import_sdk)  # up to 1 s: the socket is served meanwhile
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

    async def keep_on_demand(self) -> None:
        """Hold a connection only while it is asked for, and a while after."""
        while True:
            await self._asked.wait()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self.keep)
                while (left_s := self._asked_at + IDLE_S - anyio.current_time()) > 0:  # noqa: ASYNC110  # a date
                    await anyio.sleep(left_s)
                tasks.cancel_scope.cancel()
            self._down(Refusal.CONTROLLER_DOWN)
            self._asked = anyio.Event()

    def ask(self) -> None:
        """Somebody wants this link now."""
        self._asked_at = anyio.current_time()
        self._is_first = self._is_first or not self._asked.is_set()
        self._asked.set()

    @property
    def is_up(self) -> bool:
        return self._live is not None

    @property
    def link_no(self) -> int:
        return self._live.number if self._live else 0

    def offers(self, tool: str) -> bool:
        return self._live is not None and tool in self._live.tools

    def takes(self, tool: str, field: str) -> bool:
        """Whether a tool is offered with this argument."""
        return self._live is not None and field in self._live.tools.get(tool, ())

    async def ready(self, within_s: float, first_s: float = 0.0) -> None:
        """Give a controller that is down a moment to come up; `first_s` where it never was."""
        with anyio.move_on_after(within_s):
            while self._live is None and self.trouble is Refusal.CONTROLLER_DOWN:
                await self._changed.wait()
        with anyio.move_on_after(first_s - within_s):
            while self._is_first:
                await self._changed.wait()

    async def changed(self) -> None:
        """Wait until the link comes or goes."""
        await self._changed.wait()

    async def _connect_once(self) -> None:
        from bridge.links.sdk import ClientSession, Implementation, ToolListChangedNotification

        async def heard(message: object) -> None:
            if isinstance(message, ToolListChangedNotification):
                with suppress(anyio.WouldBlock):
                    moved.send_nowait(None)

        async with controller_process(self._command, self._env, self._stderr) as child:
            moved, moves = anyio.create_memory_object_stream[None](1)
            info = Implementation(name="codex-thread-bridge", version=VERSION)
            streams = (child.incoming, child.outgoing)
            async with (
                moved,
                moves,
                ClientSession(*streams, client_info=info, message_handler=heard) as session,
            ):
                with anyio.fail_after(GREETING_DEADLINE_S):
                    await session.initialize()
                    tools = await self._tools(session)
                live = _Live(child.calls, next(self._numbers), tools)
                self._up(live)
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._lose_when, child.gone, live)
                    tasks.start_soon(self._keep_tools, session, live, moves)
                    await live.lost.wait()
                    tasks.cancel_scope.cancel()
                self._down(Refusal.CONTROLLER_DOWN)

    async def _keep_tools(
        self, session: ClientSession, live: _Live, moves: MemoryObjectReceiveStream[None]
    ) -> None:
        """Look again whenever the controller says that its tools have changed (R32)."""
        async for _ in moves:
            try:
                with anyio.fail_after(GREETING_DEADLINE_S):
                    live.tools = await self._tools(session)
            except Exception as failed:  # a list that cannot be read: the old one stays
                _log.warning("controller.no_list", why=type(failed).__name__)
                continue
            self._weigh(live)
            self._tell()

    async def _tools(self, session: ClientSession) -> Mapping[str, frozenset[str]]:
        from bridge.links.sdk import PaginatedRequestParams

        found: dict[str, frozenset[str]] = {}
        required: dict[str, list[str]] = {}
        cursor: str | None = None
        for _ in range(MAX_TOOL_PAGES):
            page = await session.list_tools(params=PaginatedRequestParams(cursor=cursor))
            for tool in page.tools:
                known = tool.input_schema.get("properties")
                found[tool.name] = frozenset(known) if isinstance(known, dict) else frozenset()
                wanted = tool.input_schema.get("required")
                words = wanted if isinstance(wanted, list) else []
                required[tool.name] = [word for word in words if isinstance(word, str)]
            cursor = page.next_cursor
            if not cursor:
                break
        unfit = set()
        for name, fields in {**self._others, **self._needed}.items():
            lacking = [f for f in fields if found.get(name) and f not in found[name]]
            sent = self._sent.get(name)
            unknown = [f for f in required.get(name, ()) if sent is not None and f not in sent]
            if name not in found or lacking or unknown:
                say = _log.error if name in self._needed else _log.info
                say("controller.lacks", tool=name, fields=lacking, requires=unknown)
                if found.pop(name, None) is not None:
                    unfit.add(name)
        self.unfit = frozenset(unfit)
        return found

    def _up(self, live: _Live) -> None:
        self._live, self._is_first = live, False
        self._weigh(live)
        _log.info("link.up", link="controller", link_no=live.number, tools=len(live.tools))
        self._tell()

    def _weigh(self, live: _Live) -> None:
        lacks = [name for name in self._needed if name not in live.tools]
        self.trouble = Refusal.CONTROLLER_LACKS if lacks else None
        self.look_no += 1

    def _down(self, trouble: Refusal) -> None:
        if self._live is not None:
            _log.warning("link.lost", link="controller", link_no=self._live.number)
            self._live.lose()
        self._live, self.trouble, self._is_first = None, trouble, False
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    # one call

    def need(self, tool: str) -> _Live:
        live = self._live
        if live is None:
            raise LinkDown(self.trouble or Refusal.CONTROLLER_DOWN)
        if tool not in live.tools:
            raise LinkDown(Refusal.CONTROLLER_LACKS)
        return live

    async def call(
        self, tool: str, arguments: dict[str, Any], deadline_s: float = CALL_DEADLINE_S
    ) -> dict[str, Any]:  # Any: JSON
        live = self.need(tool)
        waits = set(live.waits)
        result = None
        with anyio.move_on_after(deadline_s) as scope:
            live.scopes.add(scope)
            try:
                result = await live.calls.call(tool, arguments)
            except PIPE_BROKEN:
                self._lose(live)
            finally:
                live.scopes.discard(scope)
        if result is None:
            if deadline_s >= self.counted_deadline_s:
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
            self._lose(live)

    def _lose(self, live: _Live) -> None:
        """Down from this instant: a caller who tries again must not meet the dead link."""
        if self._live is live:
            self._down(Refusal.CONTROLLER_DOWN)

    async def _lose_when(self, gone: anyio.Event, live: _Live) -> None:
        await gone.wait()
        self._lose(live)


def _body(tool: str, reply: Reply) -> dict[str, Any]:  # Any: JSON
    """The JSON object in a reply to `tools/call`; ToolError where it says no."""
    failure = reply.get("error")
    if isinstance(failure, dict):
        raise ToolError(tool, "", str(failure.get("message", ""))[:SAID_CHARS])
    result = reply.get("result")
    if not isinstance(result, dict):
        raise PeerFault(f"{tool}: not a tool result")
    is_error = result.get("isError") is True
    text = _first_text(result.get("content"))
    try:  # SDKs set words of their own before the text of an error
        body = json.loads(text[max(0, text.find("{")) :] if is_error else text or "{}")
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict) or not text:
        # Second, because SDKs wrap a tool's text into one as {"result": "..."} (mcp 1.10 on).
        body = result.get("structuredContent", body)
    if is_error or (isinstance(body, dict) and isinstance(body.get("error"), dict)):
        error = body.get("error") if isinstance(body, dict) else None
        told = error if isinstance(error, dict) else {"message": text}
        said = str(told.get("message", ""))[:SAID_CHARS]
        facts = {k: v[:SAID_CHARS] for k, v in told.items() if isinstance(v, str)}
        raise ToolError(tool, str(told.get("code", "")), said, facts)
    if not isinstance(body, dict):
        raise PeerFault(f"{tool}: the result is no JSON object")
    return body


def _first_text(content: object) -> str:
    for item in content if isinstance(content, list) else ():
        if isinstance(item, dict) and item.get("type") == "text":
            return str(item.get("text", ""))
    return ""


def _import_sdk() -> None:
    import bridge.links.sdk  # noqa: F401


def _kinds(group: BaseExceptionGroup[BaseException]) -> str:
    """The kinds of what went wrong, flat; their texts may hold anything."""
    return ", ".join(
        _kinds(error) if isinstance(error, BaseExceptionGroup) else type(error).__name__
        for error in group.exceptions
    )
