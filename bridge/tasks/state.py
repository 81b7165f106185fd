"""What the tasks of one bridge share: the database, the settings, and who to wake.

Nothing is handed over here. A wake-up is a hint that rows have changed; a lost one
costs a poll interval, never a message.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import anyio

from bridge.core.decision import Ids, Policy
from bridge.core.model import Approval, Lang, PeerId
from bridge.core.sending import Limits
from bridge.files.gate import Leaving
from bridge.store.db import Database
from bridge.store.outbox import Sender

# Letters and digits that cannot be taken for one another; 31**9 is 44 bits (R29: 40).
CODE_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
CODE_LENGTH = 9
CODE_BITS = 128  # so many more than 44 that no letter is likelier by more than 2**-80
NAMED_MS = 600_000  # what waited at the channel has come within ten minutes of the wake-up
MAX_CODES = 1_000  # one is kept for each request that was shown; a code lives ten minutes
STORE_RETRY_S = 1.0  # after a unit that the database abandoned


class Bell:
    """An event that can be rung again and again; a ring is never lost, only merged."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def ring(self) -> None:
        self._event.set()

    @property
    def is_ringing(self) -> bool:
        return self._event.is_set()

    async def heard(self, within_s: float | None = None) -> bool:
        """Wait for a ring since the last call; False when the time is over first."""
        with anyio.move_on_after(within_s if within_s is not None else float("inf")) as scope:
            await self._event.wait()
        if scope.cancelled_caught:
            return False
        self._event = anyio.Event()
        return True


class Pace:
    """How often each peer did something within a span of time."""

    def __init__(self, span_ms: int) -> None:
        self._span_ms = span_ms
        self._noted: dict[PeerId, deque[int]] = defaultdict(deque)

    def before(self, peer: PeerId, now_ms: int) -> int:
        """How often until now; what a clock that was set back would put ahead is left out."""
        noted = self._noted[peer]
        while noted and not now_ms - self._span_ms < noted[0] <= now_ms:
            noted.popleft()
        return len(noted)

    def note(self, peer: PeerId, now_ms: int) -> None:
        self._noted[peer].append(now_ms)


class Codes:
    """When the code of a request was shown, by the clock that nobody sets (threat-model R29).

    Of this process alone: of a code that an earlier one has shown, the other clock is asked.
    """

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self._shown_s: OrderedDict[str, float] = OrderedDict()

    def shown(self, approval: Approval) -> None:
        self._shown_s.setdefault(approval.code, self._monotonic_s())
        if len(self._shown_s) > MAX_CODES:
            self._shown_s.popitem(last=False)

    def aged(self, approval: Approval, now_ms: int) -> Approval:
        """The request with a code that is as old as either clock says."""
        shown_s = self._shown_s.get(approval.code)
        if shown_s is None:
            return approval
        age_ms = int((self._monotonic_s() - shown_s) * 1000)
        return replace(approval, code_ms=min(approval.code_ms, now_ms - age_ms))


@dataclass(frozen=True, slots=True)
class Woke:
    """The last sleep of this machine: how long it was, and when it ended."""

    slept_ms: int
    at_ms: int


@dataclass
class Shared:
    """One bridge's database, limits and bells."""

    db: Database
    install: str
    lang: Lang
    policy: Policy
    limits: Limits
    is_remote: bool = False  # the threads are on another machine
    leaving: Leaving = field(default_factory=Leaving)
    inbox_bell: Bell = field(default_factory=Bell)
    outbox_bell: Bell = field(default_factory=Bell)
    turns_bell: Bell = field(default_factory=Bell)  # the turns of an owner who went have ended
    codes: Codes = field(default_factory=Codes)
    is_stopping: bool = False
    woke: Woke | None = None

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def slept_ms(self, now_ms: int) -> int:
        """How long the machine slept, while that explains what is late; else 0."""
        is_recent = self.woke is not None and now_ms - self.woke.at_ms < NAMED_MS
        return self.woke.slept_ms if self.woke and is_recent else 0

    def ids(self) -> Ids:
        """Fresh names for one decision (form of a client id: ilink-protocol 6.4)."""
        number, letters = secrets.randbits(CODE_BITS), []
        for _ in range(CODE_LENGTH):
            number, place = divmod(number, len(CODE_LETTERS))
            letters.append(CODE_LETTERS[place])
        return Ids(self.install, f"{self.now_ms()}-{secrets.token_hex(4)}", "".join(letters))

    def sender(self, instance: str) -> Sender | None:
        """Who would carry an attempt now; None without a worker, or while stopping."""
        if not instance or self.is_stopping:
            return None
        return Sender(instance, self.limits, self.lang)
