"""Was this machine asleep? Wall and monotonic time part when it was."""

from __future__ import annotations

import time
from collections.abc import Callable

MAX_JUMP_S = 10.0  # delivery-semantics 12: more is sleep, or a clock that was set


class SleepWatch:
    """Compares the two clocks from one look to the next."""

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._gap_s = wall() - monotonic()

    def slept_s(self) -> float:
        """Seconds by which the clocks have parted since the last look; 0 when they have not."""
        gap_s = self._wall() - self._monotonic()
        jump_s, self._gap_s = gap_s - self._gap_s, gap_s
        return jump_s if abs(jump_s) > MAX_JUMP_S else 0.0
