"""What is committed under a key, and what events make of a thread we are joined to."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from bridge.codex.appserver import AppServer
from bridge.codex.engine import Engine
from bridge.codex.joined import STALLED_S, Joined
from bridge.codex.keys import Keys
from bridge.codex.model import (
    Code,
    Ending,
    Obj,
    Order,
    Refused,
    Settings,
    Status,
    ThreadId,
    TurnId,
)
from bridge.codex.runs import Runs

THREAD = ThreadId("t1")
ASK = "item/commandExecution/requestApproval"


def order(key: str) -> Order:
    return Order(key, "owner", THREAD, "hello", Settings(), (), None)


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path / "state.sqlite3", "codex")


@pytest.fixture
def joined() -> Joined:
    return Joined(THREAD, cast(AppServer, None))  # cast: events are folded without a server


def test_a_key_stands_for_one_payload(keys: Keys) -> None:
    """Contract 3.2."""
    run = keys.claim(order("k"), "digest", 1)
    assert keys.of_key("k", "digest") == run
    assert run.status is Status.STARTING
    with pytest.raises(Refused) as refused:
        keys.of_key("k", "other")
    assert refused.value.code is Code.KEY_CONFLICT


def test_a_run_survives_the_process(keys: Keys, tmp_path: Path) -> None:
    """Contract 3.1: what is committed is found by the next controller."""
    run = keys.claim(order("k"), "d", 1)
    keys.sending(run.id, THREAD, "h0", '{"was": 1}')
    keys.begun(run, THREAD, TurnId("u1"))
    keys.close()
    found = Keys(tmp_path / "state.sqlite3", "codex").unfinished()
    assert [(each.id, each.turn, each.head_before) for each in found] == [(run.id, "u1", "h0")]


def test_a_stop_leaves_codex_alone_from_the_moment_a_message_may_be_in(keys: Keys) -> None:
    """Contract 3.1: a server that is ended right then would abort the turn."""
    runs = Runs(keys, cast(Engine, None))  # cast: the question is answered from the rows
    run = keys.claim(order("k"), "d", 1)
    assert not runs.has_live()
    keys.sending(run.id, THREAD, "h0", None)
    assert runs.has_live()
    keys.begun(run, THREAD, TurnId("u1"))
    assert runs.has_live()
    keys.end(run.id, Ending(Status.COMPLETED, "u1:completed"), 2)
    assert not runs.has_live()


def test_the_first_settings_are_kept_when_a_lock_is_replaced(keys: Keys) -> None:
    """Contract 3.6: a later run on a held thread sees our settings, not the person's."""
    first = keys.claim(order("k1"), "d", 1)
    keys.sending(first.id, THREAD, "h0", "the person's")
    keys.begun(first, THREAD, TurnId("u1"))
    old = keys.lock(THREAD)
    keys.end(first.id, Ending(Status.COMPLETED, "h1"), 2)
    second = keys.claim(order("k2"), "d", 3)
    keys.sending(second.id, THREAD, "h1", "ours")
    keys.begun(second, THREAD, TurnId("u2"))
    new = keys.lock(THREAD)
    assert old is not None and new is not None
    assert keys.settings_before(new.token) == "the person's"
    replaced = keys.lock_by_token(old.token)
    assert replaced is not None and replaced.released_at_ms is not None


def test_a_state_file_of_another_engine_is_refused(keys: Keys, tmp_path: Path) -> None:
    """Ours: an echo run must never look like one of Codex."""
    keys.close()
    with pytest.raises(Refused) as refused:
        Keys(tmp_path / "state.sqlite3", "echo")
    assert "CROSS_THREAD_CONTROLLER_DB" in refused.value.message


def test_the_state_file_is_ours_alone(keys: Keys, tmp_path: Path) -> None:
    """Threat-model R17 in spirit: it names threads and owners."""
    assert (tmp_path / "state.sqlite3").stat().st_mode & 0o077 == 0


def test_message_leaves_only_after_a_flush_and_a_turn_waits_for_no_other(keys: Keys) -> None:
    """Contract 3.2: a power cut loses no key; what Codex's journal tells again costs nothing."""
    assert keys.db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    said: list[str] = []
    keys.db.set_trace_callback(said.append)
    run = keys.claim(order("k"), "d", 1)
    keys.sending(run.id, THREAD, "h0", None)
    keys.begun(run, THREAD, TurnId("u1"))
    keys.end(run.id, Ending(Status.COMPLETED, "u1:completed", None, "text"), 2)
    full = said.index("PRAGMA synchronous = FULL")
    assert said[full + 1].startswith("UPDATE run SET thread")
    assert said[full + 2] == "PRAGMA synchronous = NORMAL"
    assert said.count("PRAGMA synchronous = FULL") == 1


def test_a_turn_without_a_sign_of_life_is_stalled(joined: Joined) -> None:
    """Contract 3.8: ten minutes without any notification."""
    joined.take("turn/started", {"turn": {"id": "u"}})
    heard = joined.heard_s
    assert joined.standing(heard + STALLED_S - 1).reason is None
    assert joined.standing(heard + STALLED_S + 1).reason == "stalled"
    joined.waiting_for = "network_waiting"
    assert joined.standing(heard + STALLED_S + 1).reason == "network_waiting"


def test_a_request_blocks_until_somebody_answered_it(joined: Joined) -> None:
    """Codex app-server 5: `serverRequest/resolved` goes to every subscriber."""
    joined.ask(0, ASK, {"threadId": "t1", "turnId": "u", "itemId": "i", "command": "x"})
    assert joined.standing(0).blocked
    joined.take("serverRequest/resolved", {"threadId": "t1", "requestId": 0})
    assert not joined.standing(0).blocked
    assert joined.approvals() == []


def test_the_end_of_a_turn_takes_its_requests_with_it(joined: Joined) -> None:
    """Fault F58: one terminal state."""
    joined.ask(0, ASK, {"threadId": "t1", "turnId": "u", "itemId": "i"})
    item = {"type": "agentMessage", "text": "bye"}
    joined.take("turn/completed", {"turn": {"id": "u", "status": "completed", "items": [item]}})
    assert joined.approvals() == []
    assert joined.endings[TurnId("u")] == Ending(Status.COMPLETED, "u:completed", None, "bye")


def test_a_word_of_progress_ends_the_waiting_for_the_network(joined: Joined) -> None:
    """Codex app-server 6: announced as `error` with `willRetry`."""
    error: Obj = {"message": "Reconnecting... waiting for network"}
    joined.take("error", {"error": error, "willRetry": True})
    assert joined.standing(0).reason == "network_waiting"
    joined.take("item/agentMessage/delta", {"delta": "x"})
    assert joined.standing(0).reason is None


@pytest.mark.parametrize("params", [{}, {"turn": None}, {"turn": {}}, {"item": None}, {"error": 3}])
@pytest.mark.parametrize("method", ["turn/completed", "item/started", "turn/started", "x/y"])
def test_an_event_that_is_not_as_observed_ends_nothing_by_accident(
    joined: Joined, method: str, params: Obj
) -> None:
    """Threat-model R10."""
    joined.active = TurnId("u")
    joined.take(method, params)
    assert TurnId("u") not in joined.endings


def test_what_was_done_under_a_key_is_known_to_the_next_process(keys: Keys, tmp_path: Path) -> None:
    """Contract 2: a steer or a branch that is asked for again; other work is refused."""
    assert keys.done_under("k", "fork t1") is None
    keys.note_done("k", "fork t1", "t2")
    keys.close()
    again = Keys(tmp_path / "state.sqlite3", "codex")
    assert again.done_under("k", "fork t1") == "t2"
    with pytest.raises(Refused) as refused:
        again.done_under("k", "fork t3")
    assert refused.value.code is Code.KEY_CONFLICT
