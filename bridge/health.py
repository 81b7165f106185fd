"""How a running bridge finds itself: worker, account, chat, controller, clock, leftovers.

The part of `ctb-bridge doctor` that only the process itself can know.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from bridge.core.model import Account, AccountState
from bridge.core.phrases import age, say
from bridge.core.sending import UNCONFIRMED_ALERT
from bridge.core.tools import EXTRA
from bridge.links.controller import Controller
from bridge.links.worker import WorkerLink
from bridge.store import accounts, past
from bridge.tasks.door import Door
from bridge.tasks.state import Shared
from bridge.wire.desk import DoctorReply, Finding
from bridge.wire.messages import ChannelState

CLOCK_OFF_MS = 120_000  # `Date` has whole seconds, and a reply may have waited a little
LOGIN = "run  ctb-channel login"
UNUSABLE = {  # a login that a worker has and cannot use, by the code that it tells
    "open": ("its credential file is open to other users", "chmod 600 it"),
    "unusable": ("its credential file cannot be used", "its terminal says why"),
    "foreign": (
        "its credential file names a server that its settings do not allow",
        f"restart the worker if ILINK_BASE_URL was set since, else {LOGIN}",
    ),
}
NETWORK = "look at the network, and at the worker's log"


class Health:
    """What the bridge knows of its own parts."""

    def __init__(
        self, shared: Shared, door: Door, worker: WorkerLink, controller: Controller
    ) -> None:
        self._shared = shared
        self._door = door
        self._worker = worker
        self._controller = controller

    async def answer(self) -> DoctorReply:
        now_ms = self._shared.now_ms()

        def unit() -> tuple[Account, int]:
            return accounts.get(), len(past.given_up(now_ms))

        account, given_up = await self._shared.db.read(unit)
        found = [
            Finding("ok", "database", "open; checked when the bridge started"),
            self._of_worker(account.network),
            *self._of_account(account, now_ms),
            of_controller(self._controller),
            of_clock(self._door.ahead_ms, account.network),
        ]
        if account.unconfirmed_run >= UNCONFIRMED_ALERT:
            says = "takes messages without a receipt: some may not be shown"
            found.append(
                Finding("warn", account.network, says, "write to the bot; see what arrives")
            )
        if given_up:
            says = f"{given_up} messages, turns or bubbles of the last 30 days"
            found.append(Finding("warn", "given up", says, "run  ctb-bridge dead"))
        return DoctorReply(tuple(found))

    def _of_worker(self, network: str) -> Finding:
        heard = self._worker.condition
        if self._worker.instance:
            if unpolled := no_poll(heard, network):
                return Finding("warn", "worker", f"connected; {unpolled}", NETWORK)
            return Finding("ok", "worker", "connected")
        if heard is not None and heard.condition == "no_credentials":
            says, step = no_login(heard.code)
            return Finding("fail", "worker", f"seen, but {says}", step)
        return Finding("fail", "worker", "not connected", "run  ctb-channel run")

    def _of_account(self, account: Account, now_ms: int) -> Iterator[Finding]:
        """None where there is a login that the worker cannot use: its own finding says why."""
        heard = self._worker.condition
        is_kept_back = heard is not None and heard.code in UNUSABLE
        if account.state is not AccountState.UNPAIRED or not is_kept_back:
            yield of_account(account, now_ms)


def no_poll(heard: ChannelState | None, network: str) -> str:
    """Why a worker with a login gets nothing from its network now; "" where it does."""
    if heard is None or heard.condition not in ("backing_off", "poll_poison"):
        return ""
    return f"{network} cannot be polled ({heard.code or heard.condition})"


def no_login(code: str) -> tuple[str, str]:
    """Why a worker has no login, and what to do: none was made, or it cannot be used."""
    return UNUSABLE.get(code, ("login needed", LOGIN))


def of_account(account: Account, now_ms: int) -> Finding:
    """The account's state, and what it waits for."""
    match account.state:
        case AccountState.ON if account.breaker_until_ms > now_ms:
            wait = age(account.breaker_until_ms - now_ms, "en")
            says = f"{account.network} refuses to take messages; trying again in {wait}"
            return Finding("warn", "account", says, "write to the bot: it tries at once")
        case AccountState.ON:
            return Finding("ok", "account", f"on, login {account.generation}")
        case AccountState.SUSPECT:
            says = f"in doubt, {account.network} answered {account.rest_reason}; looked at again"
            return Finding("warn", "account", says, "wait a minute, then run this again")
        case AccountState.LOGIN_NEEDED:
            says = f"the login is over, {account.network} answered {account.rest_reason}"
            return Finding("fail", "account", says, LOGIN)
        case AccountState.UNPAIRED:
            return Finding("fail", "account", "nobody has logged in yet", LOGIN)
    assert_never(account.state)


def of_controller(controller: Controller) -> Finding:
    """Whether the controller is up, and which of its tools are missing."""
    if controller.trouble is not None:
        step = "look at CTB_CONTROLLER_COMMAND and data/logs/controller.stderr.log"
        return Finding("fail", "controller", say(controller.trouble, "en"), step)
    lacks = ", ".join(sorted(controller.lacks - set(EXTRA)))
    if lacks:
        says = f"answers, without {lacks}"
        return Finding("warn", "controller", says, "update the controller")
    return Finding("ok", "controller", "answers, with every tool")


def of_clock(ahead_ms: int | None, network: str) -> Finding:
    """This computer's clock against the last batch of the network."""
    if ahead_ms is None:
        return Finding("ok", "clock", "not compared: no message has come since the start")
    if abs(ahead_ms) <= CLOCK_OFF_MS:
        return Finding("ok", "clock", f"{ahead_ms / 1000:+.0f} s against {network}'s last batch")
    way = "ahead of" if ahead_ms > 0 else "behind"
    says = f"{age(abs(ahead_ms), 'en')} {way} {network}'s last batch, unless it had to wait"
    return Finding("warn", "clock", says, "set the clock by the network")
