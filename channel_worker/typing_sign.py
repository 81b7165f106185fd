"""The typing sign on a person's phone: shown while it is wanted, and never in the way.

A ticket is cached for a random time within a day; without one nothing is shown. Nothing
here blocks or fails anything else (`ilink-protocol` 8).
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import anyio
from anyio.abc import TaskGroup

from bridge.wire import log
from bridge.wire.messages import OutcomeWord, TypingSet
from channel_worker.ilink.calls import Ilink
from channel_worker.ilink.speech import EXPIRED

KEEP_ALIVE_S = 5.0  # iLink process-message.ts
TICKET_DAY_S = 24 * 3600.0  # iLink config-cache.ts: refreshed at a random moment within
FIRST_RETRY_S, MAX_RETRY_S = 2.0, 3600.0  # the same, doubling
MAX_PEOPLE = 100  # ours: the owner is one; a bound all the same

_log = log.get("typing")


@dataclass(slots=True)
class _Person:
    ticket: str = ""
    good_until: float = 0.0  # monotonic
    not_before: float = 0.0
    retry_s: float = FIRST_RETRY_S
    context_token: str = ""
    is_asked_for: bool = False  # by the bridge
    uploads: int = 0
    is_running: bool = False
    changed: anyio.Event = field(default_factory=anyio.Event)

    @property
    def is_wanted(self) -> bool:
        return self.is_asked_for or self.uploads > 0


class TypingSigns:
    """Who is shown what; one short-lived task for each person who sees the sign."""

    def __init__(
        self,
        tasks: TaskGroup,
        account: Callable[[], Awaitable[Ilink | None]],
        doubt: Callable[[Ilink, OutcomeWord, str], None],
    ) -> None:
        self._tasks = tasks
        self._account = account
        self._doubt = doubt
        self._people: dict[str, _Person] = {}

    def set(self, wish: TypingSet) -> None:
        """Show the sign from now on, or end it."""
        person = self._people.get(wish.to_user_id)
        if person is None:
            if not wish.is_on or len(self._people) >= MAX_PEOPLE:
                return
            person = self._people[wish.to_user_id] = _Person()
        person.context_token = wish.context_token or person.context_token
        person.is_asked_for = wish.is_on
        self._look_again(wish.to_user_id, person)

    @contextmanager
    def while_uploading(self, to_user_id: str) -> Iterator[None]:
        """Show the sign for the length of an upload, to whom it was shown before."""
        person = self._people.get(to_user_id)
        if person is None:  # nothing is known that a ticket could be asked for with
            yield
            return
        person.uploads += 1
        self._look_again(to_user_id, person)
        try:
            yield
        finally:
            person.uploads = max(0, person.uploads - 1)
            person.changed.set()

    def end_all(self) -> None:
        """Nobody is left who would end them."""
        for person in self._people.values():
            person.is_asked_for, person.uploads = False, 0
            person.changed.set()

    def forget(self) -> None:
        """After a new login every ticket is void."""
        self.end_all()
        self._people.clear()

    def _look_again(self, user_id: str, person: _Person) -> None:
        person.changed.set()
        if person.is_wanted and not person.is_running:
            person.is_running = True
            self._tasks.start_soon(self._show, user_id, person)

    async def _show(self, user_id: str, person: _Person) -> None:
        """Until it is no longer wanted; a call that is out is never cut, so its end is known."""
        is_shown = False
        try:
            while person.is_wanted or is_shown:
                person.changed = anyio.Event()
                wanted = person.is_wanted
                went_well = await self._show_once(user_id, person, wanted)
                is_shown = wanted and (went_well or is_shown)
                with anyio.move_on_after(KEEP_ALIVE_S if wanted else 0):
                    await person.changed.wait()
        except Exception:
            _log.exception("typing.failed")
        finally:
            person.is_running = False

    async def _show_once(self, user_id: str, person: _Person, is_on: bool) -> bool:
        ilink = await self._account()
        if ilink is None or not await self._has_ticket(ilink, user_id, person):
            return False
        code = await ilink.show_typing(user_id, person.ticket, is_on)
        if code == EXPIRED:
            self._doubt(ilink, "expired", code)
        return not code

    async def _has_ticket(self, ilink: Ilink, user_id: str, person: _Person) -> bool:
        now = anyio.current_time()
        if person.ticket and now < person.good_until:
            return True
        if now < person.not_before:
            return bool(person.ticket)  # an old one is better than none
        ticket, code = await ilink.typing_ticket(user_id, person.context_token)
        if ticket:
            log.remember_secret(ticket)
            person.ticket = ticket
            person.good_until = now + random.uniform(0, TICKET_DAY_S)
            person.not_before, person.retry_s = 0.0, FIRST_RETRY_S
            return True
        _log.info("typing.no_ticket", code=code)
        if code == EXPIRED:
            self._doubt(ilink, "expired", code)
        person.not_before = now + person.retry_s
        person.retry_s = min(person.retry_s * 2, MAX_RETRY_S)
        return bool(person.ticket)
