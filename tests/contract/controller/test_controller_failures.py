"""Why a turn failed or waits, as one word each (issue 4, point 7; codex-app-server 6)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.controller.rig import Bench, Caller, made


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Only the real engine has a provider that could fail."""
    with made("codex", tmp_path_factory.mktemp("codex")) as bench:
        yield bench


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("status:401", "sign_in"),
        ("status:429", "rate_limited"),
        ("status:400", "engine_error"),
        ("failed:context_length_exceeded", "context_window"),
        ("failed:rate_limit_exceeded", "rate_limited"),
        ("failed:insufficient_quota", "usage_limit"),
        ("failed:server_is_overloaded", "overloaded"),
        ("failed:cyber_policy", "model_refused"),
        ("failed:model_not_found", "model_unknown"),
        ("failed:invalid_prompt", "engine_error"),
        ("cut", "connection_lost"),
    ],
)
async def test_a_failed_turn_says_why_and_the_thread_goes_on(
    call: Caller, thread: str, message: str, reason: str
) -> None:
    """Codex's `codexErrorInfo`, measured with the scripted model."""
    _, over = await call.run(thread, message)
    _, then = await call.run(thread, "reply:fine again")
    assert (over["status"], over["completion_reason"]) == ("failed", reason)
    assert over["completion_detail"]
    assert "/" not in over["completion_detail"]
    assert over["result_text"] is None
    assert over["actual_session_head"].endswith(":failed")
    assert then["result_text"] == "fine again"


async def test_a_failed_turn_that_nobody_heard_says_the_same(codex_bench: Bench) -> None:
    """The journal's words are in snake case, the events' in camel case."""
    thread = codex_bench.thread()
    async with codex_bench.killed() as call:
        started = await call.start(thread, "sleep:1\nfailed:context_length_exceeded")
    async with codex_bench.connect() as call:
        over = await call.over(started)
    assert (over["status"], over["completion_reason"]) == ("failed", "context_window")


async def test_a_turn_without_network_is_reported_as_waiting_and_can_be_stopped(
    codex_bench: Bench,
) -> None:
    """Codex never fails such a turn by itself (watched for 150 s)."""
    thread = codex_bench.thread()
    assert codex_bench.model is not None
    codex_bench.model.close()
    async with codex_bench.connect() as call:
        started = await call.start(thread, "reply:never")
        waiting = await call.until(started, lambda run: run["block_reason"] is not None)
        while waiting["block_reason"] == "retrying":
            waiting = await call.until(started, lambda run: run["block_reason"] != "retrying")
        await call("cancel", run_id=started["run_id"], reason="stop")
        over = await call.over(started)
    assert (waiting["status"], waiting["block_reason"]) == ("in_progress", "network_waiting")
    assert over["status"] == "cancelled"
