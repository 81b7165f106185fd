"""`ctb-mcp`: the facade for agents. Its tools come in a later version."""

from __future__ import annotations

import sys

import click


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """An MCP server through which an agent can write to its owner. Not yet there."""
    click.echo("ctb-mcp: not in this version yet", err=True)
    sys.exit(1)
