"""A model provider that does what the newest user message says. Loopback only.

Speaks enough of the streaming Responses API for the Codex CLI. Each line of the
message may hold one marker; they run in order, one request each where a tool is used:

    reply:TEXT     the answer            long:N          an answer of N characters
    comment:TEXT   a remark, go on       sleep:SECONDS   before what follows
    shell:COMMAND  run it                escalate:CMD    run it outside the sandbox
    write:PATH     make a file           question:TEXT   ask the user
    unasked:CMD    run it, though Codex offers no way to
    permit:PATH    ask for a folder      slow:SECONDS    between the pieces of an answer
    mcp:SERVER TOOL JSON    call a tool of an MCP server, once Codex offers it
    status:CODE    answer with this HTTP status
    failed:CODE    a response.failed event
    cut            break the stream off  hang            never end it

Without a marker: `echo: <message>`. `GET /_seen` tells how many requests came.
Runnable: `python -m tests.fakes.model` prints its address as JSON.
"""

from __future__ import annotations

import json
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]  # Any: the provider's protocol, read leniently

TOOL_MARKERS = {"shell", "escalate", "write", "question", "permit", "mcp", "unasked"}
FINAL_MARKERS = {"reply", "long", "failed", "cut", "hang"}
MARKERS = TOOL_MARKERS | FINAL_MARKERS | {"comment", "sleep", "slow", "status"}

NOT_YET = "sleep 0.3 # until the MCP server is up"  # a turn begins before its servers do
MOST_NOT_YET = 100


@dataclass
class Seen:
    """What the provider was asked so far."""

    requests: int = 0
    running: int = 0
    most_at_once: int = 0
    messages: list[str] = field(default_factory=list)
    tools: set[str] = field(default_factory=set)  # of the newest request
    newest: str = ""  # request, whole
    lock: threading.Lock = field(default_factory=threading.Lock)


class Model:
    """A running provider; `url` goes into config.toml."""

    def __init__(self, port: int = 0) -> None:
        self.seen = Seen()
        handler = type("Bound", (_Handler,), {"seen": self.seen})
        self._server = _Server(("127.0.0.1", port), handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def running() -> Iterator[Model]:
    """A provider for the length of a test."""
    model = Model()
    try:
        yield model
    finally:
        model.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128  # 32 threads may ask at once

    def handle_error(self, *_: object) -> None:
        """A client that was killed is no news here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen: Seen

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._plain(200, {"requests": self.seen.requests, "data": [], "models": []})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        turn = _Turn.of(body)
        with self.seen.lock:
            self.seen.requests += 1
            self.seen.running += 1
            self.seen.most_at_once = max(self.seen.most_at_once, self.seen.running)
            self.seen.messages.append(turn.message)
            self.seen.tools, self.seen.newest = _offered(body), json.dumps(body)
        try:
            self._answer(body, turn)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with self.seen.lock:
                self.seen.running -= 1

    def _answer(self, body: Json, turn: _Turn) -> None:
        stream = _Stream(self, str(body.get("model")))
        tools = _offered(body)
        for word, value in turn.steps:
            match word:
                case "sleep":
                    stream.open()
                    time.sleep(float(value))
                case "slow":
                    stream.pause_s = float(value)
                case "status":
                    return self._plain(int(value), {"error": {"message": f"refused: {value}"}})
                case "comment":
                    stream.message(value, "commentary")
                case "failed":
                    return stream.failed(value)
                case "cut":
                    stream.open()
                    self.close_connection = True
                    return None
                case "hang":
                    stream.open()
                    while True:  # until the client goes away
                        time.sleep(0.2)
                        stream.beat()
                case "mcp" if _namespaced(value) not in tools and turn.waits < MOST_NOT_YET:
                    stream.item(_call("shell", NOT_YET, tools))
                    return stream.completed()
                case _ if word in TOOL_MARKERS:
                    stream.item(_call(word, value, tools))
                    return stream.completed()
                case _:
                    stream.message(_text(word, value), "final_answer")
                    return stream.completed()
        stream.message("done", "final_answer")
        return stream.completed()

    def _plain(self, status: int, body: Json) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@dataclass(frozen=True)
class _Turn:
    """The newest message, and the steps of it that are still to be done."""

    message: str
    steps: list[tuple[str, str]]
    waits: int = 0  # how often a tool was not there yet

    @staticmethod
    def of(body: Json) -> _Turn:
        items = body.get("input") or []
        place, message = max(
            ((i, _words(item)) for i, item in enumerate(items) if _is_from_user(item)),
            default=(-1, ""),
        )
        # Each call or remark since the message was one step of it.
        waits = sum(NOT_YET in str(item.get("arguments")) for item in items[place + 1 :])
        done = -waits + sum(
            item.get("type") in ("function_call", "custom_tool_call")
            or (item.get("type") == "message" and item.get("role") == "assistant")
            for item in items[place + 1 :]
        )
        steps = _steps(message)
        for place, (word, _) in enumerate(steps):
            if done == 0:
                return _Turn(message, steps[place:], waits)
            done -= word in TOOL_MARKERS or word == "comment"
        return _Turn(message, [] if steps else [("echo", message)])


def _steps(message: str) -> list[tuple[str, str]]:
    found = []
    for line in message.splitlines():
        word, _, value = line.strip().partition(":")
        if word in MARKERS:
            found.append((word, value.strip()))
    return found


def _is_from_user(item: Json) -> bool:
    """Not what Codex itself puts in, which opens with a tag."""
    if item.get("role") != "user" or item.get("type", "message") != "message":
        return False
    return not _words(item).lstrip().startswith("<")


def _words(item: Json) -> str:
    content = item.get("content") or []
    if isinstance(content, str):
        return content
    texts = [str(part.get("text") or "") for part in content if part.get("text")]
    return "\n".join(text for text in texts if not text.startswith(("<image", "</image")))


def _text(word: str, value: str) -> str:
    if word == "long":
        return ("lorem ipsum dolor sit amet \n" * (int(value) // 27 + 1))[: int(value)]
    return f"echo: {value}" if word == "echo" else value.replace("\\n", "\n")


def _offered(body: Json) -> set[str]:
    tools = body.get("tools") or []
    plain = {str(tool.get("name") or tool.get("type")) for tool in tools}
    return plain | {f"{t['name']}.{each['name']}" for t in tools for each in t.get("tools") or []}


def _namespaced(value: str) -> str:
    server, tool, *_ = value.split(" ", 2)
    return f"mcp__{server}.{tool}"


def _call(word: str, value: str, tools: set[str]) -> Json:
    """The item that calls the tool which the client offers for this marker."""
    name, arguments = _tool(word, value)
    if name not in tools and word != "unasked":
        raise ValueError(f"Codex offers no {name}, only {sorted(tools)}")
    ident = uuid.uuid4().hex[:16]
    namespace, _, name = name.rpartition(".")
    return ({"namespace": namespace} if namespace else {}) | {
        "type": "function_call",
        "id": f"fc_{ident}",
        "call_id": f"call_{ident}",
        "name": name,
        "arguments": json.dumps(arguments),
    }


def _tool(word: str, value: str) -> tuple[str, Json]:
    match word:
        case "question":
            options = [
                {"label": "Yes", "description": "go on"},
                {"label": "No", "description": "leave it"},
            ]
            question = {"id": "q1", "header": "Choice", "question": value, "options": options}
            return "request_user_input", {"questions": [question]}
        case "permit":
            wanted = {"file_system": {"write": [value]}}
            return "request_permissions", {"reason": "needs a folder", "permissions": wanted}
        case "write":
            patch = f"*** Begin Patch\n*** Add File: {value}\n+one line\n*** End Patch"
            return "exec_command", {"cmd": f"apply_patch <<'END'\n{patch}\nEND"}
        case "mcp":
            return _namespaced(value), json.loads(value.split(" ", 2)[2])
        case "escalate":
            asked = {"sandbox_permissions": "require_escalated", "justification": "a test"}
            return "exec_command", {"cmd": value, **asked}
        case _:
            return "exec_command", {"cmd": value, "yield_time_ms": 30000}


class _Stream:
    """One answer, as server-sent events in chunks."""

    def __init__(self, handler: BaseHTTPRequestHandler, model: str) -> None:
        self._handler = handler
        self._is_open = False
        self._count = 0
        self.pause_s = 0.0
        self._response: Json = {"id": f"resp_{uuid.uuid4().hex}", "object": "response"}
        self._response |= {"created_at": int(time.time()), "model": model, "output": []}

    def open(self) -> None:
        if not self._is_open:
            self._is_open = True
            self._handler.send_response(200)
            self._handler.send_header("Content-Type", "text/event-stream")
            self._handler.send_header("Transfer-Encoding", "chunked")
            self._handler.end_headers()
            self._event("response.created", response=self._response)

    def message(self, text: str, phase: str) -> None:
        self.open()
        place = len(self._response["output"])
        item: Json = {"type": "message", "id": f"msg_{uuid.uuid4().hex[:16]}"}
        item |= {"role": "assistant", "phase": phase, "content": []}
        self._event("response.output_item.added", output_index=place, item=item)
        size = max(1, len(text) // 20)
        for start in range(0, len(text), size):
            piece = {"item_id": item["id"], "content_index": 0, "output_index": place}
            piece["delta"] = text[start : start + size]
            self._event("response.output_text.delta", **piece)
            time.sleep(self.pause_s)
        item["content"] = [{"type": "output_text", "text": text, "annotations": []}]
        self._response["output"].append(item)
        self._event("response.output_item.done", output_index=place, item=item)

    def item(self, item: Json) -> None:
        self.open()
        place = len(self._response["output"])
        self._event("response.output_item.added", output_index=place, item=item)
        self._response["output"].append(item)
        self._event("response.output_item.done", output_index=place, item=item)

    def completed(self) -> None:
        counts: Json = {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120}
        counts["input_tokens_details"] = {"cached_tokens": 0}
        counts["output_tokens_details"] = {"reasoning_tokens": 0}
        self._response |= {"status": "completed", "usage": counts}
        self._event("response.completed", response=self._response)
        self._put(b"")

    def failed(self, code: str) -> None:
        self.open()
        self._response |= {"status": "failed"}
        self._response["error"] = {"code": code, "message": f"the model says {code}"}
        self._event("response.failed", response=self._response)
        self._put(b"")

    def beat(self) -> None:
        self._put(b": alive\n\n")

    def _event(self, kind: str, **body: Any) -> None:  # Any: fields of the protocol
        self._count += 1
        data = json.dumps({"type": kind, "sequence_number": self._count, **body})
        self._put(f"event: {kind}\ndata: {data}\n\n".encode())

    def _put(self, data: bytes) -> None:
        self._handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self._handler.wfile.flush()


def main() -> None:
    model = Model(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    print(json.dumps({"port": model.port, "url": model.url}), flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        model.close()


if __name__ == "__main__":
    main()
