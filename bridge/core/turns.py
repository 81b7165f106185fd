"""The life of a turn: what each word of the controller means for it, and for its owner.

The states that it goes through are in `turn_states`. A group reads its answer, or that
there is none, and nothing else: its turns do not wait for anybody's word.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TypeAlias

from bridge.core import paths, rules, text
from bridge.core.brief import brief
from bridge.core.bubbles import BUBBLES_AT_ONCE, MANY_WAITING, bubbles
from bridge.core.decision import Audit, Ids, NewRow
from bridge.core.errors import Refusal
from bridge.core.foreign import harmless, named, on_a_line
from bridge.core.group_chat import is_group
from bridge.core.markdown import for_chat
from bridge.core.model import (
    OWES_ALL,
    Head,
    Key,
    LockToken,
    MsgKey,
    Owed,
    Parked,
    Peer,
    PeerId,
    RunId,
    SendClass,
    ThreadId,
    Turn,
    is_unmade,
)
from bridge.core.phrases import notice, say
from bridge.core.places import hidden
from bridge.core.prompts import without_paths
from bridge.core.turn_states import TurnEvent

MAX_ATTEMPTS = 3  # delivery-semantics 9
MAX_OWED_TRIES = 5  # delivery-semantics 6: ack and close are dropped, release never
MAX_RESULT_CHARS = 1_000_000  # threat-model R9: 1 MiB kept
RETRY_FIRST_MS = 15_000  # delivery-semantics 6: elsewhere
RETRY_LAST_MS = 300_000


def turn_key(install: str, channel: str, peer: PeerId, first: MsgKey, thread: ThreadId) -> Key:
    """The idempotency key: of what was said, where; of no row id, time or try."""
    joined = "\0".join((install, channel, peer, first, thread))
    return Key("ctb1:" + hashlib.sha256(joined.encode("utf-8", "replace")).hexdigest())


@dataclass(frozen=True, slots=True)
class Accepted:
    """The controller has the turn; `is_over` when a replayed key was already done."""

    run: RunId
    thread: ThreadId
    lock: LockToken | None
    seq: int | None
    turn: str = ""  # Codex's id of it


@dataclass(frozen=True, slots=True)
class HeadMoved:
    pass


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Another program has the thread open; `holder` where the system tells which."""

    holder: str


@dataclass(frozen=True, slots=True)
class Busy:
    """A turn that is not ours runs in the thread, or an owner's lock is on it."""

    owner: str
    is_locked: bool


@dataclass(frozen=True, slots=True)
class Invalid:
    """The controller will not run this; `code` is one of its words, `detail` its sentence."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Uncertain:
    """Nobody can say whether the turn ran."""


@dataclass(frozen=True, slots=True)
class EngineDown:
    """The controller answers, what it drives does not: nothing was started."""


StartReply: TypeAlias = Accepted | HeadMoved | Elsewhere | Busy | Invalid | Uncertain | EngineDown


@dataclass(frozen=True, slots=True)
class Run:
    """A run as the controller reports it. `status` is a word of the contract."""

    id: RunId
    status: str
    thread: ThreadId
    lock: LockToken | None = None
    reason: str = ""
    head: Head | None = None
    result: str = ""
    seq: int | None = None
    turn: str = ""  # Codex's id of it
    detail: str = ""  # a sentence of whoever failed it


@dataclass(frozen=True, slots=True)
class Settlement:
    """The end of a turn as it is stored: answer, cuts, bubbles, what is owed."""

    event: TurnEvent
    outcome: str
    result: str
    cuts: tuple[int, ...]
    rows: tuple[NewRow, ...]
    owes: tuple[Owed, ...]
    head: Head | None
    more_next: int  # the bubble that `/more` begins with; 0 when nothing remains
    offers: tuple[str, ...] = ()  # files that the answer speaks of


@dataclass(frozen=True, slots=True)
class ParkStep:
    """A turn that waits for something outside, and what its owner is told, once."""

    event: TurnEvent
    reason: Parked
    retry_at_ms: int
    rows: tuple[NewRow, ...]
    audit: tuple[Audit, ...] = ()  # of what its owner has to decide


def after_start(
    turn: Turn, reply: StartReply, peer: Peer, now_ms: int, ids: Ids
) -> Accepted | ParkStep | Settlement:
    """What a refused or accepted start means for the turn."""
    match reply:
        case Accepted():
            return reply
        case HeadMoved() if is_group(turn.peer):
            return ended(turn, TurnEvent.INVALID, "failed", peer, ids)
        case HeadMoved():
            moved = notice("head_moved", peer.lang, id=turn.id, alias=turn.alias)
            row = _row(turn, moved, f"head_moved-{turn.id}", ids)
            held = rules.line("held", "head_moved", f"turn {turn.id}")
            return ParkStep(TurnEvent.HEAD_MOVED, Parked.HEAD, 0, (row,), held)
        case Elsewhere(holder):
            who = named(holder) or say("another_program", peer.lang)
            told = _told_once(turn, peer, "parked_elsewhere", holder=who)
            return _park(turn, TurnEvent.ELSEWHERE, Parked.ELSEWHERE, now_ms, told)
        case Busy(owner, is_locked):
            phrase = "parked_locked" if is_locked else "parked_busy"
            who = named(owner) or say("another_owner", peer.lang)
            told = _told_once(turn, peer, phrase, owner=who)
            return _park(turn, TurnEvent.ELSEWHERE, Parked.ELSEWHERE, now_ms, told)
        case EngineDown():
            told = _told_once(turn, peer, "parked_controller")
            return _park(turn, TurnEvent.LINK_DOWN, Parked.CONTROLLER, now_ms, told)
        case Uncertain():
            return ended(turn, TurnEvent.GATE_BLOCKED, "uncertain", peer, ids)
        case Invalid(code, detail):
            return ended(turn, TurnEvent.INVALID, "failed", peer, ids, code, detail)


def parked_for_controller(turn: Turn, reason: Refusal | None, peer: Peer, now_ms: int) -> ParkStep:
    """There was no call: the turn waits for a link, or for a controller that can start it."""
    told = _told_once(turn, peer, "parked_controller")
    step = _park(turn, TurnEvent.LINK_DOWN, Parked.CONTROLLER, now_ms, told)
    return step if reason is Refusal.CONTROLLER_LACKS else replace(step, retry_at_ms=now_ms)


def after_run(
    turn: Turn, run: Run, peer: Peer, waiting: int, ids: Ids, desk_turns: int = 0
) -> Settlement:
    """What the owner is sent when a run is over, and what the controller is owed.

    `desk_turns`: how many turns the desk made since the phone last looked; 0 = not known.
    """
    if run.status == "completed" and text.clean(run.result).strip():
        return _answered(turn, run, peer, waiting, ids, desk_turns)
    outcome = run.status if run.status in _ENDS else "failed"
    if outcome == "interrupted" and turn.stop_requested:
        outcome = "cancelled"
    detail = run.result or run.detail
    found = ended(turn, TurnEvent.OVER, outcome, peer, ids, run.reason, detail)
    return replace(found, owes=owed(turn), head=run.head)


def ended(
    turn: Turn,
    event: TurnEvent,
    outcome: str,
    peer: Peer,
    ids: Ids,
    code: str = "",
    detail: str = "",
) -> Settlement:
    """An end without an answer: one notice that says what is known and what to do.

    What was said until then is kept as an answer is; no file in it is offered, so no place
    on the disk is named either.
    """
    said = hidden(harmless(_by_name(turn, detail)), turn.cwd)
    kept, cuts = _kept(turn, said.strip())
    is_private = not is_group(turn.peer)
    told = notice(
        _phrase(outcome, code, detail) if is_private else "group_no_answer",
        peer.lang,
        id=turn.id,
        why=_why(code, kept),
        alias=turn.alias,
    )
    row = _row(turn, told, f"end-{turn.id}", ids)
    rows = (row,) if is_private or outcome != "cancelled" else ()
    return Settlement(event, outcome, kept, cuts, rows, owed(turn, event), None, 0)


def owed(turn: Turn, event: TurnEvent = TurnEvent.OVER) -> tuple[Owed, ...]:
    """What the controller is owed after the end is stored.

    Nothing without a run; but a start whose outcome nobody knows may have left our lock.
    """
    if turn.run:
        return OWES_ALL
    may_be_locked = event in _NOT_KNOWN and not is_unmade(turn.thread)
    return (Owed.RELEASE,) if may_be_locked else ()


def lock_kept(turn: Turn, peer: Peer) -> NewRow:
    """Said once: the thread stays locked in our name until its owner takes the lock back."""
    return _told_once(turn, peer, "lock_kept")


def not_freed(turn: Turn, peer: Peer) -> NewRow:
    """Said once: the release is refused and asked for again; what comes next waits for it."""
    return _told_once(turn, peer, "not_freed")


def stopping(turn: Turn, peer: Peer) -> tuple[NewRow, ...]:
    """Said once, where a stop cannot be obeyed at once; a group's turn is stopped unsaid."""
    return () if is_group(turn.peer) else (_told_once(turn, peer, "stopping"),)


def backoff_ms(tries: int) -> int:
    """How long a parked turn waits before it is tried again."""
    return int(min(RETRY_FIRST_MS * 2 ** min(tries, 10), RETRY_LAST_MS))


# Ends that have a sentence of their own, by the controller's word for them.
_CAUSES = {
    "failed": (
        "context_window",
        "rate_limited",
        "usage_limit",
        "overloaded",
        "sign_in",
        "model_unknown",
        "model_refused",
        "connection_lost",
        "provider_error",
        "request_rejected",
        "sandbox",
        "not_found",
        "archived",
    ),
    "interrupted": ("engine_died", "interrupted_elsewhere"),
}
_NOT_KNOWN = (TurnEvent.GATE_BLOCKED, TurnEvent.GIVEN_UP)
_ENDS = ("completed", "failed", "blocked", "cancelled", "interrupted")


def _phrase(outcome: str, code: str, detail: str) -> str:
    if code == "invalid" and detail.startswith("cwd"):
        return "failed_folder"
    return f"failed_{code}" if code in _CAUSES.get(outcome, ()) else f"ended_{outcome}"


def _answered(
    turn: Turn, run: Run, peer: Peer, waiting: int, ids: Ids, desk_turns: int
) -> Settlement:
    said = _by_name(turn, run.result)
    result, cuts = _kept(turn, said)
    # Among many it says its number: `/more` means the last of them when they are read.
    count, way = (1, "more_of") if waiting >= MANY_WAITING - 1 else (BUBBLES_AT_ONCE, "more")
    done = replace(turn, result=result, cuts=cuts)
    rows = bubbles(done, 0, count, peer, ids, desk_turns, way)
    more = count if len(cuts) > count else 0
    found = Settlement(TurnEvent.OVER, "completed", result, cuts, rows, owed(turn), run.head, more)
    return replace(found, offers=() if is_group(turn.peer) else paths.offers(said))


def _by_name(turn: Turn, said: str) -> str:
    """As much as is kept, with the owner's own files by their names; brief for a group."""
    said = without_paths(said[:MAX_RESULT_CHARS], turn.files)
    return brief(said, turn.cwd) if is_group(turn.peer) else said


def _kept(turn: Turn, said: str) -> tuple[str, tuple[int, ...]]:
    """Foreign words as they are stored and shown, inert and never in our voice; their cuts."""
    kept = for_chat(harmless(said))
    return kept, text.borders(kept, text.HEADER_ROOM + len(turn.preface))


def _park(turn: Turn, event: TurnEvent, reason: Parked, now_ms: int, told: NewRow) -> ParkStep:
    rows = () if is_group(turn.peer) else (told,)
    return ParkStep(event, reason, now_ms + backoff_ms(turn.tries), rows)


def _told_once(turn: Turn, peer: Peer, phrase: str, **values: str) -> NewRow:
    """The same bubble however often it is owed: another phrase is news, this one is not."""
    told = notice(phrase, peer.lang, id=turn.id, alias=turn.alias, **values)
    name = f"{phrase}-{turn.key[5:29]}"
    return NewRow(SendClass.ANSWER, told, f"ctb:{name}", name, turn=turn.id)


def _row(turn: Turn, body: str, group: str, ids: Ids) -> NewRow:
    client_id = f"ctb:{ids.seed}-{turn.id}-0"
    return NewRow(SendClass.ANSWER, body, client_id, group, turn=turn.id)


def _why(code: str, kept: str) -> str:
    return text.preview(kept, 200) or on_a_line(code.replace("_", " "), 200)
