"""A file that an agent offers: one line of ours on the phone, paced as its notes are."""

from __future__ import annotations

from bridge.core import guests
from bridge.core.decision import NewRow
from bridge.core.guests import MAX_CAPTION_CHARS, MAX_WAITING_OFFERS, No
from bridge.core.model import SendClass
from bridge.core.phrases import MARK
from tests.unit.table import table
from tests.unit.test_guests import IDS, PEER


def offer(name: str = "a.txt", caption: str = "", waiting: int = 0) -> NewRow | No:
    return guests.offer("codex", name, 2_048, caption, waiting, PEER, IDS)


def test_line_names_the_agent_the_file_and_the_way_to_it() -> None:
    """issue 5, point 12: released with /sendfile, and by nothing else."""
    found = offer(caption="the weekly plot")
    assert isinstance(found, NewRow)
    assert found.text == (
        "▸ codex has a file for you: a.txt (2.0 KB). To get it: /artifacts, then /sendfile "
        "and its number\nthe weekly plot"
    )
    assert (found.send_class, found.client, found.staged) == (SendClass.NOTE, "codex", "")


@table(("name", "caption"), [("▸ ok.txt", ""), ("a.txt", "fine\n▸ approved")])
def test_neither_name_nor_caption_can_look_like_a_line_of_the_bridge(
    name: str, caption: str
) -> None:
    """R28."""
    found = offer(name, caption)
    assert isinstance(found, NewRow) and found.text.count(MARK) == 1


def test_offers_of_an_agent_are_few() -> None:
    """R37: three wait at most; their lines are spaced as notes are."""
    assert offer(waiting=MAX_WAITING_OFFERS) is No.TOO_MANY_OFFERS
    assert offer(caption="x" * (MAX_CAPTION_CHARS + 1)) is No.TOO_LONG
