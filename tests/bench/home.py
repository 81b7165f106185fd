"""A large CODEX_HOME, as years of work leave it: 2,000 threads, two of them to be read.

Journals have the lines that Codex 0.169.0 writes (codex-app-server 8). The long one is
sparse: between its first line and its last turns lies a hole, which no reader of its
end may touch.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

THREADS = 2_000
LONG_BYTES = 1 << 30
SHORT_BYTES = 1 << 20
FIRST_LINE_CHARS = 18_000  # of instructions: a real first line has about 20 kB
TURN_BYTES = 10 * 1024
BEGAN_MS = 1_767_225_600_000  # 2026-01-01: the first thread
EVERY_MS = 3_600_000  # an hour later the next
INDEX = "state_5.sqlite"
COLUMNS = (  # of Codex's own index, those that are read
    "id TEXT PRIMARY KEY, rollout_path TEXT, cwd TEXT, title TEXT, name TEXT, preview TEXT,"
    " first_user_message TEXT, updated_at INTEGER, updated_at_ms INTEGER, archived INTEGER"
)

Json = dict[str, Any]  # lines of a journal


@dataclass(frozen=True)
class Journal:
    """One thread and its file."""

    thread: str
    path: Path

    def add_turn(self, name: str, answer: str) -> int:
        """Ten more KiB at the end; the byte at which they begin."""
        begin = self.path.stat().st_size
        with self.path.open("ab") as out:
            out.write(_turn(name, answer, TURN_BYTES))
        return begin


def make(home: Path) -> tuple[Journal, Journal]:
    """The home, with an index; a journal of 1 GiB and one of 1 MiB, newest of all."""
    home.mkdir(mode=0o700, parents=True)
    rows = []
    for number in range(THREADS):
        kept = _journal(home, number)
        _begin(kept, 0)
        kept.add_turn(f"turn-{number}", f"answer {number}")
        at_ms = BEGAN_MS + number * EVERY_MS
        title = f"thread {number}"
        words = (title, None, title, title)
        rows.append((kept.thread, str(kept.path), str(home), *words, at_ms // 1000, at_ms, 0))
        if number == THREADS - 2:
            long = kept
    _begin(long, LONG_BYTES)
    _begin(kept, SHORT_BYTES)
    for each in (long, kept):
        each.add_turn("turn-last", "the last answer")
    with closing(sqlite3.connect(home / INDEX)) as index:
        index.execute(f"CREATE TABLE threads ({COLUMNS})")
        index.executemany("INSERT INTO threads VALUES (?,?,?,?,?,?,?,?,?,?)", rows)
        index.commit()
    return long, kept


def _journal(home: Path, number: int) -> Journal:
    """An id as Codex makes it: the time is in it, and in the folder."""
    at_ms = BEGAN_MS + number * EVERY_MS
    digits = f"{at_ms:012x}7{number:03x}8{number:015x}"
    cuts = (0, 8, 12, 16, 20, 32)
    thread = "-".join(digits[a:b] for a, b in pairwise(cuts))
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    folder = home / "sessions" / at.strftime("%Y/%m/%d")
    folder.mkdir(parents=True, exist_ok=True)
    return Journal(thread, folder / f"rollout-{at:%Y-%m-%dT%H-%M-%S}-{thread}.jsonl")


def _begin(journal: Journal, size_bytes: int) -> None:
    """The first line; for a long one a first turn, and a hole up to `size_bytes`."""
    meta = {"id": journal.thread, "cwd": "/", "base_instructions": "x" * FIRST_LINE_CHARS}
    with journal.path.open("wb") as out:
        out.write(_line("session_meta", meta))
        if size_bytes:
            out.write(_turn("turn-first", "the first answer", 0))
            out.seek(size_bytes)
            out.write(b"\n")


def _turn(name: str, answer: str, size_bytes: int) -> bytes:
    """A turn with as many commands as its size asks for."""
    said = [{"type": "text", "text": f"what about {name}?"}]
    final = [{"type": "Text", "text": answer}]
    first = [
        _line("event_msg", {"type": "task_started", "turn_id": name}),
        _item(name, {"type": "UserMessage", "client_id": None, "content": said}),
    ]
    last = [
        _item(name, {"type": "AgentMessage", "content": final, "phase": "final_answer"}),
        _line(
            "event_msg", {"type": "task_complete", "turn_id": name, "last_agent_message": answer}
        ),
    ]
    ran = {"type": "CommandExecution", "command": ["bash", "-lc", "make check"], "exit_code": 0}
    command = _item(name, ran | {"aggregated_output": "built\n" * 30, "status": "completed"})
    room = size_bytes - sum(map(len, [*first, *last]))
    return b"".join([*first, command * max(1, room // len(command)), *last])


def _item(turn: str, item: Json) -> bytes:
    return _line("event_msg", {"type": "item_completed", "turn_id": turn, "item": item})


def _line(kind: str, payload: Json) -> bytes:
    record = {"timestamp": "2026-01-01T00:00:00.000Z", "type": kind, "payload": payload}
    return json.dumps(record).encode() + b"\n"
