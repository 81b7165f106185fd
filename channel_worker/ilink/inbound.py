"""What did a person send? One WeixinMessage of getupdates becomes one `Inbound`.

Foreign JSON stops here: pydantic models check the members we read, everything else is
ignored. A message that cannot be read still becomes an `Inbound`, marked `malformed`,
so that one bad message never holds up its batch. What a stranger wrote is dropped on
the spot: only the key, the sender and the kind of chat go on (threat-model R1, R36).
Source of the fields: iLink WeixinMessage and MessageItem, `ilink-protocol` 6.1 to 6.3.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from bridge.wire.codec import Json
from bridge.wire.log import redact
from bridge.wire.messages import Inbound, Media, Part, Quote

MAX_TEXT_BYTES = 512 * 1024  # threat-model R9, all words of one message together
MAX_ITEMS = 32  # threat-model R9
MAX_MALFORMED_BYTES = 2048  # enough to recognise a message by, never enough to hurt
MAX_QUOTE_CHARS = 4096  # a quote only has to be recognised; its source is in the store
MAX_HANDLE_CHARS = 8192  # CDN handles and URLs; seen so far: a few hundred
MAX_ID_CHARS = 256  # person, bot and message ids; seen so far: under 64
MAX_TIME_MS = 1 << 53  # later than any date; such a time counts as not given
MAX_SIZE = 1 << 40  # bytes; larger than any file a phone can send

TEXT, IMAGE, VOICE, FILE, VIDEO = 1, 2, 3, 4, 5
USER, BOT = 1, 2


@dataclass(frozen=True, slots=True)
class Account:
    """Whose messages these are: ours as the bot, and the owners among the senders.

    `hears_groups`: what anybody types in a group is read as well.
    """

    bot_id: str
    owner_user_ids: tuple[str, ...]
    hears_groups: bool = False


def read_message(raw: Json, account: Account) -> Inbound:
    """The message, or what can be known of it; never raises."""
    try:
        return _read(_Message.model_validate(raw), raw, account)
    except (ValidationError, ValueError, RecursionError):
        return _malformed(raw, account)


def _id(value: object) -> object:
    """iLink uint64 ids come as number or text; `ilink-protocol` 1.5."""
    if type(value) is int and 0 <= value < 1 << 64:
        return str(value) if value else ""
    if isinstance(value, str):
        return "" if value.strip("0 ") == "" else value.strip()
    if value is None:
        return ""
    raise ValueError("an id must be a number or text")


def _whole(value: object) -> object:
    """int64 fields of protobuf JSON may come as text of digits."""
    if isinstance(value, str) and value.strip().lstrip("-").isdecimal() and len(value) <= 20:
        return int(value)
    return 0 if value is None or value == "" else value


def _size(value: object) -> object:
    """A size is a hint; one that cannot be true counts as not given."""
    found = _whole(value)
    return found if type(found) is not int or 0 <= found < MAX_SIZE else 0


def _text(value: object) -> object:
    return "" if value is None else value


_Id = Annotated[str, BeforeValidator(_id), Field(max_length=MAX_ID_CHARS)]
_Name = Annotated[str, BeforeValidator(_text), Field(max_length=MAX_ID_CHARS)]
_Handle = Annotated[str, BeforeValidator(_text), Field(max_length=MAX_HANDLE_CHARS)]
_Whole = Annotated[int, BeforeValidator(_whole)]
_Size = Annotated[int, BeforeValidator(_size)]
_Words = Annotated[str, BeforeValidator(_text)]


class _Foreign(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class _Media(_Foreign):
    encrypt_query_param: _Handle = ""
    full_url: _Handle = ""
    aes_key: _Name = ""


class _TextItem(_Foreign):
    text: _Words = ""


class _ImageItem(_Foreign):
    media: _Media | None = None
    aeskey: _Name = ""
    mid_size: _Size = 0


class _VoiceItem(_Foreign):
    media: _Media | None = None
    text: _Words = ""


class _FileItem(_Foreign):
    media: _Media | None = None
    file_name: _Words = ""
    len: _Size = 0


class _VideoItem(_Foreign):
    media: _Media | None = None
    video_size: _Size = 0


class _Partial(_Foreign):
    start: _Words = ""
    end: _Words = ""
    startindex: _Whole = 0
    endindex: _Whole = 0
    quotemd5: _Name = ""


class _QuotedItem(_Foreign):
    type: _Whole = 0
    msg_id: _Id = ""
    text_item: _TextItem | None = None
    image_item: _ImageItem | None = None
    voice_item: _VoiceItem | None = None
    file_item: _FileItem | None = None
    video_item: _VideoItem | None = None


class _Ref(_Foreign):
    message_item: _QuotedItem | None = None
    title: _Words = ""
    svr_id: _Id = ""
    partial_text: _Partial | None = None


class _Item(_QuotedItem):
    ref_msg: _Ref | None = None


class _Message(_Foreign):
    from_user_id: Annotated[str, Field(min_length=1, max_length=MAX_ID_CHARS)]
    message_id: _Id = ""
    client_id: _Name = ""
    create_time_ms: _Whole = 0
    delete_time_ms: _Whole = 0
    group_id: _Name = ""
    message_type: _Whole = 0
    item_list: Annotated[list[_Item], BeforeValidator(lambda v: [] if v is None else v)] = []
    context_token: _Handle = ""


def _read(message: _Message, raw: Json, account: Account) -> Inbound:
    is_echo = message.message_type == BOT or message.from_user_id == account.bot_id
    bare = Inbound(
        msg_key=_key(raw),
        from_user_id=message.from_user_id,
        chat=_chat(message),
        group_id=message.group_id,
        is_echo=is_echo,
    )
    if is_echo:
        return replace(bare, client_id=message.client_id)
    is_owner = message.from_user_id in account.owner_user_ids
    if not (account.hears_groups if message.group_id else is_owner):
        return bare
    found = _parts(message)
    if message.group_id:  # of a group only words, whoever says them
        found = [part for part in found if part.kind == "text"]
    parts, is_cut = _within_limit(found)
    return replace(
        bare,
        create_time_ms=message.create_time_ms if abs(message.create_time_ms) < MAX_TIME_MS else 0,
        client_id=message.client_id,
        context_token=message.context_token,
        parts=parts,
        quote=None if message.group_id else _quote(message.item_list),
        is_cut=is_cut or len(message.item_list) > MAX_ITEMS,
    )


def _chat(message: _Message) -> Literal["direct", "group", "unknown"]:
    if message.group_id:
        return "group"
    return "direct" if message.message_type in (0, USER, BOT) else "unknown"


def _parts(message: _Message) -> list[Part]:
    """What was sent; without a file of its own, the quoted file. Quoted words are `_quote`'s."""
    if message.delete_time_ms > 0:  # taken back by its sender: its words are not ours to run
        return [Part("other")]
    items = message.item_list[:MAX_ITEMS]
    parts = [_part(item) for item in items]
    if not any(part.media for part in parts):
        quoted = [item.ref_msg.message_item for item in items if item.ref_msg]
        found = map(_part, filter(None, quoted))
        parts += [part for part in found if part.media and not part.text]
    return parts[:MAX_ITEMS]


def _part(item: _QuotedItem) -> Part:
    kind = item.type or _kind_by_member(item)
    if kind == TEXT and item.text_item:
        return Part("text", item.text_item.text)
    if kind == IMAGE and item.image_item:
        image = item.image_item
        return Part("image", media=_media(image.media, image.aeskey), size_bytes=image.mid_size)
    if kind == VOICE and item.voice_item:
        return Part("voice", item.voice_item.text, _media(item.voice_item.media))
    if kind == FILE and item.file_item:
        file = item.file_item
        return Part("file", "", _media(file.media), file.file_name[:MAX_ID_CHARS], file.len)
    if kind == VIDEO and item.video_item:
        video = item.video_item
        return Part("video", media=_media(video.media), size_bytes=video.video_size)
    return Part("other")


def _kind_by_member(item: _QuotedItem) -> int:
    members = (item.text_item, item.image_item, item.voice_item, item.file_item, item.video_item)
    return next((kind for kind, member in enumerate(members, start=TEXT) if member), 0)


def _media(media: _Media | None, image_key: str = "") -> Media | None:
    if media is None or not (media.encrypt_query_param or media.full_url):
        return None
    return Media(media.encrypt_query_param, media.full_url, image_key or media.aes_key)


def _within_limit(parts: list[Part]) -> tuple[tuple[Part, ...], bool]:
    """The words up to MAX_TEXT_BYTES, and whether some were cut off."""
    left = MAX_TEXT_BYTES
    kept: list[Part] = []
    for part in parts:
        words = part.text.encode()
        if len(words) > left:
            cut = replace(part, text=words[:left].decode(errors="ignore"))
            return (*kept, cut), True
        left -= len(words)
        kept.append(part)
    return tuple(kept), False


def _quote(items: list[_Item]) -> Quote | None:
    ref = next((item.ref_msg for item in items if item.ref_msg), None)
    if ref is None:
        return None
    quoted, partial = ref.message_item, ref.partial_text or _Partial()
    text = _part(quoted).text if quoted else ""
    return Quote(
        server_id=ref.svr_id or (quoted.msg_id if quoted else ""),
        text=(text or ref.title)[:MAX_QUOTE_CHARS],
        partial_start=partial.start[:MAX_QUOTE_CHARS],
        partial_end=partial.end[:MAX_QUOTE_CHARS],
        partial_start_index=max(0, min(partial.startindex, MAX_TEXT_BYTES)),
        partial_end_index=max(0, min(partial.endindex, MAX_TEXT_BYTES)),
        partial_md5=partial.quotemd5,
    )


def _malformed(raw: Json, account: Account) -> Inbound:
    sender = raw.get("from_user_id") if isinstance(raw, dict) else None
    known = sender if isinstance(sender, str) and len(sender) <= MAX_ID_CHARS else ""
    bare = Inbound(msg_key=_key(raw), from_user_id=known, malformed="unreadable")
    if known and known not in account.owner_user_ids:
        return bare
    shown = redact(_canonical(_without_token(raw))).encode(errors="replace")[:MAX_MALFORMED_BYTES]
    return replace(bare, malformed=shown.decode(errors="ignore"))


def _key(raw: Json) -> str:
    """delivery-semantics 4: never the context token, never a time of ours."""
    body = raw if isinstance(raw, dict) else {}
    items = body.get("item_list")
    first = items[0] if isinstance(items, list) and items else None
    candidates = (
        ("mid:", body.get("message_id")),
        ("iid:", first.get("msg_id") if isinstance(first, dict) else None),
        ("cid:", body.get("client_id")),
    )
    for prefix, value in candidates:
        found = _known_id(value)
        if found:
            return prefix + found
    known = [body.get(name) for name in ("from_user_id", "seq", "create_time_ms", "item_list")]
    seen: Json = known if any(known) else [raw]
    return "fp:" + hashlib.sha256(_canonical(seen).encode(errors="replace")).hexdigest()


def _known_id(value: Json) -> str:
    try:
        found = _id(value)
    except ValueError:
        return ""
    return found if isinstance(found, str) and len(found) <= MAX_ID_CHARS else ""


def _canonical(value: Json) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    except (RecursionError, ValueError, TypeError):
        return "unreadable"


def _without_token(raw: Json) -> Json:
    if not isinstance(raw, dict):
        return raw
    return {name: value for name, value in raw.items() if name != "context_token"}
