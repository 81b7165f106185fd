"""The account row: who holds the bot, how it fares, where its cursor stands."""

from __future__ import annotations

from dataclasses import replace

from bridge.core.group_chat import is_group
from bridge.core.intake import InboxEvent, inbox_step
from bridge.core.model import Account, AccountState, InboxState, PeerId
from bridge.core.sending import AccountEvent, account_step
from bridge.store import rights, rows
from bridge.store.statements import add, change, record, rows_of
from bridge.store.tables import AccountRow, AliasRow, GroupRow, InboxTable, PeerRow

_PRESENT = """SELECT peer FROM peer
    UNION SELECT peer FROM inbox WHERE state = 'new'
    UNION SELECT peer FROM inbox WHERE state = 'held'
    UNION SELECT peer FROM turn WHERE state != 'done'
    UNION SELECT peer FROM outbox WHERE state != 'done'
    UNION SELECT peer FROM question WHERE outcome = ''"""


class OwnerRefused(Exception):
    """Another owner without a higher epoch (threat-model R2)."""


class OtherChannel(Exception):
    """The state belongs to another channel; `str` is its name."""


def get(channel: str | None = None) -> Account:
    """The account of a channel, or the only one; unpaired when there is none."""
    row = record(AccountRow, "channel = ? OR ? IS NULL", channel, channel)
    return rows.account(row) if row else Account(channel=channel or "")


def pair(offered: Account, now_ms: int) -> Account:
    """Take the worker's credentials as the account; one transaction with what follows.

    A new generation clears the cursor and the context tokens. Another owner needs a
    higher epoch, and then aliases, choices and groups go too. Whatever waits or runs for
    somebody who is no owner any more ends here, also where only the list grew shorter.
    Another channel is another owner whose ids cannot be compared with ours: it is never
    taken.
    """
    known = get()
    if known.state is not AccountState.UNPAIRED and known.channel != offered.channel:
        raise OtherChannel(known.channel)
    if known.state is AccountState.UNPAIRED:
        return _write(replace(offered, state=account_step(known.state, AccountEvent.PAIRED)))
    is_other = offered.owner != known.owner
    if is_other and offered.owner_epoch <= known.owner_epoch and not _shares_owner(offered, known):
        raise OwnerRefused(offered.bot_id)
    if is_other:
        is_handed_over = offered.owner_epoch > known.owner_epoch
        for peer in _present():
            if is_handed_over or not (is_group(peer) or peer in offered.owner.user_ids):
                _forget(peer, now_ms)
        if is_handed_over:
            AliasRow.delete().execute()
            GroupRow.delete().execute()
    if (offered.generation, offered.bot_id) == (known.generation, known.bot_id):
        return _write(replace(known, owner=offered.owner, owner_epoch=offered.owner_epoch))
    change(PeerRow, "1", (), context_token="", token_time_ms=0)
    return _write(
        replace(
            offered,
            paired_at_ms=known.paired_at_ms or offered.paired_at_ms,
            cursor="",
            state=account_step(known.state, AccountEvent.RELOGIN),
        )
    )


def happened(channel: str, event: AccountEvent, code: str, now_ms: int) -> Account:
    """Move the account by an event of the channel; the raw code stays readable."""
    known = get(channel)
    if known.state is AccountState.UNPAIRED:
        return known
    state = account_step(known.state, event)
    if state is AccountState.ON:
        if known.state is AccountState.ON:
            return known
        return _write(replace(known, state=state, rest_reason="", rest_since_ms=0))
    since_ms = known.rest_since_ms if known.state is state else now_ms
    return _write(replace(known, state=state, rest_reason=code, rest_since_ms=since_ms))


def _shares_owner(offered: Account, known: Account) -> bool:
    """Somebody stays: the list was changed by a setting, not by another person's login."""
    return bool(offered.owner.user_ids & known.owner.user_ids)


def _present() -> tuple[PeerId, ...]:
    """Whoever is known, or has something unfinished here."""
    return tuple(PeerId(peer) for (peer,) in rows_of(_PRESENT))


def _forget(peer: PeerId, now_ms: int) -> None:
    """Nothing of this peer goes on, and nothing of what it chose is kept."""
    PeerRow.delete().where(PeerRow.peer == peer).execute()
    for was in (InboxState.NEW, InboxState.HELD):
        state, outcome = inbox_step(was, InboxEvent.DROP_HELD)
        dropped = {"state": state, "outcome": outcome, "done_ms": now_ms}
        change(InboxTable, "peer = ? AND state = ?", (peer, was), **dropped)
    rights.end_waiting(peer, now_ms)


def _write(value: Account) -> Account:
    add(
        AccountRow,
        "OR REPLACE",
        channel=value.channel,
        bot_id=value.bot_id,
        owners=rows.dump(sorted(value.owner.user_ids)),
        generation=value.generation,
        owner_epoch=value.owner_epoch,
        paired_at_ms=value.paired_at_ms,
        cursor=value.cursor,
        state=value.state,
        breaker_until_ms=value.breaker_until_ms,
        probe_no=value.probe_no,
        unconfirmed_run=value.unconfirmed_run,
        rest_reason=value.rest_reason,
        rest_since_ms=value.rest_since_ms,
    )
    return value
