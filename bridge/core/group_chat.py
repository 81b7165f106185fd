"""A group chat: how it is named among the peers, its states, and what is said to the bot.

A group is a peer of its own: its messages, turns, bubbles and send window are kept apart
from every person's by that name alone. Who writes in it has no name here: in a group
everybody may ask the same, the owner too.

    -         asked -> pending
    pending   approve -> approved     disable -> disabled
    approved  reset -> approved       disable -> disabled
    disabled  approve -> approved
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from bridge.core.model import Arrival, PeerId, ThreadId
from bridge.core.steps import next_of

STATUS = "/qa status"  # issue 5: the one command of a group
MAX_CHAT_CHARS = 256  # as every id of the channel
_GROUP = "group:"
# `@Bot`, wherever it stands, but not inside an address; WeChat puts U+2005 behind a name.
_MENTION = re.compile(
    r"(?<![A-Za-z0-9_.-])@bot(?![A-Za-z0-9_@.-])[\s\u2005:：,，]*", re.IGNORECASE | re.ASCII
)


class GroupState(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    DISABLED = "disabled"


class GroupEvent(StrEnum):
    APPROVE = "approve"
    RESET = "reset"
    DISABLE = "disable"


_STEPS: dict[tuple[GroupState, GroupEvent], GroupState] = {
    (GroupState.PENDING, GroupEvent.APPROVE): GroupState.APPROVED,
    (GroupState.PENDING, GroupEvent.DISABLE): GroupState.DISABLED,
    (GroupState.APPROVED, GroupEvent.RESET): GroupState.APPROVED,
    (GroupState.APPROVED, GroupEvent.DISABLE): GroupState.DISABLED,
    (GroupState.DISABLED, GroupEvent.APPROVE): GroupState.APPROVED,
}


@dataclass(frozen=True, slots=True)
class GroupChat:
    """What is known of a group; `number` is what its owner calls it by."""

    number: int
    peer: PeerId
    state: GroupState
    thread: ThreadId | None  # of its own, never one with another name
    asked_ms: int  # when it first asked


@dataclass(frozen=True, slots=True)
class GroupStep:
    """A change by the owner's word; it holds while the group is still in its state."""

    was: GroupChat
    now: GroupChat


def group_step(state: GroupState, event: GroupEvent) -> GroupState:
    """The next state; raises NoSuchStep for a pair that the table lacks."""
    return next_of(_STEPS, "group_chat", state, event)


def may_step(state: GroupState, event: GroupEvent) -> bool:
    return (state, event) in _STEPS


def group_peer(chat: str) -> PeerId:
    """The peer that stands for a group of the channel."""
    return PeerId(_GROUP + chat)


def is_group(peer: str) -> bool:
    return peer.startswith(_GROUP)


def chat_of(peer: PeerId) -> str:
    """The channel's own name of a group; "" for a person."""
    return peer.removeprefix(_GROUP) if is_group(peer) else ""


def said_to_bot(arrival: Arrival) -> str | None:
    """What a group message says to the bot; None when it is not addressed.

    Only typed words count: no file, no transcript, no quote.
    """
    text = "\n".join(part.text for part in arrival.parts if part.kind == "text")
    if " ".join(text.split()).lower() == STATUS:
        return STATUS
    asked, mentions = _MENTION.subn(" ", text)
    return asked.strip() if mentions else None
