"""Watches which tools the controller offers: an audit line for each look, a word for each change.

What was told last is kept in the database, so that a restart says nothing again.
"""

from __future__ import annotations

from collections.abc import Callable

import anyio

from bridge.core import tools as core
from bridge.core.errors import StoreFault
from bridge.core.model import Attempt, PeerId
from bridge.links.controller import Controller
from bridge.store import accounts, facts, inbox, turns, views
from bridge.store.outbox import Sender
from bridge.tasks.channel import Channel
from bridge.tasks.state import STORE_RETRY_S, Shared
from bridge.wire import log

LACKS = "controller_lacks"  # the fact that holds what was told last

_log = log.get("controller")


class Tools:
    """One controller's tools, over all its links."""

    def __init__(
        self,
        shared: Shared,
        controller: Controller,
        channel: Channel,
        say: Callable[[str], None],
    ) -> None:
        self._shared = shared
        self._controller = controller
        self._channel = channel
        self._say = say

    async def keep(self) -> None:
        """Look at each connection and each change of the list, for ever."""
        seen = 0
        while True:
            look_no = self._controller.look_no
            if not self._controller.is_up or look_no == seen:
                await self._controller.changed()
                continue
            try:
                await self._looked(self._controller.lacks, self._controller.unusable)
                seen = look_no
            except StoreFault:
                _log.exception("controller.store_failed")
                await anyio.sleep(STORE_RETRY_S)

    async def _looked(self, lacks: frozenset[str], unfit: frozenset[str]) -> None:
        """One transaction: the audit line, what is told, and that it was."""
        at_desk: list[str] = []

        def unit(now_ms: int, sender: Sender | None) -> Attempt | None:
            at_desk.clear()
            found = facts.get(LACKS)
            before = None if found is None else frozenset(found.split(",")) - {""}
            at_desk.extend(core.news(before, lacks, "en", unfit))
            begun = None
            owners = [PeerId(name) for name in sorted(accounts.get().owner.user_ids)]
            for owner in owners:
                lang = views.peer(owner, self._shared.lang).lang
                rows = core.told(core.news(before, lacks, lang, unfit), self._shared.ids())
                begun = turns.tell(owner, rows, now_ms, sender) or begun
            if owners:
                facts.put(LACKS, ",".join(sorted(core.kept(lacks, unfit))))
            nobody = PeerId("")
            inbox.add_audit((core.audit(lacks),), owners[0] if owners else nobody, now_ms)
            return begun

        await self._channel.write(unit)
        for sentence in at_desk:
            self._say(sentence)
