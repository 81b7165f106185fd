"""What was given up: messages set aside, turns that failed three times, bubbles unsent.

Each has a name that says what it is: E-M12 a message, E-T7 a turn, E-B33 a bubble.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bridge.core.model import Lang, ThreadId, TurnId
from bridge.core.phrases import age, notice, say

DAY_MS = 86_400_000
TOLD_FOR_MS = 30 * DAY_MS  # delivery-semantics 9
MAX_LISTED = 8  # on the phone; the desk is told all


class Kind(StrEnum):
    MESSAGE = "M"
    TURN = "T"
    BUBBLE = "B"


@dataclass(frozen=True, slots=True)
class GivenUp:
    kind: Kind
    id: int
    at_ms: int
    outcome: str  # poison; dead; dead or unknown
    turn: TurnId | None = None
    alias: str = ""
    thread: ThreadId | None = None

    @property
    def name(self) -> str:
        return f"E-{self.kind}{self.id}"


def read(name: str) -> tuple[Kind, int] | None:
    """What a name means, in any case, with or without its `E-`; None if it is none."""
    found = re.fullmatch(r"(?:E-)?([MTB])([0-9]{1,15})", name.strip().upper(), re.ASCII)
    return (Kind(found[1]), int(found[2])) if found else None


def told(given: Sequence[GivenUp], lang: Lang, now_ms: int) -> str:
    """The list as a phone shows it, newest first, each with its next step."""
    if not given:
        return notice("dead_none", lang)
    lines = [notice("dead_head", lang)]
    for one in given[:MAX_LISTED]:
        since = age(now_ms - one.at_ms, lang)
        lines.append(
            say(_phrase(one), lang, name=one.name, age=since, id=one.turn, alias=one.alias)
        )
    if len(given) > MAX_LISTED:
        lines.append(say("dead_more", lang, count=len(given) - MAX_LISTED))
    return "\n".join(lines)


def _phrase(one: GivenUp) -> str:
    match one.kind:
        case Kind.MESSAGE:
            return "dead_message"
        case Kind.TURN:
            return "dead_turn"
        case Kind.BUBBLE:
            return f"dead_bubble_{one.outcome}" if one.turn else "dead_notice"
