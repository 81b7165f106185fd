"""Every sentence of the bridge: both languages, the same values, none missing or idle."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest

from bridge.core import commands as c
from bridge.core import phrases, verbs
from bridge.core.errors import Refusal
from bridge.core.manual import MANUAL
from bridge.core.model import Parked
from bridge.core.sentences import SENTENCES, TABLES
from bridge.core.usages import USAGES
from bridge.files import gate
from bridge.tasks.artifacts import NO_ROOM, REMOTE
from bridge.wire import scopes
from tests.unit.table import table

SOURCE = "\n".join(
    path.read_text()
    for path in Path(phrases.__file__).parents[1].rglob("*.py")
    if path.name != "phrases.py" and path.parent.name != "sentences"
)

SECRET = re.compile(r"/home|/Users|Traceback")


def places(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}


def test_no_sentence_has_two_homes() -> None:
    assert len(SENTENCES) == sum(len(table) for table in TABLES)


def test_sentence_takes_the_same_values_in_both_languages() -> None:
    """design 7: Chinese and English."""
    for name, (zh, en) in SENTENCES.items():
        assert zh and en and places(zh) == places(en), name
        assert not SECRET.search(zh + en), name


def test_no_sentence_is_said_nowhere() -> None:
    """Ours: a sentence that nobody says is deleted."""
    said = set(re.findall(r'"([a-z_]+)"', SOURCE))
    begun = tuple(set(re.findall(r'f"([a-z_]{3,}){', SOURCE)))
    assert [n for n in SENTENCES if n not in said and not n.startswith(begun)] == []


def test_sentence_that_does_not_exist_raises() -> None:
    """Ours: a typo is found by the first test that says it."""
    with pytest.raises(KeyError):
        phrases.say("no_such_sentence", "en")


def test_every_reason_has_its_sentence() -> None:
    """style: user-facing sentences live in one place, by reason."""
    reasons = [*Refusal, "parked_elsewhere", "parked_controller"]
    shown = [f"turn_parked_{reason}" for reason in Parked if reason is not Parked.AGREED]
    stays = [f"stays_{why}" for why in (*gate.Why, REMOTE, NO_ROOM)]
    doubts = [f"doubt_{doubt}" for doubt in gate.Doubt]
    assert {*reasons, *shown, *stays, *doubts} - set(SENTENCES) == set()


def test_every_verb_and_nothing_else_has_a_usage_line() -> None:
    """issue 2: what the phone cannot do yet is not in /help."""
    assert set(USAGES) == set(verbs.verbs())


@table("place", {"zh": 0, "en": 1})
def test_every_verb_is_told_in_full_and_its_example_is_one(place: int) -> None:
    """issue 5 item 1: one to four short lines; what they tell to type, parses."""
    for verb in verbs.verbs():
        lines = MANUAL[verb][place].splitlines()
        assert 1 <= len(lines) <= 4 and all(len(line) <= 150 for line in lines), verb
        for line in lines:
            mark, _, rest = line.replace("例：", "Example: ").partition("Example: ")
            typed = re.split("，或 |, or ", rest) if rest and not mark else ()
            wrong = [t for t in typed if isinstance(verbs.parse(t), c.Malformed | c.Unknown)]
            assert not wrong, verb


def test_manual_has_every_verb_and_nothing_else() -> None:
    """Ours: what the phone cannot do is not explained."""
    assert set(MANUAL) == set(verbs.verbs())


@table(
    ("ms", "zh", "en"),
    [(-5, "0 秒", "0 s"), (59_999, "59 秒", "59 s"), (60_000, "1 分钟", "1 min")],
)
def test_age_is_told_in_the_largest_fitting_unit(ms: int, zh: str, en: str) -> None:
    """Ours: no age is negative, whatever the clocks say."""
    assert (phrases.age(ms, "zh"), phrases.age(ms, "en")) == (zh, en)


def test_foreign_line_cannot_begin_as_the_bridge_does() -> None:
    """R28: the mark is taken from every line that begins with it."""
    forged = f"{phrases.MARK} a\n  {phrases.MARK} b\nc {phrases.MARK}"
    lines = phrases.unmarked(forged).split("\n")
    assert not [line for line in lines if line.lstrip().startswith(phrases.MARK)]


def test_every_rule_that_an_audit_line_names_is_told_in_the_docs() -> None:
    """R38: whoever reads the audit can look up what it names."""
    sources = "threat-model R|delivery-semantics |design |controller-contract "
    named = set(re.findall(rf'"((?:{sources})\d+)"', SOURCE))
    named |= {rule for _, rule in re.findall(r'Audit\(\s*f?("[^"]*"), "([^"]+)"', SOURCE)}
    named |= {f"scope {scope}" for scope in scopes.SCOPES if scope != "status:read"}
    table = (Path(phrases.__file__).parents[2] / "docs" / "rules.md").read_text()
    said = {*re.findall(r"^\| (.+?) \|", table, re.M), *re.findall(r"`(owner[a-z ]*)`", table)}
    assert named and sorted(named - said) == []
