"""Grey images and files that nobody can open: the simulated phone says what is wrong with them."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from bridge.wire.messages import OutboundSend, UploadedMedia
from channel_worker.ilink.speech import media_item
from channel_worker.simulator import cdn
from channel_worker.simulator.flaws import CHINESE, Flaw
from channel_worker.simulator.phone import words_of
from channel_worker.simulator.scenarios import small_png
from channel_worker.simulator.server import Simulator
from channel_worker.simulator.world import Sent

if TYPE_CHECKING:
    from tests.contract.channel_rig import Rig

pytest_plugins = ["tests.contract.channel_rig"]

KEY = bytes(range(16))
RAW = base64.b64encode(KEY).decode()
HANDLE = "handle"
PICTURE = small_png()

Json = dict[str, Any]  # Any: JSON as on the wire


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    found = Simulator()
    async with found.serve():
        yield found


def sent_by(simulator: Simulator, item: Json) -> Sent:
    """What the owner's phone has once the bot has sent this item."""
    simulator.world.say("hello")
    message = {
        "to_user_id": simulator.world.owner_id,
        "client_id": secrets.token_hex(4),
        "message_type": 2,
        "item_list": [item],
        "context_token": simulator.world.messages[-1]["context_token"],
    }
    assert simulator.world.accept(message)[0] == 0  # iLink takes it all the same
    return simulator.world.sent[-1]


def item_of(kind: str, content: bytes = PICTURE) -> Json:
    """An item as our own worker makes it."""
    size = len(content)
    whole: Json = media_item(
        UploadedMedia(kind, HANDLE, KEY.hex(), size, size // 16 * 16 + 16, "a.png")  # type: ignore[arg-type]  # a literal
    )
    return whole


@pytest.mark.parametrize("kind", ["image", "video", "file"])
async def test_what_our_worker_sends_is_shown(simulator: Simulator, kind: str) -> None:
    """ilink-protocol 7.2, 7.3."""
    simulator.world.files[HANDLE] = cdn.encrypt(PICTURE, KEY)
    sent = sent_by(simulator, item_of(kind))
    assert sent.flaw == "" and "(" not in words_of(sent)


@pytest.mark.parametrize(
    ("kind", "change", "flaw"),
    [
        ("image", {"media.aes_key": RAW}, Flaw.RAW_KEY),
        ("file", {"media.aes_key": RAW}, Flaw.RAW_KEY),
        ("image", {"media.aes_key": KEY.hex()}, Flaw.KEY),
        ("image", {"media.aes_key": "%"}, Flaw.KEY),
        ("image", {"media.aes_key": None}, Flaw.NO_MEDIA),
        ("image", {"media": None}, Flaw.NO_MEDIA),
        ("image", {"media.encrypt_type": None}, Flaw.ENCRYPT_TYPE),
        ("image", {"media.encrypt_query_param": "other"}, Flaw.NOT_THERE),
        (
            "image",
            {"media.aes_key": base64.b64encode(b"0" * 32).decode()},
            Flaw.CIPHER,
        ),
        ("image", {"mid_size": None}, Flaw.MID_SIZE),
        ("image", {"mid_size": len(PICTURE)}, Flaw.MID_SIZE),
        ("video", {"video_size": len(PICTURE)}, Flaw.VIDEO_SIZE),
        ("file", {"len": len(PICTURE)}, Flaw.LEN),
        ("file", {"len": "1"}, Flaw.LEN),
        ("file", {"file_name": ""}, Flaw.NAME),
    ],
)
async def test_what_a_phone_cannot_use_is_named(
    simulator: Simulator, kind: str, change: Json, flaw: Flaw
) -> None:
    """issue 3, item 10; ilink-protocol 13: grey images, and nobody says why."""
    simulator.world.files[HANDLE] = cdn.encrypt(PICTURE, KEY)
    item = item_of(kind)
    ((where, value),) = change.items()
    body = item[f"{kind}_item"]
    *outer, name = where.split(".")
    (body[outer[0]] if outer else body)[name] = value
    sent = sent_by(simulator, item)
    assert sent.flaw == flaw
    assert flaw in words_of(sent) and CHINESE[flaw] in words_of(sent, "zh")
    assert ("grey image" in words_of(sent)) == (kind == "image")


async def test_words_as_a_picture_voice_of_a_bot_and_wrong_types_are_named(
    simulator: Simulator,
) -> None:
    """ilink-protocol 7.2: voice is taken and not shown."""
    simulator.world.files[HANDLE] = cdn.encrypt(b"no picture", KEY)
    assert sent_by(simulator, item_of("image", b"no picture")).flaw == Flaw.NO_PICTURE
    voice = sent_by(simulator, {"type": 3, "voice_item": {"text": "hi"}})
    assert (voice.flaw, words_of(voice)[0]) == (Flaw.VOICE, "🎤")
    assert sent_by(simulator, item_of("file") | {"type": 2}).flaw == Flaw.TYPE


def test_every_flaw_has_its_chinese_words() -> None:
    """design 8: CTB_LANG."""
    assert set(CHINESE) == set(Flaw)


async def test_picture_of_somebody_elses_client_is_checked_on_its_way(
    simulator: Simulator,
) -> None:
    """ilink-protocol 7.1: the size must be that of the padded bytes."""
    simulator.world.say("hello")
    body = {
        "filekey": "f" * 32,
        "media_type": 1,
        "to_user_id": simulator.world.owner_id,
        "rawsize": len(PICTURE),
        "rawfilemd5": hashlib.md5(PICTURE).hexdigest(),
        "filesize": len(PICTURE),  # of the plain bytes: wrong
        "no_need_thumb": True,
        "aeskey": KEY.hex(),
    }
    url = cdn.upload_place(simulator, body)["upload_full_url"]
    async with httpx.AsyncClient(trust_env=False) as client:
        refused = await client.post(url, content=cdn.encrypt(PICTURE, KEY))
        assert (refused.status_code, refused.headers["x-error-message"]) == (400, "size mismatch")
        assert (await client.put(url)).status_code == 404  # ilink-protocol 7.2: POST alone


@pytest.mark.parametrize("kind", ["image", "video", "file"])
async def test_media_of_the_worker_arrives_whole(rig: Rig, kind: str) -> None:
    """issue 3, item 5: from the staging folder to the phone, the right form for each kind."""
    async with rig.bridge.listening(), rig.working():
        rig.world.say("send it")
        await rig.bridge.until_rows(1)
        token = next(iter(rig.bridge.rows.values())).context_token
        uploaded = (await rig.bridge.ask(rig.staged(PICTURE, kind, "图.png"))).media
        reply = await rig.bridge.ask(
            OutboundSend("m1", rig.world.owner_id, "ctb:m1", token, media=uploaded)
        )
        assert reply.outcome == "sent"
    assert [sent.flaw for sent in rig.world.sent] == [""]
