"""What goes with words: files of a message, of a prompt and of a bubble, and a quote's mark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NewType

FileId = NewType("FileId", int)  # of a file that came with a message
ArtifactId = NewType("ArtifactId", int)  # of a file that may leave
FileKind = Literal["image", "video", "file"]  # as what a file is sent


@dataclass(frozen=True, slots=True)
class Selection:
    """The part of a quoted message that was marked (ilink-protocol 6.3, partial text)."""

    start: str
    end: str
    start_index: int = 0
    end_index: int = 0
    md5: str = ""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came with a message; `place` is its part. No outcome yet: not here yet."""

    id: FileId
    place: int
    outcome: Literal["", "stored", "gone"] = ""
    path: str = ""
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class TurnFile:
    """A file of the owner that a prompt names; the phone is shown `label`, never the path."""

    path: str
    label: str
    is_image: bool = False


@dataclass(frozen=True, slots=True)
class Handle:
    """Where the channel keeps the bytes of a file; its key is a secret in every export (R21)."""

    download_param: str
    aes_key: str
    plain_bytes: int
    cipher_bytes: int
    at_ms: int  # when it was uploaded


@dataclass(frozen=True, slots=True)
class OutFile:
    """The file that a bubble carries: bytes in the staging folder, and where they went."""

    id: ArtifactId
    staged_name: str
    name: str
    kind: FileKind
    sha256: str
    handle: Handle | None = None


@dataclass(frozen=True, slots=True)
class NewFile:
    """Bytes that lie in the staging folder, to be kept; a bubble names them by `staged_name`."""

    staged_name: str
    name: str
    kind: FileKind
    size_bytes: int
    sha256: str
    offer: ArtifactId | None = None  # what it is a copy of; None: written by the bridge itself
    turn: int | None = None  # whose file it is
    client: str = ""  # or the agent's


@dataclass(frozen=True, slots=True)
class Offer:
    """A file as an answer or an agent named it; whether it may leave, the gate says."""

    id: ArtifactId
    path: str
    at_ms: int  # when it was offered
    turn: int | None = None
    client: str = ""


@dataclass(frozen=True, slots=True)
class FileFact:
    """What the gate says of an offer; `why` and `doubts` are its words."""

    offer: ArtifactId | None  # None: the text of an answer
    name: str
    size_bytes: int = 0
    why: str = ""  # why it stays, whatever its owner says
    doubts: tuple[str, ...] = ()  # why its owner is asked first
    client: str = ""
    copy: NewFile | None = None
