"""What a decision may look at: rows that are due and the state around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bridge.core.decision import View
from bridge.core.group_chat import is_group
from bridge.core.model import (
    Account,
    Alias,
    AliasName,
    Approval,
    InboxId,
    InboxRow,
    Lang,
    Peer,
    PeerId,
    ThreadId,
    Turn,
    TurnId,
    TurnState,
)
from bridge.core.prompts import said_in, selected
from bridge.core.sending import Limits
from bridge.store import (
    accounts,
    approvals,
    artifacts,
    attachments,
    groups,
    guests,
    inbox,
    outbox,
    quotes,
    rows,
    turns,
    windows,
)
from bridge.store.statements import count, pairs, record, records, value
from bridge.store.tables import AliasRow, InboxTable, OutboxTable, PeerRow, TurnTable

MAX_TURNS = 200  # unfinished turns that one view holds
MAX_HELD = 1_000
MAX_FILES_ALONE = 100  # that one sentence takes along
_FILES_ALONE = "peer = ? AND state = 'new' AND is_files_alone ORDER BY id LIMIT ?"
# A partial index serves only a condition that holds its very words, and no parameter.
_LAST = "peer = ? AND state = 'done' ORDER BY ended_ms DESC, id DESC"
_BY_STATE = "SELECT state, count(*) FROM turn WHERE state != 'done' GROUP BY state"
# An answer or a request of which nobody knows; in the words of the index that serves it.
_UNKNOWN = "outcome IN ('dead', 'unknown') AND send_class <= 2 AND outcome = 'unknown'"
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
    """New rows of a peer but those that are being looked into, with the usual view.

    Files that wait for words come as well, however many they are, and never keep the
    rows behind them out of sight.
    """
    where = "peer = ? AND state = 'new' AND NOT is_files_alone ORDER BY id LIMIT ?"
    new = records(InboxTable, where, peer, limit + len(passed_over))
    alone = records(InboxTable, _FILES_ALONE, peer, MAX_FILES_ALONE)
    if alone:
        last = new[-1].id if len(new) == limit + len(passed_over) else alone[-1].id
        new = sorted([*new, *(row for row in alone if row.id <= last)], key=lambda row: int(row.id))
    with_files = [row.id for row in new if row.has_files]
    files = attachments.of_rows(with_files) if with_files else {}
    found = tuple(
        rows.inbox(row, files.get(row.id, ())) for row in new if row.id not in passed_over
    )
    return Conversation(found, view(peer, lang))


def quoted(seen: View, row: InboxRow) -> View:
    """The view with what this row quotes: a bubble of ours, or an earlier message."""
    turn, text, asked = _quoted(row.quoted_id, seen) if row.quoted_id else (None, "", None)
    maybe = None
    if turn is None and not text:
        asked, maybe = quotes.answered_by_words(seen.peer.id, row.quoted_text, row.received_ms)
    text = text or row.quoted_text
    if text and row.quoted_part is not None:
        text = selected(text, row.quoted_part)
    seen = replace(seen, quoted_turn=turn, quoted_text=text or None, maybe_quoted=maybe)
    if isinstance(asked, Approval):
        asking = turn or turns.get(asked.turn)
        found = seen.turns or ((asking,) if asking else ())
        known = seen.approvals or (asked,)
        return replace(seen, quoted_request=asked, approvals=known, turns=found)
    return replace(seen, quoted_question=asked)


def view(peer: PeerId, lang: Lang) -> View:
    """What every command may need: account, peer, names, how many turns wait where."""
    known = rows.peer(record(PeerRow, "peer = ?", peer), peer, lang)
    listed, unfinished = named_threads()
    aliases = {AliasName(alias.name): alias for alias in listed}
    used = aliases.get(known.active) if known.active else None
    return View(
        account=accounts.get(),
        peer=replace(known, thread=used.thread) if used else known,
        aliases=aliases,
        unfinished=unfinished,
        asked=approvals.by_thread(peer) if unfinished else {},
        groups=groups.known(),
    )


def named_threads() -> tuple[tuple[Alias, ...], dict[ThreadId, int]]:
    """The names that the owner gave, and how many turns wait or run in which thread."""
    aliases = tuple(rows.alias(found) for found in records(AliasRow, "1 ORDER BY name"))
    return aliases, {ThreadId(thread): count for thread, count in pairs(_UNFINISHED)}


def whole(seen: View, asked: int | None, limits: Limits) -> View:
    """The view with what only some commands need: turns, held rows, the send window.

    Turns of groups are not among the owner's: `/stop`, `/queue` and `/cancel` are not
    about them.
    """
    peer = seen.peer
    unfinished = records(TurnTable, f"state != 'done' {turns.LIVE_FIRST} LIMIT ?", MAX_TURNS)
    held = records(InboxTable, "peer = ? AND state = 'held' ORDER BY id LIMIT ?", peer.id, MAX_HELD)
    last = record(TurnTable, _LAST, peer.id)
    open_turns = tuple(rows.turn(row) for row in unfinished if not is_group(row.peer))
    # Its answer may be read already while the controller is still owed something.
    over = [t for t in open_turns if t.peer == peer.id and t.state is TurnState.SETTLING]
    ended = [*over, *([rows.turn(last)] if last else [])]
    credits, closes_ms = windows.standing(peer.id, limits)
    asked_file = peer.confirmation.subject if peer.confirmation else ""
    return replace(
        seen,
        asked_file=artifacts.copy(asked_file) if asked_file else None,
        turns=open_turns,
        held=tuple(InboxId(row.id) for row in held),
        files_alone=tuple(
            InboxId(row.id) for row in records(InboxTable, _FILES_ALONE, peer.id, MAX_HELD)
        ),
        waiting_rows=outbox.waiting(peer.id),
        last_turn=max(ended, key=lambda turn: (turn.ended_ms, turn.id), default=None),
        asked_turn=turns.get(TurnId(asked)) if asked else None,
        credits=credits,
        closes_ms=closes_ms,
        approvals=approvals.of_peer(peer.id),
        questions=guests.waiting_for(peer.id),
    )


def peer(name: PeerId, lang: Lang) -> Peer:
    found = rows.peer(record(PeerRow, "peer = ?", name), name, lang)
    used = record(AliasRow, "name = ?", found.active) if found.active else None
    return replace(found, thread=ThreadId(used.thread)) if used else found


def due_rows() -> int:
    """New rows that wait for a decision: the measure of back-pressure."""
    return count(InboxTable, inbox.DUE)


def _quoted(server_id: str, seen: View) -> tuple[Turn | None, str, quotes.Asked | None]:
    """The turn, the words and the open question behind an id of the channel."""
    peer = seen.peer
    ours = "server_id = ? AND server_id != '' AND peer = ?"
    row = record(OutboxTable, ours, server_id, peer.id)
    if row is not None:
        turn = turns.get(TurnId(row.turn)) if row.turn else None
        return turn, row.text, quotes.asked_in(row)
    where, key = "channel = ? AND peer = ? AND msg_key = ?", f"mid:{server_id}"
    row = record(InboxTable, where, seen.account.channel, peer.id, key)
    if row is not None:
        turn = turns.get(TurnId(row.turn)) if row.turn else None
        return turn, said_in(rows.inbox(row), peer.lang), None
    return None, "", None


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
    credits: int | None  # of who wrote last: sends left, and when the window closes
    closes_ms: int | None


def tally(limits: Limits) -> Tally:
    new, held = count(InboxTable, "state = 'new'"), count(InboxTable, "state = 'held'")
    people = [row for row in records(PeerRow, "1") if not is_group(row.peer)]
    last = max(people, key=lambda row: int(row.wrote_ms), default=None)
    credits, closes_ms = windows.standing(last.peer if last else "", limits)
    return Tally(
        account=accounts.get(),
        aliases=AliasRow.select().count(),
        threads_busy=len(pairs(_UNFINISHED)),
        new=new,
        held=held,
        done=int(value("SELECT max(id) FROM inbox") or 0) - new - held,
        turns=dict(pairs(_BY_STATE)),
        ready=count(OutboxTable, "state != 'done'"),
        unknown=count(OutboxTable, _UNKNOWN),
        credits=credits,
        closes_ms=closes_ms,
    )
