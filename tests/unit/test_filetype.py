"""What is in a file, by its first bytes."""

from __future__ import annotations

from bridge.codex.arguments import IMAGE_MARKS
from bridge.core.prompts import IMAGE_TYPES
from bridge.files.gate import kind_of
from bridge.wire.filetype import HEAD_BYTES, type_of
from tests.unit.table import table

BMP = b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0"
HEADS = {
    b"\x89PNG\r\n\x1a\nxxxx": ("image/png", "png"),
    b"\xff\xd8\xff\xe0": ("image/jpeg", "jpg"),
    b"GIF87a": ("image/gif", "gif"),
    b"GIF89a": ("image/gif", "gif"),
    b"RIFF\n\0\0\0WEBPVP8 ": ("image/webp", "webp"),
    BMP: ("image/bmp", "bmp"),
    b"%PDF-1.7": ("application/pdf", "pdf"),
    b"PK\x03\x04": ("application/zip", "zip"),
    b"\x1f\x8b\x08": ("application/gzip", "gz"),
    b"\0\0\0\x18ftypheic\0\0\0\0mif1": ("application/octet-stream", "heic"),
    b"\0\0\0\x18ftypmif1": ("application/octet-stream", "heic"),
    b"\0\0\0\x1cftypavif": ("application/octet-stream", "avif"),
    b"\0\0\0\x20ftypM4A \0\0\0\0": ("audio/mp4", "m4a"),
    b"\0\0\0\x14ftypqt  ": ("video/quicktime", "mov"),
    b"\0\0\0\x18ftypmp42": ("video/mp4", "mp4"),
    b"RIFF\n\0\0\0AVI LIST": ("video/x-msvideo", "avi"),
    b"RIFF\n\0\0\0WAVEfmt ": ("audio/wav", "wav"),
    b"ID3\x04\0": ("audio/mpeg", "mp3"),
    b"OggS\0\2": ("audio/ogg", "ogg"),
    b"#!AMR\n": ("audio/amr", "amr"),
    b"\x02#!SILK_V3": ("audio/silk", "silk"),
    b"\0\1\2": ("application/octet-stream", "bin"),
}
TEXTS = (
    b"BMI,height\n22,180\n",
    b"BMW 320d",
    "BM 报告".encode(),
    b"Format: WEBP is a format",
    b"Format: AVI and so on",
    b"GIF8 is no picture",
    b"ID3 tags",
    b"OggS is a sign",
    b"the ftyp box",
    "字".encode() * 200,
    b"",
)


@table(("head", "found"), HEADS.items())
def test_type_comes_from_content(head: bytes, found: tuple[str, str]) -> None:
    """R26, R27."""
    assert type_of(head) == found


@table("text", TEXTS)
def test_text_is_text_whatever_it_begins_with(text: bytes) -> None:
    """R26: a file of words never goes as a picture."""
    assert type_of(text[:HEAD_BYTES]) == ("text/plain", "txt")
    assert kind_of(text[:HEAD_BYTES]) == "file"


@table("head", list(HEADS))
def test_picture_and_film_go_as_what_they_are_and_the_rest_as_a_file(head: bytes) -> None:
    """ilink-protocol 7.2: photos of a kind that WeChat does not list are files."""
    kind, _ = type_of(head)
    assert kind_of(head) == (kind.partition("/")[0] if kind[:5] in ("image", "video") else "file")


@table("head", [*HEADS, *TEXTS])
def test_picture_for_the_thread_is_one_to_the_controller_too(head: bytes) -> None:
    """controller-contract 9: a start with anything else would be refused, and its turn end."""
    assert type_of(head)[0] not in IMAGE_TYPES or head.startswith(IMAGE_MARKS)
