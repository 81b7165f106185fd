"""Short statements on one table, written as text: the words of the hot path.

peewee builds a statement from expressions in about 0.3 ms, SQLite runs one of ours in
0.02 ms (measured 2026-11-22): with some forty of them for each message that would be
most of its cost. So the models say what a table holds, and rows are read and written
here. Conditions are constants of the caller; every value is a parameter.
"""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace
from typing import Any

from peewee import Model

from bridge.store.tables import proxy

Record = Any  # Any: a row with the columns of its table as attributes


def records(table: type[Model], where: str, *values: object) -> list[Record]:
    """Rows of a table, with whatever order and limit the condition ends in."""
    names, select = _select(table)
    cursor = _run(f"{select} WHERE {where}", values)
    return [SimpleNamespace(**dict(zip(names, row, strict=True))) for row in cursor]


def record(table: type[Model], where: str, *values: object) -> Record | None:
    """The first such row, or None."""
    found = records(table, f"{where} LIMIT 1", *values)
    return found[0] if found else None


def value(query: str, *values: object) -> Any:  # Any: one column of one row
    """The first column of the first row; None when there is no row."""
    row = _run(query, values).fetchone()
    return row[0] if row else None


def least(table: type[Model], column: str, where: str, *values: object) -> int | None:
    """The smallest value of a column; None when there is no row."""
    # The sign: by the order of the column, SQLite would look for the first one that fits.
    found = value(f"SELECT min(+{column}) FROM {_name(table)} WHERE {where}", *values)
    return None if found is None else int(found)


def count(table: type[Model], where: str, *values: object) -> int:
    """How many rows there are."""
    return int(value(f"SELECT count(*) FROM {_name(table)} WHERE {where}", *values))


def pairs(query: str, *values: object) -> list[tuple[Any, Any]]:  # Any: as above
    """Rows of two columns."""
    return [(first, second) for first, second in _run(query, values)]


def row(query: str, *values: object) -> tuple[Any, ...]:  # Any: columns differ in type
    """The first row of an aggregate."""
    return tuple(_run(query, values).fetchone())


def rows_of(query: str, *values: object) -> list[tuple[Any, ...]]:  # Any: as above
    """Rows of several tables, column by column."""
    return list(_run(query, values))


def execute(statement: str, *values: object) -> int:
    """A statement that no table's own words cover; how many rows it changed."""
    return int(_run(statement, values).rowcount)


def add(table: type[Model], conflict: str = "", /, **columns: object) -> int:
    """Insert a row; its id, or 0 when `conflict` is "OR IGNORE" and it was there."""
    filled = {**_defaults(table), **columns}
    marks = ", ".join("?" * len(filled))
    names = ", ".join(filled)
    statement = f"INSERT {conflict} INTO {_name(table)} ({names}) VALUES ({marks})"
    cursor = _run(statement, tuple(filled.values()))
    return int(cursor.lastrowid or 1) if cursor.rowcount > 0 else 0


def change(table: type[Model], where: str, values: tuple[object, ...], /, **columns: object) -> int:
    """Update rows; how many there were."""
    sets = ", ".join(f"{name} = ?" for name in columns)
    cursor = _run(f"UPDATE {_name(table)} SET {sets} WHERE {where}", (*columns.values(), *values))
    return int(cursor.rowcount)


def _run(statement: str, values: tuple[object, ...]) -> Any:  # Any: the driver's cursor
    return proxy.execute_sql(statement, values)


def _name(table: type[Model]) -> str:
    return str(table._meta.table_name)


@cache
def _select(table: Any) -> tuple[tuple[str, ...], str]:  # Any: mypy sees no hash on a type
    names = tuple(field.name for field in table._meta.sorted_fields)
    return names, f"SELECT {', '.join(names)} FROM {table._meta.table_name}"


@cache
def _defaults(table: Any) -> dict[str, object]:  # Any: as above
    fields = table._meta.sorted_fields
    return {field.name: field.default for field in fields if field.default is not None}
