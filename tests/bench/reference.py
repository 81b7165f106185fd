"""The least that could carry a message: the yardstick of `design.md` 9.

One process, one thread, no promises kept: it polls, commits, asks the controller
over a raw pipe, commits, sends, with the HTTP client that the gateway has. What a
gateway costs is counted in multiples of this, measured in the same run on the same
machine. With `--per-call` it starts its controller for each call, as a gateway
without a kept connection does.

    python -m tests.bench.reference BASE_URL DATABASE CONTROLLER... [--per-call]
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from typing import Any

import httpx

Json = dict[str, Any]  # foreign JSON, read here and nowhere else


class Pipe:
    """JSON-RPC lines to a controller that stays, or to a new one for each call."""

    def __init__(self, command: list[str], is_kept: bool) -> None:
        self._command = command
        self._is_kept = is_kept
        self._kept: Process | None = None
        self._last_id = 0

    async def call(self, tool: str, **given: object) -> Json:
        self._last_id += 1
        params = {"name": f"cross_thread_{tool}", "arguments": given}
        request = {"jsonrpc": "2.0", "id": self._last_id, "method": "tools/call", "params": params}
        child = self._kept or await create_subprocess_exec(*self._command, stdin=PIPE, stdout=PIPE)
        assert child.stdin and child.stdout
        child.stdin.write(json.dumps(request).encode() + b"\n")
        reply = json.loads(await child.stdout.readline())
        if self._is_kept:
            self._kept = child
        else:
            child.stdin.close()
            await child.wait()
        result: Json = json.loads(reply["result"]["content"][0]["text"])
        return result


async def carry(base_url: str, database: str, controller: Pipe) -> None:
    """Carry messages until killed."""
    db = sqlite3.connect(database, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("CREATE TABLE inbox (id TEXT PRIMARY KEY, text TEXT, cursor TEXT)")
    db.execute("CREATE TABLE outbox (id TEXT PRIMARY KEY, text TEXT)")
    cursor = ""
    async with httpx.AsyncClient(base_url=base_url, timeout=60, trust_env=False) as ilink:
        while True:
            batch = (await ilink.post("getupdates", json={"get_updates_buf": cursor})).json()
            cursor = batch["get_updates_buf"]
            for message in batch["msgs"]:
                text = message["item_list"][0]["text_item"]["text"]
                row = (str(message["message_id"]), text, cursor)
                db.execute("INSERT INTO inbox VALUES (?, ?, ?)", row)
                answer = await _turn(controller, text)
                db.execute("INSERT INTO outbox VALUES (?, ?)", (row[0], answer))
                await ilink.post("sendmessage", json={"msg": _reply(message, answer)})


async def _turn(controller: Pipe, text: str) -> str:
    run_id = (await controller.call("start", message=text, owner="reference"))["run_id"]
    await controller.call("wait_any", run_ids=[run_id], timeout_ms=30_000)
    answer = str((await controller.call("read_result", run_id=run_id))["result_text"])
    await controller.call("delivery_ack", run_id=run_id)
    return answer


def _reply(message: Json, text: str) -> Json:
    return {
        "from_user_id": "",
        "to_user_id": message["from_user_id"],
        "client_id": f"ref:{message['message_id']}",
        "message_type": 2,
        "message_state": 2,
        "item_list": [{"type": 1, "text_item": {"text": text}}],
        "context_token": message["context_token"],
    }


def main() -> None:
    base_url, database, *command = (word for word in sys.argv[1:] if word != "--per-call")
    pipe = Pipe(command, is_kept="--per-call" not in sys.argv)
    asyncio.run(carry(base_url, database, pipe))


if __name__ == "__main__":
    main()
