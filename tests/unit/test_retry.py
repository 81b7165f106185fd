"""Which message `/retry` runs again: one that has no answer, where its owner looks."""

from __future__ import annotations

from dataclasses import replace

from bridge.core import commands as c
from bridge.core.decide import target_of
from bridge.core.decision import View
from bridge.core.model import Alias, AliasName, Parked, PeerId, ThreadId, Turn, TurnId, TurnState
from bridge.core.turn_states import is_unanswered
from tests.unit.table import table
from tests.unit.test_decide import ALIAS, THREAD, TURN, VIEW, said, told

BLOG = Alias(AliasName("blog"), ThreadId("thread-0002"), cwd="/blog")
BOTH = replace(VIEW, aliases={ALIAS.name: ALIAS, BLOG.name: BLOG})


def ended(number: int, alias: Alias = ALIAS, outcome: str = "failed", **fields: object) -> Turn:
    done = replace(
        TURN,
        id=TurnId(number),
        thread=alias.thread,
        alias=alias.name,
        prompt=f"words of {number}",
        state=TurnState.DONE,
        outcome=outcome,
    )
    return replace(done, **fields)  # type: ignore[arg-type]  # named as the turn's own


def parked(number: int, alias: Alias) -> Turn:
    return ended(number, alias, "", state=TurnState.PARKED, reason=Parked.HEAD)


@table(
    ("turn", "is_so"),
    [
        *((ended(1, outcome=word), True) for word in ("failed", "interrupted", "uncertain")),
        *((ended(1, outcome=word), True) for word in ("blocked", "dead")),
        (ended(1, outcome="cancelled", stop_requested=True), True),
        (ended(1, outcome="cancelled"), False),
        (ended(1, outcome="completed"), False),
        (ended(1, outcome="completed", stop_requested=True), False),
        (ended(1, outcome="dropped"), False),
        (TURN, False),
    ],
)
def test_what_failed_was_cut_off_or_is_not_known_can_be_run_again(turn: Turn, is_so: bool) -> None:
    """design 7; one that was cancelled before it began, or dropped, is not wanted."""
    assert is_unanswered(turn) is is_so


@table(
    ("view", "prompt", "thread"),
    [
        (replace(BOTH, unanswered=(ended(3),)), "words of 3", THREAD),
        (replace(BOTH, unanswered=(ended(4, BLOG), ended(3))), "words of 3", THREAD),
        (replace(BOTH, unanswered=(ended(4), ended(3))), "words of 4", THREAD),
        (replace(BOTH, unanswered=(ended(4, BLOG), ended(2, BLOG))), "words of 4", BLOG.thread),
        (
            replace(BOTH, unanswered=(ended(4),), quoted_turn=ended(2, BLOG)),
            "words of 2",
            BLOG.thread,
        ),
        (
            replace(
                BOTH,
                unanswered=(ended(4), ended(3, BLOG)),
                quoted_turn=ended(2, BLOG, "completed"),
            ),
            "words of 3",
            BLOG.thread,
        ),
    ],
)
def test_newest_without_an_answer_runs_again_of_the_thread_that_is_meant(
    view: View, prompt: str, thread: ThreadId
) -> None:
    """design 7: of the quoted thread alone, else of that in use first, and never a done one."""
    found = said("/retry", view=view)
    assert found.turn is not None
    assert (found.turn.prompt, found.turn.thread) == (prompt, thread)
    assert target_of(c.Retry(), view) == thread


@table(
    "view",
    [
        VIEW,
        replace(VIEW, last_turn=ended(3, outcome="completed")),
        replace(VIEW, last_turn=ended(3, outcome="cancelled")),
        replace(VIEW, unanswered=(ended(3),), quoted_turn=ended(2, BLOG, "completed")),
    ],
)
def test_nothing_that_has_its_answer_is_run_again(view: View) -> None:
    """design 7: after one that was interrupted, uncertain or failed; the next step is named."""
    found = said("/retry", view=view)
    assert found.turn is None and "send its words again" in told(found)
    assert target_of(c.Retry(), view) is None


def test_one_that_nobody_would_expect_is_named() -> None:
    """R30: the owner sees which message of which thread runs."""
    last = replace(BOTH, unanswered=(ended(3),), last_turn=ended(3))
    assert told(said("/retry", view=last)) == ""
    assert "Once more: #3 of code" in told(
        said("/retry", view=replace(last, last_turn=ended(1, BLOG, "completed")))
    )
    other = replace(last, unanswered=(ended(3, BLOG),), last_turn=ended(3, BLOG))
    assert "Once more: #3 of blog" in told(said("/retry", view=other))


def test_turn_parked_for_its_head_in_the_thread_in_use_comes_first() -> None:
    """delivery-semantics 6: it starts as itself; one of another thread waits for its own word."""
    here, there = parked(3, ALIAS), parked(5, BLOG)
    found = said("/retry", view=replace(BOTH, turns=(there, here), last_turn=ended(2)))
    assert [step.id for step in found.turn_steps] == [3] and told(found) == ""
    mixed = replace(BOTH, turns=(there,), unanswered=(ended(4),), last_turn=ended(4))
    found = said("/retry", view=mixed)
    assert found.turn is not None and found.turn.prompt == "words of 4"
    found = said("/retry", view=replace(BOTH, turns=(there,)))
    assert [step.id for step in found.turn_steps] == [5]
    assert "Once more: #5 of blog" in told(found)
    theirs = replace(here, peer=PeerId("another"))
    assert said("/retry", view=replace(BOTH, turns=(theirs,))).turn_steps == ()
