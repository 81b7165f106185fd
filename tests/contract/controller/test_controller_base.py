"""What every engine of ours promises of the base tools (controller contract 1 and 3)."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from tests.contract.controller.rig import Bench, Caller, ToolError


async def test_a_message_runs_once_and_its_answer_comes_with_the_wait(
    call: Caller, thread: str
) -> None:
    """Contract 1: ours puts `result_text` into a run that is over."""
    started, over = await call.run(thread, "reply:the answer")
    assert over["status"] == "completed"
    assert over["result_text"] == "the answer"
    assert over["actual_session_head"].endswith(":completed")
    assert started["session_id"] == thread
    assert started["lock_token"]


async def test_a_chinese_message_and_an_emoji_survive(call: Caller, thread: str) -> None:
    """Issue 2, point 4."""
    _, over = await call.run(thread, "reply:你好，世界 👩‍💻")
    assert over["result_text"] == "你好，世界 👩‍💻"


async def test_the_same_key_answers_the_same_run_and_starts_nothing(
    call: Caller, thread: str
) -> None:
    """Contract 1: a replay answers with that run, also when it is over."""
    first = await call.start(thread, "reply:once", idempotency_key=f"{thread}-1")
    again = await call.start(thread, "reply:once", idempotency_key=f"{thread}-1")
    await call.over(first)
    await call.free(first)
    late = await call.start(thread, "reply:once", idempotency_key=f"{thread}-1")
    assert first["run_id"] == again["run_id"] == late["run_id"]
    assert late["lock_token"] is None
    assert late["run"]["status"] == "completed"


async def test_a_lock_token_lost_in_a_crash_is_given_again(
    call: Caller, ours: Bench, thread: str
) -> None:
    """Contract 1: ours gives it back to the same owner and key, until the release."""
    first = await call.start(thread, "reply:once", idempotency_key=f"{thread}-1")
    await call.over(first)
    again = await call.start(thread, "reply:once", idempotency_key=f"{thread}-1")
    await call.free(again)
    assert again["lock_token"] == first["lock_token"]
    assert again["run"]["result_text"] == "once"


async def test_the_same_key_with_another_message_is_refused(
    call: Caller, ours: Bench, thread: str
) -> None:
    """Contract 3.2, fault F53."""
    await call.run(thread, "reply:one", idempotency_key=f"{thread}-1")
    with pytest.raises(ToolError) as refused:
        await call.start(thread, "reply:two", idempotency_key=f"{thread}-1")
    assert refused.value.code == "key_conflict"


async def test_a_moved_head_is_refused_with_both_heads_and_the_key_stays_free(
    call: Caller, thread: str
) -> None:
    """Contract 3.4, fault F52: the same turn starts later with the new head."""
    _, over = await call.run(thread, "reply:one")
    with pytest.raises(ToolError) as refused:
        await call.start(
            thread,
            "reply:two",
            idempotency_key=f"{thread}-2",
            expected_session_head="old:completed",
        )
    head = (await call("status", session_id=thread))["session"]["session_head"]
    _, then = await call.run(
        thread, "reply:two", idempotency_key=f"{thread}-2", expected_session_head=head
    )
    assert refused.value.code == "head_conflict"
    assert head == over["actual_session_head"]
    facts = refused.value.facts
    assert facts.get("actual_session_head", head) == head
    assert facts.get("expected_session_head", "old:completed") == "old:completed"
    assert then["result_text"] == "two"


async def test_a_second_message_is_refused_while_a_turn_runs(call: Caller, thread: str) -> None:
    """Contract 3.3: `turn/start` during a turn would melt into it."""
    first = await call.start(thread, "sleep:30\nreply:late")
    with pytest.raises(ToolError) as refused:
        await call.start(thread, "reply:two")
    await call("cancel", run_id=first["run_id"], reason="test")
    assert refused.value.code == "busy"


async def test_another_owner_is_refused_until_the_thread_is_released(
    call: Caller, thread: str
) -> None:
    """Contract 1: a lock with any other owner is never touched."""
    first = await call.start(thread, "reply:one")
    await call.over(first)
    with pytest.raises(ToolError) as refused:
        await call.start(thread, "reply:two", owner="somebody")
    await call.free(first)
    _, over = await call.run(thread, "reply:two", owner="somebody")
    assert refused.value.code == "busy"
    assert over["result_text"] == "two"


async def test_a_stale_lock_is_taken_over_only_when_a_person_allowed_it(
    call: Caller, thread: str
) -> None:
    """Contract 1, `force_recover`."""
    first = await call.start(thread, "reply:one")
    await call.over(first)
    with pytest.raises(ToolError):
        await call("force_recover", session_id=thread, owner="new", human_authorized=False)
    taken = await call("force_recover", session_id=thread, owner="new", human_authorized=True)
    await call("release", session_id=thread, lock_token=taken["lock_token"])
    late = await call("release", session_id=thread, lock_token=first["lock_token"])
    assert taken["lock_token"] != first["lock_token"]
    assert late["session"]["status"] == "released"


async def test_a_cancelled_turn_ends_cancelled_within_a_second(call: Caller, thread: str) -> None:
    """Contract 1; measured 25 ms at Codex."""
    started = await call.start(thread, "sleep:30\nreply:late")
    reply = await call("cancel", run_id=started["run_id"], reason="stop")
    over = await call.over(started)
    await call.free(started)
    assert reply["run"]["status"] == over["status"] == "cancelled"
    assert over["completion_reason"] == "cancel_requested"


async def test_ack_close_and_release_can_be_repeated(call: Caller, thread: str) -> None:
    """Contract 1; the first time counts."""
    started = await call.start(thread, "reply:one")
    await call.over(started)
    await call.free(started)
    first = (await call("status", run_ids=[started["run_id"]]))["runs"][0]
    await call.free(started)
    again = (await call("status", run_ids=[started["run_id"]]))["runs"][0]
    assert first["delivery_ack_at"] == again["delivery_ack_at"] is not None
    assert first["closed_at"] == again["closed_at"] is not None


async def test_a_new_thread_is_made_and_listed(call: Caller, ours: Bench, workspace: Path) -> None:
    """Contract 1: `session_id` null."""
    started, over = await call.run(None, "reply:fresh", cwd=str(workspace))
    listed = await call("list_sessions")
    assert over["result_text"] == "fresh"
    row = next(r for r in listed["sessions"] if r["session_id"] == started["session_id"])
    assert row["cwd"] == str(workspace)
    assert row["state"] == "idle"


async def test_a_wait_ends_with_timeout_and_is_no_failure(call: Caller, thread: str) -> None:
    """Contract 1: every asked run is given as it stands, in both answers."""
    started = await call.start(thread, "sleep:30\nreply:late")
    seq = started["last_event_seq"]
    reply = await call("wait_any", run_ids=[started["run_id"]], after_seq=seq, timeout_ms=50)
    at_once = await call("wait_any", run_ids=[started["run_id"]], after_seq=None, timeout_ms=10_000)
    await call("cancel", run_id=started["run_id"], reason="test")
    assert reply["status"] == "timeout"
    assert reply["runs"][0]["status"] == "in_progress"
    assert at_once["status"] == "ready"


async def test_other_calls_are_answered_during_a_wait(call: Caller, thread: str) -> None:
    """Contract 1: waits are served beside each other; /stop must come through."""
    started = await call.start(thread, "sleep:30\nreply:late")
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call.over, started)
            await call("status", run_ids=[started["run_id"]])
            await call("cancel", run_id=started["run_id"], reason="stop")


async def test_an_abandoned_wait_harms_nothing(call: Caller, thread: str) -> None:
    """Contract 1: a run belongs to the controller, not to the call."""
    started = await call.start(thread, "sleep:1\nreply:still")
    with anyio.move_on_after(0.1):
        await call("wait_any", run_ids=[started["run_id"]], after_seq=99, timeout_ms=9000)
    over = await call.over(started)
    assert over["result_text"] == "still"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"message": "  "}, "message"),
        ({"message": "x", "cwd": "relative"}, "cwd"),
        ({"message": "x", "cwd": "/no/such/folder"}, "cwd"),
        ({"message": "x", "sandbox": "none-such"}, "sandbox"),
        ({"message": "x", "approval_policy": "always"}, "approval_policy"),
        ({"message": "x", "attachments": ["/etc/hostname"]}, "attachments"),
        ({"message": "x" * 1_000_001}, "message"),
        ({"message": 7}, "message"),
        ({"message": "x", "owner": True}, "owner"),
    ],
)
async def test_what_is_wrong_is_refused_by_name_before_the_engine(
    call: Caller, ours: Bench, thread: str, arguments: dict[str, object], named: str
) -> None:
    """Contract 3.9, threat-model R10."""
    order = {"session_id": thread, "owner": "o", "idempotency_key": "never"} | arguments
    with pytest.raises(ToolError) as refused:
        await call("start", **order)
    runs = await call("list_runs", owner="o")
    assert refused.value.code == "invalid"
    assert str(refused.value).startswith(named)
    assert runs["runs"] == []


async def test_an_unknown_thread_is_refused_and_none_is_made_instead(
    call: Caller, ours: Bench
) -> None:
    """Fault F55."""
    before = await call("list_sessions")
    with pytest.raises(ToolError) as refused:
        await call.start("01a20404-5299-7441-a18a-49f4ee77d2d5", "reply:x")
    after = await call("list_sessions")
    status = await call("status", session_id="01a20404-5299-7441-a18a-49f4ee77d2d5")
    assert refused.value.code == "not_found"
    assert before["sessions"] == after["sessions"]
    assert status["session"] is None


async def test_a_run_is_found_by_its_key_in_the_list(call: Caller, thread: str) -> None:
    """Contract 1: finding a run by its key."""
    before = await call("list_runs", session_id=thread)
    started, _ = await call.run(thread, "reply:one", idempotency_key=f"{thread}-1")
    listed = await call("list_runs", session_id=thread, limit=10)
    other = await call("list_runs", owner="nobody")
    assert listed["runs"][0]["run_id"] == started["run_id"]
    assert len(listed["runs"]) == len(before["runs"]) + 1
    assert listed["runs"][0]["idempotency_key"] == f"{thread}-1"
    assert listed["runs"][0]["transferred_to"] is None
    assert other["runs"] == []


async def test_status_tells_lock_head_and_folder(call: Caller, thread: str) -> None:
    """Contract 1."""
    started = await call.start(thread, "reply:one")
    over = await call.over(started)
    held = (await call("status", session_id=thread))["session"]
    await call.free(started)
    freed = (await call("status", session_id=thread))["session"]
    assert (held["status"], held["owner"]) == ("active", "ctb-private:owner")
    assert (freed["status"], freed["owner"]) == ("released", None)
    assert freed["session_head"] == over["actual_session_head"]
    assert freed.get("cwd") or freed.get("workspace_root")
