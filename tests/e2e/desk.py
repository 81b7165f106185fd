"""A house with the real Codex CLI in it: its model is scripted, its threads are the owner's."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from anyio import to_thread

from tests.e2e import rig
from tests.e2e.rig import House, Phone, Terminal
from tests.fakes import codex_home, model


@dataclass(frozen=True)
class Desk:
    """A house with the owner's own Codex in it, whose model is scripted."""

    house: House
    home: Path
    model: model.Model
    bridge: Terminal
    worker: Terminal

    @property
    def phone(self) -> Phone:
        return self.house.phone

    async def thread(self, title: str) -> str:
        """A thread that the owner made at the desk, in a folder of this name; its id."""
        workspace = self.workspace(title)
        workspace.mkdir(exist_ok=True)
        return await to_thread.run_sync(
            codex_home.make_thread, self.home, workspace, f"reply:this is {title}"
        )

    def workspace(self, title: str) -> Path:
        return self.house.folder / title

    def turns(self, thread: str) -> int:
        """How many messages of a person the rollout holds."""
        return len(codex_home.turn_keys(self.home, thread))

    async def number_of(self, title: str) -> str:
        """The number of this thread in a fresh list on the phone."""
        listed = await self.phone.asks("/threads", "Recent threads")
        found = re.search(rf"^(\d+)\. reply:this is {title}", listed, re.MULTILINE)
        assert found is not None, listed
        return found[1]

    async def adds_turn(self, title: str, thread: str, message: str) -> None:
        """One more turn, made at the desk."""
        workspace = self.workspace(title)
        await to_thread.run_sync(codex_home.add_turn, self.home, workspace, thread, message)

    def rollout(self, thread: str) -> str:
        newest = max((self.home / "sessions").glob(f"*/*/*/rollout-*{thread}*.jsonl"))
        return newest.read_text()


@asynccontextmanager
async def over_codex(**settings: str) -> AsyncIterator[Desk]:
    """A desk that lives; the test is skipped where there is no Codex CLI."""
    codex = codex_home.codex_binary()
    if codex is None:
        pytest.skip("no Codex CLI: set CODEX_BIN to one")
    with model.running() as provider:
        async with rig.house() as house:
            home = codex_home.make(house.folder, provider.url)
            house.settings["CTB_CODEX_COMMAND"] = codex
            del house.settings["CTB_CONTROLLER_COMMAND"]  # ours, over Codex
            house.settings |= settings
            bridge, worker = await house.moves_in()
            yield Desk(house, home, provider, bridge, worker)
