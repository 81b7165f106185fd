"""What a controller's JSON says, read leniently; what is needed and missing is named."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.core.errors import PeerFault
from bridge.core.model import ApprovalId, Head, Key, LockToken, RunId, ThreadId
from bridge.core.turns import Run
from bridge.links import replies
from tests.unit.table import table

THREAD = ThreadId("t")
MINE = "ctb-private:p"
ASKED = Run(RunId("r"), "completed", THREAD, lock=LockToken("l"), head=Head("h"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["run", "runs", "session", "run_id", "status", "lock_token", "approvals"]
            ),
            inner,
        )
    ),
    max_leaves=8,
)


@table("name", ["cwd", "workspace_root", "project_root", "default_cwd"])
@table("where", ["session", "beside"])
def test_folder_has_four_names_in_two_places(name: str, where: str) -> None:
    """controller-contract 1."""
    session = {"session_id": "t", "status": "active", "owner": "o", "session_head": "h"}
    body: dict[str, Any] = {"session": session}  # Any: JSON
    (session if where == "session" else body)[name] = "/work"
    found = replies.status(body)
    assert (found.cwd, found.head, found.owner, found.is_active) == ("/work", "h", "o", True)


def test_thread_without_a_session_is_not_known_and_not_locked() -> None:
    """controller-contract 1: no session known = never locked."""
    found = replies.status({"runs": [], "session": None})
    assert (found.is_known, found.is_active, found.head) == (False, False, None)


@table("place", ["", "run", "session"])
def test_start_is_read_wherever_its_fields_sit(place: str) -> None:
    """controller-contract 1: four fields may sit in `run` or `session` instead."""
    fields = {"run_id": "r", "session_id": "new", "lock_token": "l", "last_event_seq": 3}
    found = replies.start({place: fields} if place else fields, THREAD)
    assert (found.run, found.thread, found.lock, found.seq) == ("r", "new", "l", 3)


def test_start_without_a_run_is_a_fault_that_names_the_field() -> None:
    """controller-contract: a missing needed field names the tool and the field."""
    with pytest.raises(PeerFault, match="cross_thread_start: run_id"):
        replies.start({"session_id": "t"}, THREAD)


def test_replay_of_a_run_that_is_over_has_no_token() -> None:
    """controller-contract 1."""
    assert replies.start({"run_id": "r", "lock_token": None}, THREAD).lock is None


def listed(*runs: dict[str, Any]) -> dict[str, Any]:  # Any: JSON
    return {"runs": list(runs)}


def test_run_is_found_by_its_key_alone_where_there_are_keys() -> None:
    """controller-contract 1: ours gives keys."""
    body = listed(
        {"run_id": "a", "idempotency_key": "other", "owner": MINE},
        {"run_id": "b", "idempotency_key": "k", "owner": MINE},
    )
    found = replies.find(body, Key("k"), MINE)
    assert found is not None and found.id == "b"
    assert replies.find(body, Key("absent"), MINE) is None


@table(
    ("runs", "found"),
    {
        "one open": ([{"run_id": "a", "owner": MINE}], "a"),
        "closed": ([{"run_id": "a", "owner": MINE, "closed_at": "then"}], None),
        "of another": ([{"run_id": "a", "owner": "somebody"}], None),
        "two open": ([{"run_id": "a", "owner": MINE}, {"run_id": "b", "owner": MINE}], None),
    },
)
def test_without_keys_only_the_one_open_run_of_ours_is_taken(
    runs: list[dict[str, Any]],  # Any: JSON
    found: str | None,
) -> None:
    """controller-contract 1: anything else is uncertain."""
    run = replies.find(listed(*runs), Key("k"), MINE)
    assert (run.id if run else None) == found


def test_wait_tells_of_the_asked_run_and_of_no_other() -> None:
    """controller-contract 1."""
    body = {"runs": [{"run_id": "x"}, {"run_id": "r", "status": "failed"}], "last_event_seq": 9}
    run, seq = replies.waited(body, RunId("r"))
    assert run is not None and (run.status, seq) == ("failed", 9)
    assert replies.waited({"runs": [{"run_id": "x"}]}, RunId("r")) == (None, None)


def test_result_keeps_what_it_does_not_say_again() -> None:
    """controller-contract 1: a lenient reading must lose no lock and no head."""
    found = replies.result({"result_text": "done"}, ASKED)
    assert (found.result, found.lock, found.head, found.status) == ("done", "l", "h", "completed")


def test_request_without_a_digest_is_a_fault() -> None:
    """R29: nothing may be shown that cannot be bound to what is approved."""
    whole = {"approval_id": "a", "digest": "d", "options": ["accept", 7]}
    assert replies.approvals({"approvals": [whole]})[0].id == ApprovalId("a")
    assert replies.approvals({"approvals": [whole]})[0].options == ("accept",)
    for name in ("approval_id", "digest"):
        with pytest.raises(PeerFault, match="approval_id or digest"):
            replies.approvals({"approvals": [whole | {name: ""}]})
    with pytest.raises(PeerFault, match="approvals is missing"):
        replies.approvals({})


@table(
    ("at", "ms"),
    [
        ("2026-01-01T00:00:00Z", 1_767_225_600_000),
        (1_767_225_600, 1_767_225_600_000),
        (1_767_225_600_000, 1_767_225_600_000),
        ("yesterday", 0),
        (True, 0),
        (None, 0),
    ],
)
def test_time_of_a_thread_is_read_in_three_forms(at: object, ms: int) -> None:
    """Ours: controllers differ, a list must not fail for it."""
    body = {"sessions": [{"session_id": "t", "updated_at": at}]}
    assert replies.sessions(body)[0].updated_at_ms == ms


@example({"runs": 5})
@example({"runs": True})
@given(st.dictionaries(st.sampled_from(["run", "runs", "session", "run_id", "sessions"]), JSON))
def test_no_json_object_raises_anything_but_a_fault(body: dict[str, Any]) -> None:  # Any: JSON
    """R10, F54: wrong types are the controller's fault, not a crash of ours."""
    for read in (
        replies.status,
        replies.lock,
        replies.sessions,
        replies.approvals,
        lambda found: replies.start(found, THREAD),
        lambda found: replies.find(found, Key("k"), MINE),
        lambda found: replies.waited(found, RunId("r")),
        lambda found: replies.result(found, ASKED),
    ):
        try:
            read(body)
        except PeerFault:
            continue
