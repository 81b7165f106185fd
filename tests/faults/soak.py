"""Kills at random, for as long as one likes, and the same checks as the matrix.

python -m tests.faults.soak --minutes 10 [--seed 7]
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from typing import get_args

import anyio

from bridge.tasks.points import Point
from tests.faults.rig import Conditions, Launcher, Rig, gateway
from tests.faults.strike import strike

VICTIMS = ("bridge", "worker", "controller", "both")
ROUNDS_PER_GATEWAY = 40
POINTS: tuple[Point, ...] = get_args(Point)


async def soak(minutes: float, seed: int) -> int:
    """How many kills were survived; an AssertionError or TimeoutError ends it."""
    chance = random.Random(seed)
    ends_at, kills = time.monotonic() + minutes * 60, 0
    launcher = Launcher()
    while time.monotonic() < ends_at:
        gives_again, drops_copies, forgets_keys = (chance.random() < 0.5 for _ in range(3))
        conditions = Conditions(gives_again, drops_copies, forgets_keys)
        print(f"{kills} kills survived; now {conditions}", flush=True)
        async with gateway(launcher, conditions) as rig:
            kills += await _rounds(rig, chance, ends_at)
            assert await rig.stop() == (0, 0)
            rig.check_database()
    launcher.close()
    return kills


async def _rounds(rig: Rig, chance: random.Random, ends_at: float) -> int:
    for number in range(ROUNDS_PER_GATEWAY):
        if time.monotonic() > ends_at:
            return number
        point, victim = chance.choice(POINTS), chance.choice(VICTIMS)
        if victim == "both" and point == "before T1" and not rig.conditions.gives_again:
            continue  # the one loss of delivery-semantics 1
        await strike(rig, point, victim, f"round {number}: {victim} at {point}")
    return ROUNDS_PER_GATEWAY


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--minutes", type=float, default=10)
    reader.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    given = reader.parse_args()
    print(f"seed {given.seed}")
    print(f"{anyio.run(soak, given.minutes, given.seed)} kills survived")
    sys.exit(0)


if __name__ == "__main__":
    main()
