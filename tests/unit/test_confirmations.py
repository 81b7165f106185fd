"""`/yes` and `/no`: one open question, two minutes, once, and gone with any other word."""

from __future__ import annotations

from dataclasses import replace

from bridge.core import commands as c
from bridge.core import verbs
from bridge.core.decide import command_of, decide, need_of
from bridge.core.decision import Decision, Facts, Policy, View
from bridge.core.intake import Batch, goes_ahead
from bridge.core.model import Alias, AliasName, Confirmation, Peer, ThreadId
from bridge.core.room import CONFIRM_MS
from tests.unit.table import table
from tests.unit.test_decide import ALIAS, FREE, IDS, NOW_MS, TURN, VIEW, row, told

READ = replace(FREE, sessions=())
DOCS = Alias(AliasName("docs"), ThreadId("thread-0002"))
TWO = replace(VIEW, aliases={ALIAS.name: ALIAS, DOCS.name: DOCS})
REMOVE = Confirmation("remove", "docs", NOW_MS + CONFIRM_MS)
RECOVER = Confirmation("recover", "docs", NOW_MS + CONFIRM_MS)
# Every verb with words that it takes, and what is no command at all.
WORDS = {
    "add": "/add new 1",
    "use": "/use code",
    "bind": "/bind 1",
    "remove": "/remove code",
    "send": "/send code hello",
    "answer": "/answer abcdefghj 1",
    "approve": "/approve abcdefghj",
    "deny": "/deny abcdefghj",
    "cancel": "/cancel 7",
    "result": "/result 7",
    "resend": "/resend 7",
    "trace": "/trace 7",
    "sendfile": "/sendfile 1",
    "steer": "/steer faster",
    "new": "/new other",
    "fork": "/fork code",
    "recover": "/recover code",
    "lang": "/lang zh",
    "group": "/group list",
}
OTHERS = [WORDS.get(verb, f"/{verb}") for verb in verbs.verbs() if verb not in ("yes", "no")]
OTHERS += ["hello", "yes", "//yes", "/nonsense", "/use", "/yes please", "／ｈｅｌｐ"]


def after(asked: Confirmation | None, view: View = TWO) -> View:
    return replace(view, peer=replace(view.peer, confirmation=asked))


def says(text: str, view: View, facts: Facts = READ, now_ms: int = NOW_MS) -> Decision:
    batch = Batch((row(text),))
    return decide(batch, command_of(batch), view, facts, Policy(), now_ms, IDS)


def next_view(view: View, decision: Decision) -> View:
    return replace(view, peer=decision.peer_after or view.peer)


def test_removal_is_asked_first_and_named() -> None:
    """issue 5.3: what cannot be undone."""
    found = says("/remove docs", TWO)
    assert found.removed is None and "Remove the name docs?" in told(found)
    assert found.peer_after is not None and found.peer_after.confirmation == REMOVE


@table(("late_ms", "is_removed"), [(0, True), (CONFIRM_MS, True), (CONFIRM_MS + 1, False)])
def test_yes_counts_for_two_minutes(late_ms: int, is_removed: bool) -> None:
    """issue 5.3: 2 minutes."""
    found = says("/yes", after(REMOVE), now_ms=NOW_MS + late_ms)
    assert (found.removed == "docs") is is_removed
    assert ("nothing to confirm" in told(found)) is not is_removed


def test_yes_counts_once() -> None:
    """issue 5.3: one-time."""
    view = after(REMOVE)
    view = next_view(view, says("/yes", view))
    found = says("/yes", view)
    assert found.removed is None and "nothing to confirm" in told(found)


def test_no_ends_the_question() -> None:
    view = after(REMOVE)
    found = says("/no", view)
    assert found.removed is None and "Nothing was changed" in told(found)
    assert says("/yes", next_view(view, found)).removed is None


@table("asked", {"remove": REMOVE, "recover": RECOVER})
def test_any_other_word_ends_the_question(asked: Confirmation) -> None:
    """issue 5.3: cancelled by any other command; a prompt is another word, too."""
    for text in OTHERS:
        view = after(asked)
        found = says(text, view)
        assert found.removed is None, text
        assert found.peer_after is not None and found.peer_after.confirmation != asked, text
        second = says("/yes", next_view(view, found))
        assert second.removed is None or text.startswith("/remove"), text
        assert second.removed != "docs", text


def test_every_verb_is_among_those_words() -> None:
    """A new verb comes with words here, or stands alone."""
    read = [type(verbs.parse(text)) for text in OTHERS]
    malformed = [text for text, kind in zip(OTHERS, read, strict=True) if kind is c.Malformed]
    assert malformed == ["/use", "/yes please"]


@table(
    ("facts", "outcome"),
    [
        (Facts(did="done"), "recovered"),
        (Facts(did="busy"), "recover_failed"),
        (Facts(trouble="controller_slow"), "recover_failed"),
    ],
)
def test_lock_that_was_taken_in_time_is_told_of_however_long_it_took(
    facts: Facts, outcome: str
) -> None:
    """Ours: the two minutes are for the word, not for the controller."""
    found = says("/yes", after(RECOVER), facts, NOW_MS + CONFIRM_MS + 5_000)
    assert "nothing to confirm" not in told(found)
    assert [line.outcome for line in found.audit] == [outcome]


def test_no_does_not_pass_a_yes_that_is_being_done() -> None:
    """Ours: "nothing was changed" is never said of a lock that is being taken."""
    assert need_of(c.Yes(), after(RECOVER), NOW_MS) is c.Need.RECOVER
    assert not goes_ahead(row("/no")) and not goes_ahead(row("/yes"))


def test_answer_of_a_thread_with_two_names_goes_by_the_one_in_use() -> None:
    """issue 5.5: `(code)` stands only before answers of a thread that is not the active one."""
    both = {name: replace(ALIAS, name=name) for name in (AliasName("aaa"), ALIAS.name)}
    view = replace(VIEW, aliases=both, quoted_turn=TURN, peer=Peer(VIEW.peer.id, "en", ALIAS.name))
    found = says("and this?", view)
    assert found.turn is not None and found.turn.alias == "code"
    assert found.peer_after is None  # nothing is switched
    unused = says("and this?", replace(view, peer=Peer(VIEW.peer.id, "en", DOCS.name)))
    assert unused.turn is not None and unused.turn.alias == "aaa"


@table(("age_ms", "is_removed"), [(CONFIRM_MS, True), (CONFIRM_MS + 1, False)])
def test_yes_that_is_older_than_any_question_confirms_nothing(
    age_ms: int, is_removed: bool
) -> None:
    """Ours: sent while the machine slept, before its owner could see what was asked."""
    batch = Batch((row("/yes", age_ms=age_ms),))
    command = command_of(batch)
    found = decide(batch, command, after(REMOVE), READ, Policy(), NOW_MS, IDS)
    assert (found.removed == "docs") is is_removed
    recovers = need_of(command, after(RECOVER), NOW_MS) is c.Need.RECOVER
    assert recovers is is_removed
