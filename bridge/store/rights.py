"""Who may be told something, and what ends where somebody may be told nothing more.

Asked wherever something is owed and wherever it leaves: a person who is no owner any
more, or a group that may not ask, is owed nothing, whoever ends what they had begun.
"""

from __future__ import annotations

import json

from bridge.core.approvals import ApprovalEvent, approval_step
from bridge.core.group_chat import is_group
from bridge.core.model import ApprovalState, OutState, PeerId, TurnState
from bridge.core.sending import OutEvent, out_step
from bridge.core.turn_states import TurnEvent, turn_step
from bridge.store.statements import change, record, value
from bridge.store.tables import (
    AccountRow,
    ApprovalTable,
    OutboxTable,
    QuestionTable,
    TurnTable,
)

_MAY_READ = "SELECT 1 FROM group_chat WHERE peer = ? AND state = 'approved'"
# Each condition holds the words of the partial index that serves it.
_OPEN = "peer = ? AND state = ? AND state != 'done'"
_LIVE = "peer = ? AND state IN ('starting', 'running') AND state != 'done'"


def may_read(peer: str) -> bool:
    """Whether this is an owner of the account, or a group that may ask."""
    if is_group(peer):
        return value(_MAY_READ, peer) is not None
    account = record(AccountRow, "1")
    return account is not None and peer in json.loads(account.owners)


def end_waiting(peer: PeerId, now_ms: int) -> None:
    """What waits for this peer is over, what runs is to stop, and nothing more leaves.

    The task of a thread in which something ran has to be woken after the commit.
    """
    for state in (TurnState.QUEUED, TurnState.PARKED):
        over = turn_step(state, TurnEvent.CANCEL)
        ended = {"state": over, "outcome": "cancelled", "ended_ms": now_ms}
        change(TurnTable, _OPEN, (peer, state), **ended)
    change(TurnTable, _LIVE, (peer,), stop_requested=True)
    for asked in (ApprovalState.OPEN, ApprovalState.ANSWERING):
        gone = approval_step(asked, ApprovalEvent.GONE)
        change(ApprovalTable, _OPEN, (peer, asked), state=gone, outcome="void", done_ms=now_ms)
    change(QuestionTable, "peer = ? AND outcome = ''", (peer,), outcome="expired")
    cancel_bubbles(peer, now_ms)


def cancel_bubbles(peer: str, now_ms: int) -> None:
    """What has not begun to leave for this peer never will."""
    cancel("peer = ? AND state = 'ready'", (peer,), now_ms)


def cancel(where: str, values: tuple[object, ...], now_ms: int) -> int:
    """These bubbles, which are all `ready`, are owed no more; how many they were."""
    over = out_step(OutState.READY, OutEvent.CANCELLED)
    return change(OutboxTable, where, values, state=over, outcome="cancelled", done_ms=now_ms)
