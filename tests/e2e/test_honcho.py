"""`honcho start` in a clone: it runs both processes, and brings back the one that dies."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time

import pytest

from tests.e2e.rig import BIN, ROOT, House, Terminal, processes

CODE = (".gitignore", "Procfile", ".ring.sh", "pyproject.toml", "bridge", "channel_worker")
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
HONCHO_KILLS_S = 5.0  # honcho's own patience with its children
HONCHO = """
import multiprocessing, sys
from honcho.command import main
if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv.pop())
    main()
"""


@pytest.fixture
def clone(house: House) -> House:
    """A house that is a clone of the tree after the install line, with a `.env`."""
    for name in CODE:
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, house.folder / name, ignore=ignored)
        else:
            shutil.copy(source, house.folder / name)
    for source in (ROOT / "data").glob("*/.gitignore"):
        made = house.data / source.parent.name
        made.mkdir(parents=True)
        shutil.copy(source, made)
    (house.folder / ".venv").symlink_to(BIN.parent)
    del house.settings["CTB_PROJECT_ROOT"]
    lines = [f"{name}='{value}'\n" for name, value in house.settings.items()]
    (house.folder / ".env").write_text("".join(lines))
    house.settings = {"PYTHONPATH": str(house.folder), "PATH": SYSTEM_PATH}
    return house


@pytest.mark.parametrize("is_on_path", [False, True], ids=["without PATH", "with PATH"])
async def test_the_conversation_works_and_ctrl_c_ends_everything(
    clone: House, is_on_path: bool
) -> None:
    """Card, item 8: the README's own steps, with and without .venv/bin on PATH."""
    if is_on_path:
        clone.settings["PATH"] = f"{BIN}:{SYSTEM_PATH}"
    await _log_in(clone)
    honcho = await _start(clone)
    await clone.phone.asks("hello", "echo: hello")
    began = time.monotonic()
    honcho.presses("c")
    await honcho.ends()
    await clone.is_empty(HONCHO_KILLS_S)
    assert time.monotonic() - began < 2 * HONCHO_KILLS_S  # twice: the cores are shared
    assert "Traceback" not in honcho.shown


async def test_nothing_goes_on_in_a_terminal_that_was_closed(clone: House) -> None:
    """F76: in the middle of a turn; who has closed the window believes that all has ended."""
    honcho = await _begin(clone)
    clone.phone.says("sleep:30")
    await clone.is_typing()
    await honcho.is_hung_up()
    await clone.is_empty()


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
async def test_nothing_goes_on_when_honcho_is_killed(clone: House, method: str) -> None:
    """F76: however Python starts what lies between honcho and us; the terminal is still there."""
    (clone.folder / "start.py").write_text(HONCHO)
    command = f"{BIN}/python start.py start {method} & echo it is $!; wait; exec env -i sleep 600"
    shell = await _begin(clone, "/bin/sh", "-c", command)
    await shell.expects("it is ")
    os.kill(int(await shell.expects("\r\n")), signal.SIGKILL)
    await clone.is_empty()


@pytest.mark.parametrize(
    ("killed", "other"), [("ctb-channel", "ctb-bridge"), ("ctb-bridge", "ctb-channel")]
)
async def test_what_is_killed_comes_back_alone_and_nothing_is_lost(
    clone: House, killed: str, other: str
) -> None:
    """Card, item 8: in the middle of a turn, whose answer arrives once; what was said follows."""
    await _begin(clone)
    before = {name: _pid(clone, name) for name in (killed, other)}
    clone.phone.says("sleep:3\nreply:the first answer")
    await clone.is_typing()
    os.kill(before[killed], signal.SIGKILL)
    clone.phone.says("reply:the second answer")
    await clone.phone.reads("the first answer")
    await clone.phone.reads("the second answer")
    assert _pid(clone, other) == before[other]
    assert _pid(clone, killed) != before[killed]
    assert clone.phone.count("the first answer") == clone.phone.count("the second answer") == 1


async def test_after_a_new_login_in_another_terminal_the_worker_goes_on_by_itself(
    clone: House,
) -> None:
    """Card, items 6 and 9: a token that expires; nothing is restarted, nothing is lost."""
    honcho = await _begin(clone)
    worker, bridge = _pid(clone, "ctb-channel"), _pid(clone, "ctb-bridge")
    clone.simulator.expire_token()
    await honcho.expects("login needed: run ctb-channel login")
    clone.phone.says("said while nobody was logged in")

    await _log_in(clone)

    await clone.phone.reads("echo: said while nobody was logged in")
    await clone.phone.asks("and on it goes", "echo: and on it goes")
    assert (_pid(clone, "ctb-channel"), _pid(clone, "ctb-bridge")) == (worker, bridge)


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")
async def test_nothing_that_is_written_while_it_runs_is_offered_to_git(clone: House) -> None:
    """R27: also where the `.gitignore` of a folder has gone; the tree stays as it came."""
    _git(clone, "init", "--quiet", "--initial-branch=main")
    _git(clone, "add", "data", ".gitignore")
    await _begin(clone)
    picture = clone.folder / "cat.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n")
    clone.phone.types(f":file {picture}")
    await clone.phone.asks("what is it?", "echo: [image]")
    assert len(list((clone.data / "attachments").rglob("*.png"))) == 1
    assert _git(clone, "ls-files", "--deleted", "--others", "--exclude-standard", "data") == ""
    for kept in clone.data.glob("*/.gitignore"):
        kept.unlink()
    assert _git(clone, "ls-files", "--others", "--exclude-standard", "data") == ""


async def _begin(clone: House, *command: str) -> Terminal:
    """The same with the credential file of a login that was before."""
    (clone.data / "local").chmod(0o700)
    clone.log_in()
    return await _start(clone, *command)


async def _log_in(clone: House) -> None:
    """The login of the README, in a terminal of its own."""
    clone.world.login_script.extend(["scaned", "confirmed"])
    login = clone.opens(str(clone.folder / ".venv/bin/ctb-channel"), "login", "--yes")
    assert await login.ends() == 0
    assert "Logged in." in login.shown


async def _start(clone: House, *command: str) -> Terminal:
    """Honcho in its terminal, and a phone with a thread in use."""
    honcho = clone.opens(*(command or (str(clone.folder / ".venv/bin/honcho"), "start")))
    await clone.is_healthy()
    await clone.phone.asks("/threads", "1. ")
    await clone.phone.asks("/use 1", "Now using")
    return honcho


def _pid(clone: House, command: str) -> int:
    """The one process of this command; the shell that starts it again is another."""
    found = processes(clone.folder).items()
    pids = [pid for pid, words in found if words.endswith(f"/{command} run")]
    assert len(pids) == 1, found
    return pids[0]


def _git(clone: House, *words: str) -> str:
    """What git says about the clone."""
    return subprocess.check_output(["git", "-C", str(clone.folder), *words], text=True)
