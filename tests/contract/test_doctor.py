"""What the desk is told: findings, units and times, each from a value or a folder of a test."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bridge import doctor, said, service
from bridge.core.model import Account, AccountState
from bridge.health import CLOCK_OFF_MS, no_login, of_account, of_clock
from bridge.settings import codex_words
from bridge.wire import desk
from bridge.wire.env import SETTINGS, Env
from bridge.wire.values import from_json, to_json

ROOT = Path(__file__).parents[2]
NOW_MS = 1_800_000_000_000


def test_settings_are_told_with_where_they_came_from_and_without_secrets(tmp_path: Path) -> None:
    """design 8: the environment wins; R18."""
    values = {
        "CTB_QUEUE_LIMIT": "7",
        "CTB_LANG": "zh",
        "ILINK_BOT_TOKEN": "bot:topsecret",
        "ILINK_PROXY": "http://me:hunter2@h:1",
        "ILINK_OWNER_USER_IDS": "oAbc@im.wechat",
        "PATH": "/bin",
    }
    lines = doctor.origins(Env(values, tmp_path), {"CTB_LANG": "zh"})
    assert lines == [
        "CTB_LANG = zh (environment)",
        "CTB_QUEUE_LIMIT = 7 (.env)",
        "ILINK_BOT_TOKEN is set, not shown (.env)",
        "ILINK_OWNER_USER_IDS is set, not shown (.env)",
        "ILINK_PROXY is set, not shown (.env)",
    ]
    assert "all defaults" in doctor.origins(Env({}, tmp_path), {})[0]


def test_name_that_is_no_setting_is_told_with_the_one_that_is(tmp_path: Path) -> None:
    """Ours: a slip in .env had no effect and no word."""
    values = {"CTB_SEND_BUGET": "3", "ILINK_ZZZ": "1", "CTB_LANG": "zh", "PATH": "/bin"}
    found = doctor.unknown(Env(values, tmp_path))
    assert [(one.level, one.says, one.next) for one in found] == [
        ("warn", "CTB_SEND_BUGET is no setting of ours", "write CTB_SEND_BUDGET"),
        ("warn", "ILINK_ZZZ is no setting of ours", "see .env.example"),
    ]


def test_example_names_every_setting_once() -> None:
    """Design 8: what has a line in .env.example is read, and what is read has a line."""
    text = (ROOT / ".env.example").read_text()
    named = [found[1] for line in text.splitlines() if (found := re.match(r"#?([A-Z_]+)=", line))]
    assert len(named) == len(set(named))
    ours = {name for name in named if name.startswith(("CTB_", "ILINK_"))}
    # Named without a line: the root is where the file lies, a token does not belong into one.
    assert set(SETTINGS) - ours == {"CTB_PROJECT_ROOT", "ILINK_BOT_TOKEN"}
    assert ours <= set(SETTINGS) and all(f" {name}" in text for name in set(SETTINGS) - ours)


def test_folders_that_are_not_ours_alone_are_named_with_the_command_that_helps(
    tmp_path: Path,
) -> None:
    """R13, R21: a folder as git made it is made private at the start."""
    assert doctor.folders(tmp_path / "none")[0].level == "ok"
    for name in ("state", "run", "logs"):
        (tmp_path / name).mkdir(mode=0o755)
    (tmp_path / "state" / ".gitignore").touch()
    (tmp_path / "run" / "x").touch()
    (tmp_path / "logs").rmdir()
    (tmp_path / "logs").touch()
    found = doctor.folders(tmp_path)
    assert [one.level for one in found] == ["fail", "fail"]
    assert found[0].next == f"chmod 700 '{tmp_path / 'run'}'" and "no folder" in found[1].says


@pytest.mark.parametrize(
    ("free", "level"), [(199 << 20, "fail"), (500 << 20, "warn"), (5 << 30, "ok")]
)
def test_room_on_the_disk_is_weighed(free: int, level: str) -> None:
    """delivery-semantics 9: below 200 MiB nothing is fetched."""
    assert doctor.disk(free).level == level


@pytest.mark.parametrize(
    ("content", "mode", "level", "step"),
    [
        (None, 0, "fail", "ctb-channel login"),
        ('{"bot_token": "t", "generation": 3}', 0o600, "ok", ""),
        ('{"bot_token": "t"}', 0o640, "fail", "chmod 600"),
        ("{", 0o600, "fail", "again"),
        ("[]", 0o600, "fail", "again"),
        ('{"bot_token": ""}', 0o600, "fail", "again"),
        ("[" * 100_000, 0o600, "fail", "again"),
    ],
)
def test_credentials_are_judged_and_not_shown(
    tmp_path: Path, content: str | None, mode: int, level: str, step: str
) -> None:
    """R17: present, ours, private, whole."""
    path = tmp_path / "local" / "ilink_credentials.json"
    path.parent.mkdir()
    if content is not None:
        path.write_text(content)
        path.chmod(mode)
    found = doctor.credentials(Env({}, tmp_path), tmp_path)
    assert found.level == level and step in found.next and '"t"' not in found.says


def test_every_state_of_an_account_has_its_finding() -> None:
    """design 6: what needs a person fails, what passes by itself is a warning."""
    states = {AccountState.ON: "ok", AccountState.SUSPECT: "warn"}
    for state in AccountState:
        found = of_account(Account(state=state, rest_reason="-14"), NOW_MS)
        assert found.level == states.get(state, "fail")
        assert bool(found.next) == (found.level != "ok")
    throttled = Account(state=AccountState.ON, breaker_until_ms=NOW_MS + 90_000)
    assert of_account(throttled, NOW_MS).level == "warn"
    other = Account("pigeon", state=AccountState.SUSPECT, rest_reason="coo")
    assert "pigeon answered coo" in of_account(other, NOW_MS).says


@pytest.mark.parametrize(
    ("ahead_ms", "level", "words"),
    [
        (None, "ok", "not compared"),
        (-1_000, "ok", "-1 s"),
        (CLOCK_OFF_MS + 1, "warn", "2 min ahead of"),
        (-7_200_000, "warn", "2 h behind"),
    ],
)
def test_clock_is_compared_with_the_last_batch(
    ahead_ms: int | None, level: str, words: str
) -> None:
    """delivery-semantics 12: the HTTP Date of the poll."""
    found = of_clock(ahead_ms, "WeChat")
    assert found.level == level and words in found.says


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("", "ctb-channel login"),
        ("open", "chmod 600"),
        ("unusable", "its terminal says why"),
        ("foreign", "restart the worker"),
    ],
)
def test_status_says_which_fault_a_login_has(code: str, words: str) -> None:
    """R17: a file that is open to others needs no login."""
    assert words in ": ".join(no_login(code))


@pytest.mark.parametrize(
    ("said_by_it", "level"),
    [
        ('{"server": "none"}', "ok"),
        ('{"server": "ended", "pid": 7, "memory_bytes": 1}', "ok"),
        ('{"server": "in_use", "pid": 7}', "ok"),
        ('{"server": "busy", "pid": 7}', "warn"),
        ("no json", "warn"),
        ("[]", "warn"),
        (None, "warn"),
    ],
)
def test_leftover_codex_server_is_told_of(said_by_it: str | None, level: str) -> None:
    """issue 4 item 7: found, and ended when idle."""
    assert doctor._leftover(said_by_it).level == level


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("codex", ("codex",)),
        ("ssh desk codex", ("ssh", "desk", "codex")),
        ('["a b", "c"]', ("a b", "c")),
        ("[1", ()),
        ("'open", ()),
    ],
)
def test_codex_command_is_read_as_the_controller_reads_it(
    command: str, words: tuple[str, ...]
) -> None:
    """design 8: CTB_CODEX_COMMAND."""
    assert codex_words(command) == words


def test_command_that_does_not_start_or_fails_says_nothing(tmp_path: Path) -> None:
    """Ours: no traceback at the desk."""
    assert doctor.run((), {}) is None
    assert doctor.run(("/nowhere/x",), {}) is None
    assert doctor.run(("/bin/sh", "-c", "exit 3"), {}) is None
    assert doctor.run(("/bin/sh", "-c", "echo hi"), {}) == "hi\n"


@pytest.mark.parametrize(
    ("given", "span_s"), [("90s", 90), ("30m", 1800), ("12h", 43_200), ("1d", 86_400)]
)
def test_span_is_read(given: str, span_s: int) -> None:
    """issue 5 item 10: `audit --since 1d`."""
    newer = said.since_ms("0s")
    assert abs(newer - said.since_ms(given) - span_s * 1000) < 5_000
    assert said.since_ms("") == 0


@pytest.mark.parametrize("given", ["1", "d", "1w", "-1d", "1.5h", "١d", "9999999d"])
def test_span_that_is_none_raises(given: str) -> None:
    """Ours: told in a sentence by the command."""
    with pytest.raises(ValueError):
        said.since_ms(given)


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("/srv/ctb", '"/srv/ctb"'),
        ("/my files", '"/my files"'),
        ('a"b', '"a\\"b"'),
        ("a\\b", '"a\\\\b"'),
        ("100%", '"100%%"'),
    ],
)
def test_word_is_quoted_as_systemd_reads_it(text: str, quoted: str) -> None:
    """systemd.syntax(7)."""
    assert service._quoted(text) == quoted
    assert service._quoted("$HOME", "$") == '"$$HOME"'


def test_lines_of_the_audit_are_whole_in_both_forms() -> None:
    """issue 5 item 10: who, what, rule, turn, outcome."""
    line = desk.AuditLine(3, NOW_MS, "…1234", "turn.plan", "owner", "starting", "code", 7)
    told = said.audit_line(line, as_json=False)
    for word in ("…1234", "turn.plan", "owner", "starting", "code", "turn 7"):
        assert word in told
    assert json.loads(said.audit_line(line, as_json=True))["turn"] == 7
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d", told)


def test_requests_of_the_desk_survive_the_wire() -> None:
    """design 5: written strictly, read leniently."""
    for request in (desk.TraceGet(7), desk.DeadRetry("E-M1"), desk.AuditGet(5, 6)):
        assert from_json(type(request), to_json(request)) == request
    reply = desk.TraceReply(("a",), (desk.Step(1, "b", "c"),))
    assert from_json(desk.TraceReply, to_json(reply)) == reply
