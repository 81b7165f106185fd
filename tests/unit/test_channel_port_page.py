"""The page for whoever writes a worker names every method and member that there is."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

from bridge.wire import messages
from bridge.wire.request import Request

PAGE = (Path(__file__).parents[2] / "docs" / "channel-port.md").read_text()
METHODS: tuple[type[Request[Any]], ...] = (  # Any: replies differ
    messages.Hello,
    *messages.WORKER_CALLS,
    *messages.BRIDGE_CALLS,
)
VALUES = (messages.Inbound, messages.Part, messages.Media, messages.Quote, messages.UploadedMedia)


def test_page_has_a_row_for_each_method_with_every_member_of_it() -> None:
    """issue 5, item 11: the page is enough to write a worker from."""
    for kind in METHODS:
        (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{kind.method}` |")]
        _, _, request, reply, _ = row.split("|", 4)
        assert not unnamed(kind, request), kind.method
        assert kind.reply is None or not unnamed(kind.reply, reply), kind.method


def test_page_names_every_member_of_a_message_and_every_condition() -> None:
    """issue 5, item 11."""
    for value in VALUES:
        assert not unnamed(value, PAGE), value.__name__
    for words in (messages.ChannelCondition, messages.OutcomeWord):
        assert not [word for word in get_args(words) if f"| `{word}` |" not in PAGE]


def unnamed(kind: Any, words: str) -> list[str]:  # Any: dataclasses have no common type
    return [field.name for field in fields(kind) if f"`{field.name}`" not in words]
