"""What follows from `/refresh`, `/steer`, `/new`, `/fork` and `/recover`, as one Decision."""

from __future__ import annotations

from dataclasses import replace

from bridge.core import commands as c
from bridge.core import decide, room, verbs
from bridge.core.decision import (
    Decision,
    Facts,
    History,
    Ids,
    Item,
    Policy,
    Session,
    ThreadStatus,
    View,
)
from bridge.core.intake import Batch
from bridge.core.model import (
    Account,
    Alias,
    AliasName,
    Confirmation,
    InboxId,
    InboxRow,
    InboxState,
    Key,
    Lang,
    MsgKey,
    Parked,
    Part,
    Peer,
    PeerId,
    RunId,
    ThreadId,
    Turn,
    TurnId,
    TurnState,
    is_unmade,
    unmade_thread,
)
from bridge.core.turns import turn_key
from tests.unit.table import table

NOW_MS = 1_800_000_000_000
IDS = Ids("install", "seed", "code")
THREAD = ThreadId("0199-thread")
CODE = Alias(AliasName("code"), THREAD, "/home/owner/shop", "Shop", seen_head="t1:completed")
PEER = Peer(PeerId("p"), "en", active=CODE.name)
TURN = Turn(
    id=TurnId(5),
    key=Key("ctb1:k"),
    channel="wechat",
    peer=PEER.id,
    thread=THREAD,
    alias="code",
    prompt="hello",
    cwd=CODE.cwd,
    sandbox="workspace-write",
    approval_policy="on-request",
    model="",
    effort="",
    state=TurnState.RUNNING,
    run=RunId("run-1"),
)

FREE = ThreadStatus("t1:completed", "", False, "/home/owner/shop", state="idle")


def view(*turns: Turn, peer: Peer = PEER, aliases: tuple[Alias, ...] = (CODE,)) -> View:
    named = {alias.name: alias for alias in aliases}
    waiting = {turn.thread: 1 for turn in turns}
    return View(Account(channel="wechat"), peer, named, waiting, turns=turns)


def said(text: str) -> Batch:
    row = InboxRow(
        InboxId(1),
        PEER.id,
        MsgKey("mid:1"),
        (Part("text", text),),
        "",
        False,
        0,
        NOW_MS,
        0,
        False,
        InboxState.NEW,
    )
    return Batch((row,))


def decided(text: str, seen: View, facts: Facts | None = None) -> Decision:
    batch = said(text)
    command = decide.command_of(batch)
    return decide.decide(batch, command, seen, facts or Facts(), Policy(), NOW_MS, IDS)


def need(text: str, seen: View) -> c.Need:
    return decide.need_of(verbs.parse(text), seen, NOW_MS)


def told(decision: Decision) -> str:
    return "\n".join(row.text for row in decision.bubbles)


# what is asked first


@table(
    ("text", "seen", "wanted"),
    [
        ("/refresh", view(), c.Need.HISTORY),
        ("/refresh nobody", view(), c.Need.NONE),
        ("/refresh", view(peer=replace(PEER, active=None)), c.Need.NONE),
        ("/steer more", view(TURN), c.Need.STEER),
        ("/steer more", view(), c.Need.NONE),
        ("/steer more", view(replace(TURN, state=TurnState.STARTING, run=None)), c.Need.NONE),
        ("/fork code", view(), c.Need.FORK),
        ("/fork nobody", view(), c.Need.NONE),
        ("/fork code code", view(), c.Need.NONE),
        ("/fork code 12", view(), c.Need.NONE),
        ("/new den shop", view(), c.Need.FOLDER),
        ("/recover code", view(), c.Need.STATUS),
        ("/yes", view(), c.Need.NONE),
        ("/status", view(TURN), c.Need.STATUS),
        ("hello", view(TURN), c.Need.NONE),
        ("hello", view(), c.Need.STATUS),
    ],
)
def test_only_what_can_follow_is_asked_first(text: str, seen: View, wanted: c.Need) -> None:
    """Nothing is branched, steered or read for a command that is refused in any case."""
    assert need(text, seen) is wanted


@table(("until_ms", "wanted"), [(1, c.Need.RECOVER), (-1, c.Need.NONE)])
def test_lock_is_taken_back_only_while_the_question_is_open(until_ms: int, wanted: c.Need) -> None:
    """design 7: /yes, two minutes."""
    asked = Confirmation("recover", "code", NOW_MS + until_ms)
    assert need("/yes", view(peer=replace(PEER, confirmation=asked))) is wanted


# /refresh


def test_refresh_remembers_how_far_it_was_shown() -> None:
    """issue 4, item 6: by byte offset, kept with the alias."""
    page = History((Item("t2", "assistant", "well"),), "file:99", False, "t2:completed")
    seen = view(aliases=(replace(CODE, position="file:50"),))
    found = decided("/refresh", seen, Facts(history=page))
    assert told(found) == "▸ code, since you last looked:\nwell"
    assert found.looked is not None and found.turn is None
    assert (found.looked.was.position, found.looked.position) == ("file:50", "file:99")
    assert found.looked.head == "t2:completed"


def test_refresh_with_more_says_so_and_does_not_call_the_head_seen() -> None:
    """The desk line of the next answer must count what was not shown."""
    page = History((Item("t2", "assistant", "well"),), "file:99", True, "t9:completed")
    found = decided("/refresh code", view(), Facts(history=page))
    assert told(found).endswith("There is more: /refresh code again")
    assert found.looked is not None and found.looked.head == ""


def test_long_stretch_goes_in_bubbles_of_one_group() -> None:
    """ilink-protocol 6.4: none too long."""
    items = tuple(Item(f"t{n}", "assistant", "word " * 200) for n in range(4))
    found = decided("/refresh", view(), Facts(history=History(items, "p", False, "h")))
    assert len(found.bubbles) > 1 and len({row.group for row in found.bubbles}) == 1
    assert [row.part for row in found.bubbles] == list(range(1, len(found.bubbles) + 1))
    assert len({row.client_id for row in found.bubbles}) == len(found.bubbles)
    assert all(len(row.text) <= 1_800 for row in found.bubbles)


@table(
    ("facts", "words"),
    [
        (Facts(trouble="controller_down"), "the controller is not running"),
        (Facts(trouble="controller_lacks"), "this controller cannot do that"),
        (Facts(did="not_found"), "there is no such thread"),
        (Facts(did="something_new"), "the controller refused"),
    ],
)
def test_refresh_that_cannot_be_says_why_and_moves_nothing(facts: Facts, words: str) -> None:
    """R32: in words."""
    found = decided("/refresh", view(), facts)
    assert words in told(found) and found.looked is None


def test_stretch_without_a_word_is_not_called_an_empty_thread() -> None:
    """What a controller of tomorrow tells may have no words here yet."""
    page = History((Item("t2", "new-kind", "?"),), "p", True, "h")
    shown = told(decided("/refresh", view(), Facts(history=page)))
    assert shown.startswith("▸ code, since you last looked:") and "There is more" in shown


# /steer


@table(
    ("facts", "words"),
    [
        (Facts(did="done"), "#5 has taken that in"),
        (Facts(did="no_active_turn"), "Nothing is running in code"),
        (Facts(did="not_found"), "Nothing is running in code"),
        (Facts(did="elsewhere"), "#5 did not take that in: it is open in another program"),
        (Facts(trouble="controller_lacks"), "This controller cannot add to a running turn"),
        (Facts(trouble="controller_slow"), "Nobody can say whether #5 took that in"),
    ],
)
def test_steer_says_what_became_of_it(facts: Facts, words: str) -> None:
    """issue 4, item 5: certain, refused or not known are three different things."""
    found = decided("/steer the roof too", view(TURN), facts)
    assert words in told(found) and found.turn is None
    steered = [line for line in found.audit if line.what == "turn.steer"]
    assert bool(steered) == (facts.did == "done")


def test_steer_that_a_crash_cut_off_is_known_by_the_turn_that_took_it() -> None:
    """Ours: the turn is over by now, or another one runs; what was taken is never denied."""
    over = replace(TURN, id=TurnId(4), state=TurnState.DONE, run=RunId("run-0"))
    ended, next_runs = replace(view(), last_turn=over), replace(view(TURN), last_turn=over)
    assert need("/steer more", ended) is c.Need.STEER
    taken = Facts(did="done", steered=RunId("run-0"))
    for seen in (ended, next_runs):
        assert "#4 has taken that in" in told(decided("/steer more", seen, taken))
    assert "Nothing is running in code" in told(decided("/steer more", ended, Facts()))
    unknown = Facts(trouble="controller_slow")
    assert "Nobody can say whether #4" in told(decided("/steer more", ended, unknown))


def test_steer_goes_by_the_key_of_its_message() -> None:
    """A step that is done again after a crash is done once."""
    key = room.key_of(said("/steer x"), view(TURN), TURN.thread, IDS)
    assert key == turn_key("install", "wechat", PEER.id, MsgKey("mid:1"), THREAD)


# /new


def test_new_thread_is_a_name_until_its_first_message() -> None:
    """design 7; the thread is made by the start of that message."""
    found = decided("/new den shop", view(), Facts(folder="/home/owner/shop"))
    (alias,) = found.aliases
    assert is_unmade(alias.thread) and alias.cwd == "/home/owner/shop"
    assert found.peer_after is not None and found.peer_after.active == "den"
    assert "/home" not in told(found)
    first = decided("hello", view(peer=replace(PEER, active=alias.name), aliases=(CODE, alias)))
    assert first.turn is not None and first.turn.state is TurnState.STARTING
    assert first.turn.thread == alias.thread and first.turn.expected_head is None


@table(
    ("text", "facts", "words"),
    [
        ("/new code shop", Facts(folder="/home/owner/shop"), "There is a code already"),
        ("/new 12 shop", Facts(folder="/home/owner/shop"), "cannot be a name"),
        ("/new den away", Facts(), "There is no such folder"),
        ("/new den", Facts(), "In which folder?"),
        ("/new den /", Facts(folder="/", did="too_wide"), "holds too much"),
    ],
)
def test_new_thread_is_refused_without_a_path(text: str, facts: Facts, words: str) -> None:
    """R35: a refusal names the fault and the next step, and no place."""
    found = decided(text, view(), facts)
    assert words in told(found) and not found.aliases and "/home" not in told(found)


@table("target", ["new:1800000000000-abcdef12", "new:x"])
def test_name_of_a_thread_that_is_not_made_cannot_be_typed(target: str) -> None:
    """Ours: such a name would make a second thread."""
    assert "That is no thread id" in told(decided(f"/add other {target}", view()))


# /fork


def test_branch_of_a_thread_that_is_not_made_yet_says_that_there_is_none() -> None:
    """Ours: and the next step."""
    found = decided("/fork code", view(aliases=(replace(CODE, thread=unmade_thread("s")),)))
    assert "nothing was branched. Send it a message first" in told(found) and not found.aliases


def test_branch_is_named_after_its_thread_and_chosen() -> None:
    """design 7."""
    found = decided("/fork code", view(), Facts(did="done", made=ThreadId("branch")))
    (alias,) = found.aliases
    assert (alias.name, alias.thread, alias.cwd) == ("code-2", "branch", CODE.cwd)
    assert (alias.seen_head, alias.position) == ("", "")
    assert found.peer_after is not None and found.peer_after.active == "code-2"
    assert found.moved is None


def test_branch_takes_along_what_waits_for_a_thread_elsewhere() -> None:
    """issue 4, item 3; what runs or waits for another reason stays."""
    parked = replace(TURN, state=TurnState.PARKED, reason=Parked.ELSEWHERE, run=None)
    behind = replace(TURN, id=TurnId(6), state=TurnState.QUEUED, run=None)
    facts = Facts(did="done", made=ThreadId("branch"))
    found = decided("/fork code", view(parked, behind), facts)
    assert found.moved is not None and found.moved.to.thread == "branch"
    assert "Messages that waited go there: 2" in told(found)
    assert decided("/fork code", view(TURN, behind), facts).moved is None
    asked = replace(parked, reason=Parked.HEAD)
    assert decided("/fork code", view(asked), facts).moved is None


# /recover


@table(
    ("turns", "status", "words"),
    [
        ((TURN,), FREE, "#5 is running in code"),
        ((), FREE, "code is not locked"),
        ((), replace(FREE, state="elsewhere"), "no lock is left over"),
        ((), None, "was not taken back"),
    ],
)
def test_recover_asks_only_where_a_lock_is_left_over(
    turns: tuple[Turn, ...], status: ThreadStatus | None, words: str
) -> None:
    """controller-contract 1: only after the owner confirmed."""
    facts = Facts(status=status, trouble="" if status else "controller_down")
    found = decided("/recover code", view(*turns), facts)
    assert words in told(found)
    assert found.peer_after is None or found.peer_after.confirmation is None


def test_recover_names_who_holds_the_lock_and_waits_for_yes() -> None:
    """One open question, single use."""
    held = replace(FREE, is_active=True, owner="ctb-group-qa:club")
    found = decided("/recover code", view(), Facts(status=held))
    assert "ctb-group-qa:club holds it" in told(found)
    assert found.peer_after is not None and found.peer_after.confirmation is not None
    assert found.peer_after.confirmation.what == "recover"


@table(
    ("did", "line"),
    [("done", ("lock.recover", "recovered")), ("busy", ("refused", "recover_failed"))],
)
def test_confirmed_recovery_leaves_one_audit_line(did: str, line: tuple[str, str]) -> None:
    """R38; a turn that waited for the lock starts at once, and only then."""
    asked = Confirmation("recover", "code", NOW_MS + 1)
    parked = replace(TURN, state=TurnState.PARKED, reason=Parked.ELSEWHERE, run=None)
    seen = view(parked, peer=replace(PEER, confirmation=asked))
    found = decided("/yes", seen, Facts(did=did))
    assert [(one.what, one.outcome) for one in found.audit] == [line]
    assert [step.retry_at_ms for step in found.turn_steps] == ([NOW_MS] if did == "done" else [])
    assert found.peer_after is not None and found.peer_after.confirmation is None
    assert found.removed is None


def test_no_to_a_recovery_changes_nothing() -> None:
    """design 7: /no."""
    asked = Confirmation("recover", "code", NOW_MS + 1)
    found = decided("/no", view(peer=replace(PEER, confirmation=asked)))
    assert not found.turn_steps and not found.audit and found.removed is None


# lists and status


def test_list_names_who_holds_a_thread() -> None:
    """issue 4, item 6: title, folder, age, free or in whose hands."""
    rows = (
        Session(ThreadId("a"), "Shop", "/home/owner/shop", NOW_MS - 60_000, "idle"),
        Session(ThreadId("b"), "", "/", NOW_MS, "elsewhere", "codex (process 7)"),
        Session(ThreadId("d"), "Odd", "/x", NOW_MS, "a new word"),
    )
    lines = told(decided("/threads", view(), Facts(sessions=rows))).splitlines()
    assert lines[1:] == [
        "1. Shop",
        "   shop · 1 min · free",
        "2. (no title)",
        "   0 s · open elsewhere: codex (process 7)",
        "3. Odd",
        "   x · 0 s · busy",
    ]


@table(
    ("reason", "words"),
    [
        ("stalled", "#5 has shown no sign of life"),
        ("network_waiting", "#5 waits for the network"),
        ("retrying", "The model service fails #5"),
        ("interrupt_unanswered", "#5 has not answered the request to stop"),
        ("something_new", ""),
    ],
)
@table("lang", ["zh", "en"])
def test_status_says_why_a_turn_does_not_get_on(reason: str, words: str, lang: Lang) -> None:
    """issue 4, item 7: each with its next step."""
    status = replace(FREE, state="busy", run_reason=reason)
    seen = view(TURN, peer=replace(PEER, lang=lang))
    shown = told(decided("/status", seen, Facts(status=status)))
    plain = told(decided("/status", seen, Facts(status=replace(status, run_reason=""))))
    assert (shown != plain) == bool(words)
    assert lang == "zh" or words in shown
