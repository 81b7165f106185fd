"""The log: JSON lines, bounded, 0600, and no secret in any of them."""

from __future__ import annotations

import json
import logging
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.wire import log

CANARY = "canary-5f3a9c1e7b"
TOKEN = f"0a1b2c3d4e5f@im.bot:{CANARY}"


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[Path]:
    root = logging.getLogger()
    handlers, hook, raises = root.handlers[:], sys.excepthook, logging.raiseExceptions
    level = root.level
    path = tmp_path / "bridge.log"
    log.setup("bridge", path, "debug")
    yield path
    for handler in root.handlers:
        handler.close()
    root.handlers[:], sys.excepthook, logging.raiseExceptions = handlers, hook, raises
    root.setLevel(level)


@pytest.mark.parametrize(
    "text",
    [
        TOKEN,
        f"Authorization: Bearer {CANARY}",
        f'{{"context_token": "{CANARY}"}}',
        f"https://x.weixin.qq.com/c2c?encrypted_query_param={CANARY}&a=1",
        f"aes_key={CANARY}",
        f"bot_token:{CANARY}",
    ],
)
def test_token_is_taken_out_wherever_it_turns_up(lines: Path, text: str) -> None:
    """R18, F97: in the event, a field, a library's line, a traceback."""
    source = log.get("test")
    source.info("some.event", text=text)
    logging.getLogger("library").warning("it said %s", text)
    try:
        raise ValueError(text)
    except ValueError:
        source.exception("some.failure")
    assert CANARY not in lines.read_text()


def test_live_secret_is_taken_out_under_any_name(lines: Path) -> None:
    """R18: known values, without a pattern."""
    secret = log.Secret("nothing-like-a-token")
    log.get("test").info("some.event", where=f"x{secret.reveal()}y")
    assert "nothing-like-a-token" not in lines.read_text()


def test_secret_shows_nothing_of_itself() -> None:
    """R18: repr, str, format and pickle."""
    secret = log.Secret(CANARY)
    assert {repr(secret), str(secret), f"{secret}", f"{secret:>9}"} == {"***"}
    assert CANARY.encode() not in pickle.dumps(secret)
    assert secret.reveal() == CANARY and secret == log.Secret(CANARY)


def test_line_is_one_json_object_with_its_fields(lines: Path) -> None:
    """style: a dotted event and typed fields."""
    log.get("turns").info("turn.settled", turn_id=7, took_s=1.5)
    (line,) = lines.read_text().splitlines()
    found = json.loads(line)
    assert (found["event"], found["turn_id"], found["took_s"]) == ("turn.settled", 7, 1.5)
    assert (found["level"], found["source"], found["process"]) == ("info", "turns", "bridge")


def test_long_line_is_cut(lines: Path) -> None:
    """R9: 2 KiB a line."""
    log.get("test").info("some.event", text="x" * 10_000)
    (line,) = lines.read_text().splitlines()
    assert len(line) <= log.MAX_LINE_BYTES


def test_file_is_ours_alone(lines: Path) -> None:
    """R21: 0600 from its first byte."""
    assert lines.stat().st_mode & 0o777 == 0o600


def test_log_that_cannot_be_opened_stops_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """F75: it is said once, and the work goes on."""
    root = logging.getLogger()
    handlers, hook, level = root.handlers[:], sys.excepthook, root.level
    log.setup("bridge", tmp_path / "missing" / "bridge.log", "info")
    root.handlers[:], sys.excepthook = handlers, hook
    root.setLevel(level)
    assert "no log file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("fault", "is_told"),
    [
        (KeyboardInterrupt(), False),
        (BaseExceptionGroup("tasks", [KeyboardInterrupt()]), False),
        (BaseExceptionGroup("tasks", [KeyboardInterrupt(), ValueError()]), True),
        (ValueError(), True),
    ],
)
def test_second_ctrl_c_is_no_fault(
    lines: Path, capsys: pytest.CaptureFixture[str], fault: BaseException, is_told: bool
) -> None:
    """Ours: the terminal was told of an unexpected fault where its owner had pressed it."""
    sys.excepthook(type(fault), fault, None)
    assert ("unexpected fault" in capsys.readouterr().err) == is_told
    assert bool(lines.read_text()) == is_told
