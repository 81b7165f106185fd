"""How a state table is read: a state and an event to what follows, and no pair unnamed."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from bridge.core.errors import BridgeError

S = TypeVar("S", bound=StrEnum)
E = TypeVar("E", bound=StrEnum)
N = TypeVar("N")


class NoSuchStep(BridgeError):
    """A state was given an event that its table does not name."""


def next_of(table: Mapping[tuple[S, E], N], what: str, state: S, event: E) -> N:
    """What a state table says follows; raises NoSuchStep for a pair that it lacks."""
    try:
        return table[state, event]
    except KeyError:
        raise NoSuchStep(f"{what} {state} {event}") from None
