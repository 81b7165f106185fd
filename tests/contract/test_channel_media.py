"""Files to and from the CDN: real AES, real sizes, and every way it goes wrong."""

from __future__ import annotations

import hashlib
import json
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from bridge.core.uploading import GONE
from bridge.wire.messages import FetchReply, Media, MediaFetch, OutboundSend, UploadReply
from channel_worker.simulator import cdn
from channel_worker.simulator.scenarios import small_png

if TYPE_CHECKING:
    from tests.contract.channel_rig import Rig

pytest_plugins = ["tests.contract.channel_rig"]

LIMIT = 1024 * 1024


async def upload(rig: Rig, content: bytes, kind: str = "file") -> UploadReply:
    return await rig.bridge.ask(rig.staged(content, kind), deadline_s=20)


async def fetch(rig: Rig, media: Media, kind: str = "image", limit: int = LIMIT) -> FetchReply:
    order = MediaFetch(kind, media, limit)  # type: ignore[arg-type]  # one of the words
    return await rig.bridge.ask(order, deadline_s=20)


def picture(rig: Rig, content: bytes) -> Media:
    image = cdn.picture_item(rig.simulator, content)["image_item"]
    return Media(image["media"]["encrypt_query_param"], image["media"]["full_url"], image["aeskey"])


@pytest.mark.parametrize("size", [0, 15, 16, 5003, 300_000])
@pytest.mark.parametrize("gives_param", [True, False])
async def test_uploaded_bytes_decrypt_to_the_staged_ones(
    rig: Rig, size: int, gives_param: bool
) -> None:
    """ilink-protocol 7.1 to 7.3, I11; both forms of the place for an upload."""
    rig.world.gives_upload_param = gives_param
    content = bytes(range(256)) * (size // 256) + bytes(size % 256)
    async with rig.bridge.listening(), rig.working():
        await rig.bridge.until_up()
        reply = await upload(rig, content)
    assert reply.media
    asked = rig.world.calls("getuploadurl")[0].body
    assert asked["rawfilemd5"] == hashlib.md5(content).hexdigest()
    assert (asked["media_type"], asked["no_need_thumb"], asked["rawsize"]) == (3, True, size)
    stored = rig.world.files[reply.media.download_param]
    assert len(stored) == asked["filesize"] == reply.media.cipher_bytes
    decryptor = Cipher(
        algorithms.AES128(bytes.fromhex(reply.media.aes_key)), modes.ECB()
    ).decryptor()
    plain = decryptor.update(stored) + decryptor.finalize()
    assert plain[: -plain[-1]] == content
    headers = rig.world.calls("cdn_upload")[0].headers
    assert "authorization" not in headers and "ilink-app-id" not in headers


async def test_file_item_carries_what_phones_need(rig: Rig) -> None:
    """ilink-protocol 7.2, 7.3: key as base64 of hex digits, encrypt_type, len as text."""
    async with rig.bridge.listening(), rig.working():
        rig.world.say("send it")
        await rig.bridge.until_rows(1)
        token = next(iter(rig.bridge.rows.values())).context_token
        uploaded = (await upload(rig, b"x" * 5003)).media
        assert uploaded
        await rig.bridge.ask(
            OutboundSend("m1", rig.world.owner_id, "ctb:m1", token, media=uploaded)
        )
    item = rig.world.sent[0].item
    assert item["type"] == 4 and item["file_item"]["len"] == "5003"
    assert item["file_item"]["media"]["encrypt_type"] == 1
    assert len(item["file_item"]["media"]["aes_key"]) == 44


async def test_upload_tries_three_times_then_reports(rig: Rig) -> None:
    """ilink-protocol 7.2 step 4: 5xx again, 4xx never."""
    async with rig.bridge.listening(), rig.working():
        await rig.bridge.until_up()
        rig.simulator.fail("cdn_upload", "status", code=500, times=2)
        assert (await upload(rig, b"abc")).outcome == "sent"
        rig.simulator.fail("cdn_upload", "status", code=400, message="size mismatch")
        refused = await upload(rig, b"abc")
    assert (refused.outcome, refused.code) == ("refused", "cdn 400 size mismatch")
    assert len(rig.world.calls("cdn_upload")) == 4


@pytest.mark.parametrize("said", ["CANARY", "key=0123", "word " * 8 + "word"])
async def test_what_the_cdn_says_is_kept_only_where_it_is_plain_words(rig: Rig, said: str) -> None:
    """R18: it is logged, and nobody knows what is in it."""
    async with rig.bridge.listening(), rig.working():
        await rig.bridge.until_up()
        body = json.dumps({"upload_full_url": f"{rig.simulator.base_url}/c2c/upload"}).encode()
        rig.simulator.fail("getuploadurl", "body", body=body)
        rig.simulator.fail("cdn_upload", "status", code=400, message=said)
        reply = await upload(rig, b"abc")
    assert (reply.outcome, reply.code) == ("refused", "cdn 400")


@pytest.mark.parametrize(("code", "outcome"), [(-14, "expired"), (-2, "throttled")])
async def test_refused_account_gives_its_outcome(rig: Rig, code: int, outcome: str) -> None:
    """F30: -14 at upload."""
    async with rig.bridge.listening(), rig.working():
        await rig.bridge.until_up()
        rig.simulator.fail("getuploadurl", "ret", code=code)
        reply = await upload(rig, b"abc")
    assert (reply.outcome, reply.code) == (outcome, str(code))


@pytest.mark.parametrize(
    "place",
    [
        "https://evil.example/c2c/upload",
        "https://10.0.0.1/c2c/upload",
        "https://[fe80::1]/c2c/upload",
        "https://weixin.qq.com@evil.example/upload",
        "http://weixin.qq.com/upload",
        "file:///etc/passwd",
    ],
)
async def test_upload_goes_to_no_foreign_place(rig: Rig, place: str) -> None:
    """R20, F42: hosts and address literals that a reply names."""
    async with rig.bridge.listening(), rig.working():
        await rig.bridge.until_up()
        body = json.dumps({"upload_full_url": place}).encode()
        rig.simulator.fail("getuploadurl", "body", body=body)
        assert (await upload(rig, b"abc")).outcome == "refused"


@pytest.mark.parametrize("name", ["../credentials.json", "/etc/passwd", ".hidden", "", "link"])
async def test_nothing_outside_the_staging_folder_is_read(rig: Rig, name: str) -> None:
    """issue 3, point 5; R23."""
    async with rig.bridge.listening(), rig.working():
        await rig.bridge.until_up()
        (rig.folder / "data/staging/link").symlink_to("/etc/passwd")
        order = replace(rig.staged(b"x"), staged_name=name)
        assert (await rig.bridge.ask(order)).outcome == "refused"
    assert not rig.world.calls("getuploadurl")


@pytest.mark.parametrize("other", [b"as changed!", b"as approved, and more", b"as", b""])
async def test_other_bytes_than_the_approved_ones_are_not_uploaded(rig: Rig, other: bytes) -> None:
    """I11, R24: whatever lies under the name by then."""
    async with rig.bridge.listening(), rig.working():
        await rig.bridge.until_up()
        order = rig.staged(b"as approved")
        (rig.folder / "data/staging/blob").write_bytes(other)
        assert await rig.bridge.ask(order) == UploadReply("refused", code=GONE)
    assert not rig.world.calls("getuploadurl")


@pytest.mark.parametrize(("size", "after"), [(11, 11), (11, 16), (300_000, 300_000)])
async def test_file_that_changes_on_its_way_up_is_no_upload(
    rig: Rig, size: int, after: int
) -> None:
    """I11, R24: behind the hash that was taken first, also where it fills the padding too."""
    rig.simulator.fail("getuploadurl", "delay", seconds=0.5)
    async with rig.bridge.listening(), rig.working(), anyio.create_task_group() as tasks:

        async def change() -> None:
            await rig.until(lambda: rig.world.calls("getuploadurl"))
            (rig.folder / "data/staging/blob").write_bytes(b"b" * after)

        await rig.bridge.until_up()
        order = rig.staged(b"a" * size)
        tasks.start_soon(change)
        assert await rig.bridge.ask(order) == UploadReply("refused", code=GONE)
    assert not rig.world.files


async def test_fetched_picture_is_whole_private_and_named_by_us(rig: Rig) -> None:
    """R27; ilink-protocol 7.4."""
    async with rig.bridge.listening(), rig.working():
        await rig.bridge.until_up()
        reply = await fetch(rig, picture(rig, small_png()))
    assert (reply.outcome, reply.content_type) == ("stored", "image/png")
    stored = rig.folder / "data/attachments" / reply.stored_path
    assert stored.read_bytes() == small_png() and stored.suffix == ".png"
    assert stat.S_IMODE(stored.stat().st_mode) == 0o600
    assert reply.size_bytes == len(small_png())


async def test_keyless_picture_is_taken_as_plain(rig: Rig) -> None:
    """ilink-protocol 7.4."""
    rig.world.files["plain"] = small_png()
    async with rig.bridge.listening(), rig.working():
        await rig.bridge.until_up()
        assert (await fetch(rig, Media("plain"))).outcome == "stored"
        assert (await fetch(rig, Media("plain"), kind="file")).outcome == "gone"


async def test_bad_media_is_given_up_and_leaves_nothing(rig: Rig) -> None:
    """F45: gone, wrong key, wrong padding, too large, foreign host."""
    async with rig.bridge.listening(), rig.working():
        await rig.bridge.until_up()
        good = picture(rig, b"x" * 4000)
        rig.world.files["odd"] = b"seventeen bytes.."
        replies = [
            await fetch(rig, Media("nothing-there", aes_key=good.aes_key)),
            await fetch(rig, Media(good.download_param, aes_key="00" * 16)),
            await fetch(rig, Media(good.download_param, aes_key="not a key")),
            await fetch(rig, Media("odd", aes_key=good.aes_key)),
            await fetch(rig, good, limit=3999),
            await fetch(rig, Media(full_url="https://evil.example/x", aes_key=good.aes_key)),
        ]
    assert [reply.outcome for reply in replies] == ["gone"] * 6
    assert not [path for path in (rig.folder / "data/attachments").rglob("*") if path.is_file()]


async def test_good_file_behind_a_stumbling_cdn_is_fetched(rig: Rig) -> None:
    """ilink-protocol 7.4: HTTP 500 now and then for good files."""
    async with rig.bridge.listening(), rig.working():
        await rig.bridge.until_up()
        rig.simulator.fail("cdn_download", "status", code=500)
        assert (await fetch(rig, picture(rig, b"x"))).outcome == "stored"
