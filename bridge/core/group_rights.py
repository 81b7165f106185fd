"""What the owner says of groups, in the private chat: `/group`, and the word that one asks."""

from __future__ import annotations

from dataclasses import replace

from bridge.core import commands as c
from bridge.core.decision import Audit, Decision, Ids, NewRow
from bridge.core.group_chat import (
    GroupChat,
    GroupEvent,
    GroupState,
    GroupStep,
    chat_of,
    group_step,
    may_step,
)
from bridge.core.intake import InboxEvent
from bridge.core.model import Lang, SendClass, unmade_thread
from bridge.core.phrases import age, notice, say
from bridge.core.room import Room
from bridge.core.text import clean

TAIL_CHARS = 6  # of the channel's id: enough to tell one's own groups apart
MAX_LISTED = 10  # lines of a list that fit one bubble


def manage(room: Room, command: c.Group) -> Decision:
    """One `/group …` of the owner."""
    if not room.policy.group_qa:
        return room.tell("group_off")
    if command.action == "list" or (command.action == "status" and not command.number):
        return _listed(room)
    group = next((g for g in room.view.groups if g.number == command.number), None)
    if group is None:
        return room.tell("group_unknown", number=command.number)
    if command.action == "status":
        return _shown(room, group)
    return _changed(room, group, GroupEvent(command.action))


def told_of(group: GroupChat, lang: Lang, ids: Ids) -> NewRow:
    """The bubble for the owner, once, that a group asks for the first time."""
    told = notice("group_asks", lang, number=group.number, tail=_tail(group))
    name = f"ctb:{ids.seed}-group-{group.number}"
    return NewRow(SendClass.QUESTION, told, name, name)


def _changed(room: Room, group: GroupChat, event: GroupEvent) -> Decision:
    if not may_step(group.state, event):
        state = _state(group, room.lang)
        return room.tell("group_unchanged", number=group.number, state=state)
    now = replace(group, state=group_step(group.state, event))
    if event is GroupEvent.RESET or now.thread is None:
        now = replace(now, thread=unmade_thread(f"group-{room.ids.seed}"))
    phrase = "group_reset" if event is GroupEvent.RESET else f"group_{now.state}"
    audit = Audit(f"group.{event}", "owner", now.state.value, f"group {group.number}")
    told = notice(phrase, room.lang, number=group.number)
    decision = room.build(InboxEvent.ANSWERED, told, (audit,))
    return replace(decision, group=GroupStep(group, now))


def _listed(room: Room) -> Decision:
    if not room.view.groups:
        return room.tell("group_none")
    newest = sorted(room.view.groups, key=lambda g: (_ORDER.index(g.state), -g.asked_ms))
    lines = [_line(room, group) for group in newest[:MAX_LISTED]]
    text = "\n".join([notice("group_head", room.lang), *lines])
    return room.build(InboxEvent.ANSWERED, text)


def _shown(room: Room, group: GroupChat) -> Decision:
    waiting = room.view.unfinished.get(group.thread, 0) if group.thread else 0
    lines = [notice("group_head", room.lang), _line(room, group)]
    lines.append(say("group_waiting", room.lang, count=waiting))
    return room.build(InboxEvent.ANSWERED, "\n".join(lines))


def _line(room: Room, group: GroupChat) -> str:
    return say(
        "group_line",
        room.lang,
        number=group.number,
        tail=_tail(group),
        state=_state(group, room.lang),
        age=age(room.now_ms - group.asked_ms, room.lang),
    )


_ORDER = (GroupState.PENDING, GroupState.APPROVED, GroupState.DISABLED)


def _state(group: GroupChat, lang: Lang) -> str:
    return say(f"group_state_{group.state}", lang)


def _tail(group: GroupChat) -> str:
    """The end of the channel's id, its server's name left out, made harmless."""
    named = clean(chat_of(group.peer)).partition("@")[0]
    return "".join(sign for sign in named if sign.isalnum() or sign in "-_")[-TAIL_CHARS:]
