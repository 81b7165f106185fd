"""The states of a turn, and what each event makes of them.

    -         planned, idle -> starting    planned, busy -> queued
    queued    thread_free -> starting      cancel -> done     branched -> queued
    starting  accepted, found -> running   head_moved -> parked(head)
              elsewhere -> parked(elsewhere)  link_down -> parked(controller)
              invalid -> settling          link_lost -> starting
              gate_clear -> starting       gate_blocked -> settling(uncertain)
              raised -> starting           given_up -> settling(dead)
    parked    thread_free, link_up, retry_due, owner_retry -> starting   cancel -> done
              branched -> queued
    running   over -> settling             unknown_run -> settling(uncertain)
              link_lost, raised -> running given_up -> settling(dead)
    settling  settled -> settling          paid -> done
    done      revived -> queued            dropped -> done    of a turn that was given up

One turn of a thread is live (starting, running, settling) at a time. A turn that was
`starting` or later is never started again under another key; one that was given up and
is tried again by its owner's word keeps its key as well.
"""

from __future__ import annotations

from enum import StrEnum

from bridge.core.model import Turn, TurnState
from bridge.core.steps import next_of


class TurnEvent(StrEnum):
    THREAD_FREE = "thread_free"
    CANCEL = "cancel"
    ACCEPTED = "accepted"
    FOUND = "found"
    BRANCHED = "branched"  # it goes to a branch of its thread, which is free
    HEAD_MOVED = "head_moved"
    ELSEWHERE = "elsewhere"
    LINK_DOWN = "link_down"
    LINK_LOST = "link_lost"
    INVALID = "invalid"
    GATE_CLEAR = "gate_clear"
    GATE_BLOCKED = "gate_blocked"
    RAISED = "raised"
    GIVEN_UP = "given_up"
    LINK_UP = "link_up"
    RETRY_DUE = "retry_due"
    OWNER_RETRY = "owner_retry"
    STOP = "stop"
    OVER = "over"
    UNKNOWN_RUN = "unknown_run"
    SETTLED = "settled"
    PAID = "paid"
    REVIVED = "revived"
    DROPPED = "dropped"


_STARTING_AGAIN = (
    TurnEvent.LINK_LOST,
    TurnEvent.GATE_CLEAR,
    TurnEvent.RAISED,
    TurnEvent.STOP,
)
_RUNNING_ON = (TurnEvent.LINK_LOST, TurnEvent.RAISED, TurnEvent.STOP)
_UNPARKING = (
    TurnEvent.THREAD_FREE,
    TurnEvent.LINK_UP,
    TurnEvent.RETRY_DUE,
    TurnEvent.OWNER_RETRY,
)
_STEPS: dict[tuple[TurnState, TurnEvent], TurnState] = {
    (TurnState.QUEUED, TurnEvent.THREAD_FREE): TurnState.STARTING,
    (TurnState.QUEUED, TurnEvent.CANCEL): TurnState.DONE,
    (TurnState.QUEUED, TurnEvent.BRANCHED): TurnState.QUEUED,
    (TurnState.PARKED, TurnEvent.BRANCHED): TurnState.QUEUED,
    (TurnState.STARTING, TurnEvent.ACCEPTED): TurnState.RUNNING,
    (TurnState.STARTING, TurnEvent.FOUND): TurnState.RUNNING,
    (TurnState.STARTING, TurnEvent.HEAD_MOVED): TurnState.PARKED,
    (TurnState.STARTING, TurnEvent.ELSEWHERE): TurnState.PARKED,
    (TurnState.STARTING, TurnEvent.LINK_DOWN): TurnState.PARKED,
    (TurnState.STARTING, TurnEvent.INVALID): TurnState.SETTLING,
    (TurnState.STARTING, TurnEvent.GATE_BLOCKED): TurnState.SETTLING,
    (TurnState.STARTING, TurnEvent.GIVEN_UP): TurnState.SETTLING,
    (TurnState.PARKED, TurnEvent.CANCEL): TurnState.DONE,
    (TurnState.RUNNING, TurnEvent.OVER): TurnState.SETTLING,
    (TurnState.RUNNING, TurnEvent.UNKNOWN_RUN): TurnState.SETTLING,
    (TurnState.RUNNING, TurnEvent.GIVEN_UP): TurnState.SETTLING,
    (TurnState.SETTLING, TurnEvent.SETTLED): TurnState.SETTLING,
    (TurnState.SETTLING, TurnEvent.PAID): TurnState.DONE,
    (TurnState.DONE, TurnEvent.REVIVED): TurnState.QUEUED,
    (TurnState.DONE, TurnEvent.DROPPED): TurnState.DONE,
    **{(TurnState.STARTING, event): TurnState.STARTING for event in _STARTING_AGAIN},
    **{(TurnState.RUNNING, event): TurnState.RUNNING for event in _RUNNING_ON},
    **{(TurnState.PARKED, event): TurnState.STARTING for event in _UNPARKING},
}


# Outcomes after which the words may be run again by their owner (design 7: `/retry`).
WITHOUT_ANSWER = ("failed", "interrupted", "uncertain", "blocked", "dead")


def is_unanswered(turn: Turn) -> bool:
    """Whether it ended without its answer: in a failure, or cut off by a `/stop`.

    One that was cancelled before it began is not wanted any more.
    """
    is_cut_off = turn.outcome == "cancelled" and turn.stop_requested
    return turn.outcome in WITHOUT_ANSWER or is_cut_off


def turn_step(state: TurnState, event: TurnEvent) -> TurnState:
    """The next state; raises NoSuchStep for a pair that the table lacks."""
    return next_of(_STEPS, "turn", state, event)
