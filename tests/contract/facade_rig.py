"""A bridge and `ctb-mcp` as real processes, an MCP host, and a worker that can be told.

The worker is a peer of the test, so that each outcome of a send can be chosen.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from bridge.wire import facade, messages
from bridge.wire.peer import Peer, connect
from bridge.wire.scopes import FILE

BIN = Path(sys.executable).parent
LIMIT_S = 30.0  # the longest wait of a test, on two busy cores
OWNER = "oOwner@im.wechat"

Json = dict[str, Any]  # Any: results, asserted field by field


class Failed(Exception):
    """An `isError` result; the text is what the model reads."""


@dataclass
class Host:
    """A connected MCP host."""

    session: ClientSession

    async def __call__(self, tool: str, **arguments: object) -> Json:
        with anyio.fail_after(LIMIT_S):
            result = await self.session.call_tool(tool, arguments)
        text = result.content[0].text  # type: ignore[union-attr]  # text only
        if result.is_error:
            raise Failed(text)
        body: Json = result.structured_content or {}
        assert json.loads(text) == body  # for hosts that read only text
        return body


@dataclass
class Ground:
    """A folder with a bridge in it, and how it is reached."""

    folder: Path
    env: dict[str, str]
    unknown: str = ""  # a bubble with these words is lost on its way
    sent: list[messages.OutboundSend] = field(default_factory=list)
    changed: anyio.Event = field(default_factory=anyio.Event)

    @property
    def socket(self) -> Path:
        return self.folder / "data" / "run" / "bridge.sock"

    def allow(self, **scopes: Sequence[str]) -> None:
        path = self.folder / "data" / FILE
        lines = [
            f"[{name}]\nscopes = {json.dumps(list(words))}\n" for name, words in scopes.items()
        ]
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text("".join(lines))
        path.chmod(0o600)

    @asynccontextmanager
    async def host(self, client: str = "codex") -> AsyncIterator[Host]:
        command = str(BIN / "ctb-mcp")
        server = StdioServerParameters(command=command, args=["--client", client], env=self.env)
        async with stdio_client(server) as streams, ClientSession(*streams) as session:
            with anyio.fail_after(LIMIT_S):
                await session.initialize()
            yield Host(session)

    @asynccontextmanager
    async def agent(self, client: str) -> AsyncIterator[Peer]:
        """An agent at the socket itself, past `ctb-mcp`."""
        async with anyio.create_task_group() as tasks:
            peer = await connect(self.socket, "facade", "i", nothing, tasks)
            await peer.call(facade.FacadeHello(client), LIMIT_S)
            yield peer
            peer.close()

    @asynccontextmanager
    async def bridge(self) -> AsyncIterator[None]:
        """A bridge for the length of the block."""
        command = [str(BIN / "ctb-bridge"), "run"]
        async with await anyio.open_process(command, env=self.env, cwd=self.folder) as process:
            try:
                assert process.stdout is not None
                with anyio.fail_after(LIMIT_S):
                    assert b"ready" in await process.stdout.receive()
                yield
            finally:
                process.terminate()

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[Peer]:
        """A worker with credentials, that sends nothing and keeps what it was told to send."""
        async with anyio.create_task_group() as tasks:
            peer = await connect(self.socket, "worker", "w1", self._serve, tasks)
            hello = messages.ChannelHello("wechat", "bot", (OWNER,), 1)
            await peer.call(hello, LIMIT_S)
            yield peer
            peer.close()

    async def writes(self, peer: Peer, number: int, text: str, quote: str = "") -> None:
        """A message of the owner, with a fresh context token."""
        message = messages.Inbound(
            f"mid:{number}",
            OWNER,
            context_token=f"ctx-{number}",
            parts=(messages.Part("text", text),),
            quote=messages.Quote(quote) if quote else None,
        )
        await peer.call(messages.InboundCommit("", "", 0, (message,)), LIMIT_S)

    async def until_sent(self, words: str) -> messages.OutboundSend:
        with anyio.fail_after(LIMIT_S):
            while True:
                found = [order for order in self.sent if words in order.text]
                if found:
                    return found[-1]
                await self.changed.wait()

    async def _serve(self, request: Any) -> Any:  # Any: requests and replies differ
        if not isinstance(request, messages.OutboundSend):
            return messages.Done()
        self.sent.append(request)
        self.changed.set()
        self.changed = anyio.Event()
        is_lost = bool(self.unknown) and self.unknown in request.text
        return messages.SendReply("unknown" if is_lost else "sent", f"srv-{len(self.sent)}")


async def until(look: Callable[[], Awaitable[Json]], state: str) -> Json:
    """Look again until it is so: nobody tells an agent."""
    with anyio.fail_after(LIMIT_S):
        while True:
            found = await look()
            if found["state"] == state:
                return found
            await anyio.sleep(0.02)


async def nothing(_request: object) -> object:
    return messages.Done()
