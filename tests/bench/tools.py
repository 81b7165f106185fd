"""A bare MCP client of one controller process: requests out, replies in, any order."""

from __future__ import annotations

import itertools
import json
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROTOCOL = "2025-06-18"
STOP_S = 10.0  # a controller that has not ended by then is killed

Json = dict[str, Any]  # foreign JSON, read here and in `threads` alone


class Refused(OSError):
    """The controller said no."""


class Tools:
    """The tools of one controller; `ask` and `take` let many calls be under way at once."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._numbers = itertools.count(1)
        self._kept: dict[int, Json] = {}
        self.pid = process.pid
        hello = {"protocolVersion": PROTOCOL, "capabilities": {}}
        hello["clientInfo"] = {"name": "bench", "version": "1"}
        self._take(self._send("initialize", hello))
        self._write({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def call(self, tool: str, **given: object) -> Json:
        """What the tool answers."""
        return self.take(self.ask(tool, **given))

    def call_ms(self, tool: str, **given: object) -> float:
        """How long the tool takes to answer."""
        begun_s = time.monotonic()
        self.call(tool, **given)
        return (time.monotonic() - begun_s) * 1e3

    def ask(self, tool: str, **given: object) -> int:
        """Send a call; its number."""
        return self._send("tools/call", {"name": f"cross_thread_{tool}", "arguments": given})

    def take(self, number: int) -> Json:
        """What the call of this number answers."""
        result = self._take(number)
        text = result["content"][0]["text"]
        if result.get("isError"):
            raise Refused(text)
        body: Json = json.loads(text)
        return body

    def _send(self, method: str, params: Json) -> int:
        number = next(self._numbers)
        self._write({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        return number

    def _write(self, message: Json) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()

    def _take(self, number: int) -> Json:
        assert self._process.stdout
        while number not in self._kept:
            line = self._process.stdout.readline()
            if not line:
                raise ConnectionError("the controller has ended")
            reply = json.loads(line)
            self._kept[reply.get("id", 0)] = reply
        reply = self._kept.pop(number)
        if "error" in reply:
            raise Refused(str(reply["error"]))
        result: Json = reply["result"]
        return result


@contextmanager
def connected(
    command: Sequence[str], environment: Mapping[str, str], folder: Path
) -> Iterator[Tools]:
    """A controller over its standard streams; ended as its client's end would end it."""
    with subprocess.Popen(
        command,
        env=environment,
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield Tools(process)
        finally:
            assert process.stdin
            process.stdin.close()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
