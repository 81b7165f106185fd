"""What the bridge is told by its variables, read once and checked whole."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bridge.core.decision import Policy
from bridge.core.model import Lang
from bridge.core.sending import Limits
from bridge.wire import place
from bridge.wire.env import Env, WrongSetting, read

# What a controller inherits (design 8), beside what CTB_CONTROLLER_ENV names.
_CONTROLLER_ENV = (
    "HOME",
    "LOGNAME",
    "PATH",
    "SHELL",
    "TERM",
    "USER",
    "LANG",
    "TZ",
    "TMPDIR",
    "CODEX_HOME",
    "CTB_CODEX_COMMAND",
    "CROSS_THREAD_CONTROLLER_DB",
)


@dataclass(frozen=True, slots=True)
class Settings:
    data_dir: Path
    socket: Path
    log_file: Path
    log_level: str
    lang: Lang
    controller: tuple[str, ...]
    reader: tuple[str, ...]  # ours, for what another controller cannot list
    controller_env: Mapping[str, str]
    policy: Policy
    limits: Limits
    recovers_own_locks: bool
    artifact_roots: tuple[Path, ...]
    max_artifact_bytes: int

    @property
    def is_remote(self) -> bool:
        """Whether the threads and their folders are on another machine."""
        return Path(self.controller[0]).name == "ssh"

    @property
    def codex_home(self) -> Path:
        """Where Codex keeps its login and its threads, as our controller is told."""
        return Path(self.controller_env.get("CODEX_HOME") or "~/.codex").expanduser()

    @property
    def uses_codex(self) -> bool:
        """Whether the controller is ours, over the Codex of this machine."""
        is_echo = "--engine" in self.controller and "echo" in self.controller
        return self.controller[0] == self.reader[0] and not is_echo

    @property
    def codex(self) -> str:
        """CTB_CODEX_COMMAND as it was given, or `codex`."""
        return self.controller_env.get("CTB_CODEX_COMMAND", "codex")

    @property
    def run_dir(self) -> Path:
        return self.data_dir / "run"

    @property
    def database(self) -> Path:
        return self.data_dir / "state" / "bridge.sqlite3"


def codex_words(command: str) -> tuple[str, ...]:
    """CTB_CODEX_COMMAND as the controller reads it: a JSON list, a file, else shell words."""
    try:
        if command.startswith("["):
            return tuple(str(word) for word in json.loads(command))
        return (command,) if place.is_there(command) else tuple(shlex.split(command))
    except ValueError:  # it will not start either
        return ()


def codex_fault(settings: Settings) -> str:
    """Why our controller will find no Codex, and what to do; "" where it will."""
    if not settings.uses_codex:
        return ""
    words = codex_words(settings.codex)
    path = settings.controller_env.get("PATH", os.defpath)
    if words and shutil.which(words[0], path=path):
        return ""
    return f"{settings.codex} cannot be found: install the Codex CLI, or set CTB_CODEX_COMMAND"


def load() -> Settings:
    """The settings as they are now; raises WrongSetting with the sentence to print."""
    env = read()
    day_s = 86_400
    return Settings(
        data_dir=env.data_dir(),
        socket=env.socket_path(),
        log_file=env.log_file("bridge"),
        log_level=env.log_level(),
        lang=env.lang(),
        controller=_controller(env),
        reader=(*_ours(), "--reads-only"),
        controller_env=_controller_env(env),
        policy=Policy(
            merge_window_ms=int(env.seconds("CTB_MERGE_WINDOW_SECONDS", 2, 0, 10) * 1000),
            stale_ms=int(env.seconds("CTB_STALE_AFTER_SECONDS", 1800, 0, 365 * day_s) * 1000),
            queue_limit=env.integer("CTB_QUEUE_LIMIT", 50, 0, 10_000),
            flood_limit=env.integer("CTB_FLOOD_LIMIT", 20, 0, 10_000),
            remote_approvals=env.switch("CTB_REMOTE_APPROVALS", True),
            approval_ms=int(
                env.seconds("CTB_APPROVAL_HOURS", 12, 0.01, 24 * 365, "hours") * 3_600_000
            ),
            group_qa=env.switch("CTB_GROUP_QA", False),
            group_folders=_group_folders(env),
        ),
        limits=Limits(
            budget=env.integer("CTB_SEND_BUDGET", 8, 0, 1000),
            window_hours=env.integer("CTB_SEND_WINDOW_HOURS", 23, 0, 24),
            spacing_ms=int(env.seconds("CTB_SEND_SPACING_SECONDS", 1, 0, 60) * 1000),
            resends=env.choice("CTB_RESEND_POLICY", ("resend_marked", "hold"), "resend_marked")
            == "resend_marked",
        ),
        recovers_own_locks=env.switch("CTB_RECOVER_OWN_LOCKS", True),
        artifact_roots=_artifact_roots(env),
        max_artifact_bytes=env.integer(
            "CTB_MAX_ARTIFACT_BYTES", 20 * 1024 * 1024, 1, 1024 * 1024 * 1024
        ),
    )


def _group_folders(env: Env) -> tuple[str, ...]:
    """Where the threads of groups run: as we say it, and as whoever follows links says it."""
    folder = env.data_dir() / "groups"
    return tuple(dict.fromkeys((str(folder), str(folder.resolve()))))


def _artifact_roots(env: Env) -> tuple[Path, ...]:
    """Folders that files may leave from; never our own state, nor what holds it (R25)."""
    roots = tuple(Path(root).expanduser() for root in env.text("CTB_ARTIFACT_ROOTS").split(":"))
    data_dir = env.data_dir().resolve()
    found = []
    for root in roots:
        if root == Path():
            continue
        fault = ""
        if not root.is_absolute():
            fault = f"names {root}, which is no absolute folder"
        elif _is_link(root):  # files are never reached through one (R23)
            fault = f"names {root}, which is a link: name the folder that it leads to"
        elif data_dir.is_relative_to(root.resolve()) or root.resolve().is_relative_to(data_dir):
            fault = f"names {root}, which holds the bridge's own state or lies in it"
        if fault:
            raise WrongSetting("CTB_ARTIFACT_ROOTS", fault, "/home/me/exports:/srv/reports")
        found.append(root)
    return tuple(found)


def _is_link(path: Path) -> bool:
    try:
        return path.is_symlink()
    except OSError:  # nobody may look, so nothing leaves from there
        return False


def _controller(env: Env) -> tuple[str, ...]:
    """JSON list if it begins with `[`, shell words if it holds a space, else commas."""
    given = env.text("CTB_CONTROLLER_COMMAND")
    if not given:
        return _ours()
    try:
        words = _words(given)
    except ValueError as wrong:
        raise WrongSetting(
            "CTB_CONTROLLER_COMMAND", f"cannot be read: {wrong}", "ctb-controller --engine codex"
        ) from wrong
    path = env.text("PATH") or os.defpath
    program = str(Path(words[0]).expanduser())
    found = shutil.which(program, path=path)
    if found is None and "/" not in program:
        beside = Path(sys.executable).with_name(program)
        found = str(beside) if beside.exists() else None
    return (found or program, *words[1:])


def _ours() -> tuple[str, ...]:
    beside = Path(sys.executable).with_name("ctb-controller")
    return (str(beside) if beside.exists() else "ctb-controller",)


def _words(given: str) -> list[str]:
    if given.startswith("["):
        listed = json.loads(given)
        if not isinstance(listed, list) or not all(isinstance(word, str) for word in listed):
            raise ValueError("a JSON list of words is needed")
        words = [str(word) for word in listed]
    elif " " in given:
        words = shlex.split(given)
    else:
        words = given.split(",")
    if not words or not words[0].strip():
        raise ValueError("it names no program")
    return words


def _controller_env(env: Env) -> dict[str, str]:
    added = env.words(
        "CTB_CONTROLLER_ENV",
        "OPENAI_API_KEY,HTTPS_PROXY",
        "must be names of variables, comma separated",
        r"[A-Za-z_][A-Za-z0-9_]*",
    )
    named = (*_CONTROLLER_ENV, *added)
    passed = {name: value for name in named if (value := env.text(name))}
    passed |= {name: value for name, value in os.environ.items() if name.startswith("LC_")}
    return passed
