"""Which open question a quote answers: by the id of its bubble, else by its very words.

A bubble may be on the phone under an id that nobody has told us: its outcome was
unconfirmed or unknown, or is only just on its way.
"""

from __future__ import annotations

from typing import TypeAlias

from bridge.core.model import Approval, PeerId, Question
from bridge.core.sending import QUESTION_LIFE_MS, REPEAT_MARK
from bridge.store import approvals, guests
from bridge.store.statements import Record, record
from bridge.store.tables import OutboxTable

Asked: TypeAlias = Question | Approval

_NAMELESS = """server_id = '' AND state IN ('sending', 'done')
    AND outcome IN ('', 'unconfirmed', 'unknown')"""


def asked_in(bubble: Record) -> Asked | None:
    """The question that a bubble of ours shows, of an agent or of a thread."""
    if bubble.client:
        return guests.of_bubble(bubble.id)
    return next((a for a in _of_threads(bubble.peer) if _name(a) == bubble.client_id), None)


def answered_by_words(peer: PeerId, text: str, now_ms: int) -> tuple[Asked | None, Asked | None]:
    """What a quote of unknown id answers for sure, by its words; else what it may answer."""
    maybe: Asked | None = None
    waiting: list[Asked] = [*guests.waiting_for(peer), *_of_threads(peer)]
    for asked in waiting:
        bubble = _nameless(asked)
        if bubble is None:
            continue
        if text and text.removeprefix(REPEAT_MARK).strip() == bubble.text.strip():
            return asked, None
        if now_ms - asked.asked_ms <= QUESTION_LIFE_MS:
            maybe = maybe or asked
    return None, None if text else maybe


def _of_threads(peer: str) -> list[Approval]:
    return [asked for asked in approvals.of_peer(PeerId(peer)) if asked.kind == "question"]


def _name(asked: Approval) -> str:
    """The client id of the bubble that shows a request (`core.approvals.shown`)."""
    return f"ctb:ask-{asked.turn}-{asked.code}"


def _nameless(asked: Asked) -> Record | None:
    if isinstance(asked, Question):
        return record(OutboxTable, f"id = ? AND {_NAMELESS}", asked.id)
    return record(OutboxTable, f"client_id = ? AND {_NAMELESS}", _name(asked))
