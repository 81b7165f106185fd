"""A controller that remembers: threads, runs, locks and every call, over all its lives.

    python -m tests.faults.recorder STATE.json [MODE ...]

An MCP stdio server written by hand, so that it starts in a few milliseconds. It serves
one call at a time. Its state is replaced as a whole at each change, each call is one
line of `STATE.json.calls`, and its process id lies in `STATE.json.pid`.
Words of modes in `STATE.json.modes` hold beside its own: when they have changed it says
so with `notifications/tools/list_changed` before its next answer. What a run does
stands in its message, a word a line: `sleep:S` takes S seconds, `long` answers with two
bubbles. Modes:

    forgets-keys  a key that comes again starts a second turn; runs are listed without keys
    dies:TOOL     the process ends in the middle of the first call of this tool
    hangs:TOOL    no call of this tool is ever answered, the others are
    wrong:TOOL    this tool answers with members of other types
    text:TOOL     this tool answers with a text that is no JSON
    refuses:TOOL:CODE   this tool answers with an error of this code
    drops:TOOL    the tool is not there
    drops-field:TOOL:FIELD   nor this argument of it
    adds:TOOL:... these extension tools are listed too; a call of one is an error
    requires:TOOL:FIELD   this argument must be given as well
    omits-runs    a wait for a run that goes on says nothing of it
    forgets-runs  no wait and no list tells of any run
    late:S        the greeting is answered after S seconds
    noise         log lines, half lines and a foreign object on stdout between the messages
"""

from __future__ import annotations

import json
import os
import sys
import time
import uuid
from pathlib import Path
from typing import Any

THREAD = "thread-0001"
TOOLS = {
    "status": ["run_ids", "session_id"],
    "start": [
        *("session_id", "message", "idempotency_key", "expected_session_head", "owner"),
        *("sandbox", "approval_policy"),
    ],
    "wait_any": ["run_ids", "after_seq", "timeout_ms", "include_progress"],
    "read_result": ["run_id"],
    "delivery_ack": ["run_id"],
    "close": ["run_id"],
    "release": ["session_id", "lock_token"],
    "cancel": ["run_id", "reason"],
    "list_runs": ["owner", "status", "session_id", "limit"],
    "force_recover": ["session_id", "owner"],
    "answer": ["approval_id", "digest", "decision"],
}
EXTENSIONS = {
    "steer": ["run_id", "message", "idempotency_key"],
    "fork": ["session_id", "cwd"],
    "list_sessions": ["limit", "cursor", "query", "cwd"],
    "history": ["session_id", "position", "limit_bytes"],
}
FILLER = "A line of a long answer that goes on and on.\n" * 50  # more than one bubble holds

Json = dict[str, Any]  # Any: arguments and results of tools


class Refused(Exception):
    """Becomes an `isError` result with this code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Recorder:
    """The tools. `accepted` in the state holds one entry for each start that was taken."""

    def __init__(self, path: Path, modes: list[str]) -> None:
        self._path = path
        self._forgets_keys = "forgets-keys" in modes
        self._forgets_runs = "forgets-runs" in modes
        self._omits_runs = "omits-runs" in modes
        self.state: Json = {"heads": {THREAD: "head-0"}, "locks": {}, "runs": {}, "accepted": []}
        if path.exists():
            self.state = json.loads(path.read_text())

    def call(self, tool: str, given: Json) -> Json:
        with self._path.with_name(self._path.name + ".calls").open("a") as out:
            out.write(json.dumps({"tool": tool, "arguments": given}) + "\n")
        answer: Json = getattr(self, tool)(given)
        self._save()
        return answer

    def start(self, given: Json) -> Json:
        key, thread = given["idempotency_key"], given["session_id"]
        thread = thread or f"made-{uuid.uuid4().hex[:8]}"
        known = [run for run in self.state["runs"].values() if run["key"] == key]
        if known and not self._forgets_keys:
            return self._started(known[0], is_replay=True)
        if any(_is_open(run) and run["thread"] == thread for run in self.state["runs"].values()):
            raise Refused("busy", "a turn is running in this thread")
        if given["expected_session_head"] not in (None, self.state["heads"].get(thread)):
            raise Refused("head_conflict", "the thread has moved on")
        run_id, token = f"run-{uuid.uuid4().hex[:8]}", f"lock-{uuid.uuid4().hex[:8]}"
        words = [line.partition(":")[::2] for line in given["message"].splitlines()]
        seconds = sum(float(value) for word, value in words if word == "sleep")
        run = {
            "run_id": run_id,
            "key": key,
            "thread": thread,
            "owner": given["owner"],
            "message": given["message"],
            "due": time.time() + seconds,
            "is_acked": False,
            "is_closed": False,
        }
        self.state["runs"][run_id] = run
        self.state["accepted"].append({"key": key, "message": given["message"]})
        self.state["heads"][thread] = run_id
        self.state["locks"][thread] = {"owner": given["owner"], "token": token}
        return self._started(run, is_replay=False)

    def status(self, given: Json) -> Json:
        thread = given["session_id"]
        lock = self.state["locks"].get(thread)
        session = {
            "session_id": thread,
            "session_head": self.state["heads"].get(thread),
            "owner": lock["owner"] if lock else None,
            "status": "active" if lock else "released",
            "cwd": "/",
        }
        return {"runs": [], "session": session}

    def wait_any(self, given: Json) -> Json:
        run = self._run(given["run_ids"][0])
        left_s = min(run["due"] - time.time(), given["timeout_ms"] / 1000)
        time.sleep(max(0.0, left_s))
        is_hidden = self._forgets_runs or (self._omits_runs and _is_open(run))
        shown = [] if is_hidden else [self._shown(run)]
        return {"status": "timeout" if _is_open(run) or is_hidden else "ready", "runs": shown}

    def read_result(self, given: Json) -> Json:
        run = self._run(given["run_id"])
        return {"run": self._shown(run), "events": [], "result_text": answer_to(run["message"])}

    def delivery_ack(self, given: Json) -> Json:
        return self._mark(given, "is_acked")

    def close(self, given: Json) -> Json:
        return self._mark(given, "is_closed")

    def release(self, given: Json) -> Json:
        thread = given["session_id"]
        lock = self.state["locks"].get(thread)
        if lock and lock["token"] != given["lock_token"]:
            raise Refused("invalid", "this is not the token of the lock")
        self.state["locks"].pop(thread, None)
        return {"session": {"session_id": thread, "status": "released"}}

    def cancel(self, given: Json) -> Json:
        run = self._run(given["run_id"])
        run["due"] = min(run["due"], time.time())
        return {"run": self._shown(run)}

    def list_runs(self, given: Json) -> Json:
        known = [] if self._forgets_runs else self.state["runs"].values()
        runs = [self._shown(run) for run in known]
        asked = given["session_id"]
        return {"runs": [run for run in runs if asked in (None, run["session_id"])]}

    def answer(self, given: Json) -> Json:
        return {"approval": {"state": given["decision"]}}

    def force_recover(self, given: Json) -> Json:
        token = f"lock-{uuid.uuid4().hex[:8]}"
        self.state["locks"][given["session_id"]] = {"owner": given["owner"], "token": token}
        return {"lock_token": token}

    def _started(self, run: Json, *, is_replay: bool) -> Json:
        lock = self.state["locks"].get(run["thread"])
        return {
            "run_id": run["run_id"],
            "session_id": run["thread"],
            "lock_token": lock["token"] if lock and (_is_open(run) or not is_replay) else None,
            "run": self._shown(run),
        }

    def _mark(self, given: Json, name: str) -> Json:
        run = self._run(given["run_id"])
        run[name] = True
        return {"run": self._shown(run)}

    def _run(self, run_id: str) -> Json:
        if run_id not in self.state["runs"]:
            raise Refused("not_found", "this run is not known here")
        found: Json = self.state["runs"][run_id]
        return found

    def _shown(self, run: Json) -> Json:
        return {
            "run_id": run["run_id"],
            "session_id": run["thread"],
            "owner": run["owner"],
            "status": "in_progress" if _is_open(run) else "completed",
            "closed_at": "then" if run["is_closed"] else None,
            "actual_session_head": run["run_id"],
            "idempotency_key": None if self._forgets_keys else run["key"],
        }

    def _save(self) -> None:
        beside = self._path.with_name(self._path.name + ".new")
        beside.write_text(json.dumps(self.state))
        beside.replace(self._path)


def answer_to(message: str) -> str:
    """What a run with this message says in the end."""
    first = message.splitlines()[0]
    if "long" in message.splitlines():
        return f"begin of {first}\n\n{FILLER}\nend of {first}"
    return f"answer to {first}"


def _is_open(run: Json) -> bool:
    return bool(time.time() < run["due"])


def _reply(recorder: Recorder, modes: list[str], method: str, params: Json) -> Json | None:
    if method == "initialize":
        time.sleep(sum(float(mode[5:]) for mode in modes if mode.startswith("late:")))
        return {
            "protocolVersion": params["protocolVersion"],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "recorder", "version": "1"},
        }
    if method == "tools/list":
        added = [name for mode in modes if mode.startswith("adds:") for name in mode.split(":")[1:]]
        every = TOOLS | {name: EXTENSIONS[name] for name in added}
        tools = {name: fields for name, fields in every.items() if f"drops:{name}" not in modes}
        return {"tools": [_described(name, fields, modes) for name, fields in tools.items()]}
    if method != "tools/call":
        return {}
    tool = params["name"].removeprefix("cross_thread_")
    if f"dies:{tool}" in modes:
        os._exit(9)
    if f"hangs:{tool}" in modes:
        return None
    if f"text:{tool}" in modes:
        return {"content": [{"type": "text", "text": "fine"}], "isError": False}
    try:
        _may_refuse(tool, modes)
        body = recorder.call(tool, params["arguments"])
        if f"wrong:{tool}" in modes:
            body = {"run_id": 7, "runs": "none", "session": [], "run": None, "last_event_seq": "x"}
        is_error = False
    except Refused as refused:
        body = {"error": {"code": refused.code, "message": str(refused)}}
        is_error = True
    return {"content": [{"type": "text", "text": json.dumps(body)}], "isError": is_error}


def _may_refuse(tool: str, modes: list[str]) -> None:
    for mode in modes:
        word, _, rest = mode.partition(":")
        if word == "refuses" and rest.partition(":")[0] == tool:
            raise Refused(rest.partition(":")[2], "not now")


def _described(name: str, fields: list[str], modes: list[str]) -> Json:
    kept = [field for field in fields if f"drops-field:{name}:{field}" not in modes]
    wanted = [mode.split(":")[2] for mode in modes if mode.startswith(f"requires:{name}:")]
    properties: Json = {field: {} for field in (*kept, *wanted)}
    schema = {"type": "object", "properties": properties, "required": wanted}
    return {"name": f"cross_thread_{name}", "inputSchema": schema}


def _words(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def main() -> None:
    path = Path(sys.argv[1])
    path.with_name(path.name + ".pid").write_text(str(os.getpid()))
    modes = sys.argv[2:]
    recorder = Recorder(path, modes)
    own, later = modes, path.with_name(path.name + ".modes")
    modes = own + _words(later)
    for line in sys.stdin:
        asked = json.loads(line)
        if modes != own + _words(later):
            modes = own + _words(later)
            note = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
            sys.stdout.write(json.dumps(note) + "\n")
        if "noise" in modes:
            sys.stdout.write('INFO: not JSON\n{"jsonrpc":\n{"hello": "you"}\n\n')
        result = None
        if "id" in asked:
            result = _reply(recorder, modes, asked["method"], asked.get("params") or {})
        if result is not None:
            answer = {"jsonrpc": "2.0", "id": asked["id"], "result": result}
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
