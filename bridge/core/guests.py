"""What agents may say to the owner: notes, paced and merged, questions, and offers of files.

An agent chooses the words and nothing else: not who reads them, not when, not under
whose name. Its bubble opens with a line of ours that names it, and no line of its text
can look like one of ours (threat-model R28). Its bubbles leave in order and a minute apart:
what it notes meanwhile joins the bubble that waits, or is refused when that is full (R37).

An offer is a line that names the file; the file itself leaves when its owner asks for it.

A question has one end: answered, declined, or 12 hours over. Its code carries no
authority, so unlike an approval's it holds as long as the question.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from bridge.core.decision import Audit, Decision, Ids, NewRow
from bridge.core.foreign import harmless
from bridge.core.intake import InboxEvent
from bridge.core.markdown import balanced, for_chat
from bridge.core.model import Account, OutId, OutRow, OutState, Peer, PeerId, Question, SendClass
from bridge.core.phrases import notice, size
from bridge.core.room import Room
from bridge.core.sending import (
    QUESTION_LIFE_MS,
    Limits,
    NeedOwner,
    Nothing,
    Window,
    choose,
    credits_left,
    is_worthless,
)
from bridge.core.text import borders
from bridge.core.words import beyond, choice

NOTE_SPACING_MS = 60_000  # R37: 8 sends are granted for each message of the owner
MAX_TEXT_CHARS = 1_200  # leaves room in one bubble for our lines and nine options
MAX_OPTIONS = 9  # each has one digit
MAX_OPTION_CHARS = 40
MAX_CAPTION_CHARS = 200
MAX_WAITING_OFFERS = 3  # of one agent in a day: the owner's list is short
MAX_WAITING_QUESTIONS = 3  # of one agent: more cannot be told apart on a phone


class No(StrEnum):
    """Why nothing was queued; the facade has the sentences."""

    EMPTY = "empty"
    TOO_LONG = "too_long"
    TOO_MANY = "too_many"
    TOO_MANY_QUESTIONS = "too_many_questions"
    TOO_MANY_OFFERS = "too_many_offers"
    BAD_OPTIONS = "bad_options"
    NO_OWNER = "no_owner"


@dataclass(frozen=True, slots=True)
class Joined:
    """The text that a bubble which has not left yet becomes."""

    id: OutId
    text: str


@dataclass(frozen=True, slots=True)
class Again:
    """These very words stand in this bubble already: its receipt was lost, or never read."""

    id: OutId


def recipient(account: Account, wrote: Sequence[tuple[PeerId, int]]) -> PeerId | None:
    """The owner who wrote last; never anybody that an agent could name (R33)."""
    owners = account.owner.user_ids
    known = [(at_ms, peer) for peer, at_ms in wrote if peer in owners]
    if known:
        return max(known)[1]
    return PeerId(min(owners)) if owners else None


def note(
    client: str,
    text: str,
    waiting: OutRow | None,
    peer: Peer,
    ids: Ids,
) -> NewRow | Joined | Again | No:
    """A bubble of its own, a place in the one that waits, or a refusal.

    `waiting` has never been tried.
    """
    body = _safe(text)
    if isinstance(body, No):
        return body
    head = notice("agent_note", peer.lang, client=client)
    shown = f"{head}\n{body}"
    if waiting is not None:
        if waiting.text == shown or waiting.text.endswith(f"\n\n{body}"):
            return Again(waiting.id)
        joined = f"{waiting.text}\n\n{body}"
        return Joined(waiting.id, joined) if _fits(joined) else No.TOO_MANY
    if not _fits(shown):
        return No.TOO_LONG
    return _row(SendClass.NOTE, shown, client, ids)


def offer(
    client: str,
    name: str,
    size_bytes: int,
    caption: str,
    waiting: int,
    peer: Peer,
    ids: Ids,
) -> NewRow | No:
    """The line that tells of a file and how to get it; `waiting` others of its are not sent."""
    body = _safe(caption) if caption.strip() else ""
    if isinstance(body, No):
        return body
    if len(caption) > MAX_CAPTION_CHARS:
        return No.TOO_LONG
    if waiting >= MAX_WAITING_OFFERS:
        return No.TOO_MANY_OFFERS
    shown = notice(
        "agent_offers", peer.lang, client=client, name=harmless(name), size=size(size_bytes)
    )
    text = f"{shown}\n{body}" if body else shown
    return _row(SendClass.NOTE, text, client, ids)


def paced(rows: Sequence[OutRow], left_ms: Mapping[str, int], now_ms: int) -> list[OutRow]:
    """These bubbles, where the notes of an agent leave in their order, a minute apart.

    `left_ms` says when a note of each agent left last; a clock that was set back since
    holds nothing up. One that is tried again waits for its back-off, those behind it for it.
    """
    free_ms = {agent: at + NOTE_SPACING_MS for agent, at in left_ms.items() if at <= now_ms}
    found = []
    for row in rows:
        if row.client and row.send_class is SendClass.NOTE:
            due_ms = max(row.not_before_ms, free_ms.get(row.client, 0))
            free_ms[row.client] = max(due_ms, now_ms) + NOTE_SPACING_MS
            row = replace(row, not_before_ms=due_ms)
        found.append(row)
    return found


def ask(
    client: str,
    text: str,
    options: Sequence[str],
    waiting: Sequence[OutRow],
    peer: Peer,
    now_ms: int,
    ids: Ids,
) -> tuple[NewRow, Question] | Again | No:
    """The bubble that asks, and the question, whose id is the bubble's once it is stored.

    `waiting` are the bubbles of this agent's questions that have no answer yet.
    """
    body = _safe(text)
    if isinstance(body, No):
        return body
    labels = tuple(" ".join(harmless(option).split()) for option in options)
    if len(labels) > MAX_OPTIONS or not all(0 < len(x) <= MAX_OPTION_CHARS for x in labels):
        return No.BAD_OPTIONS
    lines = [notice("agent_asks", peer.lang, client=client), body]
    lines += [f"{number}. {label}" for number, label in enumerate(labels, 1)]
    words = "\n".join(lines)
    for row in waiting:
        if row.peer == peer.id and row.text.rpartition("\n")[0] == words:
            return Again(row.id)
    if len(waiting) >= MAX_WAITING_QUESTIONS:
        return No.TOO_MANY_QUESTIONS
    how = notice("how_to_answer_agent", peer.lang, code=ids.code)
    shown = f"{words}\n{how}"
    if not _fits(shown):
        return No.TOO_LONG
    asking = _row(SendClass.QUESTION, shown, client, ids)
    return asking, Question(OutId(0), client, peer.id, labels, ids.code, now_ms)


def answered(room: Room, question: Question, said: str) -> Decision:
    """The owner's words for the agent, kept until it asks for them; a number is an option."""
    word, number, last = said.strip(), choice(said), len(question.options)
    if beyond(said, last) is not None and standing(question, room.now_ms) == "waiting":
        return room.tell("no_such_choice", number=number, last=last, code=question.code)
    chosen = question.options[number - 1] if number and number <= last else word
    return _closed(room, question, "answered", chosen)


def declined(room: Room, question: Question) -> Decision:
    """The agent is told, when it asks, that there will be no answer."""
    return _closed(room, question, "declined", "")


def standing(question: Question, now_ms: int, *, is_lost: bool = False) -> str:
    """How a question is: waiting, answered, declined, expired, or on no phone."""
    if question.outcome:
        return question.outcome
    if is_lost:
        return "undelivered"
    return "expired" if now_ms - question.asked_ms > QUESTION_LIFE_MS else "waiting"


def is_lost(row: OutRow, state: OutState, outcome: str) -> bool:
    """Whether a bubble has ended and is surely on no phone."""
    return state is OutState.DONE and outcome in ("dead", "cancelled") and not row.maybe_sent


def receipt(
    row: OutRow,
    state: OutState,
    outcome: str,
    window: Window,
    account: Account,
    limits: Limits,
    now_ms: int,
) -> str:
    """What an agent is told of its bubble: what is known, and no more."""
    if is_lost(row, state, outcome):
        return "failed" if outcome == "dead" else "dropped"
    if state is OutState.DONE:
        return _ENDS.get(outcome, "unknown")
    if state is OutState.SENDING:
        return "sending"
    if is_worthless(row, window.opened_ms, now_ms):
        return "dropped"
    left = credits_left(window, limits)
    match choose([replace(row, not_before_ms=0)], window, account, limits, now_ms):
        case Nothing():
            return "offline"
        case NeedOwner():
            return "held"
        case _ if left is not None and left <= 1:  # what is waited for is the word for the rest
            return "held"
        case _:
            return "queued"


_ENDS = {"sent": "delivered", "unconfirmed": "unconfirmed"}


def _closed(room: Room, question: Question, outcome: str, said: str) -> Decision:
    if standing(question, room.now_ms) != "waiting":
        return room.tell("agent_question_over", client=question.client)
    told = notice(f"agent_{outcome}", room.lang, client=question.client)
    audit = Audit(f"question.{outcome}", "owner", question.client, str(question.id))
    decision = room.build(InboxEvent.ANSWERED, told, audit=(audit,))
    return replace(decision, question=replace(question, outcome=outcome, said=said))


def _safe(text: str) -> str | No:
    """An agent's text as a phone may show it."""
    if len(text) > MAX_TEXT_CHARS:
        return No.TOO_LONG
    body = for_chat(harmless(text)).strip()
    return balanced(body) or No.EMPTY  # an open fence would swallow the lines behind it


def _fits(text: str) -> bool:
    return len(borders(text)) == 1


def _row(send_class: SendClass, text: str, client: str, ids: Ids) -> NewRow:
    client_id = f"ctb:{ids.seed}-g"
    return NewRow(send_class, text, client_id, client_id, client=client)
