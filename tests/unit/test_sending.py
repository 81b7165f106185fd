"""What may leave now, and what each outcome of an attempt means."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bridge.core import sending
from bridge.core.group_chat import group_peer
from bridge.core.model import (
    Account,
    AccountState,
    Outcome,
    OutId,
    OutRow,
    OutState,
    PeerId,
    SendClass,
)
from bridge.core.sending import (
    REST_GROUP,
    AccountEvent,
    Limits,
    NeedOwner,
    Nothing,
    OutEvent,
    OutStep,
    Send,
    SleepUntil,
    Window,
    after_delivery,
    choose,
    group_breaker_ms,
    is_worthless,
)
from tests.unit.table import table

NOW_MS = 1_800_000_000_000
ON = Account(state=AccountState.ON)
LIMITS = Limits()
OPEN = Window(NOW_MS - 1_000, 0, 0, has_token=True, is_announced=False)


def row(number: int, send_class: SendClass = SendClass.ANSWER, **fields: object) -> OutRow:
    base = OutRow(
        id=OutId(number),
        peer=PeerId("p"),
        send_class=send_class,
        group=f"g{number}",
        part=1,
        parts=1,
        text="t",
        client_id=f"c{number}",
        created_ms=NOW_MS,
    )
    return replace(base, **fields)  # type: ignore[arg-type]  # named as the row's own


def pick(
    *rows: OutRow, window: Window = OPEN, account: Account = ON, limits: Limits = LIMITS
) -> sending.Choice:
    return choose(rows, window, account, limits, NOW_MS)


def test_class_goes_first_then_id() -> None:
    """delivery-semantics 5: an approval may overtake an answer."""
    assert pick(row(2), row(1)) == Send(OutId(1))
    assert pick(row(1), row(9, SendClass.APPROVAL)) == Send(OutId(9))


def test_second_part_waits_for_the_first() -> None:
    """I5: even where the first must wait for its back-off."""
    first = row(1, group="g", not_before_ms=NOW_MS + 5_000)
    second = row(2, group="g", part=2)
    assert pick(first, second) == SleepUntil(NOW_MS + 5_000)
    assert pick(second) == Send(OutId(2))


@table("state", [s for s in AccountState if s is not AccountState.ON])
def test_account_that_is_not_on_sends_nothing(state: AccountState) -> None:
    """delivery-semantics 5: suspect and login_needed keep rows ready."""
    assert pick(row(1), account=Account(state=state)) == Nothing()


def test_without_a_token_nothing_leaves() -> None:
    """F41: no request without a context token."""
    assert pick(row(1), window=replace(OPEN, has_token=False)) == NeedOwner(announce=False)


@table(("hours", "choice"), [(22.9, Send(OutId(1))), (23.1, NeedOwner(announce=False))])
def test_window_closes_after_23_hours(hours: float, choice: sending.Choice) -> None:
    """delivery-semantics 5: CTB_SEND_WINDOW_HOURS of WeChat's 24."""
    window = replace(OPEN, opened_ms=NOW_MS - int(hours * 3_600_000))
    assert pick(row(1), window=window) == choice


def test_last_credit_is_kept_to_ask_for_a_word() -> None:
    """delivery-semantics 5: once; then nothing until the owner writes."""
    spent = replace(OPEN, used=LIMITS.budget - 1)
    assert pick(row(1), window=spent) == NeedOwner(announce=True)
    assert pick(row(1), window=replace(spent, is_announced=True)) == NeedOwner(announce=False)
    assert pick(row(1), window=replace(spent, used=99)) == NeedOwner(announce=False)
    broken = replace(ON, breaker_until_ms=NOW_MS + 60_000)
    assert pick(row(1), window=spent, account=broken) == SleepUntil(NOW_MS + 60_000)


def test_last_credit_still_carries_the_asking_that_did_not_leave() -> None:
    """delivery-semantics 5: it waits for its back-off, and for nobody else."""
    told = replace(OPEN, used=LIMITS.budget - 1, is_announced=True)
    asking = row(9, SendClass.NOTE, group=REST_GROUP, not_before_ms=NOW_MS + 2_000)
    assert pick(row(1), asking, window=told) == SleepUntil(NOW_MS + 2_000)
    assert pick(row(1), replace(asking, not_before_ms=0), window=told) == Send(OutId(9))
    assert not is_worthless(asking, NOW_MS - 1, NOW_MS + 7_200_000)
    assert is_worthless(asking, NOW_MS + 1, NOW_MS + 2)


@table("send_class", list(SendClass))
def test_last_but_one_credit_is_for_an_approval_or_an_answer(send_class: SendClass) -> None:
    """delivery-semantics 5: the reserve for the final answer (F41)."""
    spent = replace(OPEN, used=LIMITS.budget - 2)
    found = pick(row(1, send_class), window=spent)
    assert (found == Send(OutId(1))) is (send_class <= SendClass.ANSWER)


def test_budget_zero_means_no_limit() -> None:
    """design 8: CTB_SEND_BUDGET=0."""
    old = replace(OPEN, used=500, opened_ms=0)
    assert pick(row(1), window=old, limits=Limits(budget=0, spacing_ms=0)) == Send(OutId(1))


def test_first_send_after_a_message_never_waits_and_the_next_is_spaced() -> None:
    """design 8: CTB_SEND_SPACING_SECONDS."""
    assert pick(row(1), window=replace(OPEN, last_attempt_ms=NOW_MS)) == Send(OutId(1))
    second = replace(OPEN, used=1, last_attempt_ms=NOW_MS - 400)
    assert pick(row(1), window=second) == SleepUntil(NOW_MS + 600)


def test_open_breaker_lets_one_probe_through_after_the_owner_wrote() -> None:
    """delivery-semantics 5, F36: a refusal stops all sending but this."""
    broken = replace(ON, breaker_until_ms=NOW_MS + 60_000)
    assert pick(row(1), account=broken) == SleepUntil(NOW_MS + 60_000)
    assert pick(row(1), account=broken, window=replace(OPEN, may_probe=True)) == Send(OutId(1))


ROWS = st.lists(
    st.builds(
        lambda n, cls, group, part, wait: row(
            n, cls, group=group, part=part, not_before_ms=NOW_MS + wait
        ),
        st.integers(1, 50),
        st.sampled_from(SendClass),
        st.sampled_from("abc"),
        st.integers(1, 4),
        st.sampled_from([-1, 0, 5_000]),
    ),
    max_size=8,
    unique_by=(lambda r: r.id, lambda r: (r.group, r.part)),
)


@given(ROWS)
def test_what_is_sent_is_due_the_head_of_its_group_and_the_first_of_its_class(
    rows: list[OutRow],
) -> None:
    """I5: order inside a group is never broken, and class goes first."""
    found = pick(*rows)
    if isinstance(found, Send):
        sent = next(r for r in rows if r.id == found.row)
        assert sent.not_before_ms <= NOW_MS
        assert all(r.part > sent.part for r in rows if r.group == sent.group and r is not sent)
        heads = [r for r in rows if r.part == min(o.part for o in rows if o.group == r.group)]
        due = [r for r in heads if r.not_before_ms <= NOW_MS]
        assert (sent.send_class, sent.id) == min((r.send_class, r.id) for r in due)
    else:
        assert isinstance(found, SleepUntil) or not rows


def after(
    outcome: Outcome, told: OutRow, account: Account = ON, limits: Limits = LIMITS
) -> OutStep:
    return after_delivery(told, outcome, account, limits, NOW_MS)


def test_sent_ends_the_row_and_heals_the_account() -> None:
    """delivery-semantics 5: the breaker closes."""
    found = after(Outcome.SENT, row(1), replace(ON, unconfirmed_run=2, probe_no=3))
    assert (found.event, found.breaker_until_ms, found.probe_no) == (OutEvent.SENT, 0, 0)
    assert found.unconfirmed_run == 0


def test_unconfirmed_is_never_repeated_and_counted() -> None:
    """F33: `ret:0` without `message_id`."""
    found = after(Outcome.UNCONFIRMED, row(1), replace(ON, unconfirmed_run=2))
    assert (found.event, found.unconfirmed_run) == (OutEvent.UNCONFIRMED, 3)


@table(("fails", "wait_ms"), [(0, 2_000), (1, 4_000), (7, 256_000), (8, 300_000), (99, 300_000)])
def test_not_sent_is_tried_again_for_ever_with_backoff_and_no_mark(
    fails: int, wait_ms: int
) -> None:
    """F35: 2 s doubling to 5 min, counted as no possible copy."""
    found = after(Outcome.NOT_SENT, row(1, fails=fails, tries=1))
    assert (found.event, found.not_before_ms) == (OutEvent.RETRY, NOW_MS + wait_ms)
    assert (found.tries, found.fails, found.maybe_sent) == (1, fails + 1, False)


@table(("probe", "minutes"), [(0, 1), (1, 5), (2, 15), (3, 60), (9, 60)])
def test_throttled_opens_the_breaker_for_1_5_15_and_then_60_minutes(
    probe: int, minutes: int
) -> None:
    """F36: repeating prolongs it."""
    found = after(Outcome.THROTTLED, row(1, tries=1, maybe_sent=True), replace(ON, probe_no=probe))
    assert (found.event, found.tries, found.maybe_sent) == (OutEvent.RETRY, 1, True)
    assert found.breaker_until_ms == NOW_MS + minutes * 60_000
    assert found.probe_no == probe + 1


@table(
    ("outcome", "event"),
    [(Outcome.EXPIRED, AccountEvent.EXPIRED), (Outcome.UNKNOWN_CODE, AccountEvent.UNKNOWN_CODE)],
)
def test_expired_and_unknown_code_keep_the_row_and_doubt_the_account(
    outcome: Outcome, event: AccountEvent
) -> None:
    """F30, F37: no row dies of a code that nobody knows."""
    found = after(outcome, row(1))
    assert (found.event, found.account_event, found.tries) == (OutEvent.RETRY, event, 0)


def test_refused_dies_at_the_third_time_and_takes_its_group_along() -> None:
    """delivery-semantics 5: two retries, then `done(dead)` and a notice."""
    events = [after(Outcome.REFUSED, row(1, tries=tries)).event for tries in range(3)]
    assert events == [OutEvent.RETRY, OutEvent.RETRY, OutEvent.DEAD]
    assert after(Outcome.REFUSED, row(1, tries=2)).cancels_group
    assert after(Outcome.REFUSED, row(1, tries=2, maybe_sent=True)).maybe_sent


def test_unknown_is_repeated_after_5_and_60_seconds_and_marked() -> None:
    """F34, delivery-semantics 7: the same client id, three attempts in all."""
    found = [after(Outcome.UNKNOWN, row(1, tries=tries)) for tries in range(3)]
    assert [step.not_before_ms for step in found[:2]] == [NOW_MS + 5_000, NOW_MS + 60_000]
    assert [step.event for step in found] == [OutEvent.RETRY, OutEvent.RETRY, OutEvent.UNKNOWN]
    assert all(step.maybe_sent for step in found)


@table("send_class", [SendClass.NOTE, SendClass.PROGRESS])
def test_unknown_note_is_never_repeated(send_class: SendClass) -> None:
    """I3: progress is said at most once."""
    assert after(Outcome.UNKNOWN, row(1, send_class)).event is OutEvent.UNKNOWN


def test_policy_hold_repeats_nothing() -> None:
    """delivery-semantics 7: CTB_RESEND_POLICY=hold."""
    assert after(Outcome.UNKNOWN, row(1), limits=Limits(resends=False)).event is OutEvent.UNKNOWN


def test_repeat_bears_its_mark_and_the_same_words() -> None:
    """I3: a copy is recognised as a copy."""
    assert sending.wire_text(row(1)) == "t"
    assert sending.wire_text(row(1, maybe_sent=True)) == "[可能重复] t"


@given(st.sampled_from(Outcome), st.sampled_from(SendClass), st.integers(0, 2), st.integers(0, 50))
def test_every_outcome_leads_to_a_step_that_the_table_knows(
    outcome: Outcome, send_class: SendClass, tries: int, fails: int
) -> None:
    """Ours: the outcome table is total, and no retry lies in the past."""
    found = after(outcome, row(1, send_class, tries=tries, fails=fails))
    sending.out_step(OutState.SENDING, found.event)
    assert found.not_before_ms == 0 or found.not_before_ms > NOW_MS
    assert found.tries <= sending.MAX_TRIES


@given(st.sampled_from(Outcome), st.integers(0, 9), st.integers(0, 9))
def test_what_a_group_is_answered_moves_no_account(
    outcome: Outcome, probe_no: int, unconfirmed: int
) -> None:
    """R5, R36: a group never delays its owner, whatever the channel says to its bubble."""
    account = replace(ON, probe_no=probe_no, unconfirmed_run=unconfirmed)
    private = after(outcome, row(1), account)
    step = after(outcome, row(1, peer=group_peer("77")), account)
    assert (step.account_event, step.breaker_until_ms) == (None, None)
    assert (step.probe_no, step.unconfirmed_run) == (None, None)
    assert (step.event, step.not_before_ms) == (private.event, private.not_before_ms)


@table(("refused", "minutes"), [(1, 1), (2, 5), (3, 15), (4, 60), (9, 60)])
def test_group_that_is_refused_has_a_breaker_of_its_own(refused: int, minutes: int) -> None:
    """delivery-semantics 5: the same schedule, beside the account's; what goes through ends it."""
    until_ms = group_breaker_ms(refused, NOW_MS, NOW_MS)
    assert until_ms == NOW_MS + minutes * 60_000
    assert group_breaker_ms(refused, NOW_MS, NOW_MS + 1) == group_breaker_ms(0, 0, NOW_MS) == 0
    assert pick(row(1), window=replace(OPEN, breaker_until_ms=until_ms)) == SleepUntil(until_ms)
