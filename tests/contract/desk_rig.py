"""A whole bridge behind a worker by hand: real socket, door, database and tasks.

Only the controller is scripted. What the worker is asked to send is what the network
would see; what is in the tables is what was kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio

from bridge.core.decision import Policy
from bridge.core.group_chat import group_peer
from bridge.core.model import ThreadId, Turn
from bridge.core.sending import Limits
from bridge.core.turns import Accepted, StartReply
from bridge.store import views
from bridge.store.statements import records
from bridge.store.tables import OutboxTable, TurnTable, proxy
from bridge.tasks.channel import Channel
from bridge.tasks.dispatch import Dispatcher
from bridge.tasks.groups import Groups
from bridge.tasks.turns import Threads
from bridge.wire import messages
from bridge.wire.peer import Peer
from tests.contract.room import RUN, Scripted, choose_thread
from tests.contract.worker_rig import LIMIT_S, OWNER, WECHAT, Bench, bench

NOW_MS = 1_800_000_000_000
MEMBER = "oMember@im.wechat"
CHAT = "77@chatroom"
GROUP = group_peer(CHAT)
ON = Policy(merge_window_ms=0, group_qa=True)
OFF = Policy(merge_window_ms=0)


class Confined(Scripted):
    """Keeps what it is asked to start, and makes a thread for whoever has none."""

    def __init__(self) -> None:
        super().__init__()
        self.orders: list[tuple[Turn, str]] = []

    async def start(self, turn: Turn) -> StartReply:
        self.orders.append((turn, self.owner(turn)))
        await self.note_call("start")
        made = ThreadId(f"made-{len(self.orders)}")
        thread = made if turn.thread.startswith("new:") else turn.thread
        return Accepted(RUN, thread, self.lock, 1)


class Desk:
    """A bridge, the worker in front of it, and the people who write."""

    def __init__(self, built: Bench, threads: Threads, controller: Confined, worker: Peer) -> None:
        self.bench = built
        self.threads = threads
        self.controller = controller
        self.worker = worker
        self.sent: deque[messages.OutboundSend] = deque()
        self.asked: list[object] = []  # everything the bridge asked of the worker
        self.went = anyio.Event()
        self._number = 0
        self._mark = 0  # what was sent before the last message was written

    async def serve(self, request: Any) -> Any:  # Any: requests and replies differ
        self.asked.append(request)
        if not isinstance(request, messages.OutboundSend):
            return messages.Done()
        await self.worker.notify(messages.OutboundBegun(request.attempt_id))
        self.sent.append(request)
        self.went.set()
        self.went = anyio.Event()
        return messages.SendReply("sent", f"srv-{len(self.sent)}")

    async def writes(self, text: str, sender: str = MEMBER, chat: str = CHAT, **more: Any) -> None:
        self._number += 1
        self._mark = len(self.sent)
        now_ms = self.bench.shared.now_ms()
        known: dict[str, Any] = {
            "chat": "group" if chat else "direct",
            "group_id": chat,
            "create_time_ms": now_ms + self._number,
            "context_token": f"ctx-{chat or sender}",
            "parts": (messages.Part("text", text),),
        }
        message = messages.Inbound(f"mid:{self._number}", sender, **known | more)
        reply = await self.worker.call(messages.InboundCommit("", "", now_ms, (message,)), LIMIT_S)
        assert reply.status == "ok"

    async def owner_writes(self, text: str) -> None:
        await self.writes(text, OWNER, "")

    async def reads(self, to: str, words: str) -> messages.OutboundSend:
        """Wait until these words were sent to this chat, after the last message to the bridge."""
        with anyio.move_on_after(LIMIT_S):
            while True:
                for order in list(self.sent)[self._mark :]:
                    if order.to_user_id == to and words in order.text:
                        return order
                await self.went.wait()
        raise AssertionError(f"{words!r} was not sent to {to}: {self.sent}")

    async def until(self, is_so: Callable[[], Awaitable[bool]]) -> None:
        """Look again and again: what leads to silence rings nothing that could be waited for."""
        with anyio.fail_after(LIMIT_S):
            while not await is_so():
                await self.bench.shared.outbox_bell.heard(0.01)

    async def until_decided(self) -> None:
        async def none_is_new() -> bool:
            return not await self.bench.db.read(views.due_rows)

        await self.until(none_is_new)

    async def until_turns(self, where: str, count: int = 1) -> None:
        async def are_there() -> bool:
            return len(await self.rows(TurnTable, where)) >= count

        await self.until(are_there)

    async def until_running(self) -> None:
        await self.until_turns("state = 'running'")

    async def until_done(self, ended: int = 1) -> None:
        await self.until_turns("state = 'done'", ended)

    async def greets(self) -> None:
        """The owner writes: nothing can be said to them before that."""
        await self.owner_writes("/queue")
        await self.reads(OWNER, "Nothing is waiting")
        await self.until_settled()

    async def until_settled(self) -> None:
        """Until it is written down what became of everything that was sent."""

        async def none_is_out() -> bool:
            return not await self.rows(OutboxTable, "state = 'sending'")

        await self.until(none_is_out)

    async def approves(self) -> None:
        await self.greets()
        await self.writes("@Bot hello")
        await self.reads(OWNER, "/group approve 1")
        await self.owner_writes("/group approve 1")
        await self.reads(OWNER, "Group 1 may ask")

    async def everything(self) -> dict[str, list[Any]]:  # Any: rows
        """Every row of every table, as it is."""

        def unit() -> dict[str, list[Any]]:  # Any: rows
            return {
                name: proxy.execute_sql(f"SELECT * FROM {name}").fetchall()  # noqa: S608  # ours
                for name in proxy.get_tables()
            }

        return await self.bench.db.read(unit)

    async def rows(self, table: Any, where: str = "1") -> list[Any]:  # Any: a model, its rows
        return await self.bench.db.read(lambda: records(table, where))

    def to_groups(self) -> list[messages.OutboundSend]:
        return [order for order in self.sent if order.group_id]


@asynccontextmanager
async def desk(policy: Policy = ON) -> AsyncIterator[Desk]:
    """Everything between the worker's socket and the controller's door, running."""
    async with bench(WECHAT, policy) as built:
        holder: list[Desk] = []

        async def answer(request: Any) -> Any:  # Any: requests and replies differ
            return await holder[0].serve(request)

        built.shared.limits = Limits(spacing_ms=0)
        worker = await built.connects("one", answer)
        controller = Confined()
        channel = Channel(built.shared, built.link)
        threads = Threads(built.shared, controller, channel, built.link, True)
        own = Groups(built.shared, channel, threads, built.folder / "groups")
        dispatcher = Dispatcher(built.shared, controller, channel, threads, own)
        holder.append(Desk(built, threads, controller, worker))
        await built.db.run(choose_thread)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(channel.keep_sending)
            tasks.start_soon(threads.keep_serving)
            tasks.start_soon(dispatcher.keep_deciding)
            yield holder[0]
            tasks.cancel_scope.cancel()
