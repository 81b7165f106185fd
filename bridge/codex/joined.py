"""One thread that we are subscribed to, as the events of its server show it.

Folds events into: which turn runs, how turns ended, what waits for a person, what
the turn waits for. It decides nothing and sends nothing; `codex` does.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from bridge.codex import approvals, failures, settings
from bridge.codex.appserver import AppServer
from bridge.codex.model import (
    Approval,
    Ending,
    Obj,
    Standing,
    Status,
    ThreadId,
    TurnId,
)

STALLED_S = 600.0  # controller contract 3.8: ten minutes without any notification
UNNAMED = TurnId("?")  # a turn that runs, whose id the reply did not hold
KEPT_ENDINGS = 16  # turns of one thread whose end somebody may still ask for

_STATUS = {
    "completed": (Status.COMPLETED, "completed"),
    "failed": (Status.FAILED, "failed"),
    "interrupted": (Status.INTERRUPTED, "aborted"),
}


@dataclass(slots=True)
class Pending:
    """A request of the server that nobody has answered yet."""

    request: int | str
    method: str
    params: Obj
    is_answered: bool = False


@dataclass(slots=True)
class Joined:
    """`changed` is set, and replaced, whenever anything here moves."""

    thread: ThreadId
    link: AppServer
    path: Path | None = None
    settings: Obj = field(default_factory=dict)
    active: TurnId | None = None
    endings: dict[TurnId, Ending] = field(default_factory=dict)
    pending: dict[int | str, Pending] = field(default_factory=dict)
    waiting_for: str | None = None
    progress: str | None = None
    heard_s: float = field(default_factory=time.monotonic)
    changed: anyio.Event = field(default_factory=anyio.Event)
    closed: anyio.Event = field(default_factory=anyio.Event)
    steered: set[str] = field(default_factory=set)
    config: Obj = field(default_factory=dict)  # what it was loaded with
    is_fenced: bool = False  # loaded by us, behind a fence
    _files: dict[str, list[Obj]] = field(default_factory=dict)

    def resumed(self, reply: Obj) -> None:
        """Take in the reply of `thread/resume` or `thread/start`."""
        thread = reply.get("thread") or {}
        path = thread.get("path")
        self.path = Path(path) if path else None
        self.settings = settings.current(reply)
        is_active = (thread.get("status") or {}).get("type") == "active"
        self.active = UNNAMED if is_active else None
        for turn in (reply.get("initialTurnsPage") or {}).get("data") or ():
            if is_active and turn.get("status") == "inProgress":
                self.active = TurnId(turn["id"])
            for item in turn.get("items") or ():
                self._remember_files(item)

    def take(self, method: str, params: Obj) -> None:
        """Take in one notification about this thread."""
        self.heard_s = time.monotonic()
        match method:
            case "turn/started":
                self.active = TurnId((params.get("turn") or {}).get("id") or "")
                self.progress = None
            case "turn/completed":
                self._over(params.get("turn") or {})
            case "item/started" | "item/completed":
                self._item(method, params.get("item") or {})
            case "error":
                self._error(params)
            case "serverRequest/resolved":
                self.pending.pop(params.get("requestId") or 0, None)
            case "thread/settings/updated":
                self.settings = settings.current(params.get("threadSettings") or {})
            case "thread/reverted":
                self.path = None  # the thread goes on in a new file
            case "thread/closed":
                self.closed.set()
            case _:
                if method.startswith("item/"):
                    self.waiting_for = None
                return
        self.moved()

    def ask(self, request: int | str, method: str, params: Obj) -> None:
        """Take in one request that waits for a person."""
        self.pending[request] = Pending(request, method, params)
        self.moved()

    def moved(self) -> None:
        self.changed.set()
        self.changed = anyio.Event()

    def approvals(self) -> list[tuple[Pending, Approval]]:
        """What waits for a person now, each with what a person is shown."""
        found = []
        for each in self.pending.values():
            if not each.is_answered:
                changes = self._files.get(str(each.params.get("itemId")), [])
                found.append((each, approvals.read(each.method, each.params, changes)))
        return found

    def standing(self, now_s: float) -> Standing:
        """What is special about the running turn, at a monotonic time."""
        if any(not each.is_answered for each in self.pending.values()):
            return Standing(True, "approval_required", self.progress)
        if self.waiting_for is None and now_s - self.heard_s > STALLED_S:
            return Standing(False, "stalled", self.progress)
        return Standing(False, self.waiting_for, self.progress)

    def _over(self, turn: Obj) -> None:
        ended = TurnId(turn.get("id") or "")
        status, state = _STATUS.get(turn.get("status") or "", _STATUS["interrupted"])
        texts = [
            item.get("text")
            for item in turn.get("items") or ()
            if item.get("type") == "agentMessage"
        ]
        error = turn.get("error") or {}
        self.endings[ended] = Ending(
            status=status,
            head=f"{ended}:{state}",
            reason=_reason(status, bool(texts), error),
            text=texts[-1] if texts else None,
            detail=failures.detail(error) if error else None,
        )
        for old in list(self.endings)[:-KEPT_ENDINGS]:
            del self.endings[old]
        self.active = None
        self.waiting_for = None
        self.pending.clear()
        self._files.clear()

    def _item(self, method: str, item: Obj) -> None:
        self.waiting_for = None
        if method == "item/started":
            self._remember_files(item)
        elif item.get("type") == "agentMessage" and item.get("phase") == "commentary":
            self.progress = item.get("text")

    def _error(self, params: Obj) -> None:
        error = params.get("error") or {}
        if params.get("willRetry") and failures.is_waiting_for_network(error):
            self.waiting_for = "network_waiting"
        elif params.get("willRetry"):
            self.waiting_for = "retrying"

    def _remember_files(self, item: Obj) -> None:
        """The request to change files does not name them: its item does."""
        if item.get("type") == "fileChange":
            self._files[str(item.get("id"))] = list(item.get("changes") or ())


def _reason(status: Status, has_text: bool, error: Obj) -> str | None:
    match status:
        case Status.COMPLETED:
            return None if has_text else "no_text"
        case Status.FAILED:
            return failures.reason(error)
        case _:
            return "interrupted_elsewhere"
