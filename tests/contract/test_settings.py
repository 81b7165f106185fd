"""What the bridge is told by its variables, and the sentence for each that is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bridge import settings
from bridge.settings import Settings
from bridge.wire import env
from bridge.wire.env import WrongSetting
from channel_worker import settings as channel_settings

NUMBERS = {
    "CTB_QUEUE_LIMIT": "50",
    "CTB_FLOOD_LIMIT": "20",
    "CTB_SEND_BUDGET": "8",
    "CTB_SEND_WINDOW_HOURS": "23",
}
TIMES = {
    "CTB_MERGE_WINDOW_SECONDS": ("2", "seconds"),
    "CTB_STALE_AFTER_SECONDS": ("1800", "seconds"),
    "CTB_SEND_SPACING_SECONDS": ("1", "seconds"),
    "CTB_APPROVAL_HOURS": ("12", "hours"),
}
SWITCHES = {"CTB_REMOTE_APPROVALS": "on", "CTB_RECOVER_OWN_LOCKS": "on", "CTB_GROUP_QA": "off"}
CHOICES = {"CTB_LANG": "zh", "CTB_RESEND_POLICY": "resend_marked", "CTB_LOG_LEVEL": "debug"}


@pytest.fixture(autouse=True)
def nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that says nothing, over an empty project."""
    for name in os.environ:
        if name.startswith(("CTB_", "LC_", "LANG")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CTB_PROJECT_ROOT", str(tmp_path))


def load(monkeypatch: pytest.MonkeyPatch, **values: str) -> Settings:
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return settings.load()


def sentence(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> str:
    with pytest.raises(WrongSetting) as wrong:
        load(monkeypatch, **{name: value})
    return str(wrong.value)


def test_defaults_are_those_of_the_design(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """design 8."""
    found = load(monkeypatch)
    assert found.data_dir == tmp_path / "data"
    assert found.socket == tmp_path / "data/run/bridge.sock"
    assert found.log_file == tmp_path / "data/logs/bridge.log"
    assert (found.lang, found.log_level, found.recovers_own_locks) == ("en", "info", True)
    policy, limits = found.policy, found.limits
    assert (policy.merge_window_ms, policy.stale_ms) == (2_000, 1_800_000)
    assert (policy.queue_limit, policy.flood_limit) == (50, 20)
    assert (policy.remote_approvals, policy.approval_ms) == (True, 12 * 3_600_000)
    assert (limits.budget, limits.window_hours, limits.spacing_ms) == (8, 23, 1_000)
    assert limits.resends


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(
    ("value", "fault"), [("many", "is not a whole number"), ("-1", "must be from 0 to")]
)
def test_wrong_number_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, fault: str
) -> None:
    """design 8: the variable, the fault of its value, an example."""
    told = sentence(monkeypatch, name, value)
    assert told.startswith(f"{name} {fault}")
    assert told.endswith(f"; for example: {name}={NUMBERS[name]}")


@pytest.mark.parametrize("name", TIMES)
@pytest.mark.parametrize(("value", "fault"), [("soon", "is not a number of"), ("-1", "must be")])
def test_wrong_time_is_one_sentence_with_its_unit(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, fault: str
) -> None:
    """design 8: hours are called hours."""
    example, unit = TIMES[name]
    told = sentence(monkeypatch, name, value)
    assert told.startswith(f"{name} {fault}") and unit in told
    assert told.endswith(f"; for example: {name}={example}")


@pytest.mark.parametrize("value", ["many", "0", "1.5"])
def test_wrong_size_of_a_file_is_one_sentence(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """design 8."""
    told = sentence(monkeypatch, "CTB_MAX_ARTIFACT_BYTES", value)
    assert told.startswith("CTB_MAX_ARTIFACT_BYTES ") and told.endswith("=20971520")


def test_folder_of_files_that_is_not_absolute_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """design 8: absolute folders, a colon between."""
    told = sentence(monkeypatch, "CTB_ARTIFACT_ROOTS", "/srv/reports:exports")
    assert told.startswith("CTB_ARTIFACT_ROOTS names exports, which is no absolute folder")


@pytest.mark.parametrize("target", ["reports", "nothing", "exports"])
def test_folder_of_files_that_is_a_link_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, target: str
) -> None:
    """R23: no file would ever leave through it; one that leads nowhere, or to itself, as well."""
    (tmp_path / "reports").mkdir()
    (tmp_path / "exports").symlink_to(tmp_path / target)
    told = sentence(monkeypatch, "CTB_ARTIFACT_ROOTS", f"{tmp_path}/reports:{tmp_path}/exports/")
    assert f"names {tmp_path}/exports, which is a link: name the folder that it leads to" in told


@pytest.mark.parametrize("root", ["/", "{data}", "{data}/staging"])
def test_artifact_root_never_meets_our_state(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, root: str
) -> None:
    """R25: neither holds it nor lies in it."""
    value = root.format(data=tmp_path)
    with pytest.raises(WrongSetting, match="which holds the bridge's own state or lies in it"):
        load(monkeypatch, CTB_DATA_DIR=str(tmp_path), CTB_ARTIFACT_ROOTS=value)


def test_artifact_roots_are_read_with_a_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """design 8: absolute folders, `:` between."""
    monkeypatch.setenv("HOME", "/home/me")
    found = load(monkeypatch, CTB_DATA_DIR=str(tmp_path), CTB_ARTIFACT_ROOTS="/srv/reports:~/out:")
    assert found.artifact_roots == (Path("/srv/reports"), Path("/home/me/out"))


@pytest.mark.parametrize("name", SWITCHES)
def test_wrong_switch_is_one_sentence(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """design 8."""
    told = sentence(monkeypatch, name, "maybe")
    assert told == f"{name} must be on or off; for example: {name}={SWITCHES[name]}"


@pytest.mark.parametrize("name", CHOICES)
def test_wrong_choice_is_one_sentence_with_the_choices(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """design 8."""
    told = sentence(monkeypatch, name, "klingon")
    assert told.startswith(f"{name} must be one of {CHOICES[name]}, ")
    assert told.endswith(f"; for example: {name}={CHOICES[name]}")


@pytest.mark.parametrize("value", ["[1", "[1]", '"open', ",", "[]", '[""]'])
def test_controller_command_that_cannot_be_read_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """design 8: a JSON list, shell words, or commas."""
    if not value.startswith("["):
        value = f"{value} and more" if '"' in value else value
    told = sentence(monkeypatch, "CTB_CONTROLLER_COMMAND", value)
    assert told.startswith("CTB_CONTROLLER_COMMAND cannot be read: ")
    assert "ctb-controller --engine codex" in told


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ('["/a b/c", "--x y"]', ("/a b/c", "--x y")),
        ("/opt/c --flag 'two words'", ("/opt/c", "--flag", "two words")),
        ("/opt/c,--flag,x", ("/opt/c", "--flag", "x")),
    ],
)
def test_controller_command_is_read_in_three_ways(
    monkeypatch: pytest.MonkeyPatch, value: str, words: tuple[str, ...]
) -> None:
    """design 8."""
    assert load(monkeypatch, CTB_CONTROLLER_COMMAND=value).controller == words


@pytest.mark.parametrize("value", [" , ", "A B", "A,1B"])
def test_names_for_the_controller_are_names(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """design 8: `A B` passed on nothing, without a word."""
    told = sentence(monkeypatch, "CTB_CONTROLLER_ENV", value)
    assert told.startswith("CTB_CONTROLLER_ENV must be names of variables, comma separated; for")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ILINK_HOST_SUFFIXES", ","),
        ("ILINK_HOST_SUFFIXES", "*.qq.com"),
        ("ILINK_OWNER_USER_IDS", ","),
    ],
)
def test_wrong_words_of_the_worker_are_one_sentence(tmp_path: Path, name: str, value: str) -> None:
    """design 8: another variable was blamed, or nothing said."""
    given = {"CTB_PROJECT_ROOT": str(tmp_path), name: value}
    with pytest.raises(WrongSetting, match=f"^{name} must be .*; for example: {name}="):
        channel_settings.read(env.read(given))


@pytest.mark.parametrize(
    ("codex", "controller", "is_found"),
    [
        ("/nowhere/codex", "", False),
        ("'open", "", False),
        (f"{'c' * 300} -c x", "", False),  # longer than any name
        ("sh -c true", "", True),
        ("/nowhere/codex", "ctb-controller --engine echo", True),
        ("/nowhere/codex", "ssh desk ctb-controller", True),
    ],
)
def test_codex_that_is_not_there_is_named_where_it_is_needed(
    monkeypatch: pytest.MonkeyPatch, codex: str, controller: str, is_found: bool
) -> None:
    """Ours: said at the start and by status."""
    found = load(monkeypatch, CTB_CODEX_COMMAND=codex, CTB_CONTROLLER_COMMAND=controller)
    fault = settings.codex_fault(found)
    assert not fault if is_found else fault.startswith(f"{codex} cannot be found: ")


def test_controller_inherits_only_what_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """R19: an allow-list, and the names that the owner adds to it."""
    found = load(
        monkeypatch,
        ILINK_BOT_TOKEN="canary",
        SECRET="canary",
        MINE="yes",
        LC_ALL="zh_CN.UTF-8",
        CTB_CONTROLLER_ENV="MINE, ABSENT",
    )
    assert found.controller_env["MINE"] == "yes" and found.lang == "zh"
    assert "canary" not in found.controller_env.values()
    assert "ABSENT" not in found.controller_env


def test_codex_home_is_the_one_that_the_controller_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """R25: files in it are asked about, wherever it is."""
    monkeypatch.delenv("CODEX_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load(monkeypatch).codex_home == tmp_path / ".codex"
    assert load(monkeypatch, CODEX_HOME="/srv/codex").codex_home == Path("/srv/codex")
