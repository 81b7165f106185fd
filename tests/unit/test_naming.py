"""Names for threads: what `/add`, `/bind` and `/remove` change, and what they say of it."""

from __future__ import annotations

from dataclasses import replace

from bridge.core.decision import Decision, View
from bridge.core.model import Alias, AliasName, Confirmation, Listed, ThreadId, unmade_thread
from tests.unit.table import table
from tests.unit.test_decide import ALIAS, NOW_MS, VIEW, said, told

OTHER = Listed(ThreadId("thread-0009"), "Nightly backup", "/o")
MINE = Listed(ALIAS.thread, "Cart", "/work")


def named(name: str, thread: ThreadId = ALIAS.thread, title: str = "Cart") -> View:
    """A list was shown: the other thread, then the one of this name, which is in use."""
    alias = Alias(AliasName(name), thread, title=title)
    peer = replace(VIEW.peer, active=alias.name, listed=(OTHER, replace(MINE, thread=thread)))
    return replace(VIEW, peer=peer, aliases={alias.name: alias})


def changed(found: Decision) -> list[tuple[str, str]]:
    return [(alias.name, alias.thread) for alias in found.aliases]


@table("thread", [ALIAS.thread, unmade_thread("seed")])
def test_name_of_another_thread_is_not_taken_by_an_add(thread: ThreadId) -> None:
    """design 7: it names without switching; R30: where words go is said."""
    for text in ("/add code 1", f"/add code {OTHER.thread}"):
        found = said(text, view=named("code", thread))
        assert changed(found) == [] and "There is a code already" in told(found)
        assert [line.outcome for line in found.audit] == ["name_taken"]
    default = said("/add default 1", view=named("default"))
    assert changed(default) == [] and "There is a default already" in told(default)


def test_name_that_the_thread_has_may_be_given_again() -> None:
    found = said("/add code 2", view=named("code"))
    assert changed(found) == [("code", ALIAS.thread)] and "\n" not in told(found)


@table(
    ("thread", "title", "words"),
    [
        (ALIAS.thread, "Cart", "Before, default was Cart."),
        (ALIAS.thread, "", "Before, default was (no title)."),
        (unmade_thread("seed"), "", "a new thread that had not begun"),
    ],
)
def test_bind_says_which_thread_its_name_was_taken_from(
    thread: ThreadId, title: str, words: str
) -> None:
    """design 7: the one name that is replaced unasked."""
    found = said("/bind 1", view=named("default", thread, title))
    assert changed(found) == [("default", OTHER.thread)]
    assert told(found).startswith("▸ Now using default: Nightly backup\n▸ ")
    assert words in told(found)
    assert "\n" not in told(said("/bind 2", view=named("default", thread, title)))
    assert "\n" not in told(said("/bind 1", view=named("code")))


@table(("active", "is_told"), [("code", True), ("docs", False), (None, False)])
def test_removal_of_the_name_in_use_says_that_none_is_now(
    active: AliasName | None, is_told: bool
) -> None:
    """R30: what is written next goes nowhere until a thread is chosen."""
    asked = Confirmation("remove", ALIAS.name, NOW_MS + 1)
    view = replace(VIEW, peer=replace(VIEW.peer, active=active, confirmation=asked))
    found = said("/yes", view=view)
    assert found.removed == ALIAS.name and "The name code is gone" in told(found)
    assert ("no thread is in use now" in told(found)) is is_told
