"""What happened in a thread, as a phone shows it: short, turn by turn.

Of each turn: what was asked, the commands that failed or tested something, the files
touched, and the final text. A turn that the phone itself began is one line, because
its answer is there already.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from bridge.core.decision import Item
from bridge.core.foreign import harmless
from bridge.core.markdown import for_chat
from bridge.core.model import Lang, TurnId
from bridge.core.phrases import notice, say
from bridge.core.places import hidden
from bridge.core.text import preview

ENOUGH_CHARS = 1_400  # most of one bubble: what more there is comes with the next /refresh
ASKED_CHARS = 160
COMMAND_CHARS = 70
FINAL_CHARS = 1_200
LAST_CHARS = 300  # of the last turn, where nothing is new
MAX_COMMANDS = 4  # of one turn
MAX_FILES = 6

_OUTCOME = re.compile(r" \((exit -?\d+|\w+)\)(?=\n|\Z)")
_FINE = ("exit 0", "completed")
_RUNNING = ("in_progress", "inProgress", "")
_TESTS = re.compile(
    r"\b\d+ (?:passed|failed|passing|failing|errors?|tests?)\b|test result:|\bFAILED\b|^ok\b", re.I
)


@dataclass(frozen=True, slots=True)
class _Command:
    line: str
    is_fine: bool
    test: str  # the line of its output that tells how tests went, or ""


def digest(items: Sequence[Item], ours: Mapping[str, TurnId], cwd: str, lang: Lang) -> str:
    """The stretch in words; empty when nothing in it need be seen."""
    turns: dict[str, list[Item]] = {}
    for number, item in enumerate(items):
        turns.setdefault(item.turn or f"note {number}", []).append(item)
    shown = []
    for is_ours, stretch in groupby(turns, key=lambda turn: turn in ours):
        if is_ours:
            shown.append(_ours([ours[turn] for turn in stretch], lang))
        else:
            shown += [_turn(turns[turn], cwd, lang, FINAL_CHARS) for turn in stretch]
    return "\n\n".join(text for text in shown if text)


def last_turn(items: Sequence[Item], ours: Mapping[str, TurnId], cwd: str, lang: Lang) -> str:
    """How the thread ended, where nothing is new."""
    if items and items[-1].turn in ours:
        return _ours([ours[items[-1].turn]], lang)
    return _turn(items, cwd, lang, LAST_CHARS)


def is_enough(items: Sequence[Item], ours: Mapping[str, TurnId], cwd: str, lang: Lang) -> bool:
    return len(digest(items, ours, cwd, lang)) >= ENOUGH_CHARS


def desk_turns(items: Iterable[Item], ours: Iterable[str]) -> int:
    """How many turns in a stretch were not begun by the phone."""
    return len({item.turn for item in items if item.turn} - set(ours))


def _ours(ids: Sequence[TurnId], lang: Lang) -> str:
    """Turns of the phone that follow each other, in one line."""
    if len(ids) == 1:
        return notice("refresh_ours", lang, id=ids[0])
    return notice("refresh_ours_many", lang, count=len(ids), first=ids[0], last=ids[-1])


def _turn(items: Sequence[Item], cwd: str, lang: Lang, final_chars: int) -> str:
    by_kind: dict[str, list[str]] = {}
    for item in items:
        by_kind.setdefault(item.kind, []).append(harmless(item.text).strip())
    lines = [
        f"> {preview(hidden(text, cwd), ASKED_CHARS)}" for text in by_kind.get("user", []) if text
    ]
    lines += _commands([_command(text, cwd) for text in by_kind.get("command", [])], lang)
    lines += _files(by_kind.get("file", []), cwd)
    lines += [f"({preview(hidden(text, cwd), ASKED_CHARS)})" for text in by_kind.get("note", [])]
    finals = [text for text in by_kind.get("assistant", []) if text]
    if finals:
        lines.append(_cut(for_chat(finals[-1]), final_chars))
    return "\n".join(lines)


def _commands(found: list[_Command], lang: Lang) -> list[str]:
    """Those that failed or tested something, else the last ones; the others are counted."""
    notable = [command for command in found if not command.is_fine or command.test] or found
    shown = notable[-MAX_COMMANDS:]
    lines = []
    for command in shown:
        lines.append(command.line)
        if command.test:
            lines.append(f"   {command.test}")
    if len(found) > len(shown):
        lines.append(say("refresh_commands", lang, count=len(found) - len(shown)))
    return lines


def _command(text: str, cwd: str) -> _Command:
    """`<command> (<outcome>)`, then the end of what it printed."""
    outcome = _OUTCOME.search(text)
    command = text[: outcome.start()] if outcome else text
    word = outcome[1] if outcome else ""
    printed = text[outcome.end() :].splitlines() if outcome else []
    told = [line for line in printed if _TESTS.search(line)]
    is_fine = word in _FINE
    sign = "✓" if is_fine else "…" if word in _RUNNING else "✗"
    line = f"{sign} {preview(hidden(command, cwd), COMMAND_CHARS)}"
    if sign == "✗":
        line += f" ({word})"
    return _Command(line, is_fine, preview(hidden(told[-1], cwd), COMMAND_CHARS) if told else "")


def _files(texts: list[str], cwd: str) -> list[str]:
    """The files touched, each once, on one line."""
    lines = [line for text in texts for line in text.splitlines()]
    paths = [hidden(line.partition(" ")[2] or line, cwd) for line in lines]
    names = list(dict.fromkeys(path.removesuffix(" (completed)") for path in paths))
    if not names:
        return []
    more = f" +{len(names) - MAX_FILES}" if len(names) > MAX_FILES else ""
    return [f"✎ {', '.join(names[:MAX_FILES])}{more}"]


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit].rstrip() + "…"
