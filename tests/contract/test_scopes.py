"""What an agent may do is what the owner's file says, and a wrong file allows nothing."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from bridge.wire import facade, messages
from bridge.wire.scopes import DEFAULT, FILE, MAX_FILE_BYTES, SCOPES, WrongClients, granted


def written(data: Path, content: str | bytes, mode: int = 0o600) -> Path:
    path = data / FILE
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
    return data


def test_client_without_a_file_or_a_table_may_read_states(tmp_path: Path) -> None:
    """R33: the default is status:read."""
    assert granted(tmp_path, "codex") == DEFAULT == {"status:read"}
    written(tmp_path, '[other]\nscopes = ["notify:owner"]\n')
    assert granted(tmp_path, "codex") == DEFAULT


@pytest.mark.parametrize("scope", SCOPES)
def test_client_may_do_what_its_own_table_says(tmp_path: Path, scope: str) -> None:
    """R33: scopes per client; nothing is added to what is written."""
    written(tmp_path, f'[codex]\nscopes = ["{scope}"]\n[cursor]\nscopes = []\n')
    assert granted(tmp_path, "codex") == {scope}
    assert granted(tmp_path, "cursor") == frozenset()


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ('[codex]\nscopes = ["turn:start"]', "[codex] 'turn:start' is no scope; there are status"),
        ("[codex]\nscopes = [true]", "[codex] True is no scope"),
        ('[codex]\nscopes = "notify:owner"', "[codex] scopes must be a list"),
        ('[codex]\nscope = ["notify:owner"]', "[codex] must hold one line"),
        ('[codex]\nscopes = []\nto = "x"', "[codex] must hold one line"),
        ("codex = 1", "[codex] must hold one line"),
        ("[codex", "is no TOML"),
        ('["▸ you"]\nscopes = []', "'\\u25b8 you' cannot be a client"),
        ("a=" + "[" * 20_000, "clients.toml"),
        (b"\xff", "is no TOML"),
        ("#" * (MAX_FILE_BYTES + 1), "is larger than"),
    ],
)
def test_wrong_file_is_one_sentence_that_names_the_fault(
    tmp_path: Path, content: str | bytes, fault: str
) -> None:
    """issue 5, point 12; a fault in another client's table counts as well."""
    written(tmp_path, content)
    for client in ("codex", "cursor"):
        with pytest.raises(WrongClients) as wrong:
            granted(tmp_path, client)
        assert fault in str(wrong.value) and "\n" not in str(wrong.value)


def test_file_that_others_may_write_or_that_is_a_link_is_refused(tmp_path: Path) -> None:
    """R17, as for the credentials: what grants rights is the owner's alone."""
    written(tmp_path, "", 0o644)
    with pytest.raises(WrongClients, match="chmod 600"):
        granted(tmp_path, "codex")
    (tmp_path / FILE).rename(tmp_path / "elsewhere")
    (tmp_path / FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(WrongClients, match="symbolic link"):
        granted(tmp_path, "codex")


@pytest.mark.parametrize("name", ["", "-a", "a b", "a\n", "▸", "á", "../a", "a" * 33])
def test_name_that_could_pass_for_something_else_is_refused(tmp_path: Path, name: str) -> None:
    """R28: the name stands in a line of ours on the phone."""
    with pytest.raises(WrongClients, match="the name of a client"):
        granted(tmp_path, name)


def test_every_facade_call_needs_one_scope_and_none_can_act_for_the_owner() -> None:
    """R15, R33: no method of a facade dispatches, approves, or names a recipient."""
    assert set(messages.CALLS["facade"]) == {facade.FacadeHello, *facade.NEEDS}
    assert set(facade.NEEDS.values()) == set(SCOPES)
    given = {each.name for call in facade.NEEDS for each in fields(call)}  # type: ignore[arg-type]  # each is a dataclass
    assert given == {"text", "question", "options", "id", "alias", "path", "caption"}
