"""Credential file, settings, spool, phone and file types: values in, values out."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.wire import env
from bridge.wire.env import WrongSetting
from bridge.wire.log import Secret
from bridge.wire.messages import Inbound, Part
from bridge.wire.place import PlaceFault
from channel_worker import credentials, settings
from channel_worker.batch import Batch, Spool
from channel_worker.credentials import Credentials
from channel_worker.ilink.media import decrypted, encrypted, key_of, padded_size
from channel_worker.simulator import phone
from channel_worker.simulator.world import Sent
from channel_worker.sleepwatch import Moment, SleepWatch

DATE_MS = 1_700_000_000_000
HOUR_S = 3_600
GOOD = {
    "bot_token": "b@im.bot:s3cret",
    "account_id": "b@im.bot",
    "base_url": "",
    "user_id": "o@im.wechat",
    "generation": 3,
}


def written(folder: Path, body: object, mode: int = 0o600) -> Path:
    path = folder / "credentials.json"
    path.write_text(body if isinstance(body, str) else json.dumps(body))
    path.chmod(mode)
    return path


def test_credentials_come_back_as_they_were_saved(tmp_path: Path) -> None:
    """R17: 0600, whole."""
    given = Credentials(Secret("b@im.bot:s3cret"), "b@im.bot", "", "o@im.wechat", 4, 5, 6)
    path = tmp_path / "local" / "credentials.json"
    credentials.save(path, given)
    assert credentials.load_file(path) == given
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_file_made_by_hand_needs_no_optional_fields(tmp_path: Path) -> None:
    """issue 2: paired_at and owner_epoch are optional."""
    found = credentials.load_file(written(tmp_path, GOOD))
    assert found and (found.generation, found.paired_at_ms, found.owner_epoch) == (3, 0, 0)


@pytest.mark.parametrize(
    ("body", "mode"),
    [
        ("", 0o600),
        ('{"bot_token": "x', 0o600),
        ("[]", 0o600),
        (GOOD | {"generation": True}, 0o600),
        (GOOD | {"generation": "3"}, 0o600),
        (GOOD | {"bot_token": ""}, 0o600),
        (GOOD | {"user_id": 5}, 0o600),
        (GOOD, 0o644),
        (GOOD, 0o640),
    ],
)
def test_file_that_cannot_be_trusted_is_one_sentence(
    tmp_path: Path, body: object, mode: int
) -> None:
    """F73: half written, empty, world-readable; never the token in the sentence."""
    with pytest.raises(PlaceFault) as fault:
        credentials.load_file(written(tmp_path, body, mode))
    assert "s3cret" not in str(fault.value) and "run" in str(fault.value)


def test_symlink_is_refused_and_nothing_is_none(tmp_path: Path) -> None:
    """F73."""
    link = tmp_path / "link"
    link.symlink_to(written(tmp_path, GOOD))
    with pytest.raises(PlaceFault, match="symbolic link"):
        credentials.load_file(link)
    assert credentials.load_file(tmp_path / "none") is None


def of(tmp_path: Path, **variables: str) -> settings.Settings:
    return settings.read(env.read({"CTB_PROJECT_ROOT": str(tmp_path), **variables}))


def test_loopback_base_brings_its_cdn_along(tmp_path: Path) -> None:
    """design 8."""
    found = of(tmp_path, ILINK_BASE_URL="http://127.0.0.1:8000/ilink/bot/")
    assert found.base_url == "http://127.0.0.1:8000"
    assert found.cdn_base_url == "http://127.0.0.1:8000/c2c"
    assert of(tmp_path).cdn_base_url == "https://novac2c.cdn.weixin.qq.com/c2c"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ILINK_BASE_URL", "http://weixin.qq.com"),
        ("ILINK_BASE_URL", "https://evil.example"),
        ("ILINK_CDN_BASE_URL", "http://weixin.qq.com"),
        ("ILINK_PROXY", "socks5://x"),
        ("ILINK_CLIENT_VERSION", "2.4"),
        ("ILINK_BOT_AGENT", "no version"),
        ("ILINK_POLL_TIMEOUT_SECONDS", "0"),
        ("ILINK_REQUEST_TIMEOUT_SECONDS", "x"),
        ("CTB_LOG_LEVEL", "loud"),
    ],
)
def test_wrong_setting_names_itself_and_an_example(tmp_path: Path, name: str, value: str) -> None:
    """design 8."""
    with pytest.raises(WrongSetting, match=f"^{name} .*; for example: {name}="):
        of(tmp_path, **{name: value})


def test_settings_are_shown_without_a_secret_or_a_whole_person(tmp_path: Path) -> None:
    """issue 3, item 11: `probe-updates` is the one place that prints whole person ids."""
    secrets = {
        "ILINK_BOT_TOKEN": "b@im.bot:s3cret",
        "ILINK_OWNER_USER_IDS": "oOwner0123456789@im.wechat,oOther0000004321@im.wechat",
        "ILINK_PROXY": "http://user:pass-word@127.0.0.1:7890",
    }
    found = of(tmp_path, **secrets, ILINK_BOT_AGENT="Mine/1.0")
    shown = "\n".join(settings.shown(found, ""))
    assert "ILINK_BOT_AGENT=Mine/1.0" in shown and "(…6789, …4321)" in shown
    for word in ("s3cret", "oOwner", "oOther", "pass-word"):
        assert word not in shown
    named = settings.shown(found, "oMe@im.wechat")
    assert "ILINK_OWNER_USER_IDS=oMe@im.wechat" in named
    again = env.read({line.partition("=")[0]: line.partition("=")[2] for line in named})
    assert settings.read(again).owner_user_ids == ("oMe@im.wechat",)


def test_direct_token_needs_an_owner(tmp_path: Path) -> None:
    """design 8: ILINK_BOT_TOKEN; a new token is another generation."""
    with pytest.raises(WrongSetting, match="ILINK_OWNER_USER_IDS"):
        of(tmp_path, ILINK_BOT_TOKEN="b@im.bot:x")
    both = [
        of(tmp_path, ILINK_BOT_TOKEN=f"b@im.bot:{word}", ILINK_OWNER_USER_IDS="o, p")
        for word in ("x", "y")
    ]
    found = [credentials.load(one) for one in both]
    assert found[0] and found[1] and found[0].generation != found[1].generation
    assert (found[0].bot_id, both[0].owner_user_ids) == ("b@im.bot", ("o", "p"))
    assert "b@im.bot:x" not in repr(both[0])


def test_spooled_batch_comes_back_and_is_private(tmp_path: Path) -> None:
    """R21, delivery-semantics 4."""
    now = SleepWatch().now()
    spool = Spool(tmp_path / "spool.json")
    batch = Batch("c1", "c2", 0, now, (Inbound("mid:1", "o", parts=(Part("text", "字"),)),))
    spool.keep(batch, now)
    loaded = spool.load(now)
    assert loaded and list(loaded.commits(lambda: now)) == list(batch.commits(lambda: now))
    assert stat.S_IMODE((tmp_path / "spool.json").stat().st_mode) == 0o600
    spool.drop()
    assert spool.load(now) is None


@pytest.mark.parametrize(
    ("wall_s", "monotonic_s", "kept_s"),
    [
        pytest.param(5, 5, 5, id="awake"),
        pytest.param(8 * HOUR_S, 5, 8 * HOUR_S, id="slept"),
        pytest.param(-HOUR_S, 5, 5, id="clock-set-back"),
        pytest.param(-HOUR_S, 0, 0, id="clock-set-back-at-once"),
    ],
)
def test_time_of_the_server_goes_on_while_a_batch_is_kept(
    wall_s: int, monotonic_s: int, kept_s: int
) -> None:
    """delivery-semantics 4 and 12: a message that waited here is as old as it is."""
    batch = Batch("c1", "c2", DATE_MS, Moment(1e9, 7.0), ())
    (commit,) = batch.commits(lambda: Moment(1e9 + wall_s, 7.0 + monotonic_s))
    assert commit.server_now_ms == DATE_MS + kept_s * 1000
    dateless = Batch("c1", "c2", 0, Moment(1e9, 7.0), ())
    (commit,) = dateless.commits(lambda: Moment(1e9 + wall_s, 7.0 + monotonic_s))
    assert commit.server_now_ms == 0  # so the bridge takes its own


def test_each_slice_of_a_batch_bears_the_time_at_which_it_leaves() -> None:
    """delivery-semantics 4: a slice may wait for the one before it."""
    long = tuple(Inbound(f"mid:{n}", "o", parts=(Part("text", "字" * 700_000),)) for n in (1, 2))
    times = iter([Moment(1e9, 7.0), Moment(1e9 + 30, 37.0)])
    commits = Batch("c1", "c2", DATE_MS, Moment(1e9, 7.0), long).commits(lambda: next(times))
    assert [commit.server_now_ms - DATE_MS for commit in commits] == [0, 30_000]


@pytest.mark.parametrize(
    ("lay_s", "kept_s"),
    [
        pytest.param(8 * HOUR_S, 8 * HOUR_S, id="overnight"),
        pytest.param(-HOUR_S, 0, id="clock-set-back"),
    ],
)
def test_time_of_the_server_goes_on_while_a_batch_lies_on_disk(
    tmp_path: Path, lay_s: int, kept_s: int
) -> None:
    """delivery-semantics 4: what was kept before the stop counts as well, and what comes after."""
    spool = Spool(tmp_path / "spool.json")
    written_s = 1_700_000_000
    spool.keep(
        Batch("c1", "c2", DATE_MS, Moment(written_s - 5, 100.0), ()), Moment(written_s, 105.0)
    )
    os.utime(tmp_path / "spool.json", (written_s, written_s))
    started = Moment(written_s + lay_s, 3.0)  # of another boot: its monotonic clock began anew
    loaded = spool.load(started)
    assert loaded and loaded.server_ms(started) == DATE_MS + (5 + kept_s) * 1000
    later = Moment(started.wall_s + 2, started.monotonic_s + 2)
    assert loaded.server_ms(later) == DATE_MS + (5 + kept_s + 2) * 1000


def test_sleep_is_seen_once_and_drift_is_not(tmp_path: Path) -> None:
    """delivery-semantics 12: more than 10 s."""
    wall = [100.0]
    watch = SleepWatch(wall=lambda: wall[0], monotonic=lambda: 0.0)
    wall[0] += 9
    assert watch.slept_s() == 0
    wall[0] += 3600
    assert watch.slept_s() == 3600
    assert watch.slept_s() == 0
    wall[0] -= 86400
    assert watch.slept_s() == -86400


def test_both_key_forms_are_read_and_others_refused() -> None:
    """ilink-protocol 7.3."""
    key = bytes.fromhex("00112233445566778899aabbccddeeff")
    assert key_of("00112233445566778899aabbccddeeff") == key
    assert key_of("ABEiM0RVZneImaq7zN3u/w==") == key
    assert key_of("MDAxMTIyMzM0NDU1NjY3Nzg4OTlhYWJiY2NkZGVlZmY=") == key
    assert key_of("") is None and key_of("xyz") is None and key_of("AAAA") is None


async def chopped(content: bytes, size: int) -> AsyncIterator[bytes]:
    for place in range(0, len(content), size):
        yield content[place : place + size]


@pytest.mark.parametrize("size", [1, 7, 16, 64])
@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 160])
async def test_encryption_survives_any_chopping(length: int, size: int) -> None:
    """ilink-protocol 7.2: PKCS#7, a full block more at a multiple of 16."""
    key, content = b"k" * 16, bytes(range(length))
    cipher = b"".join([part async for part in encrypted(chopped(content, size), key)])
    assert len(cipher) == padded_size(length)
    plain = b"".join([part async for part in decrypted(chopped(cipher, size), key)])
    assert plain == content


def test_bubble_is_as_wide_as_a_phone_shows_it() -> None:
    """issue 2, point 3: borders line up for Chinese and emoji."""
    sent = Sent("1", "c", "o", {"text_item": {"text": "测试 👩‍💻 ok\nsecond line"}}, 0)
    lines = phone.bubble(sent, 80).splitlines()
    borders = [phone.width(line) for line in lines[:-1]]
    assert len(set(borders)) == 1 and lines[0].startswith("╭") and "second line" in lines[2]


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=120))
def test_wrapping_loses_no_sign_but_blanks(text: str) -> None:
    """Ours: what is sent is what is shown."""
    pieces = phone.wrapped(text, 20)
    assert "".join(pieces).replace(" ", "") == text.replace(" ", "")
    assert all(phone.width(piece) <= 20 for piece in pieces)
