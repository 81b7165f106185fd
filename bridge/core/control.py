"""Commands about threads: read on, steer, begin, branch, take a lock back.

What had to be asked or done for them stands in the facts: a step that was done goes by
the key of its message, or may be done again without harm.
"""

from __future__ import annotations

from dataclasses import replace

from bridge.core import commands as c
from bridge.core import history
from bridge.core.decision import Audit, Decision, Ids, Looked, Moved, NewRow, TurnStep, View
from bridge.core.foreign import named, on_a_line
from bridge.core.groups import owns
from bridge.core.intake import InboxEvent
from bridge.core.model import (
    Alias,
    AliasName,
    Parked,
    SendClass,
    ThreadId,
    Turn,
    TurnState,
    is_unmade,
    unmade_thread,
)
from bridge.core.naming import free_name, refused_name, refused_word
from bridge.core.phrases import notice, say
from bridge.core.room import (
    Room,
    active_thread,
    alias_meant,
    alias_named,
    called,
    open_question,
    turns_of,
)
from bridge.core.text import borders, bubble

FOLDER_CHARS = 40


def refresh(room: Room, name: str) -> Decision:
    alias = alias_meant(room.view, name)
    if alias is None:
        return _nobody(room, name)
    if is_unmade(alias.thread):
        return room.tell("refresh_empty", alias=alias.name)
    found, ours = room.facts.history, room.facts.ours
    if found is None:
        return room.tell("cannot_read", alias=alias.name, why=_why(room))
    body = history.digest(found.items, ours, alias.cwd, room.lang)
    phrase = "refresh_head"
    if not found.items and not found.more:
        last = room.facts.last
        body = history.last_turn(last.items, ours, alias.cwd, room.lang) if last else ""
        phrase = "refresh_none" if body else "refresh_empty"
    text = f"{notice(phrase, room.lang, alias=alias.name)}\n{body}".rstrip()
    if found.more:
        text += "\n" + notice("refresh_more", room.lang, alias=alias.name)
    looked = Looked(alias, found.position, "" if found.more else found.head)
    return replace(room.build(InboxEvent.ANSWERED), bubbles=_bubbles(text, room.ids), looked=looked)


def _bubbles(text: str, ids: Ids) -> tuple[NewRow, ...]:
    cuts = borders(text)
    group = f"reply-{ids.seed}"
    return tuple(
        NewRow(
            SendClass.ANSWER,
            bubble(text, cuts, index),
            f"ctb:{ids.seed}-r{index}",
            group,
            index + 1,
            len(cuts),
        )
        for index in range(len(cuts))
    )


def steered_turn(view: View) -> Turn | None:
    """The running turn of the thread in use, or of the quoted answer's.

    Else the last one there: words that a crash cut off may be in it.
    """
    thread, last = active_thread(view), view.last_turn
    live = (TurnState.STARTING, TurnState.RUNNING)
    found = next((t for t in turns_of(view, thread) if t.state in live), None)
    return found or (last if last is not None and last.thread == thread else None)


def steer(room: Room) -> Decision:
    turn, last, facts = steered_turn(room.view), room.view.last_turn, room.facts
    if last is not None and facts.steered is not None and last.run == facts.steered:
        turn = last  # it was taken before a crash, and another turn runs by now
    is_over = turn is None or (turn.state is TurnState.DONE and not (facts.did or facts.trouble))
    thread = turn.thread if turn else active_thread(room.view)
    if thread is None:
        return room.tell("no_thread")
    if turn is None or is_over or facts.did in ("no_active_turn", "not_found"):
        return room.tell("steer_over", alias=called(room.view, thread))
    if turn.state is TurnState.STARTING or turn.run is None:
        return room.tell("steer_soon", id=turn.id)
    if room.facts.trouble == "controller_lacks":
        return room.tell("steer_lacks", id=turn.id)
    if room.facts.did != "done":
        phrase = "steer_refused" if room.facts.did else "steer_unknown"
        return room.tell(phrase, id=turn.id, why=_why(room))
    audit = Audit("turn.steer", "owner", "steered", turn=turn.id)
    told = notice("steered", room.lang, id=turn.id)
    return room.build(InboxEvent.ANSWERED, told, (audit,))


def new(room: Room, name: AliasName, asked: str) -> Decision:
    """A name for a thread that does not exist yet: its first message makes it."""
    refused = refused_name(room, name, must_be_free=True)
    if refused is not None:
        return refused
    folder = room.facts.folder
    if folder is None:
        return room.tell("no_folder" if asked else "which_folder", alias=name)
    if room.facts.did == "too_wide":
        return room.tell("folder_too_wide", alias=name)
    alias = Alias(name, unmade_thread(room.ids.seed), cwd=folder)
    if owns(room.view, room.policy, alias.thread, folder):
        return room.tell("group_folder")
    room.peer = replace(room.peer, active=name)
    shown = on_a_line(folder.rstrip("/").rpartition("/")[2], FOLDER_CHARS)
    told = notice("made", room.lang, alias=name, folder=shown)
    audit = Audit("thread.new", "owner", "named", name)
    return replace(room.build(InboxEvent.ANSWERED, told, (audit,)), aliases=(alias,))


def default_folder(view: View) -> str:
    """Where a new thread is when no folder is said: beside the one in use."""
    alias = alias_meant(view, "")
    return alias.cwd if alias else ""


def fork_source(view: View, command: c.Fork) -> ThreadId | None:
    """The thread to branch, if that can be: nothing is branched for a refused name."""
    alias = alias_meant(view, command.alias)
    if alias is None or is_unmade(alias.thread):
        return None
    name = AliasName(command.name)
    if name and refused_word(view, name, must_be_free=True)[0]:
        return None
    return alias.thread


def fork(room: Room, command: c.Fork) -> Decision:
    source = alias_meant(room.view, command.alias)
    if source is None:
        return _nobody(room, command.alias)
    if is_unmade(source.thread):
        return room.tell("fork_empty", alias=source.name)
    name = AliasName(command.name) or free_name(room.view, source.name)
    refused = refused_name(room, name, must_be_free=True)
    if refused is not None:
        return refused
    if room.facts.made is None:
        return room.tell("cannot_fork", alias=source.name, why=_why(room))
    branch = replace(source, name=name, thread=room.facts.made, seen_head="", position="")
    room.peer = replace(room.peer, active=name)
    mine = turns_of(room.view, source.thread)
    waits = bool(mine) and _waits_for_thread(mine[0])
    phrase = "branched_with" if waits else "branched"
    told = notice(phrase, room.lang, alias=name, source=source.name, count=len(mine))
    audit = Audit("thread.fork", "owner", "named", f"{source.name} {name}")
    found = replace(room.build(InboxEvent.ANSWERED, told, (audit,)), aliases=(branch,))
    return replace(found, moved=Moved(source.thread, branch)) if waits else found


def recover(room: Room, name: str) -> Decision:
    alias = alias_named(room.view, name)
    if alias is None:
        return _nobody(room, name)
    live = (TurnState.STARTING, TurnState.RUNNING, TurnState.SETTLING)
    mine = [t for t in turns_of(room.view, alias.thread) if t.state in live]
    if mine:
        return room.tell("recover_ours", alias=alias.name, id=mine[0].id)
    status = room.facts.status
    if status is None and not is_unmade(alias.thread):
        return room.tell("recover_failed", alias=alias.name, why=_why(room))
    if status is not None and not status.is_active and status.state == "elsewhere":
        return room.tell("recover_elsewhere", alias=alias.name)
    if status is None or not status.is_active:
        return room.tell("recover_free", alias=alias.name)
    room.ask("recover", alias.name)
    owner = named(status.owner) or "?"
    return room.tell("recover_ask", alias=alias.name, owner=owner)


def to_recover(view: View, now_ms: int) -> Alias | None:
    """The alias whose lock `/yes` takes back now."""
    asked = open_question(view, now_ms)
    return alias_named(view, asked.subject) if asked and asked.what == "recover" else None


def recovered(room: Room, alias: Alias) -> Decision:
    """What the owner confirmed was done: the turns that waited for it may start."""
    if room.facts.did != "done":
        return room.tell("recover_failed", alias=alias.name, why=_why(room))
    audit = Audit("lock.recover", "owner confirmed", "recovered", alias.name)
    steps = tuple(
        TurnStep(t.id, t.thread, t.state, t.state, reason=t.reason, retry_at_ms=room.now_ms)
        for t in turns_of(room.view, alias.thread)
        if _waits_for_thread(t)
    )
    found = room.tell("recovered", alias=alias.name)
    return replace(found, turn_steps=steps, audit=(audit,))


def _waits_for_thread(turn: Turn) -> bool:
    return turn.state is TurnState.PARKED and turn.reason == Parked.ELSEWHERE


def _nobody(room: Room, name: str) -> Decision:
    return room.tell("no_alias", alias=name) if name else room.tell("no_thread")


_SAID = ("busy", "elsewhere", "not_found", "archived", "engine_down")


def _why(room: Room) -> str:
    did, trouble = room.facts.did, room.facts.trouble
    if trouble or not did:
        return say(trouble or "controller_slow", room.lang)
    return say(f"why_{did}" if did in _SAID else "why_other", room.lang)
