"""What became of messages, in words: their life, the rule behind a no, what was given up."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

from bridge.core import commands as c
from bridge.core import given_up, life, rules
from bridge.core.decision import Audit, Facts, Policy, Refused, ThreadStatus, View
from bridge.core.errors import Refusal
from bridge.core.given_up import GivenUp, Kind
from bridge.core.life import Bubble, Came, Decided, Life, Tried
from bridge.core.model import (
    AliasName,
    InboxId,
    OutId,
    PeerId,
    SendClass,
    ThreadId,
    Turn,
    TurnId,
    TurnState,
)
from bridge.core.sentences import SENTENCES
from bridge.core.sentences.rules import SENTENCES as BECAUSE
from tests.unit.table import table
from tests.unit.test_answers import LONG, said
from tests.unit.test_decide import ALIAS, APPROVAL, ASKED, FREE, NOW_MS, TURN, VIEW, row, told
from tests.unit.test_decide import said as decided

CAME_MS = NOW_MS - 300_000
ENDED = replace(
    LONG, outcome="completed", created_ms=CAME_MS + 2_000, started_ms=CAME_MS + 2_100
)  # fmt: skip
ANSWER = Bubble(
    OutId(3),
    SendClass.ANSWER,
    1,
    2,
    40,
    CAME_MS + 30_000,
    CAME_MS + 31_000,
    "sent",
    (Tried(CAME_MS + 30_000, "sent"),),
)
LOST = replace(
    ANSWER, id=OutId(4), part=2, fate="unknown", tried=(Tried(1, "unknown"), Tried(2, "unknown"))
)
LIFE = Life(
    ENDED,
    (Came(InboxId(1), CAME_MS, 120_000, ("text", "image"), CAME_MS + 2_000),),
    (Decided(CAME_MS + 2_000, "turn.plan", "owner", "starting"),),
    (ANSWER, LOST),
)

TOLD = replace(VIEW, life=LIFE)
QUESTION = replace(ASKED, approvals=(replace(APPROVAL, kind="question", options=("q1:a",)),))


# /trace


def test_phone_is_told_the_life_of_a_message_short_and_with_times() -> None:
    """issue 5 item 10: times count from its arrival; one next step."""
    assert said(c.Trace(7), TOLD).text.splitlines() == [
        "▸ #7 code: done",
        "messages: 1, came 5 min ago",
        "+2.0 s planned",
        "+2.1 s started",
        "+4 min over",
        "+31.0 s part 1/2 sent",
        "+31.0 s part 2/2 may have arrived, or not, tried 2 times",
        "If it did not arrive: /resend 7",
    ]


def test_phone_is_told_no_more_than_a_few_bubbles() -> None:
    """design 7: short."""
    many = replace(LIFE, bubbles=(ANSWER,) * 40)
    assert "more parts: 34" in said(c.Trace(7), replace(VIEW, life=many)).text


def test_answer_whose_bubbles_are_no_longer_on_record_is_read_again_instead() -> None:
    """design 6: bubbles are kept for 30 days, their answer for 90."""
    view = replace(VIEW, life=replace(LIFE, bubbles=()))
    for told_of in (said(c.Trace(7), view).text, told(decided("/resend 7", view=view))):
        assert "on record for 30 days only" in told_of
        assert told_of.endswith("/result 7")
    assert not decided("/resend 7", view=view).again


@table("command", [c.Trace(9), c.Result(9), c.Resend(9)])
def test_turn_that_is_not_there_or_another_peers_is_one_sentence(command: c.Command) -> None:
    """R6: nobody reads another peer's answers; numbers that were never given say nothing."""
    theirs = replace(LONG, peer=PeerId("other"))
    for view in (VIEW, replace(VIEW, asked_turn=theirs)):
        found = decided(f"/{type(command).__name__.lower()} 9", view=view)
        assert "There is no" in told(found) and "#9" in told(found)
        assert not found.again and found.turn is None


def test_desk_is_told_everything_with_a_time_in_its_order_and_no_content() -> None:
    """issue 5 item 10; R38: no content."""
    steps = life.steps(LIFE)
    assert [step.at_ms for step in steps] == sorted(step.at_ms for step in steps)
    whats = [step.what for step in steps]
    for what in ("message 1 arrived", "turn.plan", "bubble 4 attempt 2", "answer stored"):
        assert what in whats
    everything = f"{steps} {life.heading(LIFE)}"
    assert ENDED.prompt not in everything and ENDED.result not in everything
    assert "120 s after it was written" in everything and "thread-0001" in everything


ENDS = (
    "completed",
    "failed",
    "interrupted",
    "cancelled",
    "blocked",
    "uncertain",
    "dead",
    "dropped",
)
FATES = ("ready", "sending", "sent", "unconfirmed", "unknown", "dead", "cancelled", "dropped")


@table("fate", FATES)
@table("turn", [*(replace(TURN, state=s) for s in TurnState if s is not TurnState.DONE), ENDED])
def test_every_state_and_fate_has_its_words(turn: Turn, fate: str) -> None:
    """Ours: no life ends in a KeyError."""
    odd = replace(LIFE, turn=turn, bubbles=(replace(ANSWER, fate=fate),))
    assert said(c.Trace(7), replace(VIEW, life=odd)).text


@table("outcome", ENDS)
def test_every_outcome_has_its_words(outcome: str) -> None:
    """Ours: likewise."""
    ended = replace(LIFE, turn=replace(ENDED, outcome=outcome))
    assert said(c.Trace(7), replace(VIEW, life=ended)).text


# /resend and /result


def test_resend_owes_the_uncertain_bubbles_again_and_makes_no_turn() -> None:
    """delivery-semantics 7: marked by their rows; never a turn."""
    found = decided("/resend 7", view=TOLD)
    assert found.again == (LOST.id,) and found.owes
    assert "sent again: 1" in told(found) and found.turn is None
    assert found.audit == (Audit("answer.resend", "owner", "owed again", "1", ENDED.id),)


def test_resend_of_an_answer_that_arrived_says_how_to_read_it() -> None:
    """Ours: nothing is sent twice without a doubt."""
    found = decided("/resend 7", view=replace(VIEW, life=replace(LIFE, bubbles=(ANSWER,))))
    assert not found.again and "/result 7" in told(found)


@table(
    ("turn", "words"),
    [
        (replace(ENDED, state=TurnState.RUNNING, cuts=()), "has no answer yet"),
        (replace(ENDED, outcome="cancelled", cuts=()), "No text is stored for #7: cancelled"),
    ],
)
def test_resend_of_what_has_no_answer_names_none(turn: Turn, words: str) -> None:
    """Ours: no `/result` where there is nothing to read."""
    found = decided("/resend 7", view=replace(VIEW, life=replace(LIFE, turn=turn, bubbles=())))
    assert not found.again and words in told(found) and "/result" not in told(found)


@table("send_class", [SendClass.APPROVAL, SendClass.NOTE, SendClass.PROGRESS])
def test_only_bubbles_of_an_answer_are_sent_again(send_class: SendClass) -> None:
    """delivery-semantics 7: a note is never repeated, and an old code serves nobody."""
    odd = replace(LIFE, bubbles=(replace(LOST, send_class=send_class),))
    assert not decided("/resend 7", view=replace(VIEW, life=odd)).again


@table(
    ("turn", "words"),
    [
        (TURN, "has no answer yet"),
        (replace(ENDED, result="", cuts=()), "No text is stored for #7: done"),
        (replace(ENDED, result="", cuts=(), outcome="cancelled"), "#7: cancelled"),
    ],
)
def test_result_without_a_text_says_why(turn: Turn, words: str) -> None:
    """design 7: still running, ended in silence, or so old that its text is gone."""
    view = replace(VIEW, asked_turn=turn)
    assert words in said(c.Result(7), view).text and not said(c.Result(7), view).rows


# /why


def test_refusals_leave_one_line_each_with_their_rule() -> None:
    """issue 5 item 10: who, what, rule, outcome; no content."""
    for text, view, rule, outcome in (
        ("/use nothing", VIEW, "threat-model R30", "no_alias"),
        ("hello", replace(VIEW, peer=replace(VIEW.peer, active=None)), "R30", "no_thread"),
        ("/add bad!name 1", VIEW, "R11", "bad_alias"),
        ("/use", VIEW, "R11", "usage"),
        ("/nonsense words", VIEW, "R11", "unknown_verb"),
        ("/etc/hosts secret words", VIEW, "R11", "unknown_path"),
        ("/approve abcdefghz", ASKED, "R29", "code_unknown"),
        ("/yes", VIEW, "design 7", "nothing_to_confirm"),
        ("  ", VIEW, "design 7", "empty"),
    ):
        (line,) = decided(text, view=view).audit
        assert (line.what, line.outcome, line.subject) == ("refused", outcome, "message 1")
        assert rule in line.rule


@table(
    ("text", "view", "outcome"),
    [
        ("/status nothing", VIEW, "no_alias"),
        ("/trace 99", VIEW, "no_turn"),
        ("/resend 99", VIEW, "no_turn"),
        ("/result 99", VIEW, "no_result"),
        ("/cancel 99", VIEW, "not_waiting"),
        ("/sendfile 9", VIEW, "no_file_number"),
        (f"/approve {QUESTION.approvals[0].code}", QUESTION, "question_needs_answer"),
        (f"/answer {APPROVAL.code} yes", ASKED, "request_is_none"),
        ("/group approve 9", VIEW, "group_unknown"),
    ],
)
def test_command_that_does_nothing_leaves_its_line(text: str, view: View, outcome: str) -> None:
    """design 7: `/why` must not tell of an older refusal than the one just read."""
    facts = Facts(files=(), files_of=TurnId(1)) if "/sendfile" in text else FREE
    policy = Policy(group_qa=True)
    found = decided(text, view=view, facts=facts, policy=policy)
    assert [(line.what, line.outcome) for line in found.audit] == [("refused", outcome)]


# What is told where nothing was asked to be done, was done, or had been there to do.
REFUSES_NOTHING = {
    "artifacts_empty",
    "artifacts_none",
    "bubbles_gone",
    "confirm_remove",
    "fork_empty",
    "group_none",
    "kept",
    "nothing_held",
    "nothing_runs",
    "nothing_to_retry",
    "recover_ask",
    "recover_free",
    "recovered",
    "refresh_empty",
    "removed",
    "resend_none",
    "steer_unknown",
    "stopping",
}


def test_every_sentence_that_answers_a_command_refuses_by_a_rule_or_refuses_nothing() -> None:
    """design 7: a new refusal cannot be forgotten."""
    behind = {phrase for _, _, phrases in rules._BEHIND for phrase in phrases}
    told = _told_in_commands()
    assert sorted(told - behind - REFUSES_NOTHING) == []
    assert sorted(REFUSES_NOTHING - told) == [] and REFUSES_NOTHING.isdisjoint(behind)


def _told_in_commands() -> set[str]:
    """Each phrase that a decision gives to `tell`, written there or under a name."""
    found: set[str] = set()
    for path in Path(rules.__file__).parent.glob("*.py"):
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef):
                found |= _told_by(function)
    return found & set(SENTENCES)


def _told_by(function: ast.FunctionDef) -> set[str]:
    calls = [call for call in ast.walk(function) if isinstance(call, ast.Call)]
    told = [c.args[0] for c in calls if isinstance(c.func, ast.Attribute) and c.func.attr == "tell"]
    names = {name.id for name in told if isinstance(name, ast.Name)}
    for step in ast.walk(function):
        if isinstance(step, ast.Assign) and {getattr(t, "id", "") for t in step.targets} & names:
            told.append(step.value)
    return {
        part.value
        for one in told
        for part in ast.walk(one)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    }


def test_permissions_leave_a_line_too() -> None:
    """issue 5 item 10."""
    other = replace(ALIAS, name=AliasName("web"), thread=ThreadId("thread-0002"))
    known = replace(VIEW, aliases={**VIEW.aliases, other.name: other}, held=(InboxId(4),))
    for text, what in (("/use web", "alias.use"), ("/run-held", "inbox.release")):
        assert [line.what for line in decided(text, view=known).audit] == [what]
    assert [line.what for line in decided("hello").audit] == ["turn.plan"]


def test_refusal_of_the_controller_is_on_record() -> None:
    """controller-contract 1."""
    found = decided("/threads", facts=Facts(trouble=Refusal.CONTROLLER_DOWN))
    assert found.audit[0].outcome == "cannot_list"


def test_answers_that_refuse_nothing_leave_no_line() -> None:
    """Ours: what is only read is no decision."""
    for text in ("/status", "/help", "/list", "/queue", "/why", "/dead", "/lang en"):
        assert not decided(text, facts=FREE).audit


@table("lang", ["zh", "en"])
def test_why_says_each_rule_in_words_with_a_next_step(lang: str) -> None:
    """design 7: one next step, a command or an act."""
    view = replace(VIEW, peer=replace(VIEW.peer, lang="zh" if lang == "zh" else "en"))
    for phrase in (p for _, _, phrases in rules._BEHIND for p in phrases):
        last = Refused(NOW_MS - 60_000, "a rule", phrase)
        text = said(c.Why(), replace(view, not_done=last)).text
        assert "1 " in text and text.count("▸") == 1 and len(text) < 300, phrase
        assert phrase in SENTENCES


def test_why_of_a_rule_without_words_names_it_and_of_nothing_says_so() -> None:
    """Ours: a line of an older or newer version is still told."""
    odd = replace(VIEW, not_done=Refused(NOW_MS, "threat-model R99", "odd"))
    assert "threat-model R99" in said(c.Why(), odd).text
    assert "Nothing of yours was refused" in said(c.Why()).text


def test_every_because_belongs_to_a_rule() -> None:
    """Ours: a sentence that nothing leads to is deleted."""
    used = {because for _, because, _ in rules._BEHIND}
    assert {name for name in BECAUSE if name.startswith("because_")} == used | {"because_other"}


def test_hold_is_on_record_with_the_message_it_holds() -> None:
    """R8, delivery-semantics 9."""
    from bridge.core.decide import decide
    from bridge.core.decision import Policy
    from bridge.core.intake import Batch
    from tests.unit.test_decide import IDS

    old = Batch((row("old", 5, age_ms=9_000_000),), is_stale=True)
    found = decide(old, c.Prompt(), VIEW, Facts(), Policy(), NOW_MS, IDS)
    assert found.audit == (Audit("held", "threat-model R8", "stale", "message 5"),)
    full = replace(VIEW, unfinished={ALIAS.thread: 9})
    status = Facts(status=ThreadStatus(None, "", False, "/"))
    held = decided("more", view=full, facts=status, policy=Policy(queue_limit=8))
    assert held.audit == (Audit("held", "delivery-semantics 9", "queue_full", "message 1"),)


# /dead


def dead(kind: Kind, outcome: str, **fields: object) -> GivenUp:
    one = GivenUp(kind, 12, NOW_MS - 3_600_000, outcome)
    return replace(one, **fields)  # type: ignore[arg-type]  # named as its own


@table("lang", ["zh", "en"])
@table(
    ("one", "name", "step"),
    [
        (dead(Kind.MESSAGE, "poison"), "E-M12", ""),
        (dead(Kind.TURN, "dead", turn=TURN.id, alias="code"), "E-T12", "code"),
        (dead(Kind.BUBBLE, "dead", turn=TURN.id), "E-B12", "/result 7"),
        (dead(Kind.BUBBLE, "unknown", turn=TURN.id), "E-B12", "/resend 7"),
        (dead(Kind.BUBBLE, "unknown"), "E-B12", "/status"),
    ],
)
def test_what_was_given_up_is_listed_with_its_name_and_next_step(
    one: GivenUp, name: str, step: str, lang: str
) -> None:
    """delivery-semantics 9: dead rows stay readable."""
    text = given_up.told((one,), "zh" if lang == "zh" else "en", NOW_MS)
    assert name in text and step in text and ("1 h" in text or "1 小时" in text)


def test_long_list_is_cut_and_an_empty_one_says_so() -> None:
    """design 7: short on the phone."""
    many = replace(VIEW, given_up=(dead(Kind.MESSAGE, "poison"),) * 50)
    assert "42 more" in said(c.Dead(), many).text
    assert "Nothing was given up" in said(c.Dead()).text
    assert "50 given up: /dead" in said(c.Status(""), many).text


@table(
    ("text", "found"),
    [
        ("E-M12", (Kind.MESSAGE, 12)),
        ("t7", (Kind.TURN, 7)),
        (" e-b33 ", (Kind.BUBBLE, 33)),
        ("E-12", None),
        ("12", None),
        ("E-X1", None),
        ("E-M", None),
        ("E-M٣", None),
        ("", None),
        ("E-M" + "9" * 30, None),
    ],
)
def test_name_is_read_exactly(text: str, found: tuple[Kind, int] | None) -> None:
    """Ours: a number alone could mean three things."""
    assert given_up.read(text) == found


def test_view_of_the_past_is_asked_for_where_it_is_needed() -> None:
    """Ours: and nowhere else."""
    asked = (c.Trace(1), c.Resend(1), c.Why(), c.Dead())
    assert all(c.needs_past(command) for command in asked)
    assert not c.needs_past(c.Queue()) and c.needs(c.Trace(1)) is c.Need.NONE
