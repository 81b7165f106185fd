"""What a decision may look at: rows that are due and the state around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bridge.core.decision import View
from bridge.core.model import (
    Account,
    AliasName,
    InboxId,
    InboxRow,
    InboxState,
    Lang,
    Peer,
    PeerId,
    ThreadId,
    Turn,
    TurnId,
    TurnState,
)
from bridge.core.sending import Limits
from bridge.store import accounts, approvals, outbox, rows, turns
from bridge.store.statements import pairs, record, records, value
from bridge.store.tables import AliasRow, InboxTable, OutboxTable, PeerRow, TurnTable

MAX_TURNS = 200  # unfinished turns that one view holds
MAX_HELD = 1_000
_UNFINISHED = "SELECT thread, count(*) FROM turn WHERE state != 'done' GROUP BY thread"


@dataclass(frozen=True, slots=True)
class Conversation:
    """One peer's new rows, oldest first, and the view to decide them with."""

    rows: tuple[InboxRow, ...]
    view: View


def peers_with_news() -> tuple[PeerId, ...]:
    return tuple(PeerId(row.peer) for row in records(InboxTable, "state = 'new' GROUP BY peer"))


def conversation(
    peer: PeerId, limit: int, lang: Lang, passed_over: Sequence[InboxId]
) -> Conversation:
    """New rows of a peer but those that are being looked into, with the usual view."""
    where = "peer = ? AND state = 'new' ORDER BY id LIMIT ?"
    new = records(InboxTable, where, peer, limit + len(passed_over))
    found = tuple(rows.inbox(row) for row in new if row.id not in passed_over)
    return Conversation(found, view(peer, lang, found[0] if found else None))


def view(peer: PeerId, lang: Lang, first: InboxRow | None) -> View:
    """What every command may need: account, peer, names, how many turns wait where."""
    known = record(PeerRow, "peer = ?", peer)
    aliases = [rows.alias(found) for found in records(AliasRow, "1 ORDER BY name")]
    unfinished = {ThreadId(thread): count for thread, count in pairs(_UNFINISHED)}
    return View(
        account=accounts.get(),
        peer=rows.peer(known, peer, lang),
        aliases={AliasName(alias.name): alias for alias in aliases},
        unfinished=unfinished,
        quoted_turn=_quoted(first.quoted_id) if first and first.quoted_id else None,
    )


def whole(seen: View, asked: int | None, limits: Limits) -> View:
    """The view with what only some commands need: turns, held rows, the send window."""
    peer = seen.peer
    unfinished = (
        TurnTable.select()
        .where(TurnTable.state != TurnState.DONE)
        .order_by(TurnTable.id)
        .limit(MAX_TURNS)
    )
    held = (
        InboxTable.select(InboxTable.id)
        .where((InboxTable.peer == peer.id) & (InboxTable.state == InboxState.HELD))
        .order_by(InboxTable.id)
        .limit(MAX_HELD)
    )
    last = (
        TurnTable.select()
        .where((TurnTable.peer == peer.id) & (TurnTable.state == TurnState.DONE))
        .order_by(TurnTable.ended_ms.desc(), TurnTable.id.desc())
        .first()
    )
    return replace(
        seen,
        turns=tuple(rows.turn(row) for row in unfinished),
        held=tuple(InboxId(row.id) for row in held),
        waiting_rows=outbox.waiting(peer.id),
        last_turn=rows.turn(last) if last else None,
        asked_turn=turns.get(TurnId(asked)) if asked else None,
        credits=outbox.credits(peer.id, limits),
        approvals=approvals.of_peer(peer.id),
    )


def peer(name: PeerId, lang: Lang) -> Peer:
    return rows.peer(record(PeerRow, "peer = ?", name), name, lang)


def due_rows() -> int:
    """New rows that wait for a decision: the measure of back-pressure."""
    return int(value("SELECT count(*) FROM inbox WHERE state = 'new'"))


def _quoted(server_id: str) -> Turn | None:
    row = record(OutboxTable, "server_id = ?", server_id)
    return turns.get(TurnId(row.turn)) if row and row.turn else None


@dataclass(frozen=True, slots=True)
class Tally:
    """What the desk is shown: counts only."""

    account: Account
    aliases: int
    threads_busy: int
    new: int
    held: int
    done: int
    turns: dict[str, int]
    ready: int
    unknown: int


def tally() -> Tally:
    inbox: dict[str, int] = {}
    for row in InboxTable.select(InboxTable.state).where(InboxTable.state != InboxState.DONE):
        inbox[row.state] = inbox.get(row.state, 0) + 1
    unfinished: dict[str, int] = {}
    threads = set()
    for turn in TurnTable.select().where(TurnTable.state != TurnState.DONE):
        unfinished[turn.state] = unfinished.get(turn.state, 0) + 1
        threads.add(turn.thread)
    newest = InboxTable.select(InboxTable.id).order_by(InboxTable.id.desc()).first()
    total = newest.id if newest else 0
    return Tally(
        account=accounts.get(),
        aliases=AliasRow.select().count(),
        threads_busy=len(threads),
        new=inbox.get("new", 0),
        held=inbox.get("held", 0),
        done=total - sum(inbox.values()),
        turns=unfinished,
        ready=OutboxTable.select().where(OutboxTable.state != "done").count(),
        unknown=OutboxTable.select().where(OutboxTable.outcome == "unknown").count(),
    )
