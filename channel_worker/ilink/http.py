"""The one file that speaks HTTP: exact headers, deadlines, size caps, two pools.

The long poll has its own connection, so that nothing ever waits behind it; all other
calls share the second pool. Nothing is repeated here: one call is at most one request.
Proxies of the environment are ignored, redirects are not followed, TLS is always
verified, compressed replies are not asked for (threat-model R9, R20).
"""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from urllib.parse import quote

import anyio
import httpx

from bridge.wire.codec import Json
from bridge.wire.log import Secret
from channel_worker.ilink.arrival import Arrival, Backend, PollEnded
from channel_worker.ilink.speech import Product, new_uin

CONNECT_DEADLINE_S = 10.0  # name, TCP and TLS; a phone network needs under 3
LIGHT_DEADLINE_S = 10.0  # notify, getconfig, sendtyping: iLink api.ts
QR_DEADLINE_S = 35.0  # the long poll of a login: iLink login-qr.ts
POLL_MARGIN_S = 5.0  # beyond the server's hold, so that the two do not race
BODY_DEADLINE_S = 30.0  # from the first byte of a poll reply to its last
ARRIVING_GRACE_S = 2.0  # delivery-semantics 11: for a reply whose first byte is here
CLOSE_DEADLINE_S = 1.0  # a TLS goodbye that nobody answers
KEEPALIVE_S = 20.0  # below the 60 s after which most front ends hang up
MAX_REPLY_BYTES = 32 * 1024 * 1024  # threat-model R9
MAX_SMALL_REPLY_BYTES = 1024 * 1024  # every call but getupdates


class HttpFault(Exception):
    """No usable answer. `has_left`: the request, or a part of it, may have arrived."""

    def __init__(self, word: str, has_left: bool) -> None:
        super().__init__(word)
        self.word = word
        self.has_left = has_left


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes


class Http:
    """Calls to one API base, with one token or none."""

    def __init__(
        self, base_url: str, token: Secret | None, product: Product, proxy: str | None = None
    ) -> None:
        self._base = base_url
        self._token = token
        self._proxy = proxy
        self._tls = _tls_for(base_url)
        self._base_info = product.base_info()
        self._app = [
            ("iLink-App-Id", "bot"),
            ("iLink-App-ClientVersion", str(product.version_number())),
            ("Accept-Encoding", "identity"),
        ]
        self._urls: dict[str, httpx.URL] = {}
        self._arrival = Arrival()
        self._poll_departure = _Departure()
        self._poll_pool = self._pool(self._arrival)
        self._pool_for_all = self._pool()

    async def poll(self, cursor: str, hold_s: float) -> Answer | None:
        """getupdates; None when nothing came within `hold_s` and its margin, or `end_poll`."""
        request = self._post("getupdates", {"get_updates_buf": cursor})
        pool, arrival = self._poll_pool, self._arrival
        self._poll_departure = _departure(request)
        quiet_until = anyio.current_time() + hold_s + POLL_MARGIN_S
        try:
            with anyio.CancelScope(deadline=quiet_until + BODY_DEADLINE_S) as whole:
                arrival.start(quiet_until, whole)
                return await _whole_answer(pool, request, MAX_REPLY_BYTES)
        except PollEnded:
            return None
        finally:
            arrival.finish()
            if pool is not self._poll_pool:  # renewed meanwhile
                await _close(pool)
        if arrival.has_begun:
            raise HttpFault("half a reply", has_left=True)
        return None

    def end_poll(self, grace_s: float) -> None:
        """End the open poll unless its reply has begun; then give it `grace_s`."""
        self._arrival.end(grace_s)

    @property
    def is_reply_arriving(self) -> bool:
        return self._arrival.is_out and self._arrival.has_begun

    @property
    def is_poll_held(self) -> bool:
        """Whether the open poll has left this machine and waits for its reply."""
        is_waiting = self._arrival.is_out and not self._arrival.has_begun
        return is_waiting and self._poll_departure.has_left

    async def call(
        self,
        endpoint: str,
        body: dict[str, Json],
        deadline_s: float,
        with_base_info: bool = True,  # get_bot_qrcode alone goes without
    ) -> Answer:
        """One POST under `/ilink/bot/`; raises HttpFault."""
        return await self._timed(self._post(endpoint, body, with_base_info), deadline_s)

    async def look(self, endpoint: str, query: dict[str, str], deadline_s: float) -> Answer:
        """One GET under `/ilink/bot/`, without token; raises HttpFault."""
        tail = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
        return await self._timed(self._request("GET", f"{endpoint}?{tail}", self._app), deadline_s)

    async def upload(
        self, url: str, chunks: AsyncIterator[bytes], size_bytes: int, deadline_s: float
    ) -> Answer:
        """POST to the CDN as a stream, without any header of iLink; raises HttpFault."""
        headers = [
            ("Content-Type", "application/octet-stream"),
            ("Content-Length", str(size_bytes)),
        ]
        request = httpx.Request("POST", url, headers=headers, content=chunks)
        return await self._timed(_tracked(request), deadline_s)

    @asynccontextmanager
    async def download(self, url: str, deadline_s: float) -> AsyncIterator[Download]:
        """GET from the CDN as a stream, without any header of iLink; raises HttpFault."""
        request = _tracked(httpx.Request("GET", url, headers=[("Accept-Encoding", "identity")]))
        with _faults(request), anyio.fail_after(deadline_s):
            response = await self._pool_for_all.handle_async_request(request)
            try:
                yield Download(response.status_code, _chunks(response))
            finally:
                with anyio.CancelScope(
                    shield=True, deadline=anyio.current_time() + CLOSE_DEADLINE_S
                ):
                    await response.aclose()

    async def renew(self) -> None:
        """Leave every connection behind: after a sleep they only look alive.

        A poll whose reply is arriving keeps its connection for two seconds.
        """
        pools = (self._poll_pool, self._pool_for_all)
        self._arrival.end(ARRIVING_GRACE_S)
        is_polling = self._arrival.is_out
        self._arrival = Arrival()
        self._poll_pool = self._pool(self._arrival)
        self._pool_for_all = self._pool()
        for pool in pools[1:] if is_polling else pools:
            await _close(pool)

    async def aclose(self) -> None:
        """The same for good; what stays behind holds no connection."""
        await self.renew()

    def _post(
        self, endpoint: str, body: dict[str, Json], with_base_info: bool = True
    ) -> httpx.Request:
        headers = [
            *self._app,
            ("Content-Type", "application/json"),
            ("AuthorizationType", "ilink_bot_token"),
            ("X-WECHAT-UIN", new_uin()),
        ]
        if self._token:
            headers.append(("Authorization", f"Bearer {self._token.reveal()}"))
        whole = {**body, "base_info": self._base_info} if with_base_info else body
        content = json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()
        return self._request("POST", endpoint, headers, content)

    def _request(
        self,
        method: str,
        endpoint: str,
        headers: list[tuple[str, str]],
        content: bytes | None = None,
    ) -> httpx.Request:
        url = self._urls.get(endpoint) or httpx.URL(f"{self._base}/ilink/bot/{endpoint}")
        if method == "POST":  # the few endpoints; the query of a GET holds secrets
            self._urls[endpoint] = url
        return _tracked(httpx.Request(method, url, headers=headers, content=content))

    async def _timed(self, request: httpx.Request, deadline_s: float) -> Answer:
        with anyio.CancelScope(deadline=anyio.current_time() + deadline_s):
            return await _whole_answer(self._pool_for_all, request, MAX_SMALL_REPLY_BYTES)
        raise HttpFault("time-out", _departure(request).has_left)

    def _pool(self, watched: Arrival | None = None) -> httpx.AsyncHTTPTransport:
        limits = httpx.Limits(max_connections=8, keepalive_expiry=KEEPALIVE_S)
        pool = httpx.AsyncHTTPTransport(
            verify=self._tls, limits=limits, proxy=self._proxy, trust_env=False
        )
        # httpx has no door for a network backend; httpcore, which it wraps, has one.
        pool._pool._network_backend = Backend(watched)
        return pool


@dataclass(frozen=True, slots=True)
class Download:
    status: int
    chunks: AsyncIterator[bytes]


class _Departure:
    """Follows one request: has any of it left this machine? (httpcore's trace events)"""

    has_left = False

    async def __call__(self, event: str, _info: object) -> None:
        if event == "http11.send_request_headers.started":
            self.has_left = True


def _tls_for(base_url: str) -> ssl.SSLContext:
    """Verified TLS; on a loopback test one that knows no authority, so that all TLS fails."""
    if base_url.startswith("https:"):
        return httpx.create_ssl_context(trust_env=False)
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # saves 1.6 MiB and 20 ms


def _tracked(request: httpx.Request) -> httpx.Request:
    deadlines = {"connect": CONNECT_DEADLINE_S, "pool": CONNECT_DEADLINE_S}
    request.extensions = {"trace": _Departure(), "timeout": deadlines}
    return request


def _departure(request: httpx.Request) -> _Departure:
    found = request.extensions["trace"]
    assert isinstance(found, _Departure)
    return found


async def _whole_answer(
    pool: httpx.AsyncHTTPTransport, request: httpx.Request, limit_bytes: int
) -> Answer:
    with _faults(request):
        response = await pool.handle_async_request(request)
        body = bytearray()
        try:
            async for chunk in _chunks(response):
                body += chunk
                if len(body) > limit_bytes:
                    raise HttpFault("reply too large", has_left=True)
        finally:
            await response.aclose()
        return Answer(response.status_code, response.headers, bytes(body))


async def _chunks(response: httpx.Response) -> AsyncIterator[bytes]:
    assert isinstance(response.stream, httpx.AsyncByteStream)
    async for chunk in response.stream:  # as it came: never unpacked, so never a bomb
        yield chunk


@contextmanager
def _faults(request: httpx.Request) -> Iterator[None]:
    """Errors of httpx become HttpFault here, before they can carry a URL or a header."""
    try:
        yield
    except (httpx.TransportError, httpx.InvalidURL, ssl.SSLError) as error:
        word = next(word for kind, word in _WORDS if isinstance(error, kind))
        raise HttpFault(word, _departure(request).has_left) from None
    except TimeoutError:
        raise HttpFault("time-out", _departure(request).has_left) from None


_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (httpx.ConnectTimeout, "connect time-out"),
    (httpx.ConnectError, "connect"),
    (httpx.ProxyError, "proxy"),
    (httpx.TimeoutException, "time-out"),
    (httpx.RemoteProtocolError, "half a reply"),
    (httpx.NetworkError, "reset"),
    (Exception, "transport"),
)


async def _close(pool: httpx.AsyncHTTPTransport) -> None:
    with anyio.CancelScope(shield=True, deadline=anyio.current_time() + CLOSE_DEADLINE_S):
        await pool.aclose()
