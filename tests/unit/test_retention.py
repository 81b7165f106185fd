"""Which files of the owner may go, and which never."""

from __future__ import annotations

import pytest

from bridge.core.retention import DAY_MS, Stored, outlived

NOW_MS = 1_800_000_000_000


@pytest.mark.parametrize(
    ("changed_days", "done_days", "is_unfinished", "goes"),
    [
        pytest.param(99, 31, False, True, id="done long ago"),
        pytest.param(99, 29, False, False, id="a quote of it must resolve"),
        pytest.param(99, None, False, True, id="nobody knows it"),
        pytest.param(0.5, None, False, False, id="its commit may be on the way"),
        pytest.param(99, 99, True, False, id="named by another turn that waits"),
        pytest.param(99, None, True, False, id="its message waits for words"),
        pytest.param(1, 99, False, False, id="changed since"),
        pytest.param(-5, None, False, False, id="from the future"),
    ],
)
def test_file_goes_only_when_nobody_needs_it(
    changed_days: float, done_days: int | None, is_unfinished: bool, goes: bool
) -> None:
    """design 6: nothing unfinished is ever pruned."""
    file = Stored("2026-01-01/a.png", int(NOW_MS - changed_days * DAY_MS))
    done_ms = {} if done_days is None else {file.at: NOW_MS - done_days * DAY_MS}
    unfinished = frozenset({file.at} if is_unfinished else ())
    assert outlived([file], done_ms, unfinished, NOW_MS) == ((file.at,) if goes else ())
