"""What the end of a rollout says: the head, how a turn ended, whether a key got in.

A rollout is Codex's journal of a thread, one JSON object per line, appended while a
turn runs (Codex 0.169.0, observed 2026-11). Nothing here writes, locks or asks Codex;
a line that is torn or is not JSON is skipped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from bridge.codex.model import NO_TURNS, Obj, TurnId

BLOCK_BYTES = 64 * 1024  # one read; most tails need a single one
MAX_LINE_BYTES = 32 * 1024 * 1024  # longest seen 0.3 MB; images travel inline
REACH_BYTES = 64 * 1024 * 1024  # how far back one turn is looked for; 0.3 s

_STATES = {"task_started": "open", "task_complete": "completed", "turn_aborted": "aborted"}
_MARKS = tuple(f'"{word}"'.encode() for word in _STATES)


@dataclass(frozen=True, slots=True)
class Boundary:
    """The begin or end of a turn, as one line of the file says it."""

    turn: TurnId
    state: str  # open, completed, failed or aborted
    offset: int  # of the line's first byte
    text: str | None  # the final answer, at an end
    error: Obj | None  # of a failed turn


def head(path: Path) -> str:
    """`<turn id>:<state>` of the last turn; `none`; or `base:...` of a fresh fork.

    A file that does not exist yet is a thread without turns.
    """
    try:
        last = last_boundary(path)
    except FileNotFoundError:
        return NO_TURNS
    if last is not None:
        return f"{last.turn}:{last.state}"
    base = meta(path).get("history_base")
    if isinstance(base, dict):
        return f"base:{base.get('thread_id')}:{base.get('end_ordinal_exclusive')}"
    return NO_TURNS


def last_boundary(path: Path, end: int | None = None) -> Boundary | None:
    """The last begin or end of a turn before byte `end`."""
    return next(boundaries(path, end), None)


def boundaries(path: Path, end: int | None = None) -> Iterator[Boundary]:
    """Begins and ends of turns, newest first, before byte `end`."""
    for offset, line in lines_backwards(path, end):
        if any(mark in line for mark in _MARKS):
            found = _boundary(offset, line)
            if found is not None:
                yield found


def begin_of(path: Path, turn: str) -> Boundary | None:
    """Where `turn` begins, if it lies within reach of the end of the file."""
    return next((each for each in _of_turn(path, turn) if each.state == "open"), None)


def end_of(path: Path, turn: str) -> Boundary | None:
    """The end of `turn`, or its begin when it has no end; None when it is not there."""
    return next(_of_turn(path, turn), None)


def turn_of_key(path: Path, key: str, head_before: str) -> TurnId | None:
    """The turn whose user message carries `key`, looked for after `head_before`."""
    needle = json.dumps(key).encode()
    turn_before = head_before.partition(":")[0]
    size = path.stat().st_size if path.exists() else 0
    found = False
    for offset, line in lines_backwards(path) if size else ():
        if not found and needle in line:
            record = parsed(line)
            found, turn = _has_key(record, key)
            if turn is not None:
                return turn
        if any(mark in line for mark in _MARKS):
            boundary = _boundary(offset, line)
            if boundary is not None and boundary.turn == turn_before and not found:
                return None
            if boundary is not None and boundary.state == "open" and found:
                return boundary.turn  # a legacy message names no turn: it is this one
        if size - offset > REACH_BYTES:
            return None
    return None


def meta(path: Path) -> Obj:
    """The payload of the first line; empty when it is torn."""
    with path.open("rb") as source:
        record = parsed(source.readline(MAX_LINE_BYTES))
    return payload(record) if record.get("type") == "session_meta" else {}


def lines_backwards(
    path: Path, end: int | None = None, block_bytes: int = BLOCK_BYTES
) -> Iterator[tuple[int, bytes]]:
    """Offset and bytes of each complete line, last first, in bounded memory.

    A last line without its newline is given too: it may be whole already.
    """
    with path.open("rb") as source:
        size = source.seek(0, os.SEEK_END)
        yield from _backwards(source, size if end is None else min(end, size), block_bytes)


def parsed(line: bytes) -> Obj:
    """The record of a line; empty for what is no JSON object."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def payload(record: Obj) -> Obj:
    found = record.get("payload")
    return found if isinstance(found, dict) else {}


def _backwards(source: BinaryIO, end: int, block_bytes: int) -> Iterator[tuple[int, bytes]]:
    rest = b""
    start = end
    block = block_bytes
    while start > 0:
        size = min(block, start)
        start -= size
        source.seek(start)
        pieces = (source.read(size) + rest).split(b"\n")
        offset = start + len(pieces[0]) + 1
        whole: list[tuple[int, bytes]] = []
        for piece in pieces[1:]:
            if piece:
                whole.append((offset, piece))
            offset += len(piece) + 1
        yield from reversed(whole)
        # Larger reads inside a long line, so that it is not copied once per block.
        block = block_bytes if len(pieces) > 1 else min(2 * block, MAX_LINE_BYTES)
        # A line past the limit is given in cut pieces, which no parser takes.
        rest = pieces[0] if len(pieces[0]) <= MAX_LINE_BYTES else b""
    if rest:
        yield 0, rest


def _of_turn(path: Path, turn: str) -> Iterator[Boundary]:
    size = path.stat().st_size
    for found in boundaries(path):
        if found.turn == turn:
            yield found
        if size - found.offset > REACH_BYTES:
            return


def _boundary(offset: int, line: bytes) -> Boundary | None:
    record = parsed(line)
    body = payload(record)
    state = _STATES.get(str(body.get("type")))
    turn = body.get("turn_id")
    if record.get("type") != "event_msg" or state is None or not isinstance(turn, str):
        return None
    error = body.get("error")
    if state == "completed" and isinstance(error, dict):
        return Boundary(TurnId(turn), "failed", offset, None, error)
    text = body.get("last_agent_message")
    return Boundary(TurnId(turn), state, offset, text if isinstance(text, str) else None, None)


def _has_key(record: Obj, key: str) -> tuple[bool, TurnId | None]:
    """Whether this record is the user message with `key`, and the turn it names."""
    body = payload(record)
    if body.get("type") == "user_message":
        return body.get("client_id") == key, None
    item = body.get("item")
    if body.get("type") != "item_completed" or not isinstance(item, dict):
        return False, None
    turn = body.get("turn_id")
    if item.get("client_id") != key or not isinstance(turn, str):
        return False, None
    return True, TurnId(turn)
