"""What the controller reads of its surroundings: Codex's config, and the kernel's locks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bridge.codex import environment, writers


def test_codex_inherits_an_allow_list_and_the_keys_its_owner_named(tmp_path: Path) -> None:
    """Threat-model R19."""
    text = '[model_providers.x]\nenv_key = "MY_KEY"\nenv_http_headers = { "X" = "MY_HEADER" }\n'
    (tmp_path / "config.toml").write_text(text)
    given = {"PATH": "/bin", "MY_KEY": "k", "MY_HEADER": "h", "LC_ALL": "C"}
    refused = {"ILINK_BOT_TOKEN": "t", "LD_PRELOAD": "x", "PYTHONPATH": "y", "CTB_DATA_DIR": "z"}
    found = environment.for_codex(given | refused, tmp_path)
    assert found == given | {"CODEX_HOME": str(tmp_path)}


@pytest.mark.parametrize(
    "text", ["", "not toml [", "model_providers = 3", "[model_providers]\nx=1"]
)
def test_a_config_that_cannot_be_read_names_no_keys(tmp_path: Path, text: str) -> None:
    """Ours: Codex itself will say what is wrong with it."""
    (tmp_path / "config.toml").write_text(text)
    assert environment.for_codex({"PATH": "/bin"}, tmp_path).keys() == {"PATH", "CODEX_HOME"}


def test_the_holder_of_a_lock_is_read_from_the_kernels_table(tmp_path: Path) -> None:
    """Codex app-server 7: by inode, without touching the lock."""
    lock = tmp_path / "thread-writer-locks" / "t.lock"
    lock.parent.mkdir()
    lock.touch()
    found = lock.stat()
    where = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    table = tmp_path / "locks"
    table.write_text(
        f"1: FLOCK  ADVISORY  WRITE 41 {where} 0 EOF\n"
        f"1: -> FLOCK  ADVISORY  WRITE 42 {where} 0 EOF\n"
        "2: POSIX  ADVISORY  READ 43 00:01:2 0 EOF\nnonsense\n"
    )
    assert writers.Writers(table).of(tmp_path, "t") == 41
    assert writers.Writers(table).of(tmp_path, "other") is None
    assert writers.Writers(tmp_path / "none").of(tmp_path, "t") is None
