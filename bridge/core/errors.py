"""Why something could not be done: the errors that every room of the bridge shares."""

from __future__ import annotations

from enum import StrEnum


class Refusal(StrEnum):
    """Why the controller could not be asked; each has its sentence in `sentences`."""

    CONTROLLER_MISSING = "controller_missing"
    CONTROLLER_DOWN = "controller_down"
    CONTROLLER_LACKS = "controller_lacks"
    CONTROLLER_SLOW = "controller_slow"


class BridgeError(Exception):
    """Base of what we raise on purpose. `str(e)` is for the log, and holds ids, never text."""

    reason: Refusal | None = None


class PeerFault(BridgeError):
    """The channel or the controller broke its contract."""


class LinkLost(BridgeError):
    """The connection ended; the outcome of in-flight work is unknown."""

    def __init__(self, link: str, link_no: int) -> None:
        super().__init__(f"{link} {link_no}")
        self.link = link
        self.link_no = link_no


class LinkDown(BridgeError):
    """There is no connection: the call was not made."""

    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason.value)
        self.reason = reason


class StoreFault(BridgeError):
    """Local state cannot be trusted, or cannot be written now."""


class Stale(BridgeError):
    """The rows moved between reading and writing: read again and decide again."""
