"""The Codex servers of one home: the shared daemon, and our own.

The daemon is Codex's; we join it where it runs and never end it. Our own server is
started when it is first needed, outlives us, is found again by its record, and is
ended when idle. Each connection has one task, a child of `serve`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import anyio
from anyio.abc import TaskGroup, TaskStatus

from bridge.codex import appserver, process, writers
from bridge.codex.appserver import AppServer, Denied
from bridge.codex.model import Code, EngineGone, Obj, Refused
from bridge.wire import log as wire_log
from bridge.wire import place

START_S = 15.0  # 0.09 to 0.23 s measured; a cold disk and the npm launcher add to it
LOOK_S = 0.01  # between two looks for the socket of a server that is starting
GAUGE_TURNS = "core.turns.active"  # of `server/diagnostics`, 0.169.0

log = wire_log.get("host")

OnEvent = Callable[[AppServer, str, Obj], None]
OnRequest = Callable[[AppServer, int | str, str, Obj], None]
OnLost = Callable[[AppServer], None]
IsUsed = Callable[[AppServer], bool]


class Host:
    """Connections by place; `on_lost` is called once for each that ended."""

    def __init__(
        self,
        home: Path,
        folder: Path,
        command: tuple[str, ...],
        on_event: OnEvent,
        on_request: OnRequest,
        on_lost: OnLost,
        is_used: IsUsed,
    ) -> None:
        self._home = home
        self._folder = folder
        self._command = command
        self._on_event = on_event
        self._on_request = on_request
        self._on_lost = on_lost
        self._is_used = is_used
        self._daemon_socket = writers.daemon_socket(home)
        self._own_socket = writers.own_socket(folder)
        self._links: dict[Path, AppServer] = {}
        self._connecting = anyio.Lock()
        self._tasks: TaskGroup | None = None

    async def serve(self) -> None:
        """Hold the connections until cancelled."""
        async with anyio.create_task_group() as self._tasks:
            await anyio.sleep_forever()

    async def links(self) -> list[AppServer]:
        """Servers that run now, the daemon first; none is started."""
        found = []
        async with self._connecting:
            if self._daemon_socket.exists():
                found.append(await self._link(self._daemon_socket))
            found.append(await self._running_own())
        return [link for link in found if link is not None]

    async def own(self) -> AppServer:
        """Our server, started when there is none.

        Raises Refused(ENGINE_DOWN) when Codex cannot be started.
        """
        async with self._connecting:
            link = await self._running_own()
            record = process.recorded(self._folder)
            if link is None and record is not None:
                link = await self._when_up(record)
                if link is None:
                    log.warning("server.silent", pid=record.pid)
                    await process.end(record, self._folder)
            return link or await self._start()

    async def is_idle(self) -> bool:
        """Whether our own server, if any, has no turn running."""
        link = await self._link(self._own_socket)
        return link is None or await is_idle(link)

    async def stop(self) -> None:
        """End our own server; the caller has seen that nothing of it is needed."""
        await process.end_all(self._folder, self._own_socket)

    def known(self) -> list[tuple[str, AppServer]]:
        """The connections that are up, by the name a person knows them under."""
        names = {self._daemon_socket: "shared daemon", self._own_socket: "own server"}
        return [(names[where], link) for where, link in self._links.items()]

    async def _running_own(self) -> AppServer | None:
        """Our server if it runs; one that is idle and whose program changed is ended.

        It may outlive its record, and the npm launcher that the record names.
        """
        record = process.recorded(self._folder)
        link = await self._link(self._own_socket)
        if link is None or record is None:
            return link
        has_changed = record.binary != process.fingerprint(self._command)
        if has_changed and not self._is_used(link) and await is_idle(link):
            log.info("server.replaced", pid=record.pid)
            await process.end(record, self._folder)
            return None
        return link

    async def _start(self) -> AppServer:
        try:
            lock = place.hold_lock(self._folder / "codex-server.lock")
        except place.AlreadyRunning:
            raise Refused(
                Code.ENGINE_DOWN, "another controller is starting Codex: try again"
            ) from None
        try:
            process.end_strays(self._own_socket)
            self._own_socket.unlink(missing_ok=True)
            record = process.start(self._command, self._home, self._folder, self._own_socket)
            log.info("server.started", pid=record.pid)
            link = await self._when_up(record)
            if link is not None:
                return link
            await process.end(record, self._folder)
        finally:
            lock.release()
        raise Refused(
            Code.ENGINE_DOWN,
            "Codex ended right after its start: run `codex` once in a terminal"
            " and see what it says",
        )

    async def _when_up(self, record: process.Record) -> AppServer | None:
        """The connection to our server once it answers; None when it ends or stays silent."""
        with anyio.move_on_after(START_S):
            while process.is_alive(record):
                if self._own_socket.exists():
                    link = await self._link(self._own_socket)
                    if link is not None:
                        return link
                await anyio.sleep(LOOK_S)
        return None

    async def _link(self, where: Path) -> AppServer | None:
        """The connection to this place, made when there is none; None if nobody is."""
        kept = self._links.get(where)
        if kept is not None and not kept.is_gone:
            return kept
        if self._tasks is None:
            raise Refused(Code.ENGINE_DOWN, "the controller is stopping")
        try:
            link: AppServer = await self._tasks.start(self._hold, where)
        except EngineGone:
            return None
        return link

    async def _hold(self, where: Path, *, task_status: TaskStatus[AppServer]) -> None:
        """Own one connection from its start to its end."""
        async with appserver.connect(where) as link:
            self._links[where] = link
            task_status.started(link)
            log.info("server.joined", pid=link.pid, version=link.version)
            try:
                await link.read(
                    lambda method, params: self._on_event(link, method, params),
                    lambda number, method, params: self._on_request(link, number, method, params),
                )
            except Exception:  # outermost ring: one server's fault ends one connection
                log.exception("server.failed", pid=link.pid)
            finally:
                link.is_gone = True
                self._links.pop(where, None)
                self._on_lost(link)


async def is_idle(link: AppServer) -> bool:
    """Whether this server runs no turn; an answer we cannot read counts as busy."""
    try:
        found = await link.call("server/diagnostics", {}, deadline_s=2)
    except (EngineGone, Denied):
        return False
    gauges = {gauge.get("name"): gauge.get("value") for gauge in found.get("gauges", ())}
    return bool(gauges.get(GAUGE_TURNS) == 0)
