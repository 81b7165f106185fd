"""Requests that a turn waits for: shown with a one-time code, answered at most once.

    -          asked -> open
    open       approve, deny, expired -> answering
               code_stale -> open (fresh code)   resolved, gone -> done
    answering  confirmed, gone -> done           link_lost -> answering

The request itself lives at Codex, which asks again whoever joins. Here are only the
code, the digest of what was shown, and the decision. A code goes stale, the request
does not; a stored decision is given again, never another.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from bridge.core.decision import Ids, NewRow
from bridge.core.foreign import harmless, is_shown_as_it_is
from bridge.core.model import (
    Approval,
    ApprovalId,
    ApprovalState,
    Lang,
    Peer,
    SendClass,
    Turn,
)
from bridge.core.phrases import MARK, notice, say
from bridge.core.steps import next_of
from bridge.core.text import preview
from bridge.core.words import choice

CODE_LIFE_MS = 600_000  # threat-model R29
SUMMARY_CHARS = 200  # of a list of files; the whole list is in the detail
MAX_SHOWN_CHARS = 1_200  # what fits one bubble beside the sentences; more cannot be approved
# Summary, detail and options together: of a bubble's 1,800 characters and 5,000 bytes, what
# the sentences around them leave. A bubble that WeChat refuses would hold up all behind it.
MAX_ASKED_CHARS, MAX_ASKED_BYTES = 1_540, 4_300


class ApprovalEvent(StrEnum):
    APPROVE = "approve"
    DENY = "deny"
    EXPIRED = "expired"
    CODE_STALE = "code_stale"
    RESOLVED = "resolved"
    GONE = "gone"
    CONFIRMED = "confirmed"
    LINK_LOST = "link_lost"


_STEPS: dict[tuple[ApprovalState, ApprovalEvent], ApprovalState] = {
    (ApprovalState.OPEN, ApprovalEvent.APPROVE): ApprovalState.ANSWERING,
    (ApprovalState.OPEN, ApprovalEvent.DENY): ApprovalState.ANSWERING,
    (ApprovalState.OPEN, ApprovalEvent.EXPIRED): ApprovalState.ANSWERING,
    (ApprovalState.OPEN, ApprovalEvent.CODE_STALE): ApprovalState.OPEN,
    (ApprovalState.OPEN, ApprovalEvent.RESOLVED): ApprovalState.DONE,
    (ApprovalState.OPEN, ApprovalEvent.GONE): ApprovalState.DONE,
    (ApprovalState.ANSWERING, ApprovalEvent.CONFIRMED): ApprovalState.DONE,
    (ApprovalState.ANSWERING, ApprovalEvent.GONE): ApprovalState.DONE,
    (ApprovalState.ANSWERING, ApprovalEvent.LINK_LOST): ApprovalState.ANSWERING,
}


def approval_step(state: ApprovalState, event: ApprovalEvent) -> ApprovalState:
    """The next state; raises NoSuchStep for a pair that the table lacks."""
    return next_of(_STEPS, "approval", state, event)


@dataclass(frozen=True, slots=True)
class Asked:
    """A pending request as the controller lists it."""

    id: ApprovalId
    kind: str  # command, file_change, permissions or question
    summary: str
    detail: str
    digest: str
    options: tuple[str, ...]  # of a question: "<question id>:<label>"


@dataclass(frozen=True, slots=True)
class AskedStep:
    """What a fresh list of pending requests changes."""

    opened: tuple[Approval, ...]
    gone: tuple[Approval, ...]
    rows: tuple[NewRow, ...]


def after_asked(
    turn: Turn,
    listed: Sequence[Asked],
    known: Sequence[Approval],
    peer: Peer,
    is_remote: bool,
    now_ms: int,
    ids: Sequence[Ids],
) -> AskedStep:
    """New requests get a code; a known one that is gone or has changed is void.

    `known` holds what is not done. `ids` holds one for each listed request, at least.
    """
    live = {(asked.id, asked.digest): asked for asked in listed}
    mine = {(a.id, a.digest) for a in known}
    new = [asked for name, asked in live.items() if name not in mine]
    opened = tuple(
        _open(turn, asked, fresh, now_ms) for asked, fresh in zip(new, ids, strict=False)
    )
    gone = tuple(a for a in known if a.state is ApprovalState.OPEN and (a.id, a.digest) not in live)
    rows = [shown(a, turn.alias, peer, is_remote) for a in opened]
    rows += [_told(a, "approval_void", peer) for a in gone]
    return AskedStep(opened, gone, tuple(rows))


def still_asked(
    listed: Sequence[Asked], before: Sequence[Approval], known: Sequence[Approval]
) -> tuple[Asked, ...]:
    """What of a list is still asked, when decisions may have been taken while it came.

    `before` was not done when the list was asked for, `known` is not done now.
    """
    closed = {(a.id, a.digest) for a in before} - {(a.id, a.digest) for a in known}
    return tuple(asked for asked in listed if (asked.id, asked.digest) not in closed)


def shown(approval: Approval, alias: str, peer: Peer, is_remote: bool) -> NewRow:
    """The bubble that asks: what exactly would be done, and how to answer."""
    lang = peer.lang
    head = notice(f"asks_{approval.kind}", lang, id=approval.turn, alias=alias)
    lines = [head]
    essence = approval.summary.partition(": ")[2] or approval.summary
    is_whole = approval.kind == "permissions" or essence in approval.detail  # a line for each
    if not (approval.detail and is_whole and is_remote):
        lines.append(approval.summary)
    if approval.detail and is_remote:
        lines.append(approval.detail)
    if not approval.is_cut:
        lines += [f"{n}. {label}" for n, label in enumerate(labels(approval), 1)]
    lines.append(f"{MARK} {how_to_answer(approval, lang, is_remote)}")
    client_id = f"ctb:ask-{approval.turn}-{approval.code}"
    group = f"ask-{approval.code}"
    return NewRow(SendClass.APPROVAL, "\n".join(lines), client_id, group, turn=approval.turn)


def behind(approval: Approval, alias: str, peer: Peer, is_remote: bool) -> NewRow:
    """Said once for a request: a message waits behind the turn that waits for its answer."""
    how = how_to_answer(approval, peer.lang, is_remote)
    told = notice("behind_request", peer.lang, id=approval.turn, alias=alias, how=how)
    name = f"behind-{approval.turn}-{approval.asked_ms}"
    return NewRow(SendClass.ANSWER, told, f"ctb:{name}", name)


def how_to_answer(approval: Approval, lang: Lang, is_remote: bool) -> str:
    """How this request is answered."""
    if not is_remote:
        return say("at_desk", lang)
    if approval.is_cut:
        return say("too_long_to_approve", lang, code=approval.code)
    phrase = "how_to_answer" if approval.kind == "question" else "how_to_approve"
    return say(phrase, lang, code=approval.code)


def labels(approval: Approval) -> tuple[str, ...]:
    """What a question offers, numbered from 1 over all its questions."""
    if approval.kind != "question":
        return ()
    words = (option.partition(":")[2] or option for option in approval.options)
    return tuple(" ".join(harmless(label).split()) for label in words)


def answers(approval: Approval, said: str) -> dict[str, list[str]]:
    """The owner's words as answers: a number is an option, a line is for the next question."""
    questions = list(dict.fromkeys(option.partition(":")[0] for option in approval.options))
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    found: dict[str, list[str]] = {}
    for place, line in enumerate(lines):
        question = questions[min(place, len(questions) - 1)] if questions else "q1"
        text = line
        number = choice(line)
        if number is not None and 1 <= number <= len(approval.options):
            question, _, text = approval.options[number - 1].partition(":")
        found.setdefault(question, []).append(text)
    return found


def fresh_code(approval: Approval, now_ms: int, ids: Ids) -> Approval:
    """The same request under a new code; the old one is worth nothing."""
    return replace(approval, code=ids.code, code_ms=now_ms)


def after_answer(
    approval: Approval, was_taken: bool, peer: Peer, *, is_late: bool = False
) -> tuple[str, NewRow]:
    """Outcome and notice once the controller has taken the decision, or lost the request.

    `is_late`: the last deadline was over, so that it was declined for its owner.
    """
    if not was_taken:
        return "void", _told(approval, "approval_void", peer)
    if is_late and approval.decision == "decline":
        return "declined", _told(approval, "approval_expired", peer)
    outcome = "declined" if approval.decision == "decline" else "accepted"
    is_answer = outcome == "accepted" and approval.kind == "question"
    return outcome, _told(approval, "answered" if is_answer else f"approval_{outcome}", peer)


def _open(turn: Turn, asked: Asked, ids: Ids, now_ms: int) -> Approval:
    lines = harmless(asked.detail).strip().split("\n")
    detail = "\n".join(line for line in lines if line != turn.cwd)  # R35: no absolute path
    summary = harmless(asked.summary).strip()
    if turn.cwd and asked.kind in _PLACES:
        detail = _PLACES[asked.kind].sub(lambda found: _from(turn.cwd, found), detail)
        summary = _shortened(detail, summary) if asked.kind == "file_change" else summary
    is_changed = asked.kind != "question" and not is_shown_as_it_is(asked.detail + asked.summary)
    is_cut = is_changed or len(detail) > MAX_SHOWN_CHARS or len(summary) > 300
    if is_cut or not _fits(summary, detail, asked.options):
        is_cut, summary, detail = True, summary[:300], detail[:MAX_SHOWN_CHARS]
        room = MAX_ASKED_BYTES - len(summary.encode())
        detail = detail.encode()[:room].decode(errors="ignore")
    return Approval(
        id=asked.id,
        turn=turn.id,
        peer=turn.peer,
        kind=asked.kind if asked.kind in _KINDS else "permissions",
        summary=summary,
        detail=detail,
        is_cut=is_cut,
        digest=asked.digest,
        options=asked.options,
        code=ids.code,
        code_ms=now_ms,
        asked_ms=now_ms,
        state=ApprovalState.OPEN,
    )


def _fits(summary: str, detail: str, options: Sequence[str]) -> bool:
    """Whether all of it can be shown; a line of an option begins with its number."""
    words = "\n".join([summary, detail, *(f"{n}. {text}" for n, text in enumerate(options, 1))])
    return len(words) <= MAX_ASKED_CHARS and len(words.encode()) <= MAX_ASKED_BYTES


# Where the places stand: `add /a/b (+3 -0)`; `write /a`, or as JSON `{"write": ["/a"]}`.
_PLACES = {
    "file_change": re.compile(r"^(\w+ )(/.*)( \(\+\d+ -\d+\))$", re.M),
    "permissions": re.compile(r"(^\w+ |\")(/[^\"\n]*)(\"|$)", re.M),
}
_FILE = re.compile(r"^\w+ .+ \(\+\d+ -\d+\)$", re.M)


def _from(cwd: str, found: re.Match[str]) -> str:
    """A place as seen from the thread's folder: exact, and it names no home (R35)."""
    return found[1] + posixpath.relpath(found[2], cwd) + found[3]


def _shortened(detail: str, summary: str) -> str:
    """How many files in the controller's words, then each with its added and lost lines."""
    head, colon, _ = summary.partition(": ")
    files = _FILE.findall(detail)
    return preview(f"{head}{colon}{', '.join(files)}", SUMMARY_CHARS) if files else summary


_KINDS = ("command", "file_change", "permissions", "question")


def _told(approval: Approval, phrase: str, peer: Peer) -> NewRow:
    told = notice(phrase, peer.lang, id=approval.turn, kind=say(f"kind_{approval.kind}", peer.lang))
    client_id = f"ctb:{phrase}-{approval.turn}-{approval.code}"
    return NewRow(SendClass.ANSWER, told, client_id, client_id, turn=approval.turn)
