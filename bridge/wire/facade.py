"""The methods of the facade: what an agent may ask of the bridge, one scope for each.

`facade.hello` names the agent, and comes before the others. What it may do stands in
`clients.toml` (`bridge/wire/scopes.py`) and is looked up by the bridge at every call: no
request carries a scope, a recipient or a sender. Times are UTC epoch milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

from bridge.wire.request import Request
from bridge.wire.scopes import Scope


@dataclass(frozen=True)
class FacadeHelloReply:
    """What this agent may do, for its list of tools."""

    scopes: tuple[Scope, ...]


@dataclass(frozen=True)
class FacadeHello(Request[FacadeHelloReply]):
    """Says on whose behalf this connection speaks."""

    method: ClassVar[str] = "facade.hello"
    reply: ClassVar[Any] = FacadeHelloReply  # Any: see Request
    client: str


ReceiptState: TypeAlias = Literal[
    "queued",  # it goes as soon as it may
    "held",  # it goes when the owner writes: the chat takes no more before that
    "offline",  # it goes when the chat is connected again
    "sending",
    "delivered",  # the chat took it and gave it an id
    "unconfirmed",  # the chat took it and gave no id
    "unknown",  # it may be on the phone, or not
    "failed",  # the chat refused it for good
    "dropped",  # it waited too long and was never sent
    "offered",  # the owner knows of the file, which leaves when they ask for it
    "refused",  # nothing was queued; `why` says the reason
    "not_found",
]


@dataclass(frozen=True)
class Receipt:
    """What became of a note, a question or an offer; `id` 0 where nothing was queued.

    Of an offer it is the line that tells the owner, and from their `/sendfile` on the file.
    """

    id: int
    state: ReceiptState
    why: str = ""  # a `No` of bridge/core/guests.py; file_ and why it stays
    is_merged: bool = False  # it joined an earlier note that had not left yet
    of: Literal["", "line", "file"] = ""  # of an offer: what the state is about


@dataclass(frozen=True)
class NoteQueue(Request[Receipt]):
    """A note to the owner; nobody else can be written to."""

    method: ClassVar[str] = "note.queue"
    reply: ClassVar[Any] = Receipt  # Any: see Request
    text: str


@dataclass(frozen=True)
class QuestionAsk(Request[Receipt]):
    """A question to the owner, with options to choose from or none."""

    method: ClassVar[str] = "question.ask"
    reply: ClassVar[Any] = Receipt  # Any: see Request
    question: str
    options: tuple[str, ...] = ()


ResultState: TypeAlias = Literal[
    "waiting",
    "answered",
    "declined",
    "undelivered",  # its bubble was refused or dropped: nobody was asked
    "expired",
    "not_found",
]


@dataclass(frozen=True)
class ResultReply:
    """`text` is the chosen option or the owner's own words, once answered."""

    state: ResultState
    text: str = ""


@dataclass(frozen=True)
class QuestionResult(Request[ResultReply]):
    """The owner's answer to a question of this agent, if there is one yet."""

    method: ClassVar[str] = "question.result"
    reply: ClassVar[Any] = ResultReply  # Any: see Request
    id: int


@dataclass(frozen=True)
class DeliveryStatus(Request[Receipt]):
    """What became of a note, question or offer of this agent."""

    method: ClassVar[str] = "delivery.status"
    reply: ClassVar[Any] = Receipt  # Any: see Request
    id: int


ThreadState: TypeAlias = Literal["", "idle", "busy", "elsewhere"]


@dataclass(frozen=True)
class NamedThread:
    """A thread that the owner has named. `state` "" is not known: the controller is away."""

    alias: str
    title: str
    state: ThreadState
    waiting: int  # messages of the owner that wait or run here
    last_outcome: str = ""  # of the last message from the phone; only in `thread.status`
    last_ended_ms: int = 0


@dataclass(frozen=True)
class ThreadsReply:
    threads: tuple[NamedThread, ...]


@dataclass(frozen=True)
class ThreadList(Request[ThreadsReply]):
    """The threads that the owner has named; at most 50."""

    method: ClassVar[str] = "thread.list"
    reply: ClassVar[Any] = ThreadsReply  # Any: see Request


@dataclass(frozen=True)
class StatusReply:
    thread: NamedThread | None = None  # None: there is no such name


@dataclass(frozen=True)
class ThreadStatus(Request[StatusReply]):
    method: ClassVar[str] = "thread.status"
    reply: ClassVar[Any] = StatusReply  # Any: see Request
    alias: str


@dataclass(frozen=True)
class Said:
    """One thing of a thread's last turn, as its journal tells it."""

    kind: str  # user, assistant, command, file or note
    text: str


@dataclass(frozen=True)
class HistoryReply:
    """`state` "away": the controller cannot be asked now."""

    state: Literal["found", "not_found", "away"]
    items: tuple[Said, ...] = ()
    is_cut: bool = False


@dataclass(frozen=True)
class ThreadHistory(Request[HistoryReply]):
    """The last turn of a named thread."""

    method: ClassVar[str] = "thread.history"
    reply: ClassVar[Any] = HistoryReply  # Any: see Request
    alias: str


@dataclass(frozen=True)
class ArtifactOffer(Request[Receipt]):
    """A file for the owner to release with /sendfile."""

    method: ClassVar[str] = "artifact.offer"
    reply: ClassVar[Any] = Receipt  # Any: see Request
    path: str
    caption: str = ""


NEEDS: dict[type[Request[Any]], Scope] = {  # Any: replies differ
    NoteQueue: "notify:owner",
    QuestionAsk: "notify:owner",
    QuestionResult: "notify:owner",
    ThreadList: "status:read",
    ThreadStatus: "status:read",
    DeliveryStatus: "status:read",
    ThreadHistory: "history:read",
    ArtifactOffer: "artifact:offer",
}
CALLS: tuple[type[Request[Any]], ...] = (FacadeHello, *NEEDS)  # Any: replies differ
