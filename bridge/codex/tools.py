"""The tools of the contract, and what each one answers.

The one place where our values become the JSON of the controller contract, sections
1 and 2. What comes in is checked in `arguments`; what happens is up to `runs`.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from bridge.codex import arguments
from bridge.codex.disk import Disk
from bridge.codex.engine import Engine
from bridge.codex.keys import Keys
from bridge.codex.model import (
    OVER,
    Code,
    Item,
    Lock,
    Obj,
    Page,
    Refused,
    Run,
    RunId,
    Session,
    Status,
    ThreadFacts,
    ThreadId,
)
from bridge.codex.runs import Runs

MAX_RESULT_BYTES = 1024 * 1024  # threat-model R9
MAX_WAIT_MS = 60_000  # one slice; a client asks again

Answer = Awaitable[Obj]


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool as `tools/list` shows it, and the function behind it."""

    name: str
    says: str
    arguments: type[arguments.Arguments]
    call: Callable[..., Answer]

    async def run(self, given: Obj) -> Obj:
        """Raises Refused(INVALID) that names the wrong argument."""
        return await self.call(arguments.read(self.arguments, given))


class Reads:
    """The tools that touch neither model, lock nor server."""

    def __init__(self, disk: Disk | Engine) -> None:
        self._disk = disk

    def tools(self) -> list[Tool]:
        return [
            Tool(
                "cross_thread_status",
                "How runs and a thread stand now. Runs no model.",
                arguments.StatusArguments,
                self.status,
            ),
            Tool(
                "cross_thread_list_sessions",
                "Codex threads of every source, newest first. Runs no model.",
                arguments.ListSessionsArguments,
                self.list_sessions,
            ),
            Tool(
                "cross_thread_history",
                "What happened in a thread, from its journal. Runs no model.",
                arguments.HistoryArguments,
                self.history,
            ),
        ]

    async def status(self, given: arguments.StatusArguments) -> Obj:
        facts = self._disk.facts(ThreadId(given.session_id)) if given.session_id else None
        session = None if facts is None else _session(facts, None)
        return {"runs": [], "session": session, "engine": self._disk.health()}

    async def list_sessions(self, given: arguments.ListSessionsArguments) -> Obj:
        rows, cursor = await self._disk.sessions(given.limit, given.cursor, given.query, given.cwd)
        return {"sessions": [self._row(row) for row in rows], "next_cursor": cursor}

    async def history(self, given: arguments.HistoryArguments) -> Obj:
        thread = ThreadId(given.session_id)
        page = await self._disk.history(thread, given.position, given.limit_bytes)
        if page is None:
            raise Refused(Code.NOT_FOUND, "there is no thread with this id")
        return _page(page)

    def _row(self, row: Session) -> Obj:
        return {
            "session_id": row.id,
            "title": row.title,
            "cwd": row.cwd,
            "updated_at": _time(row.updated_at_ms),
            "state": row.state,
            "holder": row.holder,
        }


class Tools(Reads):
    """Every tool, over one set of runs."""

    def __init__(self, keys: Keys, engine: Engine, runs: Runs) -> None:
        super().__init__(engine)
        self._keys = keys
        self._engine = engine
        self._runs = runs

    def tools(self) -> list[Tool]:
        return [
            *super().tools(),
            Tool("cross_thread_start", "Run one message.", arguments.StartArguments, self.start),
            Tool("cross_thread_wait_any", "Wait for runs.", arguments.WaitArguments, self.wait_any),
            Tool(
                "cross_thread_read_result", "The answer.", arguments.RunArguments, self.read_result
            ),
            Tool("cross_thread_delivery_ack", "It is stored.", arguments.RunArguments, self.ack),
            Tool("cross_thread_close", "Done with the run.", arguments.RunArguments, self.close),
            Tool(
                "cross_thread_release", "Free the thread.", arguments.ReleaseArguments, self.release
            ),
            Tool("cross_thread_cancel", "Stop the turn.", arguments.CancelArguments, self.cancel),
            Tool(
                "cross_thread_list_runs", "Known runs.", arguments.ListRunsArguments, self.list_runs
            ),
            Tool(
                "cross_thread_force_recover",
                "Take a lock over; only after a person confirmed it.",
                arguments.ForceRecoverArguments,
                self.force_recover,
            ),
            Tool("cross_thread_steer", "Add to the turn.", arguments.SteerArguments, self.steer),
            Tool("cross_thread_fork", "Branch a thread.", arguments.ForkArguments, self.fork),
            Tool(
                "cross_thread_approvals",
                "What waits.",
                arguments.ApprovalsArguments,
                self.approvals,
            ),
            Tool("cross_thread_answer", "Answer it, once.", arguments.AnswerArguments, self.answer),
        ]

    async def status(self, given: arguments.StatusArguments) -> Obj:
        runs = [run for run in map(self._run_or_none, given.run_ids) if run is not None]
        session = None
        if given.session_id is not None:
            thread = ThreadId(given.session_id)
            facts = self._engine.facts(thread)
            session = _session(facts, self._keys.lock(thread)) if facts else None
            if session is not None and self._keys.live_run(thread) is not None:
                session["state"] = "busy"
        return {
            "runs": [self._run(run) for run in runs],
            "session": session,
            "engine": self._engine.health(),
        }

    async def start(self, given: arguments.StartArguments) -> Obj:
        begun, lock, seq = await self._runs.start(arguments.order_of(given))
        run = self._keys.run(begun.id)
        facts = self._engine.facts(run.thread) if run.thread and run.is_over else None
        return {
            "run_id": run.id,
            "session_id": run.thread,
            "session_head": run.head_after or (f"{run.turn}:open" if run.turn else None),
            "lock_token": lock.token if lock is not None else None,
            "last_event_seq": seq,
            "run": self._run(run),
            "session": {
                "session_id": run.thread,
                "owner": lock.owner if lock else None,
                "status": "active" if lock else "released",
                "session_head": facts.head if facts else run.head_before,
            },
        }

    async def wait_any(self, given: arguments.WaitArguments) -> Obj:
        ids = [RunId(each) for each in given.run_ids]
        seconds = min(given.timeout_ms, MAX_WAIT_MS) / 1000
        is_ready, runs = await self._runs.wait_any(ids, given.after_seq, seconds)
        return {
            "status": "ready" if is_ready else "timeout",
            "runs": [self._run(run, given.include_progress) for run in runs],
            "last_event_seq": self._runs.seq,
        }

    async def read_result(self, given: arguments.RunArguments) -> Obj:
        run = self._keys.run(RunId(given.run_id))
        events = self._engine.events(run) if run.is_over else ()
        shown = self._run(run)
        return {
            "run": shown,
            "events": [_item(each) for each in events],
            "result_text": shown.get("result_text"),
        }

    async def ack(self, given: arguments.RunArguments) -> Obj:
        return self._marked(given, "ack")

    async def close(self, given: arguments.RunArguments) -> Obj:
        return self._marked(given, "close")

    async def release(self, given: arguments.ReleaseArguments) -> Obj:
        await self._runs.release(ThreadId(given.session_id), given.lock_token)
        return {"session": {"session_id": given.session_id, "status": "released"}}

    async def cancel(self, given: arguments.CancelArguments) -> Obj:
        return {"run": self._run(await self._runs.cancel(RunId(given.run_id)))}

    async def list_runs(self, given: arguments.ListRunsArguments) -> Obj:
        status = "in_progress" if given.status == "blocked" else given.status
        found = self._keys.runs(given.owner, given.session_id, status, given.limit)
        return {"runs": [self._run(run) for run in found]}

    async def force_recover(self, given: arguments.ForceRecoverArguments) -> Obj:
        if not given.human_authorized:
            raise Refused(Code.INVALID, "a person must have confirmed this")
        thread = ThreadId(given.session_id)
        token = await self._runs.force_recover(thread, given.owner)
        return {"session_id": thread, "lock_token": token, "owner": given.owner}

    async def steer(self, given: arguments.SteerArguments) -> Obj:
        run_id = RunId(given.run_id)
        run = await self._runs.steer(run_id, given.message, given.idempotency_key)
        return {"run": self._run(run)}

    async def fork(self, given: arguments.ForkArguments) -> Obj:
        if given.cwd is not None:
            arguments.check_folder(given.cwd)
        thread, key = ThreadId(given.session_id), given.idempotency_key
        return {"session_id": await self._runs.fork(thread, given.cwd, key)}

    async def approvals(self, given: arguments.ApprovalsArguments) -> Obj:
        found = self._runs.approvals([RunId(each) for each in given.run_ids])
        return {
            "approvals": [
                {
                    "approval_id": approval.id,
                    "run_id": run.id,
                    "turn_id": approval.turn,
                    "kind": approval.kind,
                    "summary": approval.summary,
                    "detail": approval.detail,
                    "digest": approval.digest,
                    "options": list(approval.options),
                    "asked_at": approval.asked_at,
                }
                for run, approval in found
            ]
        }

    async def answer(self, given: arguments.AnswerArguments) -> Obj:
        approval = await self._runs.answer(
            given.approval_id, given.digest, given.decision, given.answers
        )
        return {"approval": {"approval_id": approval.id, "state": "answered"}}

    def _row(self, row: Session) -> Obj:
        found = super()._row(row)
        if self._keys.live_run(row.id) is not None:
            found |= {"state": "busy", "holder": None}
        return found

    def _marked(self, given: arguments.RunArguments, what: str) -> Obj:
        run = self._keys.run(RunId(given.run_id))
        return {"run": self._run(self._keys.mark(run.id, what, _now_ms()))}

    def _run_or_none(self, run_id: str) -> Run | None:
        try:
            return self._keys.run(RunId(run_id))
        except Refused:
            return None

    def _run(self, run: Run, with_progress: bool = False) -> Obj:
        """A run as every tool shows it."""
        standing = self._runs.standing(run)
        is_blocked = standing.blocked and not run.is_over
        found: Obj = {
            "run_id": run.id,
            "session_id": run.thread,
            "status": str(Status.BLOCKED if is_blocked else run.status),
            "owner": run.owner,
            "turn_id": run.turn,
            "idempotency_key": run.key,
            "actual_session_head": run.head_after or (f"{run.turn}:open" if run.turn else None),
            "block_reason": None if run.is_over else standing.reason,
            "completion_reason": run.reason,
            "completion_detail": run.detail,
            "changed_seq": self._runs.changed_seq(run),
            "started_at": _time(run.started_at_ms),
            "ended_at": _time(run.ended_at_ms),
            "delivery_ack_at": _time(run.acked_at_ms),
            "closed_at": _time(run.closed_at_ms),
            "transferred_to": None,
        }
        if run.status in OVER:
            text, is_cut = _bounded(self._runs.text(run))
            found |= {"result_text": text, "result_is_cut": is_cut}
        if with_progress and standing.progress:
            found["progress"] = standing.progress[:500]
        return found


def _session(facts: ThreadFacts, lock: Lock | None) -> Obj:
    return {
        "session_id": facts.id,
        "owner": lock.owner if lock else None,
        "transport": "app_server",
        "status": "active" if lock else "released",
        "dirty": False,
        "reconcile_required": False,
        "session_head": facts.head,
        "cwd": facts.cwd,
        "state": facts.state,
        "holder": facts.holder,
        "archived": facts.archived,
    }


def _page(page: Page) -> Obj:
    return {
        "items": [_item(each) for each in page.items],
        "position": page.position,
        "more": page.more,
        "head": page.head,
    }


def _item(item: Item) -> Obj:
    return {"turn_id": item.turn, "kind": item.kind, "text": item.text, "at": item.at}


def _bounded(text: str | None) -> tuple[str | None, bool]:
    raw = (text or "").encode("utf-8", "replace")
    if len(raw) <= MAX_RESULT_BYTES:
        return text, False
    return raw[:MAX_RESULT_BYTES].decode("utf-8", "ignore"), True


def _time(at_ms: int | None) -> str | None:
    if at_ms is None:
        return None
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
