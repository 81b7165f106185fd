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

from bridge.core import words
from bridge.core.words import BadWords, no_words, number, one_word, plain


class Need(Enum):
    """What must be read, or done, before a command can be decided."""

    NONE = auto()
    STATUS = auto()  # the thread as the controller sees it
    SESSIONS = auto()  # the list of threads
    HISTORY = auto()  # what happened in a thread
    FOLDER = auto()  # whether it is there
    STEER = auto()  # done under the key of the message, so it may be done again
    FORK = auto()
    RECOVER = auto()


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
class Refresh:
    alias: str


@dataclass(frozen=True, slots=True)
class Steer:
    text: str


@dataclass(frozen=True, slots=True)
class New:
    alias: str
    folder: str


@dataclass(frozen=True, slots=True)
class Fork:
    alias: str
    name: str


@dataclass(frozen=True, slots=True)
class Recover:
    alias: str


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
    | Refresh
    | Steer
    | New
    | Fork
    | Recover
    | SetLang
    | Help
    | Malformed
    | Unknown
)


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
    except BadWords:
        return Malformed(_CANONICAL.get(verb, verb))


def unescaped(text: str) -> str:
    """Text that begins with two slashes, with one of them taken away."""
    body = text.lstrip()
    return "/" + body[2:] if body[:1] in ("/", "／") and body[1:2] in ("/", "／") else text


def needs(command: Command) -> Need:
    """What `decide` wants to know from the controller for this command, at most."""
    match command:
        case Prompt() | Send() | Status() | Add() | Bind() | Use() | Retry() | Recover():
            return Need.STATUS
        case Threads():
            return Need.SESSIONS
        case Refresh():
            return Need.HISTORY
        case New():
            return Need.FOLDER
        case Steer():
            return Need.STEER
        case Fork():
            return Need.FORK
        case Yes():
            return Need.RECOVER
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
        | Result
        | Steer
        | Fork
        | Recover
        | Yes,
    )


def verbs() -> tuple[str, ...]:
    """Every verb that `/help` shows, in the order it shows them."""
    return tuple(verb for verb in _VERBS if verb not in _CANONICAL)


def _add(rest: str) -> Command:
    alias, target = words.split(rest, 2, 2)
    return Add(alias, target)


def _send(rest: str) -> Command:
    return Send(*words.first_and_rest(rest))


def _answer(rest: str) -> Command:
    return Answer(*words.first_and_rest(rest))


def _steer(rest: str) -> Command:
    if not rest:
        raise BadWords
    return Steer(rest)


def _new(rest: str) -> Command:
    found = rest.split(maxsplit=1)
    if not found:
        raise BadWords
    folder = found[1] if len(found) > 1 else ""
    plain(folder)  # its signs are checked and its name left as it is
    return New(plain(found[0]), folder)


def _fork(rest: str) -> Command:
    alias, *name = words.split(rest, 1, 2)
    return Fork(alias, name[0] if name else "")


def _threads(rest: str) -> Command:
    return Threads(" ".join(words.split(rest, 0, 10)))


def _lang(rest: str) -> Command:
    (lang,) = words.split(rest, 1, 1)
    if lang.lower() not in ("zh", "en"):
        raise BadWords
    return SetLang(lang.lower())


def _help(rest: str) -> Command:
    found = words.split(rest, 0, 1)
    return Help(found[0].lstrip("/").lower() if found else "")


_VERBS: dict[str, Callable[[str], Command]] = {
    "threads": _threads,
    "use": one_word(Use),
    "add": _add,
    "bind": one_word(Bind),
    "list": no_words(Aliases),
    "remove": one_word(Remove),
    "status": one_word(Status, may_lack=True),
    "refresh": one_word(Refresh, may_lack=True),
    "send": _send,
    "steer": _steer,
    "stop": one_word(Stop, may_lack=True),
    "approve": one_word(Approve),
    "deny": one_word(Deny),
    "answer": _answer,
    "queue": no_words(Queue),
    "cancel": number(Cancel),
    "retry": no_words(Retry),
    "new": _new,
    "fork": _fork,
    "more": no_words(More),
    "result": number(Result),
    "run-held": no_words(RunHeld),
    "drop-held": no_words(DropHeld),
    "recover": one_word(Recover),
    "yes": no_words(Yes),
    "no": no_words(No),
    "lang": _lang,
    "help": _help,
    "rm": one_word(Remove),
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
