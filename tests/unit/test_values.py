"""Dataclasses to JSON and back: strict about types, lenient about what is unknown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pytest

from bridge.wire import messages
from bridge.wire.values import WrongShape, from_json, to_json
from tests.unit.table import table


@dataclass(frozen=True, slots=True)
class Inner:
    name: str


@dataclass(frozen=True, slots=True)
class Outer:
    text: str
    count: int
    share: float
    is_on: bool
    word: Literal["a", "b"]
    inner: Inner | None = None
    many: tuple[Inner, ...] = ()


WHOLE: dict[str, Any] = {"text": "t", "count": 1, "share": 0.5, "is_on": True, "word": "a"}


def test_value_comes_back_as_it_went() -> None:
    """Ours: the two directions are one contract."""
    value = Outer("t", 1, 0.5, True, "a", Inner("i"), (Inner("j"), Inner("k")))
    assert from_json(Outer, to_json(value)) == value


def test_none_is_left_out_and_unknown_members_are_ignored() -> None:
    """style: read leniently, write strictly."""
    assert "inner" not in to_json(Outer("t", 1, 0.5, True, "a"))
    assert from_json(Outer, WHOLE | {"new": [1]}) == Outer("t", 1, 0.5, True, "a")


@table(
    ("member", "wrong"),
    [
        ("text", 1),
        ("text", None),
        ("count", True),
        ("count", 1.0),
        ("count", "1"),
        ("share", True),
        ("is_on", 1),
        ("word", "c"),
        ("word", ["a"]),
        ("inner", {"name": 7}),
        ("inner", []),
        ("many", {}),
        ("many", [{"name": None}]),
    ],
)
def test_wrong_type_is_refused_by_the_name_of_its_member(member: str, wrong: object) -> None:
    """R10: bool is no int, and the error names the field."""
    with pytest.raises(WrongShape, match=f"params.{member}"):
        from_json(Outer, WHOLE | {member: wrong})


@table("member", ["text", "count", "share", "is_on", "word"])
def test_missing_member_is_refused_by_its_name(member: str) -> None:
    """style: missing needed ones are an error naming the field."""
    body = {name: value for name, value in WHOLE.items() if name != member}
    with pytest.raises(WrongShape, match=f"params.{member} is missing"):
        from_json(Outer, body)


def test_whole_number_passes_where_a_fraction_may_stand() -> None:
    """Ours: JSON has one kind of number."""
    assert from_json(Outer, WHOLE | {"share": 2}).share == 2


def test_every_method_stands_once_and_has_its_reply() -> None:
    """design 5: the tables of methods are complete and without twins."""
    calls = [*messages.BRIDGE_CALLS, *(call for each in messages.CALLS.values() for call in each)]
    methods = [messages.Hello.method, *(call.method for call in calls)]
    assert len(methods) == len(set(methods))
