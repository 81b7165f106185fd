"""A table as one test: every row is tried, and each that fails is told by its name.

A test of each row would cost pytest a millisecond a row. What the test takes beside the
names of the table comes from another table around it, or from fixtures.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Test = Callable[..., None]


def table(
    names: str | Sequence[str], rows: Iterable[Any]
) -> Callable[[Test], Test]:  # Any: a test's
    """Try the test with each row: a value for each of `names`; a bare value for a single name.

    Where `rows` is a mapping, its keys are the names of the rows.
    """
    keys = [names] if isinstance(names, str) else names
    named = list(rows.items() if isinstance(rows, Mapping) else ((row, row) for row in rows))

    def over(test: Test) -> Test:
        @functools.wraps(test)
        def tried(**given: Any) -> None:  # Any: theirs
            wrong = []
            for name, row in named:
                values = [row] if isinstance(names, str) else row
                try:
                    test(**given, **dict(zip(keys, values, strict=True)))
                except Exception as e:
                    e.add_note(f"row: {name!r}")
                    wrong.append(e)
            if wrong:
                raise ExceptionGroup(f"{len(wrong)} of {len(named)} rows", wrong)

        asked = inspect.signature(test).parameters
        left = inspect.Signature([p for name, p in asked.items() if name not in keys])
        tried.__signature__ = left  # type: ignore[attr-defined]  # where pytest looks
        return tried

    return over
