"""Who may come in, how old a message is, and which messages go together."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bridge.core import verbs
from bridge.core.attached import Attachment, FileId
from bridge.core.group_chat import GroupState, group_peer
from bridge.core.intake import (
    EARLIEST_MS,
    FILES_WAIT_MS,
    FUTURE_SLACK_MS,
    MERGE_LIMIT_MS,
    PRE_PAIRING_SLACK_MS,
    Batch,
    Denied,
    WaitUntil,
    authorize,
    batch,
    passing,
    plausible_time,
    sort_out,
)
from bridge.core.model import (
    Account,
    AliasName,
    Arrival,
    InboxId,
    InboxRow,
    InboxState,
    MsgKey,
    Owner,
    Part,
    PeerId,
)
from tests.unit.table import table

NOW_MS = 1_800_000_000_000
WINDOW_MS = 2_000
STALE_MS = 1_800_000
OWNER = Owner(frozenset({"oOwner@im.wechat"}))
ARRIVAL = Arrival(
    channel="wechat",
    sender="oOwner@im.wechat",
    msg_key=MsgKey("mid:1"),
    chat="direct",
    is_echo=False,
    create_time_ms=NOW_MS,
    client_id="",
    context_token="ctx",
    parts=(Part("text", "hello"),),
    quoted_id="",
    quoted_text="",
    is_cut=False,
    malformed="",
)


def row(number: int, text: str = "hi", **fields: object) -> InboxRow:
    base = InboxRow(
        id=InboxId(number),
        peer=PeerId("oOwner@im.wechat"),
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
    return replace(base, **fields)  # type: ignore[arg-type]  # named as the row's own


def test_owner_in_the_direct_chat_may_come_in() -> None:
    """R1: the one way in."""
    assert authorize(ARRIVAL, OWNER) is None


@table(
    "sender",
    [
        "oowner@im.wechat",
        "oOwner@im.wechat ",
        " oOwner@im.wechat",
        "oOwner@im.wechat.evil",
        "",
        "oOwner",
        "oOwner\u200b@im.wechat",
        "OOWNER@IM.WECHAT",
        "*",
    ],
)
def test_sender_that_is_not_exactly_the_owner_is_denied(sender: str) -> None:
    """R4: ids that differ by case, space, suffix, zero-width sign."""
    assert authorize(replace(ARRIVAL, sender=sender), OWNER) is Denied.NOT_OWNER


@table("sender", ["", "oOwner@im.wechat", "anyone"])
def test_without_an_owner_everybody_is_denied(sender: str) -> None:
    """R1: an empty list means nobody, never everyone."""
    assert authorize(replace(ARRIVAL, sender=sender), Owner()) is Denied.NO_OWNER


def test_empty_sender_is_denied_even_where_the_owner_is_empty_text() -> None:
    """R1: a missing field denies."""
    assert authorize(replace(ARRIVAL, sender=""), Owner(frozenset({""}))) is Denied.NOT_OWNER


# Who writes, where, and what is known of groups; what is said and what is missing change nothing.
NOBODY = Owner()
CHATS: dict[str, dict[str, str]] = {
    "direct": {"chat": "direct"},
    "direct, with a group's name": {"chat": "direct", "chat_id": "77"},
    "group": {"chat": "group", "chat_id": "77"},
    "group without a name": {"chat": "group"},
    "group with a name too long": {"chat": "group", "chat_id": "7" * 257},
    "unknown": {"chat": "unknown"},
}
GROUPS: dict[str, dict[PeerId, GroupState] | None] = {
    "off": None,
    "new": {group_peer("78"): GroupState.APPROVED},
    **{state.value: {group_peer("77"): state} for state in GroupState},
}
SENDERS = {"owner": "oOwner@im.wechat", "stranger": "oOther@im.wechat", "nobody": ""}
TEXTS = ["hello", "@Bot hello", "/qa status", "//x", *(f"/{verb} 1" for verb in verbs.verbs())]
MISSING: list[dict[str, Any]] = [
    {},
    {"parts": ()},
    {"msg_key": MsgKey("")},
    {"context_token": ""},
    {"create_time_ms": 0},
    {"client_id": ""},
    {"channel": ""},
]


def expected(sender: str, chat: str, groups: str, is_asked: bool) -> Denied | None:
    """The table. Deny by default: one row lets the owner in, one lets a question in."""
    if groups != "off" and chat.startswith("group"):
        if chat != "group" or sender == "nobody":
            return Denied.NOT_DIRECT
        if not is_asked:
            return Denied.NOT_ASKED
        rows: dict[str, Denied | None] = {"approved": None, "new": Denied.NEW_GROUP}
        return rows.get(groups, Denied.NOT_APPROVED)
    rows = {"owner": None if chat == "direct" else Denied.NOT_DIRECT}
    return rows.get(sender, Denied.NOT_OWNER)


@table("chat", list(CHATS))
@table("sender", list(SENDERS))
def test_who_may_say_what_where(sender: str, chat: str) -> None:
    """R1, R5, F88: sender x chat x command x missing field, whatever is known of groups."""
    for text, missing in product(TEXTS, MISSING):
        given: dict[str, Any] = {"sender": SENDERS[sender], **CHATS[chat]}
        arrival = replace(ARRIVAL, **given | {"parts": (Part("text", text),)} | missing)
        is_asked = bool(arrival.parts) and text in ("@Bot hello", "/qa status")
        for groups, known in GROUPS.items():
            assert authorize(arrival, NOBODY, known) is Denied.NO_OWNER
            found = authorize(arrival, OWNER, known)
            assert found is expected(sender, chat, groups, is_asked), (groups, text, missing)


def test_table_covers_every_field_that_may_be_missing_and_every_word() -> None:
    """R1: a new field or kind of chat does not get in unseen."""
    judged = {"sender", "chat", "chat_id", "parts", "malformed", "is_echo"}  # what decides
    tried = {name for missing in MISSING for name in missing}
    free = {"quoted_id", "quoted_text", "quoted_part", "is_cut"}  # empty in ARRIVAL as it is
    assert {f.name for f in fields(Arrival)} == judged | tried | free


@table("broken", [{"malformed": "{"}, {"is_echo": True}])
def test_group_message_that_cannot_be_read_or_is_our_own_asks_nothing(
    broken: dict[str, Any],
) -> None:
    """R5, R7: the bot never answers itself."""
    asked = replace(ARRIVAL, chat="group", chat_id="77", parts=(Part("text", "@Bot hi"),), **broken)
    for groups in ({}, {group_peer("77"): GroupState.APPROVED}):
        assert authorize(asked, OWNER, groups) is Denied.NOT_ASKED


def test_malformed_and_echoed_messages_are_done_at_once() -> None:
    """delivery-semantics 4, R7: they block nothing and dispatch nothing."""
    account = Account()
    assert sort_out(ARRIVAL, account, NOW_MS) == (InboxState.NEW, "")
    echo = replace(ARRIVAL, is_echo=True)
    assert sort_out(echo, account, NOW_MS) == (InboxState.DONE, "ignored")
    bad = replace(ARRIVAL, malformed="{")
    assert sort_out(bad, account, NOW_MS) == (InboxState.DONE, "malformed")


@table(
    ("before_ms", "outcome"),
    [(0, ""), (PRE_PAIRING_SLACK_MS, ""), (PRE_PAIRING_SLACK_MS + 1, "ignored")],
)
def test_message_from_before_the_pairing_is_ignored(before_ms: int, outcome: str) -> None:
    """R8, F29: five minutes of slack; where nothing is known nothing is too old."""
    paired_ms = NOW_MS - 3_600_000
    old = replace(ARRIVAL, create_time_ms=paired_ms - before_ms)
    assert sort_out(old, Account(paired_at_ms=paired_ms), NOW_MS)[1] == outcome
    assert sort_out(old, Account(), NOW_MS)[1] == ""


@table("time_ms", [0, -1, 1, EARLIEST_MS - 1, NOW_MS + FUTURE_SLACK_MS + 1, 2**62])
def test_implausible_time_counts_as_the_moment_of_arrival(time_ms: int) -> None:
    """delivery-semantics 12, F89: missing, zero, negative, 1970, far future."""
    assert plausible_time(time_ms, NOW_MS) == NOW_MS


@given(st.integers(-(2**63), 2**63 - 1))
def test_no_message_is_ever_younger_than_its_arrival(time_ms: int) -> None:
    """R8: an age is never negative."""
    assert EARLIEST_MS <= plausible_time(time_ms, NOW_MS) <= NOW_MS


def take(
    *rows: InboxRow, now_ms: int = NOW_MS, window_ms: int = WINDOW_MS
) -> Batch | WaitUntil | None:
    return batch(rows, now_ms, window_ms, STALE_MS)


def test_nothing_due_gives_nothing() -> None:
    """Ours: the empty inbox."""
    assert take() is None


def test_burst_waits_for_the_window_and_then_goes_as_one() -> None:
    """design 7: each message restarts the two seconds."""
    first, second = row(1), row(2, received_ms=NOW_MS + 1_000)
    assert take(first, second) == WaitUntil(NOW_MS + 3_000)
    assert take(first, second, now_ms=NOW_MS + 3_000) == Batch((first, second))


def test_burst_that_goes_on_is_never_held_longer_than_ten_seconds() -> None:
    """design 7: ten seconds at most."""
    rows = [row(n, received_ms=NOW_MS + n * 1_500) for n in range(8)]
    assert take(*rows[:7]) == WaitUntil(NOW_MS + MERGE_LIMIT_MS)
    assert take(*rows) == Batch(tuple(rows[:7]))


def test_messages_that_were_written_apart_stay_apart_however_late_they_are_taken() -> None:
    """design 7: a burst is what came within two seconds, not what waited meanwhile."""
    late_ms = NOW_MS + 3_600_000
    first, second = row(1), row(2, received_ms=NOW_MS + WINDOW_MS + 1)
    assert take(first, second, now_ms=late_ms) == Batch((first,))
    waiting, said = files(1, "stored", ""), row(2)
    assert take(waiting, said, row(3, received_ms=NOW_MS + 5_000), now_ms=late_ms) is None
    here = replace(waiting, files=files(1, "stored", "gone").files)
    found = take(here, said, row(3, received_ms=NOW_MS + 5_000), now_ms=late_ms)
    assert found == Batch((here, said))


@table("spoils", [{"is_cut": True}, {"attempts": 2}])
def test_message_that_cannot_be_run_takes_no_other_down_with_it(spoils: dict[str, Any]) -> None:
    """delivery-semantics 9: set aside is what failed, not what was said right behind it."""
    bad, good = row(1, **spoils), row(2)
    assert take(bad, good) == Batch((bad,))
    assert take(row(1), replace(bad, id=InboxId(2))) == Batch((row(1),))
    once = row(1, attempts=1)
    assert take(once, good, now_ms=NOW_MS + WINDOW_MS) == Batch((once, good))


def test_command_is_taken_alone_and_at_once() -> None:
    """design 7: a command never waits for a burst, and ends the one before it."""
    command = row(2, "/status")
    assert take(command, row(3)) == Batch((command,))
    assert take(row(1), command) == Batch((row(1),))


def test_window_of_zero_merges_nothing_and_waits_for_nothing() -> None:
    """design 8: CTB_MERGE_WINDOW_SECONDS=0."""
    assert take(row(1), row(2), window_ms=0) == Batch((row(1),))


def test_prompts_that_quote_different_messages_do_not_go_together() -> None:
    """design 7: a quoted answer leads to its own thread."""
    for quoting in (row(2, quoted_id="77"), row(2, quoted_text="no id on this phone")):
        assert take(row(1), quoting) == Batch((row(1),))


def test_stale_messages_are_taken_together_and_apart_from_fresh_ones() -> None:
    """R8: one summary for all of them, and the fresh one runs."""
    old = [row(n, age_ms=STALE_MS + 1) for n in (1, 2)]
    assert take(*old, row(3)) == Batch(tuple(old), is_stale=True)
    assert take(row(4), replace(old[0], id=InboxId(5))) == Batch((row(4),))
    asked = row(8, "/list", age_ms=STALE_MS + 1)
    assert take(old[0], asked, old[1]) == Batch(tuple(old), is_stale=True)
    chosen = row(8, "/use web", age_ms=STALE_MS + 1)
    assert take(old[0], chosen, old[1]) == Batch((old[0],), is_stale=True)


@table("text", ["/send code go", "/retry", "/steer stop it", "／SEND code go"])
def test_command_that_brings_words_to_a_thread_is_held_for_its_age(text: str) -> None:
    """R8: dispatching messages older than 30 minutes, and in their order with `/run-held`."""
    old, late = row(1, text, age_ms=STALE_MS + 1), row(2, age_ms=STALE_MS + 1)
    assert take(old, late) == Batch((old, late), is_stale=True)
    assert take(late, old) == Batch((late, old), is_stale=True)
    assert take(files(3, "stored", age_ms=STALE_MS + 1), old).is_stale  # type: ignore[union-attr]  # a batch
    released = replace(old, is_released=True)
    assert take(released, late) == Batch((released,))
    assert take(replace(old, age_ms=0)) == Batch((replace(old, age_ms=0),))


@table("text", ["/status", "/stop", "/run-held", "/approve abcdefghj", "/deny abcdefghj", "/use a"])
def test_command_without_words_for_a_thread_is_never_too_old(text: str) -> None:
    """R8: only what dispatches is held; a code has an age of its own (R29)."""
    old = row(1, text, age_ms=STALE_MS * 9)
    assert take(old) == Batch((old,))


@table(("age_ms", "is_stale"), [(STALE_MS - 1, False), (STALE_MS, False), (STALE_MS + 1, True)])
def test_age_over_the_limit_is_stale(age_ms: int, is_stale: bool) -> None:
    """R8: older than 30 minutes on arrival."""
    found = batch([row(1, age_ms=age_ms)], NOW_MS + WINDOW_MS, WINDOW_MS, STALE_MS)
    assert found == Batch((row(1, age_ms=age_ms),), is_stale)


def test_released_message_runs_alone_and_is_stale_no_more() -> None:
    """delivery-semantics 4: `/run-held` runs them in order."""
    released = row(1, age_ms=STALE_MS * 9, is_released=True)
    assert take(released, row(2)) == Batch((released,))


def test_stale_zero_means_never() -> None:
    """design 8: CTB_STALE_AFTER_SECONDS=0."""
    old = row(1, age_ms=2**40)
    assert batch([old], NOW_MS + WINDOW_MS, WINDOW_MS, 0) == Batch((old,))


def test_spoken_slash_is_no_command() -> None:
    """F84: a transcript never acts."""
    spoken = row(1, parts=(Part("voice", "/stop"),))
    assert take(spoken, row(2), now_ms=NOW_MS + WINDOW_MS) == Batch((spoken, row(2)))


@given(
    st.lists(st.tuples(st.sampled_from(["a", "/b", "c"]), st.integers(0, 3_000)), max_size=8),
    st.integers(0, 20_000),
)
def test_batch_is_always_a_prefix_in_order_and_never_mixes_commands(
    said: list[tuple[str, int]], later_ms: int
) -> None:
    """I5: order is the order of the inbox."""
    at_ms, rows = NOW_MS, []
    for number, (text, pause_ms) in enumerate(said):
        at_ms += pause_ms
        rows.append(row(number, text, received_ms=at_ms))
    found = batch(rows, at_ms + later_ms, WINDOW_MS, STALE_MS)
    if isinstance(found, Batch):
        assert list(found.rows) == rows[: len(found.rows)]
        assert len(found.rows) == 1 or all(r.text != "/b" for r in found.rows)
    else:
        assert found is None or found.at_ms > at_ms + later_ms


def files(number: int, *outcomes: str, **fields: Any) -> InboxRow:  # Any: as of the row
    """A message of nothing but files, which fare as `outcomes` say."""
    found = [Attachment(FileId(n), n, outcome) for n, outcome in enumerate(outcomes)]  # type: ignore[arg-type]  # words of the type
    parts = tuple(Part("image") for _ in outcomes)
    return row(number, parts=parts, files=tuple(found), **fields)


def test_files_alone_are_asked_about_once_after_thirty_seconds() -> None:
    """delivery-semantics 4: one question, no turn, and then they wait for words."""
    first, second = files(1, ""), files(2, "stored", received_ms=NOW_MS + 5_000)
    due_ms = NOW_MS + 5_000 + FILES_WAIT_MS
    assert take(first, second) == WaitUntil(due_ms)
    assert take(first, second, now_ms=due_ms) == Batch((first, second), is_wordless=True)
    asked = [replace(found, is_asked=True) for found in (first, second)]
    assert take(*asked, now_ms=due_ms + 86_400_000) is None


@table("window_ms", [0, WINDOW_MS])
def test_files_go_with_the_sentence_behind_them(window_ms: int) -> None:
    """issue 3, item 6: several files, then one sentence, are one prompt."""
    old = files(1, "stored", is_asked=True)
    said = row(3, received_ms=NOW_MS + 3_600_000, quoted_id="77")
    found = take(old, files(2, "gone"), said, now_ms=NOW_MS + 3_602_000, window_ms=window_ms)
    assert found == Batch((old, files(2, "gone"), said))


def test_prompt_waits_for_its_files_while_commands_go_ahead() -> None:
    """delivery-semantics 4: a row is taken only when its files are there or given up."""
    late = NOW_MS + 60_000
    waiting, said = files(1, "stored", ""), row(2)
    assert take(waiting, said, now_ms=late) is None
    status = Batch((row(3, "/status"),), passed=(waiting, said))
    assert take(waiting, said, row(3, "/status"), now_ms=late) == status
    assert take(waiting, said, row(3, "/use web"), now_ms=late) is None
    for between in (row(9, "/use web"), row(9, "/send web go"), row(9, quoted_id="7")):
        assert take(waiting, said, between, row(3, "/status"), now_ms=late) == status
    here = files(1, "stored", "gone")
    assert take(here, said, now_ms=late) == Batch((here, said))


SWITCHES = ("/use 1", "/bind 2", "/new den", "/fork web")


@table("switch", SWITCHES)
@table("word", ["/stop", "/steer more", "/status", "/refresh", "/artifacts"])
def test_word_about_the_thread_in_use_stays_behind_one_that_changes_it(
    switch: str, word: str
) -> None:
    """design 7: `/use` selects it here; `/stop` behind it never ends the turn that was left."""
    changed, meant, other = row(1, switch), row(2, word), row(3, "/approve abcdefghj")
    assert passing([meant, other], [changed]) == [other]
    assert passing([changed, meant, other], [row(9)]) == [other]
    assert passing([meant, other], [row(9)]) == [meant, other]


@table("switch", SWITCHES)
def test_word_with_a_name_passes_whatever_changes_the_thread_in_use(switch: str) -> None:
    """design 4: commands that make no turn never wait behind one."""
    named = [row(2, word) for word in ("/stop web", "/status web", "/refresh web", "/queue")]
    assert passing(named, [row(1, switch)]) == named


def test_stop_behind_a_switch_does_not_pass_it_to_a_prompt_that_waits_for_files() -> None:
    """Ours: what it would end is not what it was meant for; with a name it goes at once."""
    late, said = NOW_MS + 60_000, (files(1, ""), row(2), row(3, "/use web"))
    assert take(*said, row(4, "/stop"), now_ms=late) is None
    assert take(*said, row(4, "/stop code"), now_ms=late) == Batch(
        (row(4, "/stop code"),), passed=said[:2]
    )


def test_send_takes_waiting_files_along_as_a_prompt_does() -> None:
    """design 7: files alone wait for their sentence; `/send` is one."""
    old, sent = files(1, "stored", is_asked=True), row(3, "/send web look")
    assert take(old, files(2, "gone"), sent) == Batch((old, files(2, "gone"), sent))
    waiting = files(2, "")
    assert take(old, waiting, sent) is None
    status = Batch((row(4, "/status"),), passed=(old, waiting, sent))
    assert take(old, waiting, sent, row(4, "/status")) == status
    assert take(old, waiting, sent, row(4, "and more")) is None
    assert take(row(1, "before"), old, sent) == Batch((row(1, "before"), old))
    stale = files(1, "stored", age_ms=STALE_MS + 1)
    assert take(stale, sent) == Batch((stale,), is_stale=True)


def test_files_alone_hold_up_neither_commands_nor_older_messages() -> None:
    """delivery-semantics 4: a command does not queue behind anything."""
    alone = files(1, "")
    assert take(alone, row(2, "/use web")) == Batch((row(2, "/use web"),))
    stale = row(2, age_ms=STALE_MS + 1)
    assert take(alone, stale) == Batch((stale,), is_stale=True)


def test_released_files_go_with_the_sentence_that_was_held_behind_them() -> None:
    """delivery-semantics 4: `/run-held` runs them in order."""
    picture, said, other = files(1, "stored"), row(2), row(3)
    ages = (7_205_000, 7_200_000, 3_600_000)
    held = zip((picture, said, other), ages, strict=True)
    rows = [replace(found, is_released=True, age_ms=age_ms) for found, age_ms in held]
    assert take(*rows) == Batch(tuple(rows[:2]))


def test_burst_that_was_held_is_still_one_prompt() -> None:
    """issue 5, item 4: a picture goes with the words before it, as it would have at once."""
    said = row(1, is_released=True, age_ms=7_200_000)
    picture = files(2, "stored", is_released=True, age_ms=7_199_000)
    other = row(3, is_released=True, age_ms=3_600_000)
    assert take(said, picture, other) == Batch((said, picture))
    assert take(said, replace(picture, is_released=False, age_ms=0)) == Batch((said,))
    code, web = (replace(said, meant=AliasName(name)) for name in ("code", "web"))
    assert take(code, replace(web, id=InboxId(2))) == Batch((code,))
