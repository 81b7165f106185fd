"""What a message asks for: text to a Command, and nothing decided yet.

A verb is ASCII, any case, matched exactly after NFKC, so a full-width slash works and
a look-alike letter does not. Words before free text may hold no control, format,
private-use or unassigned characters: they are refused, never stripped. Free text is
left as it is, because emoji need their joiners.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

MAX_WORD_CHARS = 200


class Need(Enum):
    """What must be read before a command can be decided."""

    NONE = auto()
    STATUS = auto()  # the thread as the controller sees it
    SESSIONS = auto()  # the list of threads


@dataclass(frozen=True, slots=True)
class Prompt:
    text: str


@dataclass(frozen=True, slots=True)
class Threads:
    words: str


@dataclass(frozen=True, slots=True)
class Add:
    alias: str
    target: str


@dataclass(frozen=True, slots=True)
class Bind:
    target: str


@dataclass(frozen=True, slots=True)
class Use:
    target: str


@dataclass(frozen=True, slots=True)
class Aliases:
    pass


@dataclass(frozen=True, slots=True)
class Remove:
    alias: str


@dataclass(frozen=True, slots=True)
class Yes:
    pass


@dataclass(frozen=True, slots=True)
class No:
    pass


@dataclass(frozen=True, slots=True)
class Status:
    alias: str


@dataclass(frozen=True, slots=True)
class Send:
    alias: str
    text: str


@dataclass(frozen=True, slots=True)
class Stop:
    alias: str


@dataclass(frozen=True, slots=True)
class Queue:
    pass


@dataclass(frozen=True, slots=True)
class Cancel:
    turn: int


@dataclass(frozen=True, slots=True)
class Approve:
    code: str


@dataclass(frozen=True, slots=True)
class Deny:
    code: str


@dataclass(frozen=True, slots=True)
class Answer:
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Retry:
    pass


@dataclass(frozen=True, slots=True)
class RunHeld:
    pass


@dataclass(frozen=True, slots=True)
class DropHeld:
    pass


@dataclass(frozen=True, slots=True)
class More:
    pass


@dataclass(frozen=True, slots=True)
class Result:
    turn: int


@dataclass(frozen=True, slots=True)
class SetLang:
    lang: str


@dataclass(frozen=True, slots=True)
class Help:
    verb: str


@dataclass(frozen=True, slots=True)
class Malformed:
    """A known verb with the wrong words behind it; the answer is its usage."""

    verb: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """No such verb; `nearest` is one to show, never one to run."""

    nearest: str


Command: TypeAlias = (
    Prompt
    | Threads
    | Add
    | Bind
    | Use
    | Aliases
    | Remove
    | Yes
    | No
    | Status
    | Send
    | Stop
    | Queue
    | Cancel
    | Approve
    | Deny
    | Answer
    | Retry
    | RunHeld
    | DropHeld
    | More
    | Result
    | SetLang
    | Help
    | Malformed
    | Unknown
)


class _BadWords(ValueError):
    pass


def parse(text: str) -> Command:
    """The command in a typed message; text that is none is a Prompt."""
    body = text.strip()
    if body[:1] not in ("/", "／"):
        return Prompt(text)
    if body[1:2] in ("/", "／"):
        return Prompt(unescaped(body))
    head, *behind = body[1:].split(maxsplit=1) or [""]
    verb = unicodedata.normalize("NFKC", head).lower()
    if not verb.isascii() or verb not in _VERBS:
        return Unknown(_nearest(verb))
    try:
        return _VERBS[verb](behind[0].strip() if behind else "")
    except _BadWords:
        return Malformed(_CANONICAL.get(verb, verb))


def unescaped(text: str) -> str:
    """Text that begins with two slashes, with one of them taken away."""
    body = text.lstrip()
    return "/" + body[2:] if body[:1] in ("/", "／") and body[1:2] in ("/", "／") else text


def needs(command: Command) -> Need:
    """What `decide` wants to know from the controller for this command."""
    match command:
        case Prompt() | Send() | Status() | Add() | Bind() | Use() | Retry():
            return Need.STATUS
        case Threads():
            return Need.SESSIONS
        case _:
            return Need.NONE


def needs_whole(command: Command) -> bool:
    """Whether a command looks at turns, held messages or the send window."""
    return isinstance(
        command,
        Status
        | Stop
        | Queue
        | Cancel
        | Approve
        | Deny
        | Answer
        | Retry
        | RunHeld
        | DropHeld
        | More
        | Result,
    )


def verbs() -> tuple[str, ...]:
    """Every verb that `/help` shows, in the order it shows them."""
    return tuple(verb for verb in _VERBS if verb not in _CANONICAL)


def _words(rest: str, least: int, most: int) -> list[str]:
    words = rest.split()
    if not least <= len(words) <= most:
        raise _BadWords
    return [_plain(word) for word in words]


def _plain(word: str) -> str:
    text = unicodedata.normalize("NFKC", word)
    if len(text) > MAX_WORD_CHARS or any(unicodedata.category(c)[0] == "C" for c in text):
        raise _BadWords
    return text


def _no_words(make: Callable[[], Command]) -> Callable[[str], Command]:
    def read(rest: str) -> Command:
        _words(rest, 0, 0)
        return make()

    return read


def _one_word(
    make: Callable[[str], Command], *, may_lack: bool = False
) -> Callable[[str], Command]:
    def read(rest: str) -> Command:
        words = _words(rest, 0 if may_lack else 1, 1)
        return make(words[0] if words else "")

    return read


def _number(make: Callable[[int], Command]) -> Callable[[str], Command]:
    def read(rest: str) -> Command:
        (word,) = _words(rest, 1, 1)
        if not (word.isascii() and word.isdecimal() and len(word) <= 9):
            raise _BadWords
        return make(int(word))

    return read


def _add(rest: str) -> Command:
    alias, target = _words(rest, 2, 2)
    return Add(alias, target)


def _send(rest: str) -> Command:
    words = rest.split(maxsplit=1)
    if len(words) < 2:
        raise _BadWords
    return Send(_plain(words[0]), words[1])


def _answer(rest: str) -> Command:
    words = rest.split(maxsplit=1)
    if len(words) < 2:
        raise _BadWords
    return Answer(_plain(words[0]), words[1])


def _threads(rest: str) -> Command:
    return Threads(" ".join(_words(rest, 0, 10)))


def _lang(rest: str) -> Command:
    (lang,) = _words(rest, 1, 1)
    if lang.lower() not in ("zh", "en"):
        raise _BadWords
    return SetLang(lang.lower())


def _help(rest: str) -> Command:
    words = _words(rest, 0, 1)
    return Help(words[0].lstrip("/").lower() if words else "")


_VERBS: dict[str, Callable[[str], Command]] = {
    "threads": _threads,
    "use": _one_word(Use),
    "add": _add,
    "bind": _one_word(Bind),
    "list": _no_words(Aliases),
    "remove": _one_word(Remove),
    "status": _one_word(Status, may_lack=True),
    "send": _send,
    "stop": _one_word(Stop, may_lack=True),
    "approve": _one_word(Approve),
    "deny": _one_word(Deny),
    "answer": _answer,
    "queue": _no_words(Queue),
    "cancel": _number(Cancel),
    "retry": _no_words(Retry),
    "more": _no_words(More),
    "result": _number(Result),
    "run-held": _no_words(RunHeld),
    "drop-held": _no_words(DropHeld),
    "yes": _no_words(Yes),
    "no": _no_words(No),
    "lang": _lang,
    "help": _help,
    "rm": _one_word(Remove),
    "?": _help,
}
_CANONICAL = {"rm": "remove", "?": "help"}


def _nearest(verb: str) -> str:
    """The verb with the longest common start, for the usage line; `help` when none."""

    def shared(other: str) -> int:
        length = 0
        while length < min(len(verb), len(other)) and verb[length] == other[length]:
            length += 1
        return length

    best = max(verbs(), key=shared)
    return best if shared(best) >= 2 else "help"
