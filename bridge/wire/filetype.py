"""What is in these bytes? By content alone; a name says nothing (threat-model R26, R27)."""

from __future__ import annotations

HEAD_BYTES = 512  # as much as is looked at

_SIGNS: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png", "png"),
    (0, b"\xff\xd8\xff", "image/jpeg", "jpg"),
    (0, b"GIF8", "image/gif", "gif"),
    (8, b"WEBP", "image/webp", "webp"),
    (0, b"BM", "image/bmp", "bmp"),
    (0, b"%PDF-", "application/pdf", "pdf"),
    (0, b"PK\x03\x04", "application/zip", "zip"),
    (0, b"\x1f\x8b", "application/gzip", "gz"),
    (4, b"ftyp", "video/mp4", "mp4"),
    (0, b"\x1aE\xdf\xa3", "video/webm", "webm"),
    (8, b"AVI ", "video/x-msvideo", "avi"),
    (8, b"WAVE", "audio/wav", "wav"),
    (0, b"ID3", "audio/mpeg", "mp3"),
    (0, b"\xff\xfb", "audio/mpeg", "mp3"),
    (0, b"OggS", "audio/ogg", "ogg"),
    (0, b"#!AMR", "audio/amr", "amr"),
    (0, b"#!SILK", "audio/silk", "silk"),
    (1, b"#!SILK", "audio/silk", "silk"),  # WeChat puts one byte before it
)


def type_of(head: bytes) -> tuple[str, str]:
    """Media type and file ending for the first HEAD_BYTES of a file."""
    for place, sign, kind, ending in _SIGNS:
        if head[place : place + len(sign)] == sign:
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
