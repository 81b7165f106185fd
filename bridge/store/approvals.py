"""Pending requests: opened with their bubbles, decided by the owner, closed once."""

from __future__ import annotations

import json
from collections.abc import Sequence

from bridge.core.approvals import ApprovalEvent, AskedStep, approval_step
from bridge.core.decision import NewRow
from bridge.core.errors import Stale
from bridge.core.model import Approval, ApprovalId, ApprovalState, Attempt, PeerId, ThreadId, TurnId
from bridge.store import outbox, rows
from bridge.store.statements import Record, add, change, records, value
from bridge.store.tables import ApprovalTable

_SAME = "turn = ? AND id = ? AND digest = ?"


def of_turn(turn: TurnId) -> tuple[Approval, ...]:
    """Requests of a turn that are not done."""
    found = records(ApprovalTable, "turn = ? AND state != 'done'", turn)
    return tuple(_value(row) for row in found)


def of_peer(peer: PeerId) -> tuple[Approval, ...]:
    """Open requests that this peer may answer."""
    # `!= 'done'` is what the partial index says; SQLite does not infer it from 'open'
    found = records(ApprovalTable, "peer = ? AND state = 'open' AND state != 'done'", peer)
    return tuple(_value(row) for row in found)


def by_thread(peer: PeerId) -> dict[ThreadId, Approval]:
    """Of each thread that waits for this peer, the request that it waits for."""
    thread = "SELECT thread FROM turn WHERE id = ?"
    return {ThreadId(value(thread, found.turn)): found for found in of_peer(peer)}


def asked(
    step: AskedStep, peer: PeerId, now_ms: int, sender: outbox.Sender | None
) -> Attempt | None:
    """Open the new requests, void those that are gone, and owe their bubbles.

    A request that comes again after it was done is open again, under its fresh code.
    """
    for approval in step.opened:
        columns = _columns(approval) | {"outcome": "", "done_ms": 0}
        if not change(ApprovalTable, f"{_SAME} AND state = 'done'", _same(approval), **columns):
            add(ApprovalTable, **columns)
    for approval in step.gone:
        _close(approval, ApprovalEvent.GONE, "void", now_ms)
    outbox.add_rows(step.rows, peer, now_ms)
    return outbox.begin(sender, now_ms) if sender and step.rows else None


def decide(approval: Approval) -> None:
    """Store a decision or a fresh code; raises Stale when the request is no longer open."""
    changed = change(
        ApprovalTable,
        f"{_SAME} AND state = 'open'",
        _same(approval),
        state=approval.state,
        decision=approval.decision,
        said=approval.said,
        code=approval.code,
        code_ms=approval.code_ms,
    )
    if not changed:
        raise Stale(f"approval of turn {approval.turn} is no longer open")


def closed(
    approval: Approval,
    outcome: str,
    told: Sequence[NewRow],
    now_ms: int,
    sender: outbox.Sender | None,
) -> Attempt | None:
    """The controller has taken the decision, or no longer has the request."""
    event = ApprovalEvent.GONE if outcome == "void" else ApprovalEvent.CONFIRMED
    _close(approval, event, outcome, now_ms)
    outbox.add_rows(told, approval.peer, now_ms)
    return outbox.begin(sender, now_ms) if sender and told else None


def turn_over(turn: TurnId, now_ms: int) -> None:
    """The turn has ended: what it asked is answered elsewhere, or void."""
    for approval in of_turn(turn):
        is_open = approval.state is ApprovalState.OPEN
        event = ApprovalEvent.RESOLVED if is_open else ApprovalEvent.GONE
        _close(approval, event, "elsewhere" if is_open else "void", now_ms)


def _close(approval: Approval, event: ApprovalEvent, outcome: str, now_ms: int) -> None:
    state = approval_step(approval.state, event)
    changed = {"state": state, "outcome": outcome, "done_ms": now_ms}
    change(ApprovalTable, _SAME, _same(approval), **changed)


def _same(approval: Approval) -> tuple[object, ...]:
    return approval.turn, approval.id, approval.digest


def _value(row: Record) -> Approval:
    return Approval(
        id=ApprovalId(row.id),
        turn=TurnId(row.turn),
        peer=PeerId(row.peer),
        kind=row.kind,
        summary=row.summary,
        detail=row.detail,
        is_cut=bool(row.is_cut),
        digest=row.digest,
        options=tuple(json.loads(row.options)),
        code=row.code,
        code_ms=row.code_ms,
        asked_ms=row.asked_ms,
        state=ApprovalState(row.state),
        decision=row.decision,
        said=row.said,
    )


def _columns(approval: Approval) -> dict[str, object]:
    return {
        "id": approval.id,
        "digest": approval.digest,
        "turn": approval.turn,
        "peer": approval.peer,
        "kind": approval.kind,
        "summary": approval.summary,
        "detail": approval.detail,
        "is_cut": approval.is_cut,
        "options": rows.dump(approval.options),
        "code": approval.code,
        "code_ms": approval.code_ms,
        "asked_ms": approval.asked_ms,
        "state": approval.state,
        "decision": approval.decision,
        "said": approval.said,
    }
