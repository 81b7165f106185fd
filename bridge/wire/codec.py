"""Turns bytes into JSON-RPC messages and back, and says whose fault a bad frame is.

One JSON object per line, UTF-8, JSON-RPC 2.0. Nothing here reads a socket or a
clock: bytes go in, messages come out. `Decoder.feed` may be given the stream
chopped at any byte. A `Fault` is always the sender's: after one that is
`fatal` the stream cannot be trusted any more and the connection must end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

MAX_FRAME_BYTES = 4 * 1024 * 1024  # threat-model R9; media travels by path
MAX_DEPTH = 32  # threat-model R9
MAX_ID = 2**53  # ids stay exact in any JSON reader
MIN_INT, MAX_INT = -(2**63), 2**63 - 1  # what the store holds (delivery-semantics 3)

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
PROTOCOL_MISMATCH = -32001
WRONG_ROLE = -32003
FENCED = -32004  # to channel.hello: another worker has taken over this account
NOT_ALLOWED = -32005  # to a facade: this agent lacks the scope
SAFE_MODE = -32006  # the state cannot be trusted: nothing is changed before a person has looked

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


@dataclass(frozen=True, slots=True)
class Request:
    """A call that wants an answer."""

    id: int
    method: str
    params: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Notification:
    """A call that wants none."""

    method: str
    params: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Result:
    """The answer to the request with this id."""

    id: int
    value: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Failure:
    """The refusal of the request with this id; None when the id was unreadable."""

    id: int | None
    code: int
    message: str


@dataclass(frozen=True, slots=True)
class Fault:
    """A frame that is no message: what the sender did wrong."""

    code: int
    message: str
    fatal: bool


Message: TypeAlias = Request | Notification | Result | Failure


class FrameTooLong(ValueError):
    """We were about to send more than a frame may hold; the caller must slice."""


def encode(message: Message) -> bytes:
    """One line, newline included. Raises FrameTooLong before anything is sent."""
    body: dict[str, object] = {"jsonrpc": "2.0"}
    match message:
        case Request(id, method, params):
            body |= {"id": id, "method": method, "params": params}
        case Notification(method, params):
            body |= {"method": method, "params": params}
        case Result(id, value):
            body |= {"id": id, "result": value}
        case Failure(failed, code, text):
            body |= {"id": failed, "error": {"code": code, "message": text}}
    frame = _to_json(body).encode("utf-8", errors="replace") + b"\n"
    if len(frame) > MAX_FRAME_BYTES:
        raise FrameTooLong(f"frame of {len(frame)} bytes, limit {MAX_FRAME_BYTES}")
    return frame


class Decoder:
    """Collects bytes until a line is whole; keeps at most one frame in memory."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._scanned = 0
        self._broken = False

    def feed(self, data: bytes) -> list[Message | Fault]:
        """Every message that `data` completes, in order; nothing after a fatal fault."""
        found: list[Message | Fault] = []
        self._held += data
        while not self._broken:
            end = self._held.find(b"\n", self._scanned)
            length = end + 1 if end >= 0 else len(self._held)
            if length > MAX_FRAME_BYTES:
                found.append(self._break("frame longer than 4 MiB"))
            elif end < 0:
                self._scanned = len(self._held)
                break
            else:
                line = bytes(self._held[:end])
                del self._held[:length]
                self._scanned = 0
                if line.strip():
                    item = _read(line)
                    self._broken = isinstance(item, Fault) and item.fatal
                    found.append(item)
        if self._broken:
            self._held.clear()
        return found

    def _break(self, why: str) -> Fault:
        self._broken = True
        return Fault(INVALID_REQUEST, why, fatal=True)


_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")  # the escape of half a character


class _Refused(ValueError):
    pass


def _read(line: bytes) -> Message | Fault:
    try:
        body = _from_json(line.decode("utf-8"))
        _check_depth(body)
        return _message(_whole_text(body) if _SURROGATE.search(line) else body)
    except _Refused as refused:
        return Fault(INVALID_REQUEST, str(refused), fatal=True)
    except (ValueError, RecursionError):
        return Fault(PARSE_ERROR, "not one JSON object", fatal=True)


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Refused("a member stands twice in one object")
    return found


def _no_constant(name: str) -> Json:
    raise _Refused(f"{name} is not JSON")


def _bounded_int(digits: str) -> int:
    if len(digits) > 20 or not MIN_INT <= int(digits) <= MAX_INT:
        raise _Refused("a number with more digits than 64 bits hold")
    return int(digits)


def _finite(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise _Refused("a number without bound")
    return value


def _check_depth(body: Json) -> None:
    level: list[Json] = [body]
    for _ in range(MAX_DEPTH):
        below: list[Json] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        if not below:
            return
        level = below
    raise _Refused(f"nested deeper than {MAX_DEPTH}")


def _whole_text(body: Json) -> Json:
    """The same with `?` for each lone surrogate: no database and no socket takes one."""
    match body:
        case str():
            return body.encode("utf-8", "replace").decode("utf-8")
        case list():
            return [_whole_text(item) for item in body]
        case dict():
            return {str(_whole_text(name)): _whole_text(item) for name, item in body.items()}
    return body


def _message(body: Json) -> Message:
    if not isinstance(body, dict) or body.get("jsonrpc") != "2.0":
        raise _Refused("not a JSON-RPC 2.0 object")
    if "method" in body:
        method = body["method"]
        params = body.get("params", {})
        if not isinstance(method, str) or not isinstance(params, dict):
            raise _Refused("method must be text and params an object")
        if "id" in body:
            return Request(_id(body["id"]), method, params)
        return Notification(method, params)
    if "result" in body:
        value = body["result"]
        if not isinstance(value, dict):
            raise _Refused("a result must be an object")
        return Result(_id(body.get("id")), value)
    return _failure(body)


def _failure(body: dict[str, Json]) -> Failure:
    error = body.get("error")
    if not isinstance(error, dict):
        raise _Refused("neither method, result nor error")
    code, text = error.get("code"), error.get("message")
    if type(code) is not int or not isinstance(text, str):
        raise _Refused("an error needs a number and a message")
    failed = body.get("id")
    return Failure(None if failed is None else _id(failed), code, text)


def _id(value: Json) -> int:
    if type(value) is not int or not 0 <= value <= MAX_ID:
        raise _Refused("an id must be a whole number from 0 to 2**53")
    return value


# Made once: `json.dumps` and `json.loads` would build them anew for every line.
_to_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_from_json = json.JSONDecoder(
    object_pairs_hook=_unique,
    parse_constant=_no_constant,
    parse_int=_bounded_int,
    parse_float=_finite,
).decode
