"""Who wrote lately? Without swallowing a message, and with whole person ids.

The bridge knows, and is asked first. Without a bridge iLink itself can be asked, once,
while no worker runs: what comes is spooled, so that the next `ctb-channel run` commits it
before it polls. Nothing is thrown away in either case.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import anyio

from bridge.wire.messages import SendersRecent
from bridge.wire.peer import LinkLost, PeerFault, ProtocolMismatch, Refused, connect
from bridge.wire.place import hold_lock
from channel_worker import credentials
from channel_worker.batch import Batch
from channel_worker.ilink.speech import Verdict
from channel_worker.poller import Login
from channel_worker.settings import Settings
from channel_worker.sleepwatch import SleepWatch
from channel_worker.worker import lock_path, login_for

ASK_DEADLINE_S = 5.0
PROBE_HOLD_S = 5.0  # long enough for a reply that waits; nobody waits longer for a list


class ProbeFailed(Exception):
    """No list can be had; the text is for the terminal."""


class LoginNeeded(ProbeFailed):
    """Nobody is logged in; exit code 6."""


async def probe(settings: Settings, show: Callable[[str], None]) -> None:
    """Print the recent senders; raises ProbeFailed, PlaceFault, ProtocolMismatch."""
    if not await _ask_bridge(settings, show):
        show("No bridge is running. Asking WeChat itself; what comes is kept for the next start.")
        await _ask_ilink(settings, show)


async def _ask_bridge(settings: Settings, show: Callable[[str], None]) -> bool:
    failed: Exception | None = None
    async with anyio.create_task_group() as tasks:
        try:
            peer = await connect(settings.socket_path, "cli", "probe", _serve_nothing, tasks)
            reply = await peer.call(SendersRecent(), ASK_DEADLINE_S)
            peer.close()
        except (ProtocolMismatch, Refused) as said:
            failed = said
        except (OSError, TimeoutError, LinkLost, PeerFault):
            return False
        tasks.cancel_scope.cancel()
    if isinstance(failed, Refused):
        raise ProbeFailed(f"the bridge does not say: {failed}") from failed
    if failed:
        raise failed
    for sender in reply.senders:
        at = time.strftime("%Y-%m-%d %H:%M", time.localtime(sender.last_at_ms / 1000))
        owner = "   owner" if sender.is_owner else ""
        show(f"{sender.user_id}   {_messages(sender.messages)}, last {at}{owner}")
    if not reply.senders:
        show("Nobody has written yet.")
    return True


async def _ask_ilink(settings: Settings, show: Callable[[str], None]) -> None:
    found = credentials.load(settings)
    if found is None:
        raise LoginNeeded("login needed: run  ctb-channel login")
    lock = hold_lock(lock_path(settings, found.bot_id))
    login = login_for(settings, found)
    try:
        await _poll_once(login, show)
    finally:
        await login.ilink.http.aclose()
        lock.release()


async def _poll_once(login: Login, show: Callable[[str], None]) -> None:
    now = SleepWatch().now
    if login.spool.load(now()):
        raise ProbeFailed("messages of the last stop are still kept: run  ctb-channel run  first")
    reply = await login.ilink.poll("", PROBE_HOLD_S)
    if reply.verdict not in (Verdict.GOOD, Verdict.QUIET):
        raise ProbeFailed(f"WeChat answers {reply.code}")
    if reply.messages or reply.next_cursor:
        came = now()
        batch = Batch("", reply.next_cursor, reply.server_now_ms, came, reply.messages)
        login.spool.keep(batch, came)
    counted = Counter(message.from_user_id for message in reply.messages)
    for user_id, number in counted.most_common():
        owner = "   owner" if user_id in login.ilink.account.owner_user_ids else ""
        show(f"{user_id}   {_messages(number)}{owner}")
    if not counted:
        show("Nobody has written just now.")


def _messages(number: int) -> str:
    return f"{number} message{'' if number == 1 else 's'}"


async def _serve_nothing(_request: object) -> object:
    raise Refused(-32601, "not served here")
