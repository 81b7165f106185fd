"""Rows to values of the core and back; nothing outside this room sees a model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from bridge.core.attached import ArtifactId, Attachment, OutFile, Selection, TurnFile
from bridge.core.model import (
    Account,
    AccountState,
    Alias,
    AliasName,
    Confirmation,
    InboxId,
    InboxRow,
    InboxState,
    Key,
    Lang,
    Listed,
    LockToken,
    MsgKey,
    OutId,
    OutRow,
    Owed,
    Owner,
    Part,
    Peer,
    PeerId,
    RunId,
    SendClass,
    ThreadId,
    Turn,
    TurnId,
    TurnState,
)
from bridge.store.statements import Record


def dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def parts_text(parts: Sequence[Part]) -> str:
    """The JSON under which the items of a message are stored; references lie elsewhere."""
    kept = [{k: v for k, v in asdict(part).items() if v and k != "media"} for part in parts]
    return dump(kept)


def media_text(parts: Sequence[Part]) -> str:
    """What the items refer to; "" for a message of words."""
    return dump([part.media for part in parts]) if any(part.media for part in parts) else ""


def body_hash(parts: str, quoted_id: str) -> str:
    """The same for messages that say the same."""
    return hashlib.sha256(f"{parts}\0{quoted_id}".encode("utf-8", "replace")).hexdigest()


def account(row: Record) -> Account:
    return Account(
        channel=row.channel,
        bot_id=row.bot_id,
        owner=Owner(frozenset(json.loads(row.owners))),
        generation=row.generation,
        owner_epoch=row.owner_epoch,
        paired_at_ms=row.paired_at_ms,
        cursor=row.cursor,
        state=AccountState(row.state),
        breaker_until_ms=row.breaker_until_ms,
        probe_no=row.probe_no,
        unconfirmed_run=row.unconfirmed_run,
        rest_reason=row.rest_reason,
        rest_since_ms=row.rest_since_ms,
    )


def inbox(row: Record, files: tuple[Attachment, ...] = ()) -> InboxRow:
    return InboxRow(
        id=InboxId(row.id),
        peer=PeerId(row.peer),
        msg_key=MsgKey(row.msg_key),
        parts=tuple(Part(**part) for part in json.loads(row.parts)),
        quoted_id=row.quoted_id,
        is_cut=bool(row.is_cut),
        age_ms=row.age_ms,
        received_ms=row.received_ms,
        attempts=row.attempts,
        is_released=bool(row.is_released),
        state=InboxState(row.state),
        files=files,
        is_asked=bool(row.is_asked),
        meant=AliasName(row.meant) if row.meant else None,
        quoted_text=row.quoted_text,
        quoted_part=Selection(**json.loads(row.quoted_part)) if row.quoted_part else None,
    )


def alias(row: Record) -> Alias:
    return Alias(
        name=AliasName(row.name),
        thread=ThreadId(row.thread),
        cwd=row.cwd,
        title=row.title,
        sandbox=row.sandbox,
        approval_policy=row.approval_policy,
        model=row.model,
        effort=row.effort,
        seen_head=row.seen_head,
        position=row.position,
    )


def peer(row: Record | None, name: PeerId, default: Lang) -> Peer:
    if row is None:
        return Peer(name, default)
    asked = json.loads(row.confirmation) if row.confirmation else None
    lang: Lang = default if row.lang not in ("zh", "en") else "zh" if row.lang == "zh" else "en"
    return Peer(
        id=name,
        lang=lang,
        active=AliasName(row.active) if row.active else None,
        confirmation=Confirmation(**asked) if asked else None,
        listed=tuple(Listed(ThreadId(t), title, cwd) for t, title, cwd in json.loads(row.listed)),
        files=tuple(ArtifactId(number) for number in json.loads(row.files)),
        files_ms=row.files_ms,
        more_turn=TurnId(row.more_turn) if row.more_turn else None,
        more_next=row.more_next,
    )


def peer_columns(value: Peer) -> dict[str, Any]:  # Any: columns of different types
    asked = value.confirmation
    return {
        "lang": value.lang,
        "active": value.active,
        "confirmation": dump(asdict(asked)) if asked else "",
        "listed": dump([[item.thread, item.title, item.cwd] for item in value.listed]),
        "files": dump(value.files),
        "files_ms": value.files_ms,
        "more_turn": value.more_turn,
        "more_next": value.more_next,
    }


def turn(row: Record) -> Turn:
    return Turn(
        id=TurnId(row.id),
        key=Key(row.key),
        channel=row.channel,
        peer=PeerId(row.peer),
        thread=ThreadId(row.thread),
        alias=row.alias_name,
        prompt=row.prompt,
        cwd=row.cwd,
        sandbox=row.sandbox,
        approval_policy=row.approval_policy,
        model=row.model,
        effort=row.effort,
        state=TurnState(row.state),
        reason=row.reason,
        expected_head=row.expected_head,
        seen_head=row.seen_head,
        run=RunId(row.run) if row.run else None,
        codex_turn=row.codex_turn,
        lock=LockToken(row.lock_token) if row.lock_token else None,
        retry_at_ms=row.retry_at_ms,
        tries=row.tries,
        stop_requested=bool(row.stop_requested),
        attempts=row.attempts,
        outcome=row.outcome,
        owes=tuple(Owed(word) for word in row.owes.split(",") if word),
        result=row.result,
        cuts=tuple(json.loads(row.cuts)),
        created_ms=row.created_ms,
        started_ms=row.started_ms,
        ended_ms=row.ended_ms,
        files=tuple(TurnFile(*file) for file in json.loads(row.files)),
        preface=row.preface,
    )


def out(row: Record, file: OutFile | None = None) -> OutRow:
    return OutRow(
        id=OutId(row.id),
        peer=PeerId(row.peer),
        send_class=SendClass(row.send_class),
        group=row.grp,
        part=row.part,
        parts=row.parts,
        text=row.text,
        client_id=row.client_id,
        created_ms=row.created_ms,
        not_before_ms=row.not_before_ms,
        tries=row.tries,
        fails=row.fails,
        maybe_sent=bool(row.maybe_sent),
        turn=TurnId(row.turn) if row.turn else None,
        file=file,
        client=row.client,
    )
