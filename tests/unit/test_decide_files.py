"""What is decided about files without words, old messages, quotes and transcripts."""

from __future__ import annotations

from dataclasses import replace

from bridge.core import decide
from bridge.core.attached import Attachment, FileId, TurnFile
from bridge.core.commands import DropHeld, Prompt, Queue, RunHeld, Status
from bridge.core.decision import Decision, Facts, Ids, Policy, ThreadStatus, View
from bridge.core.intake import Batch
from bridge.core.model import (
    Account,
    AccountState,
    Alias,
    AliasName,
    InboxId,
    InboxRow,
    InboxState,
    Key,
    MsgKey,
    OutId,
    Part,
    Peer,
    PeerId,
    Question,
    RunId,
    ThreadId,
    Turn,
    TurnId,
    TurnState,
)
from bridge.core.turns import Run, after_run
from tests.unit.table import table

NOW_MS = 1_800_000_000_000
HOUR_MS = 3_600_000
OWNER = PeerId("oOwner@im.wechat")
WEB = Alias(AliasName("web"), ThreadId("thread-web"), "/srv/web", "the site")
API = Alias(AliasName("api"), ThreadId("thread-api"), "/srv/api", "the service")
VIEW = View(
    Account("wechat", "bot", state=AccountState.ON),
    Peer(OWNER, "en", WEB.name),
    {WEB.name: WEB, API.name: API},
    {},
)
FREE = Facts(status=ThreadStatus("h1", "", False, "/srv/web"))
TURN = Turn(
    TurnId(7), Key("k"), "wechat", OWNER, API.thread, "api", "old words", "/srv/api",
    "workspace-write", "on-request", "", "", TurnState.DONE, result="done", cuts=(4,),
)  # fmt: skip


QUESTION = Question(OutId(5), "codex", OWNER, (), "abcdefghj", NOW_MS)


def row(number: int, *parts: Part, outcome: str = "", **fields: object) -> InboxRow:
    files = tuple(
        Attachment(FileId(place), place, outcome, "/data/a/x.png", "image/png")  # type: ignore[arg-type]  # words of the type
        for place, part in enumerate(parts)
        if part.kind == "image"
    )
    base = InboxRow(
        InboxId(number), OWNER, MsgKey(f"mid:{number}"), parts, "", False, 0, NOW_MS, 0, False,
        InboxState.NEW, files,
    )  # fmt: skip
    return replace(base, **fields)  # type: ignore[arg-type]  # named as the row's own


def decided(batch: Batch, command: object, view: View = VIEW, facts: Facts = FREE) -> Decision:
    ids = Ids("install", "seed", "code")
    return decide.decide(batch, command, view, facts, Policy(), NOW_MS, ids)  # type: ignore[arg-type]  # one of the commands


def told(decision: Decision) -> str:
    return "\n".join(bubble.text for bubble in decision.bubbles)


def test_files_alone_get_one_question_and_stay() -> None:
    """delivery-semantics 4: no turn, rows stay `new`."""
    rows = (row(1, Part("image"), outcome="stored"), row(2, Part("image"), Part("image")))
    found = decided(Batch(rows, is_wordless=True), Prompt())
    assert told(found).startswith("▸ Got 3 of your files.")
    assert {(step.state, step.is_asked) for step in found.rows} == {(InboxState.NEW, True)}
    assert found.turn is None


def test_files_that_are_all_gone_are_told_as_lost_and_done() -> None:
    """F45: nothing waits for words about what is not there."""
    rows = (row(1, Part("image"), outcome="gone"), row(2, Part("image"), outcome="stored"))
    found = decided(Batch(rows, is_wordless=True), Prompt())
    assert "1 of your files could not be got" in told(found) and "Got 1 of" in told(found)
    assert [step.state for step in found.rows] == [InboxState.DONE, InboxState.NEW]


def test_prompt_with_files_plans_one_turn_that_names_them() -> None:
    """issue 3, item 6: the turn keeps the paths, its prompt names them."""
    rows = (row(1, Part("image"), outcome="stored"), row(2, Part("text", "look")))
    turn = decided(Batch(rows), Prompt()).turn
    assert turn is not None
    assert turn.prompt == "[image: /data/a/x.png]\nlook"
    assert turn.files == (TurnFile("/data/a/x.png", "image", True),)


def test_quote_leads_to_the_thread_that_gave_the_answer() -> None:
    """design 7: without switching; the quoted words go along."""
    view = replace(VIEW, quoted_turn=TURN, quoted_text="done")
    quoting = Batch((row(1, Part("text", "why?"), quoted_id="77"),))
    turn = decided(quoting, Prompt(), view).turn
    assert turn is not None
    assert (turn.thread, turn.prompt) == (API.thread, "> done\n\nwhy?")


def test_unknown_kind_of_message_is_refused_with_a_next_step() -> None:
    """F47: polite, and no turn."""
    found = decided(Batch((row(1, Part("other")),)), Prompt())
    assert told(found).startswith("▸ That kind of message cannot be taken.")
    assert found.turn is None


def test_held_summary_names_a_sleep_of_the_machine() -> None:
    """delivery-semantics 12, F67."""
    old = Batch((row(1, Part("text", "x"), age_ms=2 * HOUR_MS),), is_stale=True)
    assert "slept" not in told(decided(old, Prompt()))
    slept = decided(old, Prompt(), facts=Facts(slept_ms=8 * HOUR_MS))
    assert "The computer slept for 8 h. Messages of that time that were not run: 1 (" in told(slept)


def test_drop_held_drops_files_without_words_and_run_held_leaves_them() -> None:
    """delivery-semantics 4: there is nothing to run about files alone."""
    view = replace(VIEW, held=(InboxId(1),), files_alone=(InboxId(2),))
    command = Batch((row(9, Part("text", "/x")),))
    dropped = decided(command, DropHeld(), view)
    assert [(s.id, s.outcome) for s in dropped.rows[1:]] == [(1, "dropped"), (2, "dropped")]
    assert [s.id for s in decided(command, RunHeld(), view).rows[1:]] == [1]


def test_queue_shows_names_of_files_and_no_path() -> None:
    """R35: the phone never sees a path."""
    file = TurnFile("/home/me/My Codex/data/a.png", "cat.png", True)
    prompt = f"[cat.png: {file.path}]"
    waiting = replace(TURN, prompt=prompt, files=(file,), state=TurnState.QUEUED)
    command = Batch((row(9, Part("text", "/queue")),))
    shown = told(decided(command, Queue(), replace(VIEW, turns=(waiting,))))
    assert "cat.png" in shown and "/home" not in shown and "Codex/data" not in shown


def test_status_shows_credits_their_day_and_the_breaker() -> None:
    """issue 3, item 3."""
    account = replace(VIEW.account, breaker_until_ms=NOW_MS + 240_000)
    view = replace(VIEW, account=account, credits=5, closes_ms=NOW_MS + 22 * HOUR_MS)
    shown = told(decided(Batch((row(9, Part("text", "/s")),)), Status(""), view))
    assert "WeChat replies left until you write: 5, for 22 h" in shown
    assert "trying again in 4 min" in shown


def test_answer_opens_with_what_was_heard_and_fits_its_bubble() -> None:
    """issue 5, item 8; ilink-protocol 6.4: also of another thread, which went on at the desk."""
    moved = replace(TURN, seen_head="h1", expected_head="h2")
    turn = replace(moved, state=TurnState.RUNNING, preface="▸ Heard: " + "words " * 9)
    run = Run(RunId("r"), "completed", API.thread, result="x" * 30_000)
    end = after_run(turn, run, VIEW.peer, 0, Ids("i", "s"))
    assert end.rows[0].text.splitlines()[0] == f"(api) {turn.preface}"
    assert len(end.rows) == 2  # issue 3, item 4: 30,000 characters cost at most 2 sends
    assert all(len(each.text) <= 1_800 for each in end.rows)


@table(
    "view",
    {
        "no thread": replace(VIEW, peer=replace(VIEW.peer, active=None)),
        "a name that is gone": replace(VIEW, meant=AliasName("gone")),
        "an agent's question": replace(VIEW, quoted_question=QUESTION),
        "nobody knows what is quoted": replace(VIEW, maybe_quoted=QUESTION),
    },
)
def test_files_wait_on_where_the_words_behind_them_make_no_turn(view: View) -> None:
    """issue 5, item 4: they wait for their sentence, and this was another's."""
    alone, words = row(1, Part("image"), outcome="stored"), row(2, Part("text", "yes"))
    found = decided(Batch((alone, words)), Prompt(), view)
    assert found.turn is None and told(found)
    assert [(step.id, step.state) for step in found.rows] == [(words.id, InboxState.DONE)]


def test_send_takes_the_files_and_leaves_them_where_it_cannot_be_done() -> None:
    """design 7: in order, as lines with their paths; a wrong name costs only the command."""
    alone = row(1, Part("image"), outcome="stored")
    batch = Batch((alone, row(2, Part("text", "/send api  //look at  it"))))
    found = decided(batch, decide.command_of(batch))
    assert found.turn is not None
    assert found.turn.prompt == "[image: /data/a/x.png]\n//look at  it"
    assert found.turn.files == (TurnFile("/data/a/x.png", "image", is_image=True),)
    assert found.turn.thread == API.thread
    assert [step.outcome for step in found.rows] == ["turn", "turn"]
    batch = Batch((alone, row(2, Part("text", "/send none look"))))
    refused = decided(batch, decide.command_of(batch))
    assert [(step.id, step.outcome) for step in refused.rows] == [(InboxId(2), "command")]
    assert "There is no none." in told(refused)
