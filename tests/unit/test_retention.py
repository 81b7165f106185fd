"""Which files of the owner may go, and which never."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bridge.core.retention import (
    DAY_MS,
    KEPT_FOR_MS,
    Kind,
    Row,
    Stored,
    all_young,
    may_go,
    outlived,
)
from tests.unit.table import table

NOW_MS = 1_800_000_000_000


@table(
    ("changed_days", "done_days", "is_unfinished", "goes"),
    {
        "done long ago": (99, 31, False, True),
        "a quote of it must resolve": (99, 29, False, False),
        "nobody knows it": (99, None, False, True),
        "its commit may be on the way": (0.5, None, False, False),
        "named by another turn that waits": (99, 99, True, False),
        "its message waits for words": (99, None, True, False),
        "changed since": (1, 99, False, False),
        "from the future": (-5, None, False, False),
    },
)
def test_file_goes_only_when_nobody_needs_it(
    changed_days: float, done_days: int | None, is_unfinished: bool, goes: bool
) -> None:
    """design 6: nothing unfinished is ever pruned."""
    file = Stored("2026-01-01/a.png", int(NOW_MS - changed_days * DAY_MS))
    done_ms = {} if done_days is None else {file.at: NOW_MS - done_days * DAY_MS}
    unfinished = frozenset({file.at} if is_unfinished else ())
    assert outlived([file], done_ms, unfinished, NOW_MS) == ((file.at,) if goes else ())


ROWS = st.builds(
    Row,
    id=st.integers(1, 99),
    made_ms=st.integers(NOW_MS - 999 * DAY_MS, NOW_MS + DAY_MS),
    done_ms=st.none() | st.integers(NOW_MS - 999 * DAY_MS, NOW_MS + DAY_MS),
    is_needed=st.booleans(),
)
MANY = st.lists(ROWS, max_size=20, unique_by=lambda row: row.id)


@given(st.sampled_from(Kind), MANY)
def test_rows_go_exactly_when_they_are_done_old_and_not_needed(kind: Kind, rows: list[Row]) -> None:
    """design 6: nothing unfinished is ever pruned, whatever its age."""
    going = set(may_go(kind, rows, NOW_MS))
    oldest_kept_ms = NOW_MS - KEPT_FOR_MS[kind]
    for row in rows:
        if row.done_ms is None or row.is_needed:
            assert row.id not in going
        else:
            assert (row.id in going) == (row.done_ms < oldest_kept_ms > row.made_ms)


@given(st.sampled_from(Kind), MANY, st.integers(0, 99 * DAY_MS))
def test_what_may_go_today_may_go_tomorrow_and_alone(
    kind: Kind, rows: list[Row], later_ms: int
) -> None:
    """A round that was missed, or a slice that is cut elsewhere, changes nothing."""
    today = may_go(kind, rows, NOW_MS)
    assert set(today) <= set(may_go(kind, rows, NOW_MS + later_ms))
    assert today == tuple(id for row in rows for id in may_go(kind, [row], NOW_MS))
    if all_young(kind, rows, NOW_MS):
        assert not today


def test_a_key_outlives_every_word_that_it_was_made_for() -> None:
    """delivery-semantics 4: keys 90 days at least; a turn's key is made of a message's."""
    assert KEPT_FOR_MS[Kind.MESSAGE] >= 90 * DAY_MS
    assert KEPT_FOR_MS[Kind.TURN] >= KEPT_FOR_MS[Kind.MESSAGE] > KEPT_FOR_MS[Kind.TEXT]
    assert list(Kind).index(Kind.MESSAGE) < list(Kind).index(Kind.TURN)
