"""What each variable may say, and the sentence for one that says something else."""

from pathlib import Path

import pytest

from bridge.wire import env
from bridge.wire.env import WrongSetting


def env_of(tmp_path: Path, **values: str) -> env.Env:
    return env.read({"CTB_PROJECT_ROOT": str(tmp_path), **values})


def test_environment_wins_over_env_file(tmp_path: Path) -> None:
    """design 8."""
    (tmp_path / ".env").write_text("A=file\nB=file\nC=file\n")
    found = env_of(tmp_path, A="environment", B="")
    assert [found.text(name) for name in "ABC"] == ["environment", "file", "file"]


def test_empty_variable_counts_as_unset(tmp_path: Path) -> None:
    """design 8."""
    found = env_of(tmp_path, CTB_DATA_DIR="  ", N="")
    assert found.data_dir() == tmp_path / "data"
    assert found.integer("N", 5, 1, 9) == 5


def test_env_file_keeps_quoted_text_and_drops_comments() -> None:
    """ours."""
    content = """
        # a comment
        A = "two words # kept"
        export B='x'
        C=plain # dropped
        D=a#b
        E=
    """
    assert env.parse(content) == {
        "A": "two words # kept",
        "B": "x",
        "C": "plain",
        "D": "a#b",
        "E": "",
    }


def test_bad_env_file_line_is_named(tmp_path: Path) -> None:
    """issue 2, bad input: one clear sentence."""
    (tmp_path / ".env").write_text("A=1\nnonsense\n")
    with pytest.raises(WrongSetting, match=r"\.env cannot be read: line 2 is not NAME=value"):
        env_of(tmp_path)


@pytest.mark.parametrize("given", ["x", "1.5", "0", "10", "１", "9" * 30])
def test_wrong_number_names_variable_fault_and_example(tmp_path: Path, given: str) -> None:
    """design 8."""
    with pytest.raises(WrongSetting, match=r"^N .*; for example: N=5$"):
        env_of(tmp_path, N=given).integer("N", 5, 1, 9)


@pytest.mark.parametrize("given", ["x", "nan", "inf", "-1", "99"])
def test_wrong_seconds_are_refused(tmp_path: Path, given: str) -> None:
    """design 8."""
    with pytest.raises(WrongSetting, match="seconds"):
        env_of(tmp_path, S=given).seconds("S", 35, 5, 60)


def test_switch_choice_and_words(tmp_path: Path) -> None:
    """design 8."""
    found = env_of(tmp_path, ON="On", BAD="perhaps", CTB_LOG_LEVEL="DEBUG")
    assert found.switch("ON", False) is True
    assert found.log_level() == "debug"
    with pytest.raises(WrongSetting, match="on or off"):
        found.switch("BAD", False)
    with pytest.raises(WrongSetting, match="one of zh, en"):
        found.choice("BAD", ("zh", "en"), "")


def test_folders_follow_the_root_and_the_data_folder(tmp_path: Path) -> None:
    """design 8: CTB_DATA_DIR, CTB_SOCKET, CTB_LOG_FILE."""
    found = env_of(tmp_path, CTB_DATA_DIR="elsewhere")
    assert found.socket_path() == tmp_path / "elsewhere/run/bridge.sock"
    assert found.log_file("channel") == tmp_path / "elsewhere/logs/channel.log"


@pytest.mark.parametrize(
    ("given", "words"),
    [("", ("x",)), (" a, b ,", ("a", "b")), (" , ", ()), ("a b", ()), ("a,!", ())],
)
def test_words_are_at_least_one_and_each_of_its_kind(
    tmp_path: Path, given: str, words: tuple[str, ...]
) -> None:
    """design 8: what holds no word had no effect, and no word was said of it."""
    found = env_of(tmp_path, WORDS=given)
    if words:
        assert found.words("WORDS", "a,b", "must be letters", "[a-z]", ("x",)) == words
        return
    with pytest.raises(WrongSetting, match=r"^WORDS must be letters; for example: WORDS=a,b$"):
        found.words("WORDS", "a,b", "must be letters", "[a-z]", ("x",))


@pytest.mark.parametrize("name", ["same.log", "{x}.log", "{process}/x.log"])
def test_log_file_must_be_one_for_each_process(tmp_path: Path, name: str) -> None:
    """design 8: two processes wrote, and rotated, one file."""
    with pytest.raises(WrongSetting, match=r"must have \{process\} in its name.*\{process\}\.log$"):
        env_of(tmp_path, CTB_LOG_FILE=str(tmp_path / name)).log_file("bridge")


def test_missing_root_is_a_sentence() -> None:
    """design 8."""
    with pytest.raises(WrongSetting, match="CTB_PROJECT_ROOT names no folder"):
        env.read({"CTB_PROJECT_ROOT": "/nowhere/at/all"})
