"""Which addresses are talked to (threat-model R20, F42)."""

from __future__ import annotations

import pytest

from channel_worker.ilink.hosts import ForeignHost, Hosts, api_base
from tests.unit.table import table

REAL = Hosts()
TEST = Hosts(is_loopback_test=True)


@table(
    "url",
    [
        "https://ilinkai.weixin.qq.com",
        "https://weixin.qq.com/path?x=1",
        "https://novac2c.cdn.weixin.qq.com:443/c2c",
    ],
)
def test_hosts_inside_the_suffix_are_taken(url: str) -> None:
    """R20."""
    assert REAL.check(url + "/") == url


@table(
    "url",
    [
        "http://ilinkai.weixin.qq.com",
        "https://evil.example",
        "https://evilweixin.qq.com",
        "https://weixin.qq.com.evil.example",
        "https://user@weixin.qq.com",
        "https://weixin.qq.com@evil.example",
        "https://10.0.0.1",
        "https://2130706433",
        "https://127.1",
        "https://[::1]",
        "http://127.0.0.1:8000",
        "ftp://weixin.qq.com",
        "https://weixin.qq.com\\@evil.example",
        "https://wei\nxin.qq.com",
        "https://",
        "",
        "weixin.qq.com",
        "https://weixin.qq.com:99999",
    ],
)
def test_everything_else_is_refused(url: str) -> None:
    """R20: foreign, http, user part, address literals."""
    with pytest.raises(ForeignHost):
        REAL.check(url)


def test_loopback_base_admits_loopback_and_nothing_more() -> None:
    """R20: a loopback base in the settings."""
    assert TEST.check("http://127.0.0.1:8000/c2c/") == "http://127.0.0.1:8000/c2c"
    assert TEST.check("http://localhost:1") == "http://localhost:1"
    for url in ("http://10.0.0.1", "http://weixin.qq.com", "https://evil.example"):
        with pytest.raises(ForeignHost):
            TEST.check(url)


@table("host", ["a.b/c", "http://x", "u@weixin.qq.com", "x y", "", "evil.com"])
def test_redirect_is_a_bare_host_inside(host: str) -> None:
    """ilink-protocol 3.3."""
    with pytest.raises(ForeignHost):
        REAL.redirected("https://ilinkai.weixin.qq.com", host)


def test_redirect_keeps_the_scheme_of_a_loopback_base() -> None:
    """ilink-protocol 3.3."""
    assert REAL.redirected("x", "sz-ilink.weixin.qq.com") == "https://sz-ilink.weixin.qq.com"
    assert TEST.redirected("http://127.0.0.1:1", "127.0.0.1:2") == "http://127.0.0.1:2"


@table("url", ["https://x", "https://x/", "https://x/ilink/bot/", "https://x/ilink/bot"])
def test_base_may_be_given_with_or_without_the_path(url: str) -> None:
    """design 8: ILINK_BASE_URL."""
    assert api_base(url) == "https://x"
