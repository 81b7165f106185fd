"""How the tests run: examples a property gets, and when they are divided among processes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("gate", max_examples=20, deadline=None)
settings.register_profile("deep", max_examples=2_000, deadline=None)
settings.load_profile("gate")

UNIT = Path(__file__).parent / "unit"
# Most of the rest waits for other processes, so two cores are busy with three of them.
WORKERS = 3


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """No worker for tests/unit alone: to start three takes longer than these tests do."""
    asked = [Path(arg.partition("::")[0]).resolve() for arg in config.args]
    return 0 if all(path.is_relative_to(UNIT) for path in asked) else WORKERS
