"""What a message of the owner changes: a batch, a command, what is known, to a Decision.

Nothing is done here and nothing is read. The Decision holds every row that the command
leads to; the store writes it in one transaction, and the other tasks find their work
in those rows.
"""

from __future__ import annotations

from bridge.core import (
    artifacts,
    control,
    group_rights,
    holding,
    naming,
    planning,
    resending,
    stopping,
    verbs,
)
from bridge.core import commands as c
from bridge.core.answers import answer
from bridge.core.decision import Asking, Decision, Facts, Ids, Policy, View
from bridge.core.intake import Batch, InboxEvent, is_command
from bridge.core.model import AliasName, ThreadId, is_unmade
from bridge.core.phrases import notice
from bridge.core.room import (
    CONFIRM_MS,
    Room,
    active_thread,
    alias_meant,
    alias_named,
    alias_of,
    is_thread_id,
    listed_at,
    open_question,
)
from bridge.core.verdicts import verdict


def command_of(batch: Batch) -> c.Command:
    """What the rows of a batch ask for, read as one message."""
    last = batch.rows[-1]
    if is_command(last):
        found = verbs.parse(last.text)
        return c.Yes(last.age_ms > CONFIRM_MS) if isinstance(found, c.Yes) else found
    return c.Prompt()


def need_of(command: c.Command, view: View, now_ms: int) -> c.Need:
    """What has to be asked or done first; nothing for what is refused in any case."""
    need = c.needs(command)
    if isinstance(command, c.Yes):
        is_needed = not command.is_late and control.to_recover(view, now_ms)
        return need if is_needed else c.Need.NONE
    if isinstance(command, c.Steer):
        turn = control.steered_turn(view)
        return need if turn is not None and turn.run is not None else c.Need.NONE
    if isinstance(command, c.Refresh | c.Fork | c.Recover) and target_of(command, view) is None:
        return c.Need.NONE
    if need is c.Need.STATUS and not isinstance(command, c.Status | c.Recover):
        thread = target_of(command, view)
        # A turn of ours is there: the controller need not be asked how the thread is.
        return c.Need.NONE if thread is None or view.unfinished.get(thread) else need
    return need


def target_of(command: c.Command, view: View) -> ThreadId | None:
    """The thread that a command is about, if one is meant, known, and there already."""
    thread = _target(command, view)
    return None if thread is None or is_unmade(thread) else thread


def asking(batch: Batch, command: c.Command, view: View) -> Asking | None:
    """The prompt in these rows that is not planned yet, and the thread that it is for."""
    thread = _target(command, view) if isinstance(command, c.Dispatching) else None
    return Asking(thread, tuple(row.id for row in batch.rows)) if thread else None


def decide(
    batch: Batch,
    command: c.Command,
    view: View,
    facts: Facts,
    policy: Policy,
    now_ms: int,
    ids: Ids,
) -> Decision:
    """Everything that follows from this batch, as one value."""
    room = Room(batch, view, facts, policy, now_ms, ids)
    if batch.is_stale:
        return holding.hold_stale(room)
    if batch.is_wordless:
        return planning.ask_about_files(room)
    match command:
        case c.Prompt():
            return planning.prompt(room)
        case c.Send(alias, text):
            return planning.send(room, alias, text)
        case c.Retry():
            return planning.retry(room)
        case c.Stop(alias):
            return stopping.stop(room, alias)
        case c.Cancel(number):
            return stopping.cancel(room, number)
        case c.Approve(code):
            return verdict(room, code, "accept")
        case c.Deny(code):
            return verdict(room, code, "decline")
        case c.Answer(code, text):
            return verdict(room, code, "accept", text)
        case c.RunHeld():
            return holding.release_held(room, InboxEvent.RUN_HELD, "running_held")
        case c.DropHeld():
            return holding.release_held(room, InboxEvent.DROP_HELD, "dropped_held")
        case c.Use(target):
            return naming.use(room, target)
        case c.Add(alias, target):
            return naming.add(room, AliasName(alias), target)
        case c.Bind(target):
            return naming.bind(room, target)
        case c.Remove(alias):
            return naming.remove(room, alias)
        case c.Yes(is_late=True):
            return room.tell("nothing_to_confirm")
        case c.Yes():
            return _yes(room)
        case c.No():
            is_open = open_question(view, now_ms) is not None
            return room.tell("kept" if is_open else "nothing_to_confirm")
        case c.Refresh(alias):
            return control.refresh(room, alias)
        case c.Resend(number):
            return resending.resend(room, number)
        case c.Steer():
            return control.steer(room)
        case c.New(alias, folder):
            return control.new(room, AliasName(alias), folder)
        case c.Fork():
            return control.fork(room, command)
        case c.Recover(alias):
            return control.recover(room, alias)
        case c.Artifacts(alias):
            return artifacts.listing(room, alias)
        case c.SendFile(which):
            return artifacts.send(room, which)
        case c.Group():
            return group_rights.manage(room, command)
        case c.Malformed("group") if not policy.group_qa:
            return room.tell("group_off")
        case _:
            return room.answered(answer(command, view, facts, policy, now_ms, ids))


def set_aside(batch: Batch, view: View, ids: Ids) -> Decision:
    """Messages that failed three times: out of the way, and their owner told."""
    room = Room(batch, view, Facts(), Policy(), 0, ids)
    told = notice("poison", view.peer.lang, id=batch.rows[0].id)
    return room.build(InboxEvent.POISONED, told, room.not_done("refused", "poison"))


def _yes(room: Room) -> Decision:
    """What was asked is done: a file goes, a lock is taken back, or a name goes."""
    was_begun = room.facts.did or room.facts.trouble  # in time, however long it took
    asked = open_question(room.view, 0 if was_begun else room.now_ms)
    if asked is None:
        return room.tell("nothing_to_confirm")
    match asked.what:
        case "remove":
            return naming.removed(room, AliasName(asked.subject))
        case "send":
            return artifacts.confirmed(room)
        case "recover":
            alias = alias_named(room.view, asked.subject)
            return control.recovered(room, alias) if alias else room.tell("nothing_to_confirm")


def _target(command: c.Command, view: View) -> ThreadId | None:
    match command:
        case c.Prompt():
            is_answer = view.quoted_question or view.quoted_request or view.maybe_quoted
            return None if is_answer else active_thread(view)
        case c.Send(alias, _) | c.Recover(alias):
            found = alias_named(view, alias)
            return found.thread if found else None
        case c.Status(alias):
            found = alias_named(view, alias) if alias else None
            return found.thread if found else active_thread(view)
        case c.Refresh(alias):
            found = alias_meant(view, alias)
            return found.thread if found else None
        case c.Fork():
            return control.fork_source(view, command)
        case c.Use(target):  # a thread with a name needs nothing, and an id is none
            listed = listed_at(view.peer, target)
            is_named = listed is not None and alias_of(view, listed.thread) is not None
            return listed.thread if listed and not is_named else None
        case c.Add(_, target) | c.Bind(target):
            listed = listed_at(view.peer, target)
            if listed is not None:
                return listed.thread
            return ThreadId(target) if is_thread_id(target) else None
        case c.Retry():
            turn = planning.to_retry(view)
            return turn.thread if turn else None
        case _:
            return None
