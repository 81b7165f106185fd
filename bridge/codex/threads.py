"""The threads we are subscribed to, and on which server each of them is.

One thread has one writer. Joining tries the servers that run, the shared daemon
first, then our own; "already has an active writer" on all of them is `elsewhere`.
Letting go unloads the thread at once, so that another program can open it.
"""

from __future__ import annotations

from pathlib import Path

import anyio

from bridge.codex import approvals, fence, settings, writers
from bridge.codex.appserver import AppServer, Denied
from bridge.codex.fence import Fence
from bridge.codex.host import Host
from bridge.codex.joined import Joined
from bridge.codex.model import Code, EngineGone, Obj, Refused, Settings, ThreadId
from bridge.wire import log as wire_log

HELD_S = 60  # unload delay: with 0 a client that dies within 2 ms aborts its own turn
CLOSED_S = 2.0  # `thread/closed` came after 7 ms, and never while others subscribe

log = wire_log.get("threads")


class Threads:
    """Subscriptions by thread, fed by the events of every server."""

    def __init__(self, home: Path, folder: Path, command: tuple[str, ...]) -> None:
        self._home = home
        self._joined: dict[ThreadId, Joined] = {}
        self.host = Host(
            home, folder, command, self._event, self._request, self._lost, self._is_used
        )
        self._refusals: list[tuple[AppServer, int | str]] = []
        self._refusing = anyio.Event()

    async def serve(self) -> None:
        """Hold the connections until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.host.serve)
            tasks.start_soon(self._refuse_unknown)

    def get(self, thread: ThreadId) -> Joined | None:
        """The subscription, if its connection still stands."""
        kept = self._joined.get(thread)
        return None if kept is None or kept.link.is_gone else kept

    async def join(self, thread: ThreadId, behind: Fence | None = None) -> Joined:
        """Subscribe on whichever server can; raises Refused(ELSEWHERE) when none."""
        kept = self.get(thread)
        if kept is not None:
            return kept
        links = await self.host.links()
        for link in links:
            try:
                joined = await self.resume(link, thread, behind=behind)
            except EngineGone:
                continue  # it does not answer: the other server may
            if joined is not None:
                return joined
        own = await self.host.own()
        if own not in links:
            joined = await self.resume(own, thread, behind=behind)
            if joined is not None:
                return joined
        pid = writers.Writers().of(self._home, thread)
        holder = writers.name_of(pid) if pid else ""
        said = f"this thread is open in {holder or 'another program'}"
        raise Refused(Code.ELSEWHERE, said, holder=holder)

    async def resume(
        self,
        link: AppServer,
        thread: ThreadId,
        with_items: bool = False,
        behind: Fence | None = None,
    ) -> Joined | None:
        """Subscribe on this server; None when another process has the thread.

        Only a reply with items brings the files of a pending file change again. A fence
        around a thread that is loaded already changes nothing.
        """
        config = await self._config(link, behind)
        is_fenced = behind is not None and not await self._is_loaded(link, thread)
        # Registered first: requests that wait are asked again right after the reply.
        joined = self._joined[thread] = Joined(thread, link, config=config, is_fenced=is_fenced)
        body: Obj = {"threadId": thread, "excludeTurns": True, "config": config}
        if with_items:
            body["initialTurnsPage"] = {"limit": 1, "itemsView": "full"}
        try:
            joined.resumed(await link.call("thread/resume", body))
        except Denied as refused:
            del self._joined[thread]
            if "already has an active writer" in str(refused):
                return None
            raise translated(refused) from refused
        except BaseException:
            self._joined.pop(thread, None)
            raise
        return joined

    async def start(self, wanted: Settings, behind: Fence | None = None) -> Joined:
        """A new thread; it is lost when its server ends before its first turn."""
        links = await self.host.links()
        link = links[0] if links else await self.host.own()
        body = settings.for_new_thread(wanted)
        body["config"] = await self._config(link, behind)
        if behind is not None:
            body |= fence.NOWHERE
        try:
            reply = await link.call("thread/start", body)
        except Denied as refused:
            raise translated(refused) from refused
        thread = ThreadId(reply["thread"]["id"])
        joined = Joined(thread, link, config=body["config"], is_fenced=behind is not None)
        joined.resumed(reply)
        self._joined[joined.thread] = joined
        return joined

    async def let_go_of(self, branch: Joined) -> None:
        """Let go of a thread that a fork left loaded."""
        self._joined[branch.thread] = branch
        await self.let_go(branch)

    async def let_go(self, joined: Joined) -> None:
        """Unsubscribe so that the server unloads the thread now, not in a minute."""
        thread = joined.thread
        await self.quietly(joined, "thread/unsubscribe")
        # Nobody is subscribed, so this is taken for a thread that is loaded anew (observed).
        config = joined.config | {"thread_unload_delay_secs": 0}
        await self.quietly(joined, "thread/resume", excludeTurns=True, config=config)
        await self.quietly(joined, "thread/unsubscribe")
        with anyio.move_on_after(CLOSED_S):
            while not joined.closed.is_set() and not joined.link.is_gone:
                await joined.changed.wait()
        if self._joined.get(thread) is joined:
            del self._joined[thread]

    async def left_behind(self, thread: ThreadId, settings_before: str | None) -> Joined | None:
        """Join a thread that an earlier controller held; None when nobody holds it."""
        servers = {link.pid for link in await self.host.links()}
        holder = writers.Writers().of(self._home, thread)
        if settings_before is None and holder is not None and holder not in servers:
            return None
        if settings_before is None and not servers:
            return None
        try:
            return await self.join(thread)
        except Refused as refused:
            if refused.code is Code.ENGINE_DOWN:
                raise
            return None  # gone, archived or in other hands: there is nothing to free

    async def quietly(self, joined: Joined, method: str, **params: object) -> None:
        """A call whose failure changes nothing that we could act upon."""
        try:
            await joined.link.call(method, {"threadId": joined.thread, **params})
        except (Denied, EngineGone) as failed:
            log.info("call.failed", method=method, cause=str(failed)[:120])

    async def _config(self, link: AppServer, behind: Fence | None) -> Obj:
        """The settings that a thread is loaded with; without the fence it is not loaded."""
        held: Obj = {"thread_unload_delay_secs": HELD_S}
        if behind is None:
            return held
        try:
            return held | fence.config(await link.call("config/read", {"cwd": behind.cwd}))
        except Denied as refused:
            raise translated(refused) from refused

    async def _is_loaded(self, link: AppServer, thread: ThreadId) -> bool:
        try:
            loaded = await link.call("thread/loaded/list", {})
        except Denied as refused:
            raise translated(refused) from refused
        return thread in (loaded.get("data") or ())

    # what the servers say

    def _event(self, link: AppServer, method: str, params: Obj) -> None:
        joined = self._joined.get(ThreadId(str(params.get("threadId"))))
        if joined is None or joined.link is not link:
            return
        try:
            joined.take(method, params)
        except Exception:  # one event that is not as observed must not end the connection
            log.exception("event.odd", method=method)

    def _request(self, link: AppServer, number: int | str, method: str, params: Obj) -> None:
        joined = self._joined.get(ThreadId(str(params.get("threadId"))))
        if approvals.is_known(method):
            if joined is not None and joined.link is link:
                joined.ask(number, method, params)
            return  # not ours: it waits for those who are subscribed
        self._refusals.append((link, number))
        self._refusing.set()

    def _is_used(self, link: AppServer) -> bool:
        """Whether we hold, or are about to hold, a thread there."""
        return any(joined.link is link for joined in self._joined.values())

    def _lost(self, link: AppServer) -> None:
        for joined in self._joined.values():
            if joined.link is link:
                joined.moved()

    async def _refuse_unknown(self) -> None:
        """Say no to requests that no person could answer through us."""
        while True:
            await self._refusing.wait()
            self._refusing = anyio.Event()
            while self._refusals:
                link, number = self._refusals.pop()
                try:
                    await link.refuse(number)
                except EngineGone:
                    log.info("request.lost")


def translated(refused: Denied) -> Refused:
    """Codex's sentence as our code; classified by text, its number says nothing."""
    text = str(refused)
    if "already has an active writer" in text:
        return Refused(Code.ELSEWHERE, "this thread is open in another program")
    if "is archived" in text:
        return Refused(Code.ARCHIVED, "this thread is archived")
    if "no rollout found" in text or "invalid session id" in text:
        return Refused(Code.NOT_FOUND, "there is no thread with this id")
    if "thread not found" in text:
        return Refused(Code.ENGINE_DOWN, "Codex dropped the thread: try again")
    log.warning("call.refused", cause=text[:200])
    return Refused(Code.INVALID, "Codex refused this: see the controller's log")
