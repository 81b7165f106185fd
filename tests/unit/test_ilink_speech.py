"""What iLink's answers mean: codes, cursors, times, and bodies that are none."""

from __future__ import annotations

import contextlib
import json
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bridge.wire.messages import OutboundSend, SendReply, UploadedMedia
from channel_worker.ilink import speech
from channel_worker.ilink.inbound import Account
from channel_worker.ilink.speech import Product, Unreadable, Verdict
from tests.unit.table import table

ACCOUNT = Account("b@im.bot", ("o@im.wechat",))
GOOD = {"ret": 0, "message_id": 7497484083968570001}


def send(status: int, body: Any) -> SendReply:  # Any: JSON or bytes
    return speech.read_send(status, body if isinstance(body, bytes) else json.dumps(body).encode())


def poll(status: int, body: Any, **headers: str) -> speech.PollReply:  # Any: JSON or bytes
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return speech.read_poll(status, headers, content, ACCOUNT)


@table(
    ("status", "body", "outcome"),
    [
        (200, GOOD, "sent"),
        (200, {"message_id": "5"}, "sent"),
        (200, {"ret": 0}, "unconfirmed"),
        (200, {"ret": 0, "message_id": 0}, "unconfirmed"),
        (200, b"", "unconfirmed"),
        (200, {"ret": -2, "errmsg": "prepare failed"}, "throttled"),
        (200, {"ret": "-2"}, "throttled"),
        (200, {"ret": 0, "errcode": -14}, "expired"),
        (200, {"ret": -14}, "expired"),
        (200, {"ret": 3, "errmsg": "Invalid arguments"}, "refused"),
        (200, {"ret": -4}, "refused"),
        (200, {"ret": -77}, "unknown_code"),
        (200, {"ret": True}, "unknown_code"),
        (200, {"ret": []}, "unknown_code"),
        (200, b"<html>", "unknown"),
        (200, b"[1]", "unknown"),
        (200, b'{"ret":0,"mess', "unknown"),
        (401, {}, "expired"),
        (403, {}, "expired"),
        (404, {}, "refused"),
        (429, {}, "throttled"),
        (302, b"", "unknown"),
        (500, {}, "unknown"),
        (524, b"<html>", "unknown"),
    ],
)
def test_outcome_table(status: int, body: Any, outcome: str) -> None:  # Any: JSON or bytes
    """delivery-semantics 5; F33, F34, F36, F37, F40."""
    assert send(status, body).outcome == outcome


def test_server_id_keeps_all_its_digits_and_the_code_is_raw() -> None:
    """ilink-protocol 1.5."""
    assert send(200, GOOD).server_id == "7497484083968570001"
    assert send(200, {"ret": -77}).code == "-77"
    assert send(200, {"ret": "-77 "}).code == "-77"


@table("value", ["CANARY-secret", "1" * 11, [], {"a": 1}, True, 1.5, math.nan])
def test_code_that_is_no_number_is_not_shown(value: object) -> None:
    """R18: the code is shown raw at the desk and on the phone, and text may hold anything."""
    found = send(200, {"ret": value})
    assert (found.outcome, found.code) == ("unknown_code", "no number")
    assert poll(200, {"errcode": value}).code == "no number"


@table(
    ("status", "body", "verdict"),
    [
        (200, {"ret": 0, "msgs": []}, Verdict.GOOD),
        (200, {}, Verdict.GOOD),
        (200, {"errcode": -14, "errmsg": "session timeout"}, Verdict.EXPIRED),
        (200, {"ret": -2}, Verdict.FAILED),
        (200, {"ret": 9}, Verdict.ODD_CODE),
        (200, {"msgs": {"a": 1}}, Verdict.UNREADABLE),
        (200, b"{", Verdict.UNREADABLE),
        (401, b"", Verdict.EXPIRED),
        (429, b"", Verdict.FAILED),
        (502, b"<html>", Verdict.FAILED),
        (524, b"<html>", Verdict.QUIET),
    ],
)
def test_poll_verdicts(status: int, body: Any, verdict: Verdict) -> None:  # Any: JSON or bytes
    """ilink-protocol 5; F37, F40, F80."""
    assert poll(status, body).verdict is verdict


@table("cursor", [None, "", 5, ["x"], True, "x" * 1_000_000])
def test_odd_cursor_counts_as_none(cursor: object) -> None:
    """F28: the old one is kept."""
    assert poll(200, {"get_updates_buf": cursor}).next_cursor == ""


@table(
    ("given_ms", "hold_s"),
    [(35000, 35.0), (1, 5.0), (10**15, 60.0), (0, 0.0), (-5, 0.0), ("35000", 0.0), (True, 0.0)],
)
def test_suggested_hold_is_clamped(given_ms: object, hold_s: float) -> None:
    """F38; design 8: 5 to 60 s."""
    assert poll(200, {"longpolling_timeout_ms": given_ms}).hold_s == hold_s


def test_http_date_and_retry_after_are_read() -> None:
    """delivery-semantics 12."""
    reply = poll(200, {}, date="Sun, 22 Nov 2026 16:00:00 GMT")
    assert reply.server_now_ms == 1795363200000
    assert poll(200, {}, date="nonsense").server_now_ms == 0
    assert poll(429, b"", **{"retry-after": "17"}).retry_after_s == 17
    assert poll(429, b"", **{"retry-after": "soon"}).retry_after_s == 0


def test_hostile_numbers_and_depth_spoil_only_what_holds_them() -> None:
    """F80: 5,000 digits, NaN, deep nesting; R10."""
    deep = '{"a":' * 50_000 + "1" + "}" * 50_000
    bad_id = '{"from_user_id":"o@im.wechat","message_id":' + "9" * 5000 + "}"
    bad_items = '{"from_user_id":"o@im.wechat","message_id":8,"item_list":' + deep + "}"
    good = '{"from_user_id":"o@im.wechat","message_id":7,"item_list":[]}'
    body = f'{{"msgs":[{bad_id},{bad_items},{good},{{"x":NaN}}],"get_updates_buf":"c2"}}'
    reply = poll(200, body.encode())
    assert [bool(message.malformed) for message in reply.messages] == [True, True, False, True]
    assert reply.next_cursor == "c2"


def test_lone_surrogates_and_nul_are_cleaned() -> None:
    """R10, F82."""
    found = speech.read_object(b'{"a":"x\\ud800y\\u0000z\\ud83d\\ude00"}')
    assert found == {"a": "x\ufffdyz\U0001f600"}


def test_invalid_utf8_does_not_stop_a_reply() -> None:
    """R10."""
    assert speech.read_object(b'{"a":"\xff"}') == {"a": "\ufffd"}


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """F80: an object or Unreadable, nothing else."""
    with contextlib.suppress(Unreadable):
        assert isinstance(speech.read_object(body), dict)


def test_flattened_depth_is_replaced_by_a_number_nobody_accepts() -> None:
    """Ours: the fallback for what Python cannot nest."""
    found = speech.read_object(b'{"b":2,"a":' + b"[" * 3000 + b"]" * 3000 + b',"c":"]"}')
    assert (found["b"], found["c"]) == (2, "]")
    inner: Any = found["a"]  # Any: JSON
    while isinstance(inner, list):
        inner = inner[0]
    assert math.isnan(inner)


def test_message_body_is_exactly_one_item() -> None:
    """ilink-protocol 6.4 and 11."""
    order = OutboundSend("a", "o@im.wechat", "ctb:1", "tok", "12 passed")
    assert speech.send_body(order) == {
        "msg": {
            "from_user_id": "",
            "to_user_id": "o@im.wechat",
            "client_id": "ctb:1",
            "message_type": 2,
            "message_state": 2,
            "item_list": [{"type": 1, "text_item": {"text": "12 passed"}}],
            "context_token": "tok",
        }
    }


def test_answer_to_a_group_names_the_group() -> None:
    """ilink-protocol 6.6: `group_id` is declared; the core and the port carry it."""
    order = OutboundSend("a", "g1", "ctb:1", "tok", "12 passed", group_id="g1")
    sent = speech.send_body(order)["msg"]
    assert isinstance(sent, dict)
    assert (sent["to_user_id"], sent["group_id"]) == ("g1", "g1")


def test_media_items_use_the_key_form_of_phones() -> None:
    """ilink-protocol 7.2, 7.3: base64 of the hex digits; sizes per kind."""
    key = "00112233445566778899aabbccddeeff"
    reference = {
        "encrypt_query_param": "Dl",
        "aes_key": "MDAxMTIyMzM0NDU1NjY3Nzg4OTlhYWJiY2NkZGVlZmY=",
        "encrypt_type": 1,
    }

    def item(kind: Any) -> dict[str, Any]:  # Any: one of the words; JSON
        return speech.media_item(UploadedMedia(kind, "Dl", key, 5003, 5008, "report.pdf"))

    assert item("image") == {"type": 2, "image_item": {"media": reference, "mid_size": 5008}}
    assert item("video") == {"type": 5, "video_item": {"media": reference, "video_size": 5008}}
    file = {"media": reference, "file_name": "report.pdf", "len": "5003"}
    assert item("file") == {"type": 4, "file_item": file}


def test_client_version_number_is_the_official_one() -> None:
    """ilink-protocol 1.2: 2.4.9 is 132105."""
    assert Product("2.4.9", "x/1").version_number() == 132105
