"""Which variables a Codex server of ours may inherit (threat-model R19)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

MAX_CONFIG_BYTES = 1024 * 1024  # of config.toml; longer is not read for names

_PASSED = frozenset(
    [
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
        "SSH_AUTH_SOCK",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "CODEX_CA_CERTIFICATE",
        "OPENAI_API_KEY",
        "CODEX_API_KEY",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "no_proxy",
    ]
)
_PREFIXES = ("LC_", "XDG_")


def for_codex(environ: Mapping[str, str], home: Path) -> dict[str, str]:
    """The allowed variables, and those that the owner's config.toml names as keys."""
    named = _key_names(home / "config.toml")
    passed = {
        name: value
        for name, value in environ.items()
        if name in _PASSED or name in named or name.startswith(_PREFIXES)
    }
    return passed | {"CODEX_HOME": str(home)}


def _key_names(config: Path) -> frozenset[str]:
    """The variables in which Codex looks for the keys of model providers."""
    try:
        with config.open("rb") as source:
            text = source.read(MAX_CONFIG_BYTES).decode("utf-8", "replace")
        providers = tomllib.loads(text).get("model_providers")
    except (OSError, tomllib.TOMLDecodeError):
        return frozenset()
    names: set[str] = set()
    for provider in providers.values() if isinstance(providers, dict) else ():
        if isinstance(provider, dict):
            headers = provider.get("env_http_headers")
            names.add(str(provider.get("env_key") or ""))
            names.update(headers.values() if isinstance(headers, dict) else ())
    return frozenset(names) - {""}
