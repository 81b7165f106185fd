"""A controller as somebody else may have written it: by hand, strict, the base tools only.

    python -m tests.fakes.strict FORM

It reads one line after the other, takes whole numbers for ids and nothing else, refuses
an argument that it does not know, and answers every start at once with `echo: <message>`.
FORM is how its results travel:

    text       one JSON object as text
    wrapped    the same, and beside it the text as {"result": text} (a plain `def` tool
               that returns text, in FastMCP of mcp 1.10 on and MCPServer of mcp 2)
    worded     errors as JSON behind words of its own (the same SDKs' ToolError)
    structured nothing as text
"""

from __future__ import annotations

import json
import sys
from typing import Any

from tests.fakes.modes import EXTRA, FIELDS

Json = dict[str, Any]  # Any: arguments and results of tools

HEAD = "head-0"


def answer(tool: str, given: Json) -> Json:
    if unknown := set(given) - set(FIELDS[tool]):
        return _error("invalid", f"unexpected arguments: {sorted(unknown)}")
    run: Json = {"run_id": "run-1", "session_id": "thread-1", "status": "completed"}
    match tool:
        case "status":
            return {"runs": [], "session": {"session_id": "thread-1", "session_head": HEAD}}
        case "start" if given["expected_session_head"] != HEAD:
            return _error("head_conflict", f"the head is {HEAD}")
        case "start":
            return {"run": run | {"lock_token": "lock-1", "last_event_seq": 1}}
        case "wait_any":
            return {"status": "ready", "runs": [run]}
        case "read_result":
            return {"run": run, "events": [], "result_text": "echo: 你好 😀"}
    return {"run": run}


def result(form: str, found: Json) -> Json:
    text, is_error = json.dumps(found), "error" in found
    if form == "worded" and is_error:
        text = f"Error executing tool: {text}"
    reply: Json = {"content": [{"type": "text", "text": text}], "isError": is_error}
    if form == "wrapped" and not is_error:
        reply["structuredContent"] = {"result": text}
    if form == "structured":
        reply |= {"content": [], "structuredContent": found}
    return reply


def served(form: str, method: str, params: Json) -> Json:
    if method == "initialize":
        version = params["protocolVersion"]
        info = {"name": "strict", "version": "1"}
        return {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}
    if method == "tools/list":
        schemas = {
            name: {"type": "object", "properties": {each: {} for each in fields}}
            for name, fields in FIELDS.items()
            if name not in EXTRA
        }
        names = ((f"cross_thread_{name}", schema) for name, schema in schemas.items())
        return {"tools": [{"name": name, "inputSchema": schema} for name, schema in names]}
    tool = params["name"].removeprefix("cross_thread_")
    return result(form, answer(tool, params["arguments"]))


def _error(code: str, message: str) -> Json:
    return {"error": {"code": code, "message": message}}


def main(form: str) -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        if "id" not in asked:
            continue
        reply: Json = {"jsonrpc": "2.0", "id": None}
        if type(asked["id"]) is int:
            reply |= {
                "id": asked["id"],
                "result": served(form, asked["method"], asked.get("params", {})),
            }
        else:
            reply["error"] = {"code": -32600, "message": "the id must be a whole number"}
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
