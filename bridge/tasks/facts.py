"""What is asked, or done, before a message can be decided.

A step that changes something (steer, branch, take a lock back) is done here and its
message is committed after: a crash between makes it be done again, which harms nothing.
A steer and a branch go by the key of their message, and a lock is taken back twice as
well as once. Where a controller knows no such key a branch too many has no turn in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from pathlib import Path

import anyio
from anyio import to_thread

from bridge.core import commands, control, decide, history
from bridge.core.decision import Facts, History, View
from bridge.core.errors import LinkDown, LinkLost, PeerFault, Refusal
from bridge.core.intake import Batch
from bridge.core.model import Alias, ThreadId, TurnId, TurnState
from bridge.core.room import alias_meant, key_of
from bridge.links.controller import NO_ANSWER, Controller
from bridge.links.link import FIRST_UP_S, ToolError
from bridge.store import turns
from bridge.tasks.artifacts import Artifacts
from bridge.tasks.state import Shared
from bridge.wire import log

SESSIONS_ASKED = 10  # lines of a list that fit one bubble, beside those of groups
MAX_SESSIONS = 200  # of one list (controller-contract 3)
PLAN_DEADLINE_S = 5.0  # for the head before a turn; then it is planned without
STATUS_DEADLINE_S = 0.7  # `/status` is answered within a second
REPEAT_S = 20.0  # over as many links as it takes; then nobody knows
AGAIN_S = 1.0  # after an engine that is only just coming up
PAGE_BYTES = 2_048  # of text in one call: a stretch too long for a phone costs one call more
MAX_PAGES = 16  # calls of one /refresh
READ_S = 20.0  # for all of them
TURN_BYTES = 1_048_576  # of text: the whole of a last turn

_log = log.get("facts")


class Inquiry:
    """Asks the controller, and one slow question of a kind at a time."""

    def __init__(self, shared: Shared, controller: Controller) -> None:
        self._shared = shared
        self._controller = controller
        self._artifacts = Artifacts(shared)
        self._one: dict[commands.Need, anyio.Lock] = defaultdict(anyio.Lock)

    async def facts(
        self, batch: Batch, command: commands.Command, need: commands.Need, view: View
    ) -> Facts:
        """What there is to know; the reason where the controller cannot be asked."""
        slow = need is not commands.Need.STATUS
        async with self._one[need] if slow else nullcontext():
            try:
                return await self._ask(batch, command, view)
            except LinkDown as down:
                return Facts(trouble=down.reason or Refusal.CONTROLLER_DOWN)
            except LinkLost:
                return Facts(trouble=Refusal.CONTROLLER_SLOW)
            except ToolError as refused:
                _log.warning("controller.refused", why=str(refused))
                if need in (commands.Need.STATUS, commands.Need.SESSIONS):
                    return Facts(trouble=Refusal.CONTROLLER_LACKS)
                return Facts(did=refused.code or "refused")
            except PeerFault as fault:
                _log.warning("controller.fault", why=str(fault))
                return Facts(trouble=Refusal.CONTROLLER_LACKS)

    async def _ask(self, batch: Batch, command: commands.Command, view: View) -> Facts:
        match command:
            case commands.New(_, folder):
                return await to_thread.run_sync(self._folder, folder, view)
            case commands.Artifacts(name):
                return await self._artifacts.looked_at(name, view)
            case commands.SendFile(which):
                return await self._artifacts.copied(which, view)
            case commands.Steer(text):
                return await self._steer(batch, text, view)
        quick = isinstance(command, commands.Status)
        if quick:
            await self._controller.ready(STATUS_DEADLINE_S)
        else:
            await self._controller.ready(PLAN_DEADLINE_S, FIRST_UP_S)
        match command:
            case commands.Threads(words):
                asked = min(SESSIONS_ASKED + len(view.group_threads), MAX_SESSIONS)
                return Facts(sessions=await self._controller.sessions(words, asked))
            case commands.Refresh(name):
                return await self._history(alias_meant(view, name), view)
            case commands.Fork():
                return await self._fork(batch, control.fork_source(view, command), view)
            case commands.Yes():
                return await self._recover(view)
            case commands.Status():
                return await self._status(decide.target_of(command, view), view)
            case _:
                return await self._thread(command, view)

    async def _thread(self, command: commands.Command, view: View) -> Facts:
        thread = decide.target_of(command, view)
        if thread is None:
            return Facts()
        status = await self._controller.status(thread, PLAN_DEADLINE_S)
        knows_all = self._controller.offers("cross_thread_list_sessions")
        is_named = isinstance(command, commands.Add | commands.Bind | commands.Use)
        position = await self._end_of(thread) if is_named else ""
        return Facts(status=status, knows_all=knows_all, position=position)

    async def _status(self, thread: ThreadId | None, view: View) -> Facts:
        running = next((t.run for t in view.turns if t.thread == thread and t.run), None)
        return Facts(status=await self._controller.status(thread, STATUS_DEADLINE_S, running))

    async def _end_of(self, thread: ThreadId) -> str:
        """Where the history of a thread ends now; "" where that costs more than a call."""
        if not self._controller.can_read_now:
            return ""
        try:
            found = await self._controller.history(thread, "", TURN_BYTES, PLAN_DEADLINE_S)
        except NO_ANSWER as failed:
            _log.info("history.failed", thread_id=thread, why=str(failed))
            return ""
        return found.position

    # /refresh

    async def _history(self, alias: Alias | None, view: View) -> Facts:
        """What is new in the thread, as much as a phone shows at once."""
        assert alias is not None  # else nothing is needed
        lang, cwd = view.peer.lang, alias.cwd
        ours: dict[str, TurnId] = await self._shared.db.read(lambda: turns.ours(alias.thread))
        found = await self._page(alias.thread, alias.position)
        with anyio.move_on_after(READ_S):  # then what was read is shown, and there is more
            for _ in range(MAX_PAGES):
                if not found.more or history.is_enough(found.items, ours, cwd, lang):
                    break
                page = await self._controller.history(alias.thread, found.position, PAGE_BYTES)
                found = History(found.items + page.items, page.position, page.more, page.head)
        last = None
        if not found.items and not found.more:
            last = await self._controller.history(alias.thread, "", TURN_BYTES)
        return Facts(history=found, last=last, ours=ours)

    async def _page(self, thread: ThreadId, position: str) -> History:
        """From a position on; one that this controller does not know begins anew."""
        try:
            return await self._controller.history(thread, position, PAGE_BYTES)
        except ToolError as refused:
            if not position or refused.code != "invalid":
                raise
            return await self._controller.history(thread, "", PAGE_BYTES)

    # what is done

    async def _steer(self, batch: Batch, text: str, view: View) -> Facts:
        """Add to the running turn, or learn that this was done before a crash."""
        turn = control.steered_turn(view)
        assert turn is not None and turn.run is not None  # else nothing is needed
        if turn.state is TurnState.DONE and not batch.rows[0].attempts:
            return Facts()
        run, key = turn.run, key_of(batch, view, turn.thread, self._shared.ids())

        async def steer() -> Facts:
            taken = await self._controller.steer(run, text, key)
            return Facts(did="done", steered=taken)

        return await self._until_answered(steer)

    async def _fork(self, batch: Batch, source: ThreadId | None, view: View) -> Facts:
        assert source is not None  # else nothing is needed
        key = key_of(batch, view, source, self._shared.ids())

        async def fork() -> Facts:
            return Facts(did="done", made=await self._controller.fork(source, key))

        return await (self._until_answered(fork) if self._controller.forks_once else fork())

    async def _until_answered(self, work: Callable[[], Awaitable[Facts]]) -> Facts:
        """What goes by a key is given again, over as many links as it takes."""
        with anyio.move_on_after(REPEAT_S):
            while True:
                try:
                    return await work()
                except LinkDown as down:
                    if down.reason is not Refusal.CONTROLLER_DOWN:
                        raise
                    await self._controller.changed()
                except LinkLost:
                    continue
                except ToolError as refused:
                    if refused.code != "engine_down":
                        raise
                    await anyio.sleep(AGAIN_S)
        return Facts(trouble=Refusal.CONTROLLER_SLOW)

    async def _recover(self, view: View) -> Facts:
        """Take the lock over and free the thread at once: the next turn takes its own."""
        alias = control.to_recover(view, self._shared.now_ms())
        if alias is None:
            return Facts()
        lock = await self._controller.take_lock(alias.thread, view.peer.id)
        if lock is not None:
            await self._controller.release(alias.thread, lock)
        return Facts(did="done")

    def _folder(self, asked: str, view: View) -> Facts:
        """The folder of a new thread, in full; where another machine has it, its word."""
        home = Path.home()
        said = asked or control.default_folder(view)
        if not said:
            return Facts()
        if self._shared.is_remote:
            return Facts(folder=said if said.startswith("/") else None)
        try:
            folder = (home / Path(said).expanduser()).resolve(strict=True)
            if not folder.is_dir():
                return Facts()
        except (OSError, RuntimeError, ValueError):
            return Facts()
        if asked and home.resolve().is_relative_to(folder):
            return Facts(folder=str(folder), did="too_wide")
        return Facts(folder=str(folder))
