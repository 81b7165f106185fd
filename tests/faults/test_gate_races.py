"""The gate while somebody exchanges what it checks: fault catalogue F92."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from bridge.files.gate import Staged
from tests.contract.test_files_gate import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_swap_in_mid_walk_never_shows_the_secret(desk: Desk) -> None:
    """Folder and file are exchanged for links as fast as can be: 10,000 rounds (F92)."""
    inner = desk.exports / "a"
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            inner.mkdir()
            (inner / "bridge.sqlite3").write_bytes(b"harmless")
            (inner / "bridge.sqlite3").unlink()
            inner.rmdir()
            inner.symlink_to(desk.state / "state")
            inner.unlink()

    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        for _ in range(10_000):
            desk.stage("exports/a/bridge.sqlite3")
    finally:
        over.set()
        swapping.join()
    assert {file.read_bytes() for file in desk.into.iterdir()} <= {b"harmless"}


def test_a_file_that_grows_while_it_is_read_stays(desk: Desk) -> None:
    """What was checked is not what would be sent; later rounds may be whole again."""
    file = desk.exports / "x"
    over = threading.Event()

    def grow() -> None:
        while not over.is_set():
            with file.open("ab") as grown:
                grown.write(b"1" * 10_000)

    file.write_bytes(b"1")
    growing = threading.Thread(target=grow)
    growing.start()
    try:
        found = [desk.stage("exports/x", 1 << 30) for _ in range(50)]
    finally:
        over.set()
        growing.join()
    for one in found:
        if isinstance(one, Staged):
            assert (desk.into / one.staged_name).stat().st_size == one.size_bytes
