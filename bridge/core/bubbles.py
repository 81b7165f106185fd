"""Which bubbles does a stored answer become? Its head at once, the rest when it is asked for."""

from __future__ import annotations

import re

from bridge.core import text
from bridge.core.decision import Ids, NewRow
from bridge.core.group_chat import is_group
from bridge.core.model import Peer, SendClass, Turn, TurnId
from bridge.core.phrases import notice

BUBBLES_AT_ONCE = 2  # design 7
MANY_WAITING = 3  # design 7: then one bubble each
BUBBLES_PER_MORE = 4  # design 7
_OR_FILE = {"more": "more_or_file", "more_of": "more_of_or_file"}
_GROUP = re.compile(r"turn-(\d+)-(\d+)-")


def bubbles(
    turn: Turn,
    first: int,
    count: int,
    peer: Peer,
    ids: Ids,
    desk_turns: int = 0,
    way: str = "more",
) -> tuple[NewRow, ...]:
    """Rows for the bubbles `first`.. of a stored answer, one group, the rest named.

    `way` is the phrase for how to read on: `more`, or `more_of` among many answers.
    """
    last = min(first + count, len(turn.cuts))
    rows = []
    for index in range(first, last):
        body = text.bubble(turn.result, turn.cuts, index)
        if index == 0:
            body = header(turn, peer, desk_turns) + body
        if index == last - 1 and last < len(turn.cuts):
            body += "\n" + _rest(turn, len(turn.cuts) - last, peer, way)
        rows.append(
            NewRow(
                SendClass.ANSWER,
                body,
                f"ctb:{ids.seed}-{turn.id}-{index}",
                group=f"turn-{turn.id}-{first}-{ids.seed}",
                part=index - first + 1,
                parts=last - first,
                turn=turn.id,
            )
        )
    return tuple(rows)


def shortened(turn: Turn, peer: Peer) -> str:
    """A stored answer as one bubble, when many wait; the rest is read by its number."""
    body = header(turn, peer) + text.bubble(turn.result, turn.cuts, 0)
    return body + "\n" + _rest(turn, len(turn.cuts) - 1, peer, "more_of")


def behind(group: str, part: int) -> tuple[TurnId, int] | None:
    """Whose answer goes on behind this part of a group, with which bubble; None: no answer."""
    found = _GROUP.match(group)
    return (TurnId(int(found[1])), int(found[2]) + part) if found else None


def header(turn: Turn, peer: Peer, desk_turns: int = 0) -> str:
    """What stands before an answer: its thread when another is active, and on the same line
    what was heard; what was not found, moves at the desk."""
    if is_group(turn.peer):
        return ""
    tag = f"({turn.alias})" if turn.thread != peer.thread else ""
    lines = [" ".join(part for part in (tag, turn.preface) if part)]
    if has_moved(turn):
        phrase = "desk_turns" if desk_turns else "desk_moved"
        lines.append(notice(phrase, peer.lang, alias=turn.alias, count=desk_turns))
    return "".join(line + "\n" for line in lines if line)


def has_moved(turn: Turn) -> bool:
    """Whether the thread went on at the desk between what the phone saw and this turn."""
    return bool(turn.seen_head and turn.expected_head and turn.seen_head != turn.expected_head)


def _rest(turn: Turn, left: int, peer: Peer, way: str) -> str:
    """How to read on; what takes more than one `/more`, or is code, is better as a file."""
    is_long = left > BUBBLES_PER_MORE or text.is_mostly_code(turn.result)
    return notice(_OR_FILE[way] if is_long else way, peer.lang, left=left, id=turn.id)
