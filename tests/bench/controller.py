"""A bare controller: MCP over stdio by hand, base tools only, turns of no work.

It is the least that `controller-contract.md` 1 asks of a cross-thread-controller,
so that what is measured is the gateway before it. One thread, no library; waits
are kept aside, so other calls are answered meanwhile. With `--log FILE` each run
leaves a line there when its answer is ready: monotonic nanoseconds and run id.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from pathlib import Path
from typing import Any

ANSWER = "bench-answer"  # stands in every result, so that a send can be told from a notice
MAX_WAIT_S = 60.0

Json = dict[str, Any]  # foreign JSON, read here and nowhere else

# Each base tool: the arguments it needs, then those it may be given.
TOOLS = {
    "cross_thread_status": ("", "run_ids session_id"),
    "cross_thread_start": (
        "message owner",
        "session_id cwd intent transport plan_capability sandbox approval_policy writable_roots "
        "model effort idempotency_key expected_session_head attachments authorization_grant "
        "acceptance_criteria parent_run_id lease_seconds",
    ),
    "cross_thread_wait_any": ("run_ids", "after_seq timeout_ms include_progress"),
    "cross_thread_read_result": ("run_id", ""),
    "cross_thread_delivery_ack": ("run_id", ""),
    "cross_thread_close": ("run_id", ""),
    "cross_thread_release": ("session_id lock_token", ""),
    "cross_thread_cancel": ("run_id", "reason"),
    "cross_thread_list_runs": ("", "owner status session_id limit"),
    "cross_thread_force_recover": (
        "session_id owner human_authorized",
        "transport lease_seconds",
    ),
}


class Refused(Exception):
    """A tool error: code and sentence."""


class Controller:
    """Runs and sessions in memory; a run is over `turn_s` after its start."""

    def __init__(self, turn_s: float, log: int | None) -> None:
        self._turn_s = turn_s
        self._log = log
        self._runs: dict[str, Json] = {}
        self._over_at: dict[str, float] = {}  # runs that still work
        self._by_key: dict[str, str] = {}
        self._heads: dict[str, str] = {}
        self._locks: dict[str, Json] = {}

    def call(self, tool: str, given: Json) -> Json | None:
        """The result of a call; None as long as a wait has nothing to say."""
        match tool:
            case "cross_thread_start":
                return self._start(given)
            case "cross_thread_wait_any":
                return self._wait(given)
            case "cross_thread_read_result":
                run = self._run(given["run_id"])
                return {"run": run, "events": [], "result_text": f"{ANSWER} {run['run_id']}"}
            case "cross_thread_status":
                runs = [self._run(run_id) for run_id in given.get("run_ids") or []]
                return {"runs": runs, "session": self._session(given.get("session_id"))}
            case "cross_thread_release":
                self._locks.pop(given["session_id"], None)
                return {"session": self._session(given["session_id"])}
            case "cross_thread_list_runs":
                wanted = given.get("session_id")
                runs = [r for r in self._runs.values() if wanted in (None, r["session_id"])]
                return {"runs": runs[-int(given.get("limit") or 50) :]}
            case "cross_thread_force_recover":
                self._locks[given["session_id"]] = {"owner": given["owner"]}
                return {"lock_token": "lock", "session": self._session(given["session_id"])}
            case "cross_thread_delivery_ack" | "cross_thread_close" | "cross_thread_cancel":
                run = self._run(given["run_id"])
                run[{"cross_thread_close": "closed_at"}.get(tool, "delivery_ack_at")] = time.time()
                return {"run": run}
        raise Refused("invalid", f"no such tool: {tool}")

    def next_change_s(self) -> float | None:
        """Seconds until a run is over."""
        if not self._over_at:
            return None
        return max(0.0, min(self._over_at.values()) - time.monotonic())

    def _start(self, given: Json) -> Json:
        known = self._by_key.get(given.get("idempotency_key") or "")
        if known:
            return self._started(self._runs[known], None)
        session_id = given.get("session_id") or f"session-{len(self._heads) + 1}"
        head = self._heads.get(session_id, "0:done")
        expected = given.get("expected_session_head")
        if expected is not None and expected != head:
            raise Refused("head_conflict", f"expected {expected}, found {head}")
        if session_id in self._locks:
            raise Refused("busy", "the thread is locked")
        run_id = f"run-{len(self._runs) + 1}"
        self._heads[session_id] = f"{run_id}:done"
        self._locks[session_id] = {"owner": given["owner"]}
        run = {"run_id": run_id, "session_id": session_id, "owner": given["owner"]}
        run |= {"status": "in_progress", "idempotency_key": given.get("idempotency_key")}
        self._runs[run_id] = run
        if run["idempotency_key"]:
            self._by_key[run["idempotency_key"]] = run_id
        if self._turn_s:
            self._over_at[run_id] = time.monotonic() + self._turn_s
        else:
            self._finish(run_id)
        return self._started(run, f"lock-{run_id}")

    def _started(self, run: Json, lock_token: str | None) -> Json:
        reply = {"run_id": run["run_id"], "session_id": run["session_id"], "run": run}
        reply |= {"last_event_seq": len(self._runs), "session": self._session(run["session_id"])}
        reply["session_head"] = self._heads[run["session_id"]]
        return reply | ({"lock_token": lock_token} if lock_token else {})

    def _wait(self, given: Json) -> Json | None:
        runs = [self._run(run_id) for run_id in given["run_ids"]]
        if all(run["status"] == "in_progress" for run in runs):
            return None
        return {"status": "ready", "runs": runs, "last_event_seq": len(self._runs)}

    def _run(self, run_id: str) -> Json:
        if time.monotonic() >= self._over_at.get(run_id, float("inf")):
            self._finish(run_id)
        # A process that is started per call knows no earlier one's runs: all are over.
        return self._runs.get(run_id) or {
            "run_id": run_id,
            "session_id": "session-1",
            "status": "completed",
            "actual_session_head": f"{run_id}:done",
        }

    def _finish(self, run_id: str) -> None:
        self._over_at.pop(run_id, None)
        run = self._runs[run_id]
        run |= {"status": "completed", "actual_session_head": self._heads[run["session_id"]]}
        if self._log is not None:
            os.write(self._log, f"{time.monotonic_ns()} {run_id}\n".encode())

    def _session(self, session_id: str | None) -> Json | None:
        if session_id is None:
            return None
        lock = self._locks.get(session_id)
        return {
            "session_id": session_id,
            "owner": lock["owner"] if lock else None,
            "transport": "app_server",
            "status": "active" if lock else "released",
            "dirty": False,
            "reconcile_required": False,
            "session_head": self._heads.setdefault(session_id, "0:done"),
            "cwd": str(Path.cwd()),
        }


class Loop:
    """Lines in, lines out; a call that waits is asked again when something changed."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._waits: list[tuple[int | str, Json, float]] = []  # id, arguments, deadline

    def run(self) -> None:
        rest = b""
        while True:
            readable, _, _ = select.select([0], [], [], self._pause_s())
            if readable:
                data = os.read(0, 1 << 20)
                if not data:
                    return
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._take(json.loads(line))
            self._ask_again()

    def _pause_s(self) -> float | None:
        if not self._waits:
            return None
        deadline_s = max(0.0, min(wait[2] for wait in self._waits) - time.monotonic())
        change_s = self._controller.next_change_s()
        return deadline_s if change_s is None else min(deadline_s, change_s)

    def _take(self, request: Json) -> None:
        request_id = request.get("id")
        if request_id is None or "method" not in request:
            return
        params = request.get("params") or {}
        match request["method"]:
            case "initialize":
                self._reply(request_id, _hello(params))
            case "tools/list":
                self._reply(request_id, {"tools": [_described(name) for name in TOOLS]})
            case "tools/call":
                self._call(request_id, params["name"], params.get("arguments") or {})
            case "ping":
                self._reply(request_id, {})
            case other:
                error = {"code": -32601, "message": f"unknown method: {other}"}
                _write({"jsonrpc": "2.0", "id": request_id, "error": error})

    def _call(self, request_id: int | str, tool: str, given: Json) -> None:
        try:
            result = self._controller.call(tool, given)
        except Refused as refused:
            code, message = refused.args
            self._reply(request_id, _content({"error": {"code": code, "message": message}}, True))
            return
        if result is None:
            wait_s = min(MAX_WAIT_S, (given.get("timeout_ms") or 0) / 1_000)
            self._waits.append((request_id, given, time.monotonic() + wait_s))
        else:
            self._reply(request_id, _content(result))

    def _ask_again(self) -> None:
        waits, self._waits = self._waits, []
        for request_id, given, deadline in waits:
            result = self._controller.call("cross_thread_wait_any", given)
            if result is not None:
                self._reply(request_id, _content(result))
            elif time.monotonic() >= deadline:
                self._reply(request_id, _content({"status": "timeout", "runs": []}))
            else:
                self._waits.append((request_id, given, deadline))

    def _reply(self, request_id: int | str, result: Json) -> None:
        _write({"jsonrpc": "2.0", "id": request_id, "result": result})


def _hello(params: Json) -> Json:
    return {
        "protocolVersion": params.get("protocolVersion", "2025-06-18"),
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "bare-controller", "version": "1"},
    }


def _described(name: str) -> Json:
    needed, optional = (names.split() for names in TOOLS[name])
    schema: Json = {"type": "object", "properties": {key: {} for key in [*needed, *optional]}}
    return {"name": name, "description": name, "inputSchema": schema | {"required": needed}}


def _content(value: Json, is_error: bool = False) -> Json:
    return {"content": [{"type": "text", "text": json.dumps(value)}], "isError": is_error}


def _write(value: Json) -> None:
    os.write(1, json.dumps(value).encode() + b"\n")


def main() -> None:
    options = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
    log = None
    if "--log" in options:
        log = os.open(options["--log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    Loop(Controller(float(options.get("--turn-ms", 0)) / 1_000, log)).run()


if __name__ == "__main__":
    main()
