"""What the variables say: the environment first, `.env` in the project root under it.

Shared by every process so that all of them see the same folders and the same socket.
An empty variable counts as unset. A wrong value is a WrongSetting, whose text is one
sentence with the variable, what is wrong with it, and an example; exit code 2.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

MAX_ENV_FILE_BYTES = 256 * 1024  # far above any real one; a wrong file must not fill memory

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ON = ("on", "1", "true", "yes")
_OFF = ("off", "0", "false", "no")
_LEVELS = ("debug", "info", "warning", "error")


# Every setting of ours, as .env.example and the design list them; a test holds them together.
SETTINGS = (
    "CTB_APPROVAL_HOURS",
    "CTB_ARTIFACT_ROOTS",
    "CTB_CODEX_COMMAND",
    "CTB_CONTROLLER_COMMAND",
    "CTB_CONTROLLER_ENV",
    "CTB_DATA_DIR",
    "CTB_FLOOD_LIMIT",
    "CTB_GROUP_QA",
    "CTB_LANG",
    "CTB_LOG_FILE",
    "CTB_LOG_LEVEL",
    "CTB_MAX_ARTIFACT_BYTES",
    "CTB_MERGE_WINDOW_SECONDS",
    "CTB_PROJECT_ROOT",
    "CTB_QUEUE_LIMIT",
    "CTB_RECOVER_OWN_LOCKS",
    "CTB_REMOTE_APPROVALS",
    "CTB_RESEND_POLICY",
    "CTB_SEND_BUDGET",
    "CTB_SEND_SPACING_SECONDS",
    "CTB_SEND_WINDOW_HOURS",
    "CTB_SOCKET",
    "CTB_STALE_AFTER_SECONDS",
    "ILINK_BASE_URL",
    "ILINK_BOT_AGENT",
    "ILINK_BOT_TOKEN",
    "ILINK_CDN_BASE_URL",
    "ILINK_CLIENT_VERSION",
    "ILINK_CREDENTIALS_PATH",
    "ILINK_HOST_SUFFIXES",
    "ILINK_OWNER_USER_IDS",
    "ILINK_POLL_TIMEOUT_SECONDS",
    "ILINK_PROXY",
    "ILINK_REQUEST_TIMEOUT_SECONDS",
)


class WrongSetting(Exception):
    """A variable, or the `.env` itself, cannot be used; the text is for the terminal."""

    def __init__(self, name: str, fault: str, example: str) -> None:
        hint = f"; for example: {name}={example}" if example else ""
        super().__init__(f"{name} {fault}{hint}")
        self.name = name


class Env:
    """The variables of one process, read once; getters raise WrongSetting."""

    def __init__(self, values: Mapping[str, str], project_root: Path) -> None:
        self._values = values
        self.project_root = project_root

    def names(self) -> tuple[str, ...]:
        """The variables that are set, whoever set them."""
        return tuple(sorted(name for name in self._values if self.text(name)))

    def text(self, name: str, default: str = "") -> str:
        """The value without outer blanks; `default` where it is unset or empty."""
        return self._values.get(name, "").strip() or default

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        given = self.text(name)
        if not given:
            return default
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", given):
            raise WrongSetting(name, "is not a whole number", str(default))
        if not low <= int(given) <= high:
            raise WrongSetting(name, f"must be from {low} to {high}", str(default))
        return int(given)

    def seconds(
        self, name: str, default: float, low: float, high: float, unit: str = "seconds"
    ) -> float:
        """A number of seconds, or another unit, from `low` to `high`; fractions are allowed."""
        given = self.text(name)
        if not given:
            return default
        try:
            found = float(given)
        except ValueError:
            found = math.nan
        if not math.isfinite(found):
            raise WrongSetting(name, f"is not a number of {unit}", f"{default:g}")
        if not low <= found <= high:
            raise WrongSetting(name, f"must be from {low:g} to {high:g} {unit}", f"{default:g}")
        return found

    def switch(self, name: str, default: bool) -> bool:
        """`on` or `off`, in any case; also 1, 0, true, false, yes, no."""
        given = self.text(name).lower()
        if not given:
            return default
        if given not in _ON + _OFF:
            raise WrongSetting(name, "must be on or off", "on" if default else "off")
        return given in _ON

    def choice(self, name: str, options: Iterable[str], default: str) -> str:
        """One of `options`, in any case."""
        given = self.text(name, default).lower()
        if given != default and given not in options:
            raise WrongSetting(name, f"must be one of {', '.join(options)}", next(iter(options)))
        return given

    def words(
        self, name: str, example: str, fault: str, pattern: str, default: tuple[str, ...] = ()
    ) -> tuple[str, ...]:
        """Words between commas, each of the `pattern`; at least one where the variable is set."""
        given = self.text(name)
        found = tuple(word.strip() for word in given.split(",") if word.strip())
        if given and not (found and all(re.fullmatch(pattern, word) for word in found)):
            raise WrongSetting(name, fault, example)
        return found or default

    def path(self, name: str, default: Path) -> Path:
        """A path; `~` is the home folder, a relative one starts at the project root."""
        given = self.text(name)
        if not given:
            return default
        return self.project_root / _expanded(name, given)

    def data_dir(self) -> Path:
        """CTB_DATA_DIR: the folder of `run/`, `local/`, `logs/` and the others."""
        return self.path("CTB_DATA_DIR", self.project_root / "data")

    def socket_path(self) -> Path:
        """CTB_SOCKET: where the bridge listens."""
        return self.path("CTB_SOCKET", self.data_dir() / "run" / "bridge.sock")

    def lang(self) -> Literal["zh", "en"]:
        """CTB_LANG; unset, Chinese where the locale is, else English."""
        given = self.choice("CTB_LANG", ("zh", "en"), "") or preferred_lang()
        return "zh" if given == "zh" else "en"

    def log_level(self) -> str:
        """CTB_LOG_LEVEL, lower case."""
        return self.choice("CTB_LOG_LEVEL", _LEVELS, "info")

    def log_file(self, process: str) -> Path:
        """CTB_LOG_FILE with `{process}` filled in: one file for each process.

        Its folder must be there, unless it is our own, which is made at the start.
        """
        standard = self.data_dir() / "logs" / "{process}.log"
        path = self.path("CTB_LOG_FILE", standard)
        if "{process}" not in path.name:  # two processes would rotate one file
            fault = "must have {process} in its name, where that of each process goes"
            raise WrongSetting("CTB_LOG_FILE", fault, str(standard))
        if path.parent != standard.parent and not path.parent.is_dir():
            raise WrongSetting("CTB_LOG_FILE", "names a folder that is not there", str(standard))
        return path.with_name(path.name.replace("{process}", process))


def preferred_lang() -> Literal["zh", "en"]:
    """Chinese where the locale is, else English."""
    names = ("LC_ALL", "LC_MESSAGES", "LANG")
    locale = next((value for name in names if (value := os.environ.get(name))), "")
    return "zh" if locale.lower().startswith("zh") else "en"


def read(environ: Mapping[str, str] | None = None) -> Env:
    """The variables as they are now; raises WrongSetting for a bad root or `.env`."""
    given = os.environ if environ is None else environ
    root = _project_root(given)
    values = _env_file(root / ".env")
    values |= {name: value for name, value in given.items() if value.strip()}
    return Env(values, root)


def parse(content: str) -> dict[str, str]:
    """The `NAME=value` lines of a `.env`; raises ValueError with the number of a bad line.

    Blank lines, `# ...` lines and a leading `export ` are allowed. Quotes around a
    value are taken off; without quotes ` #` starts a comment. Nothing is expanded.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(content.splitlines(), start=1):
        text = line.strip().removeprefix("export ").strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals or not _NAME.fullmatch(name.strip()):
            raise ValueError(f"line {number} is not NAME=value")
        found[name.strip()] = _unquoted(value.strip())
    return found


def _unquoted(value: str) -> str:
    quoted = re.match(r"""(["'])(.*?)\1\s*(#.*)?$""", value)
    if quoted:
        return quoted.group(2)
    return re.split(r"(?:^|\s)#", value, maxsplit=1)[0].strip()


def _project_root(environ: Mapping[str, str]) -> Path:
    given = environ.get("CTB_PROJECT_ROOT", "").strip()
    if given:
        root = _expanded("CTB_PROJECT_ROOT", given).absolute()
        if not root.is_dir():
            raise WrongSetting("CTB_PROJECT_ROOT", "names no folder", str(Path.cwd()))
        return root
    checkout = Path(__file__).resolve().parents[2]
    return checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()


def _expanded(name: str, given: str) -> Path:
    try:
        return Path(given).expanduser()
    except RuntimeError as failed:
        raise WrongSetting(name, "names a home folder that does not exist", "/srv/ctb") from failed


def _env_file(path: Path) -> dict[str, str]:
    try:
        with path.open("rb") as source:
            content = source.read(MAX_ENV_FILE_BYTES)
        return parse(content.decode("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as failed:
        why = failed.strerror if isinstance(failed, OSError) else str(failed)
        raise WrongSetting(str(path), f"cannot be read: {why}", "") from failed
