"""Bubbles out: one attempt at a time, committed before it leaves and after it is known."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from bridge.core.attached import Handle
from bridge.core.bubbles import behind
from bridge.core.decision import NewRow
from bridge.core.foreign import harmless
from bridge.core.group_chat import is_group
from bridge.core.model import (
    Attempt,
    AttemptId,
    Lang,
    Outcome,
    OutId,
    OutRow,
    OutState,
    PeerId,
    SendClass,
    TurnId,
)
from bridge.core.phrases import notice
from bridge.core.rules import line
from bridge.core.sending import (
    NOT_SENT_LAST_MS,
    PROBE_MS,
    REST_GROUP,
    Limits,
    NeedOwner,
    Nothing,
    OutEvent,
    OutStep,
    Send,
    SleepUntil,
    Window,
    choose,
    due_of,
    is_worthless,
    out_step,
)
from bridge.core.uploading import is_up, refusal
from bridge.store import accounts, artifacts, rights, rows, windows
from bridge.store.audit import add_audit
from bridge.store.statements import Record, add, change, pairs, record, records, value
from bridge.store.tables import AccountRow, AttemptTable, OutboxTable, PeerRow

LOOKED_AT = 40  # ready bubbles read at once; more only where none of them may go
# Whose bubbles wait, and whether one of them is under way.
_WAITING = """SELECT peer, max(state = 'sending') FROM outbox
    WHERE state != 'done' GROUP BY peer"""
_NEXT = """peer = ? AND state = 'ready' AND (send_class, id) > (?, ?)
    ORDER BY send_class, id LIMIT ?"""
# The bubbles of an answer as it came: `turn-<id>-0-...`; frozen once one was tried.
_UNTRIED = """SELECT grp, min(turn) FROM outbox
    WHERE peer = ? AND state = 'ready' AND grp LIKE 'turn-%-0-%'
    AND NOT EXISTS (SELECT 1 FROM outbox_attempt WHERE outbox_attempt.peer = outbox.peer
        AND started_ms >= created_ms AND row = outbox.id)
    GROUP BY grp HAVING count(*) = min(parts) AND count(*) > 1"""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who would carry an attempt: a worker that holds the account, and our limits."""

    instance: str
    limits: Limits
    lang: str


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing to send now; look again at `until_ms`, or when something changes (None).

    `upload` is the bubble that would go if its file were up.
    """

    until_ms: int | None
    upload: OutRow | None = None


def begin(sender: Sender, now_ms: int) -> Attempt | None:
    """T6: choose the next bubble and write its attempt; None when nothing may go."""
    found = look(sender, now_ms)
    return found if isinstance(found, Attempt) else None


def look(sender: Sender, now_ms: int) -> Attempt | Rest:
    """As `begin`, and when to look again if nothing may go now."""
    waiting = pairs(_WAITING)
    if not waiting or any(is_sending for _, is_sending in waiting):
        return Rest(None)
    account = accounts.get()
    wake: list[int] = []
    upload: OutRow | None = None
    for peer, _ in sorted(waiting, key=lambda item: is_group(item[0])):  # a group comes last
        if not rights.may_read(peer):  # an attempt was under way when it lost that right
            rights.cancel_bubbles(peer, now_ms)
            continue
        row = record(PeerRow, "peer = ?", peer)
        token = row.context_token if row else ""
        seen = windows.seen(row, account)
        ready = _ready(peer, seen, now_ms)
        while isinstance(choice := choose(ready, seen, account, sender.limits, now_ms), Send):
            picked = next(item for item in ready if item.id == choice.row)
            if is_up(picked, now_ms):
                return _write_attempt(picked, token, sender, now_ms)
            upload = upload or picked
            ready = [row for row in ready if row.group != picked.group]  # the others go ahead
        match choice:
            case NeedOwner(True) if not is_group(peer):
                return _announce(peer, token, sender, now_ms)
            case SleepUntil(at_ms):
                wake.append(at_ms)
            case NeedOwner() | Nothing():
                pass
    return Rest(min(wake) if wake else None, upload)


def uploaded(row: OutRow, handle: Handle, sender: Sender | None, now_ms: int) -> Attempt | None:
    """The file of a bubble is up; T6 with it, if the bubble may still go now."""
    assert row.file is not None  # it was uploaded
    artifacts.uploaded(row.file.id, handle)
    return begin(sender, now_ms) if sender else None


def not_uploaded(
    row: OutRow, outcome: Outcome, step: OutStep, code: str, sender: Sender | None, now_ms: int
) -> Attempt | None:
    """The file of a bubble did not go up: it waits, or ends and its owner is told."""
    _step(row, OutState.READY, outcome, step, "", code, sender, now_ms)
    return begin(sender, now_ms) if sender else None


def finish(
    attempt: Attempt,
    outcome: Outcome,
    step: OutStep,
    server_id: str,
    code: str,
    sender: Sender | None,
    now_ms: int,
) -> Attempt | Rest:
    """T7, with the next T6: what became of an attempt, and the next one if any may go."""
    change(AttemptTable, "id = ?", (attempt.id,), outcome=outcome)
    _step(attempt.row, OutState.SENDING, outcome, step, server_id, code, sender, now_ms)
    return look(sender, now_ms) if sender else Rest(None)


def _step(
    row: OutRow,
    was: OutState,
    outcome: Outcome,
    step: OutStep,
    server_id: str,
    code: str,
    sender: Sender | None,
    now_ms: int,
) -> None:
    state = out_step(was, step.event)
    columns: dict[str, object] = {
        "state": state,
        "not_before_ms": step.not_before_ms,
        "tries": step.tries,
        "fails": step.fails,
        "maybe_sent": step.maybe_sent,
    }
    if state is OutState.DONE:
        outcome_word = "dead" if step.event is OutEvent.DEAD else outcome.value
        columns |= {"outcome": outcome_word, "server_id": server_id, "done_ms": now_ms}
    if not change(OutboxTable, "id = ? AND state = ?", (row.id, was), **columns):
        return  # an upload was under way when its bubble ended
    if step.cancels_group:
        _cut_off(row.group, row.part, row.peer, now_ms)
    if phrase := _told_of(row, step, code):
        _tell(row, phrase, sender, now_ms)
    _move_account(step, code, now_ms)


def add_rows(bubbles: Sequence[NewRow], peer: PeerId, now_ms: int) -> None:
    """Owe these bubbles; a client id that is there already is the same bubble.

    Who may be told nothing is owed nothing (`rights`).
    """
    if bubbles and not rights.may_read(peer):
        return
    for bubble in bubbles:
        add(OutboxTable, "OR IGNORE", **_columns(bubble, peer, now_ms))


def untried_answers(peer: str) -> list[tuple[str, TurnId]]:
    """Answers of several bubbles, by group and turn, of which none was ever tried."""
    return [(group, TurnId(turn)) for group, turn in pairs(_UNTRIED, peer)]


def shorten(group: str, text: str, peer: PeerId, now_ms: int) -> None:
    """Let the first bubble of a group that was never tried stand for all of it."""
    change(OutboxTable, "grp = ? AND part = 1 AND state = 'ready'", (group,), text=text, parts=1)
    _cut_off(group, 1, peer, now_ms)


def again(ids: Sequence[OutId]) -> None:
    """Owe these ended bubbles once more, under the same client ids, with fresh tries.

    One that may have arrived is marked as a repetition when it leaves.
    """
    for row in ids:
        change(
            OutboxTable,
            "id = ? AND state = 'done' AND outcome IN ('unknown', 'unconfirmed')",
            (row,),
            maybe_sent=True,
        )
        change(
            OutboxTable,
            "id = ? AND state = 'done' AND outcome NOT IN ('sent', 'dropped')",
            (row,),
            state=out_step(OutState.DONE, OutEvent.AGAIN),
            outcome="",
            tries=0,
            fails=0,
            not_before_ms=0,
            done_ms=0,
        )


def echoed(client_id: str, server_id: str) -> None:
    """The channel has shown us a bubble of ours: it arrived, whatever was known of it."""
    where = "client_id = ? AND state = 'done' AND outcome IN ('unknown', 'unconfirmed')"
    change(OutboxTable, where, (client_id,), outcome=Outcome.SENT, server_id=server_id)


def unfinished() -> tuple[Attempt, ...]:
    """Attempts whose outcome is not known: found at boot, or after a lost worker."""
    return tuple(
        Attempt(AttemptId(attempt.id), _out(row), "", attempt.instance)
        for row in records(OutboxTable, "state = 'sending'")
        for attempt in records(AttemptTable, "row = ? AND outcome = ''", row.id)
    )


def clamp(now_ms: int) -> None:
    """At boot: a clock that was set back delays nothing longer than its largest back-off."""
    latest = now_ms + NOT_SENT_LAST_MS
    change(OutboxTable, "not_before_ms > ?", (latest,), not_before_ms=latest)
    latest = now_ms + PROBE_MS[-1]
    change(AccountRow, "breaker_until_ms > ?", (latest,), breaker_until_ms=latest)


def context_token(peer: str) -> str:
    """The newest token of this peer; empty when there is none."""
    row = record(PeerRow, "peer = ?", peer)
    return row.context_token if row else ""


def waiting(peer: str) -> int:
    """Bubbles of this peer that have not left."""
    return int(value("SELECT count(*) FROM outbox WHERE peer = ? AND state != 'done'", peer))


def _out(row: Record) -> OutRow:
    return rows.out(row, artifacts.carried(row.artifact) if row.artifact else None)


def _ready(peer: str, seen: Window, now_ms: int) -> list[OutRow]:
    """What waits, in the order of class and id, as far as to one that may go."""
    found: list[OutRow] = []
    last = (-1, 0)
    while True:
        page = [_out(row) for row in records(OutboxTable, _NEXT, peer, *last, LOOKED_AT)]
        for row in page:
            if is_worthless(row, seen.opened_ms, now_ms):
                rights.cancel("id = ?", (row.id,), now_ms)
            else:
                found.append(row)
        if len(page) < LOOKED_AT:
            return windows.paced(found, now_ms)
        if any(is_up(row, now_ms) for row in due_of(windows.paced(found, now_ms), now_ms)):
            break
        last = (page[-1].send_class, page[-1].id)
    if seen.is_announced:  # it goes before all that it announces
        asking = records(OutboxTable, "peer = ? AND state = 'ready' AND grp = ?", peer, REST_GROUP)
        found += [_out(row) for row in asking if all(row.id != other.id for other in found)]
    return windows.paced(found, now_ms)


def _write_attempt(row: OutRow, token: str, sender: Sender, now_ms: int) -> Attempt:
    attempt = AttemptId(uuid.uuid4().hex)
    add(
        AttemptTable,
        id=attempt,
        row=row.id,
        peer=row.peer,
        instance=sender.instance,
        started_ms=now_ms,
    )
    change(OutboxTable, "id = ?", (row.id,), state=out_step(OutState.READY, OutEvent.CHOSEN))
    return Attempt(attempt, row, token, sender.instance)


def _announce(peer: str, token: str, sender: Sender, now_ms: int) -> Attempt:
    """Spend the last credit on saying that more waits; once per window."""
    change(PeerRow, "peer = ?", (peer,), is_announced=True)
    add_audit(line("withheld", "rest_waits"), PeerId(peer), now_ms)
    told = notice("rest_waits", _lang(peer, sender))
    client_id = f"ctb:rest-{uuid.uuid4().hex}"
    row = _add(peer, NewRow(SendClass.NOTE, told, client_id, REST_GROUP), now_ms)
    return _write_attempt(row, token, sender, now_ms)


def _add(peer: str, row: NewRow, now_ms: int) -> OutRow:
    made = add(OutboxTable, **_columns(row, peer, now_ms))
    return rows.out(record(OutboxTable, "id = ?", made))


def _columns(row: NewRow, peer: str, now_ms: int) -> dict[str, object]:
    return {
        "peer": peer,
        "send_class": row.send_class,
        "grp": row.group,
        "part": row.part,
        "parts": row.parts,
        "text": row.text,
        "client_id": row.client_id,
        "client": row.client,
        "turn": row.turn,
        "artifact": artifacts.id_of(row.staged) if row.staged else None,
        "state": OutState.READY,
        "created_ms": now_ms,
    }


def _cut_off(group: str, part: int, peer: PeerId, now_ms: int) -> None:
    """What is behind this part never leaves; `/more` begins no later than there."""
    count = rights.cancel("grp = ? AND part > ? AND state = 'ready'", (group, part), now_ms)
    if count and (place := behind(group, part)) is not None:
        where = "peer = ? AND more_turn = ? AND (more_next > ? OR more_next = 0)"
        change(PeerRow, where, (peer, *place), more_next=place[1])


def _lang(peer: str, sender: Sender | None) -> Lang:
    """The language that a peer chose, else that of the settings."""
    row = record(PeerRow, "peer = ?", peer)
    chosen = row.lang if row and row.lang else sender.lang if sender else ""
    return "zh" if chosen == "zh" else "en"


def _told_of(row: OutRow, step: OutStep, code: str) -> str:
    """The phrase for the end of a bubble that its owner may miss; "" where there is none."""
    if row.file is not None and step.event is OutEvent.UNKNOWN:
        return "file_unknown"
    if not step.cancels_group:
        return ""
    if row.file is not None:
        return refusal(code)
    return "incomplete" if row.turn is not None and not is_group(row.peer) else ""


def _tell(row: OutRow, phrase: str, sender: Sender | None, now_ms: int) -> None:
    lang = _lang(row.peer, sender)
    told = notice(phrase, lang, id=row.turn, name=harmless(row.file.name) if row.file else "")
    client_id = f"ctb:{row.client_id.removeprefix('ctb:')}-i"
    # It stands for what did not come, and is repeated and kept as that would have been.
    _add(row.peer, NewRow(SendClass.ANSWER, told, client_id, f"dead-{row.id}"), now_ms)


def _move_account(step: OutStep, code: str, now_ms: int) -> None:
    columns: dict[str, object] = {
        name: value
        for name, value in (
            ("breaker_until_ms", step.breaker_until_ms),
            ("probe_no", step.probe_no),
            ("unconfirmed_run", step.unconfirmed_run),
        )
        if value is not None
    }
    account = accounts.get()
    if step.account_event is not None:
        accounts.happened(account.channel, step.account_event, code, now_ms)
    changed = {k: v for k, v in columns.items() if getattr(account, k) != v}
    if changed:
        change(AccountRow, "channel = ?", (account.channel,), **changed)
