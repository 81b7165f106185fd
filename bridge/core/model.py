"""The words of the bridge: ids, states and values that every room shares.

Everything here is frozen and knows no clock, no database and no peer. Times are
UTC epoch milliseconds. Foreign ids are opaque text outside the room that makes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Literal, NewType

from bridge.core.attached import ArtifactId, Attachment, OutFile, Selection, TurnFile

PeerId = NewType("PeerId", str)  # a person in a channel
ThreadId = NewType("ThreadId", str)  # a Codex conversation
AliasName = NewType("AliasName", str)
MsgKey = NewType("MsgKey", str)  # which message of the channel this is
Key = NewType("Key", str)  # idempotency key of a turn; leaves the bridge
RunId = NewType("RunId", str)  # the controller's handle for a turn
LockToken = NewType("LockToken", str)
Head = NewType("Head", str)  # where a thread ends, in the controller's words
InboxId = NewType("InboxId", int)
TurnId = NewType("TurnId", int)  # the short id that a person sees
OutId = NewType("OutId", int)
AttemptId = NewType("AttemptId", str)
ApprovalId = NewType("ApprovalId", str)  # the controller's name for a pending request


_UNMADE = "new:"


def unmade_thread(seed: str) -> ThreadId:
    """Stands for a thread that its first message will make."""
    return ThreadId(_UNMADE + seed)


def is_unmade(thread: str) -> bool:
    return thread.startswith(_UNMADE)


class InboxState(StrEnum):
    NEW = "new"
    HELD = "held"
    DONE = "done"


class TurnState(StrEnum):
    QUEUED = "queued"
    STARTING = "starting"
    PARKED = "parked"
    RUNNING = "running"
    SETTLING = "settling"
    DONE = "done"


class OutState(StrEnum):
    READY = "ready"
    SENDING = "sending"
    DONE = "done"


class AccountState(StrEnum):
    UNPAIRED = "unpaired"
    ON = "on"
    SUSPECT = "suspect"
    LOGIN_NEEDED = "login_needed"


class ApprovalState(StrEnum):
    OPEN = "open"
    ANSWERING = "answering"
    DONE = "done"


class Outcome(StrEnum):
    """What became of one attempt to send (delivery-semantics 5)."""

    SENT = "sent"
    UNCONFIRMED = "unconfirmed"
    NOT_SENT = "not_sent"
    THROTTLED = "throttled"
    EXPIRED = "expired"
    REFUSED = "refused"
    UNKNOWN_CODE = "unknown_code"
    UNKNOWN = "unknown"


class SendClass(IntEnum):
    """Lower goes first."""

    APPROVAL = 1
    ANSWER = 2  # a final answer or the reply to a command
    QUESTION = 3
    NOTE = 4
    PROGRESS = 5


class Parked(StrEnum):
    """What a parked turn waits for."""

    HEAD = "head"
    AGREED = "agreed"  # was parked for its head, and the owner said run it all the same
    ELSEWHERE = "elsewhere"
    CONTROLLER = "controller"


class Owed(StrEnum):
    """Calls that the controller is owed once the answer is stored, in this order."""

    ACK = "ack"
    CLOSE = "close"
    RELEASE = "release"


OWES_ALL = (Owed.ACK, Owed.CLOSE, Owed.RELEASE)

Lang = Literal["zh", "en"]


@dataclass(frozen=True, slots=True)
class Part:
    """One item of a message, as the channel gave it; `text` of a voice is its transcript."""

    kind: Literal["text", "voice", "image", "file", "video", "other"]
    text: str = ""
    file_name: str = ""
    size_bytes: int = 0
    media: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message at the door, before policy has seen it."""

    channel: str
    sender: str
    msg_key: MsgKey
    chat: Literal["direct", "group", "unknown"]
    is_echo: bool
    create_time_ms: int
    client_id: str
    context_token: str
    parts: tuple[Part, ...]
    quoted_id: str
    quoted_text: str
    is_cut: bool
    malformed: str
    quoted_part: Selection | None = None
    chat_id: str = ""  # of a group; "" in a direct chat


@dataclass(frozen=True, slots=True)
class InboxRow:
    id: InboxId
    peer: PeerId
    msg_key: MsgKey
    parts: tuple[Part, ...]
    quoted_id: str
    is_cut: bool
    age_ms: int  # on arrival, by the channel's own clock
    received_ms: int
    attempts: int
    is_released: bool  # was held once, and the owner said run
    state: InboxState
    files: tuple[Attachment, ...] = ()
    is_asked: bool = False  # files alone: their owner was asked what to do with them
    meant: AliasName | None = None  # of one that was held: the name in use then
    quoted_text: str = ""
    quoted_part: Selection | None = None

    @property
    def is_files_alone(self) -> bool:
        """Files that still wait for the sentence that says what to do with them."""
        return bool(self.files) and not self.text.strip()

    @property
    def is_here(self) -> bool:
        """Whether every file of it is stored or given up."""
        return all(file.outcome for file in self.files)

    @property
    def text(self) -> str:
        """What the owner said, in order: typed text and transcripts."""
        return "\n".join(p.text for p in self.parts if p.kind in ("text", "voice") and p.text)


@dataclass(frozen=True, slots=True)
class Owner:
    """Who may use the bridge; empty means nobody."""

    user_ids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Account:
    """The bot's account at the channel, and whether it may be used."""

    channel: str = ""
    bot_id: str = ""
    owner: Owner = Owner()
    generation: int = 0
    owner_epoch: int = 0
    paired_at_ms: int = 0
    cursor: str = ""
    state: AccountState = AccountState.UNPAIRED
    breaker_until_ms: int = 0
    probe_no: int = 0
    unconfirmed_run: int = 0
    rest_reason: str = ""  # raw code or word behind suspect and login_needed
    rest_since_ms: int = 0

    @property
    def network(self) -> str:
        """What the desk calls the channel."""
        return "WeChat" if self.channel in ("", "wechat") else self.channel


@dataclass(frozen=True, slots=True)
class Alias:
    """A person's name for a thread; the same for every conversation."""

    name: AliasName
    thread: ThreadId
    cwd: str = ""
    title: str = ""
    sandbox: str = "workspace-write"
    approval_policy: str = "on-request"
    model: str = ""
    effort: str = ""
    seen_head: str = ""  # where the thread ended when the phone last looked; "" = not known
    position: str = ""  # up to where its history was shown; the controller's word; "" = nowhere


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the numbered list last shown to a peer."""

    thread: ThreadId
    title: str
    cwd: str


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The one open question that `/yes` answers; single use."""

    what: Literal["remove", "recover", "send"]
    subject: str
    until_ms: int


@dataclass(frozen=True, slots=True)
class Peer:
    id: PeerId
    lang: Lang
    active: AliasName | None = None
    thread: ThreadId | None = None  # that this name meant as it was read; never written
    confirmation: Confirmation | None = None
    listed: tuple[Listed, ...] = ()
    files: tuple[ArtifactId, ...] = ()  # the numbered list of files last shown, to its end
    files_ms: int = 0  # when it was shown
    more_turn: TurnId | None = None
    more_next: int = 0


@dataclass(frozen=True, slots=True)
class Turn:
    """Our row for one prompt and its one answer."""

    id: TurnId
    key: Key
    channel: str
    peer: PeerId
    thread: ThreadId
    alias: str
    prompt: str
    cwd: str
    sandbox: str
    approval_policy: str
    model: str
    effort: str
    state: TurnState
    reason: str = ""
    expected_head: str | None = None
    seen_head: str = ""
    run: RunId | None = None
    codex_turn: str = ""  # Codex's own id of it, where the controller tells
    lock: LockToken | None = None
    retry_at_ms: int = 0
    tries: int = 0  # of a parked turn, for its back-off
    stop_requested: bool = False
    attempts: int = 0
    outcome: str = ""
    owes: tuple[Owed, ...] = ()
    result: str = ""
    cuts: tuple[int, ...] = ()
    created_ms: int = 0
    started_ms: int = 0
    ended_ms: int = 0
    files: tuple[TurnFile, ...] = ()
    preface: str = ""  # lines of ours before the answer: what was heard, what was not found


@dataclass(frozen=True, slots=True)
class Approval:
    """A pending request of a turn, as it was shown: code, digest, decision."""

    id: ApprovalId
    turn: TurnId
    peer: PeerId
    kind: str
    summary: str
    detail: str
    is_cut: bool  # not all was shown as it is: it cannot be approved from the phone
    digest: str
    options: tuple[str, ...]
    code: str
    code_ms: int
    asked_ms: int
    state: ApprovalState
    decision: str = ""  # accept or decline
    said: str = ""  # the owner's words, for a question


@dataclass(frozen=True, slots=True)
class Question:
    """What an agent asked the owner; its id is the bubble that shows it."""

    id: OutId
    client: str
    peer: PeerId
    options: tuple[str, ...]
    code: str
    asked_ms: int
    outcome: str = ""  # answered or declined; "" while it waits
    said: str = ""  # the chosen option, or the owner's own words


@dataclass(frozen=True, slots=True)
class OutRow:
    """One bubble that is owed to a peer."""

    id: OutId
    peer: PeerId
    send_class: SendClass
    group: str
    part: int
    parts: int
    text: str
    client_id: str
    created_ms: int
    not_before_ms: int = 0
    tries: int = 0  # refused and unknown only
    fails: int = 0  # not sent at all, for the back-off
    maybe_sent: bool = False
    turn: TurnId | None = None
    file: OutFile | None = None  # it is sent instead of the text, which then is its name
    client: str = ""  # the agent that says it; "" is the bridge or a thread


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request to the channel, committed before it leaves."""

    id: AttemptId
    row: OutRow
    context_token: str
    instance: str  # of the worker it is meant for
