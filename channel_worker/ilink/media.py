"""How do bytes get to WeChat's CDN and back? Encrypted, streamed, never held whole.

AES-128-ECB with PKCS#7 and a fresh key for every file going out; two forms of key coming
in (`ilink-protocol` 7). Files and their names are the caller's; here are only chunks.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

import anyio

from bridge.wire import log
from bridge.wire.codec import Json
from bridge.wire.log import remember_secret
from bridge.wire.messages import Media, OutcomeWord, SendReply
from channel_worker.ilink import aes
from channel_worker.ilink.aes import BLOCK_BYTES
from channel_worker.ilink.calls import Ilink
from channel_worker.ilink.hosts import ForeignHost, Hosts
from channel_worker.ilink.http import HttpFault

UPLOAD_ATTEMPTS = 3  # iLink cdn-upload.ts
DOWNLOAD_ATTEMPTS = 3  # HTTP 500 now and then for good files, `ilink-protocol` 7.4
PAUSE_S = 0.5  # between attempts; doubled each time
BASE_DEADLINE_S = 60.0  # what third parties give a CDN call
SLOWEST_BYTES_PER_S = 64 * 1024  # and what a slow line needs beyond that
_PLAIN_WORDS = re.compile(r"[a-z]{1,16}( [a-z]{1,16}){0,7}")
MEDIA_TYPES = {"image": 1, "video": 2, "file": 3}

_log = log.get("media")


@dataclass(frozen=True, slots=True)
class Plain:
    """A file to send: its size and MD5, and its bytes from the start, as often as asked."""

    size_bytes: int
    md5: str
    chunks: Callable[[], AsyncIterator[bytes]]


@dataclass(frozen=True, slots=True)
class Uploaded:
    download_param: str
    aes_key: str  # 32 hex digits
    cipher_bytes: int


class MediaFault(Exception):
    """An upload that did not come about, with its outcome; `code` is for the log."""

    def __init__(self, outcome: OutcomeWord, code: str) -> None:
        super().__init__(code)
        self.outcome = outcome
        self.code = code


class FetchFault(Exception):
    """A download that did not come about; `may_retry` false: it never will."""

    def __init__(self, code: str, may_retry: bool) -> None:
        super().__init__(code)
        self.code = code
        self.may_retry = may_retry


class Cdn:
    """The CDN of one account."""

    def __init__(self, base_url: str, hosts: Hosts) -> None:
        self._base = base_url
        self._hosts = hosts

    async def upload(self, ilink: Ilink, kind: str, to_user_id: str, plain: Plain) -> Uploaded:
        """Put the file up under a fresh key; raises MediaFault."""
        key, file_key = secrets.token_bytes(BLOCK_BYTES), secrets.token_hex(BLOCK_BYTES)
        remember_secret(key.hex())
        cipher_bytes = padded_size(plain.size_bytes)
        body: dict[str, Json] = {
            "filekey": file_key,
            "media_type": MEDIA_TYPES[kind],
            "to_user_id": to_user_id,
            "rawsize": plain.size_bytes,
            "rawfilemd5": plain.md5,
            "filesize": cipher_bytes,
            "no_need_thumb": True,
            "aeskey": key.hex(),
        }
        reply = await ilink.ask("getuploadurl", body)
        if isinstance(reply, SendReply):
            raise MediaFault(reply.outcome, reply.code)
        url = self._upload_url(reply, file_key)
        deadline_s = BASE_DEADLINE_S + cipher_bytes / SLOWEST_BYTES_PER_S
        for attempt in range(UPLOAD_ATTEMPTS):
            await anyio.sleep(PAUSE_S * attempt)
            try:
                answer = await ilink.http.upload(
                    url, encrypted(plain.chunks(), key), cipher_bytes, deadline_s
                )
            except HttpFault as fault:
                code = f"cdn {fault.word}"
                continue
            param = answer.headers.get("x-encrypted-param", "")
            if answer.status == 200 and param:
                return Uploaded(param, key.hex(), cipher_bytes)
            code = f"cdn {answer.status} {_words(answer.headers)}".strip()
            if 400 <= answer.status < 500:
                raise MediaFault("refused", code)
        raise MediaFault("not_sent", code)

    async def download(
        self, ilink: Ilink, kind: str, media: Media, limit_bytes: int
    ) -> AsyncIterator[bytes]:
        """The plain bytes in chunks; raises FetchFault, also in the middle."""
        url = self._download_url(media)
        key = key_of(media.aes_key)
        if key is None and (media.aes_key or kind != "image"):
            raise FetchFault("no usable key", may_retry=False)
        deadline_s = BASE_DEADLINE_S + limit_bytes / SLOWEST_BYTES_PER_S
        try:
            async with ilink.http.download(url, deadline_s) as download:
                if download.status != 200:
                    raise FetchFault(f"cdn {download.status}", may_retry=download.status >= 500)
                chunks = download.chunks if key is None else decrypted(download.chunks, key)
                size_bytes = 0
                async for chunk in chunks:
                    size_bytes += len(chunk)
                    if size_bytes > limit_bytes:
                        raise FetchFault("too large", may_retry=False)
                    yield chunk
        except HttpFault as fault:
            raise FetchFault(f"cdn {fault.word}", may_retry=True) from None

    def _upload_url(self, reply: dict[str, Json], file_key: str) -> str:
        whole, param = reply.get("upload_full_url"), reply.get("upload_param")
        if isinstance(whole, str) and whole:
            try:
                return self._hosts.check(whole)
            except ForeignHost as foreign:
                raise MediaFault("refused", str(foreign)) from None
        if isinstance(param, str) and param:
            query = f"encrypted_query_param={quote(param, safe='')}&filekey={file_key}"
            return f"{self._base}/upload?{query}"
        raise MediaFault("refused", "no place for the upload")

    def _download_url(self, media: Media) -> str:
        try:
            if media.full_url:
                return self._hosts.check(media.full_url)
        except ForeignHost as foreign:
            _log.warning("media.foreign_host", why=str(foreign))
        if not media.download_param:
            raise FetchFault("no address we talk to", may_retry=False)
        return f"{self._base}/download?encrypted_query_param={quote(media.download_param, safe='')}"


def padded_size(plain_bytes: int) -> int:
    """Size under PKCS#7: a full block more when it is a multiple of 16."""
    return (plain_bytes // BLOCK_BYTES + 1) * BLOCK_BYTES


def key_of(text: str) -> bytes | None:
    """32 hex digits, or base64 of 16 bytes or of 32 hex digits; None for anything else."""
    try:
        if len(text) == 32:
            return bytes.fromhex(text)
        raw = base64.b64decode(text, validate=True)
        key = raw if len(raw) == BLOCK_BYTES else bytes.fromhex(raw.decode("ascii"))
        return key if len(key) == BLOCK_BYTES else None
    except (ValueError, binascii.Error):
        return None


def _words(headers: Mapping[str, str]) -> str:
    """What the CDN says is wrong, where it is plain words: they are logged (R18)."""
    said = headers.get("x-error-message", "")
    return said if _PLAIN_WORDS.fullmatch(said) else ""


async def encrypted(chunks: AsyncIterator[bytes], key: bytes) -> AsyncIterator[bytes]:
    """AES-128-ECB, PKCS#7."""
    blocks = aes.encryptor(key)
    size_bytes = 0
    async for chunk in chunks:
        size_bytes += len(chunk)
        yield blocks.update(chunk)
    missing = BLOCK_BYTES - size_bytes % BLOCK_BYTES
    yield blocks.update(bytes([missing]) * missing)


async def decrypted(chunks: AsyncIterator[bytes], key: bytes) -> AsyncIterator[bytes]:
    """The same backwards; raises FetchFault when the padding is wrong."""
    blocks = aes.decryptor(key)
    held = b""
    size_bytes = 0
    async for chunk in chunks:
        size_bytes += len(chunk)
        plain = held + blocks.update(chunk)
        held = plain[-BLOCK_BYTES:]
        if len(plain) > BLOCK_BYTES:
            yield plain[:-BLOCK_BYTES]
    if size_bytes % BLOCK_BYTES:
        raise FetchFault("wrong length", may_retry=False)
    padding = held[-1] if held else 0
    if not 1 <= padding <= BLOCK_BYTES or not held.endswith(bytes([padding]) * padding):
        raise FetchFault("wrong key or padding", may_retry=False)
    yield held[:-padding]
