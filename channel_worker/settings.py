"""What do the settings of the worker say? Read once at the start, then frozen.

The variables and their defaults are those of `.env.example`; a wrong one raises
WrongSetting with a sentence for the terminal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from bridge.wire.env import Env, WrongSetting
from bridge.wire.log import Secret
from bridge.wire.version import VERSION
from channel_worker.ilink import hosts
from channel_worker.ilink.hosts import ForeignHost, Hosts
from channel_worker.ilink.speech import Product

CLIENT_VERSION = "2.4.9"  # the official client whose speech `ilink-protocol` describes
BOT_AGENT = f"CodexThreadBridge/{VERSION}"

_AGENT = re.compile(  # grammar of iLink api.ts, `ilink-protocol` 1.3
    r"[A-Za-z0-9_.-]{1,32}/[A-Za-z0-9_.+-]{1,32}( \([ -'*-~]{1,64}\))?"
    r"( [A-Za-z0-9_.-]{1,32}/[A-Za-z0-9_.+-]{1,32}( \([ -'*-~]{1,64}\))?)*"
)


@dataclass(frozen=True, slots=True)
class Direct:
    """A token from the environment instead of a login; discouraged."""

    token: Secret
    bot_id: str


@dataclass(frozen=True, slots=True)
class Settings:
    data_dir: Path
    socket_path: Path
    credentials_path: Path
    base_url: str  # empty: what the login said, else the official one
    cdn_base_url: str
    hosts: Hosts
    proxy: str | None
    product: Product
    direct: Direct | None
    owner_user_ids: tuple[str, ...]
    hears_groups: bool
    poll_hold_s: float
    request_deadline_s: float
    log_level: str

    @property
    def login_base_url(self) -> str:
        """Where a login starts: the official host unless the settings name another."""
        return self.base_url or hosts.API_BASE


def read(env: Env) -> Settings:
    """The settings of the worker; raises WrongSetting."""
    base = hosts.api_base(env.text("ILINK_BASE_URL"))
    suffixes = env.words(
        "ILINK_HOST_SUFFIXES",
        ",".join(hosts.HOST_SUFFIXES),
        "must be names of hosts, comma separated",
        r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*",
        hosts.HOST_SUFFIXES,
    )
    allowed = Hosts(suffixes, hosts.is_loopback_url(base))
    standard_cdn = f"{base}/c2c" if allowed.is_loopback_test else hosts.CDN_BASE
    owners = env.words(
        "ILINK_OWNER_USER_IDS",
        "oAbc@im.wechat",
        "must be ids of people, comma separated",
        r"\S+",
    )
    data = env.data_dir()
    return Settings(
        data_dir=data,
        socket_path=env.socket_path(),
        credentials_path=env.path(
            "ILINK_CREDENTIALS_PATH", data / "local" / "ilink_credentials.json"
        ),
        base_url=_checked("ILINK_BASE_URL", base, hosts.API_BASE, allowed) if base else "",
        cdn_base_url=_cdn(env.text("ILINK_CDN_BASE_URL", standard_cdn), allowed),
        hosts=allowed,
        proxy=_proxy(env.text("ILINK_PROXY")),
        product=Product(
            _version(env.text("ILINK_CLIENT_VERSION", CLIENT_VERSION)),
            _agent(env.text("ILINK_BOT_AGENT", BOT_AGENT)),
        ),
        direct=_direct(env.text("ILINK_BOT_TOKEN"), owners),
        owner_user_ids=owners,
        hears_groups=env.switch("CTB_GROUP_QA", False),
        poll_hold_s=env.seconds("ILINK_POLL_TIMEOUT_SECONDS", 35, 5, 60),
        request_deadline_s=env.seconds("ILINK_REQUEST_TIMEOUT_SECONDS", 15, 1, 120),
        log_level=env.log_level(),
    )


def shown(settings: Settings, owner_user_id: str) -> list[str]:
    """The settings as lines of a `.env`, without a secret; `owner_user_id` is put in.

    Owners that are set already are named by their last characters alone (R18).
    """
    known = ", ".join(short_id(user_id) for user_id in settings.owner_user_ids)
    owners = f"# ILINK_OWNER_USER_IDS is set ({known})" if known else "# ILINK_OWNER_USER_IDS="
    token = "# ILINK_BOT_TOKEN is set (not shown)" if settings.direct else "# ILINK_BOT_TOKEN="
    return [
        f"CTB_DATA_DIR={settings.data_dir}",
        f"CTB_SOCKET={settings.socket_path}",
        f"ILINK_CREDENTIALS_PATH={settings.credentials_path}",
        f"ILINK_BASE_URL={settings.base_url}",
        f"ILINK_CDN_BASE_URL={settings.cdn_base_url}",
        f"ILINK_HOST_SUFFIXES={','.join(settings.hosts.suffixes)}",
        f"ILINK_CLIENT_VERSION={settings.product.client_version}",
        f"ILINK_BOT_AGENT={settings.product.bot_agent}",
        f"ILINK_OWNER_USER_IDS={owner_user_id}" if owner_user_id else owners,
        f"ILINK_POLL_TIMEOUT_SECONDS={settings.poll_hold_s:g}",
        f"ILINK_REQUEST_TIMEOUT_SECONDS={settings.request_deadline_s:g}",
        f"CTB_LOG_LEVEL={settings.log_level}",
        "# ILINK_PROXY is set (not shown)" if settings.proxy else "# ILINK_PROXY=",
        token,
    ]


def short_id(user_id: str) -> str:
    """A person id as a terminal may show it: its last four characters."""
    return f"…{user_id.partition('@')[0][-4:]}"


def _checked(name: str, url: str, example: str, allowed: Hosts) -> str:
    try:
        return allowed.check(url)
    except ForeignHost as foreign:
        raise WrongSetting(
            name, f"cannot be used: {foreign} (ILINK_HOST_SUFFIXES lists what may be)", example
        ) from None


def _cdn(url: str, allowed: Hosts) -> str:
    loopback = Hosts(allowed.suffixes, is_loopback_test=True)  # a setting admits itself
    return _checked("ILINK_CDN_BASE_URL", url, hosts.CDN_BASE, loopback)


def _proxy(url: str) -> str | None:
    if not url:
        return None
    if not re.fullmatch(r"https?://[^\s/?#]+/?", url):
        raise WrongSetting("ILINK_PROXY", "must be an http proxy", "http://127.0.0.1:7890")
    return url


def _version(text: str) -> str:
    if not re.fullmatch(r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}", text):
        raise WrongSetting("ILINK_CLIENT_VERSION", "must be three numbers", CLIENT_VERSION)
    return text


def _agent(text: str) -> str:
    if len(text.encode()) > 256 or not _AGENT.fullmatch(text):
        raise WrongSetting("ILINK_BOT_AGENT", "must be name/version words", BOT_AGENT)
    return text


def _direct(token: str, owners: tuple[str, ...]) -> Direct | None:
    if not token:
        return None
    if not owners:
        raise WrongSetting(
            "ILINK_OWNER_USER_IDS", "must name the owner beside ILINK_BOT_TOKEN", "oAbc@im.wechat"
        )
    bot_id = token.partition(":")[0]
    if not bot_id or any(sign.isspace() for sign in token):
        raise WrongSetting("ILINK_BOT_TOKEN", "is not a token", "<bot id>:<secret>")
    return Direct(Secret(token), bot_id)
