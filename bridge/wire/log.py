"""JSON lines for the log file, and the one place where secrets are taken out.

`log.info("turn.settled", turn_id=7, took_s=1.2)`: a dotted noun.verb and typed
fields. Message text and tokens are never passed in; redaction is the second fence.
Nothing here writes to stdout, blocks on a full disk, or raises into the caller.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
import traceback
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType

MAX_LINE_BYTES = 2048  # threat-model R9
MAX_FILE_BYTES = 10 * 1024 * 1024
KEPT_FILES = 3
MASK = "***"

# Ids of people and bots, and what an iLink token is made of (ilink-protocol 2). Each
# pattern is tried only on a line that holds one of its words, in lower case: most hold none.
_PATTERNS = (
    (("@im.bot:",), re.compile(r"()[0-9a-f]{12}@im\.bot:[^\s\"',}]+")),
    (("bearer",), re.compile(r"(?i)(bearer\s+)[^\s\"',}]+")),
    (
        ("token", "authorization", "ticket", "key", "_buf", "param", "_code", "qrcode"),
        re.compile(
            r"(?i)(\"?(?:context_token|bot_token|token|authorization|typing_ticket|aes_?key"
            r"|get_updates_buf|upload_param|encrypted?_query_param|verify_code|qrcode)\\*\"?"
            r"\s*[:=]\s*\\*\"?)[^\s\"',&}\\]+"  # backslashes: JSON inside a JSON line
        ),
    ),
    (("@im.wechat",), re.compile(r"()[A-Za-z0-9_-]{4,}(?=[A-Za-z0-9_-]{4}@im\.wechat)")),
)
_live: set[str] = set()
# A command that opens no log has none: Python would print the bare event on its terminal.
logging.getLogger("ctb").addHandler(logging.NullHandler())


class Secret:
    """A value that shows as `***` wherever it is printed; `reveal()` is the one way out."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value
        remember_secret(value)

    def reveal(self) -> str:
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return MASK

    def __reduce__(self) -> tuple[type[Secret], tuple[str]]:
        return (Secret, (MASK,))


def remember_secret(value: str) -> None:
    """Take this very value out of every later line, wherever it turns up."""
    if len(value) >= 6:
        _live.add(value)


def redact(text: str) -> str:
    """`text` without live secrets, tokens, and all but the end of person ids."""
    for value in _live:
        text = text.replace(value, MASK)
    lower = text.lower()
    for words, pattern in _PATTERNS:
        if any(word in lower for word in words):
            text = pattern.sub(rf"\g<1>{MASK}", text)
    return text


class Log:
    """A named source of log lines."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(f"ctb.{name}")

    def debug(self, event: str, **fields: object) -> None:
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: object) -> None:
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Handled, but it will matter if it repeats."""
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, **fields: object) -> None:
        """A person must act."""
        self._write(logging.ERROR, event, fields)

    def exception(self, event: str, **fields: object) -> None:
        """As `error`, with the traceback of the exception being handled."""
        self._write(logging.ERROR, event, fields, with_traceback=True)

    def _write(
        self,
        level: int,
        event: str,
        fields: dict[str, object],
        with_traceback: bool = False,
    ) -> None:
        if self._logger.isEnabledFor(level):
            trace = sys.exc_info() if with_traceback else None
            self._logger.log(level, event, extra={"fields": fields}, exc_info=trace)


def get(name: str) -> Log:
    return Log(name)


def setup(process: str, path: Path | None, level: str, *, lazily: bool = False) -> None:
    """Send every line of this process to `path` (0600, rotated), or to stderr when None.

    Lines of libraries pass the same redaction. A log that cannot be opened goes to
    stderr; one that fails later is silent: logging never stops the work. `lazily`: the
    file is made with its first line.
    """
    logging.raiseExceptions = False
    handler: logging.Handler = logging.StreamHandler(sys.stderr)
    if path is not None:
        try:
            handler = _PrivateFile(
                path, maxBytes=MAX_FILE_BYTES, backupCount=KEPT_FILES, delay=lazily
            )
        except OSError as failed:
            print(f"no log file: {failed.strerror}", file=sys.stderr)
    handler.setFormatter(_JsonLines(process))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("ctb").setLevel(level.upper())
    sys.excepthook = _last_words


class _PrivateFile(RotatingFileHandler):
    def shouldRollover(self, record: logging.LogRecord) -> bool:  # logging's name
        """By our own position: the standard check asks the file system for every line."""
        return self.stream is not None and self.stream.tell() > self.maxBytes

    def _open(self):  # type: ignore[no-untyped-def]  # the stubs' return type is private
        def opener(name: str, flags: int) -> int:
            return os.open(name, flags | os.O_CLOEXEC, 0o600)

        return open(self.baseFilename, "a", encoding="utf-8", opener=opener)


class _JsonLines(logging.Formatter):
    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "process": self._process,
            "source": record.name.removeprefix("ctb."),
            "event": record.getMessage(),
        }
        line |= getattr(record, "fields", {})
        if record.exc_info and record.exc_info[0] is not None:
            line["traceback"] = "".join(traceback.format_exception(*record.exc_info))[-1500:]
        text = redact(json.dumps(line, ensure_ascii=False, default=str))
        return text if len(text) <= MAX_LINE_BYTES else text[: MAX_LINE_BYTES - 1] + "…"


def _last_words(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    if isinstance(error, BaseExceptionGroup) and error.split(KeyboardInterrupt)[1] is None:
        return  # a second Ctrl-C, inside a task group
    logging.getLogger("ctb.process").critical("process.died", exc_info=(kind, error, trace))
    print("unexpected fault, see the log", file=sys.stderr)
