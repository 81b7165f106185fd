"""The long poll: fetch, hand over, fetch again; nothing is fetched that cannot be stored.

One task, one batch at a time. A batch stays here until the bridge has stored it, over
lost connections and new logins; only then does the next getupdates carry its cursor
(delivery-semantics 4). The open poll is never cancelled from outside: `end_poll` ends
it while nothing has arrived, and lets an arriving reply be read to its end.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio

from bridge.wire import codec, log
from bridge.wire.messages import ChannelCondition, ChannelHello, ChannelState, OutcomeWord
from bridge.wire.peer import LinkLost, Peer, PeerFault, Refused
from channel_worker.batch import Batch, Spool
from channel_worker.credentials import Credentials
from channel_worker.ilink.calls import Ilink
from channel_worker.ilink.http import ARRIVING_GRACE_S, LIGHT_DEADLINE_S
from channel_worker.ilink.speech import PollReply, Verdict
from channel_worker.link import Link
from channel_worker.sleepwatch import Moment
from channel_worker.told import LOGIN_NEEDED, Told
from channel_worker.trouble import Patience, Step, Trouble

CHANNEL = "wechat"  # goes into the keys of turns: never to be changed
CALL_DEADLINE_S = 30.0  # one commit of the bridge, a slow disk included
LAST_COMMIT_DEADLINE_S = 1.0  # of the 4 s that a stop may take (delivery-semantics 11)
STORAGE_RETRY_S = (0.5, 1.0, 2.0, 5.0)  # the bridge could not write: a full disk, a lock
REFUSED_RETRY_S = 30.0  # the bridge does not take this account; a login may change that
HELD_S = 5.0  # a poll that is held this long goes well
CRASH_PAUSE_S = 2.0
# Codes of no_credentials: there is a file, and its fault was said.
UNUSABLE = "unusable"
OPEN = "open"  # to other users
FOREIGN = "foreign"  # names a server that the settings do not allow

_log = log.get("poller")


class FencedOff(Exception):
    """Another worker has taken over this account; exit code 4."""


@dataclass(frozen=True, slots=True)
class Login:
    """The account at iLink under one set of credentials."""

    credentials: Credentials
    ilink: Ilink
    spool: Spool


class Poller:
    """Owns the batch and the cursor. The other tasks nudge it; it alone decides."""

    def __init__(
        self,
        link: Link,
        hold_s: float,
        say: Callable[[str], None],
        patience: Patience,
        now: Callable[[], Moment],
        look_at_clock: Callable[[], Awaitable[None]],
    ) -> None:
        self._now = now
        self._look_at_clock = look_at_clock
        self._patience = patience
        self._link = link
        self._say = say
        self._standard_hold_s = hold_s
        self._hold_s = hold_s
        self._login: Login | None = None
        self._batch: Batch | None = None
        self._cursor = ""
        self._claimed: tuple[Peer, Login] | None = None
        self._may_poll = False
        self._trouble = Trouble(patience)
        self._on_terminal = Told(patience.lasts_s)
        self._state = ChannelState("no_credentials", _now_ms(), code="starting")
        self._told: tuple[Peer, ChannelState] | None = None
        self._woke: ChannelState | None = None
        self._must_notify = True
        self._not_before = 0.0  # monotonic
        self._storage_errors = 0
        self._is_out = False  # a poll is under way
        self._was_ended = False  # by us, before its reply
        self._is_stopping = False
        self._bell = anyio.Event()

    async def run(self) -> None:
        """Poll until `stop` and the end of the poll that is out; raises FencedOff."""
        async with anyio.create_task_group() as self._tasks:
            while not self._is_stopping or self._is_out:
                bell = self._bell = anyio.Event()
                wait_s = await self._guarded_step()
                if wait_s != 0:
                    with anyio.move_on_after(wait_s):
                        await bell.wait()

    def nudge(self) -> None:
        """Something changed that the loop should look at."""
        self._bell.set()

    def set_poll(self, poll: bool) -> None:
        self._may_poll = poll
        self.nudge()

    def log_in(self, login: Login | None, fault: str = "") -> None:
        """From now on this login, or none. A batch of the one before is kept.

        `fault`: why there is none, one of the words above; the terminal knows it already.
        """
        self._end_poll()
        self._login = login
        self._trouble = Trouble(self._patience)
        self._on_terminal = Told(self._patience.lasts_s)
        self._hold_s = self._standard_hold_s
        self._must_notify = True
        self._not_before = 0.0
        before = self._state
        self._set_state("no_credentials" if login is None else "polling", fault)
        if login is None and not fault and self._state is not before:
            self._say(LOGIN_NEEDED)
        self.nudge()

    def check_again(self) -> None:
        """The credentials were written again, or the machine woke: do not wait longer."""
        self._end_poll()
        self._not_before = 0.0
        self._must_notify = self._must_notify or self._trouble.is_doubted
        self.nudge()

    def doubt(self, ilink: Ilink, outcome: OutcomeWord, code: str) -> None:
        """A call beside the poll says that the token is stale, or gives an odd code."""
        if self._login is None or self._login.ilink is not ilink or self._trouble.is_doubted:
            return
        is_stale = outcome == "expired"
        self._follow(self._trouble.stale(code) if is_stale else self._trouble.odd(code))
        self._end_poll()
        self.nudge()

    def tell_woke(self, slept_s: int) -> None:
        """The bridge names the sleep in what it says about messages that waited."""
        self._woke = ChannelState("woke", _now_ms(), str(slept_s))
        self.nudge()

    def stop(self) -> None:
        """End the poll, or have its arriving reply read; `run` returns soon after."""
        self._is_stopping = True
        self._end_poll()
        self.nudge()

    async def hand_over(self) -> None:
        """After `run`: commit what is held, else spool it."""
        peer = self._link.peer
        if self._batch and peer and not peer.is_closed:
            with anyio.move_on_after(LAST_COMMIT_DEADLINE_S):
                try:
                    await self._store(peer, self._batch)
                except Exception:  # whatever it was: the batch goes to disk
                    _log.exception("poller.last_commit_failed")
        self.spool_now()

    def spool_now(self) -> None:
        """Write the held batch to disk, at once and without the bridge."""
        if self._batch and self._login:
            self._login.spool.keep(self._batch, self._now())
            self._batch = None

    async def _guarded_step(self) -> float | None:
        try:
            return await self._step()
        except (LinkLost, TimeoutError, PeerFault) as lost:
            _log.warning("poller.bridge_lost", why=str(lost))
            self._claimed = None
            return None if self._link.peer is None else STORAGE_RETRY_S[0]
        except FencedOff:
            raise
        except Exception:
            _log.exception("poller.failed")
            return CRASH_PAUSE_S

    async def _step(self) -> float | None:
        """One step of the loop; the seconds to wait for the bell, None for as long as it takes."""
        peer, login = self._link.peer, self._login
        if peer is None or peer.is_closed or self._is_stopping:
            return None
        if login and self._claimed != (peer, login) and not await self._claim(peer, login):
            return REFUSED_RETRY_S
        await self._tell_state(peer)
        if login is not self._login:
            return 0
        if login is None or self._is_out:
            return None
        if self._batch:
            return await self._store(peer, self._batch)
        wait_s = self._not_before - anyio.current_time()
        if wait_s > 0:
            return wait_s
        if self._may_poll:
            self._is_out = True
            self._tasks.start_soon(self._poll, login, self._cursor)
        return None

    async def _claim(self, peer: Peer, login: Login) -> bool:
        credentials, account = login.credentials, login.ilink.account
        try:
            reply = await peer.call(
                ChannelHello(
                    CHANNEL,
                    account.bot_id,
                    account.owner_user_ids,
                    credentials.generation,
                    credentials.owner_epoch,
                    credentials.paired_at_ms,
                ),
                CALL_DEADLINE_S,
            )
        except Refused as refused:
            if refused.code == codec.FENCED:
                if self._batch:
                    await self._store(peer, self._batch)
                raise FencedOff(str(refused)) from refused
            self._say(f"the bridge does not take this login: {refused}")
            return False
        self._claimed = (peer, login)
        self._cursor, self._may_poll = reply.cursor, reply.poll
        if not self._is_out:
            self._batch = self._batch or login.spool.load(self._now())
        return True

    async def _store(self, peer: Peer, batch: Batch) -> float:
        """Hand the batch over; 0 when it is stored, else the seconds to wait."""
        for commit in batch.commits(self._now):
            reply = await peer.call(commit, CALL_DEADLINE_S)
            if reply.status == "storage_error":
                pause_s = STORAGE_RETRY_S[min(self._storage_errors, len(STORAGE_RETRY_S) - 1)]
                self._storage_errors += 1
                return pause_s
            if reply.status == "cursor_conflict":
                _log.warning("poller.cursor_refused")
            self._cursor = reply.cursor
        self._storage_errors = 0
        self._batch = None
        if self._login:
            self._login.spool.drop()
        return 0

    async def _poll(self, login: Login, cursor: str) -> None:
        """One getupdates, in its own task: the loop serves the bridge meanwhile."""
        try:
            if self._must_notify and login is self._login:
                self._must_notify = False
                code = await login.ilink.notify("start", LIGHT_DEADLINE_S)
                _log.info("poller.notified", code=code)
            if not self._is_stopping and login is self._login:
                await self._fetch(login, cursor)
        except Exception:
            _log.exception("poller.poll_failed")
            self._not_before = anyio.current_time() + CRASH_PAUSE_S
        finally:
            self._is_out = False
            self.nudge()

    async def _fetch(self, login: Login, cursor: str) -> None:
        began = anyio.current_time()
        self._was_ended = False
        reply = await self._watched_poll(login, cursor)
        await self._look_at_clock()  # a sleep is told before the messages that it kept back
        if reply.verdict is Verdict.QUIET and self._was_ended:
            return
        if login is self._login:
            self._follow(self._trouble.after(reply, anyio.current_time() - began))
            self._hold_s = reply.hold_s or self._hold_s
        if reply.messages or reply.next_cursor not in ("", cursor):
            self._batch = Batch(
                cursor,
                reply.next_cursor,
                reply.server_now_ms,
                self._now(),
                reply.messages,
                reply.size_bytes,
            )

    async def _watched_poll(self, login: Login, cursor: str) -> PollReply:
        if self._on_terminal.is_well:
            return await login.ilink.poll(cursor, self._hold_s)
        async with anyio.create_task_group() as beside:
            beside.start_soon(self._trust_when_held, login)
            reply = await login.ilink.poll(cursor, self._hold_s)
            beside.cancel_scope.cancel()
        return reply

    async def _trust_when_held(self, login: Login) -> None:
        is_held = False
        while not is_held:  # a connect may take longer
            await anyio.sleep(HELD_S)
            is_held = login.ilink.http.is_poll_held
        if login is self._login:
            self._follow(self._trouble.trust())
            self.nudge()

    def _follow(self, step: Step) -> None:
        self._not_before = anyio.current_time() + step.pause_s
        self._must_notify = self._must_notify or step.must_notify
        self._set_state(step.condition, step.code)
        if sentence := self._on_terminal.after(step, anyio.current_time()):
            self._say(sentence)

    def _set_state(self, condition: ChannelCondition, code: str) -> None:
        if (condition, code) == (self._state.condition, self._state.code):
            return
        self._state = ChannelState(condition, _now_ms(), code)
        _log.info("channel.state", condition=condition, code=code)

    async def _tell_state(self, peer: Peer) -> None:
        if self._woke:
            await _tell(peer, self._woke)
            self._woke = None
        if self._told != (peer, self._state):
            told = (peer, self._state)
            await _tell(*told)
            self._told = told

    def _end_poll(self) -> None:
        self._was_ended = True
        if self._login:
            self._login.ilink.http.end_poll(ARRIVING_GRACE_S)


async def _tell(peer: Peer, state: ChannelState) -> None:
    try:
        await peer.call(state, CALL_DEADLINE_S)
    except Refused as refused:
        _log.warning("poller.state_refused", why=str(refused))


def _now_ms() -> int:
    return int(time.time() * 1000)
