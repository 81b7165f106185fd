"""The named places where a crash is rehearsed.

In the product `reach` does nothing. Only the launcher in `tests/faults` replaces it,
before it starts the real entry point; no setting, argument or variable can.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

Point: TypeAlias = Literal[
    "before T1", "T1", "before T2", "T2", "T3", "before start", "after start", "T4",
    "before T5", "T5", "T6", "after send", "T7", "T8", "T9", "T10", "T11", "paid",
]  # fmt: skip

FilePoint: TypeAlias = Literal[  # only a bubble with a file comes by here
    "staged", "before upload", "after upload", "uploaded",
]  # fmt: skip


def reach(point: Point | FilePoint) -> None:
    """The process is at this place now."""
