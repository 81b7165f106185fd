"""Files of answers over the tasks of a bridge: offers, lists, copies; a real disk."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.files.gate import Doubt, Leaving, Seen
from bridge.store.statements import change, records
from bridge.store.tables import AliasRow, ArtifactTable, OutboxTable, TurnTable
from bridge.tasks.artifacts import look_for_agent
from tests.contract.room import Room, room


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Room]:
    """A thread in a folder of its own, below a home."""
    home = tmp_path / "home"
    (home / "work" / "exports").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    private = tmp_path / "data"
    staging = private / "staging"
    staging.mkdir(parents=True)
    async with room(tmp_path) as built:
        built.shared.leaving = Leaving(staging, (), (staging,))
        await moves(built, home / "work")
        yield built


async def moves(desk: Room, folder: Path) -> None:
    await desk.db.run(lambda: change(AliasRow, "1", (), cwd=str(folder)))


def home_of(desk: Room) -> Path:
    return desk.shared.leaving.staging.parents[1] / "home"


async def answers(desk: Room, result: str, turns: int = 1) -> None:
    await desk.says("go on")
    desk.controller.says("completed", result=result)
    await desk.until_done(turns)


async def copies(desk: Room) -> list[str]:
    found = await desk.db.read(lambda: records(OutboxTable, "artifact IS NOT NULL ORDER BY id"))
    return [row.text for row in found]


async def test_offers_are_stored_with_the_answer_as_they_were_said(desk: Room) -> None:
    """R22: offers only, and nothing is looked at; an answer without a path stores none."""
    (home_of(desk) / "work/exports/a.txt").write_text("a")
    await answers(desk, "see exports/a.txt and ~/b.md")
    await answers(desk, "nothing to see", 2)
    found = await desk.db.read(lambda: records(ArtifactTable, "1 ORDER BY id"))
    assert [(row.path, row.turn, row.staged_name) for row in found] == [
        ("exports/a.txt", 1, ""),
        ("~/b.md", 1, ""),
    ]


async def test_number_means_the_list_shown_last_else_the_latest_answer(desk: Room) -> None:
    """issue 5, item 1: a later answer does not change what a number means."""
    exports = home_of(desk) / "work/exports"
    (exports / "a.txt").write_text("a")
    await answers(desk, "see exports/a.txt")
    await desk.says("/sendfile 1")
    await desk.reads("a.txt")
    await desk.says("/artifacts")
    await desk.reads("1. a.txt · 1 B · ready")
    (exports / "b.txt").write_text("b")
    await answers(desk, "see exports/b.txt", 2)
    await desk.says("/sendfile 1")
    await desk.until_decided()
    await desk.says("/artifacts")
    await desk.reads("1. b.txt · 1 B · ready")
    await desk.says("/sendfile 1")
    await desk.until_decided()
    assert await copies(desk) == ["a.txt", "a.txt", "b.txt"]
    assert len(list(desk.shared.leaving.staging.iterdir())) == 3


async def test_all_means_all_of_the_list_until_a_newer_answer_comes(desk: Room) -> None:
    """design 7: `/sendfile all` is of the latest answer, of however many files."""
    exports = home_of(desk) / "work/exports"
    names = [f"{number:02}.txt" for number in range(12)]
    for name in names:
        (exports / name).write_text(name)
    await answers(desk, "see " + ", ".join(f"exports/{name}" for name in names))
    await desk.says("/artifacts")
    await desk.reads("2 more, up to number 12")
    await desk.says("/sendfile 12")
    await desk.says("/sendfile all")
    await desk.until_decided()
    assert sorted(await copies(desk)) == [*names, names[-1]]
    (exports / "new.txt").write_text("new")
    await answers(desk, "see exports/new.txt", 2)
    await desk.says("/sendfile all")
    await desk.until_decided()
    assert (await copies(desk))[13:] == ["new.txt"]


async def test_all_means_the_list_of_an_older_answer_that_was_asked_for(desk: Room) -> None:
    """Ours: what was shown last, though another thread had the last word before."""
    exports = home_of(desk) / "work/exports"
    for name in ("a.txt", "b.txt"):
        (exports / name).write_text(name)
    await answers(desk, "see exports/a.txt")
    await desk.db.run(lambda: change(TurnTable, "1", (), thread="thread-0000"))
    await answers(desk, "see exports/b.txt", 2)
    await desk.db.run(lambda: change(AliasRow, "1", (), thread="thread-0000"))
    await desk.says("/artifacts code")
    await desk.reads("1. a.txt")
    await desk.says("/sendfile all")
    await desk.until_decided()
    assert await copies(desk) == ["a.txt"]


async def test_thread_whose_folder_is_not_here_is_out_of_reach(desk: Room) -> None:
    """issue 5: an ssh controller, or a folder that does not exist here."""
    await answers(desk, "see exports/a.txt")
    desk.shared.is_remote = True
    await desk.says("/artifacts")
    await desk.reads("1. a.txt · stays: on another computer, out of reach")
    await desk.says("/sendfile 1")
    await desk.reads("Not sent:\na.txt · stays: on another computer")
    desk.shared.is_remote = False
    await moves(desk, Path("/nowhere"))
    await desk.says("/artifacts")
    await desk.reads("1. a.txt · stays: on another computer", 2)


async def test_home_as_a_folder_gives_its_exports_and_nothing_else(desk: Room) -> None:
    """R23: a workspace that holds everything allows nothing by itself."""
    home = home_of(desk)
    await moves(desk, home)
    (home / "notes.txt").write_text("mine")
    (home / "exports").mkdir()
    (home / "exports" / "a.txt").write_text("a")
    await answers(desk, "see notes.txt and exports/a.txt")
    await desk.says("/artifacts")
    shown = await desk.reads("Files of #1")
    assert "1. a.txt · 1 B · ready" in shown and "2. notes.txt · stays: not where" in shown


async def test_our_own_state_stays_wherever_a_workspace_lies(desk: Room) -> None:
    """R25: also where a thread works inside it."""
    inside = desk.shared.leaving.staging / "exports"
    inside.mkdir()
    (inside / "a.txt").write_text("a")
    await moves(desk, inside.parent)
    await answers(desk, "see exports/a.txt")
    await desk.says("/artifacts")
    await desk.reads("1. a.txt · stays: the bridge's own data")


async def test_file_of_codex_home_is_asked_about(desk: Room) -> None:
    """R25: for a thread and for an agent, also where the settings let files leave from it."""
    home = home_of(desk)
    file = home / "work/codex/a.txt"
    file.parent.mkdir()
    file.write_text("a")
    leaving = replace(desk.shared.leaving, roots=(file.parent,), secret=(file.parent,))
    desk.shared.leaving = leaving
    await answers(desk, "see codex/a.txt")
    await desk.says("/artifacts")
    await desk.reads("1. a.txt · 1 B · asks you first: it may hold a key or a password")
    assert await look_for_agent(desk.shared, str(file)) == Seen(1, (Doubt.SECRET,))


async def test_disk_that_cannot_be_written_is_said(desk: Room) -> None:
    """F62: disk full at staging."""
    (home_of(desk) / "work/exports/a.txt").write_text("a")
    await answers(desk, "see exports/a.txt")
    shutil.rmtree(desk.shared.leaving.staging)
    await desk.says("/sendfile 1")
    await desk.reads("a.txt · stays: the disk here cannot be written")


async def test_larger_file_than_the_settings_allow_stays(desk: Room) -> None:
    """CTB_MAX_ARTIFACT_BYTES."""
    (home_of(desk) / "work/exports/a.txt").write_text("12345")
    desk.shared.leaving = replace(desk.shared.leaving, limit_bytes=4)
    await answers(desk, "see exports/a.txt")
    await desk.says("/artifacts")
    await desk.reads("1. a.txt · stays: too large")


async def test_files_of_a_turn_that_is_not_paid_yet_are_listed(desk: Room) -> None:
    """T5: the answer is on the phone before the controller has everything it is owed."""
    (home_of(desk) / "work/exports/a.txt").write_text("a")
    await answers(desk, "see exports/a.txt")
    await desk.db.run(lambda: change(TurnTable, "1", (), state="settling"))
    await desk.says("/artifacts code")
    await desk.reads("1. a.txt · 1 B · ready")


async def test_two_ways_to_write_a_path_are_one_file(desk: Room) -> None:
    """Ours: prose is read in more than one way, and a list shows what is there."""
    place = home_of(desk) / "work/exports/a.txt"
    place.write_text("a")
    await answers(desk, f"see `./exports/a.txt`, exports/a.txt, {place} and ~/work/exports/a.txt")
    await desk.says("/artifacts")
    shown = await desk.reads("1. a.txt · 1 B · ready")
    assert "2." not in shown


async def test_folders_that_an_answer_names_are_not_listed(desk: Room) -> None:
    """Ours: a name in code may lack an ending, and so may a folder's."""
    exports = home_of(desk) / "work/exports"
    (exports / "Makefile").write_text("all:")
    (exports / "parts").mkdir()
    await answers(desk, "see `exports/parts`, `exports/Makefile` and [all](exports/)")
    await desk.says("/artifacts")
    shown = await desk.reads("1. Makefile · 4 B · ready")
    assert "2." not in shown


async def test_path_of_an_agent_that_ends_in_a_slash_is_no_file(desk: Room) -> None:
    """F91: it is judged as it was written."""
    file = home_of(desk) / "work/exports/a.txt"
    file.write_text("a")
    desk.shared.leaving = replace(desk.shared.leaving, roots=(file.parent,))
    assert await look_for_agent(desk.shared, f"{file}/") == "not_a_file"
    assert await look_for_agent(desk.shared, "~/work/exports/a.txt") == Seen(1, ())
