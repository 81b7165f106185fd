"""The bridge as one tree of tasks: what is started, in which order, and how it ends.

    lock, folders, database, rows that need no peer; a fault here is safe mode
    └─ sending
       ├─ signals             the first ends all of this in order, the second at once
       ├─ serve               the private socket: workers, cli, facade
       ├─ channel             outbox -> worker; its last attempt is waited for
       └─ working             ends first
          ├─ fetches          the owner's files, worker -> data/attachments
          ├─ threads          one task per busy thread
          ├─ dispatcher       inbox -> Decision
          ├─ door.keep_room   tells the worker when more may be fetched
          ├─ controller.keep  the child and its link
          ├─ tools            says which of the controller's are lacking
          ├─ keep_tidy        once a day: files and rows that nobody needs any more
          └─ reader           our own lister, while it is asked for

Start-up and recovery are the same code: every task takes up what its rows say.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import anyio
from anyio.abc import SocketListener, TaskStatus

from bridge.core.errors import StoreFault
from bridge.settings import Settings, codex_fault
from bridge.wire import log, place
from bridge.wire.peer import Peer, listen, serve

FOLDERS = ("state", "run", "local", "attachments", "staging", "logs", "groups")
GREETING_S = 1.0  # then the controller is started without a worker
SENDING_ENDS_S = 2.0  # delivery-semantics 11
LOOP = {"use_uvloop": True}  # a fifth less CPU for each message than asyncio's own loop
EXIT_OK = 0
EXIT_UNTRUSTED = 5

if TYPE_CHECKING:
    from bridge.links.controller import Controller
    from bridge.links.worker import WorkerLink

_log = log.get("bridge")


def run(settings: Settings, say: Callable[[str], None]) -> int:
    """Run until a signal; the exit code. Raises PlaceFault before anything is touched."""
    prepare(settings)
    lock = place.hold_lock(settings.run_dir / "bridge.lock")
    try:
        return anyio.run(_run, settings, say, backend_options=LOOP)
    finally:
        lock.release()


def prepare(settings: Settings) -> None:
    """Our folders, 0700, and the log; raises PlaceFault."""
    place.check_socket_path(settings.socket)
    place.data_folders(settings.data_dir, FOLDERS)
    place.socket_folder(settings.socket)
    log.setup("bridge", settings.log_file, settings.log_level)


async def _run(settings: Settings, say: Callable[[str], None]) -> int:
    listener = await listen(settings.socket)
    try:
        return await _Bridge(settings, say).run(listener)
    finally:
        with anyio.CancelScope(shield=True):
            await listener.aclose()
        settings.socket.unlink(missing_ok=True)


class _Bridge:
    """The parts of one running bridge."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        from bridge.store.db import Database

        self._settings = settings
        self._say = say
        self._db = Database(settings.database)

    async def run(self, listener: SocketListener) -> int:
        try:
            try:
                await self._serve(listener, self._db.open())
            finally:
                self._db.close()
        except StoreFault as fault:  # before the tree: in it, every task keeps its own
            return await self._safe_mode(listener, str(fault))
        return EXIT_OK

    async def _serve(self, listener: SocketListener, install: str) -> None:
        """All of the tree; raises StoreFault where the state cannot be taken up."""
        from bridge.desk import Desk
        from bridge.files.gate import Leaving
        from bridge.links.controller import Controller
        from bridge.links.link import Link
        from bridge.links.worker import WorkerLink
        from bridge.store import groups as group_rows
        from bridge.store import inbox, outbox
        from bridge.tasks.channel import Channel
        from bridge.tasks.dispatch import Dispatcher
        from bridge.tasks.door import Door
        from bridge.tasks.fetch import Fetches
        from bridge.tasks.groups import Groups
        from bridge.tasks.guests import Guests
        from bridge.tasks.state import Shared
        from bridge.tasks.tidy import clear, keep_tidy
        from bridge.tasks.tools import Tools
        from bridge.tasks.turns import Threads

        settings = self._settings
        shared = Shared(
            self._db,
            install,
            settings.lang,
            settings.policy,
            settings.limits,
            settings.is_remote,
            Leaving(
                settings.data_dir / "staging",
                settings.artifact_roots,
                tuple(settings.data_dir / name for name in FOLDERS),
                settings.max_artifact_bytes,
                secret=(settings.codex_home,),
            ),
        )
        self._db.run_now(inbox.count_boot)
        self._db.run_now(lambda: outbox.clamp(shared.now_ms()))
        if not settings.policy.group_qa:
            self._db.run_now(lambda: group_rows.silence_all(shared.now_ms()))
        staging = shared.leaving.staging
        self._db.run_now(lambda: clear(staging))
        worker = WorkerLink()
        errors = settings.data_dir / "logs" / "controller.stderr.log"
        env = settings.controller_env
        reader = Link(settings.reader, env, errors, {"cross_thread_list_sessions": ()})
        controller = Controller(
            settings.controller,
            env,
            errors,
            "ctb-private",
            reader,
            is_remote=settings.is_remote,
        )
        channel = Channel(shared, worker)
        threads = Threads(shared, controller, channel, worker, settings.recovers_own_locks)
        groups = Groups(shared, channel, threads, settings.data_dir / "groups")
        dispatcher = Dispatcher(shared, controller, channel, threads, groups)
        attachments = settings.data_dir / "attachments"
        fetches = Fetches(shared, worker, attachments)
        door = Door(shared, worker, fetches, settings.data_dir)
        desk = Desk(shared, door, worker, controller, threads, lambda: codex_fault(settings))
        guests = Guests(shared, channel, controller, settings.data_dir)
        for part in (door, channel, threads):
            await part.open()

        async def answer(peer: Peer, request: Any) -> Any:  # Any: requests and replies differ
            role = peer.hello.role if peer.hello else ""
            if role == "worker":
                return await door.answer(peer, request)
            if role == "cli":
                return await desk.answer(request)
            return await guests.answer(peer, request)

        async with anyio.create_task_group() as sending:
            ending = anyio.Event()
            await sending.start(_signals, ending)  # from `ready` on, a signal ends in order
            sending.start_soon(serve, listener, answer, worker.detach)
            sending.start_soon(channel.keep_sending)
            async with anyio.create_task_group() as working:
                working.start_soon(threads.keep_serving)
                working.start_soon(dispatcher.keep_deciding)
                working.start_soon(door.keep_room)
                working.start_soon(fetches.keep_fetching)
                working.start_soon(keep_tidy, shared, attachments, staging)
                working.start_soon(_keep_beside, controller, worker)
                working.start_soon(Tools(shared, controller, channel, self._say).keep)
                working.start_soon(reader.keep_on_demand)
                _log.info("bridge.ready")
                if fault := codex_fault(settings):
                    self._say(fault)
                self._say("ready")
                await ending.wait()
                shared.is_stopping = True
                last_s = anyio.current_time() + SENDING_ENDS_S
                sending.start_soon(door.stop_polling)
                working.cancel_scope.cancel()
            with anyio.move_on_after(max(0.0, last_s - anyio.current_time())):
                await channel.idle()
            sending.cancel_scope.cancel()
        _log.info("bridge.ended")

    async def _safe_mode(self, listener: SocketListener, why: str) -> int:
        """Stay up, answer, change nothing, and end with 5."""
        from bridge.desk import SafeDesk

        desk = SafeDesk(why)
        _log.error("bridge.safe_mode", why=why)

        async def answer(_peer: Peer, request: Any) -> Any:  # Any: requests and replies differ
            return await desk.answer(request)

        async with anyio.create_task_group() as tasks:
            ending = anyio.Event()
            await tasks.start(_signals, ending)
            self._say(f"safe mode: {why}. Nothing is fetched, run or sent; see  ctb-bridge status")
            tasks.start_soon(serve, listener, answer, lambda _peer: None)
            await ending.wait()
            tasks.cancel_scope.cancel()
        return EXIT_UNTRUSTED


async def _keep_beside(controller: Controller, worker: WorkerLink) -> None:
    """Hold the controller, but greet the worker first: importing mcp takes a second."""
    with anyio.move_on_after(GREETING_S):
        await worker.changed()
    await controller.keep()


async def _signals(ending: anyio.Event, *, task_status: TaskStatus[None]) -> None:
    """The first signal ends in order, the second at once. Started once they are caught."""
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as received:
        task_status.started()
        async for number in received:
            if ending.is_set():
                os._exit(128 + number)
            ending.set()
