"""Which hosts may we talk to? Every URL that comes from outside passes here first.

https only, inside the configured suffixes, no address literals, no user part
(threat-model R20). A loopback base in the settings is a test server: then loopback
hosts are admitted too, over http.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

API_BASE = "https://ilinkai.weixin.qq.com"  # iLink accounts.ts, `ilink-protocol` 1
CDN_BASE = "https://novac2c.cdn.weixin.qq.com/c2c"  # the same
HOST_SUFFIXES = ("weixin.qq.com",)

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


class ForeignHost(ValueError):
    """A URL or host that we do not talk to; the text says why and holds no path."""


@dataclass(frozen=True, slots=True)
class Hosts:
    """The rule: suffixes that are allowed, and whether this is a test on loopback."""

    suffixes: tuple[str, ...] = HOST_SUFFIXES
    is_loopback_test: bool = False

    def check(self, url: str) -> str:
        """`url` without a trailing slash; raises ForeignHost."""
        try:
            parts = urlsplit(url.strip())
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise ForeignHost("the address is not a URL") from None
        if parts.username is not None or parts.password is not None or "@" in parts.netloc:
            raise ForeignHost("the address holds a user part")
        if port == 0 or not host or any(ord(sign) <= 32 for sign in url.strip()):
            raise ForeignHost("the address is not a URL")
        if self.is_loopback_test and is_loopback(host) and parts.scheme in ("http", "https"):
            return _without_slash(parts)
        if parts.scheme != "https":
            raise ForeignHost("the address is not https")
        if not self._is_inside(host):
            raise ForeignHost(f"the host {host[:80]!r} is not under {', '.join(self.suffixes)}")
        return _without_slash(parts)

    def redirected(self, base: str, redirect_host: str) -> str:
        """The base URL at another data centre: a bare host with an optional port."""
        if not re.fullmatch(r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?", redirect_host):
            raise ForeignHost("the redirect is not a bare host name")
        scheme = urlsplit(base).scheme if self.is_loopback_test else "https"
        return self.check(f"{scheme}://{redirect_host}")

    def _is_inside(self, host: str) -> bool:
        name = host.lower()
        if _is_address(name) or not _HOST.fullmatch(name):
            return False
        return any(name == end or name.endswith(f".{end}") for end in self.suffixes)


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine, by name or by address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_loopback_url(url: str) -> bool:
    try:
        return is_loopback(urlsplit(url.strip()).hostname or "")
    except ValueError:
        return False


def api_base(url: str) -> str:
    """The API base with or without `/ilink/bot` at its end, as the base alone."""
    return url.rstrip("/").removesuffix("/ilink/bot").rstrip("/")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host.replace(".", "").isdecimal()  # 2130706433 and 127.1 are addresses too
    return True


def _without_slash(parts: SplitResult) -> str:
    return parts.geturl().rstrip("/")
