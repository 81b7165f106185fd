"""Would a phone show this picture, or a grey square? What WeChat's client makes of an item.

iLink accepts media whose reference no phone can use, so the sender sees `ret: 0` and the
reader sees nothing (`ilink-protocol` 7.2, 7.3 and 13). A flaw is found as the client would
find it: by the members of the item, then by decrypting what lies on the CDN.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from bridge.wire.filetype import HEAD_BYTES, type_of

if TYPE_CHECKING:
    from channel_worker.simulator.world import Json

BLOCK_BYTES = 16
MEMBERS = {"image_item": 2, "voice_item": 3, "file_item": 4, "video_item": 5}


class Flaw(StrEnum):
    """What is wrong, for the author of a client."""

    TYPE = "type does not fit the member of the item"
    VOICE = "phones do not show a voice message of a bot: send the audio as a file"
    NO_MEDIA = "media needs encrypt_query_param and aes_key"
    ENCRYPT_TYPE = "media.encrypt_type must be 1"
    RAW_KEY = "aes_key is base64 of the 16 raw bytes; it must be base64 of the 32 hex digits"
    KEY = "aes_key must be base64 of the 32 hex digits of the key"
    NOT_THERE = "encrypt_query_param names nothing on the CDN (x-encrypted-param does)"
    CIPHER = "the bytes on the CDN do not decrypt with this key (AES-128-ECB, PKCS#7)"
    MID_SIZE = "mid_size must be the encrypted size, a number"
    VIDEO_SIZE = "video_size must be the encrypted size, a number"
    LEN = "len must be the plain size, as text"
    NAME = "file_name is missing"
    NO_PICTURE = "what was decrypted is no picture"


CHINESE = {
    Flaw.TYPE: "type 与消息项的成员不符",
    Flaw.VOICE: "手机不显示机器人发的语音：请把音频作为文件发送",
    Flaw.NO_MEDIA: "media 里要有 encrypt_query_param 和 aes_key",
    Flaw.ENCRYPT_TYPE: "media.encrypt_type 必须是 1",
    Flaw.RAW_KEY: "aes_key 是 16 个原始字节的 base64，应为 32 位十六进制文本的 base64",
    Flaw.KEY: "aes_key 必须是密钥 32 位十六进制文本的 base64",
    Flaw.NOT_THERE: "CDN 上没有 encrypt_query_param 所指的文件（应取自 x-encrypted-param）",
    Flaw.CIPHER: "CDN 上的内容无法用此密钥解密（AES-128-ECB、PKCS#7）",
    Flaw.MID_SIZE: "mid_size 必须是加密后的大小，数字",
    Flaw.VIDEO_SIZE: "video_size 必须是加密后的大小，数字",
    Flaw.LEN: "len 必须是原文件的大小，文本",
    Flaw.NAME: "缺少 file_name",
    Flaw.NO_PICTURE: "解密后的内容不是图片",
}


def flaw_of(item: Json, files: Mapping[str, bytes]) -> Flaw | None:
    """The first thing that keeps a phone from showing this item; None when it shows it."""
    member = next((name for name in MEMBERS if name in item), None)
    if member is None:
        return None
    if item.get("type") != MEMBERS[member]:
        return Flaw.TYPE
    if member == "voice_item":
        return Flaw.VOICE
    body = item[member]
    media = body.get("media") if isinstance(body, dict) else None
    if not isinstance(media, dict) or not _are_texts(media, "encrypt_query_param", "aes_key"):
        return Flaw.NO_MEDIA
    if media.get("encrypt_type") != 1:
        return Flaw.ENCRYPT_TYPE
    key = _key_of(media["aes_key"])
    if isinstance(key, Flaw):
        return key
    cipher = files.get(media["encrypt_query_param"])
    if cipher is None:
        return Flaw.NOT_THERE
    plain = decrypt(cipher, key)
    if plain is None:
        return Flaw.CIPHER
    return _wrong_size(member, body, len(cipher), len(plain)) or _wrong_content(member, body, plain)


def decrypt(cipher: bytes, key: bytes) -> bytes | None:
    """AES-128-ECB with PKCS#7; None where the key or the length cannot be right."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    if not cipher or len(cipher) % BLOCK_BYTES:
        return None
    decryptor = Cipher(algorithms.AES128(key), modes.ECB()).decryptor()
    padded = decryptor.update(cipher) + decryptor.finalize()
    padding = padded[-1]
    is_whole = 1 <= padding <= BLOCK_BYTES and padded.endswith(bytes([padding]) * padding)
    return padded[:-padding] if is_whole else None


def _are_texts(body: Json, *names: str) -> bool:
    return all(isinstance(body.get(name), str) and body[name] for name in names)


def _key_of(text: str) -> bytes | Flaw:
    """The one form that phones take (`ilink-protocol` 7.3)."""
    try:
        raw = base64.b64decode(text, validate=True)
        if len(raw) == BLOCK_BYTES:
            return Flaw.RAW_KEY
        key = bytes.fromhex(raw.decode("ascii"))
    except ValueError:
        return Flaw.KEY
    return key if len(raw) == 2 * BLOCK_BYTES and len(key) == BLOCK_BYTES else Flaw.KEY


def _wrong_size(member: str, body: Json, cipher_bytes: int, plain_bytes: int) -> Flaw | None:
    match member:
        case "image_item":
            return None if body.get("mid_size") == cipher_bytes else Flaw.MID_SIZE
        case "video_item":
            return None if body.get("video_size") == cipher_bytes else Flaw.VIDEO_SIZE
    return None if body.get("len") == str(plain_bytes) else Flaw.LEN


def _wrong_content(member: str, body: Json, plain: bytes) -> Flaw | None:
    if member == "file_item" and not _are_texts(body, "file_name"):
        return Flaw.NAME
    is_picture = type_of(plain[:HEAD_BYTES])[0].startswith("image/")
    return Flaw.NO_PICTURE if member == "image_item" and not is_picture else None
