"""What is in these bytes? By content alone; a name says nothing (threat-model R26, R27)."""

from __future__ import annotations

import re

HEAD_BYTES = 512  # as much as is looked at

# How a file begins. A sign that a text may begin with as well is followed to a byte that
# no text has. MP4 and its kin are told apart by the brand behind `ftyp` (ISO 14496-12).
_SIGNS: tuple[tuple[bytes, str, str], ...] = (
    (rb"\x89PNG\r\n\x1a\n", "image/png", "png"),
    (rb"\xff\xd8\xff", "image/jpeg", "jpg"),
    (rb"GIF8[79]a", "image/gif", "gif"),
    (rb"RIFF....WEBP", "image/webp", "webp"),
    (rb"BM....\0\0\0\0", "image/bmp", "bmp"),  # its size, then what is reserved
    (rb"%PDF-", "application/pdf", "pdf"),
    (rb"PK\x03\x04", "application/zip", "zip"),
    (rb"\x1f\x8b", "application/gzip", "gz"),
    # Photos that a phone does not show as pictures, nor a model look at: files.
    (rb"\0\0..ftyp(?:hei[cxms]|hev[cmxs]|mif1|msf1)", "application/octet-stream", "heic"),
    (rb"\0\0..ftypavi[fs]", "application/octet-stream", "avif"),
    (rb"\0\0..ftypM4[AB]", "audio/mp4", "m4a"),
    (rb"\0\0..ftypqt  ", "video/quicktime", "mov"),
    (rb"\0\0..ftyp", "video/mp4", "mp4"),
    (rb"\x1aE\xdf\xa3", "video/webm", "webm"),
    (rb"RIFF....AVI ", "video/x-msvideo", "avi"),
    (rb"RIFF....WAVE", "audio/wav", "wav"),
    (rb"ID3[\2-\4].", "audio/mpeg", "mp3"),
    (rb"\xff\xfb", "audio/mpeg", "mp3"),
    (rb"OggS\0", "audio/ogg", "ogg"),
    (rb"#!AMR(?:-WB)?\n", "audio/amr", "amr"),
    (rb".?#!SILK", "audio/silk", "silk"),  # WeChat puts one byte before it
)
_KNOWN = tuple((re.compile(sign, re.DOTALL), kind, ending) for sign, kind, ending in _SIGNS)


def type_of(head: bytes) -> tuple[str, str]:
    """Media type and file ending for the first HEAD_BYTES of a file."""
    for sign, kind, ending in _KNOWN:
        if sign.match(head):
            return kind, ending
    if b"\0" not in head and _is_text(head):
        return "text/plain", "txt"
    return "application/octet-stream", "bin"


def _is_text(head: bytes) -> bool:
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as wrong:
        return wrong.start >= len(head) - 3 and len(head) >= HEAD_BYTES  # a character cut in two
    return True
