"""What happened in a thread, from its rollout, by byte offset and in words.

A position is `<segment>:<offset>`: the last id in a file's name, and a byte in it.
Reverts and forks begin a new file that names how far the old one counts; both are
followed. Memory is bounded whatever the size of the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.codex import locate, rollout
from bridge.codex.model import Code, Item, Obj, Page, Refused

MAX_SCAN_BYTES = 8 * 1024 * 1024  # of a journal in one call; then `more`
MAX_LIMIT_BYTES = 1024 * 1024  # of text in one call
MAX_ITEM_CHARS = 20_000  # of one text; the whole is at the desk
MAX_SEGMENTS = 64  # forks of forks; more is a loop
OUTPUT_CHARS = 200  # the end of what a command printed: test lines


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Bytes of one file that belong to the thread."""

    path: Path
    start: int
    end: int
    is_current: bool


def page(home: Path, path: Path, position: str | None, limit_bytes: int) -> Page:
    """The stretch after `position`, or the last turn when there is none.

    Raises Refused(INVALID) for a position that is not one of ours.
    """
    head = rollout.head(path)
    chain = _chain(home, path)
    notes: list[Item] = []
    stretches = _last_turn(chain) if position is None else _after(chain, position, notes)
    items = notes
    room = min(limit_bytes, MAX_LIMIT_BYTES)
    reached = f"{locate.segment_name(stretches[0].path)}:{stretches[0].start}"
    turn = ""
    for stretch in stretches:
        scanned = 0
        for offset, line in _lines(stretch):
            at = f"{locate.segment_name(stretch.path)}:{offset}"
            if scanned > MAX_SCAN_BYTES or room <= 0:
                return Page(tuple(items), at, True, head)
            scanned += len(line)
            record = rollout.parsed(line)
            turn = str(rollout.payload(record).get("turn_id") or turn)
            found = _item(record, turn)
            if found is not None:
                items.append(found)
                room -= len(found.text.encode("utf-8", "replace"))
            reached = f"{locate.segment_name(stretch.path)}:{offset + len(line)}"
    return Page(tuple(items), reached, False, head)


def turn_items(path: Path, turn: str, limit_bytes: int) -> tuple[Item, ...]:
    """What one turn did, without the message that began it."""
    begin = rollout.begin_of(path, turn)
    if begin is None:
        return ()
    items: list[Item] = []
    room = limit_bytes
    for _, line in _lines(_Stretch(path, begin.offset, path.stat().st_size, True)):
        record = rollout.parsed(line)
        found = _item(record, turn)
        if found is not None and found.kind != "user" and room > 0:
            items.append(found)
            room -= len(found.text)
        body = rollout.payload(record)
        if body.get("turn_id") == turn and body.get("type") in _ENDS:
            break
    return tuple(items)


_ENDS = ("task_complete", "turn_aborted")


def _chain(home: Path, path: Path) -> list[_Stretch]:
    """The files that make up the thread, oldest first, each as far as it counts."""
    found = [_Stretch(path, 0, path.stat().st_size, True)]
    while len(found) < MAX_SEGMENTS:
        base = rollout.meta(found[0].path).get("history_base")
        older = locate.segment(home, str(base.get("thread_id"))) if isinstance(base, dict) else None
        if older is None or not isinstance(base, dict):
            return found
        end = min(int(base.get("end_byte_offset") or 0), older.stat().st_size)
        found.insert(0, _Stretch(older, 0, end, False))
    return found


def _last_turn(chain: list[_Stretch]) -> list[_Stretch]:
    """From the begin of the last turn, wherever in the chain it lies."""
    for place in range(len(chain) - 1, -1, -1):
        stretch = chain[place]
        for found in rollout.boundaries(stretch.path, stretch.end):
            if found.state == "open":
                first = _Stretch(stretch.path, found.offset, stretch.end, stretch.is_current)
                return [first, *chain[place + 1 :]]
            if stretch.end - found.offset > MAX_SCAN_BYTES:
                break
    return chain[-1:]


def _after(chain: list[_Stretch], position: str, notes: list[Item]) -> list[_Stretch]:
    """What follows a position; when it was reverted, what replaced it."""
    name, _, number = position.rpartition(":")
    if not name or not number.isdigit():
        raise Refused(Code.INVALID, "this position is not one of ours")
    offset = int(number)
    for place, stretch in enumerate(chain):
        if locate.segment_name(stretch.path) == name:
            rest = chain[place + 1 :]
            if offset <= stretch.end:
                return [
                    _Stretch(stretch.path, offset, stretch.end, stretch.is_current),
                    *rest,
                ]
            notes.append(Item("", "note", "turns were taken back at the desk", ""))
            return rest or _last_turn(chain)
    notes.append(Item("", "note", "the thread was changed at the desk", ""))
    return _last_turn(chain)


def _lines(stretch: _Stretch) -> Iterator[tuple[int, bytes]]:
    """Complete lines of a stretch; a torn last line is left for the next call."""
    with stretch.path.open("rb") as source:
        source.seek(stretch.start)
        offset = stretch.start
        while offset < stretch.end:
            line = source.readline(rollout.MAX_LINE_BYTES)
            if not line or (not line.endswith(b"\n") and stretch.is_current):
                return
            yield offset, line
            offset += len(line)


def _item(record: Obj, turn: str) -> Item | None:
    """One record in words; None for what a person need not see."""
    body = rollout.payload(record)
    at = str(record.get("timestamp") or "")
    if record.get("type") == "compacted":
        return Item(turn, "note", "the history was summarised", at)
    if record.get("type") != "event_msg":
        return None
    kind, text = _words(body)
    return Item(turn, kind, text[:MAX_ITEM_CHARS], at) if text else None


def _words(body: Obj) -> tuple[str, str]:
    match body.get("type"):
        case "item_completed":
            item = body.get("item")
            return _item_words(body, item) if isinstance(item, dict) else ("", "")
        case "user_message":
            return "user", locate.user_text(body)
        case "agent_message":
            return "assistant", str(body.get("message") or "")
        case "exec_command_end":
            return "command", _command(body)
        case "patch_apply_end":
            return "file", _files(body)
        case "turn_aborted":
            return "note", "the turn was interrupted"
        case "task_complete" if isinstance(body.get("error"), dict):
            return "note", "the turn failed"
        case _:
            return "", ""


def _item_words(body: Obj, item: Obj) -> tuple[str, str]:
    match item.get("type"):
        case "UserMessage":
            return "user", locate.user_text(body)
        case "AgentMessage":
            parts = item.get("content") or ()
            texts = [str(part.get("text") or "") for part in parts]
            return "assistant", "\n".join(texts)
        case "CommandExecution":
            return "command", _command(item)
        case "FileChange":
            return "file", _files(item)
        case "ContextCompaction":
            return "note", "the history was summarised"
        case _:
            return "", ""


def _command(item: Obj) -> str:
    """The command, its outcome, and the end of its output."""
    words = item.get("command")
    parsed = item.get("parsed_cmd")
    command = _first_text(parsed, "cmd") or (
        str(words[-1]) if isinstance(words, list) and words else str(words or "")
    )
    code = item.get("exit_code")
    outcome = f"exit {code}" if code is not None else str(item.get("status") or "")
    output = str(item.get("aggregated_output") or "").strip()[-OUTPUT_CHARS:]
    return f"{command} ({outcome})" + (f"\n{output}" if output else "")


def _files(item: Obj) -> str:
    """One line per file: what happened to it, and its path."""
    changes = item.get("changes")
    if not isinstance(changes, dict):
        return ""
    lines = [
        f"{change.get('type', 'update') if isinstance(change, dict) else 'update'} {path}"
        for path, change in changes.items()
    ]
    status = item.get("status")
    return "\n".join(lines) + ("" if status == "completed" else f" ({status})")


def _first_text(parts: Any, name: str) -> str:  # Any: foreign JSON
    if isinstance(parts, list) and len(parts) == 1 and isinstance(parts[0], dict):
        return str(parts[0].get(name) or "")
    return ""
