"""Where the rollout of a thread lies, and which threads there are.

Codex's own index (`state_<n>.sqlite`) answers first and is only a cache: without it,
or when it names a file that is gone, the session folders are searched. Read-only.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from operator import attrgetter
from pathlib import Path

from bridge.codex import rollout
from bridge.codex.model import Obj, ThreadId

MAX_SCANNED = 5000  # rollouts looked at when there is no index
TITLE_CHARS = 80  # one line on a phone
FIRST_LINES = 40  # the first user message comes within these, observed at line 8

_NAME = attrgetter("name")
_ID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True)
class Listed:
    """A thread as the index or its first lines show it."""

    id: ThreadId
    path: Path
    title: str
    cwd: str
    updated_at_ms: int


@dataclass(frozen=True, slots=True)
class Found:
    """The current rollout of a thread."""

    path: Path
    cwd: str | None
    archived: bool


def find(home: Path, thread: str) -> Found | None:
    """The current rollout of a thread; None when no file and no index knows it."""
    if not _ID.fullmatch(thread):
        return None
    row = _index_row(home, thread)
    if row is not None and Path(row[0]).exists():
        return Found(Path(row[0]), row[1], bool(row[2]))
    files = _files_of(home / "sessions", thread)
    if files:
        newest = max(files, key=lambda path: path.name)
        return Found(newest, rollout.meta(newest).get("cwd"), archived=False)
    kept = list((home / "archived_sessions").glob(f"rollout-*{thread}*.jsonl"))
    if kept:
        newest = max(kept, key=lambda path: path.name)
        return Found(newest, rollout.meta(newest).get("cwd"), archived=True)
    return None


def segment(home: Path, name: str) -> Path | None:
    """The file that a `history_base` names: by the last id in its file name."""
    if not _ID.fullmatch(name):
        return None
    for folder in (*_folders_near(home / "sessions", name), home / "archived_sessions"):
        for path in folder.glob(f"rollout-*{name}.jsonl"):
            return path
    return next((home / "sessions").glob(f"*/*/*/rollout-*{name}.jsonl"), None)


def segment_name(path: Path) -> str:
    """The last id in a rollout's file name."""
    found = _ID.findall(path.name)
    return str(found[-1]) if found else path.stem


def listed(home: Path, query: str | None, cwd: str | None, first: int, count: int) -> list[Listed]:
    """Threads that are not archived, newest first, `count` of them from number `first`."""
    try:
        rows = _index_rows(home, query, cwd, first, count)
    except sqlite3.Error:
        rows = None
    if rows is None:
        return list(islice(_scanned(home, query, cwd), first, first + count))
    return [_from_row(row) for row in rows]


def one_line(text: str) -> str:
    """The first words of a text, for a list."""
    words = " ".join(text.split())
    return words if len(words) <= TITLE_CHARS else words[: TITLE_CHARS - 1] + "…"


_TITLES = ("name", "title", "preview", "first_user_message")


def _index(home: Path) -> sqlite3.Connection | None:
    """The newest index, opened so that nothing in it can be changed."""
    versions = sorted(
        home.glob("state_*.sqlite"),
        key=lambda path: int(re.sub(r"\D", "", path.stem) or 0),
    )
    if not versions:
        return None
    found = sqlite3.connect(f"file:{versions[-1]}?mode=ro", uri=True, timeout=1)
    found.row_factory = sqlite3.Row
    return found


def _index_row(home: Path, thread: str) -> tuple[str, str, int] | None:
    try:
        index = _index(home)
        if index is None:
            return None
        with closing(index):
            row = index.execute(
                "SELECT rollout_path, cwd, archived FROM threads WHERE id = ?",
                (thread,),
            ).fetchone()
    except sqlite3.Error:
        return None
    return tuple(row) if row else None


def _from_row(row: sqlite3.Row) -> Listed:
    name, title, preview, first = (row[key] or "" for key in _TITLES)
    return Listed(
        ThreadId(row["id"]),
        Path(row["rollout_path"]),
        one_line(name or title or preview or first),
        row["cwd"],
        row["updated_at_ms"] or row["updated_at"] * 1000,
    )


def _index_rows(
    home: Path, query: str | None, cwd: str | None, first: int, count: int
) -> list[sqlite3.Row] | None:
    index = _index(home)
    if index is None:
        return None
    like = f"%{_escaped(query)}%" if query else None
    with closing(index):
        return index.execute(
            "SELECT id, rollout_path, cwd, name, title, preview, first_user_message,"
            " updated_at_ms, updated_at FROM threads"
            " WHERE archived = 0 AND (?1 IS NULL OR cwd = ?1) AND (?2 IS NULL OR"
            " name LIKE ?2 ESCAPE '\\' OR title LIKE ?2 ESCAPE '\\' OR"
            " preview LIKE ?2 ESCAPE '\\' OR cwd LIKE ?2 ESCAPE '\\')"
            " ORDER BY updated_at_ms DESC, id DESC LIMIT ?3 OFFSET ?4",
            (cwd, like, count, first),
        ).fetchall()


def _escaped(query: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", query)


def _scanned(home: Path, query: str | None, cwd: str | None) -> Iterator[Listed]:
    """The same from bare files; a thread that was reverted has more than one."""
    newest: dict[str, os.DirEntry[str]] = {}
    for entry in _rollouts(home / "sessions"):
        found = _ID.search(entry.name)
        if found and entry.name > getattr(newest.get(found[0]), "name", ""):
            newest[found[0]] = entry
        if len(newest) >= MAX_SCANNED:
            break
    timed = [(each.stat().st_mtime_ns // 1_000_000, each.path) for each in newest.values()]
    for changed_ms, path in sorted(timed, reverse=True):
        row = _from_first_lines(Path(path), changed_ms)
        wanted = not query or query.casefold() in f"{row.title} {row.cwd}".casefold()
        if wanted and (cwd is None or row.cwd == cwd):
            yield row


def _rollouts(sessions: Path) -> Iterator[os.DirEntry[str]]:
    """Every rollout below year, month and day, newest day first; a glob takes twice as long."""
    for year in _newest_first(sessions):
        for month in _newest_first(year):
            for day in _newest_first(month):
                for entry in _newest_first(day):
                    if entry.name.startswith("rollout-") and entry.name.endswith(".jsonl"):
                        yield entry


def _newest_first(folder: Path | os.DirEntry[str]) -> list[os.DirEntry[str]]:
    """What lies in a folder; nothing where that is none."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=_NAME, reverse=True)
    except OSError:
        return []


def _from_first_lines(path: Path, changed_ms: int) -> Listed:
    title = cwd = ""
    with path.open("rb") as source:
        for _ in range(FIRST_LINES):
            record = rollout.parsed(source.readline(rollout.MAX_LINE_BYTES))
            body = rollout.payload(record)
            if record.get("type") == "session_meta":
                cwd = str(body.get("cwd") or "")
            title = user_text(body)
            if title:
                break
    thread = ThreadId(_ID.findall(path.name)[0])
    return Listed(thread, path, one_line(title), cwd, changed_ms)


def user_text(body: Obj) -> str:
    """What the person wrote, when this payload is their message; else empty."""
    if body.get("type") == "user_message":
        return str(body.get("message") or "")
    item = body.get("item")
    if body.get("type") != "item_completed" or not isinstance(item, dict):
        return ""
    if item.get("type") != "UserMessage":
        return ""
    parts = item.get("content") or []
    return "\n".join(
        str(part["text"]) for part in parts if isinstance(part, dict) and part.get("text")
    )


def _files_of(sessions: Path, thread: str) -> list[Path]:
    pattern = f"rollout-*{thread}*.jsonl"
    near = [p for folder in _folders_near(sessions, thread) for p in folder.glob(pattern)]
    # A revert made on another day lies in that day's folder.
    return near if len(near) == 1 else list(sessions.glob(f"*/*/*/{pattern}"))


def _folders_near(sessions: Path, name: str) -> list[Path]:
    """The day folders around the time in a UUIDv7; file times are local times."""
    millis = int(name.replace("-", "")[:12], 16)
    try:
        day = datetime.fromtimestamp(millis / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return []
    days = [day + timedelta(days=shift) for shift in (-1, 0, 1)]
    return [sessions / each.strftime("%Y/%m/%d") for each in days]
