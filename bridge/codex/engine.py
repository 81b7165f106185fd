"""What an engine must be able to do; `runs` knows nothing else of Codex or echo.

An engine finds threads, begins turns, and follows them to their end. It keeps no
record of runs: whatever it is told is in the `Run` row, so that a new process can
follow a turn that an older one began.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from bridge.codex.model import (
    Approval,
    Ending,
    Item,
    Order,
    Page,
    Run,
    Session,
    Standing,
    ThreadFacts,
    ThreadId,
    TurnId,
)

Commit = Callable[[ThreadId, str, str | None], None]
"""Record thread, head and settings to put back, at the last moment before sending."""

Made = Callable[[ThreadId], None]
"""Record a new thread, at the first moment after it was made."""

Tell = Callable[[Standing], None]


class Engine(Protocol):
    """Every method may raise Refused; those that talk to Codex may raise EngineGone."""

    name: str

    async def serve(self) -> None:
        """Own the connections; runs until it is cancelled."""

    async def begin(self, order: Order, commit: Commit) -> tuple[ThreadId, TurnId]:
        """Take the writer's place, compare the head, commit, send the message."""

    async def find(self, run: Run) -> TurnId | None:
        """The turn that holds this run's key, looked for twice, one second apart."""

    async def follow(self, run: Run, tell: Tell) -> Ending:
        """Wait for the end of the run's turn, joining again as often as needed."""

    async def interrupt(self, run: Run) -> bool:
        """Ask for the end of the turn; False when the engine did not answer in time."""

    async def steer(self, run: Run, message: str, key: str) -> None:
        """Add a message to the running turn; a key that is in it already changes nothing."""

    async def release(self, thread: ThreadId, settings_before: str | None) -> None:
        """Put settings back and let go, so that another program can open the thread."""

    async def fork(self, thread: ThreadId, cwd: str | None, made: Made) -> ThreadId:
        """A new thread with the same past; it is not kept loaded."""

    def approvals(self, thread: ThreadId) -> tuple[Approval, ...]:
        """The requests of this thread that wait for a person now."""

    async def answer(
        self, approval: Approval, decision: str, answers: dict[str, list[str]]
    ) -> None:
        """Give the answer to a pending request and see it settled."""

    def facts(self, thread: ThreadId) -> ThreadFacts | None:
        """Head, folder and holder from disk; None for an unknown thread."""

    def result(self, run: Run) -> str | None:
        """The final text of a run that is over, from disk."""

    def events(self, run: Run) -> tuple[Item, ...]:
        """What the turn did, from disk."""

    async def sessions(
        self, limit: int, cursor: str | None, query: str | None, cwd: str | None
    ) -> tuple[list[Session], str | None]:
        """Threads newest first, and the cursor of the next page."""

    async def history(
        self, thread: ThreadId, position: str | None, limit_bytes: int
    ) -> Page | None:
        """A stretch of the thread's past; None for an unknown thread."""

    def health(self) -> dict[str, object]:
        """What `cross_thread_status` says about the engine itself."""

    async def is_idle(self) -> bool:
        """Whether a clean stop may end what we started."""

    async def stop(self) -> None:
        """End what we started; called only when nothing of ours is live."""
