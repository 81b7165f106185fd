"""What may a peer still be sent? Read from the attempts since they wrote, never from rows."""

from __future__ import annotations

from bridge.core import guests
from bridge.core.group_chat import is_group
from bridge.core.guests import NOTE_SPACING_MS
from bridge.core.model import Account, OutId, OutRow, SendClass
from bridge.core.sending import (
    STUBBORN_REFUSALS,
    Limits,
    Window,
    closes_ms,
    credits_left,
    group_breaker_ms,
)
from bridge.store import accounts
from bridge.store.statements import Record, pairs, record
from bridge.store.statements import row as one_row
from bridge.store.tables import PeerRow

_WINDOW = """SELECT
    sum(outcome IN ('', 'sent', 'unconfirmed', 'unknown')),
    max(started_ms),
    sum(outcome = 'throttled'),
    max(CASE WHEN outcome = 'throttled' THEN started_ms END)
    FROM outbox_attempt WHERE peer = ? AND started_ms >= ?"""
_STUBBORN = """SELECT row, count(*) FROM outbox_attempt
    WHERE row IN (SELECT id FROM outbox WHERE peer = ? AND state = 'ready')
    AND outcome = 'throttled' GROUP BY row HAVING count(*) >= ?"""
_NOTES = """SELECT client, max(started_ms) FROM outbox_attempt
    JOIN outbox ON outbox.id = outbox_attempt.row
    WHERE outbox_attempt.peer IN (SELECT peer FROM peer) AND started_ms > ?
    AND state = 'done' AND client != '' AND send_class = ? GROUP BY client"""


def seen(row: Record | None, account: Account) -> Window:
    """The attempts since the peer's last message, read from the attempts themselves."""
    if row is None:
        return Window(0, 0, 0, has_token=False, is_announced=False)
    used, last_ms, refused, refused_ms = one_row(_WINDOW, row.peer, row.wrote_ms)
    of_group = is_group(row.peer)
    stubborn = pairs(_STUBBORN, row.peer, STUBBORN_REFUSALS) if account.probe_no or refused else []
    return Window(
        opened_ms=row.wrote_ms,
        used=used or 0,
        last_attempt_ms=last_ms or 0,
        has_token=bool(row.context_token) and row.token_generation == account.generation,
        is_announced=bool(row.is_announced),
        may_probe=not refused and not of_group,
        breaker_until_ms=group_breaker_ms(refused, refused_ms, last_ms) if of_group else 0,
        stubborn=frozenset(OutId(number) for number, _ in stubborn),
    )


def paced(ready: list[OutRow], now_ms: int) -> list[OutRow]:
    """These bubbles, with the time before which no note of an agent among them may go."""
    if not any(row.client for row in ready):
        return ready
    left_ms = dict(pairs(_NOTES, now_ms - NOTE_SPACING_MS, SendClass.NOTE))
    return guests.paced(ready, left_ms, now_ms)


def of_peer(peer: str) -> Window:
    """The send window of this peer."""
    return seen(record(PeerRow, "peer = ?", peer), accounts.get())


def standing(peer: str, limits: Limits) -> tuple[int | None, int | None]:
    """Sends left until the peer writes again, and when their window closes; None: no limit."""
    found = of_peer(peer)
    return credits_left(found, limits), closes_ms(found, limits)
