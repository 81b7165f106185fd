"""`ctb-mcp`: the MCP server through which an agent reaches its owner's phone."""

from __future__ import annotations

import sys
from typing import NoReturn

import click

from bridge.wire.version import VERSION

EXIT_WRONG_USE = 2


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="ctb-mcp")
@click.option(
    "--client",
    default="agent",
    show_default=True,
    help="Who this is: the name on the phone, and the table of its scopes in clients.toml.",
)
def main(client: str) -> None:
    """Serve notes and questions to the owner as MCP tools, on standard input and output.

    An MCP host starts this. What the client may do stands in data/local/clients.toml;
    without that file it may only read states.
    """
    from bridge.wire import env, log, scopes

    try:
        found = env.read()
        granted = scopes.granted(found.data_dir(), client)
        log.setup(f"mcp-{client}", found.log_file(f"mcp-{client}"), found.log_level())
        socket = found.socket_path()
    except (env.WrongSetting, scopes.WrongClients) as wrong:
        _fail(str(wrong))
    if sys.stdin.isatty():
        _fail("speaks MCP on its standard input: let an MCP host start it, as docs/mcp.md shows")
    from bridge.facade.server import serve

    serve(client, granted, socket)


def _fail(sentence: str) -> NoReturn:
    click.echo(f"ctb-mcp: {sentence}", err=True)
    sys.exit(EXIT_WRONG_USE)
