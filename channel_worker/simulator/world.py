"""What would iLink know? Messages, tokens, sends and the faults to come; no network.

One bot with one owner, and anybody else who writes to it. What the real service does
where nobody knows (`ilink-protocol` 12) is a switch here: whether an unread reply is
given again, whether a client id sent twice shows twice, how many sends a message
allows. Every value is a plain attribute: tests and scenarios set them as they like.
"""

from __future__ import annotations

import base64
import secrets
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Any, Literal

import anyio

from channel_worker.simulator.flaws import flaw_of

FIRST_MESSAGE_ID = 7497484083968569736  # above 2**53, as on the wire
TRANSCRIPT_LENGTH = 20_000
WINDOW_S = 24 * 3600  # replies are taken for a day after a person's message
TEXT_LIMIT_CHARS = 7000  # 5,000 passed and 7,337 failed in the reports
SEND_LIMIT = 10  # bot messages after each message of a person, `ilink-protocol` 6.4
SETTABLE = (
    "hold_s", "gives_again", "drops_copies", "send_limit", "least_pause_s", "batch_size",
    "clock_skew_s", "digits", "redirect_host", "bot_id", "owner_id", "gives_upload_param",
    "suggested_ms", "knows_bindings",
)  # fmt: skip

Json = Any  # Any: the body of a made-up message, written as it goes over the wire
FaultKind = Literal[
    "ret",  # answer with this code, do nothing
    "errcode",  # the same, in the other field
    "no_id",  # do it, answer without message_id
    "reset_after",  # do it, then cut the connection
    "reset_before",  # cut the connection
    "status",  # answer with this HTTP status and HTML, do nothing
    "status_after",  # do it, then answer with this HTTP status and HTML
    "half_body",  # do it, send half of the answer, then cut the connection
    "body",  # answer with these very bytes, do nothing
    "delay",  # wait so many seconds, then go on as usual
    "hang",  # never answer
    "drip",  # answer one byte per `seconds`
    "pause",  # half of the answer, the rest after `seconds`
    "instant",  # getupdates: an empty answer at once
]


@dataclass(slots=True)
class Fault:
    """One thing that goes wrong at an endpoint, `times` times in a row."""

    kind: FaultKind
    code: int = 0
    message: str = ""
    seconds: float = 0.0
    body: bytes = b""
    times: int = 1


@dataclass(frozen=True, slots=True)
class Call:
    """One line of the transcript; `body` is as it came, tokens included: all are made up."""

    endpoint: str
    headers: dict[str, str]
    body: Json
    at: float


@dataclass(frozen=True, slots=True)
class Sent:
    """A message of the bot as its person sees it; a copy is a twin of an earlier one."""

    message_id: str
    client_id: str
    to_user_id: str
    item: Json
    at_ms: int
    group_id: str = ""  # everybody in this group sees it
    flaw: str = ""  # why a phone does not show the picture or file in it

    @property
    def text(self) -> str:
        return str(self.item.get("text_item", {}).get("text", ""))


def _first_id() -> int:
    """Above every id of an earlier life: a message key must never come again."""
    return FIRST_MESSAGE_ID + time.time_ns() // 1_000_000


def _new_context_token() -> str:
    return f"ctx-{secrets.token_hex(24)}"


def _is_message(message: Json) -> bool:
    """One item, and text where text belongs; what a bot may send."""
    if not isinstance(message, dict) or message.get("message_type") != 2:
        return False
    items, token = message.get("item_list"), message.get("context_token", "")
    names = [message.get(name) for name in ("to_user_id", "client_id")]
    if not all(isinstance(name, str) and name for name in names) or not isinstance(token, str):
        return False
    if not isinstance(items, list) or len(items) != 1 or not isinstance(items[0], dict):
        return False
    words = items[0].get("text_item", {})
    return isinstance(words, dict) and isinstance(words.get("text", ""), str)


@dataclass(slots=True)
class World:
    """The state of the simulated service."""

    bot_id: str = "0a1b2c3d4e5f@im.bot"
    owner_id: str = "oOwner0123456789@im.wechat"
    hold_s: float = 35.0  # how long a getupdates is held
    suggested_ms: int = -1  # longpolling_timeout_ms; -1: that of hold_s, 0: none is said
    gives_again: bool = True  # an unread reply is delivered again under the old cursor
    drops_copies: bool = True  # a client_id sent twice is shown once
    send_limit: int = 0  # bot messages after each message of a person; 0: no limit
    least_pause_s: float = 0.0  # between two bot messages; sooner is refused
    batch_size: int = 100
    clock_skew_s: float = 0.0
    digits: str = "4711"
    redirect_host: str = ""
    knows_bindings: bool = False  # a login that offers a token of this bot is binded_redirect
    token: str = ""
    messages: list[Json] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    typing: dict[str, bool] = field(default_factory=dict)
    gives_upload_param: bool = False  # getuploadurl answers with a param, not a whole URL
    uploads: dict[str, Json] = field(default_factory=dict)  # promised, by upload param
    files: dict[str, bytes] = field(default_factory=dict)  # on the CDN, by download handle
    transcript: deque[Call] = field(default_factory=lambda: deque(maxlen=TRANSCRIPT_LENGTH))
    standard_login: tuple[str, ...] = ()  # the script of every code that has none
    login_script: deque[str] = field(default_factory=deque)
    faults: dict[str, deque[Fault]] = field(default_factory=lambda: defaultdict(deque))
    _handed: int = 0
    # Each by conversation: a person, or a group.
    _wrote: dict[str, float] = field(default_factory=dict)  # when somebody wrote last
    _given: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # tokens
    _groups: set[str] = field(default_factory=set)
    _issued: set[str] = field(default_factory=set)  # every token of this bot
    _sent_since: dict[str, int] = field(default_factory=dict)
    _by_client_id: dict[str, str] = field(default_factory=dict)
    _next_id: int = field(default_factory=_first_id)
    _news: anyio.Event = field(default_factory=anyio.Event)

    def __post_init__(self) -> None:
        self.token = self.token or self.new_token()

    def now(self) -> float:
        """The service's clock: epoch seconds."""
        return time.time() + self.clock_skew_s

    def change(self, values: Json) -> None:
        """Set attributes by name; raises ValueError for one that is not for others."""
        for name, value in values.items():
            if name not in SETTABLE:
                raise ValueError(f"cannot set {name}")
            before = getattr(self, name)
            if not isinstance(value, (int, float) if type(before) is float else type(before)):
                raise ValueError(f"{name} must be like {before!r}")
        for name, value in values.items():
            setattr(self, name, value)
        self.wake()

    def new_token(self) -> str:
        """A new login: every older token is stale from now on."""
        self.token = f"{self.bot_id}:{secrets.token_hex(20)}"
        self._issued.add(self.token)
        return self.token

    def is_bound_by(self, tokens: list[str]) -> bool:
        """Whether one of these tokens was given out here, stale or not (`local_token_list`)."""
        return not self._issued.isdisjoint(tokens)

    def say(self, text: str, from_user_id: str = "", **fields: Json) -> str:
        """A person writes; the message id. `fields` replace or add members."""
        return self.post([{"type": 1, "text_item": {"text": text}}], from_user_id, **fields)

    def post(
        self, items: list[Json], from_user_id: str = "", ago_s: float = 0.0, **fields: Json
    ) -> str:
        """The same with any items, `ago_s` before now."""
        sender = from_user_id or self.owner_id
        now = self.now() - ago_s
        chat = str(fields.get("group_id") or sender)
        self._wrote[chat] = max(now, self._wrote.get(chat, 0.0))
        self._sent_since[chat] = 0
        message = {
            "seq": len(self.messages) + 1,
            "message_id": self._new_id(),
            "from_user_id": sender,
            "to_user_id": self.bot_id,
            "create_time_ms": int(now * 1000),
            "message_type": 1,
            "message_state": 2,
            "item_list": items,
            "context_token": _new_context_token(),
        }
        self.put(message | fields)
        return str(message["message_id"])

    def put(self, message: Json) -> None:
        """Any message at all, malformed ones included."""
        self.messages.append(message)
        if isinstance(message, dict):
            group = str(message.get("group_id") or "")
            self._groups |= {group} - {""}
            given = self._given[group or str(message.get("from_user_id"))]
            given.add(str(message.get("context_token", "")))
        self.wake()

    def repeat(self, number: int = 1) -> None:
        """The `number`-th message from the end comes again, with another context token.

        It opens no window and grants no sends: the person has not written again.
        """
        again = dict(self.messages[-number])
        self.put(again | {"context_token": _new_context_token()})

    def take(self, cursor: str) -> tuple[list[Json], str]:
        """The messages behind this cursor, and the cursor behind them."""
        start = self._position(cursor) if self.gives_again else self._handed
        batch = self.messages[start : start + self.batch_size]
        end = start + len(batch)
        self._handed = max(self._handed, end)
        return batch, base64.b64encode(f"at:{end}".encode()).decode()

    def accept(self, message: Json) -> tuple[int, str]:
        """A message of the bot: (0, message id), or a code and why it was refused."""
        if not _is_message(message):
            return -1, "invalid arguments"
        to, client_id = message["to_user_id"], message["client_id"]
        items, group = message["item_list"], self._group_of(message)
        chat, token = group or to, message.get("context_token")
        since = self._wrote.get(chat)
        if since is None or not token or token not in self._given[chat]:
            return -2, ""
        if self.now() - since > WINDOW_S:
            return -2, "unknown error"
        if self.drops_copies and client_id in self._by_client_id:
            return 0, self._by_client_id[client_id]
        if self.send_limit and self._sent_since[chat] >= self.send_limit:
            return -2, "freq limit"
        if len(items[0].get("text_item", {}).get("text", "")) > TEXT_LIMIT_CHARS:
            return -2, "prepare failed"
        pause_s = self.now() - self.sent[-1].at_ms / 1000 if self.sent else self.least_pause_s
        if 0 <= pause_s < self.least_pause_s:  # negative: the clock was set back
            return -2, "rate limited"
        self._sent_since[chat] += 1
        message_id = str(self._new_id())
        self._by_client_id.setdefault(client_id, message_id)
        at_ms, flaw = int(self.now() * 1000), flaw_of(items[0], self.files) or ""
        self.sent.append(Sent(message_id, client_id, to, items[0], at_ms, group, flaw))
        self.typing.pop(to, None)
        self.wake()
        return 0, message_id

    def record(self, endpoint: str, headers: dict[str, str], body: Json) -> None:
        self.transcript.append(Call(endpoint, headers, body, time.monotonic()))
        self.wake()

    def calls(self, endpoint: str) -> list[Call]:
        return [call for call in self.transcript if call.endpoint == endpoint]

    def next_fault(self, endpoint: str) -> Fault | None:
        """The fault that strikes this call, if one waits; it is used up."""
        waiting = self.faults[endpoint]
        if not waiting:
            return None
        fault = waiting[0]
        fault.times -= 1
        if fault.times <= 0:
            waiting.popleft()
        return fault

    def wake(self) -> None:
        """Let everybody who waits look again."""
        self._news.set()
        self._news = anyio.Event()

    @property
    def news(self) -> anyio.Event:
        return self._news

    def _group_of(self, message: Json) -> str:
        """The group that a message of the bot is for: by its own member, or as addressee.

        Nobody knows how iLink does it (`ilink-protocol` 6.6), so both are taken.
        """
        to = message["to_user_id"]
        return str(message.get("group_id") or (to if to in self._groups else ""))

    def _new_id(self) -> int:
        self._next_id += 1
        return self._next_id

    def _position(self, cursor: str) -> int:
        try:
            return int(base64.b64decode(cursor).decode().removeprefix("at:"))
        except ValueError:
            return 0
