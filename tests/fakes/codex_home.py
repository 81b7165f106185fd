"""A private CODEX_HOME whose model is our scripted one, and threads in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FEATURES = """[features]
plugins = false
apps = false
default_mode_request_user_input = true
request_permissions_tool = true
"""
CONFIG = """model = "mock-model"
model_provider = "scripted"
approval_policy = "on-request"
sandbox_mode = "workspace-write"
{features}
[analytics]
enabled = false
[model_providers.scripted]
name = "scripted"
base_url = "{url}"
wire_api = "responses"
requires_openai_auth = false
request_max_retries = 1
stream_max_retries = 1
"""
EXEC_S = 30  # for one turn of `codex exec`; it takes about 0.5 s


def codex_binary() -> str | None:
    """The Codex CLI: CODEX_BIN, else the one on PATH."""
    return os.environ.get("CODEX_BIN") or shutil.which("codex")


def make(folder: Path, model_url: str) -> Path:
    """A home in `folder` that asks nobody but `model_url`."""
    home = folder / "codex"
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text(CONFIG.format(url=model_url, features=FEATURES))
    return home


def environment(home: Path, **more: str) -> dict[str, str]:
    """What a process of a test may know: nothing of the machine's own Codex."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "HOME": str(home), "CODEX_HOME": str(home), **more}


def make_thread(home: Path, workspace: Path, message: str) -> str:
    """A thread with one turn, made by `codex exec` as the owner would; gives its id."""
    return _exec(home, workspace, [message])


def add_turn(home: Path, workspace: Path, thread: str, message: str) -> str:
    """One more turn, made at the desk."""
    return _exec(home, workspace, ["resume", thread, message])


def journal(home: Path, thread: str) -> list[dict[str, object]]:
    """The lines of the newest rollout of a thread."""
    newest = max((home / "sessions").glob(f"*/*/*/rollout-*{thread}*.jsonl"))
    return [json.loads(line) for line in newest.read_text().splitlines()]


def turn_keys(home: Path, thread: str) -> list[str]:
    """The client ids of all user messages in a thread, in order."""
    found = []
    for record in journal(home, thread):
        item = dict(record.get("payload") or {}).get("item")  # type: ignore[call-overload]  # JSON
        if isinstance(item, dict) and item.get("type") == "UserMessage":
            found.append(str(item.get("client_id")))
    return found


@contextmanager
def foreign_server(home: Path, thread: str) -> Iterator[int]:
    """A server of somebody else, on its own stdio, that has the thread loaded."""
    with server(home) as process:
        assert process.stdin is not None and process.stdout is not None
        hello = {"clientInfo": {"name": "t", "title": "t", "version": "0"}}
        hello["capabilities"] = {"experimentalApi": True}  # type: ignore[dict-item]  # JSON
        for body in (
            {"id": 1, "method": "initialize", "params": hello},
            {"method": "initialized"},
            {"id": 2, "method": "thread/resume", "params": {"threadId": thread}},
        ):
            process.stdin.write(json.dumps(body).encode() + b"\n")
            process.stdin.flush()
        for line in process.stdout:
            if json.loads(line).get("id") == 2:
                break
        yield process.pid


@contextmanager
def server(home: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    binary = codex_binary()
    assert binary is not None
    with subprocess.Popen(
        [binary, "app-server", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(home),
        cwd=home,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=10)


def _exec(home: Path, workspace: Path, words: list[str]) -> str:
    binary = codex_binary()
    assert binary is not None
    argv = [binary, "exec", "--json", "--skip-git-repo-check", *words]
    done = subprocess.run(
        argv,
        cwd=workspace,
        env=environment(home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=EXEC_S,
        check=False,
    )
    for line in done.stdout.splitlines():
        event = json.loads(line)
        if event.get("type") == "thread.started":
            return str(event["thread_id"])
    raise AssertionError(f"codex exec made no thread: {done.stdout} {done.stderr}")
