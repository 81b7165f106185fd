"""Which agent may do what: `<data>/local/clients.toml`, written by the owner.

    [codex]
    scopes = ["status:read", "notify:owner"]

An agent that the file does not name may read states and nothing else. There is no scope
for starting a turn, approving, choosing a recipient or sending as the bridge
(threat-model R33): what has no word here cannot be granted.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from bridge.wire import place

Scope: TypeAlias = Literal["status:read", "history:read", "notify:owner", "artifact:offer"]

SCOPES: tuple[Scope, ...] = get_args(Scope)
DEFAULT: frozenset[Scope] = frozenset(("status:read",))
FILE = Path("local") / "clients.toml"  # below the data folder
MAX_FILE_BYTES = 64 * 1024  # far above any real one
MAX_NAME_CHARS = 32  # as an alias has (threat-model R9)

_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_-]{{0,{MAX_NAME_CHARS - 1}}}")


class WrongClients(Exception):
    """The file, or an agent's name, cannot be used; the text is one sentence for the desk."""


def check_name(client: str) -> None:
    """Raises WrongClients for what cannot be an agent's name: it is shown on the phone."""
    if not _NAME.fullmatch(client):
        raise WrongClients(
            "the name of a client is at most 32 letters, digits, - and _, without accents; "
            "for example: codex"
        )


def granted(data_dir: Path, client: str) -> frozenset[Scope]:
    """What this agent may do now; raises WrongClients when any part of the file is wrong."""
    check_name(client)
    path = data_dir / FILE
    try:
        content = place.read_private(path, MAX_FILE_BYTES).decode("utf-8")
        found = {name: _scopes(name, table) for name, table in tomllib.loads(content).items()}
    except FileNotFoundError:
        return DEFAULT
    except place.PlaceFault as fault:
        raise WrongClients(str(fault)) from fault
    except (ValueError, RecursionError) as wrong:  # TOML and UTF-8 errors are ValueErrors
        why = "is nested too deep" if isinstance(wrong, RecursionError) else f"is no TOML: {wrong}"
        raise WrongClients(f"clients.toml {why}") from wrong
    return found.get(client, DEFAULT)


def _scopes(name: str, table: object) -> frozenset[Scope]:
    if not _NAME.fullmatch(name):
        raise WrongClients(
            f"clients.toml: {_shown(name)} cannot be a client: "
            "at most 32 letters, digits, - and _, without accents"
        )
    if not isinstance(table, dict) or set(table) != {"scopes"}:
        raise WrongClients(
            f'clients.toml: [{name}] must hold one line  scopes = ["status:read"]  and nothing else'
        )
    given = table["scopes"]
    if not isinstance(given, list):
        raise WrongClients(f'clients.toml: [{name}] scopes must be a list like ["status:read"]')
    for word in given:
        if word not in SCOPES:
            raise WrongClients(
                f"clients.toml: [{name}] {_shown(word)} is no scope; there are {', '.join(SCOPES)}"
            )
    return frozenset(scope for scope in SCOPES if scope in given)


def _shown(value: object) -> str:
    return ascii(value)[:60]
