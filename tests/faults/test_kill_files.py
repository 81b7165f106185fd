"""kill -9 while a file is on its way to the phone: it comes, once, and nothing is left over.

The points are those of `bridge.tasks.points` that only a bubble with a file comes by, and
those of its attempt. The bytes on the phone are the staged ones (I11), however often the
file had to go up.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import get_args

import pytest

from bridge.core.sending import REPEAT_MARK
from bridge.core.uploading import HANDLE_LIFE_MS
from bridge.tasks.points import FilePoint, Point
from channel_worker.simulator.world import Sent
from tests.faults.rig import PATIENCE_S, Conditions, Launcher, Rig, empty_gateway

POINTS: tuple[Point | FilePoint, ...] = (
    "before T2", *get_args(FilePoint), "T2", "T6", "after send", "T7"
)  # fmt: skip
AFTER_HANDLE = ("T6", "after send", "uploaded", "T7")  # then no second upload is needed
BLIND = Conditions(drops_copies=False)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def rig(launcher: Launcher) -> AsyncIterator[Rig]:
    """A gateway for all of them, with a folder that files may leave from."""
    async with empty_gateway(launcher, BLIND) as rig:
        (rig.folder / "exports").mkdir()
        rig.start_worker()
        start_bridge(rig)
        await rig.choose_thread()
        await rig.until_at_rest()
        yield rig
        assert await rig.stop() == (0, 0)
        rig.check_database()


def start_bridge(rig: Rig) -> None:
    rig.start_bridge(CTB_ARTIFACT_ROOTS=str(rig.folder / "exports"))


def arrived(rig: Rig, name: str) -> list[Sent]:
    """The bubbles on the phone that bring this file."""
    return [sent for sent in rig.world.sent if name in str(sent.item.get("file_item"))]


def uploads(rig: Rig) -> int:
    return len(rig.world.calls("cdn_upload"))


async def offers(rig: Rig, name: str) -> None:
    """An answer that names a file of its turn."""
    path = rig.folder / "exports" / name
    path.write_bytes(name.encode() * 1_000)
    rig.world.say(f"see {path}")
    await rig.until_shown(f"answer to see {path}")
    await rig.until_at_rest()
    rig.world.say("/artifacts")
    await rig.until_shown(f"1. {name} · ")
    await rig.until_at_rest()


async def has_it_once(rig: Rig, name: str) -> None:
    """The file is there, a copy of it marked, and staging holds nothing that no row names."""
    await rig.simulator.until(lambda: arrived(rig, name), PATIENCE_S)
    await rig.until_at_rest()
    found = arrived(rig, name)
    names = [sent.item["file_item"]["file_name"] for sent in found]
    assert names[0] in (name, f"{REPEAT_MARK}{name}")  # a copy may be all that came through
    assert all(other == f"{REPEAT_MARK}{name}" for other in names[1:]), names
    assert len({sent.client_id for sent in found}) == 1
    for sent in found:
        assert sent.item["file_item"]["len"] == str(len(name) * 1_000)


@pytest.mark.parametrize("victim", ["bridge", "both"])
@pytest.mark.parametrize("point", POINTS)
async def test_file_arrives_whoever_dies_and_wherever(
    rig: Rig, point: Point | FilePoint, victim: str
) -> None:
    """F14 to F16, F20, F21: at each line between the copy and its receipt."""
    name = f"at-{point}-{victim}.txt".replace(" ", "-")
    await offers(rig, name)
    uploaded, reached = uploads(rig), rig.reached()[point]
    rig.order(point, victims=(rig.worker,) if victim == "both" else ())
    rig.world.say("/sendfile 1")
    await rig.until_reached(point, reached + 1)
    assert await rig.ended(rig.bridge) == -9
    if victim == "both":
        await rig.ended(rig.worker)
        rig.start_worker()
    start_bridge(rig)
    await has_it_once(rig, name)
    assert uploads(rig) - uploaded <= (1 if point in AFTER_HANDLE else 2)
    if victim == "bridge" and point != "after send":
        assert len(arrived(rig, name)) == 1


@pytest.mark.parametrize("point", get_args(FilePoint))
async def test_worker_that_dies_costs_an_upload_at_most(rig: Rig, point: FilePoint) -> None:
    """F20: the worker goes after the CDN has the bytes, and before the bridge knows."""
    name = f"at-{point}-worker.txt".replace(" ", "-")
    await offers(rig, name)
    reached = rig.reached()[point]
    rig.order(point, victims=(rig.worker,), ends_itself=False)
    rig.world.say("/sendfile 1")
    await rig.until_reached(point, reached + 1)
    await rig.ended(rig.worker)
    rig.start_worker()
    await has_it_once(rig, name)


def test_no_pause_of_a_repeat_outlives_a_handle() -> None:
    """Ours: so that no repeat of an attempt needs a second upload."""
    from bridge.core.sending import PROBE_MS, REPEAT_MS

    assert max(*PROBE_MS, *REPEAT_MS) <= HANDLE_LIFE_MS


async def test_staging_holds_only_what_a_row_names(launcher: Launcher) -> None:
    """I8, F21: what a crash has left is gone at the next start."""
    async with empty_gateway(launcher, Conditions()) as rig:
        staging = rig.folder / "data/staging"
        rig.start_worker()
        rig.start_bridge()
        await rig.choose_thread()
        os.kill(rig.bridge, 9)
        await rig.ended(rig.bridge)
        for stray in (".half.part", "copied-and-never-committed"):
            (staging / stray).write_bytes(b"x")
        rig.start_bridge()
        await rig.until(lambda: not list(staging.iterdir()), "what a crash left is gone")
