"""The command `ctb-controller`. Everything heavy is imported where it is needed."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import NoReturn

import click

from bridge.wire.version import VERSION

EXIT_USE = 2


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="ctb-controller")
@click.option(
    "--engine",
    type=click.Choice(["codex", "echo"]),
    default="codex",
    show_default=True,
    help="The real Codex, or one that answers by itself and needs nothing.",
)
@click.option("--reads-only", is_flag=True, help="Status, list and history, from disk alone.")
@click.option(
    "--end-idle-server",
    is_flag=True,
    help="Say which Codex server of ours runs, end it when idle, and exit.",
)
def main(engine: str, reads_only: bool, end_idle_server: bool) -> None:
    """Serve Codex threads to an MCP client over standard input and output.

    Reads CODEX_HOME (default ~/.codex), CTB_CODEX_COMMAND (default codex) and
    CROSS_THREAD_CONTROLLER_DB. Exit codes: 0 ended as asked, 1 fault, 2 wrong setting.
    """
    home = Path(os.environ.get("CODEX_HOME") or Path.home() / ".codex")
    if not home.is_absolute():
        _say_and_exit("CODEX_HOME must be a full path, for example /home/me/.codex", EXIT_USE)
    folder = home / "cross-thread-controller"
    named = "ctb.sqlite3" if engine == "codex" else "echo.sqlite3"
    given = os.environ.get("CROSS_THREAD_CONTROLLER_DB")
    database = Path(given or folder / named)
    samples = database.parent / "samples" if given else Path.home() / ".cache" / "ctb-echo"
    _set_up_log(folder)

    import anyio

    if end_idle_server:
        from bridge.codex.tidy import end_idle

        click.echo(json.dumps(anyio.run(end_idle, folder, database)))
        return

    command = _command(os.environ.get("CTB_CODEX_COMMAND") or "codex")
    if sys.stdin is not None and sys.stdin.isatty():
        _say_and_exit(
            "speaks MCP on its standard input: ctb-bridge starts it, or another MCP client",
            EXIT_USE,
        )
    from bridge.codex.serve import Place, serve

    anyio.run(serve, Place(engine, home, folder, database, samples, command, reads_only))


def _command(text: str) -> tuple[str, ...]:
    """A JSON list if it starts with `[`, a file as it is, else shell words."""
    if text.startswith("["):
        try:
            words = json.loads(text)
        except ValueError:
            words = None
        if isinstance(words, list) and words and all(isinstance(w, str) for w in words):
            return tuple(words)
        _say_and_exit('CTB_CODEX_COMMAND must be a list like ["codex"]', EXIT_USE)
    from bridge.wire.place import is_there

    if is_there(text):
        return (text,)
    try:
        return tuple(shlex.split(text))
    except ValueError as wrong:
        _say_and_exit(f"CTB_CODEX_COMMAND cannot be read: {wrong}", EXIT_USE)


def _set_up_log(folder: Path) -> None:
    from bridge.wire import log, place

    try:
        place.private_folder(folder)
        path: Path | None = folder / "controller.log"
    except place.PlaceFault as fault:
        click.echo(f"ctb-controller: no log file: {fault}", err=True)
        path = None
    log.setup("controller", path, os.environ.get("CTB_LOG_LEVEL") or "info")


def _say_and_exit(sentence: str, code: int) -> NoReturn:
    click.echo(f"ctb-controller: {sentence}", err=True)
    sys.exit(code)
