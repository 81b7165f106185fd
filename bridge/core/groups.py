"""What a message of a group leads to: an answer for that group, or silence.

Nothing else can come of it. The decision is made of the group's own words, its own
thread and what waits there; of the owner's threads, aliases and requests nothing is
looked at (threat-model R5, R6). A turn of a group is read-only, asks nobody, has no file,
and runs in an empty folder of its own; its thread serves nothing else (`owns`).
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, replace

from bridge.core.decision import Audit, Decision, Ids, NewRow, NewTurn, Policy, RowStep, View
from bridge.core.group_chat import (
    STATUS,
    GroupChat,
    GroupState,
    group_peer,
    said_to_bot,
)
from bridge.core.intake import InboxEvent, inbox_step
from bridge.core.model import (
    Account,
    Arrival,
    InboxRow,
    InboxState,
    Lang,
    Part,
    PeerId,
    SendClass,
    ThreadId,
    TurnState,
)
from bridge.core.phrases import notice, say
from bridge.core.turns import turn_key
from bridge.core.verbs import SLASHES

HOURLY = 20  # messages of one group that are answered: as many as the owner's own in a minute
HOUR_MS = 3_600_000
MAX_WAITING = 3  # questions of one group: a member can wait for so many answers, not for more
MAX_QUESTION_CHARS = 1_000  # more than anybody types; less than a page
MAX_PENDING = 3  # groups that ask at a time: the owner is told of no more (R37)
SANDBOX = "read-only"  # R5
APPROVALS = "never"


@dataclass(frozen=True, slots=True)
class GroupView:
    """All that a decision about a group's message looks at."""

    account: Account
    group: GroupChat
    waiting: int  # turns of it that are not over
    asked: int  # messages of it within the last hour, before this one
    folder: str  # where its thread runs
    lang: Lang


def only_words(arrival: Arrival) -> Arrival:
    """A message of a group as it is stored: the words said to the bot, by the group."""
    said = said_to_bot(arrival) or ""
    return replace(
        arrival,
        sender=group_peer(arrival.chat_id),
        parts=(Part("text", said[: MAX_QUESTION_CHARS + 1]),),
        quoted_id="",
        quoted_text="",
        quoted_part=None,
    )


def may_ask_owner(known: Mapping[PeerId, GroupState]) -> bool:
    """Whether the owner is told of one more group that asks."""
    return sum(state is GroupState.PENDING for state in known.values()) < MAX_PENDING


def decide(row: InboxRow, seen: GroupView, stale_ms: int, ids: Ids) -> Decision:
    """One message of a group, in its order."""
    is_late = bool(stale_ms) and row.age_ms > stale_ms  # nobody waits for that answer any more
    if seen.group.state is not GroupState.APPROVED or is_late or seen.asked > HOURLY:
        return over(row, seen.group.peer, InboxEvent.PASSED_OVER)
    if seen.asked == HOURLY:
        return _tell(row, seen, ids, "group_enough", count=HOURLY)
    text = row.text.strip()
    if text == STATUS:
        left = HOURLY - seen.asked - 1
        return _tell(row, seen, ids, "qa_status", waiting=seen.waiting, left=left)
    if not text or text.startswith(SLASHES):
        return _tell(row, seen, ids, "group_ask_so")
    if len(text) > MAX_QUESTION_CHARS or row.is_cut:
        return _tell(row, seen, ids, "group_too_long", count=MAX_QUESTION_CHARS)
    if seen.waiting >= MAX_WAITING:
        return _tell(row, seen, ids, "group_waits", count=seen.waiting)
    return _ask(row, seen, text, ids)


def owns(view: View, policy: Policy, thread: ThreadId, cwd: str) -> bool:
    """Whether a thread is or ever was a group's, or runs where theirs do."""
    place = posixpath.normpath(cwd) + "/"
    is_there = any(place.startswith(f"{folder}/") for folder in policy.group_folders)
    return thread in view.group_threads or is_there


def _ask(row: InboxRow, seen: GroupView, text: str, ids: Ids) -> Decision:
    """A turn in the group's own thread; its task takes the head when its turn comes."""
    group = seen.group
    if group.thread is None:  # an approved group has one
        return over(row, seen.group.peer, InboxEvent.PASSED_OVER)
    key = turn_key(ids.install, seen.account.channel, group.peer, row.msg_key, group.thread)
    turn = NewTurn(
        key=key,
        thread=group.thread,
        alias=str(group.number),
        prompt=say("group_prompt", seen.lang, text=text),
        cwd=seen.folder,
        sandbox=SANDBOX,
        approval_policy=APPROVALS,
        model="",
        effort="",
        state=TurnState.QUEUED,
        expected_head=None,
        seen_head="",
    )
    audit = Audit("turn.plan", "threat-model R5", turn.state.value, f"group {group.number}")
    return replace(over(row, group.peer, InboxEvent.PLANNED), turn=turn, audit=(audit,))


def _tell(row: InboxRow, seen: GroupView, ids: Ids, phrase: str, **values: object) -> Decision:
    told = NewRow(
        SendClass.ANSWER,
        notice(phrase, seen.lang, **values),
        f"ctb:{ids.seed}-r",
        f"reply-{ids.seed}",
    )
    return replace(over(row, seen.group.peer, InboxEvent.ANSWERED), bubbles=(told,))


def over(row: InboxRow, peer: PeerId, event: InboxEvent) -> Decision:
    """The row is done: nothing is said, and nothing else changes."""
    state, outcome = inbox_step(InboxState.NEW, event)
    return Decision(peer=peer, rows=(RowStep(row.id, state, outcome),))
