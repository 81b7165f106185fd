"""What agents have said: their bubbles in the outbox, and the questions among them."""

from __future__ import annotations

import json

from bridge.core.decision import NewRow
from bridge.core.errors import Stale
from bridge.core.model import OutId, OutRow, OutState, PeerId, Question, SendClass, ThreadId
from bridge.core.sending import QUESTION_LIFE_MS
from bridge.store import outbox, rows
from bridge.store.statements import Record, add, change, pairs, record, records, value
from bridge.store.tables import OutboxTable, QuestionTable

MAX_SHOWN = 50  # old ones stay unanswered for ever; nobody looks for their codes
_WROTE = "SELECT peer, wrote_ms FROM peer WHERE wrote_ms > 0"
_UNTRIED = """client = ? AND client != '' AND peer = ? AND send_class = ? AND state = 'ready'
    AND NOT EXISTS (SELECT 1 FROM outbox_attempt WHERE row = outbox.id)
    AND NOT EXISTS (SELECT 1 FROM artifact WHERE note = outbox.id) ORDER BY id DESC"""
_LAST_END = """SELECT outcome, ended_ms FROM turn WHERE thread = ? AND state = 'done'
    ORDER BY ended_ms DESC LIMIT 1"""
_ASKED = """id IN (SELECT id FROM question WHERE client = ? AND outcome = '' AND asked_ms > ?)
    AND NOT (state = 'done' AND outcome IN ('dead', 'cancelled') AND NOT maybe_sent)"""


def wrote() -> list[tuple[PeerId, int]]:
    """Who has written, and when last."""
    return [(PeerId(peer), at_ms) for peer, at_ms in pairs(_WROTE)]


def untried_note(client: str, peer: PeerId) -> OutRow | None:
    """The bubble of this agent's notes to this peer that has not been tried yet."""
    row = record(OutboxTable, _UNTRIED, client, peer, SendClass.NOTE)
    return rows.out(row) if row else None


def asked(client: str, now_ms: int) -> tuple[OutRow, ...]:
    """The bubbles of this agent's questions that wait for an answer; of those on no phone none."""
    found = records(OutboxTable, _ASKED, client, now_ms - QUESTION_LIFE_MS)
    return tuple(rows.out(row) for row in found)


def put(row: NewRow, peer: PeerId, now_ms: int) -> OutId:
    """Owe this bubble; its id."""
    outbox.add_rows([row], peer, now_ms)
    return OutId(value("SELECT id FROM outbox WHERE client_id = ?", row.client_id))


def join(note: OutId, text: str, now_ms: int) -> None:
    """Give a bubble that has not left yet its longer text; its age counts anew."""
    change(OutboxTable, "id = ? AND state = 'ready'", (note,), text=text, created_ms=now_ms)


def put_question(question: Question) -> None:
    add(
        QuestionTable,
        id=question.id,
        client=question.client,
        peer=question.peer,
        options=rows.dump(question.options),
        code=question.code,
        asked_ms=question.asked_ms,
    )


def close(question: Question) -> None:
    """The owner has answered or declined; raises Stale when somebody was faster."""
    changed = change(
        QuestionTable,
        "id = ? AND outcome = ''",
        (question.id,),
        outcome=question.outcome,
        said=question.said,
    )
    if not changed:
        raise Stale(f"question {question.id} is closed")


def question(row_id: int, client: str) -> Question | None:
    """A question of this agent."""
    row = record(QuestionTable, "id = ? AND client = ?", row_id, client)
    return _question(row) if row else None


def waiting_for(peer: PeerId) -> tuple[Question, ...]:
    """Questions that this peer has not answered, the newest first."""
    where = "peer = ? AND outcome = '' ORDER BY id DESC LIMIT ?"
    found = records(QuestionTable, where, peer, MAX_SHOWN)
    return tuple(_question(row) for row in found)


def of_bubble(row_id: int) -> Question | None:
    """The question that this bubble shows."""
    found = record(QuestionTable, "id = ?", row_id)
    return _question(found) if found else None


def bubble(row_id: int, client: str) -> tuple[OutRow, OutState, str] | None:
    """A bubble of this agent, its state and its outcome."""
    row = record(OutboxTable, "id = ? AND client = ? AND client != ''", row_id, client)
    return (rows.out(row), OutState(row.state), str(row.outcome)) if row else None


def last_end(thread: ThreadId) -> tuple[str, int]:
    """How the last turn in a thread ended, and when; "" and 0 when there is none."""
    found = pairs(_LAST_END, thread)
    return (str(found[0][0]), int(found[0][1])) if found else ("", 0)


def _question(row: Record) -> Question:
    return Question(
        id=OutId(row.id),
        client=row.client,
        peer=PeerId(row.peer),
        options=tuple(json.loads(row.options)),
        code=row.code,
        asked_ms=row.asked_ms,
        outcome=row.outcome,
        said=row.said,
    )
