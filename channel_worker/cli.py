"""`ctb-channel`: the commands of the channel worker. Thin; the work is imported inside."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

import click

from bridge.wire.version import VERSION

if TYPE_CHECKING:
    from channel_worker.settings import Settings

FAULT, MISMATCH, RUNNING, NO_LOGIN = 1, 3, 4, 6  # exit codes of design 8
WRONG_USE = 2  # click uses the same


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="ctb-channel")
def main() -> None:
    """The WeChat side of CodexThreadBridge: login, long poll, sending, simulator."""


@main.command()
def run() -> None:
    """Keep WeChat and the bridge connected.

    Stays up without a login or a bridge, and goes on by itself.
    """
    import anyio

    from bridge.wire.terminal import show
    from channel_worker.worker import run_worker

    settings = _settings("channel")
    sys.exit(anyio.run(run_worker, settings, lambda text: show(f"ctb-channel: {text}")))


@main.command()
@click.option("--change-owner", is_flag=True, help="Accept another person as the new owner.")
@click.option("--fresh", is_flag=True, help="Do not offer the old binding: its token is dead.")
@click.option("--yes", is_flag=True, help="Accept who confirms on the phone without asking.")
def login(change_owner: bool, fresh: bool, yes: bool) -> None:
    """Bind this computer to your WeChat.

    Scan the code that is drawn here, and confirm on the phone.
    """
    import anyio

    from channel_worker.login import LoginFailed, Wishes, log_in
    from channel_worker.terminal import LoginTerminal

    settings = _settings("login")
    try:
        wishes = Wishes(change_owner, fresh, yes)
        click.echo(anyio.run(log_in, settings, wishes, LoginTerminal()))
    except LoginFailed as failed:
        _fail(str(failed), FAULT)
    except KeyboardInterrupt:
        click.echo()
        _fail("left; no login was written", FAULT)


@main.command("probe-updates")
def probe_updates() -> None:
    """Say who wrote lately, with whole ids.

    No message is lost by asking.
    """
    import anyio

    from bridge.wire.peer import ProtocolMismatch
    from bridge.wire.place import AlreadyRunning, PlaceFault
    from bridge.wire.terminal import show
    from channel_worker.ilink.hosts import ForeignHost
    from channel_worker.probe import LoginNeeded, ProbeFailed, probe

    try:
        anyio.run(probe, _settings("probe", lazily=True), show)
    except (ProbeFailed, ForeignHost, PlaceFault, ProtocolMismatch) as failed:
        codes = (
            (ProtocolMismatch, MISMATCH),
            (AlreadyRunning, RUNNING),
            (LoginNeeded, NO_LOGIN),
        )
        _fail(str(failed), next((c for kind, c in codes if isinstance(failed, kind)), FAULT))


@main.command("show-env")
@click.option("--owner-user-id", default="", help="Put this owner into the lines.")
def show_env(owner_user_id: str) -> None:
    """Print the settings in force.

    As lines of a .env, without any secret.
    """
    from channel_worker import settings

    for line in settings.shown(_settings("show-env", lazily=True), owner_user_id):
        click.echo(line)


@main.command()
@click.option("--port", default=0, help="Port on 127.0.0.1; 0 takes a free one.")
@click.option("--admin-port", default=-1, help="Serve the admin API for tests; 0: a free port.")
@click.option(
    "--scenario",
    default="friendly",
    help="How the server begins: a name of docs/simulator.md, or a .toml file of yours.",
)
@click.option("--consume", is_flag=True, help="An unread reply is not delivered again.")
def simulate(port: int, admin_port: int, scenario: str, consume: bool) -> None:
    """Be a simulated WeChat, with a phone here.

    An iLink server on this computer; what you type is a message of the owner.
    """
    import anyio

    from bridge.wire import env
    from channel_worker.simulator.command import PortTaken, run_simulator
    from channel_worker.simulator.scenarios import NoScenario

    try:
        lang = env.read().lang()
        anyio.run(run_simulator, port, admin_port, scenario, consume, lang)
    except (env.WrongSetting, PortTaken, NoScenario) as wrong:
        _fail(str(wrong), WRONG_USE)
    except KeyboardInterrupt:
        sys.exit(0)


def _fail(sentence: str, code: int) -> NoReturn:
    """One sentence, with the command that says it; then the end."""
    from bridge.wire.terminal import show

    show(f"ctb-channel: {sentence}", is_fault=True)
    sys.exit(code)


def _settings(process: str, *, lazily: bool = False) -> Settings:
    """The settings, with the log of `process` set up; a wrong one ends the command.

    `lazily`: nothing is made on the disk until something is logged.
    """
    from bridge.wire import env, log, place
    from channel_worker import settings

    try:
        given = env.read()
        found = settings.read(given)
        place.check_socket_path(given.socket_path())
        log_file = given.log_file(process)
        if log_file.parent.parent == found.data_dir and not lazily:
            place.data_folders(found.data_dir, (log_file.parent.name,))
    except env.WrongSetting as wrong:
        _fail(str(wrong), WRONG_USE)
    except place.PlaceFault as fault:
        _fail(str(fault), WRONG_USE)
    log.setup(process, log_file, found.log_level, lazily=lazily)
    return found
