"""Private folders and files: made so, checked so, replaced as a whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bridge.wire import place
from bridge.wire.place import AlreadyRunning, PlaceFault


def test_new_folder_is_ours_alone(tmp_path: Path) -> None:
    """R13: 0700 whatever the umask."""
    assert place.private_folder(tmp_path / "run").stat().st_mode & 0o777 == 0o700


def test_folder_as_git_made_it_is_closed(tmp_path: Path) -> None:
    """design 3: the folders of data/ come with a `.gitignore` and wide modes."""
    folder = tmp_path / "run"
    folder.mkdir(mode=0o755)
    (folder / ".gitignore").touch()
    assert place.private_folder(folder).stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
def test_open_folder_with_content_is_refused(tmp_path: Path, mode: int) -> None:
    """R13: the sentence holds the next step."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "x").touch()
    (tmp_path / "run").chmod(mode)
    with pytest.raises(PlaceFault, match="chmod 700"):
        place.private_folder(tmp_path / "run")


def test_link_and_file_in_the_place_of_a_folder_are_refused(tmp_path: Path) -> None:
    """R13: no symlink in the last component."""
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").touch()
    for name in ("link", "file"):
        with pytest.raises(PlaceFault):
            place.private_folder(tmp_path / name)


@pytest.mark.parametrize("name", ["file", "file/data", "/proc/nope"])
def test_data_folder_that_cannot_be_made_names_its_variable(tmp_path: Path, name: str) -> None:
    """design 8: the variable, the fault, an example."""
    (tmp_path / "file").touch()
    with pytest.raises(PlaceFault, match=r"(cannot be made|in the way).*set CTB_DATA_DIR, for ex"):
        place.data_folders(tmp_path / name, ("run",))


def test_second_holder_of_a_lock_is_refused_until_the_first_lets_go(tmp_path: Path) -> None:
    """F69: an flock, with the process id for people."""
    path = tmp_path / "bridge.lock"
    held = place.hold_lock(path)
    assert place.is_locked(path)
    with pytest.raises(AlreadyRunning, match=str(os.getpid())):
        place.hold_lock(path)
    held.release()
    assert not place.is_locked(path)
    place.hold_lock(path).release()


def test_file_is_replaced_as_a_whole_and_never_wide(tmp_path: Path) -> None:
    """R17: no left-over beside it."""
    path = tmp_path / "credentials.json"
    for data in (b"old", b"new"):
        place.write_private(path, data)
    assert path.read_bytes() == b"new" and path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["credentials.json"]  # noqa: PTH208  # names


@pytest.mark.parametrize("size", [9, 10])
def test_file_up_to_the_limit_is_read(tmp_path: Path, size: int) -> None:
    """R9: limits are checked while reading."""
    place.write_private(tmp_path / "f", b"x" * size)
    assert len(place.read_private(tmp_path / "f", 10)) == size


def test_file_that_is_too_large_wide_a_link_a_pipe_or_a_folder_is_refused(tmp_path: Path) -> None:
    """F73, R17: nothing blocks, nothing is read."""
    place.write_private(tmp_path / "large", b"x" * 11)
    place.write_private(tmp_path / "wide", b"x")
    (tmp_path / "wide").chmod(0o640)
    (tmp_path / "link").symlink_to(tmp_path / "large")
    (tmp_path / "folder").mkdir(mode=0o700)
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name in ("large", "wide", "link", "pipe", "folder"):
        with pytest.raises(PlaceFault):
            place.read_private(tmp_path / name, 10)
    with pytest.raises(FileNotFoundError):
        place.read_private(tmp_path / "missing", 10)
