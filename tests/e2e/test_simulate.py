"""`ctb-channel simulate` from outside: a client that knows only the protocol, and hard starts."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from channel_worker.simulator.scenarios import small_png
from tests.e2e.rig import BIN, PATIENCE_S, environment

HEADERS = {  # ilink-protocol 1.2
    "iLink-App-Id": "bot",
    "iLink-App-ClientVersion": "132105",
    "AuthorizationType": "ilink_bot_token",
    "X-WECHAT-UIN": "MzA1NDE5ODk2",
}
BASE_INFO = {"channel_version": "2.4.9", "bot_agent": "SomebodyElse/1.0"}

Json = dict[str, Any]  # Any: foreign JSON


class Client:
    """The least that somebody else would write for the real service."""

    def __init__(self, base_url: str) -> None:
        self._http = httpx.Client(base_url=base_url, trust_env=False, timeout=PATIENCE_S)
        self.login: Json = {}

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_how: object) -> None:
        self._http.close()

    def logs_in(self) -> list[str]:
        """The states that were seen, until it is confirmed."""
        code = self._http.post(
            "/ilink/bot/get_bot_qrcode?bot_type=3", json={"local_token_list": []}, headers=HEADERS
        ).json()
        seen: list[str] = []
        while "confirmed" not in seen:
            query = {"qrcode": code["qrcode"]}
            look = self._http.get("/ilink/bot/get_qrcode_status", params=query, headers=HEADERS)
            self.login = look.json()
            seen.append(self.login["status"])
        return seen

    def posts(self, endpoint: str, body: Json, leave_out: str = "") -> Json:
        headers = {**HEADERS, "Authorization": f"Bearer {self.login['bot_token']}"}
        headers.pop(leave_out, None)
        whole = {**body, "base_info": BASE_INFO}
        found: Json = self._http.post(f"/ilink/bot/{endpoint}", json=whole, headers=headers).json()
        return found

    def polls(self, cursor: str = "") -> Json:
        return self.posts("getupdates", {"get_updates_buf": cursor})

    def sends(self, number: int, token: str) -> Json:
        message = {
            "from_user_id": "",
            "to_user_id": self.login["ilink_user_id"],
            "client_id": f"other:{number}",
            "message_type": 2,
            "message_state": 2,
            "item_list": [{"type": 1, "text_item": {"text": f"number {number}"}}],
            "context_token": token,
        }
        return self.posts("sendmessage", {"msg": message})

    def gets(self, url: str) -> bytes:
        return self._http.get(url).content


@contextmanager
def simulating(*options: str, has_input: bool = True) -> Iterator[str]:
    """The command without a terminal; gives its base URL."""
    with tempfile.TemporaryDirectory(prefix="ctb-e2e-") as folder:
        child = subprocess.Popen(
            [str(BIN / "ctb-channel"), "simulate", *options],
            env=environment(Path(folder)),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=None if has_input else lambda: os.close(0),  # one thread
        )
        assert child.stdout
        try:
            line = child.stdout.readline()
            assert line.startswith("iLink server at http://"), line + child.stdout.read()
            yield line.split()[3]
            assert child.poll() is None, "it must stay up"
        finally:
            child.send_signal(signal.SIGKILL)
            child.wait(PATIENCE_S)
            child.stdout.close()


def test_client_of_somebody_else_works_unchanged() -> None:
    """issue 3, item 10: login, headers, cursors, ids, the ten sends, the CDN with real AES."""
    with simulating() as base_url, Client(base_url) as client:
        assert client.logs_in() == ["wait", "scaned", "confirmed"]
        assert client.login["baseurl"] == base_url
        assert client.posts("msg/notifystart", {})["ret"] == 0
        for header in ("iLink-App-Id", "iLink-App-ClientVersion", "AuthorizationType"):
            assert client.posts("getupdates", {}, leave_out=header)["errcode"] == -14
        batch = client.polls()
        text, picture = batch["msgs"]
        assert text["item_list"][0]["text_item"]["text"] == "hello"
        assert text["message_id"] > 1 << 53
        assert client.polls()["msgs"] == batch["msgs"]  # the old cursor, so the same again
        answers = [client.sends(n, picture["context_token"]) for n in range(11)]
        assert all(answer["message_id"] > 1 << 53 for answer in answers[:10])
        assert answers[10] == {"ret": -2, "errmsg": "freq limit"}
        image = picture["item_list"][0]["image_item"]
        media = image["media"]
        assert media["encrypt_type"] == 1
        url = f"{base_url}/c2c/download?encrypted_query_param={media['encrypt_query_param']}"
        assert client.gets(url) == client.gets(media["full_url"])
        key = bytes.fromhex(image["aeskey"])
        plain = Cipher(algorithms.AES128(key), modes.ECB()).decryptor().update(client.gets(url))
        assert plain[: -plain[-1]] == small_png()


def test_server_stays_up_with_its_input_closed() -> None:
    """issue 3, item 10."""
    with simulating(has_input=False) as base_url, Client(base_url) as client:
        assert client.logs_in()[-1] == "confirmed"


def test_scenario_of_ones_own_is_a_small_file(tmp_path: Path) -> None:
    """issue 3, item 10: and `--consume` makes an unread reply gone."""
    path = tmp_path / "mine.toml"
    path.write_text('login = ["confirmed"]\n[set]\nhold_s = 0.1\n[[message]]\ntext = "once"\n')
    with simulating("--scenario", str(path), "--consume") as base_url, Client(base_url) as client:
        assert client.logs_in() == ["confirmed"]
        assert len(client.polls()["msgs"]) == 1
        assert client.polls()["msgs"] == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--port", "{taken}"), "port {taken} cannot be used: Address already in use"),
        (("--port", "70000"), "port 70000 cannot be used"),
        (("--scenario", "frendly"), "no scenario 'frendly': there are bound,"),
    ],
)
def test_start_that_cannot_be_is_one_sentence(options: tuple[str, ...], said: str) -> None:
    """style 2, Commands."""
    with socket.socket() as taken, tempfile.TemporaryDirectory(prefix="ctb-e2e-") as folder:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = subprocess.run(
            [str(BIN / "ctb-channel"), "simulate", *(word.format(taken=port) for word in options)],
            env=environment(Path(folder)),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    assert found.returncode == 2 and not found.stdout
    assert found.stderr.startswith(f"ctb-channel: {said.format(taken=port)}")
    assert found.stderr.count("\n") == 1
