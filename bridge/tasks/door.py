"""What the worker tells us: its account, its batches, how its channel fares.

A batch is authorized message by message before anything of it is kept. Its rows, the
newest context tokens and the cursor are one commit; the reply says `ok` only after it.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import anyio

from bridge.core import groups, intake
from bridge.core.decision import Audit
from bridge.core.errors import StoreFault
from bridge.core.group_chat import GroupState
from bridge.core.model import Account, AccountState, Lang, Owner, PeerId
from bridge.core.sending import AccountEvent
from bridge.links.worker import WorkerLink, arrival
from bridge.store import accounts, audit, inbox, outbox, relogin, views
from bridge.store import groups as known_groups
from bridge.tasks.fetch import Fetches
from bridge.tasks.groups import note_asking
from bridge.tasks.points import reach
from bridge.tasks.senders import Senders
from bridge.tasks.state import Pace, Shared, Woke
from bridge.wire import codec, log, messages
from bridge.wire.peer import Peer, Refused

MAX_DUE_ROWS = 200  # delivery-semantics 9
LOOK_EVERY = 16  # messages; rows also become due by other ways than through this door
MIN_FREE_BYTES = 200 * 1024 * 1024  # delivery-semantics 9
GUARD_S = 5.0  # how often room for more is looked at while there is none

_log = log.get("door")


class Door:
    """The worker's side of the bridge."""

    def __init__(
        self, shared: Shared, worker: WorkerLink, fetches: Fetches, data_dir: Path
    ) -> None:
        self._shared = shared
        self._worker = worker
        self._fetches = fetches
        self._data_dir = data_dir
        self._account = Account()
        self._polls = True
        self._spare = 0  # messages that may come before the due rows are counted again
        self._room_bell = anyio.Event()
        self.senders = Senders()
        self._pace = Pace(groups.HOUR_MS)  # of groups
        self.ahead_ms: int | None = None  # our clock before that of the network

    async def open(self) -> None:
        """Know the account as it was left; raises StoreFault."""
        self._account = await self._shared.db.read(accounts.get)

    async def answer(self, peer: Peer, request: object) -> object:
        """One request of a worker."""
        match request:
            case messages.ChannelHello():
                return await self._hello(peer, request)
            case messages.InboundCommit():
                return await self._commit(peer, request)
            case messages.ChannelState():
                return await self._state(peer, request)
            case messages.OutboundBegun():
                self._worker.begun(request)
                return messages.Done()
        raise Refused(codec.METHOD_NOT_FOUND, "unknown method")

    async def keep_room(self) -> None:
        """While nothing may be fetched, look again now and then, and say so when it may."""
        while True:
            await self._room_bell.wait()
            await anyio.sleep(GUARD_S)
            if await self._has_room():
                self._room_bell = anyio.Event()
                self._polls = True
                await self._worker.hint(messages.PollSet(poll=True))

    async def stop_polling(self) -> None:
        """Fetch nothing more: the bridge is about to end."""
        await self._worker.hint(messages.PollSet(poll=False))

    async def _hello(self, peer: Peer, hello: messages.ChannelHello) -> messages.ChannelHelloReply:
        if self._worker.is_fenced(peer):
            raise Refused(codec.FENCED, "another worker has taken over this account")
        offered = Account(
            channel=hello.channel,
            bot_id=hello.bot_id,
            owner=Owner(frozenset(hello.owner_user_ids)),
            generation=hello.generation,
            owner_epoch=hello.owner_epoch,
            paired_at_ms=hello.paired_at_ms,
        )
        before = self._account.owner
        try:
            self._account = await self._shared.db.run(
                partial(_pair, offered, self._shared.lang, self._shared.now_ms())
            )
        except accounts.OwnerRefused as refused:
            raise Refused(
                codec.INVALID_PARAMS,
                "these credentials belong to another owner: "
                "run  ctb-channel login --change-owner  to hand the bridge over",
            ) from refused
        except accounts.OtherChannel as other:
            raise Refused(
                codec.INVALID_PARAMS,
                f"this data folder belongs to {other}: "
                f"give a bridge for {hello.channel} a CTB_DATA_DIR of its own",
            ) from other
        except StoreFault as failed:
            raise Refused(codec.INTERNAL_ERROR, "the state cannot be written now") from failed
        self._worker.attach(peer)
        _log.info("channel.hello", generation=hello.generation)
        if self._account.owner != before:
            self._shared.turns_bell.ring()
        self._shared.outbox_bell.ring()
        self._polls = await self._has_room()
        return messages.ChannelHelloReply(self._account.cursor, self._polls)

    async def _commit(self, peer: Peer, batch: messages.InboundCommit) -> messages.CommitReply:
        if not self._worker.has_held(peer):
            raise Refused(codec.INVALID_REQUEST, "channel.hello comes first")
        now_ms = self._shared.now_ms()
        server_ms = batch.server_now_ms or now_ms
        if batch.server_now_ms:
            self.ahead_ms = now_ms - server_ms
        try:
            known = await self._known_groups(batch.messages)
        except StoreFault:
            _log.exception("inbox.store_failed")
            return messages.CommitReply("storage_error", batch.prev_cursor)
        asking: dict[str, None] = {}  # groups that ask for the first time, in their order
        stored = [
            kept
            for m in batch.messages
            if (kept := self._judge(m, server_ms, known, asking)) is not None
        ]
        reach("before T1")
        try:
            with anyio.CancelScope(shield=True):
                found = await self._shared.db.run(
                    partial(
                        inbox.accept,
                        stored,
                        self._account,
                        batch.prev_cursor,
                        batch.next_cursor,
                        self._worker.holds(peer),
                        now_ms,
                    )
                )
        except StoreFault:
            _log.exception("inbox.store_failed")
            return messages.CommitReply("storage_error", batch.prev_cursor)
        reach("T1")
        self._spare -= len(stored)
        await self._match_echoes(batch.messages)
        if asking and groups.may_ask_owner(known or {}):
            for chat in list(asking)[: groups.MAX_PENDING]:
                await note_asking(self._shared, self._account, chat)
        if stored:
            self._shared.inbox_bell.ring()
            if any(part.media for kept in stored for part in kept.arrival.parts):
                self._fetches.wake()
            if isinstance(found, inbox.CursorConflict) or found.owes:
                self._shared.outbox_bell.ring()
        if isinstance(found, inbox.CursorConflict):
            _log.warning("inbox.cursor_conflict", rows=len(stored))
            return messages.CommitReply("cursor_conflict", found.cursor)
        is_tight = self._spare < 0 or self._free_bytes() < MIN_FREE_BYTES
        if is_tight and not await self._has_room():
            self._polls = False
            await self._worker.hint(messages.PollSet(poll=False))
        return messages.CommitReply("ok", found.cursor)

    async def _match_echoes(self, received: Sequence[messages.Inbound]) -> None:
        """Our own messages among them settle what is not known of them; nothing else.

        Another bot's message is an echo as well, to the worker; what it claims is nothing.
        """
        ours = (self._account.bot_id, "direct")
        for message in received:
            is_ours = message.is_echo and (message.from_user_id, message.chat) == ours
            if is_ours and message.client_id:
                server_id = message.msg_key.removeprefix("mid:")
                with suppress(StoreFault):
                    await self._shared.db.run(partial(outbox.echoed, message.client_id, server_id))

    async def _known_groups(
        self, received: Sequence[messages.Inbound]
    ) -> Mapping[PeerId, GroupState] | None:
        """How the groups stand, where one speaks; None: nobody may ask in any."""
        if not self._shared.policy.group_qa:
            return None
        if all(message.chat != "group" for message in received):
            return {}
        return {g.peer: g.state for g in await self._shared.db.read(known_groups.known)}

    def _judge(
        self,
        message: messages.Inbound,
        server_ms: int,
        known: Mapping[PeerId, GroupState] | None,
        asking: dict[str, None],
    ) -> inbox.Stored | None:
        """The row that a message becomes; None for who may not come in."""
        came = arrival(message, self._account.channel)
        try:
            denied = intake.authorize(came, self._account.owner, known)
        except Exception:  # R1: a fault of ours lets nobody in, and keeps nobody else out
            _log.exception("message.not_judged")
            return None
        self.senders.note(
            came.sender,
            is_owner=came.sender in self._account.owner.user_ids,
            is_denied=denied is not None,
            now_ms=self._shared.now_ms(),
        )
        if denied is intake.Denied.NEW_GROUP:
            asking[came.chat_id] = None
        if denied is not None:
            return None
        if came.chat != "direct":
            came = groups.only_words(came)
            peer, now_ms = PeerId(came.sender), self._shared.now_ms()
            if self._pace.before(peer, now_ms) > groups.HOURLY:
                return None  # all that are answered are stored, and the first too many
            self._pace.note(peer, now_ms)
        state, outcome = intake.sort_out(came, self._account, server_ms)
        created_ms = intake.plausible_time(came.create_time_ms, server_ms)
        age_ms = max(0, server_ms - created_ms)
        is_dated = intake.is_plausible(came.create_time_ms, server_ms)
        return inbox.Stored(came, state, outcome, age_ms, created_ms, is_dated)

    async def _state(self, peer: Peer, state: messages.ChannelState) -> messages.Done:
        """Believed of the account's own worker; of another, only while there is none."""
        is_ours = self._worker.holds(peer)
        if self._worker.instance and not is_ours:
            return messages.Done()
        if state.condition == "woke":
            if state.code.isdecimal():  # a clock that was set back is no sleep
                self._shared.woke = Woke(int(state.code) * 1000, self._shared.now_ms())
            return messages.Done()
        self._worker.heard(state)
        events = _EVENTS.get(state.condition, ())
        if is_ours and events:
            now_ms = self._shared.now_ms()
            moved = partial(_move, self._account.channel, events, state, now_ms)
            self._account = await self._shared.db.run(moved)
            self._shared.outbox_bell.ring()
        return messages.Done()

    async def _has_room(self) -> bool:
        """Whether more messages can be taken: rows, disk, database (delivery-semantics 9)."""
        try:
            due = await self._shared.db.read(views.due_rows)
            self._spare = min(MAX_DUE_ROWS - due, LOOK_EVERY)
            has_room = due <= MAX_DUE_ROWS and self._free_bytes() >= MIN_FREE_BYTES
        except StoreFault:
            has_room = False
        if not has_room:
            _log.warning("door.no_room")
            self._room_bell.set()
        return has_room and not self._shared.is_stopping

    def _free_bytes(self) -> int:
        return shutil.disk_usage(self._data_dir).free


def _pair(offered: Account, lang: Lang, now_ms: int) -> Account:
    """Take these credentials as the account; a new login or owner leaves an audit line."""
    known = accounts.get(offered.channel)
    account = accounts.pair(offered, now_ms)
    is_new_owner = account.owner != known.owner
    is_new_login = account.generation != known.generation
    if is_new_login:
        relogin.name_old_answers(account.owner, lang, now_ms)
    if is_new_owner or is_new_login:
        outcome = "owner taken" if is_new_owner else "logged in again"
        line = Audit("account.pair", "threat-model R2", outcome, f"epoch {account.owner_epoch}")
        audit.add_audit((line,), PeerId(""), now_ms)
    return account


_EVENTS: dict[str, tuple[AccountState, ...]] = {
    "polling": (AccountState.ON,),
    "suspect": (AccountState.SUSPECT,),
    "login_needed": (AccountState.SUSPECT, AccountState.LOGIN_NEEDED),
}


def _move(
    channel: str, towards: tuple[AccountState, ...], state: messages.ChannelState, now_ms: int
) -> Account:
    """Walk the account, step by step, to where the worker says it is."""
    account = accounts.get(channel)
    for target in towards:
        if account.state is target or _is_past(account.state, target):
            continue
        event = AccountEvent.POLL_OK if target is AccountState.ON else AccountEvent.EXPIRED
        account = accounts.happened(channel, event, state.code or state.condition, now_ms)
    return account


def _is_past(state: AccountState, target: AccountState) -> bool:
    return state is AccountState.LOGIN_NEEDED and target is AccountState.SUSPECT
