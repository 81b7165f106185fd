"""How is a file reached? From the folder that allows it, each part below the one before.

Never through a link: nothing that is renamed meanwhile leads elsewhere (threat-model R23).
What stands in the way is said by its reason; what the open file is, the gate asks.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

Identity = tuple[int, int]  # device and inode

FDINFO_BYTES = 256  # three lines of it have fewer than 80

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC  # a FIFO must not block


class Why(StrEnum):
    """Why a file does not leave, whatever its owner says."""

    OUTSIDE = "outside"  # not below a folder that allows it
    MISSING = "missing"
    LINK = "link"  # a link on the way, or more than one name
    NOT_A_FILE = "not_a_file"
    NOT_OURS = "not_ours"  # of another user, on another disk, or mounted here
    UNREADABLE = "unreadable"
    EMPTY = "empty"
    TOO_LARGE = "too_large"
    CHANGED = "changed"  # while it was read
    PRIVATE = "private"  # our own state


@dataclass(frozen=True, slots=True)
class Roots:
    """The folders of one thread from which files may leave; all absolute."""

    workspace: Path | None  # what relative paths begin with; None: there is none here
    exports: tuple[Path, ...]  # the thread's `exports`, and CTB_ARTIFACT_ROOTS
    private: tuple[Path, ...]  # our state: never, not even by a detour
    is_wide: bool = False  # the workspace holds a whole home: only its exports count
    secret: tuple[Path, ...] = ()  # what lies in these leaves only after a yes


class Stays(Exception):
    """The file does not leave."""

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Place:
    """What is offered, as words: the folder that allows it, and the way below."""

    root: Path
    workspace: Path | None  # from where the root is reached; None: by its own path
    parts: tuple[str, ...]
    is_export: bool

    @property
    def above(self) -> tuple[str, ...]:
        """The names before the way that count.

        What holds a workspace says nothing of its files: Codex keeps work trees in its home.
        """
        first = len(self.workspace.parts) - 1 if self.workspace else 0
        return self.root.parts[first:]


def place_of(offer: Path | str, roots: Roots) -> Place:
    """The first folder that allows the offer, by its words alone; raises Stays."""
    if str(offer).endswith(("/", "/.")):  # the name of a folder
        raise Stays(Why.NOT_A_FILE)
    asked = Path(offer)
    if roots.workspace is not None and not asked.is_absolute():
        asked = roots.workspace / asked
    if not asked.is_absolute():
        raise Stays(Why.OUTSIDE)
    text = str(asked)
    if "\0" in text or "\n" in text:
        raise Stays(Why.OUTSIDE)
    allowed = [(root, True) for root in roots.exports]
    if roots.workspace is not None and not roots.is_wide:
        allowed.append((roots.workspace, False))
    for root, is_export in allowed:
        if text.startswith(f"{root}/"):
            parts = tuple(text[len(f"{root}/") :].split("/"))
            if ".." in parts:
                break
            is_of_workspace = roots.workspace in (root, root.parent)
            return Place(root, roots.workspace if is_of_workspace else None, parts, is_export)
    raise Stays(Why.OUTSIDE)


@dataclass(frozen=True, slots=True)
class Guard:
    """Folders by what the disk knows of them, since a workspace may lie in any or hold it."""

    private: frozenset[Identity]
    secret: frozenset[Identity]
    above: Mapping[Path, frozenset[Identity]]  # those that hold a root


def guarded(roots: Roots) -> Guard:
    """Look where our state and the secrets of others lie now."""
    named = (*roots.exports, *((roots.workspace,) if roots.workspace else ()))
    above = {root: _above(root) for root in named}
    return Guard(_identities(roots.private), _identities(roots.secret), above)


def _identities(folders: Iterable[Path]) -> frozenset[Identity]:
    return frozenset(_identity(folder.stat()) for folder in folders if folder.exists())


def _above(root: Path) -> frozenset[Identity]:
    try:
        return frozenset(_identity(above.stat()) for above in root.resolve().parents)
    except OSError:
        return frozenset()  # it is not there, so nothing is below it


@dataclass(frozen=True, slots=True)
class Opened:
    """A file that was reached."""

    fd: int
    is_secret: bool  # by a folder on the way


@contextmanager
def opened(place: Place, guard: Guard) -> Iterator[Opened]:
    """The file, reached through no link and no mount below its root; closed afterwards.

    Raises Stays.
    """
    # A link in the workspace's place would lead to the exports of another folder.
    first = place.workspace or place.root
    folder = _open(str(first), _FOLDER, None)
    try:
        passed = [os.fstat(folder)]
        if place.root != first:
            folder = _step(folder, place.root.name)
            passed.append(os.fstat(folder))
        disk, mount = passed[-1].st_dev, _mount_of(folder)
        for part in place.parts[:-1]:
            folder = _step(folder, part)
            passed.append(os.fstat(folder))
        way = frozenset(map(_identity, passed))
        whole = way | guard.above[place.root]
        if not guard.private.isdisjoint(whole):
            raise Stays(Why.PRIVATE)
        _look(place.parts[-1], folder)
        source = _open(place.parts[-1], FILE, folder)
    finally:
        os.close(folder)
    try:
        if os.fstat(source).st_dev != disk or _mount_of(source) != mount:
            raise Stays(Why.NOT_OURS)
        yield Opened(source, not guard.secret.isdisjoint(way if place.workspace else whole))
    finally:
        os.close(source)


def _step(folder: int, part: str) -> int:
    """Go on into a folder below, and close the one that is left."""
    below = _open(part, _FOLDER, folder)
    os.close(folder)
    return below


def _look(name: str, folder: int) -> None:
    """Before it is opened, which alone can wake a device, or drop SQLite's locks through a
    second name of our database. What counts is checked again on the open file."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        raise Stays(Why.MISSING) from None
    check_kind(found)


def _open(name: str, flags: int, below: int | None) -> int:
    try:
        return os.open(name, flags, dir_fd=below)
    except FileNotFoundError:
        raise Stays(Why.MISSING) from None
    except PermissionError:
        raise Stays(Why.UNREADABLE) from None
    except OSError:  # a link, or no folder, where a folder should be
        raise Stays(Why.LINK) from None


def _mount_of(fd: int) -> bytes:
    """The mount that an open file was reached through; empty where the system does not say.

    Nothing else tells a folder of the same disk that is mounted elsewhere: Linux, proc(5),
    `mnt_id` of fdinfo, the third line of it. Other systems have no such mounts.
    """
    try:
        told = os.open(f"/proc/self/fdinfo/{fd}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(told, FDINFO_BYTES).partition(b"mnt_id:")[2].partition(b"\n")[0]
    finally:
        os.close(told)


def check_kind(found: os.stat_result) -> None:
    """Raises Stays for what is no plain file with one name."""
    if stat.S_ISLNK(found.st_mode):
        raise Stays(Why.LINK)
    if not stat.S_ISREG(found.st_mode):
        raise Stays(Why.NOT_A_FILE)
    if found.st_nlink != 1:
        raise Stays(Why.LINK)


def _identity(found: os.stat_result) -> Identity:
    return found.st_dev, found.st_ino
