"""What was fetched and is not stored yet: kept in memory, and on disk across a stop.

The worker keeps a batch until the bridge has it. One that cannot be stored at a stop
is spooled (`data/run`, 0600) and committed first at the next start, before any poll
(delivery-semantics 4). However long that takes, its messages are as old as they are: the
server's time goes on while a batch is kept.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bridge.wire import log
from bridge.wire.codec import MAX_FRAME_BYTES
from bridge.wire.messages import Inbound, InboundCommit
from bridge.wire.place import PlaceFault, read_private, sync_folder, write_private
from bridge.wire.values import WrongShape, from_json, to_json
from channel_worker.sleepwatch import Moment

MAX_SPOOL_BYTES = 128 * 1024 * 1024  # a reply of 32 MiB, written out with our member names
MAX_SLICE_BYTES = MAX_FRAME_BYTES * 3 // 4  # leaves room for the cursors
SMALL_REPLY_BYTES = 512 * 1024  # with few messages it fits a frame whatever is in it
FEW_MESSAGES = 256
PREFIX, ASIDE = "spool-", ".unreadable"
ASIDE_KEPT_S = 30 * 86_400  # as long as the bridge keeps texts (core/retention)

_log = log.get("batch")


@dataclass(frozen=True, slots=True)
class Batch:
    """One reply of getupdates, with the cursor it was fetched from."""

    prev_cursor: str
    next_cursor: str
    date_ms: int  # the server's time; 0: its reply named none
    dated: Moment  # when that was so: at the reply, or at the writing of a spool
    messages: tuple[Inbound, ...]
    size_bytes: int = MAX_FRAME_BYTES  # of the reply; a hint that saves measuring

    def commits(self, now: Callable[[], Moment]) -> Iterator[InboundCommit]:
        """The calls that store it: slices that fit a frame; the last one moves the cursor.

        Each is made when it is asked for, and bears the server's time of that moment.
        """
        slices = self._slices()
        last = len(slices) - 1
        for place, messages in enumerate(slices):
            next_cursor = self.next_cursor if place == last else ""
            yield InboundCommit(self.prev_cursor, next_cursor, self.server_ms(now()), messages)

    def server_ms(self, now: Moment) -> int:
        """The server's time by now, carried on by our clocks; 0 where it named none."""
        return self.date_ms and self.date_ms + self.dated.until_ms(now)

    def _slices(self) -> list[tuple[Inbound, ...]]:
        if self.size_bytes <= SMALL_REPLY_BYTES and len(self.messages) <= FEW_MESSAGES:
            return [self.messages]
        slices: list[tuple[Inbound, ...]] = []
        current: list[Inbound] = []
        room = MAX_SLICE_BYTES
        for message in self.messages:
            size = len(json.dumps(to_json(message), ensure_ascii=False).encode(errors="replace"))
            if size > room and current:
                slices.append(tuple(current))
                current, room = [], MAX_SLICE_BYTES
            current.append(message)
            room -= size
        return [*slices, tuple(current)]


class Spool:
    """The file that holds one batch across a stop."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def keep(self, batch: Batch, now: Moment) -> None:
        """Write the batch as a whole, 0600; raises OSError or PlaceFault."""
        commit = InboundCommit(
            batch.prev_cursor, batch.next_cursor, batch.server_ms(now), batch.messages
        )
        write_private(self._path, json.dumps(to_json(commit), ensure_ascii=False).encode())
        _log.warning("batch.spooled", messages=len(batch.messages))

    def load(self, now: Moment) -> Batch | None:
        """The batch of the last stop; a file that cannot be read is set aside for 30 days."""
        self._drop_old()
        try:
            content = read_private(self._path, MAX_SPOOL_BYTES)
            written_s = self._path.lstat().st_mtime
            commit = from_json(InboundCommit, json.loads(content), "spool")
        except FileNotFoundError:
            return None
        except (PlaceFault, OSError, ValueError, WrongShape) as wrong:
            _log.error("batch.spool_unreadable", why=str(wrong))
            self._set_aside()
            return None
        written = Moment(written_s, now.monotonic_s)  # of another process, so the wall alone tells
        return Batch(
            commit.prev_cursor, commit.next_cursor, commit.server_now_ms, written, commit.messages
        )

    def drop(self) -> None:
        """The batch is stored: the file goes."""
        if self._path.exists():
            self._path.unlink(missing_ok=True)
            sync_folder(self._path.parent)

    def _set_aside(self) -> None:
        """One at most for each bot: an older one of the same name is replaced."""
        aside = self._path.with_suffix(ASIDE)
        self._path.replace(aside)
        os.utime(aside, follow_symlinks=False)  # its thirty days begin now

    def _drop_old(self) -> None:
        """What nobody looked at in time goes: set aside, or spooled by a bot of earlier."""
        for path in self._path.parent.glob(f"{PREFIX}*"):
            with suppress(OSError):
                age_s = time.time() - path.lstat().st_mtime
                if path != self._path and age_s > ASIDE_KEPT_S:
                    path.unlink()
                    _log.warning("batch.spool_dropped", name=path.name)
