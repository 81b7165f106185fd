"""The sending task with files: up first, then the attempt; a scripted worker, a real database."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio

from bridge.core.attached import NewFile
from bridge.core.decision import Decision, NewRow, Policy
from bridge.core.errors import LinkLost
from bridge.core.model import Attempt, OutRow, SendClass
from bridge.core.sending import REPEAT_MARK, Limits
from bridge.core.uploading import HANDLE_LIFE_MS
from bridge.files.gate import Leaving
from bridge.links.worker import WorkerLink, media_of
from bridge.store import accounts, inbox
from bridge.store.db import Database
from bridge.store.statements import change, records
from bridge.store.tables import ArtifactTable, OutboxTable, PeerRow
from bridge.tasks.channel import Channel
from bridge.tasks.state import Shared
from bridge.wire.messages import SendReply, UploadedMedia, UploadReply
from tests.contract.test_store_inbox import ACCOUNT, OWNER, accept, stored
from tests.contract.test_store_inbox import db as db  # the fixture

LIMIT_S = 10.0
LIMITS = Limits(budget=0, spacing_ms=0)
BYTES = b"a report"


class Worker(WorkerLink):
    """A worker that answers as the test says."""

    def __init__(self) -> None:
        super().__init__()
        self.instance = "w1"
        self.sent: list[str] = []  # texts, and names of files
        self.uploads: list[str] = []
        self.replies: list[SendReply] = []
        self.upload_replies: list[UploadReply | Exception] = []
        self.may_upload = anyio.Event()
        self.may_upload.set()

    async def send(self, attempt: Attempt) -> SendReply:
        media = media_of(attempt.row)
        self.sent.append(media.file_name if media else attempt.row.text)
        return self.replies.pop(0) if self.replies else SendReply("sent", f"s{len(self.sent)}")

    async def upload(self, row: OutRow) -> UploadReply:
        assert row.file is not None
        self.uploads.append(row.file.staged_name)
        await self.may_upload.wait()
        reply = self.upload_replies.pop(0) if self.upload_replies else None
        if isinstance(reply, Exception):
            raise reply
        media = UploadedMedia(row.file.kind, "param", "00" * 16, len(BYTES), 16, row.file.name)
        return reply or UploadReply("sent", media)


class Desk:
    """A channel that sends, and what it has written."""

    def __init__(self, db: Database, folder: Path) -> None:
        self.db = db
        self.staging = folder / "staging"
        self.staging.mkdir()
        self.worker = Worker()
        self.shared = Shared(db, "i", "en", Policy(), LIMITS, leaving=Leaving(staging=self.staging))
        self.channel = Channel(self.shared, self.worker)

    async def owes(self, *texts: str, file: str = "", kind: str = "file") -> None:
        """Bubbles with these texts, and one with a file behind them."""
        bubbles = [NewRow(SendClass.ANSWER, text, f"ctb:{text}", text) for text in texts]
        files: tuple[NewFile, ...] = ()
        if file:
            (self.staging / file).write_bytes(BYTES)
            digest = hashlib.sha256(BYTES).hexdigest()
            files = (NewFile(file, f"{file}.txt", kind, len(BYTES), digest),)  # type: ignore[arg-type]  # one of the words
            row = NewRow(SendClass.ANSWER, f"{file}.txt", f"ctb:{file}", file, staged=file)
            bubbles.append(row)
        decision = Decision(OWNER, bubbles=tuple(bubbles), files=files)
        now_ms = self.shared.now_ms()
        await self.db.run(lambda: inbox.apply(decision, ACCOUNT, None, now_ms))
        self.channel.take(None)

    async def until(self, is_so: Callable[[], Awaitable[bool]]) -> None:
        with anyio.fail_after(LIMIT_S):
            while not await is_so():  # noqa: ASYNC110  # rows tell nobody
                await anyio.sleep(0.01)

    async def until_done(self) -> list[tuple[str, str]]:
        """Wait until nothing is owed; each bubble and its outcome."""

        async def is_done() -> bool:
            return not await self.db.read(lambda: records(OutboxTable, "state != 'done'"))

        await self.until(is_done)
        return await self.ends()

    async def ends(self) -> list[tuple[str, str]]:
        found = await self.db.read(lambda: records(OutboxTable, "1 ORDER BY id"))
        return [(row.text, row.outcome) for row in found]

    async def forget_pauses(self) -> None:
        await self.db.run(lambda: change(OutboxTable, "1", (), not_before_ms=0))
        self.channel.take(None)


@asynccontextmanager
async def sending(db: Database, folder: Path) -> AsyncIterator[Desk]:
    accept(db, stored(1), to="")
    now_ms = Shared(db, "i", "en", Policy(), LIMITS).now_ms()
    db.run_now(lambda: change(PeerRow, "1", (), wrote_ms=now_ms))
    assert db.run_now(accounts.get).generation
    desk = Desk(db, folder)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(desk.channel.keep_sending)
        yield desk
        tasks.cancel_scope.cancel()


async def test_file_goes_up_once_and_then_out(db: Database, tmp_path: Path) -> None:
    """delivery-semantics 5: the handle is committed with the attempt."""
    async with sending(db, tmp_path) as desk:
        await desk.owes(file="one")
        assert await desk.until_done() == [("one.txt", "sent")]
        assert (desk.worker.uploads, desk.worker.sent) == (["one"], ["one.txt"])


async def test_others_go_ahead_of_a_file_that_is_on_its_way_up(
    db: Database, tmp_path: Path
) -> None:
    """Ours: twenty MiB on a slow line hold up no answer."""
    async with sending(db, tmp_path) as desk:
        desk.worker.may_upload = anyio.Event()
        await desk.owes(file="one")
        await desk.until(lambda: _is(len(desk.worker.uploads) == 1))
        await desk.owes("meanwhile")
        await desk.until(lambda: _is(desk.worker.sent == ["meanwhile"]))
        desk.worker.may_upload.set()
        await desk.until_done()
        assert desk.worker.sent == ["meanwhile", "one.txt"]


async def test_repeat_uses_the_handle_while_it_is_fresh_and_bears_the_mark(
    db: Database, tmp_path: Path
) -> None:
    """delivery-semantics 7; a handle that is too old is made anew."""
    async with sending(db, tmp_path) as desk:
        desk.worker.replies = [SendReply("unknown"), SendReply("unknown")]
        await desk.owes(file="one")
        await desk.until(lambda: _is(len(desk.worker.sent) == 1))
        await desk.until(lambda: _is_ready(desk))
        await desk.forget_pauses()
        await desk.until(lambda: _is(len(desk.worker.sent) == 2))
        assert len(desk.worker.uploads) == 1
        await desk.until(lambda: _is_ready(desk))
        old = '{"download_param":"p","aes_key":"k","plain_bytes":1,"cipher_bytes":16,"at_ms":%d}'
        at_ms = desk.shared.now_ms() - HANDLE_LIFE_MS
        await db.run(lambda: change(ArtifactTable, "1", (), handle=old % at_ms))
        await desk.forget_pauses()
        assert await desk.until_done() == [("one.txt", "sent")]
        assert len(desk.worker.uploads) == 2
        assert desk.worker.sent == ["one.txt", *[f"{REPEAT_MARK}one.txt"] * 2]


async def test_picture_that_may_have_arrived_is_told_of_and_not_repeated(
    db: Database, tmp_path: Path
) -> None:
    """delivery-semantics 7: a second picture could not be known for a copy."""
    async with sending(db, tmp_path) as desk:
        desk.worker.replies = [SendReply("unknown")]
        await desk.owes(file="one", kind="image")
        found = await desk.until_done()
        assert found[0] == ("one.txt", "unknown")
        assert found[1][0].startswith("▸ Nobody can say whether one.txt arrived.")


async def test_refused_file_ends_with_one_line(db: Database, tmp_path: Path) -> None:
    """issue 3, item 5: the owner is told, and what was behind it goes on."""
    async with sending(db, tmp_path) as desk:
        desk.worker.upload_replies = [UploadReply("refused", code="cdn 413 too large")]
        await desk.owes("before", file="one")
        found = await desk.until_done()
        assert found[:2] == [("before", "sent"), ("one.txt", "dead")]
        assert found[2][0].startswith("▸ one.txt was not sent: it is too large for WeChat.")
        assert len(desk.worker.uploads) == 1


async def test_line_about_a_file_is_in_the_language_that_its_owner_chose(
    db: Database, tmp_path: Path
) -> None:
    """design 7: `/lang` wins over CTB_LANG."""
    async with sending(db, tmp_path) as desk:
        await db.run(lambda: change(PeerRow, "1", (), lang="zh"))
        desk.worker.upload_replies = [UploadReply("refused", code="-1")]
        await desk.owes(file="one")
        assert (await desk.until_done())[1][0].startswith("▸ one.txt 没有发出：微信不收")


async def test_worker_that_says_sent_and_not_where_is_asked_again(
    db: Database, tmp_path: Path
) -> None:
    """Ours: a peer's broken word never ends the task."""
    async with sending(db, tmp_path) as desk:
        desk.worker.upload_replies = [UploadReply("sent")]
        await desk.owes(file="one")
        await desk.until(lambda: _is_waiting(desk))
        await desk.forget_pauses()
        assert await desk.until_done() == [("one.txt", "sent")]


async def test_file_that_the_account_may_not_upload_holds_back_no_words(
    db: Database, tmp_path: Path
) -> None:
    """issue 3, item 5: texts go on at once, the breaker stays shut; the file is told of."""
    async with sending(db, tmp_path) as desk:
        desk.worker.upload_replies = [UploadReply("throttled", code="-2")] * 3
        await desk.owes(file="one")
        await desk.until(partial(_has_tried, desk, 1))
        await desk.owes("words")
        await desk.until(lambda: _is(desk.worker.sent == ["words"]))
        await desk.forget_pauses()
        await desk.until(partial(_has_tried, desk, 2))
        await desk.forget_pauses()
        found = await desk.until_done()
        assert found[0] == ("one.txt", "dead") and len(desk.worker.uploads) == 3
        assert found[-1][0].startswith("▸ one.txt was not sent: three times")
        assert (await db.read(accounts.get)).breaker_until_ms == 0


async def test_file_whose_copy_is_gone_or_changed_ends_with_one_line(
    db: Database, tmp_path: Path
) -> None:
    """R24: the bytes that were checked, or nothing; the worker is not even asked."""
    async with sending(db, tmp_path) as desk:
        desk.worker.instance = ""
        await desk.owes(file="one")
        await desk.owes(file="two")
        (desk.staging / "one").unlink()
        (desk.staging / "two").write_bytes(b"another")
        desk.worker.instance = "w1"
        desk.channel.take(None)
        found = dict(await desk.until_done())
        assert (found["one.txt"], found["two.txt"]) == ("dead", "dead")
        assert sum("the copy that was made of it is gone" in text for text in found) == 2
        assert not desk.worker.uploads


async def test_bubble_waits_while_no_worker_is_there(db: Database, tmp_path: Path) -> None:
    """Ours: a worker that goes in mid-upload costs nothing but the upload."""
    async with sending(db, tmp_path) as desk:
        desk.worker.upload_replies = [LinkLost("worker", 1), UploadReply("not_sent", code="dns")]
        await desk.owes(file="one")
        await desk.until(lambda: _is_waiting(desk))
        await desk.forget_pauses()
        assert await desk.until_done() == [("one.txt", "sent")]
        assert len(desk.worker.uploads) == 3


async def _is(is_so: bool) -> bool:
    return is_so


async def _is_ready(desk: Desk) -> bool:
    found = await desk.db.read(lambda: records(OutboxTable, "state = 'ready' AND tries > 0"))
    return bool(found)


async def _is_waiting(desk: Desk) -> bool:
    return bool(await desk.db.read(lambda: records(OutboxTable, "not_before_ms > 0")))


async def _has_tried(desk: Desk, tries: int) -> bool:
    (row,) = await desk.db.read(lambda: records(OutboxTable, "text = 'one.txt'"))
    return bool(row.tries == tries and row.not_before_ms)
