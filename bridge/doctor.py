"""What would a person want to know at three in the morning? One line for each part.

Settings and where each came from, folders, disk, database, the running bridge with its
worker and account, credentials, controller, Codex and its leftover server. Every wait is
bounded; nothing is changed but a leftover Codex server of ours, which is ended when idle.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

import anyio

from bridge.app import FOLDERS
from bridge.ask import NotRunning, ask
from bridge.core.errors import StoreFault
from bridge.health import of_account, of_controller
from bridge.links.controller import Controller
from bridge.links.link import Link
from bridge.records import offline
from bridge.settings import Settings, codex_words
from bridge.store import accounts
from bridge.tasks.door import MIN_FREE_BYTES
from bridge.wire import desk, env, place
from bridge.wire.desk import Finding
from bridge.wire.peer import PeerFault, Refused

CONTROLLER_UP_S = 20.0  # a first start of Codex on a cold disk, over ssh
MOMENT_S = 1.0  # somebody who reads nothing new for longer wonders
COMMAND_S = 15.0  # the npm launcher takes a second
ALIKE = 0.8  # of a name that is meant: all begin with the same letters
SCARCE_BYTES = 5 * MIN_FREE_BYTES  # time to make room before nothing is fetched any more
MAX_CREDENTIALS_BYTES = 64 * 1024  # as the worker reads them
SECRET = ("TOKEN", "PROXY", "KEY", "SECRET", "PASSWORD")  # words in names whose value stays hidden


def examine(
    settings: Settings, given: env.Env, environ: Mapping[str, str], note: Callable[[str], None]
) -> Iterator[Finding]:
    """Every finding once it is known, in the order in which things depend on each other.

    `note` is told what is waited for, where that takes more than a moment.
    """
    yield from (Finding("ok", "settings", line) for line in origins(given, environ))
    yield from unknown(given)
    yield from folders(settings.data_dir)
    yield disk(_free_bytes(settings.data_dir))
    yield credentials(given, settings.data_dir)
    # First: a controller that is tried ends what was left over.
    yield from _codex(settings)
    try:
        bridge = anyio.run(ask, settings.socket, desk.DoctorGet())
    except NotRunning:
        yield from _without_bridge(settings, note)
    except (PeerFault, Refused) as fault:
        step = "restart the bridge: it runs another version than this command"
        yield Finding("fail", "bridge", str(fault), step)
    else:
        yield Finding("ok", "bridge", f"running, listens on {settings.socket}")
        yield from bridge.findings


# settings


def origins(given: env.Env, environ: Mapping[str, str]) -> list[str]:
    """The variables that are set, each with its value and where it came from; no secrets."""
    lines = []
    for name in given.names():
        if name.startswith(("CTB_", "ILINK_", "CODEX_HOME", "CROSS_THREAD_CONTROLLER_DB")):
            where = "environment" if environ.get(name, "").strip() else ".env"
            hidden = any(word in name for word in SECRET) or name == "ILINK_OWNER_USER_IDS"
            value = "is set, not shown" if hidden else f"= {given.text(name)}"
            lines.append(f"{name} {value} ({where})")
    return lines or [f"nothing is set; all defaults, project root {given.project_root}"]


def unknown(given: env.Env) -> list[Finding]:
    """Names like ours that nothing reads: a slip of the pen, which had no effect."""
    found = []
    for name in given.names():
        if name.startswith(("CTB_", "ILINK_")) and name not in env.SETTINGS:
            alike = get_close_matches(name, env.SETTINGS, 1, ALIKE)
            step = f"write {alike[0]}" if alike else "see .env.example"
            found.append(Finding("warn", "settings", f"{name} is no setting of ours", step))
    return found


# files


def folders(data_dir: Path) -> list[Finding]:
    """Whether our folders are ours alone; one that is not there is made at the next start."""
    faults = [fault for name in FOLDERS if (fault := _fault_of(data_dir / name)) is not None]
    if faults:
        return [Finding("fail", "folders", says, step) for says, step in faults]
    says = "private" if _is_there(data_dir) else "made at the first start"
    return [Finding("ok", "folders", f"{data_dir}, {says}")]


def _fault_of(path: Path) -> tuple[str, str] | None:
    """What is wrong with a folder of ours, and what to do about it."""
    try:
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode):
            return f"{path} is no folder", "move it away"
        if found.st_uid != os.geteuid():
            return f"{path} belongs to another user", "chown it, or set CTB_DATA_DIR"
        # As git made it, it becomes private at the start.
        if found.st_mode & 0o077 and [each.name for each in path.iterdir()] != [".gitignore"]:
            return f"{path} is open to other users", f"chmod 700 '{path}'"
    except FileNotFoundError:
        return None
    except OSError as failed:
        return f"{path} cannot be looked at: {failed.strerror}", "see who owns it"
    return None


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # nobody may look
        return False


def _free_bytes(data_dir: Path) -> int:
    """On the disk where the data folder is, or would be made."""
    there = next(path for path in (data_dir, *data_dir.absolute().parents) if _is_there(path))
    return shutil.disk_usage(there).free


def disk(free_bytes: int) -> Finding:
    """Room for what is fetched and stored."""
    says = f"{free_bytes // 1_048_576} MiB free"
    if free_bytes < MIN_FREE_BYTES:
        return Finding("fail", "disk", f"{says}: nothing more is fetched", "make room")
    if free_bytes < SCARCE_BYTES:
        return Finding("warn", "disk", says, "make room before it is below 200 MiB")
    return Finding("ok", "disk", says)


def credentials(given: env.Env, data_dir: Path) -> Finding:
    """Whether there is a login that the worker can use; nothing of it is shown."""
    if given.text("ILINK_BOT_TOKEN"):
        says, step = "a token in the environment", "a login keeps it in a private file"
        return Finding("warn", "credentials", says, step)
    path = given.path("ILINK_CREDENTIALS_PATH", data_dir / "local" / "ilink_credentials.json")
    try:
        body = json.loads(place.read_private(path, MAX_CREDENTIALS_BYTES))
    except FileNotFoundError:
        return Finding("fail", "credentials", "there are none", "run  ctb-channel login")
    except place.TooOpen as fault:
        says, _, step = str(fault).partition(": ")
        return Finding("fail", "credentials", says, step)
    except place.PlaceFault as fault:
        return Finding("fail", "credentials", str(fault), "run  ctb-channel login  again")
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict) or not body.get("bot_token"):
        says = f"{path} is not whole"
        return Finding("fail", "credentials", says, "run  ctb-channel login  again")
    return Finding("ok", "credentials", f"{path}, private, login {body.get('generation', 1)}")


# without a bridge


def _without_bridge(settings: Settings, note: Callable[[str], None]) -> Iterator[Finding]:
    """What the bridge would have said: its database, and its controller by a run of its own."""
    yield Finding("fail", "bridge", "not running", "run  honcho start  or  ctb-bridge run")
    try:
        account = offline(settings, accounts.get)
    except place.AlreadyRunning as running:
        step = "end that process: it holds the lock and does not answer"
        yield Finding("fail", "database", str(running), step)
    except (StoreFault, place.PlaceFault, OSError) as fault:
        step = "restore data/state from a backup, or move it away to begin anew"
        yield Finding("fail", "database", str(fault), step)
    else:
        says = "whole" if account else "there is none yet; it is made at the first start"
        yield Finding("ok", "database", says)
        if account:
            yield of_account(account, time.time_ns() // 1_000_000)
    yield anyio.run(_controller, settings, note)


async def _controller(settings: Settings, note: Callable[[str], None]) -> Finding:
    """Start the controller once, look at its tools, and end it."""

    async def note_wait() -> None:
        await anyio.sleep(MOMENT_S)
        note(f"waiting for the controller, {CONTROLLER_UP_S:.0f} s at most")

    nowhere = Path(os.devnull)
    reader = Link((), {}, nowhere, {})
    controller = Controller(
        settings.controller, settings.controller_env, nowhere, "ctb-doctor", reader
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(controller.keep)
        tasks.start_soon(note_wait)
        await controller.ready(0, CONTROLLER_UP_S)  # one that ends at once is not waited for
        found = of_controller(controller)
        tasks.cancel_scope.cancel()
    return found


# Codex


def _codex(settings: Settings) -> Iterator[Finding]:
    """The Codex CLI and a server of ours that was left over, where the controller is ours."""
    if settings.controller[0] != settings.reader[0]:
        name = Path(settings.controller[0]).name
        says = f"not looked at: CTB_CONTROLLER_COMMAND is another controller, {name}"
        yield Finding("ok", "codex", says)
        return
    if not settings.uses_codex:
        yield Finding("ok", "codex", "not used: the controller is an echo")
        return
    said = run((*codex_words(settings.codex), "--version"), settings.controller_env)
    if said is None:
        step = "install the Codex CLI, or set CTB_CODEX_COMMAND"
        yield Finding("fail", "codex", f"{settings.codex} does not start", step)
    else:
        lines = said.strip().splitlines()
        yield Finding("ok", "codex", lines[0] if lines else settings.codex)
    yield from left_over(settings)


def left_over(settings: Settings) -> Iterator[Finding]:
    """A Codex server of ours that outlived its controller: found, and ended when idle.

    Nothing is looked for, or made, in the home of a controller that is not ours.
    """
    if settings.uses_codex:
        ours = settings.reader[0]
        yield _leftover(run((ours, "--end-idle-server"), settings.controller_env))


def _leftover(said: str | None) -> Finding:
    try:
        found = json.loads(said or "")
        state, pid = str(found["server"]), found.get("pid", 0)
    except (ValueError, KeyError, TypeError):
        step = "run  ctb-controller --end-idle-server  to see why"
        return Finding("warn", "codex server", "cannot be looked for", step)
    match state:
        case "none":
            return Finding("ok", "codex server", "no server of ours is left over")
        case "in_use":
            return Finding("ok", "codex server", f"process {pid}, in use by a controller")
        case "ended":
            return Finding("ok", "codex server", f"process {pid} was left over and idle: ended")
        case _:
            step = "let its turn finish; the next start joins it"
            return Finding("warn", "codex server", f"process {pid} is left over and busy", step)


def run(command: tuple[str, ...], environ: Mapping[str, str]) -> str | None:
    """What a command says; None where it does not start, fails, or takes too long."""
    program = shutil.which(command[0], path=environ.get("PATH")) if command else None
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, *command[1:]],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=COMMAND_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None
