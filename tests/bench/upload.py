"""20 MiB on their way to the CDN: the worker's time and memory, beside the bare deed.

The worker is the real command, before a simulated iLink server in a process of its own
and a bridge that only asks for uploads. The reference encrypts the same bytes whole and
posts them to the same server.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from bridge.wire.messages import MediaUpload
from tests.bench import usage
from tests.bench.subjects import BIN, STOP_S, scratch
from tests.fakes.bridge import FakeBridge

SIZE_BYTES = 20 * 1024 * 1024  # design.md 9: the largest artifact
LOOK_S = 0.005  # between two looks at the worker's memory
UPLOAD_S = 60.0
OWNER = "oOwner0123456789@im.wechat"  # the simulator's

Json = dict[str, Any]  # foreign JSON, read here and nowhere else


def upload() -> dict[str, float]:
    """One upload by the worker, and one bare."""
    with scratch() as folder, _simulator(folder) as (base_url, credentials):
        content = os.urandom(SIZE_BYTES)
        found = anyio.run(_by_worker, folder, base_url, credentials, content)
        return found | {"bare_upload_ms": _bare(base_url, credentials["bot_token"], content)}


async def _by_worker(
    folder: Path, base_url: str, credentials: Json, content: bytes
) -> dict[str, float]:
    file = folder / "credentials.json"
    file.touch(0o600)
    file.write_text(json.dumps(credentials))
    bridge = FakeBridge(folder)
    settings = {
        "CTB_PROJECT_ROOT": str(folder),
        "CTB_SOCKET": str(bridge.path),
        "ILINK_BASE_URL": base_url,
        "ILINK_CREDENTIALS_PATH": str(file),
    }
    async with bridge.listening():
        with _process([str(BIN / "ctb-channel"), "run"], folder, settings) as worker:
            await bridge.until(lambda: bridge.peer is not None, UPLOAD_S)
            (folder / "data/staging/blob").write_bytes(content)
            digest = hashlib.sha256(content).hexdigest()
            order = MediaUpload("blob", "file", OWNER, "x.bin", digest)
            peak_mib, begun_s = 0.0, time.monotonic()
            async with anyio.create_task_group() as watching:

                async def watch() -> None:
                    nonlocal peak_mib
                    while True:
                        peak_mib = max(peak_mib, usage.resident_mib(worker.pid))
                        await anyio.sleep(LOOK_S)

                watching.start_soon(watch)
                reply = await bridge.ask(order, UPLOAD_S)
                took_s = time.monotonic() - begun_s
                watching.cancel_scope.cancel()
    assert reply.outcome == "sent", reply
    return {"upload_ms": took_s * 1e3, "upload_mib": peak_mib}


def _bare(base_url: str, token: str, content: bytes) -> float:
    """Encrypt and post, in milliseconds; asking for the place is not counted."""
    key, file_key = secrets.token_bytes(16), secrets.token_hex(16)
    size_bytes = len(content) // 16 * 16 + 16
    asked = {
        "filekey": file_key,
        "media_type": 3,
        "to_user_id": OWNER,
        "rawsize": len(content),
        "rawfilemd5": hashlib.md5(content, usedforsecurity=False).hexdigest(),
        "filesize": size_bytes,
        "no_need_thumb": True,
        "aeskey": key.hex(),
    }
    headers = {
        "Authorization": f"Bearer {token}",
        "AuthorizationType": "ilink_bot_token",
        "iLink-App-Id": "bot",
        "iLink-App-ClientVersion": "132105",
    }
    with httpx.Client(trust_env=False, timeout=UPLOAD_S) as client:
        place = client.post(f"{base_url}/ilink/bot/getuploadurl", json=asked, headers=headers)
        begun_s = time.monotonic()
        encryptor = Cipher(algorithms.AES128(key), modes.ECB()).encryptor()
        padding = size_bytes - len(content)
        encrypted = encryptor.update(content + bytes([padding]) * padding) + encryptor.finalize()
        client.post(place.json()["upload_full_url"], content=encrypted).raise_for_status()
        return (time.monotonic() - begun_s) * 1e3


@contextmanager
def _simulator(folder: Path) -> Iterator[tuple[str, Json]]:
    """The simulated server in its own process: its address, and a login to it."""
    command = [str(BIN / "ctb-channel"), "simulate", "--scenario", "silent", "--admin-port", "0"]
    with _process(command, folder, {}) as process:
        assert process.stdout
        base_url, admin_url = (_url(process.stdout.readline()) for _ in range(2))
        credentials = httpx.get(f"{admin_url}/credentials", trust_env=False).json()
        yield base_url, credentials


def _url(line: bytes) -> str:
    return next(word for word in line.decode().split() if word.startswith("http://"))


@contextmanager
def _process(
    command: list[str], folder: Path, settings: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    outside = {k: v for k, v in os.environ.items() if not k.startswith(("CTB_", "ILINK_"))}
    child = subprocess.Popen(
        command,
        env=outside | settings,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield child
    finally:
        child.terminate()
        child.wait(STOP_S)
        assert child.stdout
        child.stdout.close()
