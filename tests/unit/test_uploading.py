"""A bubble with a file: when its file must go up first, and what a failed upload means."""

from __future__ import annotations

from dataclasses import replace

from bridge.core.attached import ArtifactId, FileKind, Handle, OutFile
from bridge.core.model import Account, AccountState, Outcome, OutId, OutRow, PeerId, SendClass
from bridge.core.sending import (
    NOT_SENT_FIRST_MS,
    PROBE_MS,
    AccountEvent,
    Limits,
    OutEvent,
    after_delivery,
)
from bridge.core.uploading import GONE, HANDLE_LIFE_MS, after_upload, is_up, refusal
from tests.unit.table import table

NOW_MS = 1_800_000_000_000
ON = Account(state=AccountState.ON)


def row(kind: FileKind = "file", at_ms: int | None = None) -> OutRow:
    handle = None if at_ms is None else Handle("param", "00" * 16, 5, 16, at_ms)
    return OutRow(
        id=OutId(1),
        peer=PeerId("p"),
        send_class=SendClass.ANSWER,
        group="g",
        part=1,
        parts=1,
        text="a.png",
        client_id="c",
        created_ms=NOW_MS,
        file=OutFile(ArtifactId(1), "staged", "a.png", kind, "hash", handle),
    )


@table(
    ("at_ms", "is_fresh"),
    [
        (None, False),
        (NOW_MS, True),
        (NOW_MS - HANDLE_LIFE_MS + 1, True),
        (NOW_MS - HANDLE_LIFE_MS, False),
        (NOW_MS + 1, False),  # the clock was set back: nobody knows how old it is
    ],
)
def test_handle_is_used_while_it_is_fresh(at_ms: int | None, is_fresh: bool) -> None:
    """ilink-protocol 7.4: how long the CDN keeps a file is not known."""
    assert is_up(row(at_ms=at_ms), NOW_MS) is is_fresh


@table(
    ("outcome", "event", "wait_ms"),
    [
        (Outcome.NOT_SENT, OutEvent.RETRY, NOT_SENT_FIRST_MS),
        (Outcome.UNKNOWN, OutEvent.RETRY, NOT_SENT_FIRST_MS),
        (Outcome.EXPIRED, OutEvent.RETRY, NOT_SENT_FIRST_MS),
        (Outcome.UNKNOWN_CODE, OutEvent.RETRY, NOT_SENT_FIRST_MS),
    ],
)
def test_bubble_waits_for_an_upload_that_may_come_about(
    outcome: Outcome, event: OutEvent, wait_ms: int
) -> None:
    """delivery-semantics 5, F30: nothing has left, so nothing of it can be a copy."""
    step = after_upload(row(), outcome, ON, Limits(), NOW_MS)
    assert (step.event, step.not_before_ms) == (event, NOW_MS + wait_ms)
    assert step.tries == (1 if outcome is Outcome.UNKNOWN_CODE else 0)
    assert not step.maybe_sent
    is_doubted = outcome in (Outcome.EXPIRED, Outcome.UNKNOWN_CODE)
    assert (step.account_event is None) is not is_doubted


def test_expired_upload_makes_the_account_suspect() -> None:
    """F30: -14 at upload is as -14 anywhere."""
    step = after_upload(row(), Outcome.EXPIRED, ON, Limits(), NOW_MS)
    assert step.account_event is AccountEvent.EXPIRED


def test_code_that_nobody_knows_ends_the_third_time() -> None:
    """issue 3, item 5: an account that takes no files holds nothing up for ever."""
    steps = [
        after_upload(replace(row(), tries=tries), Outcome.UNKNOWN_CODE, ON, Limits(), NOW_MS)
        for tries in range(3)
    ]
    assert [step.event for step in steps] == [OutEvent.RETRY, OutEvent.RETRY, OutEvent.DEAD]
    assert all(step.account_event is AccountEvent.UNKNOWN_CODE for step in steps)


def test_account_that_may_not_upload_may_still_send() -> None:
    """issue 3, item 5; protocol 5.3: a `-2` here is no word about texts, and is asked thrice."""
    steps = [
        after_upload(replace(row(), tries=tries), Outcome.THROTTLED, ON, Limits(), NOW_MS)
        for tries in range(3)
    ]
    assert [step.event for step in steps] == [OutEvent.RETRY, OutEvent.RETRY, OutEvent.DEAD]
    assert [step.not_before_ms - NOW_MS for step in steps[:2]] == list(PROBE_MS[:2])
    assert {(step.breaker_until_ms, step.probe_no) for step in steps} == {(None, None)}
    assert steps[2].cancels_group and not any(step.maybe_sent for step in steps)


def test_refused_upload_ends_its_bubble() -> None:
    """ilink-protocol 7.2: a refusal is not tried again."""
    step = after_upload(row(), Outcome.REFUSED, ON, Limits(), NOW_MS)
    assert step.event is OutEvent.DEAD and step.cancels_group


@table(
    ("code", "phrase"),
    [
        (GONE, "file_gone"),
        ("cdn 413 too large", "file_refused_size"),
        ("cdn 400 size mismatch", "file_refused"),
        ("-1", "file_refused"),
        ("-2", "file_refused_now"),
        ("http 429", "file_refused_now"),
    ],
)
def test_each_refusal_has_its_sentence(code: str, phrase: str) -> None:
    """issue 3, item 5: a clear line."""
    assert refusal(code) == phrase


@table(
    ("kind", "event"),
    [("file", OutEvent.RETRY), ("image", OutEvent.UNKNOWN), ("video", OutEvent.UNKNOWN)],
)
def test_only_what_can_bear_the_mark_is_repeated(kind: FileKind, event: OutEvent) -> None:
    """delivery-semantics 7: a copy must be known for a copy; a picture has no name."""
    assert after_delivery(row(kind), Outcome.UNKNOWN, ON, Limits(), NOW_MS).event is event
