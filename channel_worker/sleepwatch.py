"""The two clocks of this machine: how much later is it, and was it asleep meanwhile?

Wall time goes on in a sleep, and can be set; monotonic time may stand still in one, never
goes back, and means nothing to another process.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

MAX_JUMP_S = 10.0  # delivery-semantics 12: more is sleep, or a clock that was set


@dataclass(frozen=True, slots=True)
class Moment:
    """What both clocks show at once."""

    wall_s: float
    monotonic_s: float

    def until_ms(self, later: Moment) -> int:
        """How much later another moment is; a sleep counts, a clock that was set back does not."""
        gap_s = max(later.wall_s - self.wall_s, later.monotonic_s - self.monotonic_s)
        return max(0, int(gap_s * 1000))


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

    def now(self) -> Moment:
        return Moment(self._wall(), self._monotonic())

    def slept_s(self) -> float:
        """Seconds by which the clocks have parted since the last look; 0 when they have not."""
        gap_s = self._wall() - self._monotonic()
        jump_s, self._gap_s = gap_s - self._gap_s, gap_s
        return jump_s if abs(jump_s) > MAX_JUMP_S else 0.0
