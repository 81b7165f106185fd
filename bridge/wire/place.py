"""Where our private things lie on disk, and the checks that keep them private.

Folders 0700 of our own uid, files 0600 from the first instant, written beside and
renamed, one holder per lock. A check that fails is a PlaceFault whose text is one
sentence for the terminal, with the next step in it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import stat
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

MAX_SOCKET_PATH_BYTES = 107 if sys.platform == "linux" else 103  # sun_path less its NUL
DATA_EXAMPLE = "for example CTB_DATA_DIR=$HOME/ctb-data"
GITIGNORE = ".gitignore"  # the file by which git keeps a folder of ours, and nothing else in it
SOCKET_EXAMPLE = "for example CTB_SOCKET=$HOME/.ctb/bridge.sock"


class PlaceFault(Exception):
    """A folder or file is not as it must be; the text says what to do."""


class NotMade(PlaceFault):
    """There is no such folder, and none can be made; the text says why, and no step."""


class TooOpen(PlaceFault):
    """A file of ours that others may read or write: closing it is all that is needed."""


class AlreadyRunning(PlaceFault):
    """Another process of ours holds the lock or the socket; exit code 4."""


@dataclass(frozen=True, slots=True)
class HeldLock:
    """An flock that lives as long as the descriptor: until the process ends."""

    fd: int

    def release(self) -> None:
        os.close(self.fd)


def data_folders(data_dir: Path, names: Iterable[str]) -> None:
    """CTB_DATA_DIR, whoever may look into it, with private folders of these names."""
    try:
        _make(data_dir, 0o777)
        for name in names:
            private_folder(data_dir / name)
    except NotMade as fault:
        raise PlaceFault(f"{fault}: set CTB_DATA_DIR, {DATA_EXAMPLE}") from fault


def socket_folder(socket: Path) -> Path:
    """The folder of our socket, private; a path that the kernel would cut is refused first."""
    check_socket_path(socket)
    try:
        return private_folder(socket.parent)
    except PlaceFault as fault:  # its own next step would close a folder like /tmp to everybody
        raise PlaceFault(
            f"{str(fault).partition(':')[0]}: set CTB_SOCKET to a path in a folder of its own, "
            f"{SOCKET_EXAMPLE}"
        ) from fault


def is_there(name: str) -> bool:
    """Whether this names something on the disk; False where it cannot be looked at."""
    try:
        return Path(name).exists()
    except (OSError, ValueError):
        return False


def private_folder(path: Path) -> Path:
    """Make `path` 0700, or check that it is: ours, no symlink, closed to others.

    A folder that holds nothing but GITIGNORE is as git made it: it becomes 0700.
    """
    _make(path, 0o700)
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise PlaceFault(f"{path} is a symbolic link: make it a real folder")
    if found.st_uid != os.geteuid():
        raise PlaceFault(f"{path} belongs to another user: change its owner or CTB_DATA_DIR")
    if found.st_mode & 0o077:
        if [entry.name for entry in path.iterdir()] != [GITIGNORE]:
            raise PlaceFault(f"{path} is open to other users: run  chmod 700 '{path}'")
        path.chmod(0o700)
    return path


def _make(path: Path, mode: int) -> None:
    try:
        path.mkdir(mode=mode, parents=True, exist_ok=True)
    except FileExistsError:
        raise NotMade(f"{path} is in the way: it must be a folder") from None
    except OSError as failed:
        raise NotMade(f"{path} cannot be made: {failed.strerror}") from failed


def hold_lock(path: Path) -> HeldLock:
    """Take the flock of `path` for the life of the process; raises AlreadyRunning.

    The file is never removed: a second process would lock a new one of the same name.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(path, flags, 0o600)
    except OSError as failed:
        raise PlaceFault(f"{path} cannot be opened: {failed.strerror}") from failed
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(fd, 20).decode("ascii", "replace").strip() or "unknown"
        os.close(fd)
        raise AlreadyRunning(f"already running (process {holder} holds {path.name})") from None
    os.ftruncate(fd, 0)
    os.write(fd, f"{os.getpid()}\n".encode())  # for people; the lock is the flock
    return HeldLock(fd)


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock of `path` now."""
    if not path.exists():
        return False
    try:
        hold = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(hold, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(hold)
    return False


def write_private(path: Path, data: bytes) -> None:
    """Replace `path` as a whole; a crash leaves the old content or the new, 0600."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(beside, flags, 0o600)
    try:
        with os.fdopen(fd, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def touch_private(path: Path) -> None:
    """Make an empty 0600 file where there is none, so that nothing makes a wider one."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    os.close(os.open(path, flags, 0o600))


def read_private(path: Path, limit_bytes: int) -> bytes:
    """The bytes of a file that only we can read; FileNotFoundError when there is none.

    Raises PlaceFault for a symlink, another owner, group or other bits, or one that
    is larger than `limit_bytes`.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise
    except OSError as failed:
        why = "is a symbolic link" if failed.errno == errno.ELOOP else failed.strerror
        raise PlaceFault(f"{path} cannot be read: {why}") from failed
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):  # before `fdopen`, which raises at a folder
        os.close(fd)
        raise PlaceFault(f"{path} is not a regular file")
    with os.fdopen(fd, "rb") as source:
        if found.st_uid != os.geteuid():
            raise PlaceFault(f"{path} belongs to another user")
        if found.st_mode & 0o077:
            raise TooOpen(f"{path} is open to other users: run  chmod 600 '{path}'")
        data = source.read(limit_bytes + 1)
    if len(data) > limit_bytes:
        raise PlaceFault(f"{path} is larger than {limit_bytes} bytes")
    return data


def sync_folder(folder: Path) -> None:
    """Make a rename or removal in `folder` survive a power cut."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def check_socket_path(path: Path) -> None:
    """Refuse a path the kernel would cut (108 bytes on Linux, 104 on macOS)."""
    length = len(os.fsencode(path))
    if length > MAX_SOCKET_PATH_BYTES:
        raise PlaceFault(
            f"the socket path is {length} bytes long, the system allows "
            f"{MAX_SOCKET_PATH_BYTES}: set CTB_SOCKET to a shorter one, "
            f"{SOCKET_EXAMPLE}"
        )
