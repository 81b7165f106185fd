"""The link to a worker: one attempt, one request; and whom to ask when its reply is lost.

For two networks, whose ids have nothing in common (issue 5, item 11).
"""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from bridge.core.errors import LinkLost
from bridge.wire import codec, messages
from bridge.wire.peer import LinkLost as WireLost
from bridge.wire.peer import Peer, Refused
from tests.contract.worker_rig import Bench
from tests.contract.worker_rig import built as built  # the fixture

LIMIT_S = 10.0
SENT = messages.SendReply("sent", server_id="s1")


class Worker:
    """Answers as the test says, and remembers what it was asked."""

    def __init__(self, *query: messages.QueryReply, says_begun: bool = True) -> None:
        self.asked: list[Any] = []  # Any: requests of every kind
        self.sending = anyio.Event()
        self.peer: Peer | None = None
        self._query = list(query)
        self._says_begun = says_begun

    async def __call__(self, request: Any) -> Any:  # Any: a request in, its reply out
        self.asked.append(request)
        if isinstance(request, messages.OutboundQuery):
            return self._query.pop(0)
        if isinstance(request, messages.OutboundSend):
            if self._says_begun and self.peer is not None:
                await self.peer.notify(messages.OutboundBegun(request.attempt_id))
            self.sending.set()
            await anyio.sleep_forever()
        return messages.Done()


async def lose(bench: Bench, worker: Worker) -> None:
    """The worker's connection goes while it sends; the bridge does not know the outcome."""
    worker.peer = await bench.connects("one", worker)

    async def cut() -> None:
        await worker.sending.wait()
        assert worker.peer is not None
        worker.peer.close()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(cut)
        with pytest.raises(LinkLost):
            await bench.link.send(bench.attempt())
    await bench.until_free()


async def test_attempt_is_one_request_with_the_words_of_its_row(built: Bench) -> None:
    """delivery-semantics 5: wire bytes are derived from the row and the newest token."""
    asked = []

    async def answer(request: Any) -> Any:  # Any: a request in, its reply out
        asked.append(request)
        return SENT

    await built.connects("one", answer)
    assert await built.link.send(built.attempt()) == SENT
    assert asked == [messages.OutboundSend("a1", built.network.owner, "ctb:1", "ctx", "hello")]


@pytest.mark.parametrize("instance", ["", "another"])
async def test_attempt_meant_for_a_worker_that_is_not_there_was_not_sent(
    built: Bench, instance: str
) -> None:
    """delivery-semantics 5: an attempt belongs to one process; no other is asked to send it."""
    worker = Worker()
    if instance:
        await built.connects(instance, worker)
    reply = await built.link.send(built.attempt("one"))
    assert (reply.outcome, worker.asked) == ("not_sent", [])


async def test_attempt_that_the_worker_refuses_was_not_sent(built: Bench) -> None:
    """delivery-semantics 5: a local rejection costs no copy."""

    async def answer(_request: Any) -> Any:  # Any: a request in, its reply out
        raise Refused(codec.INVALID_PARAMS, "too long")

    await built.connects("one", answer)
    assert (await built.link.send(built.attempt())).outcome == "not_sent"


@pytest.mark.parametrize(
    ("query", "outcome"),
    [
        ((messages.QueryReply("done", SENT),), "sent"),
        ((messages.QueryReply("not_started"),), "not_sent"),
        ((messages.QueryReply("in_flight"), messages.QueryReply("done", SENT)), "sent"),
    ],
    ids=["done", "not-started", "in-flight"],
)
async def test_same_process_is_asked_what_became_of_an_attempt(
    built: Bench, query: tuple[messages.QueryReply, ...], outcome: str
) -> None:
    """F15: exactly one request; its process knows."""
    worker = Worker(*query)
    await lose(built, worker)
    await built.connects("one", worker)
    assert (await built.link.outcome_of(built.attempt())).outcome == outcome
    sends = [a for a in worker.asked if isinstance(a, messages.OutboundSend)]
    assert len(sends) == 1


@pytest.mark.parametrize(("says_begun", "outcome"), [(True, "unknown"), (False, "not_sent")])
async def test_another_process_is_not_asked_and_begun_decides(
    built: Bench, says_begun: bool, outcome: str
) -> None:
    """delivery-semantics 5, F14: a worker that died without `begun` has sent nothing."""
    first, second = Worker(says_begun=says_begun), Worker()
    await lose(built, first)
    await built.connects("two", second)
    assert (await built.link.outcome_of(built.attempt())).outcome == outcome
    assert second.asked == []


async def test_begun_of_another_attempt_says_nothing_about_this_one(built: Bench) -> None:
    """Ours: a late notification of an older attempt."""
    worker = Worker(says_begun=False)
    await lose(built, worker)
    built.link.begun(messages.OutboundBegun("a0"))
    await built.connects("two", Worker())
    assert (await built.link.outcome_of(built.attempt())).outcome == "not_sent"


async def test_newer_process_takes_the_lease_and_the_older_is_fenced(built: Bench) -> None:
    """F68, delivery-semantics 4: the older connection is closed, and is not let in again."""
    older = await built.connects("one")
    await built.connects("two")
    assert built.link.instance == "two"
    with pytest.raises(WireLost):
        await older.call(messages.ChannelState("polling", 0), LIMIT_S)
    with pytest.raises(Refused) as refused:
        await built.connects("one")
    assert refused.value.code == codec.FENCED
    assert built.link.instance == "two"


async def test_process_that_connects_again_fences_nobody(built: Bench) -> None:
    """delivery-semantics 4: only its own old connection."""
    await built.connects("one")
    again = await built.connects("one")
    assert built.link.instance == "one" and built.link.link_no == 2
    assert (await built.greets(again)).poll
