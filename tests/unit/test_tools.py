"""What the owner is told when the controller's tools come and go."""

from __future__ import annotations

from bridge.core import tools
from bridge.core.phrases import say
from bridge.links.tools import NEEDED, OTHERS
from tests.unit.table import table


def test_every_tool_that_is_looked_for_has_its_words() -> None:
    """R32: what is missing is named, whichever it is."""
    looked_for = {*NEEDED, *OTHERS}
    assert {f"cross_thread_{tool}" for tool in (*tools.BASE, *tools.EXTRA)} == looked_for
    for tool in (*tools.BASE, *tools.EXTRA):
        assert say(f"tool_{tool}", "zh") and say(f"tool_{tool}", "en")


@table("tool", tools.EXTRA)
def test_extension_is_missed_only_once_it_was_there(tool: str) -> None:
    """issue 4, item 9: a controller with the base tools alone is no news."""
    lacks = frozenset({tool})
    assert tools.news(None, lacks, "en") == ()
    (said,) = tools.news(frozenset(), lacks, "en")
    assert said.startswith("The controller does not offer: ")
    assert tools.news(lacks, lacks, "en") == ()


@table("tool", tools.EXTRA)
def test_extension_that_cannot_be_used_as_it_is_offered_is_named_at_once(tool: str) -> None:
    """R32: it is there, so its owner may count on it."""
    lacks = frozenset(tools.EXTRA)
    (said,) = tools.news(None, lacks, "en", frozenset({tool}))
    assert say(f"tool_{tool}", "en") in said and said.count(",") == 0
    unfit = frozenset({tool})
    assert tools.news(lacks, lacks, "en", unfit) == (said,)  # it was not there at all before
    before = tools.kept(lacks, unfit)
    assert tools.news(before, lacks, "en", unfit) == ()
    (again,) = tools.news(before, lacks - unfit, "en")
    assert again.startswith("The controller offers again: ")
