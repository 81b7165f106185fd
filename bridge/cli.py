"""`ctb-bridge`: run the bridge, ask how it is, or try everything in one terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from bridge.settings import Settings

EXIT_FAULT = 1
EXIT_WRONG_USE = 2
EXIT_PROTOCOL = 3
EXIT_RUNNING = 4


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option("0.1.0", prog_name="ctb-bridge")
def main() -> None:
    """Go on with your Codex threads from a WeChat private chat."""


@main.command()
def run() -> None:
    """Run the bridge until a signal: inbox, turns, answers, the controller."""
    settings = _settings()
    from bridge import app
    from bridge.wire.place import AlreadyRunning, PlaceFault

    try:
        sys.exit(app.run(settings, lambda text: click.echo(f"ctb-bridge: {text}")))
    except AlreadyRunning as running:
        _fail(str(running), EXIT_RUNNING)
    except PlaceFault as fault:
        _fail(str(fault), EXIT_WRONG_USE)
    except Exception:
        from bridge.wire import log

        log.get("bridge").exception("bridge.failed")
        _fail(f"ended by a fault; the log says more: {settings.log_file}", EXIT_FAULT)


@main.command()
def status() -> None:
    """Say how the running bridge, its worker and its controller are."""
    settings = _settings()
    from bridge.ask import NotRunning, ask_status
    from bridge.wire.peer import ProtocolMismatch

    try:
        reply = ask_status(settings.socket)
    except NotRunning:
        click.echo("bridge      not running: start it with  honcho start  or  ctb-bridge run")
        sys.exit(EXIT_FAULT)
    except ProtocolMismatch as mismatch:
        _fail(str(mismatch), EXIT_PROTOCOL)
    for line in reply.lines:
        click.echo(line)
    sys.exit(0 if reply.is_healthy else EXIT_FAULT)


@main.command()
@click.option(
    "--engine",
    type=click.Choice(["codex", "echo"]),
    help="What answers: Codex itself, or an echo. Default: codex where its CLI is found.",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False),
    help="Keep the state in this folder. Default: a scratch folder that is removed.",
)
@click.option("--lang", type=click.Choice(["zh", "en"]), help="The language of the phone.")
def demo(engine: str | None, data: str | None, lang: str | None) -> None:
    """Try everything in this terminal: a simulated WeChat, and a phone to type on."""
    _settings()
    from bridge.demo import run_demo

    sys.exit(run_demo(engine, data, lang))


def _settings() -> Settings:
    from bridge.settings import load
    from bridge.wire.env import WrongSetting

    try:
        return load()
    except WrongSetting as wrong:
        _fail(str(wrong), EXIT_WRONG_USE)


def _fail(sentence: str, code: int) -> NoReturn:
    click.echo(f"ctb-bridge: {sentence}", err=True)
    sys.exit(code)
