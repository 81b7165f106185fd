"""How much one message costs on the disk when nothing goes wrong."""

from __future__ import annotations

import struct
from pathlib import Path

from tests.faults.rig import Conditions, Launcher, gateway

COMMITS = 6  # design 4: T1 | T2+T3 | T4 | T5+T6 | T7 | T8 to T11
WAL_HEADER = struct.Struct(">8I")  # magic, format, page size, sequence, salts, checksums
FRAME_HEADER = struct.Struct(">6I")  # page, size after a commit or 0, salts, checksums


def commits(wal: Path) -> int:
    """Transactions in a write-ahead log: frames that carry a size (SQLite file format 4.1)."""
    data = wal.read_bytes()
    header = WAL_HEADER.unpack_from(data)
    found = 0
    for start in range(WAL_HEADER.size, len(data), FRAME_HEADER.size + header[2]):
        frame = FRAME_HEADER.unpack_from(data, start)
        is_current = frame[2:4] == header[4:6]
        found += is_current and frame[1] > 0
    return found


async def test_one_message_costs_six_commits(launcher: Launcher) -> None:
    """design 4 and F85: no extra commit when all goes well."""
    async with gateway(launcher, Conditions()) as rig:
        wal = rig.folder / "data/state/bridge.sqlite3-wal"
        before = commits(wal)
        rig.world.say("hello")
        await rig.until_shown("answer to hello")
        await rig.until_at_rest()
        assert commits(wal) - before == COMMITS
