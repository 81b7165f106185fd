"""Whom the worker talks to, over real TLS: nobody whom no authority vouches for."""

from __future__ import annotations

import ipaddress
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.tls import TLSListener
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bridge.wire import env
from bridge.wire.env import WrongSetting
from bridge.wire.log import Secret
from bridge.wire.messages import SendReply
from channel_worker import settings
from channel_worker.ilink.http import Http, HttpFault
from channel_worker.ilink.speech import Product

if TYPE_CHECKING:
    from tests.contract.channel_rig import Rig

pytest_plugins = ["tests.contract.channel_rig"]

PRODUCT = Product("2.4.9", "CodexThreadBridge/0.1.0")
TOKEN = Secret("0a1b2c3d4e5f@im.bot:canary")
LIMIT_S = 10.0


class Server:
    """Whatever is spoken to it is kept; the answer is always the same."""

    def __init__(self, answer: bytes) -> None:
        self.heard: list[bytes] = []
        self.port = 0
        self._answer = answer

    async def serve(self, stream: ByteStream) -> None:
        async with stream:
            self.heard.append(await stream.receive())
            await stream.send(self._answer)


def answer(status: str, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", "Content-Length: 2", *headers, "", "{}"]
    return "\r\n".join(lines).encode()


@asynccontextmanager
async def listening(answer: bytes, context: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """A server on loopback, with TLS where there is a context."""
    server = Server(answer)
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        server.port = listener.extra(SocketAttribute.local_port)
        async with anyio.create_task_group() as tasks:
            if context:
                secured = TLSListener(listener, context, standard_compatible=False)
                tasks.start_soon(secured.serve, server.serve)
            else:
                tasks.start_soon(listener.serve, server.serve)
            with anyio.fail_after(LIMIT_S):
                yield server
            tasks.cancel_scope.cancel()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that nobody but itself vouches for, for 127.0.0.1 and localhost."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    now = datetime.fromtimestamp(time.time(), UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost"), loopback]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = tmp_path_factory.mktemp("tls") / "self-signed.pem"
    path.write_bytes(private + signed.public_bytes(Encoding.PEM))
    return path


@pytest.fixture
async def stranger(certificate: Path) -> AsyncIterator[Server]:
    """A TLS server with that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    async with listening(answer("200 OK"), context) as server:
        yield server


async def test_server_that_nobody_vouches_for_is_told_nothing(
    stranger: Server, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R20, F43: a captive portal, or a wrong authority; no variable makes it trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    http = Http(f"https://127.0.0.1:{stranger.port}", TOKEN, PRODUCT)
    for call in (
        http.call("sendmessage", {}, LIMIT_S),
        http.look("get_qrcode_status", {"qrcode": "key"}, LIMIT_S),
        http.poll("", LIMIT_S),
    ):
        with pytest.raises(HttpFault) as fault:
            await call
        assert (fault.value.word, fault.value.has_left) == ("connect", False)
    await http.aclose()
    assert stranger.heard == []
    # The server is fine: whoever trusts its certificate is answered.
    async with await anyio.connect_tcp(
        "127.0.0.1",
        stranger.port,
        ssl_context=ssl.create_default_context(cafile=certificate),
        tls_standard_compatible=False,
    ) as stream:
        await stream.send(b"GET / HTTP/1.1\r\n\r\n")
        assert (await stream.receive()).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("base", ["http://127.0.0.1:{port}", "https://127.0.0.1:{port}"])
async def test_file_goes_to_no_server_that_nobody_vouches_for(stranger: Server, base: str) -> None:
    """R20: the CDN; a plain loopback base does not make TLS optional."""
    http = Http(base.format(port=stranger.port), TOKEN, PRODUCT)

    async def chunks() -> AsyncIterator[bytes]:
        yield b"x" * 16

    url = f"https://127.0.0.1:{stranger.port}/c2c/upload"
    with pytest.raises(HttpFault) as fault:
        await http.upload(url, chunks(), 16, LIMIT_S)
    assert fault.value.has_left is False
    with pytest.raises(HttpFault):
        async with http.download(url, LIMIT_S):
            pass
    await http.aclose()
    assert stranger.heard == []


async def test_send_to_a_server_that_nobody_vouches_for_was_not_sent(
    rig: Rig, stranger: Server
) -> None:
    """F35: nothing has left, so it may be tried again."""
    base = f"https://127.0.0.1:{stranger.port}"
    async with rig.bridge.listening(), rig.working(ILINK_BASE_URL=base):
        await rig.bridge.until_up()
        reply = await rig.bridge.send("secret words", "ctx", rig.world.owner_id)
    assert reply == SendReply("not_sent", code="connect") and stranger.heard == []


async def test_redirect_is_an_answer_and_leads_nowhere() -> None:
    """R20: the token goes to the host that was checked, and to no other."""
    async with listening(answer("200 OK")) as other:
        moved = answer("302 Found", f"Location: http://127.0.0.1:{other.port}/")
        async with listening(moved) as server:
            http = Http(f"http://127.0.0.1:{server.port}", TOKEN, PRODUCT)
            assert (await http.call("sendmessage", {}, LIMIT_S)).status == 302
            await http.aclose()
    assert len(server.heard) == 1 and other.heard == []


async def test_proxy_of_the_settings_is_used_and_none_of_the_environment(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R20, F43: ILINK_PROXY alone."""
    async with listening(answer("200 OK")) as wanted, listening(answer("200 OK")) as unwanted:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{unwanted.port}")
        proxy = f"http://127.0.0.1:{wanted.port}"
        async with rig.bridge.listening(), rig.working(ILINK_PROXY=proxy):
            await rig.bridge.until_up()
            await rig.bridge.send("hi", "ctx", rig.world.owner_id)
    url = f"POST {rig.simulator.base_url}/ilink/bot/".encode()
    assert wanted.heard and all(heard.startswith(url) for heard in wanted.heard)
    assert not rig.world.transcript and unwanted.heard == []


@pytest.mark.parametrize(
    "base",
    [
        "http://ilinkai.weixin.qq.com",
        "https://ilink.example",
        "https://93.184.215.14",
        "https://me@ilinkai.weixin.qq.com",
        "ftp://127.0.0.1",
    ],
)
def test_base_that_may_not_be_is_one_sentence(tmp_path: Path, base: str) -> None:
    """R20: http for loopback alone; a host outside ILINK_HOST_SUFFIXES is refused."""
    given = {"CTB_PROJECT_ROOT": str(tmp_path), "ILINK_BASE_URL": base}
    with pytest.raises(WrongSetting, match="ILINK_HOST_SUFFIXES lists what may be"):
        settings.read(env.read(given))


def test_suffixes_of_the_settings_decide(tmp_path: Path) -> None:
    """R20: what they name is taken, and what they no longer name is not."""
    given = {"CTB_PROJECT_ROOT": str(tmp_path), "ILINK_HOST_SUFFIXES": "ilink.example"}
    given |= {"ILINK_CDN_BASE_URL": "https://cdn.ilink.example/c2c"}
    named = {"ILINK_BASE_URL": "https://eu.ilink.example"}
    assert settings.read(env.read(given | named)).login_base_url == "https://eu.ilink.example"
    with pytest.raises(WrongSetting):
        settings.read(env.read(given | {"ILINK_BASE_URL": "https://ilinkai.weixin.qq.com"}))


async def test_login_at_a_foreign_host_is_not_used(rig: Rig) -> None:
    """R20, F42: a credential file that names another server; nobody is asked."""
    rig.write_credentials(base_url="https://ilink.example")
    async with rig.bridge.listening(), rig.working(ILINK_BASE_URL=""):
        await rig.until_said("is not under weixin.qq.com")
        await rig.bridge.until_state("no_credentials")
    assert not rig.bridge.hellos
