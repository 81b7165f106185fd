"""Bytes to JSON-RPC messages: any chopping, every limit, and whose fault a bad frame is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.wire.codec import (
    MAX_DEPTH,
    MAX_FRAME_BYTES,
    MAX_ID,
    Decoder,
    Failure,
    Fault,
    FrameTooLong,
    Message,
    Notification,
    Request,
    Result,
    encode,
)
from tests.unit.table import table

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES: st.SearchStrategy[Any] = st.recursive(  # Any: JSON
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(TEXTS, VALUES, max_size=3)
IDS = st.integers(0, MAX_ID)
MESSAGES: st.SearchStrategy[Message] = (
    st.builds(Request, IDS, TEXTS, OBJECTS)
    | st.builds(Notification, TEXTS, OBJECTS)
    | st.builds(Result, IDS, OBJECTS)
    | st.builds(Failure, st.none() | IDS, st.integers(-40000, 40000), TEXTS)
)


def read(line: bytes) -> Message | Fault:
    (found,) = Decoder().feed(line + b"\n")
    return found


def why(line: bytes) -> str:
    found = read(line)
    assert isinstance(found, Fault) and found.fatal
    return found.message


@given(st.lists(MESSAGES, max_size=4), st.data())
def test_stream_chopped_anywhere_gives_the_messages_that_went_in(
    sent: list[Message], data: st.DataObject
) -> None:
    """h11's habit: whole, then in any pieces."""
    stream = b"".join(encode(message) for message in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    decoder = Decoder()
    found: list[Message | Fault] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += decoder.feed(stream[start:end])
    assert found == sent


@given(st.binary(max_size=200))
def test_any_bytes_give_messages_or_one_fatal_fault(stream: bytes) -> None:
    """R10: the reader never raises, and nothing follows a fatal fault."""
    found = Decoder().feed(stream + b"\n")
    faults = [item for item in found if isinstance(item, Fault)]
    assert len(faults) <= 1 and found[len(found) - len(faults) :] == faults


def sized(length: int) -> Notification:
    empty = len(encode(Notification("m", {"t": ""})))
    return Notification("m", {"t": "x" * (length - empty)})


@table("length", [MAX_FRAME_BYTES - 1, MAX_FRAME_BYTES])
def test_frame_up_to_the_limit_passes_both_ways(length: int) -> None:
    """R9: 4 MiB on the socket, the newline included."""
    message = sized(length)
    frame = encode(message)
    assert len(frame) == length
    assert Decoder().feed(frame) == [message]


def test_frame_over_the_limit_is_not_sent() -> None:
    """delivery-semantics 4: the caller slices before anything leaves."""
    with pytest.raises(FrameTooLong):
        encode(sized(MAX_FRAME_BYTES + 1))


def test_endless_line_is_refused_before_it_ends() -> None:
    """F79: the limit is checked while reading; memory stays bounded."""
    decoder = Decoder()
    assert decoder.feed(b"x" * MAX_FRAME_BYTES) == []
    (fault,) = decoder.feed(b"x")
    assert isinstance(fault, Fault) and fault.fatal
    assert decoder.feed(encode(Notification("later", {}))) == []


def nested(depth: int) -> bytes:
    lists = depth - 2  # the frame and its params are two levels
    value = b"[" * lists + b"]" * lists
    return b'{"jsonrpc":"2.0","method":"m","params":{"v":' + value + b"}}"


@table("depth", [MAX_DEPTH - 1, MAX_DEPTH])
def test_nesting_up_to_the_limit_passes(depth: int) -> None:
    """R9: JSON depth 32."""
    assert isinstance(read(nested(depth)), Notification)


@table("depth", [MAX_DEPTH + 1, 200, 100_000])
def test_deeper_nesting_is_refused(depth: int) -> None:
    """R10, F80: the recursion of the JSON reader is caught too."""
    why(nested(depth))


@table(
    ("body", "fault"),
    [
        (b'{"jsonrpc":"2.0","method":"a","method":"b"}', "twice"),
        (b'{"jsonrpc":"2.0","method":"a","params":{"x":NaN}}', "NaN"),
        (b'{"jsonrpc":"2.0","method":"a","params":{"x":-Infinity}}', "Infinity"),
        (b'{"jsonrpc":"2.0","method":"a","params":{"x":1e999}}', "bound"),
        (b'{"jsonrpc":"2.0","method":"a","params":{"x":' + b"9" * 5000 + b"}}", "digits"),
        (b'{"jsonrpc":"2.0","method":"a","params":[]}', "params"),
        (b'{"jsonrpc":"2.0","method":7}', "method"),
        (b'{"jsonrpc":"1.0","method":"a"}', "2.0"),
        (b"[]", "2.0"),
        (b'{"jsonrpc":"2.0","id":true,"method":"a"}', "id"),
        (b'{"jsonrpc":"2.0","id":-1,"method":"a"}', "id"),
        (b'{"jsonrpc":"2.0","id":"1","method":"a"}', "id"),
        (b'{"jsonrpc":"2.0","id":1.0,"method":"a"}', "id"),
        (b'{"jsonrpc":"2.0","id":9007199254740993,"method":"a"}', "id"),
        (b'{"jsonrpc":"2.0","id":1,"result":7}', "result"),
        (b'{"jsonrpc":"2.0","id":1}', "neither"),
        (b'{"jsonrpc":"2.0","id":1,"error":{"code":true,"message":""}}', "number"),
        (b"\xff\xfe", "JSON"),
        (b"hello", "JSON"),
    ],
)
def test_frame_that_is_no_message_is_the_senders_fault(body: bytes, fault: str) -> None:
    """R10, F80: strict reading, each refusal with its reason."""
    assert fault in why(body)


def test_uint64_beyond_what_the_store_holds_is_refused() -> None:
    """delivery-semantics 3: a value above 2^63-1 would raise in SQLite."""
    assert isinstance(
        read(b'{"jsonrpc":"2.0","method":"a","params":{"x":9223372036854775807}}'), Notification
    )
    why(b'{"jsonrpc":"2.0","method":"a","params":{"x":9223372036854775808}}')


@table("blank", [b"", b"  ", b"\r"])
def test_blank_line_is_passed_over(blank: bytes) -> None:
    """Ours: a keep-alive newline is no fault."""
    assert Decoder().feed(blank + b"\n" + encode(Result(1, {}))) == [Result(1, {})]


def test_lone_surrogate_leaves_as_a_question_mark_and_comes_in_cleaned() -> None:
    """delivery-semantics 3: no lone surrogate may reach the store."""
    frame = encode(Notification("m", {"t": "a\ud800b"}))
    assert json.loads(frame)["params"] == {"t": "a?b"}
    found = read(b'{"jsonrpc":"2.0","method":"m","params":{"t":"a\\ud800b"}}')
    assert isinstance(found, Notification) and str(found.params["t"]).encode()


def test_unknown_members_are_ignored() -> None:
    """style: read leniently, write strictly."""
    found = read(b'{"jsonrpc":"2.0","id":3,"method":"m","params":{},"new":{"x":1}}')
    assert found == Request(3, "m", {})
