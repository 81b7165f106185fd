"""A house for each test: the real commands over a simulated WeChat."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e import rig

if not Path("/proc/self/environ").exists():
    collect_ignore_glob = ["test_*.py"]  # what is left running is read from /proc


@pytest.fixture
async def house() -> AsyncIterator[rig.House]:
    async with rig.house() as built:
        yield built
