"""What a controller's JSON says, read leniently: JSON of the contract to our values.

Unknown members are ignored. A member that is needed and missing, or of another type,
is a PeerFault that names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.core.approvals import Asked
from bridge.core.decision import History, Item, Server, Session, ThreadStatus
from bridge.core.errors import PeerFault
from bridge.core.model import ApprovalId, Head, Key, LockToken, RunId, ThreadId
from bridge.core.turns import Accepted, Run

Body = Mapping[str, Any]  # Any: a JSON object as it came

_CWD_NAMES = ("cwd", "workspace_root", "project_root", "default_cwd")


def status(body: Body) -> ThreadStatus:
    session = _object(body, "session")
    found = (session.get(name) or body.get(name) for name in _CWD_NAMES)
    return ThreadStatus(
        head=_text(session, "session_head") or None,
        owner=_text(session, "owner"),
        is_active=_text(session, "status") == "active",
        cwd=next((value for value in found if isinstance(value, str) and value), ""),
        is_known=bool(session),
        state=_text(session, "state"),
        holder=_text(session, "holder"),
        run_reason=next((_text(run, "block_reason") for run in _objects(body, "runs")), ""),
        servers=tuple(_server(item) for item in _objects(_object(body, "engine"), "servers")),
    )


def history(body: Body) -> History:
    position = body.get("position")
    if not isinstance(body.get("items"), list) or not isinstance(position, str):
        raise PeerFault("cross_thread_history: items or position is missing")
    items = (
        Item(_text(item, "turn_id"), _text(item, "kind"), _text(item, "text"))
        for item in _objects(body, "items")
    )
    return History(tuple(items), position, body.get("more") is True, _text(body, "head"))


def forked(body: Body) -> ThreadId:
    found = _first("session_id", body, _object(body, "session"))
    if not found:
        raise PeerFault("cross_thread_fork: session_id is missing")
    return ThreadId(found)


def steered(body: Body, asked: RunId) -> RunId:
    return RunId(_first("run_id", _object(body, "run"), body)) or asked


def sessions(body: Body) -> tuple[Session, ...]:
    listed = body.get("sessions")
    if not isinstance(listed, list):
        raise PeerFault("cross_thread_list_sessions: sessions is missing")
    return tuple(_session(item) for item in listed if isinstance(item, dict))


def start(body: Body, asked: ThreadId) -> Accepted:
    run, session = _object(body, "run"), _object(body, "session")
    found = _first("run_id", body, run, session)
    if not found:
        raise PeerFault("cross_thread_start: run_id is missing")
    seq = next((p["last_event_seq"] for p in (body, run, session) if "last_event_seq" in p), None)
    return Accepted(
        run=RunId(found),
        thread=ThreadId(_first("session_id", body, run, session) or asked),
        lock=LockToken(_first("lock_token", body, run, session)) or None,
        seq=seq if type(seq) is int else None,
        turn=_first("turn_id", run, body),
    )


def shows_keys(body: Body) -> bool:
    """Whether a list of runs tells which key each has; an empty one does."""
    listed = _objects(body, "runs")
    return not listed or any(item.get("idempotency_key") for item in listed)


def find(body: Body, key: Key, owner: str) -> Run | None:
    """The run with our key; where no run carries keys, our one open run."""
    listed = [item for item in _runs(body) if _text(item, "run_id")]
    keyed = [item for item in listed if item.get("idempotency_key")]
    mine = [item for item in keyed if item["idempotency_key"] == key]
    if not keyed:
        mine = [i for i in listed if i.get("owner") == owner and not i.get("closed_at")]
        mine = mine if len(mine) == 1 else []
    return _run(mine[0]) if mine else None


def waited(body: Body, asked: RunId) -> tuple[Run | None, int | None]:
    """The asked run as it stands, if it was told, and where the events stand."""
    seq = body.get("last_event_seq")
    for item in _runs(body):
        if item.get("run_id") == asked:
            run = _run(item)
            if seq is None:
                seq = run.seq
            return run, seq if type(seq) is int else None
    return None, seq if type(seq) is int else None


def result(body: Body, asked: Run) -> Run:
    run = _object(body, "run") or {"run_id": asked.id, "status": asked.status}
    text = body.get("result_text")
    found = _run({"run_id": asked.id} | dict(run))
    return Run(
        id=asked.id,
        status=found.status or asked.status,
        thread=found.thread or asked.thread,
        lock=found.lock or asked.lock,
        reason=found.reason or asked.reason,
        head=found.head or asked.head,
        result=text if isinstance(text, str) else found.result,
        detail=found.detail or asked.detail,
    )


def approvals(body: Body) -> tuple[Asked, ...]:
    listed = body.get("approvals")
    if not isinstance(listed, list):
        raise PeerFault("cross_thread_approvals: approvals is missing")
    return tuple(_asked(item) for item in listed if isinstance(item, dict))


def lock(body: Body) -> LockToken | None:
    return LockToken(_first("lock_token", body, _object(body, "session"))) or None


def _runs(body: Body) -> list[Body]:
    listed = body.get("runs")
    return [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []


def _run(item: Body) -> Run:
    seq = item.get("last_event_seq")
    return Run(
        id=RunId(_text(item, "run_id")),
        status=_text(item, "status"),
        thread=ThreadId(_text(item, "session_id")),
        lock=LockToken(_text(item, "lock_token")) or None,
        reason=_text(item, "block_reason") or _text(item, "completion_reason"),
        head=Head(_first("actual_session_head", item) or _text(item, "session_head")) or None,
        result=_text(item, "result_text"),
        seq=seq if type(seq) is int else None,
        turn=_text(item, "turn_id"),
        detail=_text(item, "completion_detail"),
    )


def _server(item: Body) -> Server:
    memory = item.get("memory_bytes")
    return Server(
        name=_text(item, "name"),
        version=_text(item, "version"),
        memory_bytes=memory if type(memory) is int else 0,
    )


def _asked(item: Body) -> Asked:
    found, digest = _text(item, "approval_id"), _text(item, "digest")
    if not found or not digest:
        raise PeerFault("cross_thread_approvals: approval_id or digest is missing")
    given = item.get("options")
    options = given if isinstance(given, list) else []
    return Asked(
        id=ApprovalId(found),
        kind=_text(item, "kind"),
        summary=_text(item, "summary"),
        detail=_text(item, "detail"),
        digest=digest,
        options=tuple(o for o in options if isinstance(o, str)),
    )


def _session(item: Body) -> Session:
    found = item.get("session_id")
    if not isinstance(found, str) or not found:
        raise PeerFault("cross_thread_list_sessions: session_id is missing")
    at = item.get("updated_at")
    return Session(
        thread=ThreadId(found),
        title=_text(item, "title"),
        cwd=_text(item, "cwd"),
        updated_at_ms=_milliseconds(at),
        state=_text(item, "state"),
        holder=_text(item, "holder"),
    )


def _milliseconds(at: object) -> int:
    """A time in seconds, milliseconds or ISO 8601, as milliseconds; 0 when unreadable."""
    if isinstance(at, int | float) and not isinstance(at, bool):
        return int(at if at > 100_000_000_000 else at * 1000)
    if isinstance(at, str):
        from datetime import datetime

        try:
            return int(datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp() * 1000)
        except ValueError:
            return 0
    return 0


def _object(body: Body, name: str) -> Body:
    found = body.get(name)
    return found if isinstance(found, dict) else {}


def _objects(body: Body, name: str) -> list[Body]:
    found = body.get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _text(body: Body, name: str) -> str:
    found = body.get(name)
    return found if isinstance(found, str) else ""


def _first(name: str, *places: Body) -> str:
    return next((text for place in places if (text := _text(place, name))), "")
