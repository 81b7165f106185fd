"""What follows from a poll that went wrong."""

from __future__ import annotations

from channel_worker.ilink.inbound import Account, read_message
from channel_worker.ilink.speech import PollReply, Verdict
from channel_worker.told import POLLING, Told
from channel_worker.trouble import GOOD, Patience, Step, Trouble

EMPTY = PollReply(Verdict.GOOD)
FULL = PollReply(Verdict.GOOD, messages=(read_message({}, Account("", ())),))


def pauses(reply: PollReply, number: int) -> list[float]:
    trouble = Trouble(Patience())
    return [trouble.after(reply, 0.0).pause_s for _ in range(number)]


def test_network_trouble_waits_two_seconds_and_thirty_at_each_third() -> None:
    """ilink-protocol 5.1; F35, F44."""
    assert pauses(PollReply(Verdict.FAILED, "connect"), 4) == [2, 2, 30, 2]


def test_retry_after_is_obeyed_within_reason() -> None:
    """F40."""
    assert pauses(PollReply(Verdict.FAILED, "http 429", retry_after_s=60), 1) == [60]
    assert pauses(PollReply(Verdict.FAILED, "http 429", retry_after_s=9999), 1) == [300]


def test_instant_empty_replies_stay_under_sixty_a_minute() -> None:
    """F39: the first comes at a start; a busy or held poll has no pause."""
    given = pauses(EMPTY, 60)
    assert given[0] == 0 and sum(given) > 60
    trouble = Trouble(Patience())
    assert trouble.after(FULL, 0.0).pause_s == 0
    assert trouble.after(EMPTY, 35.0).pause_s == 0


def test_stale_token_is_checked_once_then_slowly() -> None:
    """F30: 10 min up to an hour, and never a login by itself."""
    trouble = Trouble(Patience())
    steps = [trouble.after(PollReply(Verdict.EXPIRED, "-14"), 0.1) for _ in range(6)]
    assert [step.condition for step in steps] == ["suspect"] + ["login_needed"] * 5
    assert [step.pause_s for step in steps] == [3, 600, 1200, 2400, 3600, 3600]
    assert all(step.must_notify for step in steps) and trouble.is_doubted
    assert trouble.after(EMPTY, 35.0).condition == "polling" and not trouble.is_doubted


def test_unknown_code_is_suspect_and_never_asks_for_a_login() -> None:
    """delivery-semantics 5, F37."""
    trouble = Trouble(Patience())
    steps = [trouble.after(PollReply(Verdict.ODD_CODE, "-99"), 0.1) for _ in range(9)]
    assert {step.condition for step in steps} == {"suspect"}
    assert {step.code for step in steps} == {"-99"} and steps[-1].pause_s == 600


def test_repeated_throttle_at_the_poll_is_a_stale_session() -> None:
    """ilink-protocol 5.3: -2 at getupdates, after repeats."""
    trouble = Trouble(Patience())
    steps = [trouble.after(PollReply(Verdict.FAILED, "-2"), 0.1) for _ in range(4)]
    assert [step.condition for step in steps] == [
        "backing_off", "backing_off", "suspect", "login_needed",
    ]  # fmt: skip


def test_five_equal_unreadable_replies_are_poison() -> None:
    """F80, delivery-semantics 4."""
    trouble = Trouble(Patience())
    same = PollReply(Verdict.UNREADABLE, "body 1")
    conditions = [trouble.after(same, 0.1).condition for _ in range(6)]
    assert conditions == ["backing_off"] * 4 + ["poll_poison"] * 2
    assert trouble.after(PollReply(Verdict.UNREADABLE, "body 2"), 0.1).condition == "backing_off"


def test_terminal_is_told_of_a_trouble_that_lasts_and_of_its_end() -> None:
    """Ours: once each, whatever codes one outage has; the first poll of a login is an end too."""
    told = Told(30.0)
    assert [told.after(GOOD, 0.0), told.after(GOOD, 35.0)] == [POLLING, ""]
    steps = [Step("backing_off", code) for code in ("connect", "time-out", "connect", "reset")]
    said = [told.after(step, at) for step, at in zip(steps, (100, 129, 130, 190), strict=True)]
    assert said[:2] == ["", ""] and "(connect)" in said[2] and said[3] == ""
    assert told.after(GOOD, 200.0) == POLLING
    assert [told.after(steps[0], 300.0), told.after(GOOD, 302.0)] == ["", ""]
    stale = [Step("suspect", "-14"), *[Step("login_needed", "-14")] * 2]
    assert [bool(told.after(step, 400.0)) for step in stale] == [True, True, False]
    assert told.after(GOOD, 500.0) == POLLING
