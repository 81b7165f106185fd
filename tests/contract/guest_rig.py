"""Agents at the bridge's side of their socket, over a real file; no worker, a clock by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

import pytest

from bridge.core.decision import Policy
from bridge.core.model import Account, Attempt, Outcome, Owner, PeerId
from bridge.core.sending import Limits, after_delivery
from bridge.files.gate import Leaving
from bridge.links.controller import Controller
from bridge.links.worker import WorkerLink
from bridge.store import accounts, outbox
from bridge.store.db import Database
from bridge.store.statements import add, change
from bridge.store.tables import PeerRow
from bridge.tasks.channel import Channel
from bridge.tasks.guests import Guests
from bridge.tasks.state import Shared
from bridge.wire import facade
from bridge.wire.peer import Peer
from bridge.wire.place import private_folder
from bridge.wire.request import Request
from bridge.wire.scopes import FILE, SCOPES

R = TypeVar("R")
NOW_MS = 1_800_000_000_000
OWNER = PeerId("oOwner@im.wechat")
OWNER_ROW = {"peer": OWNER, "lang": "en", "context_token": "ctx", "token_generation": 1}
SENDER = outbox.Sender("w1", Limits(spacing_ms=0), "en")


@dataclass
class Clocked(Shared):
    at_ms: int = NOW_MS

    def now_ms(self) -> int:
        return self.at_ms


class Caller:
    """A connection, as far as the bridge looks at it."""


class Counter:
    """Where agents ask, and the outbox behind it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.db = Database(folder / "bridge.sqlite3")
        self.db.open()
        exports = private_folder(folder / "exports")
        self.shared = Clocked(
            self.db, "install", "en", Policy(), SENDER.limits, leaving=Leaving(roots=(exports,))
        )
        channel = Channel(self.shared, WorkerLink())
        nobody = cast(Controller, None)  # cast: no test here asks for a thread
        self._guests = Guests(self.shared, channel, nobody, folder)
        self._callers: dict[str, Peer] = {}

    async def asks(self, request: Request[R], client: str = "codex") -> R:
        """What this agent is told now."""
        caller = self._callers.get(client)
        if caller is None:
            caller = self._callers[client] = cast(Peer, Caller())  # cast: nothing of it is used
            await self._guests.answer(caller, facade.FacadeHello(client))
        reply = await self._guests.answer(caller, request)
        return cast(R, reply)  # cast: the reply of this request

    def file(self, name: str, content: str = "x") -> str:
        """The path of a file that may leave."""
        path = self.folder / "exports" / name
        path.write_text(content)
        return str(path)

    def writes(self) -> None:
        """The owner writes: their window opens now."""
        now_ms = self.shared.at_ms
        self.db.run_now(lambda: change(PeerRow, "peer = ?", (OWNER,), wrote_ms=now_ms))

    def leaves(self, outcome: Outcome = Outcome.SENT) -> str:
        """The text of the bubble that is tried now, with this end; "" where none may go."""

        def unit() -> str:
            found = outbox.look(SENDER, self.shared.at_ms)
            if not isinstance(found, Attempt):
                return ""
            now_ms, account = self.shared.at_ms, accounts.get()
            step = after_delivery(found.row, outcome, account, SENDER.limits, now_ms)
            outbox.finish(found, outcome, step, "", "", None, now_ms)
            return found.row.text

        return self.db.run_now(unit)

    def next_ms(self) -> int | None:
        """How long from now until a bubble may leave; None: nothing is waited for."""
        found = self.db.run_now(lambda: outbox.look(SENDER, self.shared.at_ms))
        assert isinstance(found, outbox.Rest)
        return None if found.until_ms is None else found.until_ms - self.shared.at_ms


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[Counter]:
    """Agents with every scope, an owner who has just written."""
    path = tmp_path / FILE
    path.parent.mkdir(mode=0o700)
    tables = [f"[{name}]\nscopes = {json.dumps(SCOPES)}\n" for name in ("codex", "cursor")]
    path.write_text("".join(tables))
    path.chmod(0o600)
    built = Counter(tmp_path)
    account = Account("wechat", "bot", Owner(frozenset({OWNER})), generation=1)
    built.db.run_now(lambda: accounts.pair(account, 0))
    built.db.run_now(lambda: add(PeerRow, **OWNER_ROW))
    built.writes()
    yield built
    built.db.close()
