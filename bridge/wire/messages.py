"""Every method on the private socket: its request, its reply, and who may call it.

The bridge listens. `worker`, `cli` and `facade` connect, and the first message of
each connection is `Hello`. Requests travel in both directions of a worker's
connection; a cli or facade only asks (more of their methods: `desk.py`, `facade.py`).
Times are UTC epoch milliseconds, sizes are bytes, ids of the channel are opaque text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

from bridge.wire import desk, facade
from bridge.wire.request import Done as Done
from bridge.wire.request import Request as Request

PROTOCOL = 1  # grows when an older peer could misread a newer one

Role: TypeAlias = Literal["worker", "cli", "facade"]


@dataclass(frozen=True)
class HelloReply:
    protocol: int
    version: str


@dataclass(frozen=True)
class Hello(Request[HelloReply]):
    """First message of every connection. `instance` is new for every process."""

    method: ClassVar[str] = "hello"
    reply: ClassVar[Any] = HelloReply  # Any: see Request
    protocol: int
    role: Role
    instance: str


# worker -> bridge


@dataclass(frozen=True)
class ChannelHelloReply:
    """`cursor` is where to poll from; `poll` false means: fetch nothing for now."""

    cursor: str
    poll: bool


@dataclass(frozen=True)
class ChannelHello(Request[ChannelHelloReply]):
    """Claims the account: the connection is the lease (delivery-semantics 4)."""

    method: ClassVar[str] = "channel.hello"
    reply: ClassVar[Any] = ChannelHelloReply  # Any: see Request
    channel: str
    bot_id: str
    owner_user_ids: tuple[str, ...]
    generation: int
    owner_epoch: int = 0
    paired_at_ms: int = 0  # 0: not known, nothing counts as sent before pairing


@dataclass(frozen=True)
class Media:
    """A reference to bytes on the channel's CDN; opaque to the bridge."""

    download_param: str = ""
    full_url: str = ""
    aes_key: str = ""


@dataclass(frozen=True)
class Part:
    """One item of a message. `text` of a voice part is the channel's transcript."""

    kind: Literal["text", "voice", "image", "file", "video", "other"]
    text: str = ""
    media: Media | None = None
    file_name: str = ""
    size_bytes: int = 0


@dataclass(frozen=True)
class Quote:
    """What a message quotes: by the id of the quoted message, by its text, or both."""

    server_id: str = ""
    text: str = ""
    partial_start: str = ""
    partial_end: str = ""
    partial_start_index: int = 0
    partial_end_index: int = 0
    partial_md5: str = ""


@dataclass(frozen=True)
class Inbound:
    """One message as the channel gave it; `msg_key` says which (delivery-semantics 4).

    `malformed` holds the start of a message that could not be read, and nothing
    else of it is then known but its key and, where it was readable, its sender.
    """

    msg_key: str
    from_user_id: str
    chat: Literal["direct", "group", "unknown"] = "direct"
    group_id: str = ""
    is_echo: bool = False
    create_time_ms: int = 0  # 0: not given
    client_id: str = ""
    context_token: str = ""
    parts: tuple[Part, ...] = ()
    quote: Quote | None = None
    is_cut: bool = False  # longer than the limit: kept cut, never run
    malformed: str = ""


@dataclass(frozen=True)
class CommitReply:
    """`storage_error`: nothing was stored; keep the batch and the old cursor."""

    status: Literal["ok", "cursor_conflict", "storage_error"]
    cursor: str


@dataclass(frozen=True)
class InboundCommit(Request[CommitReply]):
    """A batch with the cursor it was fetched from and the one it leads to.

    An empty `next_cursor` moves nothing: the slices of a long batch but the last.
    `server_now_ms` is the time of the network as this commit leaves: the HTTP Date of the
    poll, and how long the worker has kept the batch since; 0 when the poll had no Date.
    """

    method: ClassVar[str] = "inbound.commit"
    reply: ClassVar[Any] = CommitReply  # Any: see Request
    prev_cursor: str
    next_cursor: str
    server_now_ms: int
    messages: tuple[Inbound, ...]


ChannelCondition: TypeAlias = Literal[
    "no_credentials",
    "polling",
    "backing_off",
    "suspect",
    "login_needed",
    "poll_poison",
    "woke",
]


@dataclass(frozen=True)
class ChannelState(Request[Done]):
    """How the channel is, as the worker sees it; also sent before `channel.hello`.

    `code` is the raw code or word behind the condition; for `woke` it is the
    length of the sleep in whole seconds.
    """

    method: ClassVar[str] = "channel.state"
    reply: ClassVar[Any] = Done  # Any: see Request
    condition: ChannelCondition
    since_ms: int
    code: str = ""


@dataclass(frozen=True)
class OutboundBegun(Request[None]):
    """Notification: the request of this attempt is about to leave."""

    method: ClassVar[str] = "outbound.begun"
    reply: ClassVar[Any] = None  # Any: see Request
    attempt_id: str


# bridge -> worker

OutcomeWord: TypeAlias = Literal[
    "sent",
    "unconfirmed",
    "not_sent",
    "throttled",
    "expired",
    "refused",
    "unknown_code",
    "unknown",
]


@dataclass(frozen=True)
class UploadedMedia:
    """Bytes that lie on the channel's CDN, ready to be sent."""

    kind: Literal["image", "video", "file"]
    download_param: str
    aes_key: str
    plain_bytes: int
    cipher_bytes: int
    file_name: str = ""


@dataclass(frozen=True)
class SendReply:
    """What became of one attempt (delivery-semantics 5)."""

    outcome: OutcomeWord
    server_id: str = ""
    code: str = ""


@dataclass(frozen=True)
class OutboundSend(Request[SendReply]):
    """One attempt: exactly one request to the channel, never repeated by the worker."""

    method: ClassVar[str] = "outbound.send"
    reply: ClassVar[Any] = SendReply  # Any: see Request
    attempt_id: str
    to_user_id: str
    client_id: str
    context_token: str
    text: str = ""
    media: UploadedMedia | None = None
    group_id: str = ""  # the group it is for; then `to_user_id` is the same


@dataclass(frozen=True)
class QueryReply:
    state: Literal["not_started", "in_flight", "done"]
    send: SendReply | None = None


@dataclass(frozen=True)
class OutboundQuery(Request[QueryReply]):
    """What became of an attempt whose reply was lost; the last 256 are remembered."""

    method: ClassVar[str] = "outbound.query"
    reply: ClassVar[Any] = QueryReply  # Any: see Request
    attempt_id: str


@dataclass(frozen=True)
class UploadReply:
    outcome: OutcomeWord  # "sent": `media` is there
    media: UploadedMedia | None = None
    code: str = ""


@dataclass(frozen=True)
class MediaUpload(Request[UploadReply]):
    """Puts a staged file on the CDN, or nothing: only bytes of this SHA-256 (hex) go up.

    `staged_name` is a bare name in the staging folder.
    """

    method: ClassVar[str] = "media.upload"
    reply: ClassVar[Any] = UploadReply  # Any: see Request
    staged_name: str
    kind: Literal["image", "video", "file"]
    to_user_id: str
    file_name: str
    sha256: str


@dataclass(frozen=True)
class FetchReply:
    """`stored_path` is relative to the attachments folder."""

    outcome: Literal["stored", "retry", "gone"]
    stored_path: str = ""
    content_type: str = ""
    size_bytes: int = 0
    code: str = ""


@dataclass(frozen=True)
class MediaFetch(Request[FetchReply]):
    """Brings CDN bytes into the attachments folder under a random name."""

    method: ClassVar[str] = "media.fetch"
    reply: ClassVar[Any] = FetchReply  # Any: see Request
    kind: Literal["voice", "image", "file", "video"]
    media: Media
    limit_bytes: int


@dataclass(frozen=True)
class TypingSet(Request[Done]):
    """A hint: show or end the typing sign. Never fails anything."""

    method: ClassVar[str] = "typing.set"
    reply: ClassVar[Any] = Done  # Any: see Request
    to_user_id: str
    context_token: str
    is_on: bool


@dataclass(frozen=True)
class PollSet(Request[Done]):
    """Fetch nothing while `poll` is false: what cannot be stored stays at the channel."""

    method: ClassVar[str] = "poll.set"
    reply: ClassVar[Any] = Done  # Any: see Request
    poll: bool


# cli -> bridge


@dataclass(frozen=True)
class StatusReply:
    """`lines` are sentences for the desk; `is_healthy` false when a person must act."""

    lines: tuple[str, ...]
    is_healthy: bool


@dataclass(frozen=True)
class StatusGet(Request[StatusReply]):
    method: ClassVar[str] = "status.get"
    reply: ClassVar[Any] = StatusReply  # Any: see Request
    lang: str = ""


@dataclass(frozen=True)
class Sender:
    """Somebody who wrote lately; the one place that names a person whole."""

    user_id: str
    messages: int
    last_at_ms: int
    is_owner: bool


@dataclass(frozen=True)
class SendersReply:
    senders: tuple[Sender, ...]


@dataclass(frozen=True)
class SendersRecent(Request[SendersReply]):
    """Who wrote lately, newest first; at most 50."""

    method: ClassVar[str] = "senders.recent"
    reply: ClassVar[Any] = SendersReply  # Any: see Request


@dataclass(frozen=True)
class StopReply:
    running: int  # turns that have not ended yet


@dataclass(frozen=True)
class TurnsStop(Request[StopReply]):
    """Interrupt every running turn and cancel what waits; repeatable."""

    method: ClassVar[str] = "turns.stop"
    reply: ClassVar[Any] = StopReply  # Any: see Request


WORKER_CALLS: tuple[type[Request[Any]], ...] = (  # Any: replies differ
    ChannelHello,
    InboundCommit,
    ChannelState,
    OutboundBegun,
)
BRIDGE_CALLS: tuple[type[Request[Any]], ...] = (  # Any: replies differ
    OutboundSend,
    OutboundQuery,
    MediaUpload,
    MediaFetch,
    TypingSet,
    PollSet,
)
CLI_CALLS: tuple[type[Request[Any]], ...] = (  # Any: replies differ
    StatusGet,
    SendersRecent,
    TurnsStop,
    *desk.CALLS,
)
FACADE_CALLS = facade.CALLS

CALLS: dict[Role, tuple[type[Request[Any]], ...]] = {  # Any: replies differ
    "worker": WORKER_CALLS,
    "cli": CLI_CALLS,
    "facade": FACADE_CALLS,
}
