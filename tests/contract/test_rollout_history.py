"""A thread's past in words, by byte offset (contract 2; codex-app-server 8)."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest

from bridge.codex import history, locate, rollout
from bridge.codex.model import Page, Refused
from tests.contract.test_rollout import begin, end, event, line, user, write

ROOT = "01a20404-5299-7441-a18a-49f4ee77d2d5"
SEGMENT = "01a20404-53ba-7de2-ad2a-6f148757fe0e"
FORK = "01a20404-543b-7981-8d62-6787e635268a"
DAY = "sessions/2026/11/22"
LIMIT = 10_000
GIGABYTE = 1 << 30
PEAK_BYTES = 8 << 20  # many times a block of the reader, a fraction of the file


def place(home: Path, name: str) -> Path:
    folder = home / DAY
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"rollout-2026-11-22T16-08-41-{name}.jsonl"


def turn(name: str) -> tuple[str, ...]:
    text = {"type": "AgentMessage", "content": [{"type": "Text", "text": f"answer {name}"}]}
    said = event("item_completed", turn_id=name, item=text)
    return begin(name), user(name, f"ask {name}"), said, end(name)


def meta(ident: str, base: tuple[str, int] | None = None) -> str:
    payload: dict[str, object] = {"id": ident, "cwd": "/work"}
    if base is not None:
        payload["history_base"] = {
            "thread_id": base[0],
            "end_ordinal_exclusive": 1,
            "end_byte_offset": base[1],
        }
    return line("session_meta", payload)


def texts(home: Path, thread: str, position: str | None = None) -> list[str]:
    return [item.text for item in page(home, thread, position).items]


def page(home: Path, thread: str, position: str | None = None, limit: int = LIMIT) -> Page:
    found = locate.find(home, thread)
    assert found is not None
    return history.page(home, found.path, position, limit)


def test_without_a_position_the_last_turn_is_given(tmp_path: Path) -> None:
    """Contract 2."""
    write(place(tmp_path, ROOT), meta(ROOT), *turn("t1"), *turn("t2"))
    assert texts(tmp_path, ROOT) == ["ask t2", "answer t2"]


def test_a_position_gives_only_what_came_after_it(tmp_path: Path) -> None:
    """Contract 2: /refresh reads from where the phone last looked."""
    path = write(place(tmp_path, ROOT), meta(ROOT), *turn("t1"))
    first = page(tmp_path, ROOT)
    assert texts(tmp_path, ROOT, first.position) == []
    with path.open("a") as out:
        out.write("\n".join(turn("t2")) + "\n")
    assert texts(tmp_path, ROOT, first.position) == ["ask t2", "answer t2"]


def test_a_limit_cuts_between_items_and_says_so(tmp_path: Path) -> None:
    """Contract 2: `more`."""
    write(place(tmp_path, ROOT), meta(ROOT), *turn("t1"), *turn("t2"))
    start = f"{ROOT}:0"
    seen: list[str] = []
    for _ in range(10):
        found = page(tmp_path, ROOT, start, limit=1)
        seen += [item.text for item in found.items]
        start = found.position
        if not found.more:
            break
    assert seen == ["ask t1", "answer t1", "ask t2", "answer t2"]


def test_a_torn_last_line_is_left_for_the_next_call(tmp_path: Path) -> None:
    """Codex app-server 8, tailing."""
    path = write(place(tmp_path, ROOT), meta(ROOT), *turn("t1"))
    first = page(tmp_path, ROOT)
    whole = user("t2", "ask t2") + "\n"
    with path.open("a") as out:
        out.write(whole[:40])
    torn = page(tmp_path, ROOT, first.position)
    with path.open("a") as out:
        out.write(whole[40:])
    assert torn.items == ()
    assert texts(tmp_path, ROOT, torn.position) == ["ask t2"]


def test_a_revert_is_followed_and_told(tmp_path: Path) -> None:
    """Codex app-server 8: a revert begins a new file for the same thread."""
    old = write(place(tmp_path, ROOT), meta(ROOT), *turn("t1"))
    kept = old.stat().st_size
    write(old, meta(ROOT), *turn("t1"), *turn("t2"))
    before = page(tmp_path, ROOT)
    write(place(tmp_path, f"{ROOT}_{SEGMENT}"), meta(ROOT, (ROOT, kept)), *turn("t3"))
    assert texts(tmp_path, ROOT) == ["ask t3", "answer t3"]
    assert texts(tmp_path, ROOT, before.position) == [
        "turns were taken back at the desk",
        *("ask t3", "answer t3"),
    ]
    assert texts(tmp_path, ROOT, f"{ROOT}:{kept}") == ["ask t3", "answer t3"]


def test_a_fresh_fork_shows_the_past_it_shares(tmp_path: Path) -> None:
    """Codex app-server 8: a fork's own file lacks the inherited part."""
    root = write(place(tmp_path, ROOT), meta(ROOT), *turn("t1"), *turn("t2"))
    shared = root.stat().st_size
    write(root, meta(ROOT), *turn("t1"), *turn("t2"), *turn("t3"))
    write(place(tmp_path, FORK), meta(FORK, (ROOT, shared)))
    found = page(tmp_path, FORK)
    assert [item.text for item in found.items] == ["ask t2", "answer t2"]
    assert found.head == f"base:{ROOT}:1"


def test_a_base_that_is_gone_or_a_loop_ends_the_chain(tmp_path: Path) -> None:
    """Ours: bounded whatever a file claims."""
    write(place(tmp_path, FORK), meta(FORK, (SEGMENT, 10)), *turn("t1"))
    write(place(tmp_path, ROOT), meta(ROOT, (ROOT, 10)), *turn("t2"))
    assert texts(tmp_path, FORK) == ["ask t1", "answer t1"]
    assert texts(tmp_path, ROOT) == ["ask t2", "answer t2"]


def test_what_codex_put_in_is_not_shown(tmp_path: Path) -> None:
    """Codex app-server 8: role user also holds injected text."""
    injected: dict[str, object] = {
        "type": "message",
        "role": "user",
        "content": [{"text": "<environment_context>"}],
    }
    lines = [begin("t1"), line("response_item", injected), user("t1", "mine")]
    write(place(tmp_path, ROOT), meta(ROOT), *lines)
    assert texts(tmp_path, ROOT) == ["mine"]


def test_commands_and_files_are_told_in_a_line(tmp_path: Path) -> None:
    """Issue 4, point 6: commands with their outcome, files touched, test lines."""
    command = {
        "type": "CommandExecution",
        "command": ["/bin/bash", "-lc", "pytest"],
        "parsed_cmd": [{"type": "unknown", "cmd": "pytest"}],
        "exit_code": 1,
        "aggregated_output": "1 failed, 2 passed\n",
    }
    change = {"type": "FileChange", "changes": {"/w/a.py": {"type": "add"}}, "status": "completed"}
    lines = [event("item_completed", turn_id="t1", item=item) for item in (command, change)]
    write(place(tmp_path, ROOT), meta(ROOT), begin("t1"), *lines)
    assert texts(tmp_path, ROOT) == ["pytest (exit 1)\n1 failed, 2 passed", "add /w/a.py"]


def test_a_legacy_file_reads_alike(tmp_path: Path) -> None:
    """Codex app-server 8: the older record types."""
    lines = [
        begin("t1"),
        event("user_message", message="ask"),
        event(
            "patch_apply_end", turn_id="t1", changes={"/w/a": {"type": "add"}}, status="completed"
        ),
        event("agent_message", message="answer"),
        end("t1"),
    ]
    write(place(tmp_path, ROOT), meta(ROOT), *lines)
    assert texts(tmp_path, ROOT) == ["ask", "add /w/a", "answer"]


@pytest.mark.parametrize("position", ["x", f"{ROOT}:", f"{ROOT}:-1", ":4"])
def test_a_foreign_position_is_refused(tmp_path: Path, position: str) -> None:
    """Threat-model R10."""
    write(place(tmp_path, ROOT), meta(ROOT), *turn("t1"))
    with pytest.raises(Refused):
        page(tmp_path, ROOT, position)


def test_threads_are_listed_from_bare_files_newest_first(tmp_path: Path) -> None:
    """Codex app-server 8: the databases are a cache."""
    write(place(tmp_path, ROOT), meta(ROOT), *turn("t1"))
    newer = write(place(tmp_path, FORK), meta(FORK), *turn("t2"))
    stamp = place(tmp_path, ROOT).stat().st_mtime + 5
    os.utime(newer, (stamp, stamp))
    (tmp_path / "archived_sessions").mkdir()
    write(tmp_path / "archived_sessions" / f"rollout-2026-{SEGMENT}.jsonl", meta(SEGMENT))
    found = locate.listed(tmp_path, None, None, 0, 10)
    assert [row.id for row in found] == [FORK, ROOT]
    assert (found[0].title, found[0].cwd) == ("ask t2", "/work")
    assert locate.listed(tmp_path, "T1", None, 0, 10)[0].id == ROOT
    assert locate.listed(tmp_path, None, "/elsewhere", 0, 10) == []
    archived = locate.find(tmp_path, SEGMENT)
    assert archived is not None and archived.archived


def test_an_id_that_is_none_finds_nothing(tmp_path: Path) -> None:
    """Threat-model R31: an id never becomes a pattern."""
    write(place(tmp_path, ROOT), meta(ROOT), *turn("t1"))
    for name in ("*", "../..", "", ROOT + "*", ROOT[:-1] + "?"):
        assert locate.find(tmp_path, name) is None


def test_the_end_of_a_gigabyte_is_read_in_little_memory(tmp_path: Path) -> None:
    """issue 4, item 6: the head, a last turn, and a stretch from a position."""
    path = place(tmp_path, ROOT)
    write(path, meta(ROOT), *turn("t1"))
    with path.open("r+b") as out:
        out.truncate(GIGABYTE)  # a hole: who walks through it all reads a gigabyte
        out.seek(0, os.SEEK_END)
        out.write(b"\n" + "".join(f"{each}\n" for each in turn("t2")).encode())
    tracemalloc.start()
    try:
        assert rollout.head(path) == "t2:completed"
        last = page(tmp_path, ROOT)
        assert [item.text for item in last.items] == ["ask t2", "answer t2"]
        assert page(tmp_path, ROOT, last.position).items == ()
        assert tracemalloc.get_traced_memory()[1] < PEAK_BYTES
    finally:
        tracemalloc.stop()
