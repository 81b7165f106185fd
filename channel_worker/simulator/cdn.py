"""The CDN of the simulated server: encrypted bytes by handle, under `/c2c`."""

from __future__ import annotations

import base64
import secrets
from typing import TYPE_CHECKING

import anyio
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from channel_worker.simulator.world import Json

if TYPE_CHECKING:
    from channel_worker.simulator.server import Simulator

NEEDED = ("filekey", "media_type", "to_user_id", "rawsize", "rawfilemd5", "filesize", "aeskey")


def routes(simulator: Simulator) -> list[Route]:
    place = _Place(simulator)
    return [
        Route("/c2c/upload", place.upload, methods=["POST"]),
        Route("/c2c/upload", _not_found, methods=["PUT"]),  # as the real one, `ilink-protocol` 7.2
        Route("/c2c/download", place.download),
    ]


def upload_place(simulator: Simulator, body: Json) -> Json:
    """The answer to getuploadurl; what it promises is checked at the upload."""
    if any(body.get(name) in (None, "") for name in NEEDED) or not body.get("no_need_thumb"):
        return {"ret": -1, "errmsg": "invalid arguments"}
    param = secrets.token_urlsafe(9)
    simulator.world.uploads[param] = body
    if simulator.world.gives_upload_param:
        return {"upload_param": param}
    query = f"encrypted_query_param={param}&filekey={body['filekey']}"
    return {"upload_full_url": f"{simulator.base_url}/c2c/upload?{query}"}


def picture_item(simulator: Simulator, content: bytes) -> Json:
    """An image message item whose bytes lie here, encrypted with a fresh key."""
    media, key = _put(simulator, content)
    image = {"aeskey": key.hex(), "media": media, "mid_size": len(content) // 16 * 16 + 16}
    return {"type": 2, "image_item": image}


def file_item(simulator: Simulator, name: str, content: bytes) -> Json:
    """The same for a file with its owner's name for it; the key has its second form."""
    media, key = _put(simulator, content)
    media["aes_key"] = base64.b64encode(key.hex().encode()).decode()
    file = {"media": media, "file_name": name, "len": str(len(content))}
    return {"type": 4, "file_item": file}


def voice_item(simulator: Simulator, content: bytes, text: str = "") -> Json:
    """The same for a voice message, with WeChat's transcript or without."""
    media, key = _put(simulator, content)
    media["aes_key"] = base64.b64encode(key).decode()
    voice = {"media": media, "encode_type": 6, "sample_rate": 24_000, "playtime": 2_000}
    return {"type": 3, "voice_item": {**voice, "text": text} if text else voice}


def encrypt(content: bytes, key: bytes) -> bytes:
    """AES-128-ECB with PKCS#7, as iLink encrypts every file (`ilink-protocol` 7.2)."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    padding = 16 - len(content) % 16
    encryptor = Cipher(algorithms.AES128(key), modes.ECB()).encryptor()
    return encryptor.update(content + bytes([padding]) * padding) + encryptor.finalize()


def _put(simulator: Simulator, content: bytes) -> tuple[dict[str, Json], bytes]:
    """Bytes under a fresh key and handle: the reference to them, and the key."""
    key, handle = secrets.token_bytes(16), secrets.token_urlsafe(12)
    simulator.world.files[handle] = encrypt(content, key)
    url = f"{simulator.base_url}/c2c/download?encrypted_query_param={handle}"
    return {"encrypt_query_param": handle, "full_url": url, "encrypt_type": 1}, key


async def _not_found(_request: Request) -> Response:
    return Response(status_code=404)


class _Place:
    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._world = simulator.world

    async def upload(self, request: Request) -> Response:
        self._world.record("cdn_upload", dict(request.headers), dict(request.query_params))
        fault = self._world.next_fault("cdn_upload")
        if fault and fault.kind == "delay":
            await anyio.sleep(fault.seconds)
        elif fault:
            return Response(status_code=fault.code, headers={"x-error-message": fault.message})
        promised = self._world.uploads.get(request.query_params.get("encrypted_query_param", ""))
        content = await request.body()
        if promised is None or promised["filekey"] != request.query_params.get("filekey"):
            return Response(status_code=400, headers={"x-error-message": "unknown upload"})
        if len(content) != promised["filesize"]:
            return Response(status_code=400, headers={"x-error-message": "size mismatch"})
        handle = secrets.token_urlsafe(12)
        self._world.files[handle] = content
        return Response(headers={"x-encrypted-param": handle})

    async def download(self, request: Request) -> Response:
        self._world.record("cdn_download", dict(request.headers), dict(request.query_params))
        fault = self._world.next_fault("cdn_download")
        if fault and fault.kind == "delay":
            await anyio.sleep(fault.seconds)
        elif fault:
            return Response(status_code=fault.code)
        content = self._world.files.get(request.query_params.get("encrypted_query_param", ""))
        return Response(content) if content is not None else Response(status_code=404)
