"""Who wrote since this process began: counters of a fixed number, and nothing else.

For `status`, and for `ctb-channel probe-updates`, which shows whoever pairs the bot which
id is theirs. A flood of strangers costs neither room nor log, and hides no owner.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from bridge.wire import log

MAX_SENDERS = 1_000  # threat-model R36: bounded counters
LINE_EVERY_MS = 60_000  # threat-model R36: at most one log line a minute

_log = log.get("door")


@dataclass(frozen=True, slots=True)
class Seen:
    """How often somebody wrote since this process began, and when last."""

    messages: int
    last_at_ms: int
    is_owner: bool
    denied: int


class Senders:
    """The counters, by sender; a stranger who wrote longest ago makes room for another."""

    def __init__(self) -> None:
        self.seen: OrderedDict[str, Seen] = OrderedDict()  # who wrote last is last
        self.strange = 0  # messages of strangers that were not let in, all of them
        self._untold = 0  # those that no log line counts yet
        self._told_ms: int | None = None

    def note(self, sender: str, *, is_owner: bool, is_denied: bool, now_ms: int) -> None:
        """One more message of this sender."""
        known = self.seen.pop(sender, None) or Seen(0, 0, is_owner, 0)
        if len(self.seen) >= MAX_SENDERS:
            self._forget_one()
        denied = known.denied + int(is_denied)
        self.seen[sender] = Seen(known.messages + 1, now_ms, is_owner, denied)
        if is_denied and not is_owner:
            self.strange += 1
            self._untold += 1
            self._tell(now_ms)

    def _forget_one(self) -> None:
        gone = next((name for name, seen in self.seen.items() if not seen.is_owner), None)
        self.seen.pop(gone if gone is not None else next(iter(self.seen)))

    def _tell(self, now_ms: int) -> None:
        """A clock that was set back costs one line more."""
        if self._told_ms is not None and 0 <= now_ms - self._told_ms < LINE_EVERY_MS:
            return
        _log.info("message.denied", messages=self._untold, in_all=self.strange)
        self._untold, self._told_ms = 0, now_ms
