"""Questions of groups: taken from the inbox one at a time, and answered or passed over.

A group's row is decided with nothing but what is known of that group. Its turn is a row
like any other: the task of its thread starts it, and everything after that is the same.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from anyio import to_thread

from bridge.core import groups as core
from bridge.core import guests as owners
from bridge.core.decision import Audit, Decision
from bridge.core.errors import Stale, StoreFault
from bridge.core.group_chat import GroupState, group_peer
from bridge.core.group_rights import told_of
from bridge.core.groups import GroupView
from bridge.core.intake import MAX_ATTEMPTS, InboxEvent
from bridge.core.model import Account, PeerId
from bridge.store import groups, guests, inbox, outbox, views
from bridge.store.groups import Heard
from bridge.tasks.channel import Channel
from bridge.tasks.points import reach
from bridge.tasks.state import Pace, Shared
from bridge.tasks.turns import Threads
from bridge.wire import log, place

_log = log.get("groups")


class Groups:
    """The way from a group's message to what follows from it."""

    def __init__(self, shared: Shared, channel: Channel, threads: Threads, folder: Path) -> None:
        self._shared = shared
        self._channel = channel
        self._threads = threads
        self._folder = folder
        self._pace = Pace(core.HOUR_MS)

    async def take(self, peer: PeerId) -> bool:
        """Decide the next message of a group; False when there is none."""
        heard = await self._shared.db.read(partial(groups.next_message, peer))
        if heard is None:
            return False
        now_ms = self._shared.now_ms()
        try:
            if heard.row.attempts >= MAX_ATTEMPTS:
                _log.error("inbox.poison", row=heard.row.id)
                aside = core.over(heard.row, peer, InboxEvent.POISONED)
                await self._apply(aside, heard, now_ms)
                return True
            reach("before T2")
            await self._apply(await self._decided(heard, now_ms), heard, now_ms)
        except Stale as moved:
            _log.info("decision.stale", why=str(moved))
        except StoreFault:
            raise
        except Exception:
            _log.exception("inbox.failed", row=heard.row.id)
            await self._shared.db.run(lambda: inbox.count_attempts([heard.row.id]))
        return True

    async def _decided(self, heard: Heard, now_ms: int) -> Decision:
        asked = self._pace.before(heard.group.peer, now_ms)
        folder, lang = await self._own_folder(heard), self._shared.lang
        seen = GroupView(heard.account, heard.group, heard.waiting, asked, folder, lang)
        stale_ms = self._shared.policy.stale_ms
        return core.decide(heard.row, seen, stale_ms, self._shared.ids())

    async def _own_folder(self, heard: Heard) -> str:
        """An empty folder that no other thread runs in."""
        if heard.group.state is not GroupState.APPROVED:
            return ""
        own = self._folder / str(heard.group.number)
        await to_thread.run_sync(place.private_folder, self._folder)
        return str(await to_thread.run_sync(place.private_folder, own))

    async def _apply(self, decision: Decision, heard: Heard, now_ms: int) -> None:
        sender = self._channel.sender()
        applied = await self._shared.db.run(
            lambda: inbox.apply(decision, heard.account, sender, now_ms)
        )
        reach("T2")
        self._pace.note(heard.group.peer, now_ms)
        if decision.bubbles:
            self._channel.take(applied.attempt)
        if applied.turn is not None:
            self._threads.began(applied.turn)


async def note_asking(shared: Shared, account: Account, chat: str) -> None:
    """A group asks for the first time: kept by its name alone, and its owner told once."""

    def unit() -> None:
        if not core.may_ask_owner({g.peer: g.state for g in groups.known()}):
            return
        now_ms = shared.now_ms()
        owner = owners.recipient(account, guests.wrote())
        asking = groups.ask(group_peer(chat), now_ms) if owner else None
        if owner is None or asking is None:
            return
        lang = views.peer(owner, shared.lang).lang
        outbox.add_rows((told_of(asking, lang, shared.ids()),), owner, now_ms)
        line = Audit("group.ask", "threat-model R5", asking.state.value, f"group {asking.number}")
        inbox.add_audit((line,), owner, now_ms)

    try:
        await shared.db.run(unit)
    except StoreFault:
        _log.exception("inbox.store_failed")
        return
    shared.outbox_bell.ring()
