"""What the desk asks of the bridge about the past, and its named repairs.

Nothing that a message or an answer said is ever in these: ids, states, sizes and times.
Times are UTC epoch milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from bridge.wire.request import Request


@dataclass(frozen=True)
class Step:
    at_ms: int
    what: str
    detail: str = ""


@dataclass(frozen=True)
class TraceReply:
    """`heading` is empty where there is no such turn."""

    heading: tuple[str, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class TraceGet(Request[TraceReply]):
    """The life of one turn; 0: the turns made last, newest first, one step each."""

    method: ClassVar[str] = "trace.get"
    reply: ClassVar[Any] = TraceReply  # Any: see Request
    turn: int


@dataclass(frozen=True)
class Dead:
    """Something that was given up, by its name: E-M12, E-T7, E-B33."""

    name: str
    at_ms: int
    outcome: str
    turn: int = 0
    alias: str = ""


@dataclass(frozen=True)
class DeadReply:
    given_up: tuple[Dead, ...]


@dataclass(frozen=True)
class DeadList(Request[DeadReply]):
    """What was given up in the last thirty days, newest first."""

    method: ClassVar[str] = "dead.list"
    reply: ClassVar[Any] = DeadReply  # Any: see Request


@dataclass(frozen=True)
class RepairReply:
    outcome: Literal["done", "not_found"]


@dataclass(frozen=True)
class DeadRetry(Request[RepairReply]):
    """Take it up again, through the same states."""

    method: ClassVar[str] = "dead.retry"
    reply: ClassVar[Any] = RepairReply  # Any: see Request
    name: str


@dataclass(frozen=True)
class DeadDrop(Request[RepairReply]):
    """List it no longer."""

    method: ClassVar[str] = "dead.drop"
    reply: ClassVar[Any] = RepairReply  # Any: see Request
    name: str


@dataclass(frozen=True)
class AuditLine:
    id: int
    at_ms: int
    who: str  # the end of a person's id; "" is the bridge, the desk or an agent
    what: str
    rule: str
    outcome: str
    subject: str = ""
    turn: int = 0


@dataclass(frozen=True)
class AuditReply:
    """An empty page is the end."""

    lines: tuple[AuditLine, ...]


@dataclass(frozen=True)
class AuditGet(Request[AuditReply]):
    """A page of decisions, oldest first, behind the line `after`."""

    method: ClassVar[str] = "audit.get"
    reply: ClassVar[Any] = AuditReply  # Any: see Request
    since_ms: int
    after: int


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `next` is what to do about it, empty when it is well."""

    level: Literal["ok", "warn", "fail"]
    subject: str
    says: str
    next: str = ""


@dataclass(frozen=True)
class DoctorReply:
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class DoctorGet(Request[DoctorReply]):
    """How the running bridge finds itself, its worker, its account and its controller."""

    method: ClassVar[str] = "doctor.get"
    reply: ClassVar[Any] = DoctorReply  # Any: see Request


CALLS: tuple[type[Request[Any]], ...] = (  # Any: replies differ
    TraceGet,
    DeadList,
    DeadRetry,
    DeadDrop,
    AuditGet,
    DoctorGet,
)
