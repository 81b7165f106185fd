"""What agents on this computer ask of the bridge, each within its own scopes.

An agent is a guest: a connection in the role `facade` that has said its name. Its scopes
are read from `clients.toml` at every call, so that what the owner takes away is gone at
once. What it says enters the outbox in one transaction with its audit line; nothing it
asks can make a turn, approve, or reach anybody but the owner.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar, cast
from weakref import WeakKeyDictionary

import anyio

from bridge.core import guests as rules
from bridge.core.artifacts import OFFER_LIFE_MS
from bridge.core.decision import Audit, Item
from bridge.core.errors import StoreFault
from bridge.core.guests import Again, Joined, No
from bridge.core.model import (
    Alias,
    AliasName,
    Attempt,
    OutId,
    OutRow,
    OutState,
    Peer,
    PeerId,
    Question,
)
from bridge.core.text import clean, preview
from bridge.files.gate import Seen, shown
from bridge.links.controller import NO_ANSWER, Controller
from bridge.store import accounts, artifacts, guests, inbox, outbox, views, windows
from bridge.tasks.artifacts import look_for_agent
from bridge.tasks.channel import Channel
from bridge.tasks.state import Pace, Shared
from bridge.wire import codec, facade, log, scopes
from bridge.wire import peer as wire
from bridge.wire.peer import Refused

CONTROLLER_DEADLINE_S = 8.0  # then it counts as away; a reader of ours takes 5 s to start
MAX_THREADS = 50
TITLE_CHARS = 80
HISTORY_BYTES = 32 * 1024  # R34: what one call may bring back
ITEM_CHARS = 4_000

REFUSALS_A_MINUTE = 10  # that the audit keeps, of all agents
_ANY = PeerId("")

R = TypeVar("R")

_log = log.get("guests")


class Guests:
    """The facade's side of the bridge."""

    def __init__(
        self, shared: Shared, channel: Channel, controller: Controller, data_dir: Path
    ) -> None:
        self._shared = shared
        self._channel = channel
        self._controller = controller
        self._data_dir = data_dir
        self._refusals = Pace(60_000)
        self._names: WeakKeyDictionary[wire.Peer, str] = WeakKeyDictionary()

    async def answer(self, peer: wire.Peer, request: object) -> object:
        """One request of a facade."""
        if isinstance(request, facade.FacadeHello):
            granted = self._granted(request.client)
            self._names[peer] = request.client
            return facade.FacadeHelloReply(tuple(s for s in scopes.SCOPES if s in granted))
        client = self._names.get(peer)
        if client is None:
            raise Refused(codec.INVALID_REQUEST, "facade.hello comes first")
        try:
            return await self._judged(client, request)
        except StoreFault as fault:
            _log.exception("guests.store_failed")
            raise Refused(codec.INTERNAL_ERROR, "the state cannot be written now") from fault

    def _granted(self, client: str) -> frozenset[scopes.Scope]:
        try:
            return scopes.granted(self._data_dir, client)
        except scopes.WrongClients as wrong:
            _log.error("guests.wrong_clients", why=str(wrong))
            raise Refused(
                codec.NOT_ALLOWED,
                "clients.toml cannot be used, so nothing is allowed; "
                "the owner can run  ctb-mcp  in a terminal to read why",
            ) from wrong

    def _allow(self, client: str, request: object) -> None:
        """Deny by default: a request without a scope of its own is nobody's."""
        needed = facade.NEEDS.get(type(request))  # type: ignore[arg-type]  # any request may come
        if needed is None:
            raise Refused(codec.METHOD_NOT_FOUND, "unknown method")
        if needed not in self._granted(client):
            _log.info("guests.refused", client=client, scope=needed)
            raise Refused(codec.NOT_ALLOWED, f"{client} lacks the scope {needed}")

    async def _judged(self, client: str, request: object) -> object:
        """What its scopes allow is served; a refusal leaves a line."""
        try:
            self._allow(client, request)
        except Refused as refused:
            if refused.code == codec.NOT_ALLOWED:
                await self._note_refusal(client, request, "not in its scopes")
            raise
        found = await self._serve(client, request)
        if isinstance(found, facade.Receipt) and found.state == "refused":
            await self._note_refusal(client, request, found.why)
        return found

    async def _note_refusal(self, client: str, request: object, why: str) -> None:
        """One audit line, while there are not too many: an agent asks as often as it likes."""
        now_ms, needed = self._shared.now_ms(), facade.NEEDS[type(request)]  # type: ignore[index]  # it was looked up
        if self._refusals.before(_ANY, now_ms) >= REFUSALS_A_MINUTE:
            return
        self._refusals.note(_ANY, now_ms)
        line = Audit("agent.refused", f"scope {needed}", why, client)
        await self._shared.db.run(lambda: inbox.add_audit([line], PeerId(""), now_ms))

    async def _serve(self, client: str, request: object) -> object:
        match request:
            case facade.NoteQueue(text):
                return await self._write(partial(self._note, client, text))
            case facade.QuestionAsk(text, options):
                return await self._write(partial(self._ask, client, text, options))
            case facade.QuestionResult(number):
                return await self._result(client, number)
            case facade.DeliveryStatus(number):
                receipt = partial(self._receipt, client, OutId(number), self._shared.now_ms())
                return await self._shared.db.read(receipt)
            case facade.ArtifactOffer(path, caption):
                seen = await look_for_agent(self._shared, path)
                if isinstance(seen, str):
                    return facade.Receipt(0, "refused", f"file_{seen}")
                return await self._write(partial(self._offer, client, path, seen, caption))
            case facade.ThreadList():
                return await self._threads()
            case facade.ThreadStatus(alias):
                return await self._status(alias)
            case facade.ThreadHistory(alias):
                return await self._history(client, alias)
        raise Refused(codec.METHOD_NOT_FOUND, "not offered yet")

    # notes and questions

    async def _write(self, say: Callable[[Peer, int], facade.Receipt]) -> facade.Receipt:
        """One transaction that may owe a bubble, and begins the next that may go."""
        now_ms, sender = self._shared.now_ms(), self._channel.sender()

        def unit() -> tuple[facade.Receipt, Attempt | None]:
            owner = rules.recipient(accounts.get(), guests.wrote())
            if owner is None:
                return _refused(No.NO_OWNER), None
            found = say(views.peer(owner, self._shared.lang), now_ms)
            return found, outbox.begin(sender, now_ms) if sender and found.id else None

        with anyio.CancelScope(shield=True):
            found, attempt = await self._shared.db.run(unit)
            if found.id:
                self._channel.take(attempt)
        return found

    def _note(self, client: str, text: str, peer: Peer, now_ms: int) -> facade.Receipt:
        waiting = guests.untried_note(client, peer.id)
        said = rules.note(client, text, waiting, peer, self._shared.ids())
        if isinstance(said, No):
            return _refused(said)
        if isinstance(said, Again):
            return self._receipt(client, said.id, now_ms)
        if isinstance(said, Joined):
            guests.join(said.id, said.text, now_ms)
            _audit("note.queue", "joined", client, said.id, peer.id, now_ms)
            return replace(self._receipt(client, said.id, now_ms), is_merged=True)
        number = guests.put(said, peer.id, now_ms)
        _audit("note.queue", "queued", client, number, peer.id, now_ms)
        return self._receipt(client, number, now_ms)

    def _ask(
        self, client: str, text: str, options: tuple[str, ...], peer: Peer, now_ms: int
    ) -> facade.Receipt:
        asked = guests.asked(client, now_ms)
        said = rules.ask(client, text, options, asked, peer, now_ms, self._shared.ids())
        if isinstance(said, No):
            return _refused(said)
        if isinstance(said, Again):
            return self._receipt(client, said.id, now_ms)
        row, question = said
        number = guests.put(row, peer.id, now_ms)
        guests.put_question(replace(question, id=number))
        _audit("question.ask", "queued", client, number, peer.id, now_ms)
        return self._receipt(client, number, now_ms)

    def _offer(
        self, client: str, path: str, seen: Seen, caption: str, peer: Peer, now_ms: int
    ) -> facade.Receipt:
        since_ms = now_ms - OFFER_LIFE_MS
        known = artifacts.offered_by(client, path, peer.id, since_ms)
        line = guests.bubble(known[1], client) if known else None
        if known and line and not rules.is_lost(*line):
            artifacts.tell(*known, now_ms)
            return self._receipt(client, known[1], now_ms)
        waiting = artifacts.waiting_of(client, since_ms) - bool(known)
        name, ids = shown(Path(path).name), self._shared.ids()
        said = rules.offer(client, name, seen.size_bytes, caption, waiting, peer, ids)
        if isinstance(said, No):
            return _refused(said)
        number = guests.put(said, peer.id, now_ms)
        if known:
            artifacts.tell(known[0], number, now_ms)
        else:
            artifacts.offer(path, client, number, peer.id, now_ms)
        _audit("artifact.offer", "queued", client, number, peer.id, now_ms, "artifact:offer")
        return self._receipt(client, number, now_ms)

    def _receipt(self, client: str, number: OutId, now_ms: int) -> facade.Receipt:
        """Of an offer: the line that tells of it, and from the owner's word on the file."""
        found = guests.bubble(number, client)
        if found is None:
            return facade.Receipt(0, "not_found")
        offer = artifacts.offer_told_by(number)
        if offer is None:
            return self._receipt_of(number, found, now_ms)
        sent = artifacts.sent(offer)
        if sent is not None:
            return replace(self._receipt_of(number, sent, now_ms), of="file")
        told = replace(self._receipt_of(number, found, now_ms), of="line")
        return replace(told, state="offered") if told.state in _TOLD else told

    def _receipt_of(
        self, number: OutId, found: tuple[OutRow, OutState, str], now_ms: int
    ) -> facade.Receipt:
        row, state, outcome = found
        window, limits = windows.of_peer(row.peer), self._shared.limits
        told = rules.receipt(row, state, outcome, window, accounts.get(), limits, now_ms)
        if told == "queued" and self._channel.sender() is None:
            told = "offline"
        return facade.Receipt(number, cast(facade.ReceiptState, told))  # cast: the core's words

    async def _result(self, client: str, number: int) -> facade.ResultReply:
        def unit() -> tuple[Question, bool] | None:
            question, bubble = guests.question(number, client), guests.bubble(number, client)
            return (question, rules.is_lost(*bubble)) if question and bubble else None

        found = await self._shared.db.read(unit)
        if found is None:
            return facade.ResultReply("not_found")
        question, is_lost = found
        told = rules.standing(question, self._shared.now_ms(), is_lost=is_lost)
        return facade.ResultReply(cast(facade.ResultState, told), question.said)  # cast: its words

    # threads

    async def _threads(self) -> facade.ThreadsReply:
        aliases, unfinished = await self._shared.db.read(views.named_threads)
        listed = await self._asked(partial(self._controller.sessions, "", MAX_THREADS)) or ()
        states = {session.thread: session.state for session in listed}
        return facade.ThreadsReply(
            tuple(
                _named(alias, unfinished.get(alias.thread, 0), states.get(alias.thread, ""))
                for alias in aliases[:MAX_THREADS]
            )
        )

    async def _status(self, name: str) -> facade.StatusReply:
        alias, waiting = await self._named_thread(name)
        if alias is None:
            return facade.StatusReply(None)
        status = await self._asked(partial(self._controller.status, alias.thread))
        state = "" if status is None else "busy" if status.is_active else "idle"
        outcome, ended_ms = await self._shared.db.read(lambda: guests.last_end(alias.thread))
        thread = _named(alias, waiting, state)
        return facade.StatusReply(replace(thread, last_outcome=outcome, last_ended_ms=ended_ms))

    async def _history(self, client: str, name: str) -> facade.HistoryReply:
        alias, _ = await self._named_thread(name)
        if alias is None:
            return facade.HistoryReply("not_found")
        last_turn = partial(self._controller.history, alias.thread, "", HISTORY_BYTES)
        found = await self._asked(last_turn)
        if found is None:
            return facade.HistoryReply("away")
        line = Audit("history.read", "scope history:read", client, alias.name)
        now_ms = self._shared.now_ms()
        await self._shared.db.run(lambda: inbox.add_audit([line], PeerId(""), now_ms))
        items, is_cut = _bounded(found.items)
        return facade.HistoryReply("found", items, is_cut or found.more)

    async def _asked(self, read: Callable[[], Awaitable[R]]) -> R | None:
        """What the controller says; None where it is away, slow, or cannot say."""
        try:
            with anyio.fail_after(CONTROLLER_DEADLINE_S):
                await self._controller.ready(CONTROLLER_DEADLINE_S)
                return await read()
        except (*NO_ANSWER, TimeoutError) as fault:
            _log.info("guests.controller_away", kind=type(fault).__name__, why=str(fault))
            return None

    async def _named_thread(self, name: str) -> tuple[Alias | None, int]:
        aliases, unfinished = await self._shared.db.read(views.named_threads)
        alias = next((a for a in aliases if a.name == AliasName(name)), None)
        return alias, unfinished.get(alias.thread, 0) if alias else 0


_TOLD = ("delivered", "unconfirmed", "unknown")  # a line that may be on the phone


def _refused(why: No) -> facade.Receipt:
    return facade.Receipt(0, "refused", why.value)


def _audit(
    what: str,
    outcome: str,
    client: str,
    number: OutId,
    peer: PeerId,
    now_ms: int,
    scope: scopes.Scope = "notify:owner",
) -> None:
    line = Audit(what, f"scope {scope}", outcome, f"{client} {number}")
    inbox.add_audit([line], peer, now_ms)


def _named(alias: Alias, waiting: int, state: str) -> facade.NamedThread:
    shown = "busy" if waiting else state
    return facade.NamedThread(
        alias.name,
        preview(clean(alias.title), TITLE_CHARS),
        cast(facade.ThreadState, shown if shown in _STATES else ""),  # cast: one of them
        waiting,
    )


_STATES = ("idle", "busy", "elsewhere")


def _bounded(items: tuple[Item, ...]) -> tuple[tuple[facade.Said, ...], bool]:
    """The end of a turn, where its answer is, as far as one call may bring back."""
    kept: list[facade.Said] = []
    left, is_cut = HISTORY_BYTES, False
    for item in reversed(items):
        shown = clean(item.text)[:ITEM_CHARS]
        left -= len(shown.encode("utf-8", "replace"))
        if left < 0:
            return tuple(reversed(kept)), True
        is_cut = is_cut or len(shown) < len(clean(item.text))
        kept.append(facade.Said(item.kind, shown))
    return tuple(reversed(kept)), is_cut
