"""Who decided what, by which rule: written with what was decided, read at the desk.

A line is never changed (a trigger sees to it) and goes after a year.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bridge.core.decision import Audit, Refused
from bridge.core.model import InboxId, PeerId, TurnId
from bridge.core.room import subject
from bridge.store.statements import Record, add, record, records
from bridge.store.tables import AuditTable

# A partial index serves only a condition that holds its very words.
_NOT_DONE = "what IN ('refused', 'held', 'withheld')"


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it was written."""

    id: int
    at_ms: int
    peer: PeerId
    decided: Audit


def add_audit(
    lines: Sequence[Audit], peer: PeerId, now_ms: int, turn: TurnId | None = None
) -> None:
    """Write these lines; `turn` is that of a line which names none."""
    for line in lines:
        add(
            AuditTable,
            at_ms=now_ms,
            peer=peer,
            what=line.what,
            rule=line.rule,
            outcome=line.outcome,
            subject=line.subject,
            turn=line.turn or turn,
        )


def last_not_done(peer: PeerId) -> Refused | None:
    """What was refused, held or withheld last."""
    row = record(AuditTable, f"peer = ? AND {_NOT_DONE} ORDER BY id DESC", peer)
    return Refused(row.at_ms, row.rule, row.outcome) if row else None


def page(after: int, since_ms: int, limit: int) -> tuple[Line, ...]:
    """Lines behind this id, the oldest first, that are not older than `since_ms`."""
    found = records(AuditTable, "id > ? AND at_ms >= ? ORDER BY id LIMIT ?", after, since_ms, limit)
    return tuple(_line(row) for row in found)


def of_turn(turn: TurnId) -> tuple[Line, ...]:
    return tuple(_line(row) for row in records(AuditTable, "turn = ? ORDER BY id", turn))


def of_messages(peer: PeerId, rows: Sequence[InboxId], until: int) -> tuple[Line, ...]:
    """What was said of these messages before the line `until`: why they waited, and how long.

    Only between the first of them and that line is anything looked for that no index finds.
    """
    marks, subjects = ", ".join("?" * len(rows)), [subject(row) for row in rows]
    known = f"peer = ? AND {_NOT_DONE} AND subject IN ({marks}) ORDER BY id"
    held = records(AuditTable, known, peer, *subjects)
    if not held:
        return ()
    between = f"id > ? AND id < ? AND what = 'inbox.release' AND subject IN ({marks}) ORDER BY id"
    released = records(AuditTable, between, held[0].id, until, *subjects)
    return tuple(_line(row) for row in [*held, *released])


def _line(row: Record) -> Line:
    turn = TurnId(row.turn) if row.turn else None
    decided = Audit(row.what, row.rule, row.outcome, row.subject, turn)
    return Line(row.id, row.at_ms, PeerId(row.peer), decided)
