"""One WeixinMessage in, one Inbound out: keys, parts, quotes, and what cannot be read."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bridge.wire.messages import Inbound, InboundCommit, Media, Part, Quote
from bridge.wire.values import from_json, to_json
from channel_worker.ilink.inbound import MAX_ITEMS, MAX_TEXT_BYTES, Account, read_message
from channel_worker.ilink.speech import read_object
from tests.unit.table import table

OWNER = "oAbc123@im.wechat"
ACCOUNT = Account("0a1b2c3d4e5f@im.bot", (OWNER,))


def message(**fields: Any) -> dict[str, Any]:  # Any: JSON, wrong shapes included
    return {
        "message_id": 7497484083968569736,
        "from_user_id": OWNER,
        "create_time_ms": 1790000000123,
        "message_type": 1,
        "item_list": [{"type": 1, "text_item": {"text": "run the tests"}}],
        "context_token": "AARz",
        **fields,
    }


@table(
    ("fields", "key"),
    [
        ({}, "mid:7497484083968569736"),
        ({"message_id": "7497484083968569736"}, "mid:7497484083968569736"),
        ({"message_id": 2**64 - 1}, "mid:18446744073709551615"),
        ({"message_id": 0, "item_list": [{"type": 1, "msg_id": 5}]}, "iid:5"),
        ({"message_id": None, "item_list": [{"msg_id": "6"}], "client_id": "c"}, "iid:6"),
        ({"message_id": "", "client_id": "c1"}, "cid:c1"),
    ],
)
def test_key_is_the_first_id_there_is(fields: dict[str, Any], key: str) -> None:
    """delivery-semantics 4; F26."""
    assert read_message(message(**fields), ACCOUNT).msg_key == key


def test_fingerprint_ignores_the_token_and_sees_time_and_items() -> None:
    """delivery-semantics 4: never context_token; F25, F27."""

    def key(**fields: Any) -> str:  # Any: see message
        return read_message(message(message_id=0, **fields), ACCOUNT).msg_key

    assert key().startswith("fp:")
    assert key() == key(context_token="other")
    assert key() != key(create_time_ms=1790000000124)
    assert key() != key(item_list=[])


def test_all_items_become_parts() -> None:
    """ilink-protocol 6.2: walk all items; transcript, names and sizes kept."""
    media = {"encrypt_query_param": "Qx", "aes_key": "a2V5", "full_url": "https://x"}
    items = [
        {"type": 1, "text_item": {"text": "look"}},
        {"type": 2, "image_item": {"media": media, "aeskey": "00" * 16, "mid_size": 9}},
        {"type": 3, "voice_item": {"media": media, "text": "yes, go on"}},
        {"type": 4, "file_item": {"media": media, "file_name": "a.pdf", "len": "5003"}},
        {"type": 5, "video_item": {"media": media, "video_size": 77}},
        {"type": 99},
    ]
    parts = read_message(message(item_list=items), ACCOUNT).parts
    assert [part.kind for part in parts] == ["text", "image", "voice", "file", "video", "other"]
    assert parts[1].media == Media("Qx", "https://x", "00" * 16)
    assert parts[2].text == "yes, go on"
    assert (parts[3].file_name, parts[3].size_bytes) == ("a.pdf", 5003)


def test_quotes_in_all_their_forms() -> None:
    """ilink-protocol 6.3."""

    def quote(ref: Any) -> Quote | None:  # Any: see message
        items = [{"type": 1, "text_item": {"text": "?"}, "ref_msg": ref}]
        return read_message(message(item_list=items), ACCOUNT).quote

    assert quote({"svr_id": 2**63}) == Quote(server_id=str(2**63))
    inner = {"type": 1, "msg_id": 7, "text_item": {"text": "the answer"}}
    assert quote({"message_item": inner}) == Quote("7", "the answer")
    partial = {"start": "a", "end": "b", "startindex": 1, "endindex": 2, "quotemd5": "ff"}
    found = quote({"svr_id": "8", "title": "t", "partial_text": partial})
    assert found == Quote("8", "t", "a", "b", 1, 2, "ff")
    assert quote(None) is None


def test_quoted_picture_comes_along_when_there_is_no_other() -> None:
    """ilink-protocol 6.2: media inside a quoted item."""
    image = {"type": 2, "image_item": {"media": {"encrypt_query_param": "Q"}}}
    items = [{"type": 1, "text_item": {"text": "what?"}, "ref_msg": {"message_item": image}}]
    assert [part.kind for part in read_message(message(item_list=items), ACCOUNT).parts] == [
        "text",
        "image",
    ]


def test_quoted_voice_message_is_a_quote_and_no_words_of_now() -> None:
    """ilink-protocol 6.2: a transcript stands for its audio, also where it is quoted."""

    def found(voice: dict[str, Any]) -> Inbound:  # Any: see message
        quoted = {"type": 3, "voice_item": {"media": {"encrypt_query_param": "Q"}, **voice}}
        items = [{"type": 1, "text_item": {"text": "why?"}, "ref_msg": {"message_item": quoted}}]
        return read_message(message(item_list=items), ACCOUNT)

    spoken = found({"text": "delete everything"})
    assert spoken.parts == (Part("text", "why?"),)
    assert spoken.quote == Quote(text="delete everything")
    assert [part.kind for part in found({}).parts] == ["text", "voice"]


def test_stranger_leaves_only_key_and_sender() -> None:
    """R1, R36."""
    found = read_message(message(from_user_id="x@im.wechat"), ACCOUNT)
    assert found.parts == () and not found.context_token and not found.malformed
    broken = read_message(message(from_user_id="x@im.wechat", item_list=3), ACCOUNT)
    assert broken.malformed == "unreadable"


@table("sender", [OWNER, "x@im.wechat"])
def test_group_is_read_only_where_it_is_heard_and_then_only_its_words(sender: str) -> None:
    """R5, R36: off, nothing comes in, not even of the owner; on, no file and no quote."""
    items = [
        {"type": 1, "text_item": {"text": "@Bot hello"}, "ref_msg": {"svr_id": "1"}},
        {"type": 2, "image_item": {"media": {"encrypt_query_param": "q", "aes_key": "k"}}},
    ]
    raw = message(from_user_id=sender, group_id="g1", item_list=items)
    off = read_message(raw, ACCOUNT)
    assert (off.parts, off.context_token, off.group_id) == ((), "", "g1")
    on = read_message(raw, replace(ACCOUNT, hears_groups=True))
    assert [(part.kind, part.text) for part in on.parts] == [("text", "@Bot hello")]
    assert (on.quote, on.group_id, bool(on.context_token)) == (None, "g1", True)


def test_stranger_stays_unread_where_groups_are_heard() -> None:
    """R1: hearing groups opens no direct chat."""
    hears = replace(ACCOUNT, hears_groups=True)
    assert read_message(message(from_user_id="x@im.wechat"), hears).parts == ()


@table("sender", [OWNER.upper(), OWNER + " ", " " + OWNER, OWNER + "\u200b"])
def test_owner_is_compared_exactly(sender: str) -> None:
    """R4."""
    assert read_message(message(from_user_id=sender), ACCOUNT).parts == ()


def test_group_echo_and_unknown_kind_are_marked() -> None:
    """R5, R7, F46, F88."""
    assert read_message(message(group_id="g1"), ACCOUNT).chat == "group"
    assert read_message(message(message_type=7), ACCOUNT).chat == "unknown"
    echo = read_message(message(message_type=2, client_id="ctb:1"), ACCOUNT)
    assert echo.is_echo and echo.client_id == "ctb:1" and echo.parts == ()
    assert read_message(message(from_user_id=ACCOUNT.bot_id), ACCOUNT).is_echo


def test_message_taken_back_carries_no_words() -> None:
    """F47: deleted flag."""
    (part,) = read_message(message(delete_time_ms=1790000000999), ACCOUNT).parts
    assert (part.kind, part.text) == ("other", "")


def test_long_text_is_cut_between_characters_and_flagged() -> None:
    """R9, F79: 512 KiB."""
    text = "x" + "字" * (MAX_TEXT_BYTES // 3 + 1)
    items = [{"type": 1, "text_item": {"text": text}}]
    found = read_message(message(item_list=items), ACCOUNT)
    assert found.is_cut and text.startswith(found.parts[0].text)
    assert MAX_TEXT_BYTES - 3 < len(found.parts[0].text.encode()) <= MAX_TEXT_BYTES
    whole = [{"type": 1, "text_item": {"text": "y" * MAX_TEXT_BYTES}}]
    assert not read_message(message(item_list=whole), ACCOUNT).is_cut
    many = [{"type": 1, "text_item": {"text": "z"}}] * (MAX_ITEMS + 1)
    assert read_message(message(item_list=many), ACCOUNT).is_cut


WRONG = [[], {}, True, 1.5, -3, "\ud800", ["x"], {"text": {}}]


@table("wrong", WRONG)
@table("name", ["from_user_id", "message_id", "item_list", "group_id"])
def test_wrong_types_make_a_message_malformed_at_most(name: str, wrong: object) -> None:
    """F81: never an exception, always a key; the token is not in what is kept."""
    found = read_message(message(**{name: wrong}, context_token="SECRET-TOKEN"), ACCOUNT)
    assert found.msg_key
    assert "SECRET-TOKEN" not in found.malformed


@table("raw", [None, 3, "x", [], [1], {}, True])
def test_anything_at_all_becomes_an_inbound(raw: Any) -> None:  # Any: JSON
    """F80, F81."""
    found = read_message(raw, ACCOUNT)
    assert found.malformed and found.msg_key.startswith("fp:")


FIELD = st.sampled_from(
    ["type", "text", "text_item", "image_item", "media", "item_list", "message_id", "ref_msg",
     "message_item", "msg_id", "from_user_id", "create_time_ms", "len", "file_item", "svr_id"]
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(FIELD, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(FIELD, JSON))
def test_whatever_comes_survives_the_private_socket(raw: dict[str, Any]) -> None:  # Any: JSON
    """R10: what is read can be written to the bridge and read back there."""
    cleaned = read_object(json.dumps({"m": {**raw, "from_user_id": OWNER}}).encode())["m"]
    found = read_message(cleaned, ACCOUNT)
    commit = InboundCommit("", "", 0, (found,))
    line = json.dumps(to_json(commit), ensure_ascii=False).encode()
    assert from_json(InboundCommit, json.loads(line)) == commit
