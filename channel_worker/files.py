"""Files out of the staging folder and into the attachments folder, and nowhere else.

A staged file is named, never pathed: a bare name opened below the folder, a regular file
of ours with one name (threat-model R23). It is read from that one descriptor, and hashed
each time: what is not what was approved does not go up (R24). What comes in gets a random
name, 0600, in a folder of the day; it appears there whole or not at all (R27).
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import anyio.lowlevel

from bridge.wire import log
from bridge.wire.filetype import HEAD_BYTES, type_of
from bridge.wire.messages import FetchReply, MediaFetch, MediaUpload, UploadedMedia, UploadReply
from bridge.wire.place import private_folder, sync_folder
from channel_worker.ilink.calls import Ilink
from channel_worker.ilink.media import (
    DOWNLOAD_ATTEMPTS,
    PAUSE_S,
    Cdn,
    FetchFault,
    MediaFault,
    Plain,
)

CHUNK_BYTES = 64 * 1024  # small: the worker's memory must not grow with the file
PROGRESS_BYTES = 4 * 1024 * 1024  # one log line for each
# What the bridge takes for a copy that is lost; so is one with other bytes in it.
_GONE = "no such staged file"

_log = log.get("files")


class Files:
    """Uploads and downloads for the bridge, between the CDN and two folders."""

    def __init__(self, staging: Path, attachments: Path, cdn: Cdn) -> None:
        self._staging = staging
        self._attachments = attachments
        self._cdn = cdn

    async def upload(self, ilink: Ilink, order: MediaUpload) -> UploadReply:
        """Put the staged file of that hash on the CDN; it is not sent by that."""
        try:
            fd = _open_staged(self._staging, order.staged_name)
        except (OSError, ValueError) as refused:
            _log.warning("upload.refused", why=type(refused).__name__)
            return UploadReply("refused", code=_GONE)
        try:
            size_bytes, md5 = await _measured(fd, order.sha256)
            plain = Plain(size_bytes, md5, lambda: _approved(_chunks(fd), order.sha256))
            found = await self._cdn.upload(ilink, order.kind, order.to_user_id, plain)
        except MediaFault as fault:
            _log.warning("upload.failed", outcome=fault.outcome, code=fault.code)
            return UploadReply(fault.outcome, code=fault.code)
        finally:
            os.close(fd)
        media = UploadedMedia(
            order.kind,
            found.download_param,
            found.aes_key,
            size_bytes,
            found.cipher_bytes,
            order.file_name,
        )
        return UploadReply("sent", media)

    async def fetch(self, ilink: Ilink, order: MediaFetch) -> FetchReply:
        """Bring a file of the CDN into the folder of the day."""
        for attempt in range(DOWNLOAD_ATTEMPTS):
            await anyio.sleep(PAUSE_S * attempt)
            try:
                return await self._fetch_once(ilink, order)
            except FetchFault as fault:
                _log.warning("fetch.failed", code=fault.code, may_retry=fault.may_retry)
                reply = FetchReply("retry" if fault.may_retry else "gone", code=fault.code)
                if not fault.may_retry:
                    break
            except OSError as failed:
                return FetchReply("retry", code=failed.strerror or "disk")
        return reply

    async def _fetch_once(self, ilink: Ilink, order: MediaFetch) -> FetchReply:
        day = private_folder(self._attachments / time.strftime("%Y-%m-%d", time.gmtime()))
        name = secrets.token_hex(16)
        part = day / f".{name}.part"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            head, size_bytes = b"", 0
            with os.fdopen(os.open(part, flags, 0o600), "wb") as out:
                download = self._cdn.download(ilink, order.kind, order.media, order.limit_bytes)
                async for chunk in download:
                    head = (head + chunk)[:HEAD_BYTES] if len(head) < HEAD_BYTES else head
                    size_bytes += len(chunk)
                    out.write(chunk)
                out.flush()
                os.fsync(out.fileno())
            kind, ending = type_of(head)
            stored = part.replace(day / f"{name}.{ending}")
            sync_folder(day)
        finally:
            part.unlink(missing_ok=True)
        relative = stored.relative_to(self._attachments)
        return FetchReply("stored", str(relative), kind, size_bytes)


def _open_staged(folder: Path, name: str) -> int:
    """The staged file, open for reading; raises ValueError or OSError."""
    if not name or name.startswith(".") or "/" in name or "\0" in name:
        raise ValueError("not a bare name")
    at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        fd = os.open(name, flags, dir_fd=at)
    finally:
        os.close(at)
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_nlink != 1:
        os.close(fd)
        raise ValueError("not a plain file of ours")
    return fd


async def _measured(fd: int, sha256: str) -> tuple[int, str]:
    """Size and MD5 of what was approved; raises MediaFault where it is something else."""
    digest = hashlib.md5(usedforsecurity=False)  # asked for by iLink getuploadurl
    size_bytes = 0
    async for chunk in _approved(_chunks(fd, is_quiet=True), sha256):
        digest.update(chunk)
        size_bytes += len(chunk)
    return size_bytes, digest.hexdigest()


async def _approved(chunks: AsyncIterator[bytes], sha256: str) -> AsyncIterator[bytes]:
    """The same chunks; raises MediaFault before the last where they are not what was approved.

    Without it the CDN has half an upload, which it drops.
    """
    digest, last = hashlib.sha256(), b""
    async for chunk in chunks:
        digest.update(chunk)
        if last:
            yield last
        last = chunk
    if digest.hexdigest() != sha256:
        raise MediaFault("refused", _GONE)
    if last:
        yield last


async def _chunks(fd: int, is_quiet: bool = False) -> AsyncIterator[bytes]:
    place = 0
    while chunk := os.pread(fd, CHUNK_BYTES, place):
        yield chunk
        place += len(chunk)
        if not is_quiet and place % PROGRESS_BYTES == 0:
            _log.info("upload.progress", done_bytes=place)
        await anyio.lowlevel.checkpoint()
