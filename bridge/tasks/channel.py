"""Sends what is owed: one attempt at a time, committed before it leaves and after.

An attempt may already be begun by the transaction that made its bubble; it is handed
to `take`, and is otherwise found in the rows. At boot, attempts that were under way
are settled first: the same worker process is asked, nobody else can know.

A file goes up before the attempt of its bubble, beside the sending of others, and one at
a time. An upload that a crash cut short is made again: what was committed is its end.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import anyio
from anyio import to_thread
from anyio.abc import TaskGroup

from bridge.core.attached import Handle
from bridge.core.errors import LinkLost, StoreFault
from bridge.core.model import Attempt, Outcome, OutRow
from bridge.core.sending import after_delivery
from bridge.core.uploading import GONE, after_upload
from bridge.files.gate import is_whole
from bridge.links.worker import WorkerLink
from bridge.store import accounts, outbox
from bridge.tasks.points import reach
from bridge.tasks.state import STORE_RETRY_S, Shared
from bridge.wire import log, messages

LOOK_AGAIN_S = 60.0  # a lost wake-up costs no more than this

_log = log.get("channel")


class Channel:
    """The sending side of one account."""

    def __init__(self, shared: Shared, worker: WorkerLink) -> None:
        self._shared = shared
        self._worker = worker
        self._uploads: TaskGroup | None = None
        self._is_uploading = False
        self._left: tuple[Attempt, ...] = ()  # under way when the process before this one died
        self._begun: Attempt | None = None
        self._rest: outbox.Rest | None = None  # what the last attempt left to wait for
        self._idle = anyio.Event()
        self._idle.set()

    def sender(self) -> outbox.Sender | None:
        """Who would carry an attempt that is begun now."""
        return self._shared.sender(self._worker.instance)

    async def write(self, unit: Callable[[int, outbox.Sender | None], Attempt | None]) -> None:
        """One transaction that may owe bubbles, and begin the first of them at once.

        `unit` is given the time, in UTC epoch milliseconds, and who would carry it.
        """
        now_ms, sender = self._shared.now_ms(), self.sender()
        with anyio.CancelScope(shield=True):
            self.take(await self._shared.db.run(lambda: unit(now_ms, sender)))

    def take(self, attempt: Attempt | None) -> None:
        """Send this attempt: its row is committed, and no other is under way."""
        if attempt is not None:
            self._begun = attempt
        self._shared.outbox_bell.ring()

    async def open(self) -> None:
        """Know what was under way; raises StoreFault."""
        self._left = await self._shared.db.read(outbox.unfinished)

    async def keep_sending(self) -> None:
        """Settle what was under way, then send for ever."""
        for attempt in self._left:
            await self._settle(attempt, await self._worker.outcome_of(attempt))
        async with anyio.create_task_group() as self._uploads:
            while True:
                try:
                    wait_s = await self._send_all()
                except StoreFault:
                    _log.exception("outbox.store_failed")
                    wait_s = STORE_RETRY_S
                await self._shared.outbox_bell.heard(wait_s)

    async def _send_all(self) -> float:
        """Send until nothing may go; how long until something may, in seconds."""
        while True:
            attempt, self._begun = self._begun, None
            if attempt is None and self._rest is not None:
                rest, self._rest = self._rest, None
                return self._rested(rest)
            if attempt is None:
                sender = self.sender()
                if sender is None:
                    return LOOK_AGAIN_S
                now_ms = self._shared.now_ms()
                found = await self._shared.db.run(partial(outbox.look, sender, now_ms))
                if isinstance(found, outbox.Rest):
                    return self._rested(found)
                attempt = found
            await self._deliver(attempt)

    def _rested(self, rest: outbox.Rest) -> float:
        """Let a file go up that a bubble waits for; how long until more may go, in seconds."""
        if rest.upload is not None and self._uploads is not None and not self._is_uploading:
            self._is_uploading = True
            self._uploads.start_soon(self._upload, rest.upload)
        if rest.until_ms is None:
            return LOOK_AGAIN_S
        return max(0.0, (rest.until_ms - self._shared.now_ms()) / 1000)

    async def _upload(self, row: OutRow) -> None:
        try:
            reach("before upload")
            reply = await self._uploaded(row)
            reach("after upload")
            await self._note_upload(row, reply)
            reach("uploaded")
            _log.info("upload.done", row=row.id, outcome=reply.outcome, code=reply.code)
        except LinkLost:
            _log.info("upload.again", row=row.id)  # when a worker is there
        except StoreFault:
            _log.exception("outbox.store_failed")
            await anyio.sleep(STORE_RETRY_S)
        finally:
            self._is_uploading = False
            self._shared.outbox_bell.ring()

    async def _uploaded(self, row: OutRow) -> messages.UploadReply:
        """Only the bytes that were checked go up, or nothing (threat-model R24).

        What is gone by now is not asked for; what is changed later, the worker refuses.
        """
        file = row.file
        assert file is not None  # else there is nothing to upload
        staged = self._shared.leaving.staging / file.staged_name
        if not await to_thread.run_sync(is_whole, staged, file.sha256):
            return messages.UploadReply("refused", code=GONE)
        return await self._worker.upload(row)

    async def _note_upload(self, row: OutRow, reply: messages.UploadReply) -> None:
        """The handle, with T6; or what becomes of a bubble whose file did not go up."""

        def unit(now_ms: int, sender: outbox.Sender | None) -> Attempt | None:
            up = reply.media
            if up is not None:
                param, key = up.download_param, up.aes_key
                handle = Handle(param, key, up.plain_bytes, up.cipher_bytes, now_ms)
                return outbox.uploaded(row, handle, sender, now_ms)
            # A worker that says `sent` and not where has broken its word: nobody knows.
            is_odd = reply.outcome in (Outcome.SENT, Outcome.UNCONFIRMED)
            outcome = Outcome.UNKNOWN if is_odd else Outcome(reply.outcome)
            step = after_upload(row, outcome, accounts.get(), self._shared.limits, now_ms)
            code = reply.code or outcome.value
            return outbox.not_uploaded(row, outcome, step, code, sender, now_ms)

        await self.write(unit)

    async def idle(self) -> None:
        """Wait until no attempt is under way."""
        await self._idle.wait()

    async def _deliver(self, attempt: Attempt) -> None:
        reach("T6")
        self._idle = anyio.Event()
        try:
            reply = await self._worker.send(attempt)
        except LinkLost:
            reply = await self._worker.outcome_of(attempt)
        reach("after send")
        await self._settle(attempt, reply)
        self._idle.set()

    async def _settle(self, attempt: Attempt, reply: messages.SendReply) -> None:
        outcome = Outcome(reply.outcome)
        while True:
            now_ms = self._shared.now_ms()
            sender = self.sender()
            try:
                with anyio.CancelScope(shield=True):
                    finish = partial(self._finish, attempt, outcome, reply, sender, now_ms)
                    found = await self._shared.db.run(finish)
                break
            except StoreFault:
                _log.exception("outbox.store_failed")
                await anyio.sleep(STORE_RETRY_S)
        reach("T7")
        if isinstance(found, Attempt):
            self._begun = found
        else:
            self._rest = found
        _log.info("delivery.done", row=attempt.row.id, outcome=outcome.value, code=reply.code)

    def _finish(
        self,
        attempt: Attempt,
        outcome: Outcome,
        reply: messages.SendReply,
        sender: outbox.Sender | None,
        now_ms: int,
    ) -> Attempt | outbox.Rest:
        step = after_delivery(attempt.row, outcome, accounts.get(), self._shared.limits, now_ms)
        return outbox.finish(
            attempt, outcome, step, reply.server_id, reply.code or outcome.value, sender, now_ms
        )
