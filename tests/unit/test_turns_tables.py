"""The six state tables, pair by pair: what is named happens, everything else raises."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from itertools import product
from typing import Any

from bridge.core.approvals import ApprovalEvent, approval_step
from bridge.core.group_chat import GroupEvent, GroupState, group_step
from bridge.core.intake import InboxEvent, inbox_step
from bridge.core.model import (
    AccountState,
    ApprovalState,
    InboxState,
    OutState,
    TurnState,
)
from bridge.core.sending import AccountEvent, OutEvent, account_step, out_step
from bridge.core.steps import NoSuchStep
from bridge.core.turn_states import TurnEvent, turn_step
from tests.unit.table import table

Table = dict[str, dict[str, Any]]  # Any: a state, or a state and an outcome

INBOX: Table = {
    "new": {
        "planned": ("done", "turn"),
        "answered": ("done", "command"),
        "stale": ("held", ""),
        "queue_full": ("held", ""),
        "poisoned": ("done", "poison"),
        "asked": ("new", ""),
        "drop_held": ("done", "dropped"),
        "passed_over": ("done", "ignored"),
    },
    "held": {"run_held": ("new", ""), "drop_held": ("done", "dropped")},
    "done": {"revived": ("new", ""), "drop_held": ("done", "dropped")},
}
OUTBOX: Table = {
    "ready": {"chosen": "sending", "cancelled": "done", "retry": "ready", "dead": "done"},
    "sending": {
        "sent": "done",
        "unconfirmed": "done",
        "retry": "ready",
        "dead": "done",
        "unknown": "done",
    },
    "done": {"again": "ready", "dropped": "done"},
}
ACCOUNT: Table = {
    "unpaired": {"paired": "on"},
    "on": {"expired": "suspect", "unknown_code": "suspect", "relogin": "on", "poll_ok": "on"},
    "suspect": {
        "poll_ok": "on",
        "relogin": "on",
        "expired": "login_needed",
        "unknown_code": "suspect",
    },
    "login_needed": {
        "relogin": "on",
        "poll_ok": "on",
        "expired": "login_needed",
        "unknown_code": "login_needed",
    },
}
TURN: Table = {
    "queued": {"thread_free": "starting", "cancel": "done", "branched": "queued"},
    "starting": {
        "accepted": "running",
        "found": "running",
        "head_moved": "parked",
        "elsewhere": "parked",
        "link_down": "parked",
        "invalid": "settling",
        "gate_blocked": "settling",
        "given_up": "settling",
        "link_lost": "starting",
        "gate_clear": "starting",
        "raised": "starting",
        "stop": "starting",
    },
    "parked": {
        "thread_free": "starting",
        "link_up": "starting",
        "retry_due": "starting",
        "owner_retry": "starting",
        "cancel": "done",
        "branched": "queued",
    },
    "running": {
        "over": "settling",
        "unknown_run": "settling",
        "given_up": "settling",
        "link_lost": "running",
        "raised": "running",
        "stop": "running",
    },
    "settling": {"settled": "settling", "paid": "done"},
    "done": {"revived": "queued", "dropped": "done"},
}
APPROVAL: Table = {
    "open": {
        "approve": "answering",
        "deny": "answering",
        "expired": "answering",
        "code_stale": "open",
        "resolved": "done",
        "gone": "done",
    },
    "answering": {"confirmed": "done", "gone": "done", "link_lost": "answering"},
    "done": {},
}

GROUP: Table = {
    "pending": {"approve": "approved", "disable": "disabled"},
    "approved": {"reset": "approved", "disable": "disabled"},
    "disabled": {"approve": "approved"},
}

MACHINES: list[tuple[Callable[..., Any], type[StrEnum], type[StrEnum], Table]] = [
    (inbox_step, InboxState, InboxEvent, INBOX),
    (out_step, OutState, OutEvent, OUTBOX),
    (account_step, AccountState, AccountEvent, ACCOUNT),
    (turn_step, TurnState, TurnEvent, TURN),
    (approval_step, ApprovalState, ApprovalEvent, APPROVAL),
    (group_step, GroupState, GroupEvent, GROUP),
]


def steps(
    step: Callable[..., Any], states: type[StrEnum], events: type[StrEnum]
) -> dict[str, dict[str, Any]]:
    """What every pair leads to; a pair that raises is not named."""
    found: dict[str, dict[str, Any]] = {state.value: {} for state in states}
    for state, event in product(states, events):
        with suppress(NoSuchStep):
            found[state.value][event.value] = step(state, event)
    return found


@table("machine", MACHINES)
def test_pair_leads_where_the_table_says_and_raises_where_it_is_silent(
    machine: tuple[Callable[..., Any], type[StrEnum], type[StrEnum], Table],
) -> None:
    """delivery-semantics 4 to 6: a pair that no table names raises."""
    step, states, events, table = machine
    assert steps(step, states, events) == table
