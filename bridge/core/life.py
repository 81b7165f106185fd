"""The life of a message: when it came, was decided, ran, was answered, and what was sent.

Put together from the rows there are. The phone is told it short, by the time since the
message came; the desk is told all of it, without a word of what was said.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.core.model import InboxId, Lang, OutId, SendClass, Turn, TurnState
from bridge.core.phrases import age, counted, notice, say

MINUTE_MS = 60_000
MAX_BUBBLES_TOLD = 6  # on the phone
UNCERTAIN = ("unknown", "unconfirmed")  # outcomes of a bubble that may be on the phone, or not


@dataclass(frozen=True, slots=True)
class Came:
    """One message of the prompt."""

    id: InboxId
    received_ms: int
    age_ms: int
    kinds: tuple[str, ...]
    done_ms: int


@dataclass(frozen=True, slots=True)
class Tried:
    started_ms: int
    outcome: str  # "": not known yet


@dataclass(frozen=True, slots=True)
class Bubble:
    """One bubble about the turn; `fate` is its outcome, or its state before it has one."""

    id: OutId
    send_class: SendClass
    part: int
    parts: int
    chars: int
    created_ms: int
    done_ms: int
    fate: str
    tried: tuple[Tried, ...]


@dataclass(frozen=True, slots=True)
class Decided:
    """A line of the audit about the turn."""

    at_ms: int
    what: str
    rule: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Life:
    turn: Turn
    came: tuple[Came, ...]
    decided: tuple[Decided, ...]
    bubbles: tuple[Bubble, ...]


@dataclass(frozen=True, slots=True)
class Step:
    at_ms: int
    what: str
    detail: str = ""


def told(life: Life, lang: Lang, now_ms: int) -> str:
    """The life of a turn as a phone shows it."""
    turn = life.turn
    began_ms = min([one.received_ms for one in life.came] or [turn.created_ms])
    lines = [
        notice("trace_head", lang, id=turn.id, alias=turn.alias, state=_state(turn, lang)),
        say("trace_came", lang, count=len(life.came), age=age(now_ms - began_ms, lang)),
    ]
    for phrase, at_ms in (
        ("trace_planned", turn.created_ms),
        ("trace_started", turn.started_ms),
        ("trace_ended", turn.ended_ms),
    ):
        if at_ms:
            lines.append(say(phrase, lang, span=_span(at_ms - began_ms, lang)))
    for bubble in life.bubbles[:MAX_BUBBLES_TOLD]:
        lines.append(_bubble(bubble, began_ms, lang))
    if len(life.bubbles) > MAX_BUBBLES_TOLD:
        lines.append(say("trace_more", lang, count=len(life.bubbles) - MAX_BUBBLES_TOLD))
    if uncertain(life):
        lines.append(say("trace_resend", lang, id=turn.id))
    elif is_outlived(life):
        lines.append(say("bubbles_gone", lang, id=turn.id))
    elif turn.cuts:
        lines.append(say("trace_result", lang, id=turn.id))
    return "\n".join(lines)


def uncertain(life: Life) -> tuple[OutId, ...]:
    """The bubbles of the answer of which nobody knows whether they arrived."""
    return tuple(
        bubble.id
        for bubble in life.bubbles
        if bubble.send_class is SendClass.ANSWER and bubble.fate in UNCERTAIN
    )


def is_outlived(life: Life) -> bool:
    """Whether the bubbles of its answer are no longer on record; the answer still is."""
    return bool(life.turn.cuts) and not life.bubbles


def heading(life: Life) -> tuple[str, ...]:
    """What the desk is told of a turn as a whole: ids, states and sizes."""
    turn = life.turn
    state = turn.outcome if turn.state is TurnState.DONE else turn.state
    lines = [
        f"turn {turn.id}: {state}{f' ({turn.reason})' if turn.reason else ''}",
        f"thread {turn.thread}, named {turn.alias}",
        f"prompt of {counted(len(turn.prompt), 'character')}, {counted(len(turn.files), 'file')}",
    ]
    if turn.run:
        of_codex = f", Codex's turn {turn.codex_turn}" if turn.codex_turn else ""
        lines.append(f"run {turn.run}{of_codex}")
    if turn.result:
        length, parts = counted(len(turn.result), "character"), counted(len(turn.cuts), "part")
        lines.append(f"answer of {length} in {parts}")
    if turn.attempts:
        lines.append(f"failed {counted(turn.attempts, 'time')} without a step forward")
    if turn.owes:
        lines.append(f"the controller is still owed: {', '.join(turn.owes)}")
    return tuple(lines)


def steps(life: Life) -> tuple[Step, ...]:
    """Everything that has a time, in its order."""
    turn = life.turn
    found: list[Step] = []
    for one in life.came:
        kinds = ", ".join(one.kinds) or "nothing readable"
        late = f", {one.age_ms // 1000} s after it was written" if one.age_ms >= MINUTE_MS else ""
        found.append(Step(one.received_ms, f"message {one.id} arrived", kinds + late))
        if one.done_ms:
            found.append(Step(one.done_ms, f"message {one.id} decided"))
    found.append(Step(turn.created_ms, "turn planned"))
    found += [
        Step(line.at_ms, line.what, f"{line.outcome} (rule: {line.rule})") for line in life.decided
    ]
    if turn.started_ms:
        found.append(Step(turn.started_ms, "turn started"))
    if turn.ended_ms:
        found.append(Step(turn.ended_ms, "answer stored", turn.outcome))
    for bubble in life.bubbles:
        found += _bubble_steps(bubble)
    return tuple(sorted(found, key=lambda step: step.at_ms))


def _bubble_steps(bubble: Bubble) -> list[Step]:
    name = f"bubble {bubble.id}"
    what = f"{bubble.send_class.name.lower()}, part {bubble.part} of {bubble.parts}"
    found = [Step(bubble.created_ms, f"{name} owed", f"{what}, {bubble.chars} characters")]
    for number, tried in enumerate(bubble.tried, 1):
        outcome = tried.outcome or "not known yet"
        found.append(Step(tried.started_ms, f"{name} attempt {number}", outcome))
    if bubble.done_ms:
        found.append(Step(bubble.done_ms, f"{name} done", bubble.fate))
    return found


def _bubble(bubble: Bubble, began_ms: int, lang: Lang) -> str:
    at_ms = bubble.done_ms or bubble.created_ms
    return say(
        "trace_bubble" if len(bubble.tried) < 2 else "trace_bubble_tried",
        lang,
        span=_span(at_ms - began_ms, lang),
        part=bubble.part,
        parts=bubble.parts,
        fate=say(f"fate_{bubble.fate}", lang),
        tries=len(bubble.tried),
    )


def _state(turn: Turn, lang: Lang) -> str:
    return say(f"end_{turn.outcome}" if turn.state is TurnState.DONE else "end_open", lang)


def _span(ms: int, lang: Lang) -> str:
    if ms >= MINUTE_MS:
        return age(ms, lang)
    return f"{max(0, ms) / 1000:.1f} {'秒' if lang == 'zh' else 's'}"
