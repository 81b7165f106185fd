"""A new login over a real database: what waited for long is named in one bubble."""

from __future__ import annotations

from bridge.core.attached import NewFile
from bridge.core.decision import Decision, NewRow
from bridge.core.group_chat import group_peer
from bridge.core.model import Lang, Outcome, Owner, PeerId, SendClass, TurnId
from bridge.core.sending import OutEvent, OutStep
from bridge.core.text import MAX_BUBBLE_CHARS
from bridge.store import audit, inbox, outbox, relogin, views
from bridge.store.db import Database
from bridge.store.statements import add, change, records
from bridge.store.tables import GroupRow, OutboxTable, PeerRow
from tests.contract.test_store_inbox import ACCOUNT, NOW_MS, OWNER
from tests.contract.test_store_inbox import db as db  # the fixture
from tests.contract.test_store_outbox import SENDER, answer, ready

HOUR_MS = 3_600_000
LATER_MS = NOW_MS + 25 * HOUR_MS
NOTICE = (
    "▸ Results are waiting from before the login. "
    "Send /result {0} for the first, and so for each: {1}"
)


def log_in(
    db: Database, now_ms: int = LATER_MS, lang: Lang = "en", owner: Owner = ACCOUNT.owner
) -> None:
    db.run_now(lambda: relogin.name_old_answers(owner, lang, now_ms))


def owe(db: Database, *rows: NewRow, peer: str = OWNER) -> None:
    db.run_now(lambda: outbox.add_rows(rows, PeerId(peer), NOW_MS))


def test_answers_of_long_ago_are_named_in_one_bubble(db: Database) -> None:
    """delivery-semantics 8: they would eat the replies that the owner's next word opens."""
    for number in (1, 2, 3):
        answer(db, number)
    answer(db, 4, "fresh")
    db.run_now(lambda: change(OutboxTable, "turn = 4", (), created_ms=LATER_MS - 23 * HOUR_MS))
    log_in(db)
    assert ready(db) == ["(code)\nfresh", NOTICE.format(1, "#1 #2 #3")]
    last = db.run_now(lambda: audit.last_not_done(PeerId(OWNER)))
    assert last is not None and last.told == "results_waiting"
    log_in(db, LATER_MS + HOUR_MS)
    assert ready(db)[1:] == [NOTICE.format(1, "#1 #2 #3")], "and a notice is not named again"


def test_nothing_is_said_where_nothing_waited_for_long(db: Database) -> None:
    """Ours: a login alone is no news on the phone."""
    answer(db, 1, "fresh")
    log_in(db, NOW_MS + 24 * HOUR_MS)
    assert ready(db) == ["(code)\nfresh"]


def test_what_result_cannot_show_stays_as_it_is(db: Database) -> None:
    """delivery-semantics 8: answers alone; requests, files, ends and what is waited for stay."""
    answer(db, 1, "an answer")
    file = NewFile("s1", "a.txt", "file", 5, "hash")
    owing = (
        NewRow(SendClass.APPROVAL, "may I?", "ctb:1", "ask-1", turn=TurnId(1)),
        NewRow(SendClass.ANSWER, "a.txt", "ctb:2", "turn-1-file", turn=TurnId(1), staged="s1"),
        NewRow(SendClass.ANSWER, "#1 was interrupted", "ctb:3", "end-1", turn=TurnId(1)),
        NewRow(SendClass.ANSWER, "code is locked", "ctb:4", "lock_kept-k", turn=TurnId(1)),
        NewRow(SendClass.ANSWER, "the status", "ctb:5", "reply-1"),
        NewRow(SendClass.QUESTION, "an agent asks", "ctb:6", "q-1"),
        NewRow(SendClass.NOTE, "an agent says", "ctb:7", "n-1"),
    )
    decision = Decision(PeerId(OWNER), bubbles=owing, files=(file,))
    db.run_now(lambda: inbox.apply(decision, ACCOUNT, None, NOW_MS))
    log_in(db)
    assert ready(db) == [*(row.text for row in owing), NOTICE.format(1, "#1")]


def test_answer_to_a_group_stays_as_it_is(db: Database) -> None:
    """threat-model R5: nobody there has a `/result`, and the owner is not told of it."""
    group = group_peer("77@chatroom")
    db.run_now(lambda: add(GroupRow, peer=group, state="approved", asked_ms=NOW_MS))
    row = NewRow(SendClass.ANSWER, "brief", "ctb:1", "turn-1-0-s", turn=TurnId(1))
    owe(db, row, peer=group)
    log_in(db)
    assert ready(db) == ["brief"]


def test_answers_of_another_owner_are_not_named(db: Database) -> None:
    """threat-model R2: by the same owner alone."""
    answer(db, 1, "for the first owner")
    log_in(db, owner=Owner(frozenset({"oOther@im.wechat"})))
    assert ready(db) == ["(code)\nfor the first owner"]


def test_answer_that_had_begun_to_leave_is_named_with_the_rest_of_it(db: Database) -> None:
    """Ours: and `/more` does not go on behind a bubble that was never seen."""
    answer(db, 1)
    attempt = db.run_now(lambda: outbox.begin(SENDER, NOW_MS))
    assert attempt is not None and attempt.row.part == 1
    sent = OutStep(OutEvent.SENT)
    db.run_now(lambda: outbox.finish(attempt, Outcome.SENT, sent, "srv-1", "", None, NOW_MS))
    log_in(db)
    assert ready(db) == [NOTICE.format(1, "#1")]
    seen = db.run_now(lambda: views.peer(PeerId(OWNER), "en"))
    assert (seen.more_turn, seen.more_next) == (None, 0)


def test_more_goes_on_with_an_answer_that_was_sent(db: Database) -> None:
    """Ours: what the owner has begun to read is not what waited."""
    answer(db, 1, "short")
    answer(db, 2)
    db.run_now(lambda: change(OutboxTable, "turn = 2", (), state="done", outcome="sent"))
    log_in(db)
    assert ready(db) == [NOTICE.format(1, "#1")]
    seen = db.run_now(lambda: views.peer(PeerId(OWNER), "en"))
    assert (seen.more_turn, seen.more_next) == (2, 2)


def test_notice_is_in_the_language_of_its_owner(db: Database) -> None:
    """design 7: `/lang`, else the settings."""
    answer(db, 1, "eins")
    log_in(db, lang="zh")
    db.run_now(lambda: change(PeerRow, "peer = ?", (OWNER,), lang="en"))
    answer(db, 2, "zwei")
    log_in(db, lang="zh")
    chinese, english = ready(db)
    assert chinese == "▸ 重新登录前的回答还留着，发 /result 1 看第一个，其余也这样看：#1"
    assert english == NOTICE.format(2, "#2")


def test_any_number_of_answers_is_named_in_one_bubble(db: Database) -> None:
    """R9: bounded."""
    for n in range(1, 1_001):
        owe(db, NewRow(SendClass.ANSWER, "x", f"ctb:{n}", f"turn-{n}-0-s", turn=TurnId(n)))
    log_in(db)
    (told,) = ready(db)
    assert len(told) <= MAX_BUBBLE_CHARS and told.endswith("…") and "/result 1 " in told
    assert len(db.run_now(lambda: records(OutboxTable, "outcome = 'cancelled'"))) == 1_000
