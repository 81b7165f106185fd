"""What a message of the owner changes: a batch, a command, what is known, to a Decision.

Nothing is done here and nothing is read. The Decision holds every row that the command
leads to; the store writes it in one transaction, and the other tasks find their work
in those rows.
"""

from __future__ import annotations

from dataclasses import replace

from bridge.core import approvals, control, guests, naming
from bridge.core import commands as c
from bridge.core.answers import answer
from bridge.core.attached import TurnFile
from bridge.core.decision import (
    Asking,
    Audit,
    Decision,
    Facts,
    Ids,
    NewTurn,
    Policy,
    RowStep,
    TurnStep,
    View,
)
from bridge.core.intake import Batch, InboxEvent, inbox_step, is_command
from bridge.core.model import (
    Alias,
    AliasName,
    InboxState,
    Parked,
    ThreadId,
    Turn,
    TurnState,
    is_unmade,
)
from bridge.core.phrases import age, notice, say
from bridge.core.prompts import compose
from bridge.core.room import Room, active_thread, alias_named, is_thread_id, listed_at
from bridge.core.turn_states import TurnEvent, turn_step
from bridge.core.turns import turn_key
from bridge.core.verdicts import verdict

DEFAULT_ALIAS = AliasName("default")  # design 7: /bind


def command_of(batch: Batch) -> c.Command:
    """What the rows of a batch ask for, read as one message."""
    if is_command(batch.rows[0]):
        return c.parse(batch.rows[0].text)
    return c.Prompt("\n".join(row.text for row in batch.rows if row.text))


def need_of(command: c.Command, view: View, now_ms: int) -> c.Need:
    """What has to be asked or done first; nothing for what is refused in any case."""
    need = c.needs(command)
    if isinstance(command, c.Yes):
        return need if control.to_recover(view, now_ms) else c.Need.NONE
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


def _target(command: c.Command, view: View) -> ThreadId | None:
    match command:
        case c.Prompt():
            return None if view.quoted_question else active_thread(view)
        case c.Send(alias, _):
            found = alias_named(view, alias)
            return found.thread if found else None
        case c.Status(alias):
            found = alias_named(view, alias) if alias else None
            return found.thread if found else active_thread(view)
        case c.Refresh(alias):
            found = control.alias_meant(view, alias)
            return found.thread if found else None
        case c.Fork():
            return control.fork_source(view, command)
        case c.Recover(alias):
            found = alias_named(view, alias)
            return found.thread if found else None
        case c.Add(_, target) | c.Bind(target) | c.Use(target):
            listed = listed_at(view.peer, target)
            if listed is not None:
                return listed.thread
            return ThreadId(target) if is_thread_id(target) else None
        case c.Retry():
            return view.last_turn.thread if view.last_turn else None
        case _:
            return None


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
    room = _Deciding(batch, view, facts, policy, now_ms, ids)
    if batch.is_stale:
        return room.hold_stale()
    if batch.is_wordless:
        return room.ask_about_files()
    match command:
        case c.Prompt():
            return room.prompt()
        case c.Send(alias, text):
            return room.send(alias, text)
        case c.Retry():
            return room.retry()
        case c.Stop(alias):
            return room.stop(alias)
        case c.Cancel(number):
            return room.cancel(number)
        case c.Approve(code):
            return verdict(room, code, "accept")
        case c.Deny(code):
            return verdict(room, code, "decline")
        case c.Answer(code, text):
            return verdict(room, code, "accept", text)
        case c.RunHeld():
            return room.release_held(InboxEvent.RUN_HELD, "running_held")
        case c.DropHeld():
            return room.release_held(InboxEvent.DROP_HELD, "dropped_held")
        case c.Use(target):
            return naming.use(room, target)
        case c.Add(alias, target):
            return naming.add(room, AliasName(alias), target, is_chosen=False)
        case c.Bind(target):
            return naming.add(room, DEFAULT_ALIAS, target, is_chosen=True)
        case c.Remove(alias):
            return naming.remove(room, alias)
        case c.Yes():
            held = control.to_recover(view, now_ms)
            return control.recovered(room, held) if held else naming.confirm(room, is_yes=True)
        case c.No():
            return naming.confirm(room, is_yes=False)
        case c.Refresh(alias):
            return control.refresh(room, alias)
        case c.Steer():
            return control.steer(room)
        case c.New(alias, folder):
            return control.new(room, AliasName(alias), folder)
        case c.Fork():
            return control.fork(room, command)
        case c.Recover(alias):
            return control.recover(room, alias)
        case _:
            return room.answered(answer(command, view, facts, now_ms, ids))


def set_aside(batch: Batch, view: View, ids: Ids) -> Decision:
    """Messages that failed three times: out of the way, and their owner told."""
    room = _Deciding(batch, view, Facts(), Policy(), 0, ids)
    first = batch.rows[0].id
    return room.build(
        InboxEvent.POISONED,
        notice("poison", view.peer.lang, id=first),
        audit=(Audit("inbox.poison", "delivery-semantics 9", "poison", str(first)),),
    )


class _Deciding(Room):
    """The decisions about prompts, turns and held messages."""

    # ---- prompts ---------------------------------------------------------

    def prompt(self) -> Decision:
        """Words and files for the thread in use, or for that of the answer they quote."""
        said = compose(self.batch.rows, self.view.quoted_text, self.lang)
        refused = self._unusable(said.words)
        if refused:
            return self.tell(refused)
        if self.view.quoted_question is not None:
            return guests.answered(self, self.view.quoted_question, said.words)
        quoted = self.view.quoted_turn
        if quoted is not None:
            return self._plan(self._alias_of(quoted), said.text, said.files, said.preface)
        alias = self.view.aliases.get(self.peer.active) if self.peer.active else None
        if alias is None:
            return self.tell("no_thread")
        return self._plan(alias, said.text, said.files, said.preface)

    def ask_about_files(self) -> Decision:
        """Files alone: what shall be done with them? Those that are gone are told as lost."""
        lost = [row for row in self.batch.rows if all(f.outcome == "gone" for f in row.files)]
        here = [row for row in self.batch.rows if row not in lost]
        lines = [
            notice(phrase, self.lang, count=sum(len(row.files) for row in rows))
            for phrase, rows in (("files_lost", lost), ("files_alone", here))
            if rows
        ]
        state, outcome = inbox_step(InboxState.NEW, InboxEvent.ASKED)
        asked = {row.id: RowStep(row.id, state, outcome, is_asked=True) for row in here}
        found = self.build(InboxEvent.ANSWERED, "\n".join(lines))
        return replace(found, rows=tuple(asked.get(step.id, step) for step in found.rows))

    def send(self, name: str, text: str) -> Decision:
        refused = self._unusable(text)
        if refused:
            return self.tell(refused)
        alias = alias_named(self.view, name)
        if alias is None:
            return self.tell("no_alias", alias=name)
        return self._plan(alias, text)

    def retry(self) -> Decision:
        """A turn parked for its head starts as itself; an ended one runs as a new turn."""
        mine = [t for t in self.view.turns if t.peer == self.peer.id]
        parked = [t for t in mine if t.state is TurnState.PARKED and t.reason == Parked.HEAD]
        if parked:
            return self._start_parked(parked[0])
        last = self.view.last_turn
        if last is None:
            return self.tell("nothing_to_retry")
        return self._plan(self._alias_of(last), last.prompt, last.files, last.preface)

    def _unusable(self, text: str) -> str | None:
        if any(row.is_cut for row in self.batch.rows):
            return "cut"
        if text.strip():
            return None
        is_odd = any(p.kind != "text" for row in self.batch.rows for p in row.parts)
        return "unsupported" if is_odd else "empty"

    def _plan(
        self, alias: Alias, text: str, files: tuple[TurnFile, ...] = (), preface: str = ""
    ) -> Decision:
        ahead = self.view.unfinished.get(alias.thread, 0)
        waiting = ahead - 1  # all but the first wait
        if self.policy.queue_limit and waiting >= self.policy.queue_limit:
            return self.build(
                InboxEvent.QUEUE_FULL,
                notice("queue_full", self.lang, alias=alias.name, count=waiting),
            )
        head = self.facts.status.head if self.facts.status else None
        is_idle = not ahead and (self.facts.status is not None or is_unmade(alias.thread))
        turn = NewTurn(
            key=turn_key(
                self.ids.install,
                self.view.account.channel,
                self.peer.id,
                self.batch.rows[0].msg_key,
                alias.thread,
            ),
            thread=alias.thread,
            alias=alias.name,
            prompt=text,
            cwd=alias.cwd or (self.facts.status.cwd if self.facts.status else ""),
            sandbox=alias.sandbox,
            approval_policy=alias.approval_policy,
            model=alias.model,
            effort=alias.effort,
            state=TurnState.STARTING if is_idle else TurnState.QUEUED,
            expected_head=head if is_idle else None,
            seen_head=alias.seen_head,
            inbox=tuple(row.id for row in self.batch.rows),
            files=files,
            preface=preface,
        )
        told = ""
        limit = self.policy.flood_limit
        if limit and self.facts.prompts_before == limit:
            told = notice("flood", self.lang, count=limit)
        if not ahead and not is_idle and self.facts.trouble:
            why = say(self.facts.trouble, self.lang)
            told = notice("waits", self.lang, alias=alias.name, why=why)
        found = self.build(InboxEvent.PLANNED, told)
        asked = self.view.asked.get(alias.thread)
        if asked is not None:
            is_remote = self.policy.remote_approvals
            behind = approvals.behind(asked, alias.name, self.peer, is_remote)
            found = replace(found, bubbles=(*found.bubbles, behind))
        return replace(
            found,
            turn=turn,
            audit=(Audit("turn.plan", "owner", turn.state.value, alias.name),),
        )

    def _start_parked(self, turn: Turn) -> Decision:
        """The same turn under the same key: its start was never accepted."""
        step = TurnStep(turn.id, turn.thread, turn.state, turn.state, reason=Parked.AGREED)
        audit = Audit("turn.retry", "owner accepted the new head", "starting", str(turn.id))
        return replace(self.build(InboxEvent.ANSWERED), turn_steps=(step,), audit=(audit,))

    def _alias_of(self, turn: Turn) -> Alias:
        for alias in self.view.aliases.values():
            if alias.thread == turn.thread:
                return alias
        return Alias(
            AliasName(turn.alias), turn.thread, turn.cwd, "", turn.sandbox, turn.approval_policy
        )

    # ---- turns on command --------------------------------------------------

    def stop(self, name: str) -> Decision:
        """Marks the turn; the task of its thread alone speaks to the controller about it."""
        thread = self._named_thread(name)
        shown = name or self.peer.active or "-"
        mine = [t for t in self.view.turns if t.thread == thread]
        asking = self.view.asking
        if not mine and asking is not None and asking.thread == thread:
            return self._unplan(asking)
        if not mine:
            phrase = "no_alias" if thread is None and name else "nothing_runs"
            return self.tell(phrase, alias=shown)
        turn = mine[0]
        if turn.state is TurnState.SETTLING:
            return self.tell("nothing_runs", alias=shown)
        if turn.state in (TurnState.QUEUED, TurnState.PARKED):
            return self._cancel(turn)
        after = turn_step(turn.state, TurnEvent.STOP)
        step = TurnStep(turn.id, turn.thread, turn.state, after, stop_requested=True)
        audit = Audit("turn.stop", "owner", "stopping", str(turn.id))
        return replace(self.build(InboxEvent.ANSWERED), turn_steps=(step,), audit=(audit,))

    def _unplan(self, asking: Asking) -> Decision:
        """A prompt whose turn is not there yet: its rows are done, so no turn can follow."""
        state, outcome = inbox_step(InboxState.NEW, InboxEvent.ANSWERED)
        steps = tuple(RowStep(row, state, outcome) for row in asking.rows)
        audit = Audit("turn.stop", "owner", "not begun", str(asking.rows[0]))
        found = self.build(InboxEvent.ANSWERED, notice("not_begun", self.lang))
        return replace(found, rows=found.rows + steps, audit=(audit,))

    def cancel(self, number: int) -> Decision:
        for turn in self.view.turns:
            if turn.id == number and turn.state in (TurnState.QUEUED, TurnState.PARKED):
                return self._cancel(turn)
        return self.tell("not_waiting", id=number)

    def _cancel(self, turn: Turn) -> Decision:
        after = turn_step(turn.state, TurnEvent.CANCEL)
        step = TurnStep(turn.id, turn.thread, turn.state, after, outcome="cancelled")
        told = notice("cancelled", self.lang, id=turn.id)
        audit = Audit("turn.cancel", "owner", "cancelled", str(turn.id))
        return replace(self.build(InboxEvent.ANSWERED, told), turn_steps=(step,), audit=(audit,))

    def _named_thread(self, name: str) -> ThreadId | None:
        if name:
            found = alias_named(self.view, name)
            return found.thread if found else None
        asked = (self.view.asking.thread,) if self.view.asking else ()
        others = (*(t.thread for t in self.view.turns), *asked)
        return active_thread(self.view) or next(iter(others), None)

    # ---- held messages -----------------------------------------------------

    def hold_stale(self) -> Decision:
        oldest_ms = max(row.age_ms for row in self.batch.rows)
        count, slept_ms = len(self.batch.rows), self.facts.slept_ms
        told = notice(
            "stale_slept" if slept_ms else "stale",
            self.lang,
            count=count,
            age=age(oldest_ms, self.lang),
            slept=age(slept_ms, self.lang),
        )
        audit = Audit("inbox.hold", "threat-model R8", "held", str(count))
        return replace(self.build(InboxEvent.STALE, told), audit=(audit,))

    def release_held(self, event: InboxEvent, phrase: str) -> Decision:
        is_run = event is InboxEvent.RUN_HELD
        rows = self.view.held if is_run else self.view.held + self.view.files_alone
        if not rows:
            return self.tell("nothing_held")
        state, outcome = inbox_step(InboxState.HELD, event)
        steps = tuple(RowStep(row, state, outcome, is_released=is_run) for row in rows)
        found = self.build(InboxEvent.ANSWERED, notice(phrase, self.lang, count=len(rows)))
        return replace(found, rows=found.rows + steps)
