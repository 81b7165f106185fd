"""What do we say to iLink, and what did it answer? Bytes and values only, no network.

A request is a JSON body; an answer is judged by status and body, never by status
alone: business failures arrive as HTTP 200 with a `ret` or `errcode`, and `ret` 0
without a `message_id` is no receipt (`ilink-protocol` 1.4, 5.3, 6.4). The verdicts
are those of delivery-semantics 5.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum, auto

from bridge.wire.codec import Json
from bridge.wire.messages import Inbound, OutboundSend, OutcomeWord, SendReply, UploadedMedia
from channel_worker.ilink.inbound import Account, read_message

MAX_CURSOR_CHARS = 64 * 1024  # F28; seen so far: tens of characters
MAX_DEPTH = 200  # brackets; Python's reader ends near 1,000, real messages near 8
MIN_HOLD_S, MAX_HOLD_S = 5.0, 60.0  # design 8: what a server may suggest

EXPIRED = "-14"
THROTTLED = "-2"
REFUSED = ("-4", "2")  # codes with a known meaning that no waiting cures
FINISHED = 2  # message_state; 1 is never sent by the official client
BOT = 2  # message_type


@dataclass(frozen=True, slots=True)
class Product:
    """How we present ourselves: the client version we speak like, and our own name."""

    client_version: str
    bot_agent: str

    def base_info(self) -> dict[str, Json]:
        return {"channel_version": self.client_version, "bot_agent": self.bot_agent}

    def version_number(self) -> int:
        """`iLink-App-ClientVersion`: 2.4.9 is 132105 (`ilink-protocol` 1.2)."""
        major, minor, patch = (int(part) & 255 for part in self.client_version.split("."))
        return major << 16 | minor << 8 | patch


class Verdict(Enum):
    """What one getupdates came to."""

    GOOD = auto()
    QUIET = auto()  # nothing came in time; as good as an empty reply
    EXPIRED = auto()  # -14, HTTP 401 and 403: the token is stale
    ODD_CODE = auto()  # a code nobody knows: stop and check again
    FAILED = auto()  # try again later
    UNREADABLE = auto()  # the next cursor is in there somewhere


@dataclass(frozen=True, slots=True)
class PollReply:
    verdict: Verdict
    code: str = ""  # raw code, or a word of ours for what went wrong
    messages: tuple[Inbound, ...] = ()
    next_cursor: str = ""  # empty: keep the old one
    hold_s: float = 0.0  # suggested by the server, clamped; 0: not said
    server_now_ms: int = 0  # HTTP Date; 0: none
    retry_after_s: float = 0.0
    size_bytes: int = 0


class Unreadable(ValueError):
    """A body that is no JSON object."""


def new_uin() -> str:
    """`X-WECHAT-UIN`: a random uint32 in decimal, then base64; new for every request."""
    return base64.b64encode(str(secrets.randbits(32)).encode()).decode()


def send_body(order: OutboundSend) -> dict[str, Json]:
    """sendmessage: one message with exactly one item; `base_info` is added by the edge."""
    item = media_item(order.media) if order.media else text_item(order.text)
    message: dict[str, Json] = {
        "from_user_id": "",
        "to_user_id": order.to_user_id,
        "client_id": order.client_id,
        "message_type": BOT,
        "message_state": FINISHED,
        "item_list": [item],
        "context_token": order.context_token,
    }
    if order.group_id:  # declared and never seen in use (`ilink-protocol` 6.6)
        message["group_id"] = order.group_id
    return {"msg": message}


def text_item(text: str) -> dict[str, Json]:
    return {"type": 1, "text_item": {"text": text}}


def media_item(media: UploadedMedia) -> dict[str, Json]:
    """The item of an uploaded file; keys and sizes per kind as in `ilink-protocol` 7.2, 7.3."""
    reference: dict[str, Json] = {
        "encrypt_query_param": media.download_param,
        "aes_key": base64.b64encode(media.aes_key.encode()).decode(),
        "encrypt_type": 1,
    }
    if media.kind == "image":
        return {"type": 2, "image_item": {"media": reference, "mid_size": media.cipher_bytes}}
    if media.kind == "video":
        return {"type": 5, "video_item": {"media": reference, "video_size": media.cipher_bytes}}
    file: dict[str, Json] = {
        "media": reference,
        "file_name": media.file_name,
        "len": str(media.plain_bytes),
    }
    return {"type": 4, "file_item": file}


def read_object(body: bytes) -> dict[str, Json]:
    """The JSON object of a reply, an empty body being `{}`; raises Unreadable.

    NaN, endless numbers and what lies too deep become NaN, which no field accepts:
    the message that holds them is refused, the others are read. Lone surrogates and
    NUL never get further than here (threat-model R10).
    """
    text = body.decode("utf-8", errors="replace")
    if not text.strip():
        return {}
    try:
        try:
            value = _load(text)
        except RecursionError:
            value = _load(_flattened(text))
    except (ValueError, RecursionError) as wrong:
        raise Unreadable("no JSON") from wrong
    if not isinstance(value, dict):
        raise Unreadable("no JSON object")
    return value


def code_of(reply: Mapping[str, Json]) -> str:
    """The failure code as text, empty when both `ret` and `errcode` say success.

    It is shown raw, so nothing but a number is a code: text may hold anything (R18).
    """
    for name in ("errcode", "ret"):
        value = reply.get(name)
        if value is None or value is False or value == "":
            continue
        if isinstance(value, str | int | float) and str(value).strip() in ("0", "0.0"):
            continue
        code = str(value).strip()
        return code if _CODE.fullmatch(code) else "no number"
    return ""


def read_poll(status: int, headers: Mapping[str, str], body: bytes, account: Account) -> PollReply:
    """Judge the answer to getupdates (`ilink-protocol` 5, delivery-semantics 5)."""
    if status in (504, 524):  # a gateway that did not wait as long as the server
        return PollReply(Verdict.QUIET, f"http {status}")
    if status in (401, 403):
        return PollReply(Verdict.EXPIRED, f"http {status}")
    if not 200 <= status < 300:
        wait_s = _retry_after(headers.get("retry-after", ""))
        return PollReply(Verdict.FAILED, f"http {status}", retry_after_s=wait_s)
    try:
        reply = read_object(body)
    except Unreadable:
        return PollReply(Verdict.UNREADABLE, "body " + hashlib.sha256(body).hexdigest()[:8])
    code = code_of(reply)
    if code:
        return PollReply(_POLL_VERDICTS.get(code, Verdict.ODD_CODE), code)
    messages = reply.get("msgs") or []
    if not isinstance(messages, list):
        return PollReply(Verdict.UNREADABLE, "msgs")
    return PollReply(
        Verdict.GOOD,
        messages=tuple(read_message(message, account) for message in messages),
        next_cursor=_cursor(reply.get("get_updates_buf")),
        hold_s=_hold_s(reply.get("longpolling_timeout_ms")),
        server_now_ms=_date_ms(headers.get("date", "")),
        size_bytes=len(body),
    )


def read_send(status: int, body: bytes) -> SendReply:
    """Judge the answer to sendmessage: one row of the table in delivery-semantics 5."""
    outcome = outcome_of_status(status)
    if outcome:
        return SendReply(outcome, code=f"http {status}")
    try:
        reply = read_object(body)
    except Unreadable:
        return SendReply("unknown", code="body")
    code = code_of(reply)
    if code:
        return SendReply(outcome_of_code(code, reply.get("errmsg")), code=code)
    server_id = _server_id(reply.get("message_id"))
    return SendReply("sent" if server_id else "unconfirmed", server_id)


def outcome_of_status(status: int) -> OutcomeWord | None:
    """None for 2xx: then the body decides."""
    if 200 <= status < 300:
        return None
    if status == 429:
        return "throttled"
    if status in (401, 403):
        return "expired"
    return "refused" if 400 <= status < 500 else "unknown"


def outcome_of_code(code: str, errmsg: Json = None) -> OutcomeWord:
    if code == EXPIRED:
        return "expired"
    if code == THROTTLED:
        return "throttled"
    is_our_mistake = isinstance(errmsg, str) and "invalid arguments" in errmsg.lower()
    return "refused" if code in REFUSED or is_our_mistake else "unknown_code"


_POLL_VERDICTS = {EXPIRED: Verdict.EXPIRED, THROTTLED: Verdict.FAILED}
_CODE = re.compile(r"-?[0-9]{1,10}")
_NEEDS_CLEANING = re.compile(r"\\u(?:0000|[dD][89a-fA-F])|\x00")
_SURROGATES_AND_NUL = re.compile("[\ud800-\udfff\0]")


def _load(text: str) -> Json:
    value: Json = json.loads(text, parse_int=_bounded_int, strict=False)
    return _cleaned(value) if _NEEDS_CLEANING.search(text) else value


def _bounded_int(digits: str) -> int | float:
    return int(digits) if len(digits) <= 20 else math.nan


def _cleaned(value: Json) -> Json:
    if isinstance(value, str):
        return _SURROGATES_AND_NUL.sub(lambda found: "\ufffd" if found[0] != "\0" else "", value)
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    if isinstance(value, dict):
        return {name: _cleaned(item) for name, item in value.items()}
    return value


def _flattened(text: str) -> str:
    """The same JSON with NaN for whatever lies below MAX_DEPTH brackets."""
    kept: list[str] = []
    depth = 0
    start = 0
    for token in re.finditer(r'"(?:[^"\\]|\\.)*"|[\[{\]}]', text, re.DOTALL):
        if token[0] in "[{":
            if depth == MAX_DEPTH:
                kept.append(text[start : token.start()] + "NaN")
            depth += 1
        elif token[0] in "]}":
            depth -= 1
            if depth == MAX_DEPTH:
                start = token.end()
    return "".join(kept) + text[start:]


def _server_id(value: Json) -> str:
    if type(value) is int and value > 0:
        return str(value)
    if isinstance(value, str) and value.strip("0 ") and len(value) <= 64:
        return value.strip()
    return ""


def _cursor(value: Json) -> str:
    return value if isinstance(value, str) and len(value) <= MAX_CURSOR_CHARS else ""


def _hold_s(value: Json) -> float:
    if type(value) is not int or value <= 0:
        return 0.0
    return min(max(value / 1000, MIN_HOLD_S), MAX_HOLD_S)


def _date_ms(value: str) -> int:
    try:
        return int(parsedate_to_datetime(value).timestamp() * 1000)
    except (ValueError, OverflowError):
        return 0


def _retry_after(value: str) -> float:
    return float(value) if value.isdecimal() and len(value) <= 5 else 0.0
