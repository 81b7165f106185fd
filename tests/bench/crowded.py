"""A gateway that is old: a database of a million messages, a thousand names, long queues."""

from __future__ import annotations

import sqlite3
import statistics
import time
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

from bridge.core.decide import command_of, decide
from bridge.core.decision import Facts, Ids, Policy, ThreadStatus, View
from bridge.core.intake import Batch
from bridge.core.model import (
    Account,
    Alias,
    AliasName,
    InboxId,
    InboxRow,
    InboxState,
    Key,
    MsgKey,
    Part,
    Peer,
    PeerId,
    ThreadId,
    Turn,
    TurnId,
    TurnState,
)
from bridge.store.db import Database
from tests.bench import subjects
from tests.bench.ilink import OWNER

OLD_ROWS = 1_000_000
MESSAGES = 200  # one after another, at each
NAMES = 1_000
TURNS = 10_000
LOOKS = 200  # of each message
NOW_MS = 1_800_000_000_000
_OLD = """INSERT INTO inbox (channel, peer, msg_key, body_hash, create_time_ms, received_ms,
    age_ms, parts, quoted_id, quoted_text, quoted_part, has_files, is_files_alone, is_asked,
    is_cut, is_released, meant, state, outcome, attempts, turn, done_ms)
WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?)
SELECT 'wechat', ?, 'old:' || n, hex(randomblob(16)), n, n, 0,
    '[{"kind": "text", "text": "message ' || n || '"}]', '', '', '', 0, 0, 0, 0, 0, '',
    'done', 'turn', 0, NULL, n FROM number"""
_SAID = ("hello", "/send name7 hello", "/list", "/status", "/queue", "/stop name7", "/cancel 77")


def old() -> dict[str, float]:
    """The way of one message with old rows and without, in turns; and the start with them."""
    took_ms: dict[str, list[float]] = {"empty": [], "old": []}
    with ExitStack() as stack:
        phones = {name: stack.enter_context(subjects.phone()) for name in took_ms}
        stack.enter_context(subjects.gateway(phones["empty"]))
        subject = stack.enter_context(subjects.gateway(phones["old"], before=_fill))
        for phone in phones.values():
            phone.bind()
            phone.ask()
        for _ in range(MESSAGES):
            for name, phone in phones.items():
                took_ms[name] += phone.singles_ms(1)
    started_ms = (subject.polled_at_ns - subject.begun_at_ns) / 1e6
    return {f"{name}_median_ms": statistics.median(each) for name, each in took_ms.items()} | {
        "old_start_ms": started_ms
    }


def _fill(data: Path) -> None:
    path = data / "state" / "bridge.sqlite3"
    path.parent.mkdir(mode=0o700)
    database = Database(path)
    database.open()
    database.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(_OLD, (OLD_ROWS, OWNER))


def decisions() -> dict[str, float]:
    """What one decision takes, over messages of several kinds, with a view as large as can be."""
    view = _view()
    took_ms = []
    for text in _SAID:
        part = Part("text", text)
        row = InboxRow(
            InboxId(1), view.peer.id, MsgKey("k"), (part,), "", False, 0, NOW_MS, 0, False,
            InboxState.NEW,
        )  # fmt: skip
        batch = Batch((row,))
        for _ in range(LOOKS):
            begun_ns = time.perf_counter_ns()
            decide(batch, command_of(batch), view, _FREE, Policy(), NOW_MS, _IDS)
            took_ms.append((time.perf_counter_ns() - begun_ns) / 1e6)
    return {"decide_ms": statistics.median(took_ms)}


_FREE = Facts(status=ThreadStatus("h1", "", False, "/elsewhere"))
_IDS = Ids("install", "seed", "newcode23")


def _view() -> View:
    aliases = [
        Alias(AliasName(f"name{number}"), ThreadId(f"thread-{number:04}"), "/work", "a title")
        for number in range(NAMES)
    ]
    peer = Peer(PeerId(OWNER), "en", active=aliases[0].name)
    turn = Turn(
        TurnId(0), Key("k"), "wechat", peer.id, aliases[0].thread, "name0", "build it", "/work",
        "workspace-write", "on-request", "", "", TurnState.QUEUED,
    )  # fmt: skip
    turns = tuple(
        replace(turn, id=TurnId(number), thread=aliases[number % NAMES].thread)
        for number in range(1, TURNS + 1)
    )
    return View(
        account=Account("wechat"),
        peer=peer,
        aliases={alias.name: alias for alias in aliases},
        unfinished={alias.thread: TURNS // NAMES for alias in aliases},
        turns=turns,
    )
