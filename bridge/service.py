"""A service unit for each process, as text: systemd's user units, launchd's agents.

Both leave what a process has started alone when they end it: a running turn goes on
(design 2). Nothing is written or installed here.
"""

from __future__ import annotations

import plistlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PROCESSES = {"bridge": "the bridge", "channel": "the channel worker"}
RESTART_S = 5  # a wrong setting or a login that is over is no reason to hurry
STOP_S = 10  # both end within 4 s (delivery-semantics 11)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the commands lie, and what they start from."""

    bin_dir: Path
    root: Path
    data_dir: Path | None  # None: as the `.env` of the root says, now and later
    path: str  # PATH of the service: a manager's own holds no codex

    def command(self, process: str) -> tuple[str, str]:
        return (str(self.bin_dir / f"ctb-{process}"), "run")

    @property
    def environment(self) -> Mapping[str, str]:
        found = {"CTB_PROJECT_ROOT": str(self.root), "PATH": self.path}
        return found | ({"CTB_DATA_DIR": str(self.data_dir)} if self.data_dir else {})


def systemd(process: str, place: Place) -> str:
    """A user unit, for `~/.config/systemd/user/ctb-<process>.service`."""
    settings = "".join(
        f"Environment={_quoted(f'{name}={value}')}\n" for name, value in place.environment.items()
    )
    command = " ".join(_quoted(word, "$") for word in place.command(process))
    return f"""[Unit]
Description=CodexThreadBridge, {PROCESSES[process]}
StartLimitIntervalSec=0

[Service]
ExecStart={command}
WorkingDirectory={_escaped(str(place.root))}
{settings}UMask=0077
Restart=always
RestartSec={RESTART_S}
TimeoutStopSec={STOP_S}
# A Codex server that runs a turn outlives a restart, and shares our /tmp with the desk.
KillMode=process
PrivateTmp=no

[Install]
WantedBy=default.target
"""


def launchd(process: str, place: Place) -> str:
    """An agent, for `~/Library/LaunchAgents/ctb.<process>.plist`."""
    body = {
        "Label": f"ctb.{process}",
        "ProgramArguments": list(place.command(process)),
        "WorkingDirectory": str(place.root),
        "EnvironmentVariables": dict(place.environment),
        "Umask": 0o077,
        "RunAtLoad": True,
        "KeepAlive": True,
        "ThrottleInterval": RESTART_S,
        "ExitTimeOut": STOP_S,
        "AbandonProcessGroup": True,
    }
    return plistlib.dumps(body, sort_keys=False).decode()


def _quoted(text: str, also: str = "") -> str:
    """A word as systemd reads it: C escapes in double quotes, `%%` for a percent sign.

    In a command line `$` names a variable and is doubled; elsewhere it stands for itself
    (systemd.service(5), systemd.syntax(7)).
    """
    escaped = _escaped(text).replace("\\", "\\\\").replace('"', '\\"')
    for sign in also:
        escaped = escaped.replace(sign, sign * 2)
    return f'"{escaped}"'


def _escaped(text: str) -> str:
    return text.replace("%", "%%")
