"""What a message of the owner changes: rows in, one Decision out."""

from __future__ import annotations

from dataclasses import replace

from bridge.core import commands as c
from bridge.core.decide import command_of, decide, set_aside, target_of
from bridge.core.decision import Decision, Facts, Ids, Policy, ThreadStatus, View
from bridge.core.intake import Batch
from bridge.core.model import (
    Account,
    Alias,
    AliasName,
    Approval,
    ApprovalId,
    ApprovalState,
    Head,
    InboxId,
    InboxRow,
    InboxState,
    Key,
    MsgKey,
    Parked,
    Part,
    Peer,
    PeerId,
    ThreadId,
    Turn,
    TurnId,
    TurnState,
)
from bridge.core.turns import turn_key
from tests.unit.table import table

NOW_MS = 1_800_000_000_000
OWNER = PeerId("p")
THREAD = ThreadId("thread-0001")
ALIAS = Alias(AliasName("code"), THREAD, cwd="/work", seen_head="h0")
IDS = Ids("install", "seed", "newcode23")
FREE = Facts(status=ThreadStatus(Head("h1"), "", False, "/elsewhere"))
VIEW = View(
    account=Account("wechat"),
    peer=Peer(OWNER, "en", active=ALIAS.name),
    aliases={ALIAS.name: ALIAS},
    unfinished={},
)
TURN = Turn(
    id=TurnId(7),
    key=Key("k"),
    channel="wechat",
    peer=OWNER,
    thread=THREAD,
    alias="code",
    prompt="build it",
    cwd="/work",
    sandbox="workspace-write",
    approval_policy="on-request",
    model="",
    effort="",
    state=TurnState.RUNNING,
)
APPROVAL = Approval(
    id=ApprovalId("a"),
    turn=TURN.id,
    peer=OWNER,
    kind="command",
    summary="run a command: make",
    detail="make",
    is_cut=False,
    digest="d",
    options=(),
    code="abcdefghj",
    code_ms=NOW_MS,
    asked_ms=NOW_MS,
    state=ApprovalState.OPEN,
)

ASKED = replace(VIEW, turns=(TURN,), approvals=(APPROVAL,), unfinished={THREAD: 1})


def row(text: str = "hello", number: int = 1, **fields: object) -> InboxRow:
    made = InboxRow(
        id=InboxId(number),
        peer=OWNER,
        msg_key=MsgKey(f"mid:{number}"),
        parts=(Part("text", text),),
        quoted_id="",
        is_cut=False,
        age_ms=0,
        received_ms=NOW_MS,
        attempts=0,
        is_released=False,
        state=InboxState.NEW,
    )
    return replace(made, **fields)  # type: ignore[arg-type]  # named as the row's own


def said(
    *texts: str, view: View = VIEW, facts: Facts = FREE, policy: Policy | None = None
) -> Decision:
    """The Decision about one burst."""
    batch = Batch(tuple(row(text, number) for number, text in enumerate(texts, 1)))
    return decide(batch, command_of(batch), view, facts, policy or Policy(), NOW_MS, IDS)


def told(decision: Decision) -> str:
    return "\n".join(bubble.text for bubble in decision.bubbles)


def outcomes(decision: Decision) -> list[tuple[InboxState, str]]:
    return [(step.state, step.outcome) for step in decision.rows]


# prompts


def test_burst_is_one_turn_of_the_thread_in_use() -> None:
    """design 7: merged, started at once where the thread is free, keyed by its first message."""
    found = said("first", "second")
    assert found.turn is not None
    assert (found.turn.prompt, found.turn.thread) == ("first\nsecond", THREAD)
    assert (found.turn.state, found.turn.expected_head) == (TurnState.STARTING, "h1")
    assert found.turn.key == turn_key("install", "wechat", OWNER, MsgKey("mid:1"), THREAD)
    assert (found.turn.cwd, found.turn.seen_head) == ("/work", "h0")
    assert outcomes(found) == [(InboxState.DONE, "turn")] * 2
    assert [line.what for line in found.audit] == ["turn.plan"]
    assert found.bubbles == ()


def test_prompt_of_a_busy_thread_waits_without_a_head() -> None:
    """delivery-semantics 6: planned, thread busy -> queued; its head comes from the turn before."""
    found = said("more", view=replace(VIEW, unfinished={THREAD: 1}))
    assert found.turn is not None
    assert (found.turn.state, found.turn.expected_head) == (TurnState.QUEUED, None)


def test_prompt_that_the_controller_could_not_be_asked_about_waits_and_says_why() -> None:
    """delivery-semantics 6: kept, and sent when it is back."""
    found = said("hello", facts=Facts(trouble="controller_down"))
    assert found.turn is not None and found.turn.state is TurnState.QUEUED
    assert "is sent when it is back" in told(found)


def test_prompt_for_a_controller_that_has_no_word_for_the_head_is_not_said_to_wait() -> None:
    """issue 4, item 9: it is begun without a head; the start says what does not work."""
    found = said("hello", facts=Facts(trouble="controller_lacks"))
    assert found.turn is not None and found.turn.state is TurnState.QUEUED
    assert told(found) == ""


def test_quoted_answer_decides_the_thread() -> None:
    """design 7: a quote goes to the thread that gave it, whatever is in use."""
    other = replace(TURN, thread=ThreadId("other"), alias="docs")
    found = said("and this?", view=replace(VIEW, quoted_turn=other))
    assert found.turn is not None
    assert (found.turn.thread, found.turn.alias) == ("other", "docs")


def test_two_slashes_are_a_message_that_begins_with_one() -> None:
    """design 7: `//text`."""
    found = said("//etc is a folder")
    assert found.turn is not None and found.turn.prompt == "/etc is a folder"


@table(
    ("message", "words"),
    [
        (row(" "), "empty"),
        (row("x", is_cut=True), "longer than 512 KiB"),
        (row("", parts=(Part("other"),)), "Say it in words"),
    ],
)
def test_message_that_cannot_be_run_says_why(message: InboxRow, words: str) -> None:
    """R9: a cut message never runs."""
    batch = Batch((message,))
    found = decide(batch, c.Prompt(), VIEW, FREE, Policy(), NOW_MS, IDS)
    assert found.turn is None and words in told(found)


def test_prompt_without_a_thread_and_send_to_nobody_name_the_next_step() -> None:
    """R30: never a thread that was not chosen."""
    nothing = replace(VIEW, peer=Peer(OWNER, "en"))
    assert "/threads" in told(said("hello", view=nothing))
    found = said("/send docs hello")
    assert found.turn is None and "There is no docs" in told(found)


def test_full_queue_holds_and_the_first_over_the_flood_limit_is_told() -> None:
    """delivery-semantics 9."""
    full = replace(VIEW, unfinished={THREAD: 3})
    found = said("more", view=full, policy=Policy(queue_limit=2))
    assert found.turn is None and outcomes(found) == [(InboxState.HELD, "")]
    assert "/run-held" in told(found)
    was_told = replace(FREE, is_full_told=True)
    again = said("more", view=full, facts=was_told, policy=Policy(queue_limit=2))
    assert outcomes(again) == [(InboxState.HELD, "")] and not again.bubbles
    many = [
        told(said("x", facts=replace(FREE, prompts_before=count), policy=Policy(flood_limit=3)))
        for count in (2, 3, 4)
    ]
    assert [bool(text) for text in many] == [False, True, True]
    was_told = replace(FREE, prompts_before=4, is_flood_told=True)
    assert not told(said("x", facts=was_told, policy=Policy(flood_limit=3)))


def test_stale_messages_are_held_whatever_they_say_and_told_once() -> None:
    """R8."""
    rows = (row("hello", 1, age_ms=7_200_000), row("you", 2, age_ms=3_600_000))
    found = decide(Batch(rows, is_stale=True), c.Prompt(), VIEW, FREE, Policy(), NOW_MS, IDS)
    assert found.turn is None and outcomes(found) == [(InboxState.HELD, "")] * 2
    assert "not run: 2 (" in told(found) and "2 h" in told(found)


# turns on command


@table(
    ("state", "after", "stops"),
    [
        (TurnState.RUNNING, TurnState.RUNNING, True),
        (TurnState.STARTING, TurnState.STARTING, True),
        (TurnState.QUEUED, TurnState.DONE, None),
        (TurnState.PARKED, TurnState.DONE, None),
    ],
)
def test_stop_marks_what_is_live_and_cancels_what_waits(
    state: TurnState, after: TurnState, stops: bool | None
) -> None:
    """delivery-semantics 6: one commit; the settlement is the reply."""
    found = said("/stop", view=replace(VIEW, turns=(replace(TURN, state=state),)))
    (step,) = found.turn_steps
    assert (step.was, step.state, step.stop_requested) == (state, after, stops)
    assert ("is cancelled" in told(found)) is (stops is None)


def test_stop_of_nothing_and_of_what_is_over_says_so() -> None:
    """design 7."""
    assert "Nothing is running in code" in told(said("/stop"))
    settling = replace(VIEW, turns=(replace(TURN, state=TurnState.SETTLING),))
    assert "Nothing is running" in told(said("/stop", view=settling))
    assert "There is no docs" in told(said("/stop docs"))


@table("text", ["/stop", "/steer more"])
def test_word_about_the_thread_in_use_where_none_is_says_so(text: str) -> None:
    """R30: never about "-"; one whose name is gone is called as its turn was."""
    nowhere = replace(VIEW, peer=Peer(OWNER, "en"))
    assert "No thread is chosen yet. Send /threads" in told(said(text, view=nowhere))
    over = replace(TURN, state=TurnState.SETTLING, alias="gone")
    nameless = replace(nowhere, aliases={}, quoted_turn=over, turns=(over,))
    assert "Nothing is running in gone" in told(said(text, view=nameless))


def test_stop_that_is_on_its_way_is_answered_again() -> None:
    """Ours: who asks twice wants to know that he was heard."""
    stopping = replace(VIEW, turns=(replace(TURN, stop_requested=True),))
    found = said("/stop", view=stopping)
    assert "Stopping #7" in told(found) and not found.turn_steps


def test_cancel_takes_only_what_waits() -> None:
    """design 7: `/cancel <n>`."""
    waits = replace(VIEW, turns=(replace(TURN, state=TurnState.QUEUED),))
    assert said("/cancel 7", view=waits).turn_steps[0].state is TurnState.DONE
    assert "not waiting" in told(said("/cancel 7", view=replace(VIEW, turns=(TURN,))))


def test_retry_starts_a_parked_turn_as_itself_and_an_ended_one_anew() -> None:
    """delivery-semantics 6: the same key before any start; a new message, a new key, after."""
    parked = replace(TURN, state=TurnState.PARKED, reason=Parked.HEAD)
    found = said("/retry", view=replace(VIEW, turns=(parked,)))
    assert found.turn is None
    assert (found.turn_steps[0].state, found.turn_steps[0].reason) == (
        TurnState.PARKED,
        Parked.AGREED,
    )
    ended = replace(TURN, state=TurnState.DONE, outcome="failed")
    found = said("/retry", view=replace(VIEW, unanswered=(ended,)))
    assert found.turn is not None and found.turn.prompt == "build it"
    assert found.turn.key != ended.key


# approvals


@table(("word", "decision"), [("approve", "accept"), ("APPROVE", "accept"), ("deny", "decline")])
def test_verdict_is_stored_for_the_task_of_the_thread_to_give(word: str, decision: str) -> None:
    """R29: committed before the controller is told; case does not matter."""
    found = said(f"/{word} {APPROVAL.code.upper()}", view=ASKED)
    assert found.approval is not None
    assert (found.approval.state, found.approval.decision) == (ApprovalState.ANSWERING, decision)
    assert found.approval_thread == THREAD
    assert (found.audit[0].subject, found.audit[0].turn) == ("d", 7)


def test_wrong_code_changes_nothing() -> None:
    """R29: one sentence."""
    found = said("/approve zzzzzzzzz", view=ASKED)
    assert found.approval is None and "No pending request" in told(found)


def test_stale_code_changes_nothing_and_shows_the_same_request_under_a_fresh_one() -> None:
    """R29: after ten minutes."""
    old = replace(APPROVAL, code_ms=NOW_MS - 600_001)
    found = said(f"/approve {old.code}", view=replace(ASKED, approvals=(old,)))
    assert found.approval == replace(old, code=IDS.code, code_ms=NOW_MS)
    assert f"/approve {IDS.code}" in told(found) and found.approval_thread is None


@table("policy", [Policy(remote_approvals=False), Policy()])
def test_what_was_not_shown_whole_or_may_not_be_approved_here_is_only_declined(
    policy: Policy,
) -> None:
    """R29: cut displays cannot be approved."""
    cut = replace(ASKED, approvals=(replace(APPROVAL, is_cut=policy.remote_approvals),))
    assert said(f"/approve {APPROVAL.code}", view=cut, policy=policy).approval is None
    declined = said(f"/deny {APPROVAL.code}", view=cut, policy=policy).approval
    assert declined is not None and declined.decision == "decline"


def test_question_is_answered_in_words_and_a_command_is_not() -> None:
    """design 7: `/answer`."""
    question = replace(ASKED, approvals=(replace(APPROVAL, kind="question"),))
    assert "That is a question" in told(said(f"/approve {APPROVAL.code}", view=question))
    found = said(f"/answer {APPROVAL.code} the second", view=question)
    assert found.approval is not None and found.approval.said == "the second"
    wrong = said(f"/answer {APPROVAL.code} yes", view=ASKED)
    assert wrong.approval is None and "but a request; nothing was done" in told(wrong)
    choices = replace(APPROVAL, kind="question", options=("q:yes", "q:no"))
    seen = replace(ASKED, approvals=(choices,))
    beyond = said(f"/answer {APPROVAL.code} 7", view=seen)
    assert beyond.approval is None and "no choice 7" in told(beyond)
    assert f"/answer {APPROVAL.code} and a number from 1 to 2" in told(beyond)
    assert said(f"/answer {APPROVAL.code} 2", view=seen).approval is not None
    assert said(f"/answer {APPROVAL.code} {'7' * 5_000}", view=seen).approval is not None


# held messages, poison, what a command is about


@table(
    ("word", "end", "released"),
    [
        ("/run-held", (InboxState.NEW, ""), True),
        ("/drop-held", (InboxState.DONE, "dropped"), False),
    ],
)
def test_held_messages_are_run_or_dropped_together(
    word: str, end: tuple[InboxState, str], released: bool
) -> None:
    """delivery-semantics 4."""
    found = said(word, view=replace(VIEW, held=(InboxId(5), InboxId(6))))
    assert outcomes(found) == [(InboxState.DONE, "command"), end, end]
    assert [step.is_released for step in found.rows[1:]] == [released] * 2
    assert "Nothing is held" in told(said(word))


def test_held_words_go_to_the_thread_that_was_in_use_when_they_were_held() -> None:
    """R30: `/use` between them and `/run-held` aims nothing anew."""
    other = replace(ALIAS, name=AliasName("docs"), thread=ThreadId("thread-0002"))
    both = replace(VIEW, aliases={ALIAS.name: ALIAS, other.name: other})
    old = Batch((row(age_ms=7_200_000),), is_stale=True)
    held = decide(old, c.Prompt(), both, FREE, Policy(), NOW_MS, IDS)
    assert [step.meant for step in held.rows] == [ALIAS.name]
    later = replace(both, peer=replace(both.peer, active=other.name), meant=ALIAS.name)
    assert target_of(c.Prompt(), later) == THREAD
    found = said("hello", view=later)
    assert found.turn is not None and found.turn.alias == "code" and found.peer_after is None
    gone = replace(later, aliases={other.name: other})
    assert "There is no code." in told(said("hello", view=gone))


def test_message_that_failed_three_times_is_set_aside_and_told() -> None:
    """delivery-semantics 9."""
    found = set_aside(Batch((row("x", 9, attempts=3),)), VIEW, IDS)
    assert outcomes(found) == [(InboxState.DONE, "poison")]
    assert "E-M9" in told(found) and [(line.what, line.outcome) for line in found.audit] == [
        ("refused", "poison")
    ]


@table(
    ("command", "thread"),
    [
        (c.Prompt(), THREAD),
        (c.Send("code", "x"), THREAD),
        (c.Send("docs", "x"), None),
        (c.Status(""), THREAD),
        (c.Add("x", "thread-0002"), "thread-0002"),
        (c.Bind("7"), None),
        (c.Help(""), None),
    ],
)
def test_thread_that_a_command_is_about(command: c.Command, thread: str | None) -> None:
    """R30: explicit, or nothing."""
    assert target_of(command, VIEW) == thread
