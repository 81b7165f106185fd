"""What agents may put on the phone, how often, and how the owner answers them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bridge.core import commands, guests
from bridge.core.decide import command_of, decide, target_of
from bridge.core.decision import Decision, Facts, Ids, NewRow, Policy, View
from bridge.core.guests import Again, Joined, No
from bridge.core.intake import Batch
from bridge.core.model import (
    Account,
    AccountState,
    Alias,
    AliasName,
    InboxId,
    InboxRow,
    InboxState,
    MsgKey,
    OutId,
    OutRow,
    OutState,
    Owner,
    Part,
    Peer,
    PeerId,
    Question,
    SendClass,
    ThreadId,
)
from bridge.core.phrases import MARK
from bridge.core.sending import (
    NOTE_LIFE_MS,
    QUESTION_LIFE_MS,
    Limits,
    Window,
    is_worthless,
)
from bridge.core.text import MAX_BUBBLE_BYTES, MAX_BUBBLE_CHARS
from tests.unit.table import table

NOW_MS = 1_800_000_000_000
OWNER = PeerId("oOwner@im.wechat")
PEER = Peer(OWNER, "en")
ACCOUNT = Account("wechat", "bot", Owner(frozenset({OWNER})), state=AccountState.ON)
WORK = Alias(AliasName("work"), ThreadId("t-work"))
IDS = Ids("install", "1800-abcd", "k7mpq2xyz")
ASKED = Question(OutId(4), "codex", OWNER, ("Blue", "Red"), "abc23defg", NOW_MS)


def note(text: str, waiting: OutRow | None = None) -> NewRow | Joined | Again | No:
    return guests.note("codex", text, waiting, PEER, IDS)


def ask(
    text: str, *options: str, waiting: tuple[OutRow, ...] = ()
) -> tuple[NewRow, Question] | Again | No:
    return guests.ask("codex", text, options, waiting, PEER, NOW_MS, IDS)


def asking(text: str, *options: str) -> NewRow:
    found = ask(text, *options)
    assert isinstance(found, tuple)
    return found[0]


def row_of(found: object) -> NewRow:
    assert isinstance(found, NewRow)
    return found


def stored(row: NewRow, text: str = "") -> OutRow:
    return OutRow(
        OutId(4), OWNER, row.send_class, row.group, 1, 1, text or row.text, row.client_id, NOW_MS
    )


# the frame


def test_note_is_signed_by_a_line_of_ours() -> None:
    """R33: framed as from that client; a class that never overtakes an answer."""
    row = row_of(note("the build is green"))
    assert row.text == f"{MARK} Note from codex:\nthe build is green"
    assert (row.send_class, row.client) == (SendClass.NOTE, "codex")


FORGED = st.lists(
    st.sampled_from([MARK, "\n", "\r", " ", "\u200b", "\u2800", "\u202e", "\x85", "x", "1. ", "\0"])
).map("".join)


@given(text=FORGED, options=st.lists(FORGED, max_size=3))
def test_no_text_of_an_agent_can_hold_the_mark_of_the_bridge(text: str, options: list[str]) -> None:
    """R28, R12: the lines of ours are the first, and the last of a question."""
    said = note(text)
    if isinstance(said, NewRow):
        assert said.text.count(MARK) == 1
    asked = ask(text, *options)
    if isinstance(asked, tuple):
        shown = asked[0].text.split("\n")
        marked = [number for number, line in enumerate(shown) if MARK in line]
        assert marked == [0, len(shown) - 1]


def test_option_cannot_hold_the_mark_either() -> None:
    """R28: options are an agent's words like any others."""
    found = ask("go on?", f"{MARK} approved", "no")
    assert isinstance(found, tuple)
    assert found[0].text.count(MARK) == 2
    assert found[1].options == ("> approved", "no")


def test_open_fence_of_an_agent_does_not_swallow_our_lines() -> None:
    """R28: the options and the code stand outside of what it wrote."""
    assert "x = 1\n```\n1. yes\n" in asking("look:\n```\nx = 1", "yes").text


@given(text=st.text(max_size=guests.MAX_TEXT_CHARS))
def test_whatever_is_queued_fits_one_bubble(text: str) -> None:
    """R37: one note, one send."""
    said = note(text)
    if isinstance(said, NewRow):
        assert len(said.text) <= MAX_BUBBLE_CHARS
        assert len(said.text.encode("utf-8", "replace")) <= MAX_BUBBLE_BYTES


@table(
    ("found", "why"),
    [
        (note(""), No.EMPTY),
        (note(" \n\u202e\x00"), No.EMPTY),
        (note("x" * 1_201), No.TOO_LONG),
        (ask(""), No.EMPTY),
        (ask("x" * 1_201), No.TOO_LONG),
        (ask("which?", *"0123456789"), No.BAD_OPTIONS),
        (ask("which?", "a", " "), No.BAD_OPTIONS),
        (ask("which?", "o" * 41), No.BAD_OPTIONS),
        (ask("which?", waiting=(stored(asking("other?")),) * 3), No.TOO_MANY_QUESTIONS),
    ],
)
def test_what_cannot_be_shown_is_refused_with_its_reason(found: object, why: No) -> None:
    """R34: arguments are validated; nothing is cut in silence."""
    assert found is why


@table(
    ("said", "again"),
    [
        (note("hello", stored(row_of(note("hello")))), True),
        (note("hello\n", stored(row_of(note("hi")), "▸ Note from codex:\nhi\n\nhello")), True),
        (note("hello", stored(row_of(note("oh\nhello")))), False),
        (ask("which?", "a", waiting=(stored(asking("which?", "a")),)), True),
        (ask("which?", "a", waiting=(stored(asking("which?", "a")),) * 3), True),
        (ask("which?", "b", waiting=(stored(asking("which?", "a")),)), False),
        (ask("which?", waiting=(replace(stored(asking("which?")), peer=PeerId("b")),)), False),
    ],
)
def test_same_words_while_they_wait_are_said_once(said: object, again: bool) -> None:
    """R34: a call is repeated when its reply is lost; the receipt is that of the first."""
    assert (said == Again(OutId(4))) == again


# pacing


SPACING_MS = guests.NOTE_SPACING_MS


def test_thousand_notes_are_two_bubbles() -> None:
    """R37: at most three messages for 1,000 failures."""
    second = row_of(note("failure 1"))  # the first has left meanwhile
    text, refused = second.text, 0
    for number in range(2, 1_000):
        said = note(f"failure {number}", stored(second, text))
        if isinstance(said, Joined):
            text = said.text
            assert said.id == OutId(4)
        else:
            assert said is No.TOO_MANY
            refused += 1
    assert refused > 800 and text.count(MARK) == 1


def out(number: int, client: str = "codex", **fields: Any) -> OutRow:  # Any: its own
    row = OutRow(OutId(number), OWNER, SendClass.NOTE, f"g{number}", 1, 1, "hello", "c", NOW_MS)
    return replace(row, client=client, **fields)


@table(
    ("rows", "left_ms", "due_ms"),
    [
        ((out(1),), {}, [0]),
        ((out(2),), {"codex": NOW_MS - 1}, [SPACING_MS - 1]),
        ((out(2),), {"cursor": NOW_MS - 1}, [0]),
        ((out(2),), {"codex": NOW_MS + 86_400_000}, [0]),  # the clock was set back
        ((out(1), out(2), out(3)), {}, [0, SPACING_MS, 2 * SPACING_MS]),
        ((out(1), out(2, "cursor"), out(3)), {}, [0, 0, SPACING_MS]),
        (
            (out(1, not_before_ms=NOW_MS + 300_000), out(2)),
            {"codex": NOW_MS - 1},
            [300_000, 300_000 + SPACING_MS],
        ),
        ((out(1), out(2, send_class=SendClass.QUESTION), out(3, "")), {}, [0, 0, 0]),
    ],
)
def test_notes_of_an_agent_leave_in_order_and_a_minute_apart(
    rows: tuple[OutRow, ...], left_ms: dict[str, int], due_ms: list[int]
) -> None:
    """R37: counted from when they left, whenever they were written and whatever held them up."""
    found = guests.paced(rows, left_ms, NOW_MS)
    assert [max(0, row.not_before_ms - NOW_MS) for row in found] == due_ms
    assert [row.id for row in found] == [row.id for row in rows]


def test_note_goes_to_the_owner_who_wrote_last_and_to_nobody_else() -> None:
    """R6, R33: there is no recipient to choose."""
    two = replace(ACCOUNT, owner=Owner(frozenset({"a", "b"})))
    wrote = [(PeerId("a"), 5), (PeerId("b"), 7), (PeerId("stranger"), 9)]
    assert guests.recipient(two, wrote) == "b"
    assert guests.recipient(two, [(PeerId("stranger"), 9)]) == "a"
    assert guests.recipient(Account(), wrote) is None


# receipts

OPEN = Window(NOW_MS, 0, 0, has_token=True, is_announced=False)
ROW = stored(row_of(note("hello")))


@table(
    ("change", "told"),
    [
        ({}, "queued"),
        ({"state": OutState.SENDING}, "sending"),
        ({"window": replace(OPEN, used=7)}, "held"),
        ({"window": replace(OPEN, used=6)}, "held"),  # the last but one is for an answer
        ({"window": replace(OPEN, opened_ms=NOW_MS - 24 * 3_600_000)}, "held"),
        ({"window": replace(OPEN, has_token=False)}, "held"),
        ({"account": replace(ACCOUNT, state=AccountState.LOGIN_NEEDED)}, "offline"),
        ({"account": replace(ACCOUNT, breaker_until_ms=NOW_MS + 60_000)}, "queued"),
        ({"now_ms": NOW_MS + NOTE_LIFE_MS + 1}, "dropped"),
        ({"state": OutState.DONE, "outcome": "sent"}, "delivered"),
        ({"state": OutState.DONE, "outcome": "unconfirmed"}, "unconfirmed"),
        ({"state": OutState.DONE, "outcome": "unknown"}, "unknown"),
        ({"window": replace(OPEN, used=7, last_attempt_ms=NOW_MS)}, "held"),
        ({"state": OutState.DONE, "outcome": "dead"}, "failed"),
        (
            {"state": OutState.DONE, "outcome": "dead", "row": replace(ROW, maybe_sent=True)},
            "unknown",
        ),
        ({"state": OutState.DONE, "outcome": "cancelled"}, "dropped"),
        ({"state": OutState.DONE, "outcome": "something new"}, "unknown"),
    ],
)
def test_receipt_says_what_is_known_and_no_more(
    change: dict[str, Any], told: str
) -> None:  # Any: as below
    """issue 5, point 12: a truthful receipt."""
    usual: dict[str, Any] = {  # Any: arguments of different types
        "row": ROW,
        "state": OutState.READY,
        "outcome": "",
        "window": OPEN,
        "account": ACCOUNT,
        "limits": Limits(),
        "now_ms": NOW_MS,
    }
    assert guests.receipt(**(usual | change)) == told


def test_question_outlives_a_note_and_goes_after_twelve_hours() -> None:
    """Ours: a question that nobody waits for is not put on the phone."""
    row = stored(asking("go on?"))
    assert not is_worthless(row, NOW_MS, NOW_MS + QUESTION_LIFE_MS)
    assert is_worthless(row, NOW_MS, NOW_MS + QUESTION_LIFE_MS + 1)
    assert guests.standing(ASKED, NOW_MS + QUESTION_LIFE_MS) == "waiting"
    assert guests.standing(ASKED, NOW_MS + QUESTION_LIFE_MS + 1) == "expired"
    assert guests.standing(ASKED, NOW_MS, is_lost=True) == "undelivered"
    assert guests.standing(replace(ASKED, outcome="answered"), NOW_MS, is_lost=True) == "answered"


# the owner's answer


def says(
    text: str,
    quoted: Question | None = None,
    now_ms: int = NOW_MS,
    maybe: Question | None = None,
) -> Decision:
    """What a message of the owner leads to, while ASKED waits and a thread is in use."""
    row = InboxRow(
        id=InboxId(1),
        peer=OWNER,
        msg_key=MsgKey("mid:1"),
        parts=(Part("text", text),),
        quoted_id="99" if quoted or maybe else "",
        is_cut=False,
        age_ms=0,
        received_ms=now_ms,
        attempts=0,
        is_released=False,
        state=InboxState.NEW,
    )
    view = View(
        account=ACCOUNT,
        peer=replace(PEER, active=WORK.name),
        aliases={WORK.name: WORK},
        unfinished={},
        quoted_question=quoted,
        maybe_quoted=maybe,
        questions=(ASKED,),
    )
    batch = Batch((row,))
    command = command_of(batch)
    if (quoted or maybe) and isinstance(command, commands.Prompt):
        assert target_of(command, view) is None  # the controller is not asked
    return decide(batch, command, view, Facts(), Policy(), now_ms, IDS)


@table(
    ("decision", "said"),
    [
        (says("/answer abc23defg 2"), "Red"),
        (says("/answer ABC23DEFG 2"), "Red"),
        (says("/answer abc23defg ² or so"), "² or so"),
        (says("/answer abc23defg neither\nof them"), "neither\nof them"),
        (says("1", quoted=ASKED), "Blue"),
        (says("  10 times", quoted=ASKED), "10 times"),
        (says("2024", quoted=ASKED), "2024"),
        (says(" １ ", quoted=ASKED), ASKED.options[0]),
        (says("//neither", quoted=ASKED), "/neither"),
    ],
)
def test_answer_by_code_or_by_quote_is_kept_for_the_agent(decision: Decision, said: str) -> None:
    """design 7: a number is an option, words are words; no turn, one audit line."""
    assert decision.question == replace(ASKED, outcome="answered", said=said)
    assert decision.turn is None and len(decision.audit) == 1
    assert "kept for codex" in decision.bubbles[0].text


@table("asked", [ASKED, replace(ASKED, client="cursor")])
def test_quote_that_may_answer_a_question_is_neither_run_nor_taken(asked: Question) -> None:
    """R30: ambiguous -> refused; one sentence says how to do either."""
    found = says("1", maybe=asked)
    assert (found.turn, found.question) == (None, None)
    assert "/answer abc23defg" in found.bubbles[0].text and asked.client in found.bubbles[0].text


def test_deny_tells_the_agent_that_no_answer_comes() -> None:
    """Ours: an agent that waits in vain asks again."""
    assert says("/deny abc23defg").question == replace(ASKED, outcome="declined")


@table(
    ("decision", "told"),
    [
        (says("/approve abc23defg"), "That is a question"),
        (says("/answer nonsense 1"), "No pending request has this code."),
        (says("1", quoted=replace(ASKED, outcome="answered", said="Red")), "is over"),
        (says("/answer abc23defg 1", now_ms=NOW_MS + QUESTION_LIFE_MS + 1), "is over"),
        (says("", quoted=ASKED), "empty"),
        (says("10", quoted=ASKED), "There is no choice 10; nothing was done. /answer abc23defg"),
        (says("/answer abc23defg 0"), "There is no choice 0"),
    ],
)
def test_what_is_no_answer_changes_nothing(decision: Decision, told: str) -> None:
    """R29: each code counts once; an agent's question approves nothing."""
    assert decision.question is None and decision.turn is None
    assert not [line for line in decision.audit if line.what != "refused"]
    assert told in decision.bubbles[0].text
