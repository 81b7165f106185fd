"""Bad input, from the card: one clear sentence to whoever asked, and nothing is lost."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import SocketStream

from bridge.wire import codec
from tests.e2e import rig
from tests.e2e.rig import House, Terminal

WRONG_USE, MISMATCH, RUNNING = 2, 3, 4  # exit codes of design 8


@pytest.fixture
async def chat(house: House) -> AsyncIterator[House]:
    """A house that is lived in, with a thread in use."""
    await house.moves_in()
    await house.phone.asks("/threads", "1. ")
    await house.phone.asks("/use 1", "Now using")
    yield house


# settings


@pytest.mark.parametrize(
    ("command", "name", "value", "example"),
    [
        ("ctb-bridge", "CTB_QUEUE_LIMIT", "many", "CTB_QUEUE_LIMIT=50"),
        ("ctb-bridge", "CTB_LANG", "klingon", "CTB_LANG=zh"),
        ("ctb-bridge", "CTB_CONTROLLER_COMMAND", "[1", "CTB_CONTROLLER_COMMAND=ctb-controller"),
        ("ctb-channel", "ILINK_POLL_TIMEOUT_SECONDS", "-1", "ILINK_POLL_TIMEOUT_SECONDS=35"),
        ("ctb-channel", "ILINK_BASE_URL", "http://example.org", "ILINK_BASE_URL=https://"),
    ],
)
async def test_wrong_setting_is_one_sentence_with_the_variable_and_an_example(
    house: House, command: str, name: str, value: str, example: str
) -> None:
    """Design 8: exit code 2, nothing starts half."""
    terminal = house.opens(command, "run", **{name: value})
    assert await terminal.ends() == WRONG_USE
    assert name in terminal.shown and example in terminal.shown
    assert len(_lines(terminal)) <= 2  # one sentence, perhaps wrapped
    assert not house.data.exists()


async def test_a_socket_path_that_is_too_long_is_one_sentence(house: House) -> None:
    """Card; threat-model R15: the kernel would cut it."""
    terminal = house.opens("ctb-bridge", "run", CTB_SOCKET=f"/tmp/{'x' * 110}/bridge.sock")
    assert await terminal.ends() == WRONG_USE
    assert "CTB_SOCKET=" in terminal.shown and "bytes" in terminal.shown
    assert not house.data.exists()


async def test_a_socket_in_a_shared_folder_asks_for_another_path(house: House) -> None:
    """Threat-model R13, R15: nobody is told to close /tmp, or their home, to everybody."""
    house.folder.chmod(0o755)
    terminal = house.opens("ctb-bridge", "run", CTB_SOCKET=str(house.folder / "bridge.sock"))
    assert await terminal.ends() == WRONG_USE
    assert "CTB_SOCKET=" in terminal.shown and "chmod" not in terminal.shown


@pytest.mark.parametrize("command", ["ctb-bridge", "ctb-channel"])
async def test_a_data_folder_that_cannot_be_made_is_one_sentence(
    house: House, command: str
) -> None:
    """Design 8: exit code 2, no traceback; the variable and an example."""
    terminal = house.opens(command, "run", CTB_DATA_DIR="/dev/null/data")
    assert await terminal.ends() == WRONG_USE
    assert "cannot be made" in terminal.shown and len(_lines(terminal)) == 1
    assert terminal.shown.count("CTB_DATA_DIR") == 2


async def test_a_codex_that_is_not_there_is_said_at_the_start_and_by_status(house: House) -> None:
    """Ours: only doctor and the phone knew; everything else said that all is well."""
    house.settings.pop("CTB_CONTROLLER_COMMAND")
    house.log_in()
    bridge = house.opens("ctb-bridge", "run", CTB_CODEX_COMMAND="/nowhere/codex")
    assert "/nowhere/codex cannot be found: install" in await bridge.expects("ready")
    house.opens("ctb-channel", "run")
    await house.is_told("controller  connected")
    assert "/nowhere/codex cannot be found" in "\n".join(await house.status())
    status = house.opens("ctb-bridge", "status")
    assert await status.ends() == 1


async def test_closing_the_credential_file_to_others_is_all_that_is_needed(house: House) -> None:
    """Threat-model R17: the sentence names one command, and that one helps."""
    house.log_in()
    house.credentials.chmod(0o644)
    house.opens("ctb-bridge", "run")
    worker = house.opens("ctb-channel", "run")
    await worker.expects("chmod 600")
    house.credentials.chmod(0o600)
    await house.phone.asks("/help", "Commands:")
    assert "login needed" not in worker.shown


# credentials


async def test_worker_without_a_login_says_so_and_goes_on_once_there_is_one(house: House) -> None:
    """Card, item 6."""
    house.opens("ctb-bridge", "run")
    worker = house.opens("ctb-channel", "run")
    await worker.expects("login needed: run ctb-channel login")
    house.phone.says("/help")
    house.log_in()
    await house.phone.reads("Commands:")


@pytest.mark.parametrize(
    ("mode", "content", "sentence"),
    [
        (0o644, None, "is open to other users: run  chmod 600"),
        (0o600, '{"bot_token": "abc", "acc', "is not whole: run  ctb-channel login"),
        (0o600, "[]", "is no credential file: run  ctb-channel login"),
        (0o600, '{"account_id": "a@im.bot"}', "bot_token must be text: run  ctb-channel login"),
    ],
)
async def test_a_credential_file_that_cannot_be_trusted_is_named_and_not_used(
    house: House, mode: int, content: str | None, sentence: str
) -> None:
    """Card; threat-model R17. The worker stays, and uses the file once it is right."""
    house.log_in()
    if content is not None:
        house.credentials.write_text(content)
    house.credentials.chmod(mode)
    house.opens("ctb-bridge", "run")
    worker = house.opens("ctb-channel", "run")
    await worker.expects(sentence)
    assert not house.world.calls("getupdates")
    house.log_in()
    await house.phone.asks("/help", "Commands:")


# one of each


async def test_a_second_bridge_and_a_second_worker_leave_the_first_alone(chat: House) -> None:
    """Design 8: exit code 4."""
    for command in ("ctb-bridge", "ctb-channel"):
        second = chat.opens(command, "run")
        assert await second.ends() == RUNNING
        assert "already running" in second.shown and len(_lines(second)) == 1
    await chat.phone.asks("still there?", "echo: still there?")


async def test_a_bridge_that_says_ready_can_be_ended_in_that_instant(house: House) -> None:
    """Design 8: exit code 0 from the first word on, and nothing is left."""
    bridge = house.opens("ctb-bridge", "run")
    await bridge.expects("ready")
    bridge.signals(signal.SIGTERM)
    assert await bridge.ends() == 0
    assert not (house.data / "run" / "bridge.sock").exists()


async def test_a_socket_left_over_by_a_kill_is_no_obstacle(house: House) -> None:
    """Card, bad input."""
    bridge, _ = await house.moves_in()
    await bridge.is_killed()
    assert (house.data / "run" / "bridge.sock").is_socket()
    house.opens("ctb-bridge", "run")
    await house.phone.asks("/help", "Commands:")


async def test_a_bridge_of_another_version_ends_the_worker_with_one_sentence(
    house: House,
) -> None:
    """Design 5: exit code 3, and no polling."""
    house.log_in()
    async with _bridge_of_another_version(house.folder / "other.sock") as path:
        for command in (["ctb-channel", "run"], ["ctb-bridge", "status"]):
            terminal = house.opens(*command, CTB_SOCKET=path)
            assert await terminal.ends() == MISMATCH
            assert "the bridge speaks protocol 99" in terminal.shown
            assert "Traceback" not in terminal.shown
    assert not house.world.calls("getupdates")


async def test_status_says_how_it_is_or_how_to_start(house: House) -> None:
    """Ours: exit code 0 when all is well, 1 when a person has to do something."""
    status = house.opens("ctb-bridge", "status")
    assert await status.ends() == 1
    assert "not running" in status.shown and "ctb-bridge run" in status.shown
    await house.moves_in()
    await house.phone.asks("/threads", "1. ")
    status = house.opens("ctb-bridge", "status")
    assert await status.ends() == 0
    for line in ("bridge      running", "worker      connected, polling", "controller  connected"):
        assert line in status.shown


# the controller


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("/nowhere/controller", "the controller command was not found"),
        (
            shlex.join([sys.executable, "-c", "raise SystemExit(7)"]),
            "the controller is not running",
        ),
    ],
)
async def test_without_a_controller_the_phone_is_served_and_told(
    house: House, command: str, why: str
) -> None:
    """Card, bad input: the phone is still polled and told."""
    house.settings["CTB_CONTROLLER_COMMAND"] = command
    house.log_in()
    house.opens("ctb-bridge", "run")
    house.opens("ctb-channel", "run")
    await house.phone.asks("/help", "Commands:")
    # It may be about to start it: that is told as well.
    await house.phone.asks_until("/threads", "cannot be listed", why)
    status = house.opens("ctb-bridge", "status")
    assert await status.ends() == 1
    assert why in status.shown


async def test_what_waits_for_a_controller_runs_when_there_is_one(house: House) -> None:
    """Card, bad input: it loses nothing."""
    bridge, _ = await house.moves_in()
    await house.phone.asks("/threads", "1. ")
    await house.phone.asks("/use 1", "Now using")
    bridge.signals(signal.SIGTERM)
    assert await bridge.ends() == 0
    bridge = house.opens("ctb-bridge", "run", CTB_CONTROLLER_COMMAND="/nowhere/controller")
    await house.phone.asks("while you were out", "is sent when it is back")
    bridge.signals(signal.SIGTERM)
    assert await bridge.ends() == 0
    house.opens("ctb-bridge", "run")
    await house.phone.reads("echo: while you were out")


# the phone


async def test_a_message_before_any_thread_is_chosen_is_told_what_to_do(house: House) -> None:
    """Card, bad input."""
    await house.moves_in()
    await house.phone.asks("hello", "No thread is chosen yet. Send /threads, then /use 1.")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("/use 99", "The last list has no 99. Send /threads"),
        ("/use nobody", "There is no nobody. /list shows"),
        ("/send nobody hello", "There is no nobody."),
        ("/add code 99", "The last list has no 99."),
        ("/add code not-a-thread", "no such thread"),
        ("/remove nobody", "There is no nobody."),
        ("/add", "Usage: /add <name>"),
        ("/stop nobody", "There is no nobody."),
        ("/frobnicate", "There is no such command. "),
        ("/yes", "There is nothing to confirm."),
        ("/cancel 7", "#7 is not waiting."),
        ("/result 7", "There is no answer #7, or"),
        ("/approve zzzz", "No pending request has this code."),
        (" \n ", "That message was empty."),
    ],
)
async def test_what_cannot_be_done_is_one_clear_sentence(
    served: House, text: str, answer: str
) -> None:
    """Card, bad input; each with a next step."""
    found = await served.phone.asks(text, answer)
    assert found.count("\n") <= 1


MALFORMED: list[Any] = [  # Any: what no message of WeChat looks like
    "a word",
    None,
    [],
    {},
    {"message_id": 1, "from_user_id": 5, "item_list": "none"},
    {"message_id": "x", "from_user_id": "{owner}", "item_list": [{"type": "one"}]},
    {"message_id": 2, "from_user_id": "{owner}", "item_list": [{"type": 1, "text_item": 7}]},
    {"message_id": {}, "from_user_id": "{owner}", "create_time_ms": "soon", "item_list": [None]},
    {"message_id": 3, "from_user_id": "{owner}", "message_type": "1", "item_list": {"a": 1}},
]


async def test_malformed_updates_do_not_stop_the_next_good_message(served: House) -> None:
    """Card, bad input: what cannot be read is set aside, alone."""
    for number, message in enumerate(MALFORMED):
        given = json.loads(json.dumps(message).replace("{owner}", served.world.owner_id))
        served.world.put(given)
        await served.phone.asks(
            f"/result {9000 + number}", f"There is no answer #{9000 + number}, or"
        )


# what must never happen


async def test_no_process_of_ours_listens_on_the_network(chat: House) -> None:
    """Design 2: the bridge has a private socket and no TCP listener; the worker has none."""
    await chat.phone.asks("hello", "echo: hello")
    found = rig.processes(chat.folder)
    assert len(found) >= 3  # bridge, worker, controller
    assert [address for pid in found for address in rig.tcp_listeners(pid)] == []


async def test_no_traceback_and_no_path_reaches_the_phone(chat: House) -> None:
    """Threat-model R28: each of these goes wrong, and the phone hears a sentence."""
    await chat.phone.asks("fail:rate_limited", "/retry")
    await chat.phone.asks("/add ../etc 1", "../etc cannot be a name")
    for pid, words in rig.processes(chat.folder).items():
        if "ctb-controller" in words:
            os.kill(pid, signal.SIGKILL)
    await chat.phone.asks("after the controller died", "echo: after the controller died")
    assert rig.indiscretions(chat.phone.texts()) == []


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One loop for the module, so that its tests can share a house."""
    return "asyncio"


@pytest.fixture(scope="module")
async def served() -> AsyncIterator[House]:
    """One house for all tests that only write to the bot."""
    async with rig.house() as house:
        await house.moves_in()
        await house.phone.asks("/threads", "1. ")
        yield house


def _lines(terminal: Terminal) -> list[str]:
    return terminal.shown.strip().splitlines()


@asynccontextmanager
async def _bridge_of_another_version(path: Path) -> AsyncIterator[str]:
    """Answers every greeting as a bridge with another protocol does."""

    async def greet(stream: SocketStream) -> None:
        async with stream:
            asked = json.loads(await stream.receive())
            sentence = "the bridge speaks protocol 99, the caller 1: install the same version"
            refusal = codec.Failure(asked["id"], codec.PROTOCOL_MISMATCH, sentence)
            await stream.send(codec.encode(refusal))

    listener = await anyio.create_unix_listener(path)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, greet)
        yield str(path)
        tasks.cancel_scope.cancel()
