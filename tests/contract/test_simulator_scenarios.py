"""How a simulated server begins: each scenario does what the document says of it."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from bridge.wire import env
from channel_worker import settings
from channel_worker.login import LoginFailed, Wishes, log_in
from channel_worker.simulator.scenarios import NoScenario, names, play
from channel_worker.simulator.server import Simulator

if TYPE_CHECKING:
    from tests.contract.channel_rig import Rig

pytest_plugins = ["tests.contract.channel_rig"]

DOCUMENT = Path("docs/simulator.md").read_text()
HEADERS = {
    "iLink-App-Id": "bot",
    "iLink-App-ClientVersion": "132105",
    "AuthorizationType": "ilink_bot_token",
}

Json = dict[str, Any]  # Any: JSON as on the wire


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    found = Simulator()
    async with found.serve():
        yield found


class Hands:
    """A terminal whose person types the digits."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def say(self, line: str) -> None:
        self.shown.append(line)

    def show_code(self, link: str) -> None:
        self.shown.append(link)

    async def ask(self, question: str) -> str | None:
        self.shown.append(question)
        return "0000" if question.startswith("Type") else "4711"


async def logs_in(simulator: Simulator, folder: Path, wishes: Wishes = Wishes()) -> tuple[str, str]:  # noqa: B008  # frozen
    """The closing sentence of our own login, and the token it left."""
    given = {"CTB_PROJECT_ROOT": str(folder), "ILINK_BASE_URL": simulator.base_url}
    found = settings.read(env.read(given))
    said = await log_in(found, wishes, Hands(), pause_s=0.01)
    return said, json.loads(found.credentials_path.read_text())["bot_token"]


@asynccontextmanager
async def client_of(simulator: Simulator) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody else's client, logged in."""
    token = {"Authorization": f"Bearer {simulator.world.token}"}
    base = f"{simulator.base_url}/ilink/bot/"
    async with httpx.AsyncClient(base_url=base, headers=HEADERS | token, trust_env=False) as found:
        yield found


async def test_friendly_has_one_text_and_one_picture_waiting(simulator: Simulator) -> None:
    """issue 3, item 10: the default scenario."""
    play(simulator, "friendly")
    kinds = [message["item_list"][0]["type"] for message in simulator.world.messages]
    assert kinds == [1, 2]
    assert simulator.world.standard_login[-1] == "confirmed"
    assert simulator.world.send_limit == 10


@pytest.mark.parametrize("name", names())
async def test_each_scenario_that_comes_along_can_be_played(
    simulator: Simulator, name: str
) -> None:
    """issue 3, item 10: scenarios are small files."""
    play(simulator, name)
    assert simulator.world.standard_login[-1] == ("expired" if name == "expired" else "confirmed")
    assert f"| `{name}`" in DOCUMENT


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("login = ", "cannot be played"),
        ("[set]\nno_such_thing = 1", "cannot set no_such_thing"),
        ("[set]\nsend_limit = 'ten'", "send_limit must be like"),
        ("[[message]]\nagain = 1", "cannot be played"),
        ("[[message]]\nmood = 'good'", "what is the message"),
        ("[[fail]]\nendpoint = 'x'", "cannot be played"),
        ("[[fail]]\nendpoint = 'x'\nkind = 'bad'", "'bad' is not one of ret"),
        ("[logins]", "'logins' is not one of login, set, message, fail"),
        (None, "No such file"),
    ],
)
async def test_scenario_that_cannot_be_played_is_one_sentence(
    simulator: Simulator, tmp_path: Path, text: str | None, said: str
) -> None:
    """Ours: with what is wrong in it."""
    path = tmp_path / "mine.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(NoScenario, match=said):
        play(simulator, str(path))
    with pytest.raises(NoScenario, match="there are bound, crowd"):
        play(simulator, "frendly")


async def test_bound_knows_its_tokens_and_takes_a_fresh_login(
    simulator: Simulator, tmp_path: Path
) -> None:
    """ilink-protocol 3.1, 3.2: by local_token_list, stale tokens included."""
    play(simulator, "bound")
    said, first = await logs_in(simulator, tmp_path, Wishes(yes=True))
    assert said.startswith("Logged in")
    simulator.expire_token()
    said, kept = await logs_in(simulator, tmp_path)
    assert "bound already" in said and kept == first
    said, fresh = await logs_in(simulator, tmp_path, Wishes(fresh=True))
    assert said.startswith("Logged in") and fresh == simulator.world.token


@pytest.mark.parametrize(("name", "asked"), [("digits", 3), ("moved", 2)])
async def test_login_on_its_longer_ways(
    simulator: Simulator, tmp_path: Path, name: str, asked: int
) -> None:
    """ilink-protocol 3.2: one wrong answer first; and the other host is really asked."""
    play(simulator, name)
    assert (await logs_in(simulator, tmp_path, Wishes(yes=True)))[0].startswith("Logged in")
    polls = simulator.world.calls("get_qrcode_status")
    assert len([poll for poll in polls if "verify_code" in poll.body]) == (name == "digits") * 2
    hosts = [poll.headers["host"].partition(":")[0] for poll in polls]
    assert hosts.count("localhost") == (name == "moved") * asked


async def test_expired_wears_out_a_login(simulator: Simulator, tmp_path: Path) -> None:
    """ilink-protocol 3.3."""
    play(simulator, "expired")
    with pytest.raises(LoginFailed, match="3 codes went unused"):
        await logs_in(simulator, tmp_path)


async def test_late_owner_wrote_yesterday(simulator: Simulator) -> None:
    """ilink-protocol 6.4: 24 h; a message of now opens them again."""
    play(simulator, "late")
    (message,) = simulator.world.messages
    assert 24.9 < (time.time() - message["create_time_ms"] / 1000) / 3600 < 25.1
    order = {
        "to_user_id": simulator.world.owner_id,
        "client_id": "c",
        "message_type": 2,
        "item_list": [{"type": 1, "text_item": {"text": "hi"}}],
        "context_token": message["context_token"],
    }
    assert simulator.world.accept(order) == (-2, "unknown error")
    simulator.world.say("back again")
    assert simulator.world.accept(order)[0] == 0


async def test_crowd_is_not_the_owner_alone(simulator: Simulator) -> None:
    """threat-model R1, R5."""
    play(simulator, "crowd")
    owner = simulator.world.owner_id
    seen = [(m["from_user_id"] == owner, m.get("group_id", "")) for m in simulator.world.messages]
    assert seen == [(True, ""), (False, ""), (False, "team"), (True, "team")]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, 100),
        ({"suggested_ms": 86_400_000}, 86_400_000),
        ({"suggested_ms": 0}, None),
    ],
)
async def test_reply_suggests_how_long_to_hold(
    simulator: Simulator, values: Json, said: int | None
) -> None:
    """ilink-protocol 5: longpolling_timeout_ms."""
    simulator.world.change({"hold_s": 0.1} | values)
    async with client_of(simulator) as client:
        found = (await client.post("getupdates", json={})).json()
    assert (found["msgs"], found.get("longpolling_timeout_ms")) == ([], said)


async def test_sends_and_uploads_that_come_to_nothing(simulator: Simulator) -> None:
    """ilink-protocol 6.4, 7.1: `swallowed` looks like success, `no-uploads` like a limit."""
    play(simulator, "swallowed")
    play(simulator, "no-uploads")
    async with client_of(simulator) as client:
        sent = (await client.post("sendmessage", json={"msg": {}})).json()
        upload = (await client.post("getuploadurl", json={})).json()
    assert sent == {"ret": 0} and not simulator.world.sent
    assert upload["ret"] == -2


async def test_storm_is_over_after_a_hundred_polls(simulator: Simulator) -> None:
    """fault-catalogue F39."""
    play(simulator, "storm")
    async with client_of(simulator) as client:
        for _ in range(100):
            assert (await client.post("getupdates", json={})).json()["msgs"] == []
        assert len((await client.post("getupdates", json={})).json()["msgs"]) == 1


@pytest.mark.parametrize(
    "name", ["friendly", "media", "crowd", "twice", "odd", "shaky", "strict", "late"]
)
async def test_our_own_worker_gets_every_message_of_it(rig: Rig, name: str) -> None:
    """issue 3, item 9: whatever happens on the way, but a half reply that never comes again."""
    play(rig.simulator, name)
    rig.world.gives_again |= name == "shaky"
    rig.world.say("the last one")
    async with rig.bridge.listening(), rig.working():
        await rig.bridge.until_rows(len({m["message_id"] for m in rig.world.messages}))
    assert "the last one" in rig.bridge.texts()
