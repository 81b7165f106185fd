"""What is mounted where files leave from: fault catalogue F91, in a namespace of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMESPACE = ("unshare", "--mount", *(() if os.geteuid() == 0 else ("--map-root-user",)))
MOUNTING = """
import subprocess, sys
from pathlib import Path
from tests.contract.test_files_gate import Desk

desk = Desk(Path(sys.argv[1]))
other = desk.work.with_name("other")
(other / "m").mkdir(parents=True)
(other / "x").write_text("mine")
def mount(*words):
    subprocess.run(["mount", *map(str, words)], check=True)
"""


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A folder for a desk, where this machine lets us mount."""
    try:
        probe = [*NAMESPACE, "mount", "--bind", str(tmp_path), str(tmp_path)]
        told = subprocess.run(probe, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no unshare")
    if told.returncode:
        pytest.skip(f"no mounts here: {told.stderr.strip()}")
    return tmp_path


def printed(base: Path, program: str) -> str:
    command = [*NAMESPACE, sys.executable, "-c", MOUNTING + program, str(base)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout


@pytest.mark.parametrize("place", ["exports", "sub"])
def test_folder_of_the_same_disk_that_is_mounted_stays(base: Path, place: str) -> None:
    """Its device is that of the root: only the mount tells."""
    program = f"""
(desk.work / "{place}" / "m").mkdir(parents=True)
mount("--bind", other, desk.work / "{place}" / "m")
print(desk.why("{place}/m/x"))
"""
    assert printed(base, program) == "not_ours\n"


def test_file_that_is_mounted_stays(base: Path) -> None:
    """It has one name and our uid, and lies elsewhere."""
    program = """
(desk.exports / "x").touch()
mount("--bind", other / "x", desk.exports / "x")
print(desk.why("exports/x"))
"""
    assert printed(base, program) == "not_ours\n"


def test_other_disk_that_is_mounted_stays(base: Path) -> None:
    """Also where a folder of this disk is mounted in it."""
    program = """
(desk.exports / "m").mkdir()
mount("-t", "tmpfs", "tmpfs", desk.exports / "m")
(desk.exports / "m" / "x").write_text("theirs")
print(desk.why("exports/m/x"))
(desk.exports / "m" / "back").mkdir()
mount("--bind", other, desk.exports / "m" / "back")
print(desk.why("exports/m/back/x"))
"""
    assert printed(base, program) == "not_ours\nnot_ours\n"


def test_exports_may_be_a_mount_themselves(base: Path) -> None:
    """Ours: who gives them a disk of their own wants files to leave from there."""
    program = """
mount("--bind", other, desk.exports)
print(desk.doubts("exports/x"))
"""
    assert printed(base, program) == "()\n"
