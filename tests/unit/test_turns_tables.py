"""The five state tables, pair by pair: what is named happens, everything else raises."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from itertools import product
from typing import Any

import pytest

from bridge.core.approvals import ApprovalEvent, approval_step
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
    },
    "held": {"run_held": ("new", ""), "drop_held": ("done", "dropped")},
    "done": {},
}
OUTBOX: Table = {
    "ready": {"chosen": "sending", "cancelled": "done"},
    "sending": {
        "sent": "done",
        "unconfirmed": "done",
        "retry": "ready",
        "dead": "done",
        "unknown": "done",
    },
    "done": {},
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
    "done": {},
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

MACHINES: list[tuple[Callable[..., Any], type[StrEnum], type[StrEnum], Table]] = [
    (inbox_step, InboxState, InboxEvent, INBOX),
    (out_step, OutState, OutEvent, OUTBOX),
    (account_step, AccountState, AccountEvent, ACCOUNT),
    (turn_step, TurnState, TurnEvent, TURN),
    (approval_step, ApprovalState, ApprovalEvent, APPROVAL),
]
PAIRS = [
    pytest.param(step, state, event, table, id=f"{step.__name__}-{state}-{event}")
    for step, states, events, table in MACHINES
    for state, event in product(states, events)
]


@pytest.mark.parametrize(("step", "state", "event", "table"), PAIRS)
def test_pair_leads_where_the_table_says_and_raises_where_it_is_silent(
    step: Callable[..., Any], state: StrEnum, event: StrEnum, table: Table
) -> None:
    """delivery-semantics 4 to 6: a pair that no table names raises."""
    if event.value in table[state.value]:
        assert step(state, event) == table[state.value][event.value]
    else:
        with pytest.raises(NoSuchStep):
            step(state, event)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine[0].__name__)
def test_table_names_no_state_and_no_event_that_does_not_exist(
    machine: tuple[Any, type[StrEnum], type[StrEnum], Table],
) -> None:
    """Ours: the expectation above cannot drift from the enums without being seen."""
    _, states, events, table = machine
    assert set(table) == {state.value for state in states}
    assert {event for row in table.values() for event in row} <= {event.value for event in events}
