"""Another chat network, other ids, the same bridge: a new worker and nothing else.

The bridge and the controller are the real commands; the worker speaks `bridge.wire` alone.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from bridge.ask import NotRunning, ask
from bridge.wire.messages import SendersRecent, StatusGet
from tests.fakes import pigeon
from tests.fakes.pigeon import PigeonWorker, Post

if TYPE_CHECKING:
    from tests.e2e.rig import House

PATIENCE_S = 30.0
LOOK_S = 0.02


class Chat:
    """The owner's side of the post, read from top to bottom."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._read = 0

    async def asks(self, text: str, words: str, quotes: str = "", drawing: bytes = b"") -> str:
        """Write it, and wait for a letter with these words below the one last read."""
        self._post.write(text, quotes=quotes, drawing=drawing)
        with anyio.fail_after(PATIENCE_S):
            while True:
                news = self._post.news
                for place in range(self._read, len(self._post.delivered)):
                    if words in self._post.delivered[place]:
                        self._read = place + 1
                        return f"out/{place + 1}"
                await news.wait()


async def test_bridge_serves_another_network_unchanged(house: House) -> None:
    """issue 5, item 11: a turn, a quote, a file, doubt, a restart of the worker, a stranger."""
    house.opens("ctb-bridge", "run")
    socket = house.data / "run" / "bridge.sock"
    post = Post()
    chat = Chat(post)
    async with anyio.create_task_group() as tasks:
        worker = PigeonWorker(post, socket, house.data)
        tasks.start_soon(worker.run)
        with anyio.fail_after(PATIENCE_S):
            await healthy(house)
        await chat.asks("/threads", "1. ")
        await chat.asks("/use 1", "Now using")
        answer = await chat.asks("hello there", "echo: hello there")
        await chat.asks("and again?", "and again?", quotes=answer)
        assert "echo: hello there" in post.delivered[-1]  # the quote, resolved by its id
        await chat.asks("look at this", "echo: look at this", drawing=b"a drawing")
        (stored,) = house.data.glob("attachments/*.bin")
        assert stored.read_bytes() == b"a drawing"
        for number, doubt in enumerate(("who are you", "coo"), 1):
            post.answers.append(doubt)
            await chat.asks("/list", "shop")
            assert post.requests == len(post.delivered) + number
        post.write("let me in", sender=pigeon.STRANGER)
        worker.stop()
        post.write("while nobody was there")

        after = PigeonWorker(post, socket, house.data)
        tasks.start_soon(after.run)
        await chat.asks("and now?", "echo: and now?")
        senders = (await ask(socket, SendersRecent())).senders
        after.stop()
    assert {sender.user_id for sender in senders} == {pigeon.OWNER, pigeon.STRANGER}
    assert [sender.user_id for sender in senders if sender.is_owner] == [pigeon.OWNER]
    assert any("while nobody was there" in letter for letter in post.delivered)
    assert not any("let me in" in letter for letter in post.delivered)


async def healthy(house: House) -> None:
    """Wait until the bridge has its worker and its controller."""
    while True:
        with suppress(NotRunning):
            if (await ask(house.data / "run" / "bridge.sock", StatusGet())).is_healthy:
                return
        await anyio.sleep(LOOK_S)  # the bridge tells no beginnings
