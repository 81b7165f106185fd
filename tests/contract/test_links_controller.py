"""The controller link against one that dies, hangs, babbles, lacks a tool, or is not there."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from bridge.core.attached import TurnFile
from bridge.core.errors import LinkDown, LinkLost, PeerFault, Refusal
from bridge.core.group_chat import group_peer
from bridge.core.model import (
    Key,
    PeerId,
    RunId,
    ThreadId,
)
from bridge.core.turns import Accepted, Busy, HeadMoved, Invalid
from bridge.links.controller import Controller, UnknownRun
from bridge.links.link import Link, ToolError
from tests.contract.controller.rig import SAMPLE
from tests.fakes.controller import transcript
from tests.faults.recorder import THREAD
from tests.unit import test_link_tools

ROOT = Path(__file__).parents[2]
LIMIT_S = 10.0
NO_READER = Link((), {}, Path("/dev/null"), {})
TURN = replace(test_link_tools.TURN, thread=ThreadId(THREAD), expected_head="head-0")
APPROVAL = test_link_tools.COMMAND


@asynccontextmanager
async def linked(folder: Path, *modes: str) -> AsyncIterator[Controller]:
    """A controller link that is kept up inside the block, to a recorder with these modes."""
    recorder = [sys.executable, "-m", "tests.faults.recorder", str(folder / "state.json"), *modes]
    env = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
    controller = Controller(recorder, env, folder / "stderr.log", "ctb-private", NO_READER)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(controller.keep)
        await until_up(controller)
        with anyio.fail_after(LIMIT_S):
            yield controller
        tasks.cancel_scope.cancel()


async def until_up(controller: Controller) -> None:
    with anyio.fail_after(LIMIT_S):
        while not controller.is_up:
            await controller.changed()


async def test_turn_is_started_found_waited_for_and_released(tmp_path: Path) -> None:
    """controller-contract 1: the whole way with the base tools alone."""
    async with linked(tmp_path) as controller:
        accepted = await controller.start(TURN)
        assert isinstance(accepted, Accepted) and accepted.lock is not None
        again = await controller.start(TURN)
        assert isinstance(again, Accepted) and (again.run, again.lock) == (accepted.run, None)
        found = await controller.find(TURN.key, TURN)
        assert found is not None and found.id == accepted.run
        run = await controller.result(await controller.wait(accepted.run, None))
        assert (run.status, run.result) == ("completed", "answer to hello")
        lock = await controller.recover_lock(TURN)
        assert lock is not None
        await controller.release(TURN.thread, lock)
        assert not (await controller.status(TURN.thread)).is_active


@pytest.mark.parametrize("form", ["text", "wrapped", "worded", "structured"])
async def test_controller_of_somebody_else_is_understood(tmp_path: Path, form: str) -> None:
    """controller-contract 1: whole numbers as ids, no argument but those, results in each form."""
    command = [sys.executable, "-m", "tests.fakes.strict", form]
    env = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
    controller = Controller(command, env, tmp_path / "stderr.log", "ctb-private", NO_READER)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(controller.keep)
        await until_up(controller)
        with anyio.fail_after(LIMIT_S):
            assert (await controller.status(TURN.thread)).head == "head-0"
            accepted = await controller.start(TURN)
            assert isinstance(accepted, Accepted) and accepted.lock == "lock-1"
            run = await controller.result(await controller.wait(accepted.run, accepted.seq))
            assert (run.status, run.result) == ("completed", "echo: 你好 😀")
            await controller.acknowledge(run.id)
            await controller.close_run(run.id)
            await controller.release(TURN.thread, accepted.lock)
            moved = await controller.start(replace(TURN, expected_head="head-1"))
            assert isinstance(moved, HeadMoved)
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("modes", "is_remote", "images"),
    [(("sessions",), False, ["/data/a.png"]), ((), False, []), (("sessions",), True, [])],
)
async def test_images_go_beside_the_text_only_to_a_controller_of_our_kind_here(
    tmp_path: Path, modes: tuple[str, ...], is_remote: bool, images: list[str]
) -> None:
    """controller-contract 1: `attachments` are images, for a controller with extension tools.

    One on another machine refuses a path of this one.
    """
    state = tmp_path / "state.json"
    command = [sys.executable, "-m", "tests.fakes.controller", str(state), *modes]
    env = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
    stderr = tmp_path / "stderr.log"
    controller = Controller(command, env, stderr, "ctb-private", NO_READER, is_remote=is_remote)
    files = (TurnFile("/data/a.png", "cat", True), TurnFile("/data/b.pdf", "report"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(controller.keep)
        await until_up(controller)
        with anyio.fail_after(LIMIT_S):
            await controller.start(replace(TURN, files=files))
        tasks.cancel_scope.cancel()
    (start,) = [call for call in transcript(state) if call["tool"] == "start"]
    assert start["arguments"]["attachments"] == images


async def test_call_to_a_controller_that_dies_in_it_ends_at_once(tmp_path: Path) -> None:
    """F48: nobody knows what became of it, and the link comes back under a new number."""
    async with linked(tmp_path, "dies:start") as controller:
        before = controller.link_no
        with pytest.raises(LinkLost):
            await controller.start(TURN)
        with pytest.raises(LinkDown):
            await controller.start(TURN)
        await until_up(controller)
        assert controller.link_no > before


async def test_controller_killed_between_calls_is_down_from_the_first_call_on(
    tmp_path: Path,
) -> None:
    """F48: who tries again in a loop must not meet the dead link, and starve the others."""
    async with linked(tmp_path) as controller:
        os.kill(int((tmp_path / "state.json.pid").read_text()), signal.SIGKILL)
        with pytest.raises((LinkLost, LinkDown)):
            while True:
                await controller.status(TURN.thread)
        assert not controller.is_up


async def test_call_that_is_not_answered_ends_with_its_deadline(tmp_path: Path) -> None:
    """F49: not knowing is LinkLost; the third missed deadline starts the controller again."""
    async with linked(tmp_path, "hangs:status") as controller:
        before = controller.link_no
        controller.counted_deadline_s = 0.05
        for missed in range(3):
            assert controller.is_up, missed
            with pytest.raises(LinkLost):
                await controller.status(TURN.thread, deadline_s=0.05)
        await until_up(controller)
        assert controller.link_no > before


async def test_first_connection_is_waited_for_and_a_later_one_only_a_moment(
    tmp_path: Path,
) -> None:
    """Ours: who writes while the bridge comes up is not told that nothing runs."""
    recorder = [sys.executable, "-m", "tests.faults.recorder", str(tmp_path / "state.json")]
    env = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
    command = [*recorder, "late:1"]
    controller = Controller(command, env, tmp_path / "stderr.log", "ctb-private", NO_READER)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(controller.keep)
        with anyio.fail_after(LIMIT_S):
            await controller.ready(0.1)
            assert controller.link_no == 0
            await controller.ready(0.1, LIMIT_S)
            assert controller.link_no == 1
            pid = int((tmp_path / "state.json.pid").read_text())
            os.kill(pid, signal.SIGKILL)
            while controller.link_no:
                await controller.changed()
            with anyio.fail_after(1.0):
                await controller.ready(0.1, LIMIT_S)
            assert controller.link_no == 0
        tasks.cancel_scope.cancel()


async def test_noise_on_stdout_is_passed_over(tmp_path: Path) -> None:
    """F54: log lines between the messages."""
    async with linked(tmp_path, "noise") as controller:
        assert (await controller.status(TURN.thread)).head == "head-0"


@pytest.mark.parametrize("mode", ["wrong:start", "text:start"])
async def test_answer_of_wrong_types_is_the_controllers_fault(tmp_path: Path, mode: str) -> None:
    """F54: an error that names the tool; the link stays up."""
    async with linked(tmp_path, mode) as controller:
        with pytest.raises(PeerFault, match="cross_thread_start"):
            await controller.start(TURN)
        assert controller.is_up


async def test_status_of_wrong_types_says_nothing_is_known(tmp_path: Path) -> None:
    """F54: read leniently; no crash, no head, no lock."""
    async with linked(tmp_path, "wrong:status") as controller:
        found = await controller.status(TURN.thread)
        assert (found.head, found.owner, found.is_active) == (None, "", False)


async def test_run_list_of_wrong_types_holds_no_run(tmp_path: Path) -> None:
    """F54: the start gate then looks at the head."""
    async with linked(tmp_path, "wrong:list_runs") as controller:
        assert await controller.find(TURN.key, TURN) is None


@pytest.mark.parametrize("mode", ["drops:start", "drops-field:start:idempotency_key"])
async def test_controller_without_start_is_never_asked_to(tmp_path: Path, mode: str) -> None:
    """R32, F60: said once, and the rest goes on."""
    async with linked(tmp_path, mode) as controller:
        assert controller.trouble is Refusal.CONTROLLER_LACKS
        with pytest.raises(LinkDown):
            await controller.start(TURN)
        assert (await controller.status(TURN.thread)).head == "head-0"
        assert '"tool": "start"' not in (tmp_path / "state.json.calls").read_text()


@pytest.mark.parametrize("field", ["sandbox", "approval_policy"])
async def test_group_starts_nothing_at_a_controller_that_confines_nothing(
    tmp_path: Path, field: str
) -> None:
    """R5, R32: a field that is not declared may be ignored; the owner's own turns go on."""
    asked = replace(TURN, peer=group_peer("77"), alias="1", sandbox="read-only")
    async with linked(tmp_path, f"drops-field:start:{field}") as controller:
        assert isinstance(await controller.start(asked), Invalid)
        assert isinstance(await controller.start(TURN), Accepted)
        assert (tmp_path / "state.json.calls").read_text().count('"tool": "start"') == 1
    async with linked(tmp_path) as controller:
        again = replace(asked, key=Key("ctb1:g"), expected_head=None)
        assert isinstance(await controller.start(again), Accepted)
        assert controller.owner(asked) == "ctb-group-qa:1"


async def test_unknown_run_is_said_to_be_unknown(tmp_path: Path) -> None:
    """delivery-semantics 6: running, unknown_run -> settling(uncertain)."""
    async with linked(tmp_path) as controller:
        with pytest.raises(UnknownRun) as unknown:
            await controller.wait(RunId("nobody"), None)
        assert unknown.value.is_denied


@pytest.mark.parametrize("mode", ["forgets-runs", "omits-runs"])
async def test_wait_that_says_nothing_of_its_run_does_not_go_on_for_ever(
    tmp_path: Path, mode: str
) -> None:
    """delivery-semantics 6: its key is asked for then; a run that goes on was passed over."""
    async with linked(tmp_path, mode) as controller:
        accepted = await controller.start(replace(TURN, prompt="sleep:60"))
        assert isinstance(accepted, Accepted)
        with pytest.raises(UnknownRun) as unknown:
            await controller.wait(accepted.run, None)
        assert not unknown.value.is_denied
        found = await controller.find(TURN.key, TURN)
        assert (found is not None) is (mode == "omits-runs")


@pytest.mark.parametrize("code", ["not_found", "invalid"])
async def test_decision_about_a_request_that_is_gone_is_not_taken(
    tmp_path: Path, code: str
) -> None:
    """controller-contract 2: a wrong digest or a second answer changes nothing."""
    async with linked(tmp_path, f"refuses:answer:{code}") as controller:
        assert await controller.answer(APPROVAL) is False


@pytest.mark.parametrize("code", ["engine_down", "busy", ""])
async def test_decision_that_cannot_be_taken_now_is_not_called_gone(
    tmp_path: Path, code: str
) -> None:
    """delivery-semantics 6: it stays `answering`, and is given again."""
    async with linked(tmp_path, f"refuses:answer:{code}") as controller:
        with pytest.raises(ToolError):
            await controller.answer(APPROVAL)


async def test_debts_of_a_run_that_is_not_known_are_told_apart(tmp_path: Path) -> None:
    """issue 4, item 2: they are dropped, so that the thread is free at once."""
    state = tmp_path / "state.json"
    command = [sys.executable, "-m", "tests.fakes.controller", str(state)]
    env = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
    controller = Controller(command, env, tmp_path / "stderr.log", "ctb-private", NO_READER)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(controller.keep)
        await until_up(controller)
        for call in (controller.acknowledge, controller.close_run):
            with anyio.fail_after(LIMIT_S), pytest.raises(UnknownRun):
                await call(RunId("run-of-yesterday"))
        tasks.cancel_scope.cancel()


async def test_lock_of_another_owner_is_told_with_its_owner(tmp_path: Path) -> None:
    """issue 4, item 3: who has the thread is among the facts of the refusal."""
    words = ["-c", "from bridge.codex.cli import main; main()", "--engine", "echo"]
    env = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "CODEX_HOME": str(tmp_path)}
    controller = Controller(
        [sys.executable, *words], env, tmp_path / "stderr.log", "ctb-private", NO_READER
    )
    mine = replace(TURN, thread=ThreadId(SAMPLE), cwd="", expected_head=None)
    theirs = replace(mine, key=Key("ctb1:q"), peer=PeerId("q"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(controller.keep)
        await until_up(controller)
        with anyio.fail_after(LIMIT_S):
            accepted = await controller.start(theirs)
            assert isinstance(accepted, Accepted)
            await controller.wait(accepted.run, None)
            assert await controller.start(mine) == Busy("ctb-private:q", is_locked=True)
        tasks.cancel_scope.cancel()


async def test_serial_controller_is_asked_in_slices_of_a_second(tmp_path: Path) -> None:
    """F49: slices never grow beside one that answers nothing during a wait."""
    async with linked(tmp_path) as controller:
        long = replace(TURN, prompt="sleep:2.5")
        accepted = await controller.start(long)
        assert isinstance(accepted, Accepted)
        await controller.wait(accepted.run, None)
        calls = (tmp_path / "state.json.calls").read_text()
        assert calls.count('"timeout_ms": 1000') == 3
        assert calls.count('"timeout_ms"') == 3


async def test_cancel_reaches_a_serial_controller_between_two_slices(tmp_path: Path) -> None:
    """F49: `/stop` is through in two seconds."""
    async with linked(tmp_path) as controller, anyio.create_task_group() as tasks:
        long = replace(TURN, prompt="sleep:60")
        accepted = await controller.start(long)
        assert isinstance(accepted, Accepted)
        tasks.start_soon(controller.cancel, accepted.run, "stopped by the owner")
        run = await controller.wait(accepted.run, None)
        assert run.status == "completed"


async def test_program_that_does_not_exist_is_told_apart(tmp_path: Path) -> None:
    """issue 2, bad input: the desk is told to check the command."""
    controller = Controller(
        [str(tmp_path / "nothing")], {}, tmp_path / "stderr.log", "ctb-private", NO_READER
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(controller.keep)
        with anyio.fail_after(LIMIT_S):
            while controller.trouble is not Refusal.CONTROLLER_MISSING:
                await controller.changed()
        with pytest.raises(LinkDown):
            await controller.start(TURN)
        tasks.cancel_scope.cancel()
