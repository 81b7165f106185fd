"""QR login: from a code on the terminal to a credential file, through every state.

The states are those of `ilink-protocol` 3.2. The code is a key: it goes to the terminal
and nowhere else (threat-model R3). The owner is who confirmed it on the phone, accepted
here with a key press when it is a new one; another person's scan replaces nothing unless
the owner is to be changed (R2). Every end is one sentence.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Protocol

import anyio
from anyio.abc import TaskStatus

from bridge.wire import log
from bridge.wire.codec import Json
from bridge.wire.log import Secret, remember_secret
from bridge.wire.place import PlaceFault, private_folder
from channel_worker import credentials
from channel_worker.credentials import Credentials
from channel_worker.ilink import speech
from channel_worker.ilink.hosts import ForeignHost
from channel_worker.ilink.http import LIGHT_DEADLINE_S, QR_DEADLINE_S, Answer, Http, HttpFault
from channel_worker.ilink.speech import Unreadable
from channel_worker.settings import Settings, short_id

BOT_TYPE = "3"  # this product line, iLink login-qr.ts
LOGIN_DEADLINE_S = 480.0  # iLink login-qr.ts: all of it, typing included
MAX_CODES = 3  # the first and two refreshes; expired and blocked share them
POLL_PAUSE_S = 1.0  # iLink login-qr.ts
FETCH_PAUSE_S = 2.0  # ours, when no code can be had

_MOVE = (
    "bind the account on another computer, or here with another CTB_DATA_DIR; "
    "then run  ctb-channel login  here again, which moves the binding back"
)

# Another scan makes the token of this computer stale (`ilink-protocol` 5.2).
_SCANNED = (
    "The login here was not replaced, but WeChat may have ended it with this scan: "
    "if the worker says so, log in again."
)

_log = log.get("login")


class Terminal(Protocol):
    """Where the login talks to a person."""

    def say(self, line: str) -> None: ...
    def show_code(self, link: str) -> None: ...
    async def ask(self, question: str) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Wishes:
    """The options of `ctb-channel login`."""

    change_owner: bool = False
    fresh: bool = False
    yes: bool = False


class LoginFailed(Exception):
    """The login ended without credentials; the text is for the terminal."""


async def log_in(
    settings: Settings, wishes: Wishes, terminal: Terminal, pause_s: float = POLL_PAUSE_S
) -> str:
    """Log in and write the credential file; the closing sentence.

    Raises LoginFailed, and KeyboardInterrupt at Ctrl-C. The event loop cancels a task once
    for that, which is lost where a deadline passes in the same moment; a scope insists.
    """
    outcome: str | LoginFailed | None = None
    async with anyio.create_task_group() as tasks:
        await tasks.start(_leave_at_ctrl_c, tasks.cancel_scope)
        try:
            outcome = await _log_in(settings, wishes, terminal, pause_s)
        except LoginFailed as failed:
            outcome = failed
        tasks.cancel_scope.cancel()
    if outcome is None:
        raise KeyboardInterrupt
    if isinstance(outcome, LoginFailed):
        raise outcome
    return outcome


async def _leave_at_ctrl_c(
    scope: anyio.CancelScope, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    with anyio.open_signal_receiver(signal.SIGINT) as received:
        task_status.started()
        async for _ in received:
            scope.cancel()


async def _log_in(settings: Settings, wishes: Wishes, terminal: Terminal, pause_s: float) -> str:
    before = _before(settings, terminal)
    attempt = _Attempt(settings, wishes, terminal, before, pause_s)
    try:
        with anyio.fail_after(LOGIN_DEADLINE_S):
            return await attempt.run()
    except TimeoutError:
        raise LoginFailed(
            "nobody confirmed within 8 minutes: run  ctb-channel login  again"
        ) from None
    finally:
        await attempt.aclose()


def _before(settings: Settings, terminal: Terminal) -> Credentials | None:
    if settings.direct:
        raise LoginFailed("ILINK_BOT_TOKEN is set and wins over any login: unset it first")
    try:  # before a code is shown: a scan that cannot be saved would be lost
        private_folder(settings.credentials_path.parent)
    except PlaceFault as fault:
        raise LoginFailed(str(fault)) from None
    try:
        return credentials.load_file(settings.credentials_path)
    except PlaceFault as fault:
        terminal.say(f"the old credentials are not used: {fault}")
        return None


class _Attempt:
    def __init__(
        self,
        settings: Settings,
        wishes: Wishes,
        terminal: Terminal,
        before: Credentials | None,
        pause_s: float,
    ) -> None:
        self._settings = settings
        self._wishes = wishes
        self._terminal = terminal
        self._before = before
        self._pause_s = pause_s
        self._http = self._connect(settings.login_base_url)
        self._digits = ""
        self._has_said_scanned = False

    async def run(self) -> str:
        for number in range(1, MAX_CODES + 1):
            key = await self._new_code(number)
            ending = await self._follow(key)
            if ending is not None:
                return ending
        raise LoginFailed(
            f"{MAX_CODES} codes went unused: run  ctb-channel login  again when the phone is ready"
        )

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _new_code(self, number: int) -> str:
        """Show a fresh code; its key. A new code starts at the host of the settings again."""
        await self._move(self._settings.login_base_url)
        tokens = [self._before.token.reveal()] if self._before and not self._wishes.fresh else []
        body: dict[str, Json] = {"local_token_list": list(tokens)}
        reply = await self._patiently(
            lambda: self._http.call(
                f"get_bot_qrcode?bot_type={BOT_TYPE}", body, LIGHT_DEADLINE_S, with_base_info=False
            )
        )
        key, link = reply.get("qrcode"), reply.get("qrcode_img_content")
        if not isinstance(key, str) or not isinstance(link, str) or not key or not link:
            code = speech.code_of(reply) or "no code"
            raise LoginFailed(f"WeChat gives no login code ({code}): try again in a few minutes")
        remember_secret(key)
        remember_secret(link)
        if number > 1:
            self._terminal.say(f"A new code ({number} of {MAX_CODES}):")
        self._terminal.show_code(link)
        self._digits = ""
        self._has_said_scanned = False
        return key

    async def _patiently(self, call: Callable[[], Awaitable[Answer]]) -> dict[str, Json]:
        has_said = False
        while True:
            try:
                return _object(await call())
            except HttpFault as fault:
                if not has_said:
                    self._terminal.say(f"WeChat cannot be reached ({fault.word}): trying again")
                has_said = True
                await anyio.sleep(FETCH_PAUSE_S)

    async def _follow(self, key: str) -> str | None:
        """Poll until this code has ended: the closing sentence, or None for a new code."""
        while True:
            reply = await self._status(key)
            match reply.get("status"):
                case "scaned" | "scanned":
                    self._digits = ""
                    self._say_scanned()
                case "scaned_but_redirect":
                    self._say_scanned()
                    await self._redirect(reply.get("redirect_host"))
                case "need_verifycode":
                    await self._ask_digits()
                    continue  # at once: the phone is waiting
                case "verify_code_blocked":
                    self._terminal.say("Too many wrong digits.")
                    return None
                case "expired":
                    self._terminal.say("The code has expired.")
                    return None
                case "binded_redirect":
                    return self._keep()
                case "confirmed":
                    return await self._confirmed(reply)
            await anyio.sleep(self._pause_s)

    async def _status(self, key: str) -> dict[str, Json]:
        """One status poll; whatever goes wrong counts as `wait` (`ilink-protocol` 3.2)."""
        query = {"qrcode": key}
        if self._digits:
            query["verify_code"] = self._digits
        try:
            return _object(await self._http.look("get_qrcode_status", query, QR_DEADLINE_S))
        except HttpFault as fault:
            _log.info("login.status_failed", why=fault.word)
            return {}

    async def _ask_digits(self) -> None:
        question = "Wrong digits; type" if self._digits else "Type"
        given = await self._terminal.ask(f"{question} the digits that the phone shows: ")
        if given is None:
            raise LoginFailed("the login needs digits from the phone, and the input has ended")
        self._digits = given.strip()
        remember_secret(self._digits)

    def _say_scanned(self) -> None:
        if not self._has_said_scanned:
            self._terminal.say("Scanned. Confirm on the phone.")
        self._has_said_scanned = True

    async def _redirect(self, host: Json) -> None:
        if not isinstance(host, str) or not host:
            return
        try:
            base = self._settings.hosts.redirected(self._settings.login_base_url, host)
        except ForeignHost as foreign:
            raise LoginFailed(f"WeChat names a data centre we do not talk to: {foreign}") from None
        await self._move(base)

    def _keep(self) -> str:
        """What to do when WeChat says `binded_redirect`.

        A phone has no way to end a binding (openclaw-weixin #252), and one account is bound
        to one place: binding it elsewhere moves it, binding it here again moves it back (#69).
        """
        if self._before is None:
            raise LoginFailed(
                "WeChat says that this account is bound already, but its credentials are not "
                f"here: bring {self._settings.credentials_path.name} back from where they are. "
                f"If they are lost: {_MOVE}"
            )
        self._save(self._before)  # wakes a waiting worker
        if self._wishes.fresh:
            return (
                "WeChat still says that this account is bound, although no binding was offered. "
                "The credentials are kept, and a waiting worker tries them at once. "
                f"If it still needs a login: {_MOVE}"
            )
        return (
            "This computer is bound already; the credentials are kept. "
            "If messages still do not come:  ctb-channel login --fresh"
        )

    async def _confirmed(self, reply: dict[str, Json]) -> str:
        found = self._read(reply)
        before = self._before
        is_same_owner = before is not None and before.owner_user_id == found.owner_user_id
        if before and not is_same_owner and not self._wishes.change_owner:
            raise LoginFailed(
                f"refused: {short_id(found.owner_user_id)} scanned, but the owner is "
                f"{short_id(before.owner_user_id)}. {_SCANNED} "
                "To hand this computer over: ctb-channel login --change-owner"
            )
        if not is_same_owner and not await self._is_accepted(found.owner_user_id):
            raise LoginFailed(f"not accepted. {_SCANNED if before else 'Nothing was changed.'}")
        saved = self._numbered(found, is_same_owner)
        self._save(saved)
        _log.info("login.done", generation=saved.generation, owner_epoch=saved.owner_epoch)
        return (
            f"Logged in. The owner is {short_id(found.owner_user_id)}. Next: honcho start; "
            "a worker that runs already goes on by itself."
        )

    def _read(self, reply: dict[str, Json]) -> Credentials:
        token, bot, user = (
            _word(reply.get(name)) for name in ("bot_token", "ilink_bot_id", "ilink_user_id")
        )
        remember_secret(token)
        if not token or not bot:
            raise LoginFailed("WeChat confirmed without credentials: run  ctb-channel login  again")
        if not user:
            raise LoginFailed("WeChat does not say who confirmed, so there is no owner: try again")
        base = _word(reply.get("baseurl"))
        try:
            base = self._settings.hosts.check(base) if base else ""
        except ForeignHost as foreign:
            raise LoginFailed(f"WeChat names a server we do not talk to: {foreign}") from None
        return Credentials(Secret(token), bot, base, user, generation=1)

    async def _is_accepted(self, user_id: str) -> bool:
        if self._wishes.yes:
            return True
        given = await self._terminal.ask(
            f"{short_id(user_id)} confirmed on the phone and will command this computer. "
            "Is this you? [y/N] "
        )
        return (given or "").strip().lower() in ("y", "yes")

    def _numbered(self, found: Credentials, is_same_owner: bool) -> Credentials:
        before = self._before
        now = int(time.time())
        if before is None:
            # A file that could not be read may have had any generation; the clock is past it.
            is_first = not self._settings.credentials_path.exists()
            return replace(found, generation=1 if is_first else now, paired_at_ms=now * 1000)
        return replace(
            found,
            generation=before.generation + 1,
            paired_at_ms=before.paired_at_ms if is_same_owner else now * 1000,
            owner_epoch=before.owner_epoch + (not is_same_owner),
        )

    def _save(self, found: Credentials) -> None:
        try:
            credentials.save(self._settings.credentials_path, found)
        except (PlaceFault, OSError) as failed:
            why = failed.strerror if isinstance(failed, OSError) else str(failed)
            raise LoginFailed(f"the credentials cannot be written: {why}") from failed

    async def _move(self, base_url: str) -> None:
        await self._http.aclose()
        self._http = self._connect(base_url)

    def _connect(self, base_url: str) -> Http:
        return Http(base_url, None, self._settings.product, self._settings.proxy)


def _object(answer: Answer) -> dict[str, Json]:
    if not 200 <= answer.status < 300:
        raise HttpFault(f"http {answer.status}", has_left=True)
    try:
        return speech.read_object(answer.body)
    except Unreadable:
        raise HttpFault("no JSON", has_left=True) from None


def _word(value: Json) -> str:
    return value.strip() if isinstance(value, str) else ""
