"""The commands that only answer: what they say, and what the peer then remembers."""

from __future__ import annotations

from dataclasses import replace

from bridge.core import commands as c
from bridge.core.answers import MAX_ASKS, MAX_LISTED, answer
from bridge.core.decision import Facts, Policy, Session, ThreadStatus, View
from bridge.core.errors import Refusal
from bridge.core.model import (
    Account,
    AccountState,
    AliasName,
    Head,
    InboxId,
    Lang,
    Listed,
    OutId,
    Parked,
    Peer,
    PeerId,
    Question,
    ThreadId,
    Turn,
    TurnId,
    TurnState,
)
from bridge.core.room import Reply
from bridge.core.sending import QUESTION_LIFE_MS
from bridge.core.text import MAX_BUBBLE_BYTES, MAX_BUBBLE_CHARS
from tests.unit.table import table
from tests.unit.test_decide import ALIAS, APPROVAL, IDS, NOW_MS, TURN, VIEW

MINUTE_MS = 60_000
SESSION = Session(ALIAS.thread, "Fix the\u202e tests", "/home/me/app", NOW_MS - MINUTE_MS, "idle")
LONG = replace(
    TURN,
    state=TurnState.DONE,
    result="one.two.three.four.five.six.",
    cuts=(4, 8, 14, 19, 24, 28),
    ended_ms=NOW_MS - MINUTE_MS,
)


def said(command: c.Answered, view: View = VIEW, facts: Facts | None = None) -> Reply:
    return answer(command, view, facts or Facts(), Policy(), NOW_MS, IDS)


def test_threads_are_numbered_and_the_numbers_are_remembered() -> None:
    """design 7: a number means the list last shown to this peer."""
    other = Session(ThreadId("t2"), "", "", NOW_MS, "elsewhere")
    found = said(c.Threads(""), facts=Facts(sessions=(SESSION, other)))
    lines = found.text.splitlines()
    assert lines[1:] == [
        "1. Fix the tests = code",
        "   app · 1 min · free",
        "2. (no title)",
        "   0 s · open elsewhere",
    ]
    assert found.peer is not None
    assert [item.thread for item in found.peer.listed] == [ALIAS.thread, "t2"]
    assert found.peer.listed[0] == Listed(ALIAS.thread, "Fix the tests", "/home/me/app")


def test_list_holds_what_fits_one_bubble_and_no_path() -> None:
    """R35, design 7."""
    found = said(c.Threads(""), facts=Facts(sessions=(SESSION,) * 30))
    assert found.peer is not None and len(found.peer.listed) == MAX_LISTED
    assert "/home" not in found.text


@table(
    ("facts", "words", "told"),
    [
        (Facts(trouble=Refusal.CONTROLLER_DOWN), "", "the controller is not running"),
        (Facts(sessions=()), "", "No thread was found"),
        (Facts(sessions=()), "tests", "No thread matches “tests”"),
    ],
)
def test_list_that_is_empty_or_cannot_be_read_says_why(facts: Facts, words: str, told: str) -> None:
    """design 7."""
    found = said(c.Threads(words), facts=facts)
    assert told in found.text and found.peer is None


def test_names_are_listed_with_the_one_in_use() -> None:
    """design 7: `/list`."""
    assert said(c.Aliases()).text.splitlines()[1].startswith("→ code")
    assert "No thread has a name" in said(c.Aliases(), replace(VIEW, aliases={})).text


def many(count: int) -> View:
    """So many names and turns, each as long as it may be."""
    names = [AliasName(f"{number:04}{'名' * 28}") for number in range(count)]
    named = [replace(ALIAS, name=name, title="题" * 80) for name in names]
    queued = replace(TURN, alias=names[0], prompt="字" * 1_000, state=TurnState.QUEUED)
    return replace(
        VIEW,
        peer=replace(VIEW.peer, active=names[-1]),
        aliases={alias.name: alias for alias in named},
        turns=(queued,) * 200,
    )


def test_of_many_names_the_one_in_use_is_shown_and_the_rest_counted() -> None:
    """Ours: a reply is one bubble, however much there is."""
    lines = said(c.Aliases(), many(1_000)).text.splitlines()
    assert lines[1].startswith("→ 0999")
    assert "980 more" in lines[-1]


@table("lang", ["zh", "en"])
@table("command", [c.Threads(""), c.Aliases(), c.Status(""), c.Queue(), c.Help("")])
def test_what_a_list_says_fits_one_bubble(command: c.Answered, lang: Lang) -> None:
    """issue 3, item 4: 1,800 characters and 5,000 bytes, whichever comes first."""
    view = many(1_000)
    view = replace(view, peer=replace(view.peer, lang=lang))
    session = replace(SESSION, title="题" * 500, cwd="/" + "夹" * 200, holder="谁" * 100)
    found = said(command, view, Facts(sessions=(session,) * 50)).text
    assert len(found) <= MAX_BUBBLE_CHARS
    assert len(found.encode()) <= MAX_BUBBLE_BYTES


@table(
    ("turn", "told"),
    [
        (TURN, "#7 running, 1 min"),
        (replace(TURN, state=TurnState.STARTING), "#7 starting"),
        (replace(TURN, state=TurnState.PARKED, reason=Parked.HEAD), "waits for you (/retry"),
        (replace(TURN, state=TurnState.PARKED, reason=Parked.AGREED), "#7 starting"),
        (replace(TURN, state=TurnState.PARKED, reason=Parked.ELSEWHERE), "waits for the thread"),
        (replace(TURN, state=TurnState.PARKED, reason=Parked.CONTROLLER), "waits for Codex"),
        (replace(TURN, state=TurnState.SETTLING), "#7 finishing"),
    ],
)
def test_status_names_the_turn_and_what_it_waits_for(turn: Turn, told: str) -> None:
    """design 7: nothing is asked of the model."""
    began = replace(turn, started_ms=NOW_MS - MINUTE_MS)
    assert told in said(c.Status(""), replace(VIEW, turns=(began,))).text


def test_status_of_a_turn_that_asks_says_who_is_waited_for() -> None:
    """design 7: an open request is what the turn waits for."""
    asks = replace(VIEW, turns=(TURN,), approvals=(APPROVAL,))
    assert "waits for your answer" in said(c.Status(""), asks).text
    assert "waits for your answer" in said(c.Queue(), asks).text


@table(("is_active", "told"), [(False, "The thread is free"), (True, "in use elsewhere")])
def test_status_of_an_idle_thread_is_the_controllers_word(is_active: bool, told: str) -> None:
    """controller-contract 1."""
    facts = Facts(status=ThreadStatus(Head("h"), "o", is_active, "/"))
    assert told in said(c.Status("code"), facts=facts).text


def test_status_tells_of_everything_that_waits() -> None:
    """delivery-semantics 4 and 5: held, queued, unsent, the window, the breaker, the code."""
    account = Account(
        state=AccountState.SUSPECT, rest_reason="-77", breaker_until_ms=NOW_MS + MINUTE_MS
    )
    queued = replace(TURN, id=TurnId(8), state=TurnState.QUEUED)
    view = replace(
        VIEW,
        account=account,
        turns=(TURN, queued),
        held=(InboxId(1), InboxId(2)),
        waiting_rows=3,
        credits=5,
        last_answer=LONG,
    )
    text = said(c.Status(""), view, Facts(trouble=Refusal.CONTROLLER_SLOW)).text
    for words in (
        "1 waiting",
        "2 held: /run-held",
        "Bubbles that wait to be sent: 3",
        "WeChat replies left until you write: 5",
        "refused to take a message",
        "unknown code: -77",
        "Last answer: #7, 1 min ago",
        "did not answer in time",
    ):
        assert words in text


def test_status_of_a_thread_counts_what_waits_there_and_the_rest_apart() -> None:
    """design 7: a thread, its queue, its last answer."""
    other = ThreadId("other")
    waits = replace(TURN, id=TurnId(8), state=TurnState.QUEUED)
    elsewhere = [replace(waits, id=TurnId(n), thread=other) for n in (9, 10)]
    text = said(c.Status("code"), replace(VIEW, turns=(TURN, waits, *elsewhere))).text
    assert "\n1 waiting\n2 waiting in other threads: /queue" in text
    alone = said(c.Status("code"), replace(VIEW, turns=tuple(elsewhere))).text
    assert "\n2 waiting in other threads" in alone and "free" not in alone.lower()
    nowhere = replace(VIEW, peer=Peer(PeerId("p"), "en"), turns=(waits, *elsewhere))
    assert "\n3 waiting" in said(c.Status(""), nowhere).text


def test_status_calls_no_end_without_a_text_an_answer() -> None:
    """Ours: what it names is there for `/result`."""
    failed = replace(TURN, state=TurnState.DONE, outcome="failed")
    assert "Last answer" not in said(c.Status(""), replace(VIEW, last_turn=failed)).text


def test_status_shows_every_code_that_waits_for_an_answer() -> None:
    """R29: a bubble that went by is not the only place where a code stands."""
    own = Question(OutId(1), "codex", VIEW.peer.id, (), "k7q2m4xpa", NOW_MS)
    over = replace(own, code="a2a2a2a2a", asked_ms=NOW_MS - QUESTION_LIFE_MS - 1)
    asks = replace(VIEW, turns=(TURN,), approvals=(APPROVAL,), questions=(own, over))
    text = said(c.Status(""), asks).text
    assert f"#7 waits for your answer. /approve {APPROVAL.code}" in text
    assert "codex waits for your answer. /answer k7q2m4xpa" in text and over.code not in text
    many = replace(asks, questions=(own,) * 50)
    assert said(c.Status(""), many).text.count("waits for your answer.") == MAX_ASKS
    desk = answer(c.Status(""), asks, Facts(), Policy(remote_approvals=False), NOW_MS, IDS)
    assert "confirm it at the desk" in desk.text and APPROVAL.code not in desk.text


def test_status_with_a_quote_is_of_the_thread_that_gave_the_answer() -> None:
    """design 7: a quoted answer means its thread."""
    blog = replace(ALIAS, name=AliasName("blog"), thread=ThreadId("b"), title="Blog")
    both = replace(VIEW, aliases={ALIAS.name: ALIAS, blog.name: blog})
    text = said(c.Status(""), replace(both, quoted_turn=replace(TURN, thread=blog.thread))).text
    assert text.startswith("▸ blog: Blog")


def test_status_without_a_thread_or_of_no_alias_names_the_next_step() -> None:
    """R30."""
    assert "/threads" in said(c.Status(""), replace(VIEW, peer=Peer(PeerId("p"), "en"))).text
    assert "There is no docs" in said(c.Status("docs")).text


def test_queue_shows_each_turn_with_its_number() -> None:
    """design 7: the number that `/cancel` takes."""
    view = replace(VIEW, turns=(TURN, replace(TURN, id=TurnId(8), state=TurnState.QUEUED)))
    assert said(c.Queue(), view).text.splitlines()[1:] == [
        "#7 code · running · build it",
        "#8 code · waiting · build it",
    ]
    assert "Nothing is waiting" in said(c.Queue()).text


def test_more_goes_on_where_the_last_bubble_ended() -> None:
    """design 7: four at most; then there is no more."""
    peer = replace(VIEW.peer, more_turn=LONG.id, more_next=1)
    view = replace(VIEW, peer=peer, asked_turn=LONG)
    found = said(c.More(), view)
    assert [row.text.splitlines()[0] for row in found.rows] == ["two.", "three.", "four.", "five."]
    assert found.rows[-1].text.endswith("1 more: send /more")
    assert found.peer is not None and found.peer.more_next == 5
    last = said(c.More(), replace(view, peer=found.peer))
    assert [row.text for row in last.rows] == ["six."]
    assert last.peer is not None and last.peer.more_next == 0
    assert "There is no more" in said(c.More(), replace(view, peer=last.peer)).text


def test_result_begins_anew_and_an_answer_that_is_not_there_is_named() -> None:
    """design 7: `/result <id>`."""
    found = said(c.Result(7), replace(VIEW, asked_turn=LONG))
    assert [row.part for row in found.rows] == [1, 2]
    assert found.peer is not None and found.peer.more_next == 2
    assert "no answer #9" in said(c.Result(9)).text


@table(
    ("command", "told"),
    [
        (c.Help(""), "/threads [words]"),
        (c.Help("stop"), "Usage: /stop"),
        (c.Help("stop"), "Example: /stop"),
        (c.Malformed("send"), "Usage: /send"),
        (c.Unknown("status"), "There is no such command. /status"),
        (c.Unknown("help", is_path=True), "begin it with two slashes: //"),
    ],
)
def test_help_and_mistakes_show_how_it_is_written(command: c.Answered, told: str) -> None:
    """R11: the nearest verb is shown, never run."""
    assert told in said(command).text


def test_language_is_kept_and_answers_in_it_at_once() -> None:
    """design 7: `/lang`."""
    found = said(c.SetLang("zh"))
    assert found.peer is not None and found.peer.lang == "zh"
    assert "中文" in found.text
