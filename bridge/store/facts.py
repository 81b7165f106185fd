"""Facts about this installation, by name."""

from __future__ import annotations

from bridge.store.statements import add, record
from bridge.store.tables import MetaRow


def get(name: str) -> str | None:
    row = record(MetaRow, "name = ?", name)
    return str(row.value) if row else None


def put(name: str, value: str) -> None:
    add(MetaRow, "OR REPLACE", name=name, value=value)
