"""What follows from a poll that did not go well: how long to wait, and what to say.

Pure: verdicts and times go in, a `Step` comes out. A stale token is checked once more
after a short wait, then the account needs a login and is looked at slowly; a code that
nobody knows is checked like it, but never calls for a login (delivery-semantics 5,
`ilink-protocol` 5.1 and 5.3).
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.wire.messages import ChannelCondition
from channel_worker.ilink.speech import THROTTLED, PollReply, Verdict

FAILURES_TO_LONG_RETRY = 3  # iLink monitor.ts
POISON_FAILURES = 5  # delivery-semantics 4
INSTANT_S = 1.0  # an empty reply sooner than this was not held by the server


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds; a test is less patient."""

    retry_s: float = 2.0  # iLink monitor.ts
    long_retry_s: float = 30.0  # the same, at the third failure in a row
    max_retry_after_s: float = 300.0  # a server may ask for more, in vain
    recheck_s: float = 3.0  # the short wait before a stale token is checked once more
    slow_recheck_s: tuple[float, ...] = (600.0, 1200.0, 2400.0, 3600.0)  # up to the official hour
    odd_recheck_s: tuple[float, ...] = (3.0, 30.0, 60.0, 300.0, 600.0)  # it may pass by itself
    poison_retry_s: float = 60.0
    spacing_s: float = 1.05  # between instant empty replies: under 60 a minute (F39)
    lasts_s: float = 30.0  # trouble that is over sooner is not told on the terminal
    watch_s: float = 1.0  # delivery-semantics 12: the look at clock and credential file


@dataclass(frozen=True, slots=True)
class Step:
    """`condition` for the bridge and the terminal, and the pause before the next poll."""

    condition: ChannelCondition
    code: str = ""
    pause_s: float = 0.0
    must_notify: bool = False  # tell iLink that we are there before polling again


GOOD = Step("polling")


class Trouble:
    """Counts what went wrong in a row, for one login."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._failures = 0
        self._last_failure = ""
        self._equal = 0
        self._stale = 0
        self._odd = 0
        self._instants = 0

    @property
    def is_doubted(self) -> bool:
        """The token is in doubt until a poll goes well."""
        return bool(self._stale or self._odd)

    def after(self, reply: PollReply, took_s: float) -> Step:
        """What to do after this poll, which took `took_s` seconds."""
        match reply.verdict:
            case Verdict.GOOD | Verdict.QUIET:
                return self._good(reply, took_s)
            case Verdict.EXPIRED:
                return self.stale(reply.code)
            case Verdict.ODD_CODE:
                return self.odd(reply.code)
            case Verdict.UNREADABLE:
                return self._unreadable(reply)
            case Verdict.FAILED:
                return self._failed(reply)

    def stale(self, code: str) -> Step:
        """A call said that the token is stale."""
        self._stale += 1
        if self._stale == 1:
            return Step("suspect", code, self._patience.recheck_s, must_notify=True)
        pause_s = _nth(self._patience.slow_recheck_s, self._stale - 2)
        return Step("login_needed", code, pause_s, must_notify=True)

    def odd(self, code: str) -> Step:
        """A call gave a code that nobody knows."""
        pause_s = _nth(self._patience.odd_recheck_s, self._odd)
        self._odd += 1
        return Step("suspect", code, pause_s, must_notify=True)

    def trust(self) -> Step:
        """All is well: a poll with this token has been held."""
        self._stale = self._odd = 0
        return GOOD

    def _good(self, reply: PollReply, took_s: float) -> Step:
        self._failures = self._equal = self._stale = self._odd = 0
        if reply.messages or took_s >= INSTANT_S:
            self._instants = 0
            return GOOD
        self._instants += 1
        if self._instants == 1:  # the first reply of a start comes at once, with a cursor
            return GOOD
        return Step("polling", pause_s=max(0.0, self._patience.spacing_s - took_s))

    def _failed(self, reply: PollReply) -> Step:
        self._failures += 1
        if reply.code == THROTTLED and self._failures >= FAILURES_TO_LONG_RETRY:
            return self.stale(reply.code)  # one cause of -2 at getupdates, `ilink-protocol` 5.3
        is_long = self._failures % FAILURES_TO_LONG_RETRY == 0
        pause_s = self._patience.long_retry_s if is_long else self._patience.retry_s
        asked_s = min(reply.retry_after_s, self._patience.max_retry_after_s)
        return Step("backing_off", reply.code, max(pause_s, asked_s))

    def _unreadable(self, reply: PollReply) -> Step:
        self._equal = self._equal + 1 if reply.code == self._last_failure else 1
        self._last_failure = reply.code
        if self._equal >= POISON_FAILURES:
            return Step("poll_poison", reply.code, self._patience.poison_retry_s)
        return Step("backing_off", reply.code, self._patience.retry_s)


def _nth(pauses: tuple[float, ...], number: int) -> float:
    return pauses[min(number, len(pauses) - 1)]
