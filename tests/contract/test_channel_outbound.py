"""Messages on their way out: one attempt, one request, one outcome."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream

from bridge.wire.messages import SendReply
from channel_worker.simulator.world import FaultKind

if TYPE_CHECKING:
    from tests.contract.channel_rig import Rig

pytest_plugins = ["tests.contract.channel_rig"]


async def token_of(rig: Rig) -> str:
    rig.world.say("hello")
    await rig.bridge.until_rows(1)
    return next(row.context_token for row in rig.bridge.rows.values() if row.context_token)


async def test_text_is_sent_with_token_and_client_id(rig: Rig) -> None:
    """ilink-protocol 6.4; outbound.begun comes before the request."""
    async with rig.bridge.listening(), rig.working():
        token = await token_of(rig)
        reply = await rig.bridge.send("12 passed 🎉", token, rig.world.owner_id)
        (sent,) = rig.world.sent
        assert reply == SendReply("sent", sent.message_id)
        assert (sent.text, sent.client_id) == ("12 passed 🎉", "ctb:1")
        assert rig.bridge.begun() == ["a1"]
        body = rig.world.calls("sendmessage")[0].body
        assert body["msg"]["context_token"] == token
        assert body["base_info"]["channel_version"] == "2.4.9"


@pytest.mark.parametrize(
    ("kind", "code", "outcome", "visible"),
    [
        ("no_id", 0, "unconfirmed", 1),
        ("ret", -2, "throttled", 0),
        ("ret", -14, "expired", 0),
        ("errcode", -14, "expired", 0),
        ("ret", -77, "unknown_code", 0),
        ("ret", -4, "refused", 0),
        ("status", 429, "throttled", 0),
        ("status", 403, "expired", 0),
        ("status", 404, "refused", 0),
        ("status_after", 502, "unknown", 1),
        ("status_after", 524, "unknown", 1),
        ("reset_after", 0, "unknown", 1),
        ("half_body", 0, "unknown", 1),
    ],
)
async def test_outcome_follows_the_table(
    rig: Rig, kind: FaultKind, code: int, outcome: str, visible: int
) -> None:
    """F33, F34, F36, F37, F40: delivery-semantics 5; never a second request."""
    async with rig.bridge.listening(), rig.working():
        token = await token_of(rig)
        rig.simulator.fail("sendmessage", kind, code=code)
        reply = await rig.bridge.send("once", token, rig.world.owner_id)
        assert reply.outcome == outcome
        assert len(rig.world.calls("sendmessage")) == 1
        assert len(rig.world.sent) == visible


async def test_html_instead_of_json_is_unknown(rig: Rig) -> None:
    """F34."""
    async with rig.bridge.listening(), rig.working():
        token = await token_of(rig)
        rig.simulator.fail("sendmessage", "body", body=b"<html>")
        assert (await rig.bridge.send("x", token, rig.world.owner_id)).outcome == "unknown"


async def test_silence_ends_at_the_deadline_as_unknown(rig: Rig) -> None:
    """F34, F38: every wait has a deadline."""
    async with rig.bridge.listening(), rig.working(ILINK_REQUEST_TIMEOUT_SECONDS="1"):
        token = await token_of(rig)
        rig.simulator.fail("sendmessage", "hang")
        reply = await rig.bridge.send("x", token, rig.world.owner_id)
        assert reply == SendReply("unknown", code="time-out")


async def test_send_without_token_is_refused_here(rig: Rig) -> None:
    """ilink-protocol 6.5: without a token it would vanish."""
    async with rig.bridge.listening(), rig.working():
        reply = await rig.bridge.send("x", "", rig.world.owner_id)
        assert reply.outcome == "not_sent"
        assert not rig.world.calls("sendmessage")


async def test_headers_of_every_call_are_those_of_the_official_client(rig: Rig) -> None:
    """ilink-protocol 1.2, 1.3, 13: exact; version and product are those of the settings."""
    worker = rig.working(ILINK_CLIENT_VERSION="2.5.1", ILINK_BOT_AGENT="Mine/2.0 (test)")
    async with rig.bridge.listening(), worker:
        token = await token_of(rig)
        await rig.bridge.send("hi", token, rig.world.owner_id)
    calls = [call for call in rig.world.transcript if not call.endpoint.startswith("cdn")]
    assert {"getupdates", "sendmessage", "msg/notifystart", "msg/notifystop"} <= {
        call.endpoint for call in calls
    }
    numbers = [int(base64.b64decode(call.headers["x-wechat-uin"])) for call in calls]
    assert len(set(numbers)) == len(calls) and all(0 <= n < 1 << 32 for n in numbers)
    for call in calls:
        varies = ("host", "content-length", "x-wechat-uin")
        assert {k: v for k, v in call.headers.items() if k not in varies} == {
            "ilink-app-id": "bot",
            "ilink-app-clientversion": str(2 << 16 | 5 << 8 | 1),
            "accept-encoding": "identity",
            "content-type": "application/json",
            "authorizationtype": "ilink_bot_token",
            "authorization": f"Bearer {rig.world.token}",
        }
        assert call.body["base_info"] == {
            "channel_version": "2.5.1",
            "bot_agent": "Mine/2.0 (test)",
        }


async def test_nobody_listening_is_not_sent(rig: Rig) -> None:
    """F35: refused before sending."""
    async with rig.bridge.listening(), rig.working(ILINK_BASE_URL="http://127.0.0.1:9"):
        await rig.bridge.until_up()
        reply = await rig.bridge.send("x", "ctx", rig.world.owner_id)
        assert reply == SendReply("not_sent", code="connect")


async def test_ten_sends_are_taken_for_each_message_and_an_eleventh_is_not(rig: Rig) -> None:
    """ilink-protocol 6.4: the next message of the person opens ten more."""
    rig.world.send_limit = 10
    async with rig.bridge.listening(), rig.working():
        token = await token_of(rig)
        outcomes = [
            (await rig.bridge.send(str(n), token, rig.world.owner_id)).outcome for n in range(11)
        ]
        assert outcomes == ["sent"] * 10 + ["throttled"]
        rig.world.say("more")
        await rig.bridge.until_rows(2)
        assert (await rig.bridge.send("11", token, rig.world.owner_id)).outcome == "sent"


async def test_reply_after_a_day_is_not_taken(rig: Rig) -> None:
    """ilink-protocol 6.4: 24 h after the last message of the person, by WeChat's clock."""
    async with rig.bridge.listening(), rig.working():
        token = await token_of(rig)
        rig.world.clock_skew_s += 24 * 3600 - 60
        assert (await rig.bridge.send("in time", token, rig.world.owner_id)).outcome == "sent"
        rig.world.clock_skew_s += 120
        late = await rig.bridge.send("late", token, rig.world.owner_id)
        assert (late.outcome, late.code) == ("throttled", "-2")
    assert [sent.text for sent in rig.world.sent] == ["in time"]


async def test_proxies_of_the_environment_are_not_used(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R20, F43: poll, send and CDN go straight, whatever the variables say."""
    asked: list[object] = []

    async def answer(stream: SocketStream) -> None:
        asked.append(stream)
        await stream.aclose()

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        port = listener.extra(SocketAttribute.local_port)
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
            monkeypatch.setenv(name.lower(), f"http://127.0.0.1:{port}")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, answer)
            async with rig.bridge.listening(), rig.working():
                token = await token_of(rig)
                assert (await rig.bridge.send("hi", token, rig.world.owner_id)).outcome == "sent"
                assert (await rig.bridge.ask(rig.staged(b"x"))).outcome == "sent"
            tasks.cancel_scope.cancel()
    assert asked == []
