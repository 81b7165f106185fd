"""One kill at one point, and everything that must be so afterwards."""

from __future__ import annotations

from bridge.tasks.points import Point
from tests.faults.rig import Rig


async def strike(rig: Rig, point: Point, victim: str, tag: str) -> None:
    """Kill the victim at this point while two prompts are on their way; then all is well."""
    tag += ","  # or T1 would be the beginning of T10
    victims = {"worker": (rig.worker,), "both": (rig.worker,)}.get(victim, ())
    if victim == "controller":
        victims = (rig.controller_pid(),)
    before = rig.reached()[point]
    rig.order(point, victims=victims, ends_itself=victim in ("bridge", "both"))
    bubbles = rig.say_two(tag)
    await rig.until_reached(point, before + 1)
    if victim in ("worker", "both"):
        await rig.ended(rig.worker)
        rig.start_worker()
    if victim in ("bridge", "both"):
        assert await rig.ended(rig.bridge) == -9
        rig.start_bridge()
    await rig.check(tag, bubbles)
