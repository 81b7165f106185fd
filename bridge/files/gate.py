"""May this file leave the computer? Opened, checked on the open file, copied, hashed.

A path in an answer is only an offer, and is reached as `way` says (threat-model R23).
All checks are made on the open file, and what passes is copied from that very descriptor
into the staging folder (R24): later steps know only the copy, by its hash.

What is not refused may still hold a doubt (R25): then its owner is asked, once.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from pathlib import Path, PurePath

from bridge.core.attached import FileKind
from bridge.files import sensitive
from bridge.files.way import (
    FILE,
    Guard,
    Opened,
    Place,
    Stays,
    check_kind,
    guarded,
    opened,
    place_of,
)
from bridge.files.way import Roots as Roots  # the callers' words: they know the gate alone
from bridge.files.way import Why as Why
from bridge.wire import filetype
from bridge.wire import place as places

MAX_NAME_CHARS = 80  # threat-model R26
COPY_BYTES = 1 << 20
OVERLAP_BYTES = 4096  # four times, for UTF-32, a name and a value of `sensitive`
LOOK_BYTES = 8 * 1024  # of each file, for a secret in it; a copy is read whole
NAME_BYTES = 16  # of chance
CLOCK_SLACK_MS = 2_000  # file systems keep times to 2 s at worst (FAT)
_UNSHOWN = ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp")  # turn, hide, or end the line


class Doubt(StrEnum):
    """Why a file leaves only after its owner has said yes to its name, size and hash."""

    NOT_OF_TURN = "not_of_turn"  # not written while the turn ran
    NOT_EXPORTED = "not_exported"  # of the turn, but not in a folder for exports
    ARCHIVE = "archive"  # never looked into
    SECRET = "secret"


@dataclass(frozen=True, slots=True)
class Leaving:
    """What the settings say of files that leave."""

    staging: Path = Path(os.devnull)  # where nothing can be written
    roots: tuple[Path, ...] = ()  # CTB_ARTIFACT_ROOTS
    private: tuple[Path, ...] = ()
    limit_bytes: int = 20 * 1024 * 1024  # CTB_MAX_ARTIFACT_BYTES; threat-model R9
    secret: tuple[Path, ...] = ()  # CODEX_HOME: only after a yes


@dataclass(frozen=True, slots=True)
class TurnWindow:
    """When the turn ran, in UTC epoch milliseconds."""

    began_ms: int
    ended_ms: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The file stays."""

    why: Why


@dataclass(frozen=True, slots=True)
class Seen:
    """A file that may leave, as far as a look tells; copied, it may rouse another doubt."""

    size_bytes: int
    doubts: tuple[Doubt, ...]


@dataclass(frozen=True, slots=True)
class Staged:
    """A copy that may be sent; after a `yes` where there is a doubt."""

    staged_name: str  # in the staging folder; random, so that no two copies share their end
    shown_name: str
    kind: FileKind  # by content
    size_bytes: int
    sha256: str
    doubts: tuple[Doubt, ...]


def look(
    offers: Sequence[Path | str], roots: Roots, window: TurnWindow, limit_bytes: int
) -> list[Seen | Refused]:
    """Check each offer as `stage` does, but for what only its whole content tells."""
    guard = guarded(roots)
    return [_look_at(offer, roots, guard, window, limit_bytes) for offer in offers]


def _look_at(
    offer: Path | str, roots: Roots, guard: Guard, window: TurnWindow, limit_bytes: int
) -> Seen | Refused:
    try:
        place = place_of(offer, roots)
        with opened(place, guard) as source:
            found = os.fstat(source.fd)
            _check(found, limit_bytes)
            doubts = _doubts_of_place(place, found, window)
            head = os.pread(source.fd, sensitive.ARCHIVE_HEAD_BYTES, 0)
    except Stays as stays:
        return Refused(stays.why)
    doubts += _doubts_of_content(place, source, head, b"", [head[:LOOK_BYTES]])
    return Seen(found.st_size, doubts)


def stage(
    offer: Path | str, roots: Roots, window: TurnWindow, into: Path, limit_bytes: int
) -> Staged | Refused:
    """Check `offer` and copy it into the folder `into`; blocks on the disk, never on a FIFO.

    A relative path is one below the workspace. Raises OSError only for `into` itself.
    """
    try:
        place = place_of(offer, roots)
        with opened(place, guarded(roots)) as source:
            found = os.fstat(source.fd)
            _check(found, limit_bytes)
            doubts = _doubts_of_place(place, found, window)
            copy = into / secrets.token_hex(NAME_BYTES)
            sha256 = _copy(source.fd, found, copy, limit_bytes)
    except Stays as stays:
        return Refused(stays.why)
    pieces = _pieces(copy)
    head = next(pieces)
    doubts += _doubts_of_content(place, source, head, _tail(copy), chain([head], pieces))
    kind = kind_of(head[: filetype.HEAD_BYTES])
    return Staged(copy.name, shown(PurePath(offer).name), kind, found.st_size, sha256, doubts)


def keep(data: bytes, into: Path) -> tuple[str, str]:
    """Keep bytes of our own in the folder `into`: the name of the copy, and its hash."""
    copy = into / secrets.token_hex(NAME_BYTES)
    places.write_private(copy, data)
    return copy.name, hashlib.sha256(data).hexdigest()


def is_whole(staged: Path, sha256: str) -> bool:
    """Whether a copy is still there, byte for byte; blocks on the disk."""
    try:
        fd = os.open(staged, FILE)
    except OSError:
        return False
    with os.fdopen(fd, "rb") as copy:
        return hashlib.file_digest(copy, "sha256").hexdigest() == sha256


def kind_of(head: bytes) -> FileKind:
    """As what a file that begins so is sent."""
    main = filetype.type_of(head)[0].partition("/")[0]
    return "image" if main == "image" else "video" if main == "video" else "file"


def shown(name: str) -> str:
    """The name a phone sees: one line, no sign that turns or hides, its ending kept."""
    kept = "".join(s for s in name if unicodedata.category(s) not in _UNSHOWN).strip(". ")
    if len(kept) > MAX_NAME_CHARS:
        ending = PurePath(kept).suffix[: MAX_NAME_CHARS // 2]
        kept = kept[: MAX_NAME_CHARS - len(ending)] + ending
    return kept or "file"


def _check(found: os.stat_result, limit_bytes: int) -> None:
    check_kind(found)
    if found.st_uid != os.geteuid():
        raise Stays(Why.NOT_OURS)
    if found.st_size == 0:
        raise Stays(Why.EMPTY)
    if found.st_size > limit_bytes:
        raise Stays(Why.TOO_LARGE)


def _copy(source: int, found: os.stat_result, copy: Path, limit_bytes: int) -> str:
    """The hash of the copy; nothing stays of one that is not whole."""
    part = copy.with_name(f".{copy.name}.part")
    target = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    digest, size = hashlib.sha256(), 0
    try:
        while data := _read(source):
            size += len(data)
            if size > limit_bytes:
                raise Stays(Why.TOO_LARGE)
            digest.update(data)
            _write(target, data)
        if _state(os.fstat(source)) != _state(found) or size != found.st_size:
            raise Stays(Why.CHANGED)
        os.fsync(target)
        part.rename(copy)
        places.sync_folder(copy.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    finally:
        os.close(target)
    return digest.hexdigest()


def _pieces(copy: Path) -> Iterator[bytes]:
    """The bytes of a copy, in pieces that overlap by more than the longest sign of a secret."""
    with copy.open("rb") as content:
        tail = b""
        while data := content.read(COPY_BYTES):
            yield tail + data
            tail = data[-OVERLAP_BYTES:]


def _read(source: int) -> bytes:
    try:
        return os.read(source, COPY_BYTES)
    except OSError:  # a disk, or a network, that fails
        raise Stays(Why.UNREADABLE) from None


def _tail(copy: Path) -> bytes:
    """As much of its end as tells an archive."""
    with copy.open("rb") as content:
        content.seek(-min(sensitive.ZIP_END_BYTES, copy.stat().st_size), os.SEEK_END)
        return content.read()


def _write(target: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]


def _state(found: os.stat_result) -> tuple[int, ...]:
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_nlink)


def _doubts_of_place(place: Place, found: os.stat_result, window: TurnWindow) -> tuple[Doubt, ...]:
    first, last = window.began_ms - CLOCK_SLACK_MS, window.ended_ms + CLOCK_SLACK_MS
    times_ms = (found.st_mtime_ns // 1_000_000, found.st_ctime_ns // 1_000_000)
    is_of_turn = all(first <= at_ms <= last for at_ms in times_ms)
    match place.is_export, is_of_turn:
        case True, True:
            return ()
        case True, False:
            return (Doubt.NOT_OF_TURN,)
        case False, True:
            return (Doubt.NOT_EXPORTED,)
    raise Stays(Why.OUTSIDE)


def _doubts_of_content(
    place: Place, source: Opened, head: bytes, tail: bytes, texts: Iterable[bytes]
) -> tuple[Doubt, ...]:
    doubts = [Doubt.ARCHIVE] if sensitive.is_archive(head, tail) else []
    is_secret = source.is_secret or sensitive.is_private_name(place.parts, place.above)
    if is_secret or any(map(sensitive.holds_secret, texts)):
        doubts.append(Doubt.SECRET)
    return tuple(doubts)
