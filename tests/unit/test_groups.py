"""Groups: who may ask, what a question leads to, and that nothing else ever does."""

from __future__ import annotations

from dataclasses import fields, replace

from hypothesis import given
from hypothesis import strategies as st

from bridge.core import groups, turns, verbs
from bridge.core.brief import MAX_ANSWER_CHARS, brief
from bridge.core.decide import decide
from bridge.core.decision import Decision, Facts, Ids, Policy, Session, ThreadStatus, View
from bridge.core.group_chat import (
    GroupChat,
    GroupState,
    GroupStep,
    chat_of,
    group_peer,
    is_group,
    said_to_bot,
)
from bridge.core.group_rights import told_of
from bridge.core.groups import HOURLY, MAX_QUESTION_CHARS, MAX_WAITING, GroupView, owns
from bridge.core.intake import Batch, Denied, authorize
from bridge.core.model import (
    OWES_ALL,
    Account,
    Alias,
    AliasName,
    Head,
    InboxId,
    InboxRow,
    InboxState,
    Key,
    Lang,
    Listed,
    LockToken,
    MsgKey,
    Owner,
    Part,
    Peer,
    PeerId,
    RunId,
    SendClass,
    ThreadId,
    Turn,
    TurnId,
    TurnState,
)
from bridge.core.turn_states import TurnEvent
from bridge.core.turns import Busy, Elsewhere, HeadMoved, Run, Settlement
from tests.unit.table import table
from tests.unit.test_intake import ARRIVAL

NOW_MS = 1_800_000_000_000
STALE_MS = 1_800_000
OWNER = PeerId("oOwner@im.wechat")
CHAT = "77"
GROUP = group_peer(CHAT)
OWN_THREAD = ThreadId("thread-of-the-group")
WORK_THREAD = ThreadId("thread-0001")
FOLDER = "/home/somebody/data/groups/1"
IDS = Ids("install", "seed")
CHATTED = GroupChat(1, GROUP, GroupState.APPROVED, OWN_THREAD, NOW_MS)
SEEN = GroupView(Account("wechat"), CHATTED, 0, 0, FOLDER, "en")
SAID = replace(
    ARRIVAL,
    sender="oMember@im.wechat",
    chat="group",
    parts=(Part("text", "@Bot what is WAL?"),),
    chat_id=CHAT,
)

ROW = InboxRow(
    id=InboxId(1),
    peer=GROUP,
    msg_key=MsgKey("mid:1"),
    parts=(Part("text", "what is WAL?"),),
    quoted_id="",
    is_cut=False,
    age_ms=0,
    received_ms=NOW_MS,
    attempts=0,
    is_released=False,
    state=InboxState.NEW,
)
TURN = Turn(
    id=TurnId(7),
    key=Key("ctb1:" + "0" * 64),
    channel="wechat",
    peer=GROUP,
    thread=OWN_THREAD,
    alias="1",
    prompt="what is WAL?",
    cwd=FOLDER,
    sandbox="read-only",
    approval_policy="never",
    model="",
    effort="",
    state=TurnState.RUNNING,
    run=RunId("run-1"),
    lock=LockToken("lock"),
)


def decided(text: str, seen: GroupView = SEEN, **changed: object) -> Decision:
    row = replace(ROW, parts=(Part("text", text),), **changed)  # type: ignore[arg-type]  # the row's own
    return groups.decide(row, seen, STALE_MS, IDS)


def told(decision: Decision) -> str:
    return "\n".join(bubble.text for bubble in decision.bubbles)


# who is heard


@table(
    ("text", "asked"),
    [
        ("@Bot what is WAL?", "what is WAL?"),
        ("@bot\u2005what is WAL?", "what is WAL?"),
        ("what is WAL? @BOT", "what is WAL?"),
        ("@Bot, what is WAL?", "what is WAL?"),
        ("问一下@Bot什么是 WAL", "问一下 什么是 WAL"),
        ("@Bot", ""),
        ("/qa status", "/qa status"),
        ("  /QA   Status ", "/qa status"),
        ("@Bot /qa status", "/qa status"),
        ("what is WAL?", None),
        ("write to me@bot.example", None),
        ("a@bot hi", None),
        ("@Bottle is here", None),
        ("@Bot2 is here", None),
        ("..@bot hi", None),
        ("/status", None),
        ("/qa", None),
        ("", None),
    ],
)
def test_only_what_is_said_to_the_bot_is_a_question(text: str, asked: str | None) -> None:
    """issue 5: `@Bot` questions and `/qa status`; the rest of a group's talk is its own."""
    assert said_to_bot(replace(SAID, parts=(Part("text", text),))) == asked


@table("part", [Part("voice", "@Bot hello"), Part("file", "@Bot", "@Bot.txt")])
def test_no_voice_and_no_file_speaks_to_the_bot(part: Part) -> None:
    """R5: only typed words."""
    assert said_to_bot(replace(SAID, parts=(part,))) is None


def test_of_a_group_message_only_the_words_to_the_bot_are_kept() -> None:
    """R5, R6: by the group, without who said them, a file or a quote."""
    parts = (Part("text", "@Bot look"), Part("image", media={"download_param": "x"}))
    raw = replace(SAID, parts=parts, quoted_id="9", quoted_text="secret")
    kept = groups.only_words(raw)
    assert kept.sender == GROUP and kept.parts == (Part("text", "look"),)
    assert (kept.quoted_id, kept.quoted_text) == ("", "")
    long = groups.only_words(replace(SAID, parts=(Part("text", "@Bot " + "x" * 9_000),)))
    assert len(long.parts[0].text) == MAX_QUESTION_CHARS + 1


def test_owner_is_told_of_three_groups_that_ask_and_of_no_fourth() -> None:
    """R37: notices are bounded; those that were decided count no more."""
    known = {group_peer(str(n)): GroupState.PENDING for n in range(2)}
    assert groups.may_ask_owner(known)
    assert not groups.may_ask_owner(known | {group_peer("x"): GroupState.PENDING})
    assert groups.may_ask_owner(known | {group_peer("x"): GroupState.DISABLED})


@table("chat", ["77", "x@chatroom", "group:77", "", "群"])
def test_group_is_a_peer_that_no_person_can_be(chat: str) -> None:
    """R4: a sender that looks like a group is denied, the owner's own id included."""
    peer = group_peer(chat)
    assert is_group(peer) and chat_of(peer) == chat and chat_of(OWNER) == ""
    direct = replace(SAID, sender=peer, chat="direct", chat_id="")
    assert authorize(direct, Owner(frozenset({peer})), {}) is Denied.NOT_OWNER


# what a question leads to


def test_question_is_a_read_only_turn_in_the_groups_own_thread_and_folder() -> None:
    """R5: sandbox=read-only, approval_policy=never, no file, no model of the owner's choice."""
    found = decided("what is WAL?")
    turn = found.turn
    assert turn is not None and found.peer == GROUP and found.bubbles == ()
    assert (turn.thread, turn.cwd) == (OWN_THREAD, FOLDER)
    assert (turn.sandbox, turn.approval_policy) == ("read-only", "never")
    assert (turn.files, turn.preface, turn.model) == ((), "", "")
    assert turn.prompt.endswith("\nwhat is WAL?") and "group chat" in turn.prompt
    assert [(line.what, line.subject) for line in found.audit] == [("turn.plan", "group 1")]
    assert turn.key == turns.turn_key("install", "wechat", GROUP, ROW.msg_key, OWN_THREAD)


@table(
    ("text", "words"),
    [
        ("", "@Bot"),
        ("/stop", "Only questions"),
        ("／stop", "Only questions"),
        ("//etc", "Only questions"),
        ("x" * (MAX_QUESTION_CHARS + 1), "too long"),
        ("/qa status", f"{HOURLY - 1} more within this hour"),
    ],
)
def test_what_is_no_question_is_answered_in_one_sentence(text: str, words: str) -> None:
    """issue 5: short answers, one next step."""
    found = decided(text)
    assert found.turn is None and words in told(found) and len(found.bubbles) == 1


@table(
    ("asked", "is_told", "is_run"),
    [(HOURLY - 1, False, True), (HOURLY, True, False), (HOURLY + 1, False, False)],
)
def test_hourly_limit_is_told_once_and_then_is_silence(
    asked: int, is_told: bool, is_run: bool
) -> None:
    """R36, R37: a flood in a group costs one sentence."""
    found = decided("what is WAL?", replace(SEEN, asked=asked))
    assert (bool(found.bubbles), found.turn is not None) == (is_told, is_run)
    assert found.rows[0].state is InboxState.DONE


def test_questions_that_wait_are_limited() -> None:
    """delivery-semantics 9: a group cannot fill a queue."""
    assert decided("x", replace(SEEN, waiting=MAX_WAITING - 1)).turn is not None
    full = decided("x", replace(SEEN, waiting=MAX_WAITING))
    assert full.turn is None and "Ask again" in told(full)


@table("state", [GroupState.PENDING, GroupState.DISABLED])
def test_group_that_may_not_ask_is_met_with_silence(state: GroupState) -> None:
    """R5: also where it was approved when the message came in."""
    found = decided("/qa status", replace(SEEN, group=replace(CHATTED, state=state)))
    assert (found.turn, found.bubbles, found.rows[0].outcome) == (None, (), "ignored")


def test_question_of_which_something_fell_off_is_not_run() -> None:
    """R9: thirty-three short parts are cut as one long one is."""
    found = decided("what is WAL?", is_cut=True)
    assert found.turn is None and "too long" in told(found)


def test_old_question_is_passed_over() -> None:
    """R8: nobody in a group waits for yesterday's answer; the owner is not asked."""
    found = decided("what is WAL?", age_ms=STALE_MS + 1)
    assert (found.turn, found.bubbles, found.rows[0].outcome) == (None, (), "ignored")


# and nothing else ever does

ARGUMENTS = (
    "",
    "code",
    "1",
    "7",
    "abcdefghj",
    "code hello",
    "abcdefghj 1",
    "code 1",
    "all",
    "approve 1",
    "reset 1",
    "disable 1",
    "en",
)
SLASHES = st.sampled_from(["/", "／", "//", " /"])
VERBS = st.sampled_from([*verbs.verbs(), "rm", "?", "qa", "artifacts", "sendfile", "resend"])
COMMANDS = st.builds("{}{} {}".format, SLASHES, VERBS, st.sampled_from(ARGUMENTS) | st.text())
TEXTS = COMMANDS | st.text() | st.sampled_from(["/qa status", ""])
MENTIONED = st.builds(
    str.format, st.sampled_from(["@Bot {}", "{} @bot", "{}", "@BOT\u2005{}"]), TEXTS
)
STATES = st.sampled_from(GroupState)
ALLOWED = {"peer", "rows", "bubbles", "turn", "audit"}
UNTOUCHED = [f for f in fields(Decision) if f.name not in ALLOWED]


def test_every_verb_of_the_phone_is_tried_in_a_group() -> None:
    """The property below is over all commands: a new verb is among them by itself."""
    drawn = VERBS.elements  # type: ignore[attr-defined]  # of a sampled_from
    assert set(verbs.verbs()) <= set(drawn)


@given(
    text=MENTIONED,
    sender=st.sampled_from([OWNER, "oMember@im.wechat"]),
    state=STATES | st.none(),
    waiting=st.integers(0, 5),
    asked=st.integers(0, HOURLY + 2),
    is_cut=st.booleans(),
)
def test_group_message_leads_to_an_answer_for_that_group_or_to_silence(
    text: str, sender: str, state: GroupState | None, waiting: int, asked: int, is_cut: bool
) -> None:
    """R5, R6, over all commands: no alias, approval, request, other thread or other peer."""
    came = replace(SAID, sender=sender, parts=(Part("text", text),), quoted_id="9")
    known = {GROUP: state} if state else {}
    denied = authorize(came, Owner(frozenset({OWNER})), known)
    assert denied is None or state is not GroupState.APPROVED or said_to_bot(came) is None
    assert denied is not None or state is GroupState.APPROVED
    kept = groups.only_words(came)
    chat = replace(CHATTED, state=state or GroupState.DISABLED)
    seen = replace(SEEN, group=chat, waiting=waiting, asked=asked)
    row = replace(ROW, peer=PeerId(kept.sender), parts=kept.parts, is_cut=is_cut)
    found = groups.decide(row, seen, STALE_MS, IDS)
    assert found.peer == GROUP
    assert [step.id for step in found.rows] == [ROW.id]
    assert all(step.state is InboxState.DONE for step in found.rows)
    assert {f.name for f in UNTOUCHED if getattr(found, f.name) not in (None, ())} == set()
    if found.turn is not None:
        assert state is GroupState.APPROVED and found.bubbles == ()
        assert not said_to_bot(came).lstrip().startswith(("/", "／"))  # type: ignore[union-attr]  # it was said
        assert (found.turn.thread, found.turn.cwd) == (OWN_THREAD, FOLDER)
        assert (found.turn.sandbox, found.turn.approval_policy) == ("read-only", "never")
        assert found.turn.files == ()
    assert len(found.bubbles) <= 1
    assert all(bubble.send_class is SendClass.ANSWER for bubble in found.bubbles)


# what a group reads of its turn


def ended(status: str, result: str = "", turn: Turn = TURN, lang: Lang = "en") -> Settlement:
    run = Run(RunId("run-1"), status, OWN_THREAD, head=Head("h"), result=result)
    return turns.after_run(turn, run, Peer(GROUP, lang), 0, IDS, desk_turns=3)


def test_answer_is_one_short_bubble_without_names_paths_and_ids() -> None:
    """issue 5: short, no alias names, no paths, no ids."""
    moved = replace(TURN, expected_head=Head("h2"), seen_head="h1")
    said = (
        f"See {FOLDER}/notes.md and /etc/ssh/sshd_config, "
        "thread 0199aa11-2222-7333-8444-555566667777.\n" + "word " * 2_000
    )
    found = ended("completed", said, moved)
    (row,) = found.rows
    assert (found.outcome, found.more_next, len(found.cuts)) == ("completed", 0, 1)
    assert row.text.startswith("See notes.md and …/sshd_config, thread ….\n")
    assert len(row.text) <= MAX_ANSWER_CHARS and row.text.endswith("…")
    assert "#7" not in row.text and "/more" not in row.text


@table("result", ["short", "字" * 5_000, "🙂" * 5_000, "x" * 5_000])
def test_brief_answer_is_its_beginning(result: str) -> None:
    """Ours: never longer than one bubble, and nothing is invented."""
    found = brief(result, "")
    assert found.rstrip("…") == result[: len(found.rstrip("…"))]
    assert len(found) <= MAX_ANSWER_CHARS and (found == result) == (result == "short")


@table("status", ["failed", "blocked", "interrupted", "completed"])
@table("lang", ["zh", "en"])
def test_end_without_an_answer_is_one_sentence_that_names_nothing(status: str, lang: Lang) -> None:
    """issue 5, R35: no number of a turn, no command of the owner's."""
    (row,) = ended(status, turn=TURN, lang=lang).rows
    assert not any(sign in row.text for sign in "#/7")
    assert ended(status).owes == OWES_ALL


def test_turn_that_its_owner_ended_says_nothing_in_the_group() -> None:
    """`/group reset` and `/group disable`."""
    assert ended("interrupted", turn=replace(TURN, stop_requested=True)).rows == ()


def test_answer_to_a_group_offers_no_file() -> None:
    """R5, R22: a turn of a group has no file, whatever its answer names."""
    named = "see /home/x/exports/a.txt, `./exports/b.txt` and [c](exports/c.txt)"
    assert ended("completed", named).offers == ()
    assert ended("completed", named, replace(TURN, peer=PeerId("oOwner@im.wechat"))).offers


@table("reply", [Elsewhere("Codex"), Busy("somebody", is_locked=True)])
def test_turn_that_waits_is_not_told_of(reply: Elsewhere | Busy) -> None:
    """A group has no word in what happens at the desk."""
    step = turns.after_start(TURN, reply, Peer(GROUP, "en"), NOW_MS, IDS)
    assert isinstance(step, turns.ParkStep) and step.rows == ()
    parked = turns.parked_for_controller(TURN, None, Peer(GROUP, "en"), NOW_MS)
    assert parked.rows == ()


def test_thread_that_moved_at_the_desk_ends_the_question_and_waits_for_nobody() -> None:
    """A group has no `/retry`: the next question takes the head as it is then."""
    end = turns.after_start(TURN, HeadMoved(), Peer(GROUP, "en"), NOW_MS, IDS)
    assert isinstance(end, Settlement)
    assert (end.event, end.outcome, len(end.rows)) == (TurnEvent.INVALID, "failed", 1)


# the owner's word

PENDING = replace(CHATTED, state=GroupState.PENDING, thread=None)
WORK = Alias(AliasName("code"), WORK_THREAD)
VIEW = View(
    account=Account("wechat"),
    peer=Peer(OWNER, "en", active=WORK.name),
    aliases={WORK.name: WORK},
    unfinished={OWN_THREAD: 2},
    groups=(CHATTED, replace(PENDING, number=2, peer=group_peer("88@chatroom"))),
    group_threads=frozenset({OWN_THREAD, ThreadId("thread-before-reset")}),
)
ON = Policy(group_qa=True, group_folders=("/data/groups",))


def owner_says(text: str, view: View = VIEW, policy: Policy = ON) -> Decision:
    row = replace(ROW, peer=OWNER, parts=(Part("text", text),))
    sessions = [
        Session(OWN_THREAD, "what is WAL?", "/x", NOW_MS, "idle"),
        Session(ThreadId("thread-before-reset"), "old WAL", "/x", NOW_MS, "idle"),
        Session(ThreadId("thread-nobody-knows"), "odd WAL", "/data/groups/1", NOW_MS, "idle"),
    ]
    status = ThreadStatus(None, "", False, "/data/groups/1")
    facts = Facts(sessions=tuple(sessions), status=status, folder="/data/groups/1/x")
    return decide(Batch((row,)), verbs.parse(text), view, facts, policy, NOW_MS, IDS)


@table("text", ["/group list", "/group status", "/group approve 2", "/group disable 1", "/group x"])
@table("lang", ["zh", "en"])
def test_switched_off_every_word_about_groups_says_so(text: str, lang: Lang) -> None:
    """design 1.3: private `/group ...` says that it is off, and what switches it on."""
    view = replace(VIEW, peer=replace(VIEW.peer, lang=lang))
    found = owner_says(text, view, Policy())
    assert found.group is None and "CTB_GROUP_QA=on" in told(found)


def test_approval_gives_a_thread_of_its_own_that_is_not_made_yet() -> None:
    """R5: never one of the owner's."""
    found = owner_says("/group approve 2")
    assert found.group is not None and found.turn is None
    assert found.group.now.state is GroupState.APPROVED
    assert found.group.now.thread == "new:group-seed"
    assert "read files" in told(found)
    assert [(line.what, line.subject) for line in found.audit] == [("group.approve", "group 2")]


def test_reset_gives_a_fresh_thread_and_disable_keeps_the_old_one() -> None:
    reset, disabled = owner_says("/group reset 1"), owner_says("/group disable 1")
    assert reset.group == GroupStep(CHATTED, replace(CHATTED, thread=ThreadId("new:group-seed")))
    assert disabled.group == GroupStep(CHATTED, replace(CHATTED, state=GroupState.DISABLED))
    again = replace(VIEW, groups=(replace(CHATTED, state=GroupState.DISABLED),))
    approved = owner_says("/group approve 1", again).group
    assert approved is not None and approved.now.thread == OWN_THREAD


@table(
    ("text", "words"),
    [
        ("/group approve 1", "nothing was changed"),
        ("/group reset 2", "nothing was changed"),
        ("/group approve 9", "no group 9"),
        ("/group approve 0", "no group 0"),
        ("/group", "/group list"),
    ],
)
def test_word_that_does_not_fit_changes_nothing(text: str, words: str) -> None:
    found = owner_says(text)
    assert found.group is None and words in told(found)


def test_list_shows_who_asks_first_and_no_whole_id() -> None:
    text = told(owner_says("/group list"))
    assert text.index("2. …88 · asks") < text.index("1. …77 · may ask")
    assert "chatroom" not in text
    assert "Questions that wait for an answer: 2" in told(owner_says("/group status 1"))
    assert "No group has asked" in told(owner_says("/group list", replace(VIEW, groups=())))


def test_owner_is_asked_in_a_bubble_that_says_what_it_means() -> None:
    """R35: the tail of an id to tell groups apart by; what a yes allows."""
    row = told_of(replace(PENDING, peer=group_peer("abc-1234567\u202e@chatroom")), "en", IDS)
    assert "/group approve 1" in row.text and "…234567" in row.text and "read files" in row.text
    assert "chatroom" not in row.text and "\u202e" not in row.text


@table(
    "text",
    [
        "/use 1",
        "/use 2",
        "/use 3",
        "/use old",
        "/bind 1",
        "/bind 3",
        "/add mine 2",
        "/add mine thread-of-the-group",
        "/add mine thread-before-reset",
        "/add mine thread-nobody-knows",
        "/new mine groups/1/x",
    ],
)
def test_thread_of_a_group_gets_no_name_of_the_owners(text: str) -> None:
    """R5: isolated both ways, also what it asked before a reset, and where it runs."""
    listed = (
        Listed(OWN_THREAD, "what is WAL?", "/x"),
        Listed(ThreadId("thread-before-reset"), "old WAL", "/x"),
        Listed(ThreadId("thread-nobody-knows"), "odd WAL", "/data/groups/1"),
    )
    old = Alias(AliasName("old"), ThreadId("thread-before-reset"))
    peer = replace(VIEW.peer, listed=listed)
    view = replace(VIEW, peer=peer, aliases={WORK.name: WORK, old.name: old})
    found = owner_says(text, view)
    assert found.aliases == () and "belongs to a group" in told(found)
    assert found.peer_after is None or found.peer_after.active == WORK.name


@table("folder", ["/data/groups", "/data/groups/1", "/data/groups/1/deep", "/data/x/../groups/2"])
def test_what_runs_where_groups_do_is_theirs(folder: str) -> None:
    """R5: whoever began it there, and long after the turns that tell of it are gone."""
    assert owns(VIEW, ON, ThreadId("t"), folder)
    assert not owns(VIEW, ON, ThreadId("t"), folder.replace("groups", "groups-2"))
    assert not owns(VIEW, Policy(), ThreadId("t"), folder) and not owns(VIEW, ON, WORK_THREAD, "")


def test_thread_of_a_group_is_not_among_the_owners_threads() -> None:
    found = owner_says("/threads")
    assert "WAL" not in told(found) and "No thread was found" in told(found)


def test_nothing_of_groups_needs_a_turn_of_the_model() -> None:
    """design 1.1: `/group` makes no turn."""
    for word in ("list", "status", "status 1", "approve 2", "reset 1", "disable 1"):
        assert owner_says(f"/group {word}").turn is None
