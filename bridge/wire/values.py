"""Frozen dataclasses to JSON objects and back, strictly.

Reading ignores unknown members and names the first missing or wrong one.
A field's type may be str, int, bool, float, another dataclass, `tuple[X, ...]`,
`X | None`, or `Literal` words. A field with a default may be missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import UnionType
from typing import (
    Any,
    Literal,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from bridge.wire.codec import Json

V = TypeVar("V")
_Reader = Callable[[Any, str], Any]  # Any: a JSON value in, a value of the field's type out


class WrongShape(ValueError):
    """A member is missing or of another type; the text names it."""


def to_json(value: object) -> dict[str, Json]:
    """The JSON object of a dataclass; members that are None are left out."""
    kind: Any = type(value)  # Any: a bare type counts as unhashable for mypy
    found: dict[str, Json] = {}
    for name in _names(kind):
        item = _plain(getattr(value, name))
        if item is not None:
            found[name] = item
    return found


def from_json(kind: type[V], body: Mapping[str, Json], where: str = "params") -> V:
    """A value of `kind`; raises WrongShape naming the member."""
    key: Any = kind  # Any: as above
    return cast(V, _reader(key)(body, where))  # cast: the reader of V makes a V


def _plain(value: object) -> Json:
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return to_json(value)


@cache
def _names(kind: Any) -> tuple[str, ...]:  # Any: a dataclass, which has no common type
    return tuple(field.name for field in fields(kind))


@cache
def _reader(kind: Any) -> _Reader:  # Any: a type form, which has no common type
    origin = get_origin(kind)
    if is_dataclass(kind):
        return _dataclass_reader(cast(type, kind))  # cast: is_dataclass also admits instances
    if origin is tuple:
        return _tuple_reader(_reader(get_args(kind)[0]))
    if origin is Literal:
        return _word_reader(get_args(kind))
    if origin in (Union, UnionType):
        return _optional_reader(_reader(next(a for a in get_args(kind) if a is not type(None))))
    return _scalar_reader(kind)


def _dataclass_reader(kind: type) -> _Reader:
    hints = get_type_hints(kind)
    plan = [(field.name, _reader(hints[field.name]), field.default) for field in fields(kind)]

    def read(body: Any, where: str) -> Any:  # Any: see _Reader
        if not isinstance(body, dict):
            raise WrongShape(f"{where} must be an object")
        given = {}
        for name, reader, default in plan:
            if name in body:
                given[name] = reader(body[name], f"{where}.{name}")
            elif default is MISSING:
                raise WrongShape(f"{where}.{name} is missing")
        return kind(**given)

    return read


def _tuple_reader(reader: _Reader) -> _Reader:
    def read(body: Any, where: str) -> Any:  # Any: see _Reader
        if not isinstance(body, list):
            raise WrongShape(f"{where} must be a list")
        return tuple(reader(item, f"{where}[{place}]") for place, item in enumerate(body))

    return read


def _optional_reader(reader: _Reader) -> _Reader:
    return lambda body, where: None if body is None else reader(body, where)


def _word_reader(words: tuple[str, ...]) -> _Reader:
    def read(body: Any, where: str) -> Any:  # Any: see _Reader
        if not isinstance(body, str) or body not in words:
            raise WrongShape(f"{where} must be one of {', '.join(words)}")
        return body

    return read


def _scalar_reader(kind: type) -> _Reader:
    accepted = (int, float) if kind is float else (kind,)

    def read(body: Any, where: str) -> Any:  # Any: see _Reader
        if type(body) not in accepted:  # bool is not int here
            raise WrongShape(f"{where} must be {kind.__name__}")
        return body

    return read
