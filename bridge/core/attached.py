"""What comes with words: files of a message and of a prompt, and the marked part of a quote."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NewType

FileId = NewType("FileId", int)  # of a file that came with a message


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
