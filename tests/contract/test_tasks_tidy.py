"""The daily look at the owner's files, over a real database and a real folder."""

from __future__ import annotations

import os
from pathlib import Path

import anyio

from bridge.core.attached import FileId, NewFile
from bridge.core.decision import Decision, NewRow, Policy
from bridge.core.fetching import FetchStep
from bridge.core.model import Part, SendClass
from bridge.core.retention import DAY_MS, KEPT_MS
from bridge.core.sending import Limits
from bridge.store import attachments, inbox, rows
from bridge.store.db import Database
from bridge.store.statements import change, records
from bridge.store.tables import (
    ArtifactTable,
    AttachmentTable,
    InboxTable,
    OutboxTable,
    TurnTable,
)
from bridge.tasks.state import Shared
from bridge.tasks.tidy import clear, keep_tidy
from tests.contract.test_store_inbox import ACCOUNT, OWNER, accept, apply, plan, stored
from tests.contract.test_store_inbox import db as db  # the fixture

PICTURE = Part("image", media={"download_param": "x", "full_url": "", "aes_key": "00" * 16})
LIMIT_S = 10.0


def file_in(folder: Path, name: str, age_ms: int, now_ms: int) -> Path:
    path = folder / "2026-01-01" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x")
    at_s = (now_ms - age_ms) / 1000
    os.utime(path, (at_s, at_s))
    return path


def arrived(db: Database, number: int, path: Path, done_ms: int) -> None:
    """A message of one file, which is here; done then, or not yet where it is 0."""
    accept(db, stored(number, parts=(PICTURE,)), to="")
    step = FetchStep("stored", 0)
    db.run_now(lambda: attachments.fetched(FileId(number), step, str(path), "image/png", ""))
    if done_ms:
        db.run_now(lambda: change(InboxTable, "id = ?", (number,), state="done", done_ms=done_ms))


async def test_only_what_nobody_needs_is_removed(db: Database, tmp_path: Path) -> None:
    """design 6: an orphan of a crash goes too, and what a turn still names stays."""
    shared = Shared(db, "i", "en", Policy(), Limits())
    now_ms = shared.now_ms()
    old_ms = now_ms - KEPT_MS - DAY_MS
    folder = tmp_path / "attachments"
    folder.mkdir()
    outside = tmp_path / "notes.txt"
    outside.write_text("mine")
    names = ("old", "waiting", "recent", "named", "stray", "fresh-stray")
    ages = {"fresh-stray": 0}
    files = {n: file_in(folder, n, ages.get(n, KEPT_MS + DAY_MS), now_ms) for n in names}
    (folder / "link").symlink_to(outside)
    os.utime(folder / "link", (old_ms / 1000, old_ms / 1000), follow_symlinks=False)
    arrived(db, 1, files["old"], old_ms)
    arrived(db, 2, files["waiting"], 0)
    arrived(db, 3, files["recent"], now_ms - DAY_MS)
    arrived(db, 4, files["named"], old_ms)
    accept(db, stored(5), to="")
    apply(db, plan(5))  # a turn of another message, as /retry makes one
    named = rows.dump([[str(files["named"]), "cat.png", True]])
    db.run_now(lambda: change(TurnTable, "1", (), files=named))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keep_tidy, shared, folder, tmp_path / "staging", 0)
        with anyio.fail_after(LIMIT_S):
            while True:
                if not (files["stray"].exists() or (folder / "link").is_symlink()):
                    break
                await anyio.sleep(0.01)  # a file tells nobody that it goes
        tasks.cancel_scope.cancel()
    left = {name for name, path in files.items() if path.exists()}
    assert left == {"waiting", "recent", "named", "fresh-stray"}
    assert outside.read_text() == "mine"
    found = db.run_now(lambda: records(AttachmentTable, "1 ORDER BY id"))
    assert [(row.outcome, bool(row.path)) for row in found] == [
        ("gone", False), ("stored", True), ("stored", True), ("stored", True)
    ]  # fmt: skip


async def test_what_git_keeps_a_folder_by_stays(db: Database, tmp_path: Path) -> None:
    """R27: without its `.gitignore` a folder of the owner's files would be offered to git."""
    shared = Shared(db, "i", "en", Policy(), Limits())
    folders = [tmp_path / name for name in ("attachments", "staging")]
    for folder in folders:
        folder.mkdir()
        for name in (".gitignore", "stray"):
            (folder / name).write_text("*")
            os.utime(folder / name, (0, 0))
    (folders[1] / ".half.part").touch()
    db.run_now(lambda: clear(folders[1]))
    assert [path.name for path in folders[1].iterdir()] == [".gitignore"]
    (folders[1] / "stray").touch()
    os.utime(folders[1] / "stray", (0, 0))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keep_tidy, shared, folders[0], folders[1], 0)
        with anyio.fail_after(LIMIT_S):
            while any((folder / "stray").exists() for folder in folders):  # noqa: ASYNC110
                await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()
    assert all((folder / ".gitignore").exists() for folder in folders)


async def test_copy_goes_a_day_after_it_was_made_unless_a_bubble_waits_for_it(
    db: Database, tmp_path: Path
) -> None:
    """F21: nothing that an unfinished row needs ever goes; the key of an upload goes along."""
    shared = Shared(db, "i", "en", Policy(), Limits())
    now_ms = shared.now_ms()
    attachments_folder, staging = tmp_path / "attachments", tmp_path / "staging"
    for folder in (attachments_folder, staging):
        folder.mkdir()
    ages = {"sent": 2, "waits": 99, "asked": 0, "stray": 2, ".half.part": 2}
    for name, days in ages.items():
        (staging / name).write_bytes(b"x")
        at_s = (now_ms - days * DAY_MS) / 1000
        os.utime(staging / name, (at_s, at_s))
    copies = tuple(NewFile(name, name, "file", 1, "hash") for name in ("sent", "waits", "asked"))
    bubbles = tuple(
        NewRow(SendClass.ANSWER, name, f"ctb:{name}", name, staged=name)
        for name in ("sent", "waits")
    )
    decision = Decision(OWNER, bubbles=bubbles, files=copies)
    db.run_now(lambda: inbox.apply(decision, ACCOUNT, None, now_ms))
    db.run_now(lambda: change(OutboxTable, "text = 'sent'", (), state="done"))
    db.run_now(lambda: change(ArtifactTable, "1", (), handle="a key"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keep_tidy, shared, attachments_folder, staging, 0)
        with anyio.fail_after(LIMIT_S):
            while (staging / "stray").exists():  # noqa: ASYNC110  # a file tells nobody
                await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()
    assert {path.name for path in staging.iterdir()} == {"waits", "asked"}
    found = db.run_now(lambda: records(ArtifactTable, "handle != '' ORDER BY id"))
    assert [row.staged_name for row in found] == ["waits", "asked"]
