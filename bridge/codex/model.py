"""The words of the controller: what tools, runs and engines hand to each other.

Frozen values and one error. Ids are opaque outside the engine that makes them.
A `Run` is a row of the state file; everything else lives only in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NewType, TypeAlias

RunId = NewType("RunId", str)
ThreadId = NewType("ThreadId", str)
TurnId = NewType("TurnId", str)
LockToken = NewType("LockToken", str)

Obj: TypeAlias = dict[str, Any]  # Any: foreign JSON, read field by field at the doors

NO_TURNS = "none"  # the head of a thread that never had a turn
_GROUP = "ctb-group-qa:"  # owners that begin so are groups (controller contract 1)


class Status(StrEnum):
    """How a run stands; `blocked` is never stored, it is seen while one is pending."""

    STARTING = "starting"  # never shown: the row is there, Codex has not answered
    IN_PROGRESS = "in_progress"
    BLOCKED = "blocked"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


OVER = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED, Status.INTERRUPTED})


class Code(StrEnum):
    """Why a tool says no (controller contract, section 3.4)."""

    INVALID = "invalid"
    NOT_FOUND = "not_found"
    ARCHIVED = "archived"
    ELSEWHERE = "elsewhere"
    BUSY = "busy"
    HEAD_CONFLICT = "head_conflict"
    KEY_CONFLICT = "key_conflict"
    RECONCILE_REQUIRED = "reconcile_required"
    NO_ACTIVE_TURN = "no_active_turn"
    ENGINE_DOWN = "engine_down"


class Refused(Exception):
    """A tool says no: a code, a sentence for a person, and facts for the caller."""

    def __init__(self, code: Code, message: str, **facts: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.facts = facts


class EngineGone(Exception):
    """The connection to Codex ended or a call had no answer: the outcome is unknown."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a turn asks for; None leaves the thread's own setting alone."""

    cwd: str | None = None
    sandbox: str | None = None
    approval_policy: str | None = None
    writable_roots: tuple[str, ...] = ()
    model: str | None = None
    effort: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """One `cross_thread_start`, checked. `thread` None asks for a new thread."""

    key: str
    owner: str
    thread: ThreadId | None
    message: str
    settings: Settings
    images: tuple[str, ...]
    expected_head: str | None

    @property
    def is_of_group(self) -> bool:
        """Asked by people who may see nothing of this computer (`fence`)."""
        return self.owner.startswith(_GROUP)


@dataclass(frozen=True, slots=True)
class Run:
    """One row of the state file: a prompt under its key, and what became of it."""

    id: RunId
    key: str
    digest: str  # of the payload; the expected head is no part of it
    owner: str
    thread: ThreadId | None
    turn: TurnId | None
    status: Status
    head_before: str | None  # set before the message is sent: from then on it may be in
    settings_before: str | None  # JSON of what is to be put back at release
    head_after: str | None
    reason: str | None
    detail: str | None
    started_at_ms: int
    ended_at_ms: int | None
    cancel_at_ms: int | None
    acked_at_ms: int | None
    closed_at_ms: int | None

    @property
    def is_over(self) -> bool:
        return self.status in OVER

    @property
    def is_of_group(self) -> bool:
        return self.owner.startswith(_GROUP)


@dataclass(frozen=True, slots=True)
class Lock:
    """Who may start turns on a thread until it is released."""

    token: LockToken
    thread: ThreadId
    owner: str
    run: RunId | None
    released_at_ms: int | None


@dataclass(frozen=True, slots=True)
class Standing:
    """What is special about a live turn: it waits for a person, or for the world."""

    blocked: bool = False
    reason: str | None = None
    progress: str | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """How a turn ended. `head` is the thread's head from then on."""

    status: Status
    head: str
    reason: str | None = None
    text: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Approval:
    """One request that waits for a person; the digest covers the exact action."""

    id: str
    thread: ThreadId
    turn: TurnId
    kind: str
    summary: str
    detail: str
    digest: str
    options: tuple[str, ...]
    asked_at: str


@dataclass(frozen=True, slots=True)
class ThreadFacts:
    """A thread as its files show it, without asking anybody."""

    id: ThreadId
    head: str
    cwd: str | None
    state: str  # idle, busy or elsewhere
    holder: str | None
    archived: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """One line of the list of threads."""

    id: ThreadId
    title: str
    cwd: str
    updated_at_ms: int
    state: str
    holder: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that happened in a thread, in words."""

    turn: str
    kind: str  # user, assistant, command, file or note
    text: str
    at: str


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of history; `position` is where the next stretch begins."""

    items: tuple[Item, ...]
    position: str
    more: bool
    head: str
