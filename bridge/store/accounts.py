"""The account row: who holds the bot, how it fares, where its cursor stands."""

from __future__ import annotations

from dataclasses import replace

from bridge.core.model import Account, AccountState
from bridge.core.sending import AccountEvent, account_step
from bridge.store import rows
from bridge.store.statements import add, change, record
from bridge.store.tables import AccountRow, AliasRow, GroupRow, InboxTable, PeerRow


class OwnerRefused(Exception):
    """Another owner without a higher epoch (threat-model R2)."""


class OtherChannel(Exception):
    """The state belongs to another channel; `str` is its name."""


def get(channel: str | None = None) -> Account:
    """The account of a channel, or the only one; unpaired when there is none."""
    row = record(AccountRow, "channel = ? OR ? IS NULL", channel, channel)
    return rows.account(row) if row else Account(channel=channel or "")


def pair(offered: Account) -> Account:
    """Take the worker's credentials as the account; one transaction with what follows.

    A new generation clears the cursor and the context tokens. Another owner needs a
    higher epoch, and then aliases, choices and held messages go too. Another channel is
    another owner whose ids cannot be compared with ours: it is never taken.
    """
    known = get()
    if known.state is not AccountState.UNPAIRED and known.channel != offered.channel:
        raise OtherChannel(known.channel)
    if known.state is AccountState.UNPAIRED:
        return _write(replace(offered, state=account_step(known.state, AccountEvent.PAIRED)))
    is_other = offered.owner != known.owner
    if is_other and offered.owner_epoch <= known.owner_epoch and not _shares_owner(offered, known):
        raise OwnerRefused(offered.bot_id)
    if is_other and offered.owner_epoch > known.owner_epoch:
        _forget_owner()
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


def _forget_owner() -> None:
    PeerRow.delete().execute()
    AliasRow.delete().execute()
    GroupRow.delete().execute()
    change(InboxTable, "state IN ('new', 'held')", (), state="done", outcome="dropped")


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
