"""What every decision about one batch looks at, and how its Decision is put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from bridge.core import rules, text
from bridge.core.decision import Audit, Decision, Facts, Ids, NewRow, Policy, RowStep, View
from bridge.core.intake import Batch, InboxEvent, inbox_step
from bridge.core.model import (
    Alias,
    AliasName,
    Confirmation,
    InboxId,
    InboxState,
    Key,
    Listed,
    Peer,
    SendClass,
    ThreadId,
    Turn,
    is_unmade,
)
from bridge.core.phrases import notice
from bridge.core.turns import turn_key

CONFIRM_MS = 120_000  # design 7: /yes and /no, two minutes
MIN_ID_CHARS = 8  # of a thread id typed by hand; Codex's have 36
MAX_ID_CHARS = 128


@dataclass(frozen=True, slots=True)
class Reply:
    """A text to answer with, rows of a stored answer, and what the peer remembers."""

    text: str = ""
    rows: tuple[NewRow, ...] = ()
    peer: Peer | None = None
    refusal: str = ""  # the phrase, where it is one


class Room:
    """The things that every decision about one batch looks at."""

    def __init__(
        self, batch: Batch, view: View, facts: Facts, policy: Policy, now_ms: int, ids: Ids
    ) -> None:
        self.batch = batch
        self.view = view
        self.facts = facts
        self.policy = policy
        self.now_ms = now_ms
        self.ids = ids
        # As it will be: whatever is said ends the open question, and `/yes` looks at the view.
        self.peer = replace(view.peer, confirmation=None)
        self.lang = view.peer.lang

    def tell(self, phrase: str, **values: object) -> Decision:
        """Answer in one sentence; one that refuses leaves its audit line."""
        told = notice(phrase, self.lang, **values)
        return self.build(InboxEvent.ANSWERED, told, self.not_done("refused", phrase))

    def not_done(self, what: str, phrase: str) -> tuple[Audit, ...]:
        """The audit line of a phrase that refuses or holds the message; none of another.

        What is held leaves one for each message: each may come to a turn of its own.
        """
        rows = self.batch.rows if what == "held" else self.batch.rows[:1]
        return tuple(line for row in rows for line in rules.line(what, phrase, subject(row.id)))

    def answered(self, found: Reply) -> Decision:
        """Answer with a list, the status, or bubbles of a stored answer."""
        if found.peer is not None:
            self.peer = replace(found.peer, confirmation=None)
        audit = self.not_done("refused", found.refusal)
        decision = self.build(InboxEvent.ANSWERED, found.text, audit)
        return replace(decision, bubbles=decision.bubbles + found.rows)

    def ask(self, what: Literal["remove", "recover", "send"], subject: str) -> None:
        """Remember the one question that the next `/yes` answers."""
        asked = Confirmation(what, subject, self.now_ms + CONFIRM_MS)
        self.peer = replace(self.peer, confirmation=asked)

    def build(self, event: InboxEvent, told: str = "", audit: tuple[Audit, ...] = ()) -> Decision:
        """The Decision that every other one begins as: its rows are done, its peer is told."""
        state, outcome = inbox_step(InboxState.NEW, event)
        meant = in_use(self.view) if state is InboxState.HELD else None
        bubbles: tuple[NewRow, ...] = ()
        if told:
            told = text.fitting(told)
            group = f"reply-{self.ids.seed}"
            bubbles = (NewRow(SendClass.ANSWER, told, f"ctb:{self.ids.seed}-r", group),)
        return Decision(
            peer=self.peer.id,
            rows=tuple(RowStep(row.id, state, outcome, meant=meant) for row in self.batch.rows),
            bubbles=bubbles,
            peer_before=self.view.peer,
            peer_after=self.peer if self.peer != self.view.peer else None,
            audit=audit,
        )


def subject(row: InboxId) -> str:
    """What an audit line calls a message."""
    return f"message {row}"


def alias_named(view: View, name: str) -> Alias | None:
    return view.aliases.get(AliasName(name))


def alias_of(view: View, thread: ThreadId | None) -> Alias | None:
    """A name of this thread: the one in use where that is one, else the first."""
    names = [alias for alias in view.aliases.values() if alias.thread == thread]
    return next((a for a in names if a.name == view.peer.active), names[0] if names else None)


def alias_meant(view: View, name: str) -> Alias | None:
    """The alias of this name; without a name the one in use, or of the quoted answer."""
    if name:
        return alias_named(view, name)
    return alias_of(view, active_thread(view))


def called(view: View, thread: ThreadId) -> str:
    """What a thread is called; one that has lost its name, as its turn was planned."""
    alias = alias_of(view, thread)
    turns = (view.quoted_turn, view.last_turn, *view.turns)
    told = (turn.alias for turn in turns if turn is not None and turn.thread == thread)
    return alias.name if alias else next(told, "-")


def turns_of(view: View, thread: ThreadId | None) -> Sequence[Turn]:
    """Its unfinished turns, in their order."""
    return [turn for turn in view.turns if turn.thread == thread]


def key_of(batch: Batch, view: View, thread: ThreadId, ids: Ids) -> Key:
    """The same for one message however often it is given."""
    first = batch.rows[0].msg_key
    return turn_key(ids.install, view.account.channel, view.peer.id, first, thread)


def open_question(view: View, now_ms: int) -> Confirmation | None:
    """What `/yes` and `/no` are about."""
    asked = view.peer.confirmation
    return asked if asked is not None and asked.until_ms >= now_ms else None


def in_use(view: View) -> AliasName | None:
    """The name that words without one go to: of now, or of when they were held."""
    return view.meant or view.peer.active


def active_thread(view: View) -> ThreadId | None:
    """The thread of the quoted answer, else that of the name in use."""
    if view.quoted_turn is not None:
        return view.quoted_turn.thread
    name = in_use(view)
    alias = view.aliases.get(name) if name else None
    return alias.thread if alias else None


def listed_at(peer: Peer, target: str) -> Listed | None:
    """What this number means: a place in the list last shown to this peer."""
    if target.isascii() and target.isdecimal() and len(target) <= 4:
        number = int(target)
        if 1 <= number <= len(peer.listed):
            return peer.listed[number - 1]
    return None


def is_thread_id(word: str) -> bool:
    """Whether a word may be a controller's name of a thread; a bare number never is."""
    if is_unmade(word):
        return False
    plain = word.replace("-", "").replace("_", "").replace(".", "").replace(":", "")
    if word.isdecimal():
        return False
    return MIN_ID_CHARS <= len(word) <= MAX_ID_CHARS and plain.isascii() and plain.isalnum()
