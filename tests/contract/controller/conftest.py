"""The engines that the contract suite of the controller is run against."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.contract.controller.rig import Bench, Caller, made

Factory = pytest.TempPathFactory


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One loop per module, so that its tests can share a controller."""
    return "asyncio"


@pytest.fixture
def codex_bench(tmp_path: Path) -> Iterator[Bench]:
    """A home of the real Codex CLI, its model scripted."""
    with made("codex", tmp_path) as bench:
        yield bench


@pytest.fixture
def echo_bench(tmp_path: Path) -> Iterator[Bench]:
    """A home of the echo engine."""
    with made("echo", tmp_path) as bench:
        yield bench


@pytest.fixture(params=["echo", "codex"])
def bench(request: pytest.FixtureRequest) -> Bench:
    """Each engine in turn, for tests that start and kill controllers themselves."""
    found: Bench = request.getfixturevalue(f"{request.param}_bench")
    return found


@pytest.fixture(scope="module", params=["fake", "echo", "codex"])
def shared(request: pytest.FixtureRequest, tmp_path_factory: Factory) -> Iterator[Bench]:
    """A controller with the base tools only, then each engine; one home for a module."""
    with made(request.param, tmp_path_factory.mktemp(request.param)) as bench:
        yield bench


@pytest.fixture(scope="module")
async def call(shared: Bench) -> AsyncIterator[Caller]:
    """One controller for the whole module."""
    async with shared.connect() as caller:
        yield caller


@pytest.fixture
def ours(shared: Bench) -> Bench:
    """For what another controller need not do."""
    if shared.engine == "fake":
        pytest.skip("beyond the base tools")
    return shared


@pytest.fixture
def workspace(shared: Bench) -> Path:
    return shared.workspace


@pytest.fixture
async def thread(call: Caller, workspace: Path) -> str:
    """A thread of its own for each test."""
    started, _ = await call.run(None, "reply:before", cwd=str(workspace))
    return str(started["session_id"])
