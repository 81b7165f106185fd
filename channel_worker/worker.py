"""`ctb-channel run`: the tree of tasks between iLink and the bridge.

    link      the connection to the bridge, made again for ever
    poller    fetch and hand over, one batch at a time
    watch     each second: the credential file, and whether the machine slept
    sends     one short task per attempt, upload or fetch the bridge asks for

The worker decides nothing and stores nothing but a spool across a stop. It starts
without a bridge and without credentials, and goes on by itself when they come.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from pathlib import Path

import anyio
from anyio.abc import TaskGroup, TaskStatus

from bridge.wire import log
from bridge.wire.codec import METHOD_NOT_FOUND
from bridge.wire.messages import (
    Done,
    FetchReply,
    MediaFetch,
    MediaUpload,
    OutboundQuery,
    OutboundSend,
    PollSet,
    TypingSet,
    UploadReply,
)
from bridge.wire.peer import ProtocolMismatch, Refused
from bridge.wire.place import (
    AlreadyRunning,
    HeldLock,
    PlaceFault,
    TooOpen,
    data_folders,
    hold_lock,
    private_folder,
)
from channel_worker import credentials
from channel_worker.batch import PREFIX, Spool
from channel_worker.credentials import Credentials, FileMark
from channel_worker.files import Files
from channel_worker.ilink.calls import Ilink
from channel_worker.ilink.hosts import API_BASE, ForeignHost
from channel_worker.ilink.http import Http
from channel_worker.ilink.inbound import Account
from channel_worker.ilink.media import Cdn
from channel_worker.link import Link
from channel_worker.poller import FOREIGN, OPEN, UNUSABLE, FencedOff, Login, Poller
from channel_worker.sends import Sends
from channel_worker.settings import Settings
from channel_worker.sleepwatch import SleepWatch
from channel_worker.trouble import Patience
from channel_worker.typing_sign import TypingSigns

STOP_READ_S = 2.2  # the grace of an arriving reply, and a little for reading it
STOP_SENDS_S = 3.0  # for attempts that are out, counted from the signal
STOP_TOTAL_S = 3.8  # honcho kills after 5 s; delivery-semantics 11 says 4
MIN_NOTIFY_S = 0.3  # what notifystop gets at the least
FOLDERS = ("run", "local", "attachments", "staging", "logs")

ENDED, WRONG_USE, MISMATCH, RUNNING = 0, 2, 3, 4  # exit codes of design 8

_log = log.get("worker")


async def run_worker(settings: Settings, say: Callable[[str], None]) -> int:
    """Work until SIGTERM, Ctrl-C or the end of the terminal; the exit code."""
    worker = Worker(settings, say)

    async def stop_at_signals(*, task_status: TaskStatus[None]) -> None:
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
            task_status.started()
            async for number in signals:
                _log.info("worker.signal", name=number.name)
                worker.stop()

    async with anyio.create_task_group() as tasks:
        await tasks.start(stop_at_signals)
        code = await worker.run()
        tasks.cancel_scope.cancel()
    return code


class Worker:
    """One `ctb-channel run`; `say` prints a line on its terminal."""

    def __init__(
        self,
        settings: Settings,
        say: Callable[[str], None],
        sleep_watch: SleepWatch | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._patience = patience or Patience()
        self._settings = settings
        self._say = say
        self._sleep_watch = sleep_watch or SleepWatch()
        self._login: Login | None = None
        self._lock: tuple[Path, HeldLock] | None = None
        self._mark = FileMark()
        self._fault = ""
        self._stop_at: float | None = None  # monotonic
        self._polling = anyio.CancelScope()
        self._link = Link(settings.socket_path, self._serve)
        self._files = Files(
            settings.data_dir / "staging",
            settings.data_dir / "attachments",
            Cdn(settings.cdn_base_url, settings.hosts),
        )
        self._poller = Poller(
            self._link,
            settings.poll_hold_s,
            say,
            self._patience,
            self._sleep_watch.now,
            self._look_at_clock,
        )

    async def run(self) -> int:
        """Work until `stop`; the exit code."""
        code = ENDED
        try:
            data_folders(self._settings.data_dir, FOLDERS)
            async with anyio.create_task_group() as tasks:
                await self._work(tasks)
                tasks.cancel_scope.cancel()
        except* (AlreadyRunning, FencedOff) as taken:
            code = self._refuse(taken, RUNNING)
        except* ProtocolMismatch as mismatch:
            code = self._refuse(mismatch, MISMATCH)
        except* PlaceFault as fault:
            code = self._refuse(fault, WRONG_USE)
        return code

    def stop(self) -> None:
        """First call: end in order, within 4 s. Second call: end at once."""
        if self._stop_at is not None:
            self._poller.spool_now()
            self._everything.cancel()
            return
        self._stop_at = anyio.current_time()
        self._poller.stop()
        self._polling.deadline = self._stop_at + STOP_READ_S

    @property
    def is_reply_arriving(self) -> bool:
        """Whether bytes of a reply to the open poll are here, and more are to come."""
        return self._login is not None and self._login.ilink.http.is_reply_arriving

    async def drain(self) -> None:
        """Wait until no attempt is out."""
        await self._sends.drain()

    async def _work(self, tasks: TaskGroup) -> None:
        self._everything = tasks.cancel_scope
        self._sends = Sends(tasks, self._ilink, self._link.tell_begun, self._poller.doubt)
        self._typing = TypingSigns(tasks, self._ilink, self._poller.doubt)
        self._link.on_change = self._link_changed
        self._mark = credentials.mark(self._settings.credentials_path)
        await self._log_in()
        tasks.start_soon(self._link.run, tasks)
        tasks.start_soon(self._watch)
        try:
            with self._polling:
                await self._poller.run()
            await self._finish()
        finally:
            self._poller.spool_now()
            if self._login:
                await self._login.ilink.http.aclose()
            if self._lock:
                self._lock[1].release()

    async def _finish(self) -> None:
        """After the last poll: the batch, the attempts that are out, and a word to iLink."""
        assert self._stop_at is not None
        await self._poller.hand_over()
        with anyio.CancelScope(deadline=self._stop_at + STOP_SENDS_S):
            await self._sends.drain()
        if self._login:
            left_s = self._stop_at + STOP_TOTAL_S - anyio.current_time()
            code = await self._login.ilink.notify("stop", max(left_s, MIN_NOTIFY_S))
            _log.info("worker.notified_stop", code=code)

    async def _watch(self) -> None:
        while True:
            await anyio.sleep(self._patience.watch_s)
            await self._look_at_clock()
            mark = credentials.mark(self._settings.credentials_path)
            if mark != self._mark:
                self._mark = mark
                await self._log_in()

    async def _look_at_clock(self) -> None:
        slept_s = self._sleep_watch.slept_s()
        if not slept_s:
            return
        _log.warning("worker.woke", slept_s=int(slept_s))
        if self._login:
            await self._login.ilink.http.renew()
        self._poller.check_again()
        self._poller.tell_woke(int(slept_s))

    async def _log_in(self) -> None:
        """Use the credentials as they are now; a file that cannot be trusted changes nothing."""
        trouble = ""
        try:
            found = credentials.load(self._settings)
            if found and self._login and found == self._login.credentials:
                self._poller.check_again()
                return
            login = self._login_with(found) if found else None
        except AlreadyRunning:
            raise
        except (PlaceFault, ForeignHost) as fault:
            if str(fault) != self._fault:
                self._say(str(fault))
            self._fault = str(fault)
            login, trouble = None, _word(fault)
        if login or not self._login:
            old, self._login = self._login, login
            self._poller.log_in(login, trouble)
            self._typing.forget()
            if old:
                with anyio.move_on_after(STOP_SENDS_S):
                    await self._sends.drain()
                await old.ilink.http.aclose()

    def _login_with(self, found: Credentials) -> Login:
        login = login_for(self._settings, found)
        self._hold_lock(found.bot_id)
        return login

    def _hold_lock(self, bot_id: str) -> None:
        path = lock_path(self._settings, bot_id)
        if self._lock and self._lock[0] == path:
            return
        lock = hold_lock(path)
        if self._lock:
            self._lock[1].release()
        self._lock = (path, lock)

    async def _ilink(self) -> Ilink | None:
        """The account to send with, on connections that did not sleep."""
        await self._look_at_clock()
        return self._login.ilink if self._login else None

    async def _serve(self, request: object) -> object:
        match request:
            case OutboundSend():
                return await self._sends.send(request)
            case OutboundQuery(attempt_id):
                return self._sends.query(attempt_id)
            case MediaUpload():
                return await self._upload(request)
            case MediaFetch():
                return await self._fetch(request)
            case TypingSet():
                self._typing.set(request)
                return Done()
            case PollSet(poll):
                self._poller.set_poll(poll)
                return Done()
        raise Refused(METHOD_NOT_FOUND, "not served here")

    async def _upload(self, order: MediaUpload) -> UploadReply:
        ilink = await self._ilink()
        if ilink is None:
            return UploadReply("not_sent", code="no credentials")
        with self._typing.while_uploading(order.to_user_id):
            reply = await self._files.upload(ilink, order)
        if reply.outcome in ("expired", "unknown_code"):
            self._poller.doubt(ilink, reply.outcome, reply.code)
        return reply

    async def _fetch(self, order: MediaFetch) -> FetchReply:
        ilink = await self._ilink()
        if ilink is None:
            return FetchReply("retry", code="no credentials")
        return await self._files.fetch(ilink, order)

    def _link_changed(self) -> None:
        if self._link.peer is None:
            self._typing.end_all()
        self._poller.nudge()

    def _refuse(self, group: BaseExceptionGroup[Exception], code: int) -> int:
        sentence = str(_first(group))
        _log.error("worker.refused", why=sentence)
        self._say(sentence)
        return code


def login_for(settings: Settings, found: Credentials) -> Login:
    """An account ready to be used; raises ForeignHost for a base we do not talk to."""
    try:
        base_url = settings.base_url or settings.hosts.check(found.base_url or API_BASE)
    except ForeignHost as foreign:
        raise ForeignHost(
            f"{settings.credentials_path} names a server that is not allowed ({foreign}): "
            "start this again if ILINK_BASE_URL was set since, else run  ctb-channel login"
        ) from None
    owners = settings.owner_user_ids or (found.owner_user_id,)
    http = Http(base_url, found.token, settings.product, settings.proxy)
    ilink = Ilink(
        http, Account(found.bot_id, owners, settings.hears_groups), settings.request_deadline_s
    )
    return Login(found, ilink, Spool(_run_file(settings, f"{PREFIX}{_plain(found.bot_id)}.json")))


def lock_path(settings: Settings, bot_id: str) -> Path:
    """The file whose flock lets one worker serve this bot."""
    return _run_file(settings, f"worker-{_plain(bot_id)}.lock")


def _run_file(settings: Settings, name: str) -> Path:
    return private_folder(settings.data_dir / "run") / name


def _word(fault: PlaceFault | ForeignHost) -> str:
    """Why a login cannot be used, as the bridge is told."""
    if isinstance(fault, ForeignHost):
        return FOREIGN
    return OPEN if isinstance(fault, TooOpen) else UNUSABLE


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _plain(bot_id: str) -> str:
    """`x@im.bot` becomes `x-im-bot`, as at the official client (`ilink-protocol` 2)."""
    return re.sub(r"[^a-z0-9]", "-", bot_id.lower())[:80]
