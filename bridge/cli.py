"""`ctb-bridge`: run the bridge, ask how it is, or try everything in one terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn, TypeVar

import click

from bridge.wire.version import VERSION

if TYPE_CHECKING:
    from bridge.settings import Settings
    from bridge.wire import desk
    from bridge.wire.messages import Request

R = TypeVar("R")

EXIT_FAULT = 1
EXIT_WRONG_USE = 2
EXIT_PROTOCOL = 3
EXIT_RUNNING = 4


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="ctb-bridge")
def main() -> None:
    """Go on with your Codex threads from a WeChat private chat."""


@main.command()
def run() -> None:
    """Run the bridge until Ctrl-C or a signal.

    It takes messages in, runs them in your threads, and sends the answers.
    """
    settings = _settings()
    from bridge import app
    from bridge.wire.place import AlreadyRunning, PlaceFault

    try:
        sys.exit(app.run(settings, _say))
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
    """Say how the running bridge is.

    Its worker, its controller, what waits. Exit code 1 if something needs you.
    """
    from bridge.wire.messages import StatusGet

    settings = _settings()
    reply = _asked(settings, StatusGet())
    if reply is None:
        from bridge.doctor import left_over

        click.echo("bridge      not running: start it with  honcho start  or  ctb-bridge run")
        for found in left_over(settings):
            click.echo(f"codex       {found.says}")
        sys.exit(EXIT_FAULT)
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
    """Try it here, with a simulated WeChat.

    Everything else is real; you type on a phone in this terminal.
    """
    _settings()
    from bridge.demo import run_demo

    sys.exit(run_demo(engine, data, lang))


@main.command()
@click.argument("turn", required=False, default=0, type=click.IntRange(0, 2**31))
def trace(turn: int) -> None:
    """Tell the life of turn TURN, or list turns.

    The number is that of /status on the phone, without its #.
    """
    from bridge.said import trace_lines
    from bridge.wire import desk

    reply = _past(desk.TraceGet(turn))
    if not reply.heading:
        _fail(f"there is no turn {turn}" if turn else "there is no turn yet", EXIT_FAULT)
    for line in trace_lines(reply):
        click.echo(line)


@main.group(invoke_without_command=True)
@click.pass_context
def dead(context: click.Context) -> None:
    """List or take up what was given up.

    Messages set aside, dead turns, bubbles that did not arrive, each under a name.
    """
    if context.invoked_subcommand is None:
        context.invoke(dead_list)


@dead.command("list")
def dead_list() -> None:
    """List it, newest first; the same as `ctb-bridge dead`."""
    from bridge.said import dead_lines
    from bridge.wire import desk

    for line in dead_lines(_past(desk.DeadList())):
        click.echo(line)


@dead.command("retry")
@click.argument("name")
def dead_retry(name: str) -> None:
    """Take it up again by its name, for example E-M12."""
    from bridge.wire import desk

    _repair(name, desk.DeadRetry(name), "is taken up again; see  ctb-bridge status")


@dead.command("drop")
@click.argument("name")
def dead_drop(name: str) -> None:
    """List it no longer; its row stays."""
    from bridge.wire import desk

    _repair(name, desk.DeadDrop(name), "is no longer listed")


@main.command()
@click.option("--since", default="", metavar="1d", help="Only lines of the last 30m, 12h, 7d.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def audit(since: str, as_json: bool) -> None:
    """Print what was decided, and by which rule.

    One line each: when, who, what, the outcome, the rule.
    """
    from bridge.said import audit_line, since_ms
    from bridge.wire import desk

    try:
        after, begin_ms = 0, since_ms(since)
    except ValueError:
        _fail("--since takes a number with s, m, h or d, for example 12h", EXIT_WRONG_USE)
    while lines := _past(desk.AuditGet(begin_ms, after)).lines:
        for line in lines:
            click.echo(audit_line(line, as_json=as_json))
        after = lines[-1].id


@main.command()
def doctor() -> None:
    """Look at every part, and say what to do.

    Each is ok, warn or fail, with one next step. Exit code 1 if one fails.
    """
    import os

    settings = _settings()
    from bridge.doctor import examine
    from bridge.wire import env

    def note(text: str) -> None:
        click.echo(f"      {text}", err=True)

    fails = False
    for one in examine(settings, env.read(), os.environ, note):
        fails = fails or one.level == "fail"
        click.echo(f"{one.level:<5} {one.subject:<13} {one.says}")
        if one.next:
            click.echo(f"{'':<19} next: {one.next}")
    sys.exit(EXIT_FAULT if fails else 0)


@main.group()
def service() -> None:
    """Keep it running as a service."""


@service.command("print")
@click.argument("process", required=False, type=click.Choice(["bridge", "channel"]))
@click.option("--systemd", "kind", flag_value="systemd", help="A user unit; default on Linux.")
@click.option("--launchd", "kind", flag_value="launchd", help="An agent; default on macOS.")
def service_print(process: str | None, kind: str | None) -> None:
    """Print a unit for each process, or for one; nothing is installed."""
    import os

    settings = _settings()
    from bridge.said import unit_lines
    from bridge.wire import env

    chosen = kind or ("launchd" if sys.platform == "darwin" else "systemd")
    is_of_shell = bool(os.environ.get("CTB_DATA_DIR", "").strip())  # a service would not see it
    data_dir = settings.data_dir.absolute() if is_of_shell else None
    for line in unit_lines(chosen, process, data_dir, env.read()):
        click.echo(line)


def _asked(settings: Settings, question: Request[R]) -> R | None:
    """The answer of the running bridge; None while none runs."""
    import anyio

    from bridge.ask import NotRunning, ask
    from bridge.wire.peer import PeerFault, ProtocolMismatch, Refused

    try:
        return anyio.run(ask, settings.socket, question)
    except NotRunning:
        return None
    except ProtocolMismatch as mismatch:
        _fail(str(mismatch), EXIT_PROTOCOL)
    except (PeerFault, Refused) as fault:
        _fail(str(fault), EXIT_FAULT)


def _past(question: Request[R]) -> R:
    """The answer of the running bridge, or of its file while none runs."""
    import time

    settings = _settings()
    found = _asked(settings, question)
    if found is not None:
        return found
    from bridge.core.errors import StoreFault
    from bridge.records import offline, told
    from bridge.wire.place import PlaceFault

    now_ms = time.time_ns() // 1_000_000
    try:
        found = offline(settings, lambda: told(question, now_ms))
    except (StoreFault, PlaceFault, OSError) as fault:
        _fail(f"no bridge answers, and its file cannot be read: {fault}", EXIT_FAULT)
    if found is None:
        _fail("there is nothing yet: start the bridge with  honcho start", EXIT_FAULT)
    return found


def _repair(name: str, question: Request[desk.RepairReply], done: str) -> None:
    from bridge.core import given_up

    if given_up.read(name) is None:
        _fail(f"{name} is no name of  ctb-bridge dead, such as E-M12", EXIT_WRONG_USE)
    reply = _asked(_settings(), question)
    if reply is None:
        _fail("the bridge does not run: start it with  honcho start", EXIT_FAULT)
    if reply.outcome == "not_found":
        _fail(f"{name} is not among what was given up; see  ctb-bridge dead", EXIT_FAULT)
    click.echo(f"{name} {done}")


def _settings() -> Settings:
    from bridge.settings import load
    from bridge.wire.env import WrongSetting

    try:
        return load()
    except WrongSetting as wrong:
        _fail(str(wrong), EXIT_WRONG_USE)


def _fail(sentence: str, code: int) -> NoReturn:
    _say(sentence, is_fault=True)
    sys.exit(code)


def _say(sentence: str, *, is_fault: bool = False) -> None:
    from bridge.wire.terminal import show

    show(f"ctb-bridge: {sentence}", is_fault=is_fault)
