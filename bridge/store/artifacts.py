"""Files that may leave: what answers offered, the staged copies, and where they went."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from bridge.core.attached import ArtifactId, Handle, NewFile, Offer, OutFile
from bridge.core.model import (
    OutId,
    OutRow,
    OutState,
    PeerId,
    ThreadId,
    Turn,
    TurnId,
)
from bridge.store import rows
from bridge.store.statements import Record, change, count, pairs, record, records, value
from bridge.store.statements import add as insert
from bridge.store.tables import ArtifactTable, OutboxTable, TurnTable

_NEEDED = """SELECT staged_name, outbox.id FROM outbox
    JOIN artifact ON artifact.id = outbox.artifact WHERE state != 'done'"""
# Answers, the newest first; each begins with the very words of the index that serves it.
_ANSWERED = "peer = ?1 AND outcome = 'completed' AND thread = coalesce(?2, thread)"
_SETTLING = f"state != 'done' AND state = 'settling' AND {_ANSWERED} ORDER BY ended_ms DESC"
_DONE = f"state = 'done' AND {_ANSWERED} ORDER BY ended_ms DESC"
# An offer that was sent has a copy that a bubble carries.
_UNSENT = """staged_name = '' AND created_ms > ? AND NOT EXISTS (
    SELECT 1 FROM artifact AS sent JOIN outbox ON outbox.artifact = sent.id
    WHERE sent.offer = artifact.id)"""
_OF_AGENTS = f"client != '' AND peer = ? AND {_UNSENT} ORDER BY id DESC"
_OF_AGENT = f"client = ? AND {_OF_AGENTS}"
_WAITING_OF = f"client != '' AND client = ? AND {_UNSENT}"
_SENT = """SELECT max(outbox.id) FROM artifact JOIN outbox ON outbox.artifact = artifact.id
    WHERE artifact.offer = ?"""


def add(files: Sequence[NewFile], peer: PeerId, now_ms: int) -> None:
    """Keep these staged copies; one that is there already is the same."""
    for file in files:
        insert(
            ArtifactTable,
            "OR IGNORE",
            peer=peer,
            turn=file.turn,
            client=file.client,
            offer=file.offer,
            created_ms=now_ms,
            staged_name=file.staged_name,
            name=file.name,
            kind=file.kind,
            size_bytes=file.size_bytes,
            sha256=file.sha256,
        )


def offered(paths: Sequence[str], turn: Turn, now_ms: int) -> None:
    """T5: the files that an answer speaks of; where they lie is found when they are looked at."""
    for path in paths:
        insert(ArtifactTable, peer=turn.peer, turn=turn.id, path=path, created_ms=now_ms)


def latest_answer(peer: PeerId, thread: ThreadId | None) -> Turn | None:
    """The turn that answered this peer last, in this thread or in any."""
    for where in (_SETTLING, _DONE):
        row = record(TurnTable, where, peer, thread)
        if row is not None:
            return rows.turn(row)
    return None


def turn_of(offer: Offer) -> Turn | None:
    """The turn whose answer named it."""
    row = record(TurnTable, "id = ?", offer.turn) if offer.turn else None
    return rows.turn(row) if row else None


def offers_of(turn: TurnId) -> tuple[Offer, ...]:
    """What the answer of this turn speaks of, in its order."""
    where = "turn = ? AND staged_name = '' ORDER BY id"
    return tuple(_offer(row) for row in records(ArtifactTable, where, turn))


def offers_of_agents(peer: PeerId, since_ms: int) -> tuple[Offer, ...]:
    """What agents have offered since then and nobody has asked for, the newest first."""
    return tuple(_offer(row) for row in records(ArtifactTable, _OF_AGENTS, peer, since_ms))


def offer(path: str, client: str, note: OutId, peer: PeerId, now_ms: int) -> None:
    """An agent's offer, and the bubble that tells of it."""
    insert(ArtifactTable, peer=peer, client=client, note=note, path=path, created_ms=now_ms)


def offered_by(
    client: str, path: str, peer: PeerId, since_ms: int
) -> tuple[ArtifactId, OutId] | None:
    """This agent's offer of a file that nobody has asked for, and the bubble that tells of it."""
    row = record(ArtifactTable, f"path = ? AND {_OF_AGENT}", path, client, peer, since_ms)
    return (ArtifactId(row.id), OutId(row.note)) if row else None


def tell(offer: ArtifactId, note: OutId, now_ms: int) -> None:
    """An offer is made again: this bubble tells of it, and its day and its hour begin anew."""
    change(ArtifactTable, "id = ?", (offer,), note=note, created_ms=now_ms)


def waiting_of(client: str, since_ms: int) -> int:
    """How many offers of this agent nobody has asked for."""
    return count(ArtifactTable, _WAITING_OF, client, since_ms)


def offer_told_by(note: OutId) -> ArtifactId | None:
    """The offer that this bubble tells of."""
    found = value("SELECT id FROM artifact WHERE note = ?", note)
    return ArtifactId(found) if found else None


def sent(offer: ArtifactId) -> tuple[OutRow, OutState, str] | None:
    """The bubble that carries this offer's newest copy, its state and its outcome."""
    bubble = value(_SENT, offer)
    row = record(OutboxTable, "id = ?", bubble) if bubble else None
    return (rows.out(row), OutState(row.state), str(row.outcome)) if row else None


def offers(ids: Sequence[ArtifactId]) -> tuple[Offer, ...]:
    """These offers, in this order."""
    found = (record(ArtifactTable, "id = ? AND staged_name = ''", number) for number in ids)
    return tuple(_offer(row) for row in found if row)


def copy(staged_name: str) -> NewFile | None:
    """The staged copy of this name."""
    where = "staged_name = ? AND staged_name != ''"
    row = record(ArtifactTable, where, staged_name)
    if row is None:
        return None
    offer = ArtifactId(row.offer) if row.offer else None
    return NewFile(
        row.staged_name,
        row.name,
        row.kind,
        row.size_bytes,
        row.sha256,
        offer,
        row.turn,
        row.client,
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


def needed() -> frozenset[str]:
    """The names of the copies that an unfinished bubble carries."""
    return frozenset(name for name, _ in pairs(_NEEDED))


def let_go(names: Sequence[str]) -> None:
    """These copies are about to be removed, and with them the keys of their uploads."""
    for name in names:
        change(ArtifactTable, "staged_name = ? AND staged_name != ''", (name,), handle="")


def strays(names: Sequence[str]) -> tuple[str, ...]:
    """Those of these names that no row knows."""
    where = "staged_name = ? AND staged_name != ''"
    return tuple(name for name in names if record(ArtifactTable, where, name) is None)


def _offer(row: Record) -> Offer:
    return Offer(ArtifactId(row.id), row.path, row.created_ms, row.turn, row.client)
