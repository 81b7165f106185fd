"""Files that may leave: what answers offered, the staged copies, and where they went."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from bridge.core.attached import ArtifactId, Handle, NewFile, OutFile
from bridge.core.model import PeerId
from bridge.store import rows
from bridge.store.statements import Record, change, record, value
from bridge.store.statements import add as insert
from bridge.store.tables import ArtifactTable


def add(files: Sequence[NewFile], peer: PeerId, now_ms: int) -> None:
    """Keep these staged copies; one that is there already is the same."""
    for file in files:
        insert(
            ArtifactTable,
            "OR IGNORE",
            peer=peer,
            offer=file.offer,
            created_ms=now_ms,
            staged_name=file.staged_name,
            name=file.name,
            kind=file.kind,
            size_bytes=file.size_bytes,
            sha256=file.sha256,
        )


def id_of(staged_name: str) -> ArtifactId:
    """The copy of this name in the staging folder."""
    where = "SELECT id FROM artifact WHERE staged_name = ? AND staged_name != ''"
    return ArtifactId(value(where, staged_name))


def carried(artifact: int) -> OutFile:
    """The file of a bubble."""
    row: Record = record(ArtifactTable, "id = ?", artifact)  # a foreign key leads here
    handle = Handle(**json.loads(row.handle)) if row.handle else None
    return OutFile(ArtifactId(row.id), row.staged_name, row.name, row.kind, row.sha256, handle)


def uploaded(file: ArtifactId, handle: Handle) -> None:
    """The bytes lie on the channel's CDN."""
    change(ArtifactTable, "id = ?", (file,), handle=rows.dump(asdict(handle)))
