"""The end of a rollout: heads, ends of turns, keys (codex-app-server 8)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.codex import rollout
from bridge.codex.model import Status, TurnId
from bridge.codex.outcome import ending_of


def line(kind: str, payload: dict[str, object]) -> str:
    return json.dumps({"timestamp": "2026-01-01T00:00:00Z", "type": kind, "payload": payload})


def event(kind: str, **fields: object) -> str:
    return line("event_msg", {"type": kind, **fields})


def begin(turn: str) -> str:
    return event("task_started", turn_id=turn)


def end(turn: str, text: str | None = "done", **fields: object) -> str:
    return event("task_complete", turn_id=turn, last_agent_message=text, **fields)


def user(turn: str, text: str, key: str | None = None) -> str:
    item = {"type": "UserMessage", "client_id": key, "content": [{"type": "text", "text": text}]}
    return event("item_completed", turn_id=turn, item=item)


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "rollout-2026-01-01T00-00-00-01a20404-5299-7441-a18a-49f4ee77d2d5.jsonl"


@pytest.mark.parametrize(
    ("lines", "head"),
    [
        ([begin("t1")], "t1:open"),
        ([begin("t1"), end("t1")], "t1:completed"),
        ([begin("t1"), end("t1", error={"message": "x"})], "t1:failed"),
        ([begin("t1"), event("turn_aborted", turn_id="t1")], "t1:aborted"),
        ([begin("t1"), end("t1"), line("turn_context", {"turn_id": "t2"})], "t1:completed"),
        (
            [begin("t1"), end("t1"), '{"type":"event_msg","payload":{"type":"task_st'],
            "t1:completed",
        ),
        ([begin("t1"), user("t1", 'a "task_complete" of mine')], "t1:open"),
        ([], "none"),
    ],
)
def test_the_head_is_the_last_boundary(journal: Path, lines: list[str], head: str) -> None:
    """Codex app-server 8, session_head; a torn or quoted line is none."""
    write(journal, line("session_meta", {"id": "x"}), *lines)
    assert rollout.head(journal) == head


def test_the_head_of_a_fresh_fork_names_its_base(journal: Path) -> None:
    """Codex app-server 8: a file without a boundary of its own."""
    base = {"thread_id": "s1", "end_ordinal_exclusive": 41, "end_byte_offset": 9}
    write(journal, line("session_meta", {"id": "x", "history_base": base}))
    assert rollout.head(journal) == "base:s1:41"


def test_a_thread_without_a_file_has_no_turns(journal: Path) -> None:
    """Codex app-server 3: the file appears with the first turn."""
    assert rollout.head(journal) == "none"


def test_a_long_answer_does_not_hide_the_boundary_before_it(journal: Path) -> None:
    """Codex app-server 8: lines of 300 kB were seen; blocks are 64 kB."""
    write(journal, begin("t1"), user("t1", "x" * 900_000))
    assert rollout.head(journal) == "t1:open"


@given(texts=st.lists(st.text(max_size=300), max_size=30), block=st.integers(1, 400))
def test_lines_backwards_are_the_lines_reversed(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], block: int
) -> None:
    """Ours: whatever the size of a block, no line is lost, cut or given twice."""
    path = tmp_path_factory.mktemp("lines") / "file"
    lines = [json.dumps(text).encode() for text in texts]
    path.write_bytes(b"".join(each + b"\n" for each in lines))
    data = path.read_bytes()
    found = list(rollout.lines_backwards(path, block_bytes=block))
    assert [text for _, text in found] == lines[::-1]
    assert all(data[offset : offset + len(text)] == text for offset, text in found)


def test_a_key_is_found_after_the_head_and_not_before_it(journal: Path) -> None:
    """Contract 3.2: did the message get in?"""
    write(
        journal,
        *(begin("t1"), user("t1", "one", "k1"), end("t1")),
        *(begin("t2"), user("t2", "two", "k2")),
    )
    assert rollout.turn_of_key(journal, "k2", "t1:completed") == "t2"
    assert rollout.turn_of_key(journal, "k1", "t1:completed") is None
    assert rollout.turn_of_key(journal, "k1", "none") == "t1"
    assert rollout.turn_of_key(journal, "k3", "none") is None


def test_a_key_in_a_legacy_file_is_found_by_the_turn_around_it(journal: Path) -> None:
    """Codex app-server 8: legacy messages name no turn."""
    message = event("user_message", client_id="k2", message="two")
    write(journal, begin("t1"), end("t1"), begin("t2"), message)
    assert rollout.turn_of_key(journal, "k2", "t1:completed") == "t2"


@pytest.mark.parametrize(
    ("lines", "status", "reason", "text"),
    [
        ([begin("t"), end("t", "hi")], Status.COMPLETED, None, "hi"),
        ([begin("t"), end("t", None)], Status.COMPLETED, "no_text", None),
        ([begin("t")], Status.INTERRUPTED, "engine_died", None),
        ([], Status.INTERRUPTED, "engine_died", None),
        (
            [begin("t"), event("turn_aborted", turn_id="t")],
            *(Status.INTERRUPTED, "interrupted_elsewhere", None),
        ),
        (
            [begin("t"), end("t", None, error={"codex_error_info": "context_window_exceeded"})],
            *(Status.FAILED, "context_window", None),
        ),
    ],
)
def test_the_end_of_a_turn_is_read_from_the_file_alone(
    journal: Path, lines: list[str], status: Status, reason: str | None, text: str | None
) -> None:
    """Contract 3.1: nobody was there when it ended."""
    write(journal, line("session_meta", {"id": "x"}), *lines, begin("later"), end("later"))
    found = ending_of(journal, TurnId("t"))
    assert (found.status, found.reason, found.text) == (status, reason, text)
    assert found.head == "later:completed"
