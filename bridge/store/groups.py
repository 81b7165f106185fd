"""Group chats: what asked, what its owner said of it, and what of it still waits."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.core.errors import Stale
from bridge.core.group_chat import GroupChat, GroupEvent, GroupState, GroupStep, group_step
from bridge.core.model import Account, InboxRow, PeerId, ThreadId
from bridge.store import accounts, rights, rows
from bridge.store.statements import Record, add, change, record, records, rows_of, value
from bridge.store.tables import GroupRow, InboxTable

_FIRST = "peer = ? AND state = 'new' ORDER BY id"
_WAITING = "SELECT count(*) FROM turn WHERE peer = ? AND state != 'done'"
# The names of groups stand together (`group_peer`), so each half goes by an index.
_THREADS = """SELECT thread FROM group_chat
    UNION SELECT thread FROM turn WHERE peer >= 'group:' AND peer < 'group;' AND state = 'done'
    UNION SELECT thread FROM turn WHERE peer >= 'group:' AND peer < 'group;' AND state != 'done'"""


@dataclass(frozen=True, slots=True)
class Heard:
    """The oldest undecided message of a group, and what is known of the group."""

    row: InboxRow
    group: GroupChat
    waiting: int
    account: Account


def known() -> tuple[GroupChat, ...]:
    """Every group that has asked, by its number."""
    return tuple(_group(row) for row in records(GroupRow, "1 ORDER BY number"))


def threads() -> frozenset[ThreadId]:
    """Every thread that a group has, or has asked in as far as its turns are kept."""
    return frozenset(ThreadId(found) for (found,) in rows_of(_THREADS) if found)


def next_message(peer: PeerId) -> Heard | None:
    """What a group said first that is not decided yet.

    Of a group that nobody knows (its owner is another by now) the words are passed over.
    """
    row = record(InboxTable, _FIRST, peer)
    if row is None:
        return None
    found = record(GroupRow, "peer = ?", peer)
    group = _group(found) if found else GroupChat(0, peer, GroupState.DISABLED, None, 0)
    return Heard(rows.inbox(row), group, int(value(_WAITING, peer)), accounts.get())


def ask(peer: PeerId, now_ms: int) -> GroupChat | None:
    """Note that a group asks; None when it is known already."""
    number = add(
        GroupRow, "OR IGNORE", peer=peer, state=GroupState.PENDING, thread=None, asked_ms=now_ms
    )
    if not number:
        return None
    return GroupChat(number, peer, GroupState.PENDING, None, now_ms)


def step(moved: GroupStep, now_ms: int) -> None:
    """What the owner said of a group; what waited under the old word ends here.

    Raises Stale when the group has moved since it was read.
    """
    was, now = moved.was, moved.now
    columns: dict[str, object] = {"state": now.state}
    if now.thread != was.thread:
        columns["thread"] = now.thread
    if not change(GroupRow, "number = ? AND state = ?", (was.number, was.state), **columns):
        raise Stale(f"group {was.number} is no longer {was.state}")
    if was.state is GroupState.APPROVED:
        rights.end_waiting(was.peer, now_ms)


def silence_all(now_ms: int) -> None:
    """At boot with group questions off: no group may ask, and nothing of one goes on."""
    for group in known():
        if group.state is GroupState.APPROVED:
            state = group_step(group.state, GroupEvent.DISABLE)
            moved = GroupChat(group.number, group.peer, state, group.thread, group.asked_ms)
            step(GroupStep(group, moved), now_ms)


def _group(row: Record) -> GroupChat:
    return GroupChat(
        number=row.number,
        peer=PeerId(row.peer),
        state=GroupState(row.state),
        thread=ThreadId(row.thread) if row.thread else None,
        asked_ms=row.asked_ms,
    )
