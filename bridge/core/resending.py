"""Bubbles of a stored answer once more, by the owner's word: `/resend`. Never a turn."""

from __future__ import annotations

from dataclasses import replace

from bridge.core import life
from bridge.core.answers import without_text
from bridge.core.decision import Audit, Decision
from bridge.core.intake import InboxEvent
from bridge.core.phrases import notice
from bridge.core.room import Room


def resend(room: Room, number: int) -> Decision:
    """What may not have arrived goes again, marked, under the ids that it had.

    A channel that knows an id shows nothing twice, so the reply says what that means.
    """
    found = room.view.life
    if found is None:
        return room.tell("no_turn", id=number)
    again = life.uncertain(found)
    if life.is_outlived(found):
        return room.tell("bubbles_gone", id=number)
    if not again and not found.turn.cuts:
        return room.answered(without_text(found.turn, room.lang))
    if not again:
        return room.tell("resend_none", id=number)
    audit = Audit("answer.resend", "owner", "owed again", str(len(again)), found.turn.id)
    told = notice("resent", room.lang, id=number, count=len(again))
    return replace(room.build(InboxEvent.ANSWERED, told, (audit,)), again=again)
