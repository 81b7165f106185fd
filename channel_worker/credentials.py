"""Who are we at iLink? The credential file: one login, readable by us alone.

Written as a whole or not at all, 0600 from the first instant (threat-model R17). A
file that cannot be trusted raises PlaceFault with a sentence; the worker then keeps
what it had, or waits for a login.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from bridge.wire.codec import Json
from bridge.wire.log import Secret
from bridge.wire.place import PlaceFault, private_folder, read_private, write_private
from channel_worker.settings import Settings

MAX_FILE_BYTES = 64 * 1024
MAX_TOKEN_CHARS = 4096


@dataclass(frozen=True, slots=True)
class Credentials:
    """One login. `generation` grows with each, `owner_epoch` with each change of owner."""

    token: Secret
    bot_id: str
    base_url: str  # empty: the official one
    owner_user_id: str
    generation: int
    paired_at_ms: int = 0  # 0: unknown, nothing counts as sent before pairing
    owner_epoch: int = 0


@dataclass(frozen=True, slots=True)
class FileMark:
    """Changes whenever the file may have changed; compared each second."""

    inode: int = 0
    changed_ns: int = 0
    size_bytes: int = 0


def load(settings: Settings) -> Credentials | None:
    """The credentials, None when there are none yet; raises PlaceFault."""
    if settings.direct:
        token = settings.direct.token
        digest = hashlib.sha256(token.reveal().encode()).digest()
        # Another token is another login; no file counts them, so the token itself does.
        generation = int.from_bytes(digest[:4], "big")
        return Credentials(
            token, settings.direct.bot_id, "", settings.owner_user_ids[0], generation
        )
    return load_file(settings.credentials_path)


def load_file(path: Path) -> Credentials | None:
    """What the file says, None when there is no file; raises PlaceFault."""
    try:
        content = read_private(path, MAX_FILE_BYTES)
    except FileNotFoundError:
        return None
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        raise PlaceFault(f"{path} is not whole: run  ctb-channel login  again") from None
    if not isinstance(body, dict):
        raise PlaceFault(f"{path} is no credential file: run  ctb-channel login  again")
    return Credentials(
        token=Secret(_text(path, body, "bot_token")),
        bot_id=_text(path, body, "account_id"),
        base_url=_text(path, body, "base_url", default=""),
        owner_user_id=_text(path, body, "user_id"),
        generation=_number(path, body, "generation", default=1),
        paired_at_ms=_number(path, body, "paired_at", default=0),
        owner_epoch=_number(path, body, "owner_epoch", default=0),
    )


def save(path: Path, credentials: Credentials) -> None:
    """Replace the file as a whole; raises PlaceFault or OSError."""
    private_folder(path.parent)
    body: dict[str, Json] = {
        "bot_token": credentials.token.reveal(),
        "account_id": credentials.bot_id,
        "base_url": credentials.base_url,
        "user_id": credentials.owner_user_id,
        "generation": credentials.generation,
        "paired_at": credentials.paired_at_ms,
        "owner_epoch": credentials.owner_epoch,
    }
    write_private(path, json.dumps(body, indent=2).encode() + b"\n")


def mark(path: Path) -> FileMark:
    """The state of the file on disk; all zero when there is none."""
    try:
        found = path.lstat()
    except OSError:
        return FileMark()
    return FileMark(found.st_ino, found.st_ctime_ns, found.st_size)  # ctime: a chmod counts


def _text(path: Path, body: dict[str, Json], name: str, default: str | None = None) -> str:
    value = body.get(name, default)
    if (
        not isinstance(value, str)
        or len(value) > MAX_TOKEN_CHARS
        or (not value and value != default)
    ):
        raise PlaceFault(f"{path}: {name} must be text: run  ctb-channel login  again")
    return value.strip()


def _number(path: Path, body: dict[str, Json], name: str, default: int) -> int:
    value = body.get(name, default)
    if type(value) is not int or not 0 <= value < 1 << 62:
        raise PlaceFault(f"{path}: {name} must be a whole number: run  ctb-channel login  again")
    return value
