"""Rows that have outlived their use, looked at and let go in slices.

Each table is walked by its key from the oldest row on; a slice is one short transaction, so
that no message waits, and nobody can begin to need a row between the look and its end. A
row that another one leads to stays until that one has gone; what is set free in one round
goes in the next. What is kept how long is decided in `core/retention.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bridge.core.retention import Kind, Row, all_young, may_go
from bridge.store.statements import execute, rows_of

SLICE = 200  # rows; 2 to 5 ms to look at and let go, of 100,000 in a table (2026-11)


@dataclass(frozen=True, slots=True)
class _Of:
    """Rows behind an id: id, when made, when done or NULL, whether needed; then what goes."""

    look: str
    go: tuple[str, ...]  # `{ids}` are those that may


_KINDS: Mapping[Kind, _Of] = {
    # Words and references; the key stays, for a message that is delivered again.
    Kind.TEXT: _Of(
        """SELECT id, received_ms,
            CASE WHEN state = 'done' THEN max(done_ms, received_ms) END,
            EXISTS (SELECT 1 FROM turn WHERE turn.id = inbox.turn AND turn.state != 'done')
        FROM inbox""",
        (
            """UPDATE inbox SET parts = '[]', quoted_text = '', quoted_part = ''
            WHERE id IN ({ids}) AND (parts != '[]' OR quoted_text != '')""",
        ),
    ),
    # A bubble with its attempts, and the question that it shows. It stays while its turn is
    # not done, while another part of the answer waits, and with an agent's offer.
    Kind.BUBBLE: _Of(
        """SELECT id, created_ms,
            CASE WHEN state = 'done' THEN max(done_ms, created_ms) END,
            EXISTS (SELECT 1 FROM turn WHERE turn.id = outbox.turn AND turn.state != 'done')
            OR EXISTS (SELECT 1 FROM outbox AS other
                WHERE other.turn = outbox.turn AND other.state != 'done')
            OR EXISTS (SELECT 1 FROM artifact WHERE note = outbox.id)
        FROM outbox""",
        (
            "DELETE FROM outbox_attempt WHERE row IN ({ids})",
            "DELETE FROM question WHERE id IN ({ids})",
            "DELETE FROM outbox WHERE id IN ({ids})",
        ),
    ),
    # Copies, once their bubbles have gone, and what agents offered, once its copies have.
    # What an answer offered goes with its turn.
    Kind.FILE: _Of(
        """SELECT id, created_ms, created_ms,
            (staged_name = '' AND turn IS NOT NULL)
            OR EXISTS (SELECT 1 FROM outbox WHERE outbox.artifact = artifact.id)
            OR EXISTS (SELECT 1 FROM artifact AS copy WHERE copy.offer = artifact.id)
            OR EXISTS (SELECT 1 FROM outbox WHERE outbox.id = note AND state != 'done')
        FROM artifact""",
        ("DELETE FROM artifact WHERE id IN ({ids})",),
    ),
    # With its references; while a file of it is on disk, its row says whose it is.
    Kind.MESSAGE: _Of(
        """SELECT id, received_ms,
            CASE WHEN state = 'done' THEN max(done_ms, received_ms) END,
            EXISTS (SELECT 1 FROM turn WHERE turn.id = inbox.turn AND turn.state != 'done')
            OR EXISTS (SELECT 1 FROM attachment WHERE inbox = inbox.id AND path != '')
        FROM inbox""",
        (
            "DELETE FROM attachment WHERE inbox IN ({ids})",
            "DELETE FROM inbox WHERE id IN ({ids})",
        ),
    ),
    # After its messages, bubbles and copies; with its requests and the files it offered.
    Kind.TURN: _Of(
        """SELECT id, created_ms,
            CASE WHEN state = 'done' THEN max(ended_ms, created_ms) END,
            EXISTS (SELECT 1 FROM inbox WHERE inbox.turn = turn.id)
            OR EXISTS (SELECT 1 FROM outbox WHERE outbox.turn = turn.id)
            OR EXISTS (SELECT 1 FROM artifact WHERE artifact.turn = turn.id AND (
                staged_name != ''
                OR EXISTS (SELECT 1 FROM artifact AS copy WHERE copy.offer = artifact.id)))
        FROM turn""",
        (
            "DELETE FROM approval WHERE turn IN ({ids})",
            "DELETE FROM artifact WHERE turn IN ({ids})",
            "DELETE FROM turn WHERE id IN ({ids})",
        ),
    ),
    Kind.AUDIT: _Of(
        "SELECT id, at_ms, at_ms, 0 FROM audit", ("DELETE FROM audit WHERE id IN ({ids})",)
    ),
}


@dataclass(frozen=True, slots=True)
class Slice:
    """`last` is the id behind which the next slice begins; None: all behind are too young."""

    gone: int
    last: int | None


def let_go(kind: Kind, after: int, now_ms: int) -> Slice:
    """One slice of one kind; what goes together goes in this transaction."""
    of = _KINDS[kind]
    found = rows_of(f"{of.look} WHERE id > ? ORDER BY id LIMIT ?", after, SLICE)
    seen = [Row(id, made_ms, done_ms, bool(needed)) for id, made_ms, done_ms, needed in found]
    going = may_go(kind, seen, now_ms)
    gone = 0
    if going:
        marks = ", ".join("?" * len(going))
        for statement in of.go:
            gone = execute(statement.format(ids=marks), *going)
    is_end = len(seen) < SLICE or all_young(kind, seen, now_ms)
    return Slice(gone, None if is_end else seen[-1].id)
