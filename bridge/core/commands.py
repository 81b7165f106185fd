"""What a message may ask for, in the order of `/help`, and what must be read to decide it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal, TypeAlias


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
    OFFERS = auto()  # which files an answer speaks of, as the disk knows them
    FILES = auto()  # copies of some of them


@dataclass(frozen=True, slots=True)
class Prompt:
    """No command: words and files for a thread, as they stand in the rows."""


@dataclass(frozen=True, slots=True)
class Threads:
    words: str


@dataclass(frozen=True, slots=True)
class Use:
    target: str


@dataclass(frozen=True, slots=True)
class Add:
    alias: str
    target: str


@dataclass(frozen=True, slots=True)
class Bind:
    target: str


@dataclass(frozen=True, slots=True)
class Aliases:
    pass


@dataclass(frozen=True, slots=True)
class Remove:
    alias: str


@dataclass(frozen=True, slots=True)
class Status:
    alias: str


@dataclass(frozen=True, slots=True)
class Refresh:
    alias: str


@dataclass(frozen=True, slots=True)
class Send:
    alias: str
    text: str


@dataclass(frozen=True, slots=True)
class Steer:
    text: str


@dataclass(frozen=True, slots=True)
class Stop:
    alias: str


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
class Queue:
    pass


@dataclass(frozen=True, slots=True)
class Cancel:
    turn: int


@dataclass(frozen=True, slots=True)
class Retry:
    pass


@dataclass(frozen=True, slots=True)
class New:
    alias: str
    folder: str


@dataclass(frozen=True, slots=True)
class Fork:
    alias: str
    name: str


@dataclass(frozen=True, slots=True)
class More:
    pass


@dataclass(frozen=True, slots=True)
class Result:
    turn: int


@dataclass(frozen=True, slots=True)
class Resend:
    turn: int


@dataclass(frozen=True, slots=True)
class Artifacts:
    alias: str


@dataclass(frozen=True, slots=True)
class SendFile:
    which: str  # a number of the list, "all", or "#" and the number of an answer


@dataclass(frozen=True, slots=True)
class RunHeld:
    pass


@dataclass(frozen=True, slots=True)
class DropHeld:
    pass


@dataclass(frozen=True, slots=True)
class Recover:
    alias: str


@dataclass(frozen=True, slots=True)
class Trace:
    turn: int


@dataclass(frozen=True, slots=True)
class Why:
    pass


@dataclass(frozen=True, slots=True)
class Dead:
    pass


@dataclass(frozen=True, slots=True)
class Group:
    """What the owner says of groups; `number` 0: of all of them."""

    action: Literal["approve", "list", "status", "reset", "disable"]
    number: int = 0


@dataclass(frozen=True, slots=True)
class Yes:
    """`is_late`: it is older than any question that it could be meant for."""

    is_late: bool = False


@dataclass(frozen=True, slots=True)
class No:
    pass


@dataclass(frozen=True, slots=True)
class SetLang:
    lang: str


@dataclass(frozen=True, slots=True)
class Help:
    verb: str  # one of ours; "" for all of them


@dataclass(frozen=True, slots=True)
class Malformed:
    """A known verb with the wrong words behind it; the answer is its usage."""

    verb: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """No such verb; `nearest` is one to show, never one to run."""

    nearest: str
    is_path: bool = False  # so it was rather meant for the thread


Answered: TypeAlias = (
    Threads
    | Aliases
    | Status
    | Queue
    | More
    | Result
    | Trace
    | Why
    | Dead
    | SetLang
    | Help
    | Malformed
    | Unknown
)
Command: TypeAlias = (
    Answered
    | Prompt
    | Use
    | Add
    | Bind
    | Remove
    | Refresh
    | Send
    | Steer
    | Stop
    | Approve
    | Deny
    | Answer
    | Cancel
    | Retry
    | New
    | Fork
    | Resend
    | Artifacts
    | SendFile
    | RunHeld
    | DropHeld
    | Recover
    | Group
    | Yes
    | No
)

Dispatching: TypeAlias = Prompt | Send | Retry  # what makes a turn


def needs(command: Command) -> Need:
    """What must be read or done before `decide`, at most: `decide.need_of` may say less."""
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
        case Artifacts():
            return Need.OFFERS
        case SendFile():
            return Need.FILES
        case _:
            return Need.NONE


def needs_whole(command: Command) -> bool:
    """Whether a command looks at turns, held messages or the send window."""
    return isinstance(
        command,
        Status
        | Steer
        | Stop
        | Approve
        | Deny
        | Answer
        | Queue
        | Cancel
        | Retry
        | Fork
        | More
        | Result
        | RunHeld
        | DropHeld
        | Recover
        | Yes,
    )


def needs_past(command: Command) -> bool:
    """Whether a command looks at what became of earlier messages, of the owner or of groups."""
    past = Status | Retry | Resend | Trace | Why | Dead
    return isinstance(command, past | Threads | Use | Add | Bind)
