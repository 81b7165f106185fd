"""A controller with the base tools only, in any of a few ways that one may misbehave.

    python -m tests.fakes.controller STATE.json [--mode MODE ...]

An MCP stdio server that keeps threads, runs and locks in STATE.json (so that a test
can kill it and start another), and appends one JSON line for every call to
STATE.json.transcript. What a turn does is in its message, a marker a line: `sleep:S`,
`reply:TEXT`, `fail:REASON`, `blocked:REASON`; else `echo: <message>`.

How it misbehaves, and which tools it offers: `tests/fakes/modes.py`.
"""

from __future__ import annotations

import json
import os
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from tests.fakes.modes import Modes, tools

Json = dict[str, Any]  # Any: arguments and results of tools

SAMPLE_THREAD = "fake-thread-1"


class Refused(Exception):
    """Becomes an `isError` result with this code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Fake:
    """The state, read and written whole at every call."""

    def __init__(self, path: Path, modes: Modes) -> None:
        self.path = path
        self.modes = modes
        self.state: Json = {"threads": {}, "runs": {}, "locks": {}, "seq": 0, "starts": {}}
        if path.exists():
            self.state = json.loads(path.read_text())
        self.state["threads"].setdefault(SAMPLE_THREAD, _thread("A thread", "/"))
        self.lock = anyio.Lock()

    async def call(self, tool: str, given: Json) -> Json:
        self.modes.calls[tool] = self.modes.calls.get(tool, 0) + 1
        self.note(tool, given)
        if self.modes.hits("hangs", tool):
            await anyio.sleep_forever()
        if self.modes.hits("dies", tool):
            os._exit(9)
        if self.modes.calls[tool] <= self.modes.first("refuses", tool):
            raise Refused("refused", "not now")
        self.advance()
        handler = getattr(self, tool)
        answer: Json = await handler(given) if tool == "wait_any" else handler(given)
        self.save()
        if self.modes.hits("dies-after", tool):
            os._exit(9)
        return answer

    # tools

    def start(self, given: Json) -> Json:
        count = self.modes.calls["start"]
        thread_id = given.get("session_id") or f"fake-thread-{uuid.uuid4().hex[:8]}"
        if count <= self.modes.first("elsewhere"):
            raise Refused("elsewhere", "this thread is open in another program")
        if given.get("session_id") is None:
            self.state["threads"][thread_id] = _thread(given["message"], given.get("cwd"))
        thread = self.state["threads"].get(thread_id)
        if thread is None:
            raise Refused("not_found", "there is no thread with this id")
        if count == self.modes.first("head-moves"):
            thread["head"] = f"turn-{uuid.uuid4().hex[:8]}:completed"
        key = given["idempotency_key"]
        kept = next((r for r in self.state["runs"].values() if r["idempotency_key"] == key), None)
        if kept is not None and not self.modes.has("forgets-keys"):
            return self.started(kept, is_replay=True)
        self.must_be_free(thread_id, given)
        if given.get("expected_session_head") not in (None, thread["head"]):
            raise Refused("head_conflict", f"the head is {thread['head']}")
        run = self.begin(thread_id, thread, given)
        return self.started(run, is_replay=False)

    async def wait_any(self, given: Json) -> Json:
        ends = time.monotonic() + given.get("timeout_ms", 1000) / 1000
        after = given.get("after_seq")
        while True:
            self.advance()
            runs = [self.run(each) for each in given["run_ids"]]
            news = any(r["status"] != "in_progress" or (after or 0) < r["seq"] for r in runs)
            if news or after is None or time.monotonic() >= ends:
                break
            await anyio.sleep(0.01)
        word = "ready" if news else "timeout"
        shown = [self.shown(run) for run in runs]
        return {"status": word, "runs": shown, "last_event_seq": self.state["seq"]}

    def status(self, given: Json) -> Json:
        runs = [self.state["runs"].get(each) for each in given.get("run_ids") or []]
        reply: Json = {"runs": [self.shown(run) for run in runs if run is not None]}
        thread_id = given.get("session_id")
        if thread_id in self.state["threads"]:
            thread, lock = self.state["threads"][thread_id], self.state["locks"].get(thread_id)
            reply["session"] = {
                "session_id": thread_id,
                "owner": lock["owner"] if lock else None,
                "transport": "app_server",
                "status": "active" if lock else "released",
                "dirty": False,
                "reconcile_required": False,
                "session_head": thread["head"],
                "workspace_root": thread["cwd"],
            }
        return reply

    def read_result(self, given: Json) -> Json:
        run = self.run(given["run_id"])
        return {"run": self.shown(run), "events": [], "result_text": run.get("text")}

    def delivery_ack(self, given: Json) -> Json:
        return self.stamped(given, "delivery_ack_at")

    def close(self, given: Json) -> Json:
        return self.stamped(given, "closed_at")

    def release(self, given: Json) -> Json:
        thread_id = given["session_id"]
        lock = self.state["locks"].get(thread_id)
        if lock and lock["token"] == given["lock_token"]:
            del self.state["locks"][thread_id]
        return {"session": {"session_id": thread_id, "status": "released"}}

    def cancel(self, given: Json) -> Json:
        run = self.run(given["run_id"])
        if run["status"] == "in_progress":
            self.end(run, "cancelled", None, "cancel_requested")
        return {"run": self.shown(run)}

    def list_runs(self, given: Json) -> Json:
        wanted = {
            name: given[field_]
            for name, field_ in (("owner", "owner"), ("session_id", "session_id"))
            if given.get(field_)
        }
        if given.get("status"):
            wanted["status"] = given["status"]
        found = [
            self.shown(run)
            for run in reversed(self.state["runs"].values())
            if all(run[name] == value for name, value in wanted.items())
        ]
        return {"runs": found[: given.get("limit") or 50]}

    def force_recover(self, given: Json) -> Json:
        if given.get("human_authorized") is not True:
            raise Refused("invalid", "a person must have confirmed this")
        token = f"lock-{uuid.uuid4().hex[:8]}"
        self.state["locks"][given["session_id"]] = {"owner": given["owner"], "token": token}
        return {"lock_token": token}

    def list_sessions(self, given: Json) -> Json:
        rows = [
            {"session_id": name, "title": t["title"], "cwd": t["cwd"], "state": "idle"}
            | {"updated_at": "2026-01-01T00:00:00.000+00:00"}
            for name, t in self.state["threads"].items()
        ]
        return {"sessions": rows[: given.get("limit") or 50], "next_cursor": None}

    def history(self, given: Json) -> Json:
        thread = self.state["threads"][given["session_id"]]
        return {"items": [], "position": "0", "more": False, "head": thread["head"]}

    # state

    def begin(self, thread_id: str, thread: Json, given: Json) -> Json:
        turn = f"turn-{uuid.uuid4().hex[:8]}"
        steps = [line.partition(":")[::2] for line in given["message"].splitlines()]
        seconds = sum(float(value) for word, value in steps if word == "sleep")
        run: Json = {
            "run_id": f"run-{uuid.uuid4().hex[:8]}",
            "session_id": thread_id,
            "turn": turn,
            "idempotency_key": given["idempotency_key"],
            "owner": given["owner"],
            "message": given["message"],
            "status": "in_progress",
            "due": time.time() + seconds,
            "delivery_ack_at": None,
            "closed_at": None,
        }
        self.state["seq"] += 1
        run["seq"] = self.state["seq"]
        self.state["runs"][run["run_id"]] = run
        key = given["idempotency_key"]
        self.state["starts"][key] = self.state["starts"].get(key, 0) + 1
        thread["head"] = f"{turn}:open"
        token = f"lock-{uuid.uuid4().hex[:8]}"
        lock = {"owner": given["owner"], "token": token, "run_id": run["run_id"]}
        self.state["locks"][thread_id] = lock
        return run

    def advance(self) -> None:
        """End the runs whose time has come."""
        for run in self.state["runs"].values():
            if run["status"] == "in_progress" and run["due"] <= time.time():
                steps = [line.partition(":")[::2] for line in run["message"].splitlines()]
                texts = [value for word, value in steps if word == "reply"]
                fails = [(word, value) for word, value in steps if word in ("fail", "blocked")]
                if fails:
                    status = {"fail": "failed", "blocked": "blocked"}[fails[0][0]]
                    self.end(run, status, None, fails[0][1])
                else:
                    text = "\n".join(texts) or f"echo: {run['message']}"
                    self.end(run, "completed", text, None)

    def end(self, run: Json, status: str, text: str | None, reason: str | None) -> None:
        self.state["seq"] += 1
        run |= {"status": status, "text": text, "reason": reason, "seq": self.state["seq"]}
        state = {"completed": "completed", "failed": "failed"}.get(status, "aborted")
        self.state["threads"][run["session_id"]]["head"] = f"{run['turn']}:{state}"
        run["head"] = f"{run['turn']}:{state}"

    def must_be_free(self, thread_id: str, given: Json) -> None:
        lock = self.state["locks"].get(thread_id)
        if lock and lock["owner"] != given["owner"]:
            raise Refused("busy", f"this thread is locked by {lock['owner']}")
        if self.modes.has("forgets-keys"):
            return
        for run in self.state["runs"].values():
            if run["session_id"] == thread_id and run["status"] == "in_progress":
                raise Refused("busy", "a turn is running in this thread")

    def started(self, run: Json, is_replay: bool) -> Json:
        lock = self.state["locks"].get(run["session_id"]) or {}
        is_hidden = run["status"] != "in_progress" or self.modes.has("no-tokens")
        token = None if is_replay and is_hidden else lock.get("token")
        # As an older controller does: the token sits in the session, not beside it.
        return {
            "run": self.shown(run) | {"last_event_seq": run["seq"]},
            "session": {"session_id": run["session_id"], "lock_token": token},
            "session_head": self.state["threads"][run["session_id"]]["head"],
        }

    def shown(self, run: Json) -> Json:
        found = {
            "run_id": run["run_id"],
            "session_id": run["session_id"],
            "status": run["status"],
            "owner": run["owner"],
            "actual_session_head": run.get("head"),
            "delivery_ack_at": run["delivery_ack_at"],
            "closed_at": run["closed_at"],
            "transferred_to": None,
        }
        word = "block_reason" if run["status"] == "blocked" else "completion_reason"
        found[word] = run.get("reason")
        if not self.modes.has("forgets-keys"):
            found["idempotency_key"] = run["idempotency_key"]
        return found

    def stamped(self, given: Json, name: str) -> Json:
        run = self.run(given["run_id"])
        run[name] = run[name] or "2026-01-01T00:00:00.000+00:00"
        return {"run": self.shown(run)}

    def run(self, run_id: str) -> Json:
        found: Json | None = self.state["runs"].get(run_id)
        if found is None:
            raise Refused("not_found", "this run is not known here")
        return found

    def note(self, tool: str, given: Json) -> None:
        line = {"tool": tool, "at": time.time(), "arguments": given}
        with self.path.with_name(self.path.name + ".transcript").open("a") as out:
            out.write(json.dumps(line) + "\n")

    def save(self) -> None:
        beside = self.path.with_name(self.path.name + ".new")
        beside.write_text(json.dumps(self.state))
        beside.replace(self.path)


def starts_per_key(path: Path) -> dict[str, int]:
    """How many turns each key began, over all lives of the fake."""
    return dict(json.loads(path.read_text())["starts"]) if path.exists() else {}


def transcript(path: Path) -> list[Json]:
    """Every call over all lives of the fake, in order."""
    lines = path.with_name(path.name + ".transcript")
    return [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []


def _thread(title: str, cwd: str | None) -> Json:
    return {"title": title[:60], "cwd": cwd or "/", "head": "none"}


async def serve(path: Path, modes: Modes) -> None:
    fake = Fake(path, modes)
    offered = {tool.name for tool in tools(modes)}

    async def list_tools(_context: Any, _params: Any) -> types.ListToolsResult:  # Any: the SDK's
        return types.ListToolsResult(tools=tools(modes))

    async def call_tool(_context: Any, params: Any) -> types.CallToolResult:  # Any: the SDK's
        if params.name not in offered:
            return _reply({"error": {"code": "not_found", "message": "no such tool"}}, True)
        tool = params.name.removeprefix("cross_thread_")
        try:
            if modes.has("serial"):
                async with fake.lock:
                    return _reply(await fake.call(tool, dict(params.arguments or {})), False)
            return _reply(await fake.call(tool, dict(params.arguments or {})), False)
        except Refused as refused:
            body = {"error": {"code": refused.code, "message": str(refused)}}
            return _reply(body, True)

    server = Server("fake-controller", on_list_tools=list_tools, on_call_tool=call_tool)
    wire = os.dup(1)
    async with stdio_server() as (incoming, outgoing):
        if modes.has("noise"):
            os.write(wire, b"INFO: this is not JSON\n")
        await server.run(incoming, outgoing, server.create_initialization_options())


def _reply(body: Json, is_error: bool) -> types.CallToolResult:
    text = types.TextContent(type="text", text=json.dumps(body))
    return types.CallToolResult(content=[text], is_error=is_error)


def main() -> None:
    path = Path(sys.argv[1])
    words = os.environ.get("CTB_FAKE_MODES", "").split()
    words += [word for word in sys.argv[2:] if word != "--mode"]
    anyio.run(serve, path, Modes([word.split(":") for word in words]))


if __name__ == "__main__":
    main()
