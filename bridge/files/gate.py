"""May this file leave the computer? Opened, checked on the open file, copied, hashed.

A path in an answer is only an offer. The way to it is walked from the folder that
allows it, component by component, each opened below the one before and never through a
link, so nothing that is renamed meanwhile leads elsewhere (threat-model R23). All checks
are made on the open file, and what passes is copied from that very descriptor into the
staging folder (R24): later steps know only the copy, by its hash.

What is not refused may still hold a doubt (R25): then its owner is asked, once.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePath

from bridge.core.attached import FileKind
from bridge.files import sensitive
from bridge.wire import filetype
from bridge.wire import place as places

MAX_NAME_CHARS = 80  # threat-model R26
COPY_BYTES = 1 << 20
OVERLAP_BYTES = 1024  # twice, for UTF-16, a name and a value of `sensitive`
NAME_BYTES = 16  # of chance
CLOCK_SLACK_MS = 2_000  # file systems keep times to 2 s at worst (FAT)
_UNSHOWN = ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp")  # turn, hide, or end the line

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC  # a FIFO must not block


class Why(StrEnum):
    """Why a file does not leave, whatever its owner says."""

    OUTSIDE = "outside"  # not below a folder that allows it
    MISSING = "missing"
    LINK = "link"  # a link on the way, or more than one name
    NOT_A_FILE = "not_a_file"
    NOT_OURS = "not_ours"  # of another user, or on another file system
    UNREADABLE = "unreadable"
    EMPTY = "empty"
    TOO_LARGE = "too_large"
    CHANGED = "changed"  # while it was read
    PRIVATE = "private"  # our own state


class Doubt(StrEnum):
    """Why a file leaves only after its owner has said yes to its name, size and hash."""

    NOT_OF_TURN = "not_of_turn"  # not written while the turn ran
    NOT_EXPORTED = "not_exported"  # of the turn, but not in a folder for exports
    ARCHIVE = "archive"  # never looked into
    SECRET = "secret"


@dataclass(frozen=True, slots=True)
class Roots:
    """The folders of one thread from which files may leave; all absolute."""

    workspace: Path | None  # what relative paths begin with; None: there is none here
    exports: tuple[Path, ...]  # the thread's `exports`, and CTB_ARTIFACT_ROOTS
    private: tuple[Path, ...]  # our state: never, not even by a detour
    is_wide: bool = False  # the workspace holds a whole home: only its exports count


@dataclass(frozen=True, slots=True)
class Leaving:
    """What the settings say of files that leave."""

    staging: Path = Path(os.devnull)  # where nothing can be written
    roots: tuple[Path, ...] = ()  # CTB_ARTIFACT_ROOTS
    private: tuple[Path, ...] = ()
    limit_bytes: int = 20 * 1024 * 1024  # CTB_MAX_ARTIFACT_BYTES; threat-model R9


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
    offers: Sequence[Path], roots: Roots, window: TurnWindow, limit_bytes: int
) -> list[Seen | Refused]:
    """Check each offer as `stage` does, but for what only its whole content tells."""
    guard = _guard(roots)
    return [_look_at(offer, roots, guard, window, limit_bytes) for offer in offers]


def _look_at(
    offer: Path, roots: Roots, guard: _Guard, window: TurnWindow, limit_bytes: int
) -> Seen | Refused:
    try:
        place = _place(offer, roots)
        with _opened(place, guard) as (source, device):
            found = os.fstat(source)
            _check(found, device, limit_bytes)
            doubts = _doubts_of_place(place, found, window)
            head = os.pread(source, sensitive.ARCHIVE_HEAD_BYTES, 0)
    except _Stays as stays:
        return Refused(stays.why)
    doubts += _doubts_of_content(head, place.parts)
    return Seen(found.st_size, doubts)


def stage(
    offer: Path, roots: Roots, window: TurnWindow, into: Path, limit_bytes: int
) -> Staged | Refused:
    """Check `offer` and copy it into the folder `into`; blocks on the disk, never on a FIFO.

    A relative path is one below the workspace. Raises OSError only for `into` itself.
    """
    try:
        place = _place(offer, roots)
        with _opened(place, _guard(roots)) as (source, device):
            found = os.fstat(source)
            _check(found, device, limit_bytes)
            doubts = _doubts_of_place(place, found, window)
            copy = into / secrets.token_hex(NAME_BYTES)
            sha256 = _copy(source, found, copy, limit_bytes)
    except _Stays as stays:
        return Refused(stays.why)
    pieces = _pieces(copy)
    head = next(pieces)
    doubts += _doubts_of_content(head, place.parts)
    if Doubt.SECRET not in doubts and any(map(sensitive.holds_secret, pieces)):
        doubts += (Doubt.SECRET,)
    kind = kind_of(head[: filetype.HEAD_BYTES])
    return Staged(copy.name, shown(offer.name), kind, found.st_size, sha256, doubts)


def keep(data: bytes, into: Path) -> tuple[str, str]:
    """Keep bytes of our own in the folder `into`: the name of the copy, and its hash."""
    copy = into / secrets.token_hex(NAME_BYTES)
    places.write_private(copy, data)
    return copy.name, hashlib.sha256(data).hexdigest()


def is_whole(staged: Path, sha256: str) -> bool:
    """Whether a copy is still there, byte for byte; blocks on the disk."""
    try:
        fd = os.open(staged, _FILE)
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


class _Stays(Exception):
    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class _Place:
    root: Path
    parts: tuple[str, ...]
    is_export: bool


def _place(offer: Path, roots: Roots) -> _Place:
    """The narrowest folder that allows the offer, by its words alone, and the way below."""
    asked = offer if roots.workspace is None else roots.workspace / offer
    if not asked.is_absolute():
        raise _Stays(Why.OUTSIDE)
    text = str(asked)
    if "\0" in text or "\n" in text:
        raise _Stays(Why.OUTSIDE)
    allowed = [(root, True) for root in roots.exports]
    if roots.workspace is not None and not roots.is_wide:
        allowed.append((roots.workspace, False))
    for root, is_export in allowed:
        if text.startswith(f"{root}/"):
            parts = tuple(text[len(f"{root}/") :].split("/"))
            if ".." in parts:
                break
            return _Place(root, parts, is_export)
    raise _Stays(Why.OUTSIDE)


@dataclass(frozen=True, slots=True)
class _Guard:
    """Our state, as the disk knows it, and the roots in it: a workspace may lie anywhere."""

    forbidden: frozenset[tuple[int, int]]
    closed: frozenset[Path]


def _guard(roots: Roots) -> _Guard:
    forbidden = frozenset(_identity(at.stat()) for at in roots.private if at.exists())
    named = (*roots.exports, *((roots.workspace,) if roots.workspace else ()))
    closed = frozenset(root for root in named if _is_below(root, forbidden))
    return _Guard(forbidden, closed)


def _is_below(root: Path, forbidden: frozenset[tuple[int, int]]) -> bool:
    try:
        return any(_identity(above.stat()) in forbidden for above in root.resolve().parents)
    except OSError:
        return False  # it is not there, so nothing is below it


@contextmanager
def _opened(place: _Place, guard: _Guard) -> Iterator[tuple[int, int]]:
    """The file, reached without a link, and the root's device; closed afterwards."""
    if place.root in guard.closed:
        raise _Stays(Why.PRIVATE)
    forbidden = guard.forbidden
    folder = _open(str(place.root), _FOLDER, None)
    try:
        device = os.fstat(folder).st_dev
        for part in place.parts[:-1]:
            if _identity(os.fstat(folder)) in forbidden:
                raise _Stays(Why.PRIVATE)
            below = _open(part, _FOLDER, folder)
            os.close(folder)
            folder = below
        if _identity(os.fstat(folder)) in forbidden:
            raise _Stays(Why.PRIVATE)
        _look(place.parts[-1], folder)
        source = _open(place.parts[-1], _FILE, folder)
    finally:
        os.close(folder)
    try:
        yield source, device
    finally:
        os.close(source)


def _look(name: str, folder: int) -> None:
    """Before it is opened, which alone can wake a device, or drop SQLite's locks through a
    second name of our database. What counts is checked again on the open file."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        raise _Stays(Why.MISSING) from None
    _check_kind(found)


def _open(name: str, flags: int, below: int | None) -> int:
    try:
        return os.open(name, flags, dir_fd=below)
    except FileNotFoundError:
        raise _Stays(Why.MISSING) from None
    except PermissionError:
        raise _Stays(Why.UNREADABLE) from None
    except OSError:  # a link, or no folder, where a folder should be
        raise _Stays(Why.LINK) from None


def _check_kind(found: os.stat_result) -> None:
    if stat.S_ISLNK(found.st_mode):
        raise _Stays(Why.LINK)
    if not stat.S_ISREG(found.st_mode):
        raise _Stays(Why.NOT_A_FILE)
    if found.st_nlink != 1:
        raise _Stays(Why.LINK)


def _check(found: os.stat_result, device: int, limit_bytes: int) -> None:
    _check_kind(found)
    if found.st_uid != os.geteuid() or found.st_dev != device:
        raise _Stays(Why.NOT_OURS)
    if found.st_size == 0:
        raise _Stays(Why.EMPTY)
    if found.st_size > limit_bytes:
        raise _Stays(Why.TOO_LARGE)


def _copy(source: int, found: os.stat_result, copy: Path, limit_bytes: int) -> str:
    """The hash of the copy; nothing stays of one that is not whole."""
    part = copy.with_name(f".{copy.name}.part")
    target = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    digest, size = hashlib.sha256(), 0
    try:
        while data := _read(source):
            size += len(data)
            if size > limit_bytes:
                raise _Stays(Why.TOO_LARGE)
            digest.update(data)
            _write(target, data)
        if _state(os.fstat(source)) != _state(found) or size != found.st_size:
            raise _Stays(Why.CHANGED)
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
        raise _Stays(Why.UNREADABLE) from None


def _write(target: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]


def _state(found: os.stat_result) -> tuple[int, ...]:
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_nlink)


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _doubts_of_place(place: _Place, found: os.stat_result, window: TurnWindow) -> tuple[Doubt, ...]:
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
    raise _Stays(Why.OUTSIDE)


def _doubts_of_content(content: bytes, parts: tuple[str, ...]) -> tuple[Doubt, ...]:
    doubts = [Doubt.ARCHIVE] if sensitive.is_archive(content) else []
    if sensitive.is_private_name(parts) or sensitive.holds_secret(content):
        doubts.append(Doubt.SECRET)
    return tuple(doubts)
