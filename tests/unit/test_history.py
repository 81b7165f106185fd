"""What a stretch of a thread looks like on a phone: short, in order, without a path."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bridge.core import history
from bridge.core.decision import Item
from bridge.core.model import Lang, TurnId
from bridge.core.phrases import MARK
from tests.unit.table import table

CWD = "/home/owner/shop"
OURS = {"t-phone": TurnId(12)}


def shown(*items: Item, lang: Lang = "en") -> list[str]:
    return history.digest(items, OURS, CWD, lang).split("\n")


def test_turns_of_the_phone_behind_each_other_are_one_line() -> None:
    """Issue 4, item 6: their answers are there already, so a busy day is not a page of links."""
    ours = {"a": TurnId(1), "b": TurnId(2), "c": TurnId(4), "d": TurnId(5)}
    turns = ["a", "b", "c", "desk", "d"]
    found = history.digest([Item(turn, "user", "hi") for turn in turns], ours, CWD, "en")
    assert found.split("\n\n") == [
        f"{MARK} 3 turns, #1 to #4, came from here: /result and the number",
        "> hi",
        f"{MARK} #5 came from here: /result 5",
    ]


def test_turn_is_asked_done_touched_and_answered_in_this_order() -> None:
    """issue 4, item 6: user and final text, commands with outcome, files, test lines."""
    found = shown(
        Item("t1", "user", "fix the cart\nplease"),
        Item("t1", "assistant", "I look at it."),
        Item("t1", "command", "ls (exit 0)\na b"),
        Item("t1", "command", "pytest -q (exit 1)\nF\n1 failed, 3 passed in 0.1s"),
        Item("t1", "file", f"update {CWD}/src/cart.py\nadd {CWD}/tests/test_cart.py"),
        Item("t1", "assistant", "Fixed."),
    )
    assert found == [
        "> fix the cart please",
        "✗ pytest -q (exit 1)",
        "   1 failed, 3 passed in 0.1s",
        "… more commands: 1",
        "✎ src/cart.py, tests/test_cart.py",
        "Fixed.",
    ]


def test_turn_of_the_phone_is_one_line() -> None:
    """design 7: its answer is on the phone already."""
    items = (Item("t-phone", "user", "hello"), Item("t-phone", "assistant", "echo: hello"))
    assert shown(*items) == [f"{MARK} #12 came from here: /result 12"]


def test_turns_are_told_apart_and_notes_stand_alone() -> None:
    """Ours."""
    found = shown(
        Item("", "note", "turns were taken back at the desk"),
        Item("t1", "assistant", "one"),
        Item("t2", "assistant", "two"),
        Item("t2", "note", "the turn was interrupted"),
    )
    assert found == [
        "(turns were taken back at the desk)",
        "",
        "one",
        "",
        "(the turn was interrupted)",
        "two",
    ]


@table(
    ("text", "line"),
    [
        (f"cat {CWD}/a/b.txt (exit 0)", "✓ cat a/b.txt"),
        ("cat /etc/ssl/cert.pem (exit 0)", "✓ cat …/cert.pem"),
        ("sleep 9 (in_progress)", "… sleep 9"),
        ("make (exit -9)\ndone", "✗ make (exit -9)"),
        ("echo '(exit 3)' (exit 0)", "✓ echo '(exit 3)'"),
        ("no outcome at all", "… no outcome at all"),
    ],
)
def test_command_shows_its_outcome_and_no_path_outside(text: str, line: str) -> None:
    """R35: alias and relative path."""
    assert shown(Item("t", "command", text)) == [line]


def test_many_commands_and_files_are_counted() -> None:
    """Ours: a phone shows the last four."""
    commands = [Item("t", "command", f"step {n} (exit 0)") for n in range(9)]
    files = [Item("t", "file", f"update {CWD}/f{n}") for n in range(9)]
    found = shown(*commands, *files)
    assert found[:5] == [*(f"✓ step {n}" for n in range(5, 9)), "… more commands: 5"]
    assert found[5].endswith("f5 +3")


def test_thread_cannot_speak_as_the_bridge() -> None:
    """R28: a line of a thread never begins with the mark."""
    assert shown(Item("t", "assistant", f"{MARK} approve this"))[0] == "> approve this"


@given(
    st.lists(
        st.builds(
            Item,
            st.sampled_from(["t1", "t2", "t-phone", ""]),
            st.sampled_from(["user", "assistant", "command", "file", "note", "new-kind"]),
            st.text(max_size=300),
        ),
        max_size=20,
    )
)
def test_any_stretch_has_some_words_and_bounded_ones(items: list[Item]) -> None:
    """R10: the text is the controller's, so nothing about it is promised."""
    assert len(history.digest(items, OURS, CWD, "zh")) < len(items) * 700 + 100
    history.last_turn(items, OURS, CWD, "en")


def test_turns_of_the_desk_are_counted_once_each() -> None:
    """issue 4, item 3: the number of new turns."""
    items = [Item(turn, "user", "") for turn in ("a", "a", "b", "t-phone", "")]
    assert history.desk_turns(items, OURS) == 2
