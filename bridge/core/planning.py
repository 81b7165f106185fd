"""A prompt of the owner, to the turn that it becomes: now, behind others, or not at all."""

from __future__ import annotations

from dataclasses import replace

from bridge.core import approvals, guests
from bridge.core.decision import Audit, Decision, NewTurn, RowStep, TurnStep, View
from bridge.core.errors import Refusal
from bridge.core.intake import InboxEvent, inbox_step
from bridge.core.model import (
    Alias,
    AliasName,
    Approval,
    InboxState,
    Parked,
    Part,
    Question,
    Turn,
    TurnState,
    is_unmade,
)
from bridge.core.phrases import notice, say
from bridge.core.prompts import Composed, compose
from bridge.core.room import Room, active_thread, alias_named, alias_of, in_use, key_of
from bridge.core.turn_states import is_unanswered
from bridge.core.verdicts import verdict


def prompt(room: Room) -> Decision:
    """Words and files for the thread in use, or for that of the answer they quote."""
    said = compose(room.batch.rows, room.view.quoted_text, room.lang)
    found, alias = _without_a_turn(room, said.words), _meant(room)
    if found is None and alias is not None:
        return _plan(room, alias, said)
    return _keeping_files(room, found or _nowhere(room))


def send(room: Room, name: str, text: str) -> Decision:
    """Words for a thread by its name, and the files that waited for them."""
    *files, command = room.batch.rows
    refused = _unusable(room, text)
    alias = alias_named(room.view, name)
    if refused or alias is None:
        return _keeping_files(room, room.tell(refused or "no_alias", alias=name))
    if not files:
        return _plan(room, alias, Composed(text, text))
    words = replace(command, parts=(Part("text"), Part("text", text)), quoted_id="", quoted_text="")
    said = compose((*files, words), None, room.lang)
    return _plan(room, alias, said)


def retry(room: Room) -> Decision:
    """A turn parked for its head starts as itself; an ended one runs as a new turn.

    Its owner is told which, where it is not the one that ended last before his eyes.
    """
    view = room.view
    turn = to_retry(view)
    if turn is None:
        return room.tell("nothing_to_retry")
    alias, is_parked = _alias_of(room, turn), turn.state is TurnState.PARKED
    is_last = turn.thread == active_thread(view) and (is_parked or turn == view.last_turn)
    told = "" if is_last else notice("once_more", room.lang, id=turn.id, alias=alias.name)
    if is_parked:
        return _start_parked(room, turn, told)
    return _plan(room, alias, Composed(turn.prompt, turn.prompt, turn.files, turn.preface), told)


def to_retry(view: View) -> Turn | None:
    """The newest turn without its answer: the quoted one, of its thread or that in use, or any.

    What has its answer is never among them, and what was run again since only by a quote.
    """
    quoted, thread = view.quoted_turn, active_thread(view)
    if quoted is not None and is_unanswered(quoted):
        return quoted
    mine = [t for t in view.turns if t.peer == view.peer.id]
    parked = [t for t in mine if t.state is TurnState.PARKED and t.reason == Parked.HEAD]
    found = [*parked, *view.unanswered]
    here = [turn for turn in found if turn.thread == thread]
    choice = here if here or quoted is not None else found
    return max(choice, key=lambda turn: turn.id, default=None)


def ask_about_files(room: Room) -> Decision:
    """Files alone: what shall be done with them? Those that are gone are told as lost."""
    lost = [row for row in room.batch.rows if all(f.outcome == "gone" for f in row.files)]
    here = [row for row in room.batch.rows if row not in lost]
    lines = [
        notice(phrase, room.lang, count=sum(len(row.files) for row in rows))
        for phrase, rows in (("files_lost", lost), ("files_alone", here))
        if rows
    ]
    state, outcome = inbox_step(InboxState.NEW, InboxEvent.ASKED)
    asked = {row.id: RowStep(row.id, state, outcome, is_asked=True) for row in here}
    found = room.build(InboxEvent.ANSWERED, "\n".join(lines))
    return replace(found, rows=tuple(asked.get(step.id, step) for step in found.rows))


def _without_a_turn(room: Room, words: str) -> Decision | None:
    """What follows from words that cannot be run, or that answer something."""
    refused = _unusable(room, words)
    if refused:
        return room.tell(refused)
    if room.view.quoted_question is not None:
        return guests.answered(room, room.view.quoted_question, words)
    if room.view.quoted_request is not None:
        return verdict(room, room.view.quoted_request.code, "accept", words)
    if room.view.maybe_quoted is not None:
        return _which(room, room.view.maybe_quoted)
    return None


def _meant(room: Room) -> Alias | None:
    """The thread that gave the quoted answer, else the one in use."""
    if room.view.quoted_turn is not None:
        return _alias_of(room, room.view.quoted_turn)
    name = in_use(room.view)
    return room.view.aliases.get(name) if name else None


def _nowhere(room: Room) -> Decision:
    if room.view.meant:
        return room.tell("no_alias", alias=room.view.meant)
    return room.tell("no_thread")


def _keeping_files(room: Room, found: Decision) -> Decision:
    """Nothing was made of the words: files without any go on waiting for some."""
    waiting = {row.id for row in room.batch.rows if row.is_files_alone}
    return replace(found, rows=tuple(step for step in found.rows if step.id not in waiting))


def _unusable(room: Room, text: str) -> str | None:
    if any(row.is_cut for row in room.batch.rows):
        return "cut"
    if text.strip():
        return None
    is_odd = any(p.kind != "text" for row in room.batch.rows for p in row.parts)
    return "unsupported" if is_odd else "empty"


def _which(room: Room, asked: Question | Approval) -> Decision:
    """It may be an answer, so it is no prompt; it may be a prompt, so it answers nothing."""
    who = asked.client if isinstance(asked, Question) else f"#{asked.turn}"
    return room.tell("quote_may_answer", who=who, code=asked.code)


def _plan(room: Room, alias: Alias, said: Composed, told: str = "") -> Decision:
    """A turn in this thread, and what its owner is told of it; held where the queue is full."""
    ahead = room.view.unfinished.get(alias.thread, 0)
    waiting, limit = ahead - 1, room.policy.queue_limit  # all but the first of them wait
    if limit and waiting >= limit:
        full = notice("queue_full", room.lang, alias=alias.name, count=waiting)
        once = "" if room.facts.is_full_told else full  # for all that are held meanwhile
        return room.build(InboxEvent.QUEUE_FULL, once, room.not_done("held", "queue_full"))
    status, is_new = room.facts.status, is_unmade(alias.thread)
    turn = _turn(room, alias, said, is_idle=not ahead and (status is not None or is_new))
    news = [told]
    limit = room.policy.flood_limit
    if limit and room.facts.prompts_before >= limit and not room.facts.is_flood_told:
        news.append(notice("flood", room.lang, count=limit))
    # One that has no word for the head is asked to start all the same.
    is_away = room.facts.trouble not in ("", Refusal.CONTROLLER_LACKS)
    if not ahead and turn.state is TurnState.QUEUED and is_away:
        why = say(room.facts.trouble, room.lang)
        news.append(notice("waits", room.lang, alias=alias.name, why=why))
    found = room.build(InboxEvent.PLANNED, "\n".join(line for line in news if line))
    asked = room.view.asked.get(alias.thread)
    if asked is not None:
        is_remote = room.policy.remote_approvals
        behind = approvals.behind(asked, alias.name, room.peer, is_remote)
        found = replace(found, bubbles=(*found.bubbles, behind))
    return replace(
        found,
        turn=turn,
        audit=(Audit("turn.plan", "owner", turn.state.value, alias.name),),
    )


def _turn(room: Room, alias: Alias, said: Composed, *, is_idle: bool) -> NewTurn:
    """The turn of these words: one that may start now has the thread's head as it is."""
    status = room.facts.status
    return NewTurn(
        key=key_of(room.batch, room.view, alias.thread, room.ids),
        thread=alias.thread,
        alias=alias.name,
        prompt=said.text,
        cwd=alias.cwd or (status.cwd if status else ""),
        sandbox=alias.sandbox,
        approval_policy=alias.approval_policy,
        model=alias.model,
        effort=alias.effort,
        state=TurnState.STARTING if is_idle else TurnState.QUEUED,
        expected_head=status.head if status and is_idle else None,
        seen_head=alias.seen_head,
        files=said.files,
        preface=said.preface,
    )


def _start_parked(room: Room, turn: Turn, told: str) -> Decision:
    """The same turn under the same key: its start was never accepted."""
    step = TurnStep(turn.id, turn.thread, turn.state, turn.state, reason=Parked.AGREED)
    audit = Audit("turn.retry", "owner", "the new head is accepted", turn=turn.id)
    return replace(room.build(InboxEvent.ANSWERED, told), turn_steps=(step,), audit=(audit,))


def _alias_of(room: Room, turn: Turn) -> Alias:
    name = AliasName(turn.alias)
    gone = Alias(name, turn.thread, turn.cwd, "", turn.sandbox, turn.approval_policy)
    return alias_of(room.view, turn.thread) or gone
