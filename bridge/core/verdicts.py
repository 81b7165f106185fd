"""What the owner says to a request by its code: `/approve`, `/deny`, `/answer`."""

from __future__ import annotations

from dataclasses import replace

from bridge.core import approvals, guests
from bridge.core.decision import Audit, Decision
from bridge.core.intake import InboxEvent
from bridge.core.model import Approval, Turn
from bridge.core.room import Room
from bridge.core.words import beyond


def verdict(room: Room, code: str, decision: str, said: str = "") -> Decision:
    """One request, by its code: the decision is stored before the controller hears it."""
    found = [a for a in room.view.approvals if a.code == code.lower()]
    if not found:
        return _for_agent(room, code, decision, said)
    approval = found[0]
    turn = next((t for t in room.view.turns if t.id == approval.turn), None)
    if turn is None:
        return room.tell("code_unknown")
    if not 0 <= room.now_ms - approval.code_ms <= approvals.CODE_LIFE_MS:
        return _fresh_code(room, approval, turn)
    if decision == "accept" and (approval.is_cut or not room.policy.remote_approvals):
        return room.tell("at_desk")
    if decision == "accept" and (approval.kind == "question") != bool(said):
        phrase = "question_needs_answer" if approval.kind == "question" else "request_is_none"
        return room.tell(phrase, code=approval.code)
    choices = len(approvals.labels(approval))
    if decision == "accept" and (number := beyond(said, choices)) is not None:
        return room.tell("no_such_choice", number=number, last=choices, code=approval.code)
    event = approvals.ApprovalEvent(("approve", "deny")[decision == "decline"])
    after = replace(
        approval,
        state=approvals.approval_step(approval.state, event),
        decision=decision,
        said=said,
    )
    audit = Audit(f"approval.{event}", "owner", "answering", approval.digest, turn.id)
    return replace(
        room.build(InboxEvent.ANSWERED),
        approval=after,
        approval_thread=turn.thread,
        audit=(audit,),
    )


def _for_agent(room: Room, code: str, decision: str, said: str) -> Decision:
    question = next((q for q in room.view.questions if q.code == code.lower()), None)
    if question is None:
        return room.tell("code_unknown")
    if decision == "decline":
        return guests.declined(room, question)
    if not said:
        return room.tell("question_needs_answer", code=question.code)
    return guests.answered(room, question, said)


def _fresh_code(room: Room, approval: Approval, turn: Turn) -> Decision:
    after = approvals.fresh_code(approval, room.now_ms, room.ids)
    found = room.tell("code_stale")
    shown = approvals.shown(after, turn.alias, room.peer, room.policy.remote_approvals)
    return replace(found, approval=after, bubbles=(*found.bubbles, shown))
