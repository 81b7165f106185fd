"""The desk's own commands against the real processes: what was, what is wrong, what to do."""

from __future__ import annotations

import json
import os
import plistlib
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from anyio import to_thread

from bridge import doctor
from bridge.wire.version import VERSION
from tests.e2e import rig
from tests.e2e.desk import over_codex
from tests.e2e.rig import BIN, House, Terminal, processes

FAULT, WRONG_USE = 1, 2  # exit codes of design 8


@pytest.fixture
async def chat(house: House) -> AsyncIterator[tuple[House, Terminal]]:
    """A house that is lived in, with one answer given; and its bridge."""
    bridge, _ = await house.moves_in()
    await house.phone.asks("/threads", "1. ")
    await house.phone.asks("/use 1", "Now using")
    await house.phone.asks("the secret plan", "the secret plan")
    yield house, bridge


async def says(house: House, *words: str, **settings: str) -> tuple[int, str]:
    """A command of the desk, ended: its exit code and all that it wrote."""
    terminal = house.opens("ctb-bridge", *words, **settings)
    code = await terminal.ends()
    assert "Traceback" not in terminal.shown
    return code, terminal.shown


async def ended(bridge: Terminal) -> None:
    bridge.signals(signal.SIGTERM)
    assert await bridge.ends() == 0


# what was


async def test_life_of_a_message_is_told_whole_with_and_without_a_bridge(
    chat: tuple[House, Terminal],
) -> None:
    """issue 5 item 10: times, states, attempts; no content, running or not."""
    house, bridge = chat
    for is_running in (True, False):
        if not is_running:
            await ended(bridge)
        code, newest = await says(house, "trace")
        assert code == 0 and "turn 1" in newest and "completed" in newest
        code, life = await says(house, "trace", "1")
        assert code == 0
        for words in ("message", "arrived", "turn planned", "turn.plan", "attempt 1", "sent"):
            assert words in life, life
        code, lines = await says(house, "audit", "--json")
        told = [json.loads(line) for line in lines.splitlines()]
        assert code == 0 and {"alias.put", "turn.plan", "turn.end"} <= {t["what"] for t in told}
        code, recent = await says(house, "audit", "--since", "1h")
        assert code == 0 and recent.count("turn.plan: ") == 1
        assert (await says(house, "dead"))[1].startswith("nothing was given up")
        assert "secret plan" not in newest + life + lines + recent


async def test_what_was_given_up_is_listed_retried_and_dropped(
    chat: tuple[House, Terminal],
) -> None:
    """delivery-semantics 9: by its name; a retry runs through the same states."""
    house, bridge = chat
    await ended(bridge)
    with closing(sqlite3.connect(house.data / "state" / "bridge.sqlite3")) as file, file:
        columns = "channel, peer, msg_key, body_hash, create_time_ms, received_ms, age_ms"
        rest = "quoted_id, quoted_text, quoted_part, has_files, is_files_alone, is_asked"
        last = "is_cut, is_released, attempts, meant"
        for key, text in (("mid:a1", "once more"), ("mid:a2", "never")):
            parts = json.dumps([{"kind": "text", "text": text}])
            file.execute(
                f"INSERT INTO inbox ({columns}, {rest}, {last}, parts, state, outcome, done_ms) "  # noqa: S608
                f"SELECT channel, peer, ?, ?, create_time_ms, received_ms, age_ms, {rest}, {last}, "
                "?, 'done', 'poison', done_ms FROM inbox WHERE outcome = 'turn'",
                (key, key, parts),
            )
        names = [f"E-M{row[0]}" for row in file.execute("SELECT id FROM inbox ORDER BY id")][-2:]
    code, shown = await says(house, "dead", "retry", names[0])
    assert code == FAULT and "the bridge does not run" in shown
    house.opens("ctb-bridge", "run")
    await house.is_healthy()
    assert names[0] in await house.phone.asks("/dead", names[1])
    code, listed = await says(house, "dead", "list")
    assert code == 0 and all(name in listed for name in names)
    assert (await says(house, "dead", "retry", names[0].lower()))[0] == 0
    await house.phone.reads("once more")
    assert (await says(house, "dead", "drop", names[1]))[0] == 0
    assert (await says(house, "dead"))[1].startswith("nothing was given up")
    code, shown = await says(house, "dead", "retry", names[0])
    assert code == FAULT and "is not among what was given up" in shown
    assert house.phone.count("never") == 0


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("trace", "99"), FAULT, "there is nothing yet"),
        (("trace", "seven"), WRONG_USE, "not a valid"),
        (("trace", "99999999999999"), WRONG_USE, "range"),
        (("dead",), FAULT, "there is nothing yet"),
        (("dead", "retry", "12"), WRONG_USE, "is no name of"),
        (("dead", "drop", "E-B1"), FAULT, "the bridge does not run"),
        (("audit", "--since", "soon"), WRONG_USE, "--since takes a number"),
        (("audit",), FAULT, "there is nothing yet"),
        (("service", "print", "phone"), WRONG_USE, "phone"),
    ],
)
async def test_command_that_cannot_be_done_is_a_sentence(
    house: House, words: tuple[str, ...], code: int, sentence: str
) -> None:
    """style, Commands: its cause and the next step; nothing is made by asking."""
    found, shown = await says(house, *words)
    assert found == code and sentence in shown
    assert not house.data.exists()


async def test_state_that_is_damaged_is_a_sentence_of_every_command(
    chat: tuple[House, Terminal],
) -> None:
    """F65: while no bridge runs, and while one is in safe mode."""
    house, bridge = chat
    await ended(bridge)
    (house.data / "state" / "bridge.sqlite3").write_bytes(b"no database at all" * 400)
    for words in (("trace",), ("dead",), ("audit",)):
        code, shown = await says(house, *words)
        assert code == FAULT and "its file cannot be read" in shown
    code, shown = await says(house, "doctor")
    assert code == FAULT and "fail  database" in shown and "restore data/state" in shown
    safe = house.opens("ctb-bridge", "run")
    await safe.expects("safe mode")
    code, shown = await says(house, "doctor")
    assert code == FAULT and "safe mode" in shown
    assert (await says(house, "trace"))[0] == FAULT


# what is wrong


async def test_doctor_finds_nothing_wrong_in_a_house_that_is_lived_in(
    chat: tuple[House, Terminal],
) -> None:
    """issue 5: each part has its line, no secret is shown, exit code 0."""
    house, _ = chat
    code, shown = await says(house, "doctor", COLUMNS="200")
    assert code == 0, shown
    for part in ("settings", "folders", "disk", "credentials", "bridge", "database"):
        assert f"ok    {part}" in shown, shown
    for part in ("worker", "account", "controller", "clock", "codex"):
        assert f"ok    {part}" in shown, shown
    body = json.loads(house.credentials.read_text())
    assert body["bot_token"] not in shown and body["user_id"] not in shown


async def test_doctor_of_an_empty_house_says_what_to_do_first(house: House) -> None:
    """Ours: the controller is tried by a run of its own; nothing is made."""
    code, shown = await says(house, "doctor", ILINK_PROXY="http://me:hunter2@127.0.0.1:1")
    assert code == FAULT and "hunter2" not in shown
    assert "run  ctb-channel login" in shown and "run  honcho start" in shown
    assert "ok    controller" in shown and not house.data.exists()


async def test_doctor_and_status_tell_a_file_that_is_open_from_a_missing_login(
    house: House,
) -> None:
    """R17: closing it is all that is needed, and that is what they say."""
    house.log_in()
    house.credentials.chmod(0o644)
    (house.data / "local").chmod(0o755)
    code, shown = await says(house, "doctor")
    assert code == FAULT and "chmod 600" in shown and "chmod 700" in shown
    (house.data / "local").chmod(0o700)
    house.opens("ctb-bridge", "run")
    worker = house.opens("ctb-channel", "run")
    await worker.expects("chmod 600")
    await house.is_told("open to other users")
    assert "login needed" not in "\n".join(await house.status())


async def test_status_and_worker_say_that_wechat_cannot_be_polled(
    chat: tuple[House, Terminal],
) -> None:
    """README: status says how all of it is; it said "polling", with code 0, for an hour."""
    house, _ = chat
    house.simulator.fail("getupdates", "status", code=503, times=1000)
    house.phone.says("the last that comes")
    await house.is_told("connected; WeChat cannot be polled (http 503)")
    code, shown = await says(house, "status")
    assert code == FAULT and "look at the network" in shown
    code, shown = await says(house, "doctor", COLUMNS="200")
    assert "warn  worker        connected; WeChat cannot be polled (http 503)" in shown


async def test_login_that_the_settings_of_the_worker_forbid_is_cured_in_one_step(
    house: House,
) -> None:
    """Ours: status, doctor and the worker sent to each other, and to a login that was there."""
    house.opens("ctb-bridge", "run")
    worker = house.opens("ctb-channel", "run", ILINK_BASE_URL="")
    await worker.expects("login needed")
    house.log_in()
    await worker.expects(house.credentials.name)
    await worker.expects("ILINK_BASE_URL")
    await house.is_told("restart the worker")
    code, shown = await says(house, "doctor", COLUMNS="200")
    assert code == FAULT and shown.count("restart the worker") == 1, shown
    assert "doctor  says" not in shown and "account" not in shown
    worker.signals(signal.SIGTERM)
    assert await worker.ends() == 0
    house.opens("ctb-channel", "run")
    await house.is_healthy()


async def test_doctor_names_a_controller_that_does_not_start(house: House) -> None:
    """Design 8: the variable to look at."""
    code, shown = await says(house, "doctor", CTB_CONTROLLER_COMMAND="/nowhere/controller")
    assert code == FAULT and "fail  controller" in shown and "CTB_CONTROLLER_COMMAND" in shown


async def test_doctor_gives_up_a_controller_that_ends_at_once(house: House) -> None:
    """Ours: nothing for over twenty seconds, and then words of the log."""
    began = time.monotonic()
    code, shown = await says(house, "doctor", CTB_CONTROLLER_COMMAND="false x", COLUMNS="200")
    assert code == FAULT and "fail  controller" in shown and "link.failed" not in shown
    assert "not looked at: CTB_CONTROLLER_COMMAND is another controller, false" in shown
    assert time.monotonic() - began < doctor.CONTROLLER_UP_S / 2


async def test_doctor_prints_each_finding_and_what_it_waits_for(house: House) -> None:
    """Ours: a terminal that says nothing looks hung."""
    terminal = house.opens("ctb-bridge", "doctor", CTB_CONTROLLER_COMMAND="sleep 100")
    await terminal.expects("fail  bridge")
    await terminal.expects("waiting for the controller, 20 s at most")
    assert "fail  controller" not in terminal.shown
    await terminal.is_killed()


async def test_doctor_names_a_codex_that_is_not_there(house: House) -> None:
    """Ours: only where the controller is ours over Codex."""
    house.settings.pop("CTB_CONTROLLER_COMMAND")
    code, shown = await says(house, "doctor", CTB_CODEX_COMMAND="/nowhere/codex")
    assert code == FAULT and "fail  codex" in shown and "CTB_CODEX_COMMAND" in shown


@pytest.mark.parametrize("command", ["ctb-bridge", "ctb-channel"])
async def test_log_file_in_a_folder_that_is_not_there_is_one_sentence(
    house: House, command: str
) -> None:
    """Design 8: exit code 2, nothing starts half."""
    terminal = house.opens(command, "run", CTB_LOG_FILE=str(house.folder / "no" / "{process}"))
    assert await terminal.ends() == WRONG_USE
    assert "CTB_LOG_FILE names a folder that is not there" in terminal.shown
    assert not house.data.exists()


async def test_codex_server_that_was_left_over_is_ended_when_idle() -> None:
    """issue 4 item 7: the bridge and its controller died; Codex stayed for nobody."""
    async with over_codex() as desk:
        house = desk.house
        thread = await desk.thread("left")
        await house.phone.asks(f"/add left {thread}", "left")
        await house.phone.asks("/send left reply:here it is", "here it is")
        for pid in [p for p, words in rig.processes(house.folder).items() if _is_ours(words)]:
            os.kill(pid, signal.SIGKILL)
        code, shown = await says(house, "status")
        assert code == FAULT and "bridge      not running" in shown
        assert "was left over and idle: ended" in shown, shown
        assert not any("app-server" in words for words in rig.processes(house.folder).values())
        code, shown = await says(house, "doctor")
        assert code == FAULT and "fail  bridge" in shown
        assert "no server of ours is left over" in shown
        assert "ok    codex         codex-cli" in shown


def _is_ours(words: str) -> bool:
    """The bridge, or its controller."""
    return "ctb-bridge" in words or "ctb-controller" in words


# services


async def test_bridge_and_worker_go_on_where_nobody_reads_what_they_print(house: House) -> None:
    """F75: a pipe whose reader is gone; the end is as quiet as ever, with code 0."""
    house.log_in()
    line = '{ "$0" run; echo "the code was $?" >&2; } | true'
    shells = [
        house.opens("/bin/sh", "-c", line, str(BIN / name))
        for name in ("ctb-bridge", "ctb-channel")
    ]
    await house.is_healthy()
    await house.phone.asks("/threads", "1. ")
    for pid, words in processes(house.folder).items():
        if "/bin/sh" not in words and words.endswith(" run"):
            os.kill(pid, signal.SIGTERM)
    for shell in shells:
        await shell.expects("the code was 0")


async def test_units_start_both_processes_and_leave_turns_alone(house: House) -> None:
    """Design 2: KillMode=process, no PrivateTmp, AbandonProcessGroup; any folder."""
    root = house.folder / 'my $HOME 100% "files"'
    root.mkdir()
    for process in ("bridge", "channel"):
        text = await to_thread.run_sync(_unit, house.folder, root, "--systemd", process)
        assert "KillMode=process\n" in text and "PrivateTmp=no\n" in text
        assert f'ExecStart="{rig.BIN}/ctb-{process}" "run"\n' in text
        assert 'my $HOME 100%% \\"files\\""\n' in text
        await to_thread.run_sync(_verify, house.folder / f"ctb-{process}.service", text)
        agent = await to_thread.run_sync(_unit, house.folder, root, "--launchd", process)
        body = plistlib.loads(agent.encode())
        assert body["AbandonProcessGroup"] is True
        assert body["ProgramArguments"] == [str(rig.BIN / f"ctb-{process}"), "run"]
        assert body["EnvironmentVariables"]["CTB_PROJECT_ROOT"] == str(root)
        assert "CTB_DATA_DIR" not in text + agent  # so that one in .env counts, now and later
        assert body["EnvironmentVariables"]["PATH"].startswith(f"{rig.BIN}{os.pathsep}")
    code, both = await says(house, "service", "print", "--systemd")
    assert code == 0 and both.count("[Unit]") == 2 and "~/.config/systemd/user/" in both
    code, both = await says(house, "service", "print", "--systemd", CTB_DATA_DIR="kept")
    assert both.count(f'Environment="CTB_DATA_DIR={house.folder}/kept"') == 2


@pytest.mark.parametrize("command", ["ctb-bridge", "ctb-channel", "ctb-controller", "ctb-mcp"])
async def test_every_command_says_its_version(house: House, command: str) -> None:
    """Ours: only one did; and it is that of the package."""
    terminal = house.opens(command, "--version")
    assert await terminal.ends() == 0
    assert terminal.shown.strip() == f"{command}, version {VERSION}"


async def test_settings_are_shown_and_senders_asked_without_a_log_left(house: House) -> None:
    """Ours: what only looks makes nothing."""
    for words in (("show-env",), ("probe-updates",)):
        await house.opens("ctb-channel", *words).ends()
    assert not house.data.exists()


def _unit(folder: Path, root: Path, kind: str, process: str) -> str:
    run = [str(rig.BIN / "ctb-bridge"), "service", "print", kind, process]
    env = rig.environment(folder) | {"CTB_PROJECT_ROOT": str(root)}
    return subprocess.run(run, env=env, capture_output=True, check=True, text=True).stdout


def _verify(file: Path, text: str) -> None:
    """Let systemd itself read the unit, where it is here."""
    verifier = shutil.which("systemd-analyze")
    if verifier is None:
        return
    file.write_text(text)
    words = [verifier, "--user", "verify", str(file)]
    found = subprocess.run(words, capture_output=True, check=False)
    assert file.name.encode() not in found.stderr, found.stderr


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "speaks MCP"),
        ({"CTB_CODEX_COMMAND": 'codex "'}, "CTB_CODEX_COMMAND"),
        ({"CODEX_HOME": "relative"}, "CODEX_HOME"),
    ],
)
async def test_controller_by_hand_is_one_sentence(
    house: rig.House, settings: dict[str, str], words: str
) -> None:
    """Design 8: exit code 2; it waited without a word, or showed a traceback."""
    terminal = house.opens("ctb-controller", **settings)
    assert await terminal.ends() == 2
    assert words in terminal.shown and terminal.shown.startswith("ctb-controller: ")
    assert len(terminal.shown.splitlines()) == 1
