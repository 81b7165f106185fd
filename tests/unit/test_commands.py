"""Text to commands: matched exactly, refused rather than guessed, free text untouched."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bridge.core import commands as c
from bridge.core import verbs
from bridge.core.names import MAX_ALIAS_CHARS, is_alias, skeleton
from tests.unit.table import table

FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"  # an emoji held together by joiners


READ = [
    ("/threads", c.Threads("")),
    ("/threads back up", c.Threads("back up")),
    ("/use 1", c.Use("1")),
    ("/add code 12", c.Add("code", "12")),
    ("/bind 3", c.Bind("3")),
    ("/list", c.Aliases()),
    ("/remove code", c.Remove("code")),
    ("/rm code", c.Remove("code")),
    ("/status", c.Status("")),
    ("/status code", c.Status("code")),
    ("/send code do it\nnow", c.Send("code", "do it\nnow")),
    ("/stop", c.Stop("")),
    ("/queue", c.Queue()),
    ("/cancel 12", c.Cancel(12)),
    ("/retry", c.Retry()),
    ("/run-held", c.RunHeld()),
    ("/drop-held", c.DropHeld()),
    ("/more", c.More()),
    ("/result 7", c.Result(7)),
    ("/result #7", c.Result(7)),
    ("/trace #7", c.Trace(7)),
    ("/cancel ＃7", c.Cancel(7)),
    ("/resend #７", c.Resend(7)),
    ("/group list", c.Group("list")),
    ("/group Status", c.Group("status")),
    ("/group status 2", c.Group("status", 2)),
    ("/group approve 2", c.Group("approve", 2)),
    ("/group reset 2", c.Group("reset", 2)),
    ("/GROUP disable 2", c.Group("disable", 2)),
    ("/yes", c.Yes()),
    ("/no", c.No()),
    ("/lang EN", c.SetLang("en")),
    ("/help", c.Help("")),
    ("/help /Send", c.Help("send")),
    ("/?", c.Help("")),
    ("/help rm", c.Help("remove")),
    ("  /STATUS  ", c.Status("")),
    ("／ｓｔａｔｕｓ", c.Status("")),
    ("/approve K7Q2-M4XP", c.Approve("K7Q2-M4XP")),
    ("/deny k7q2-m4xp", c.Deny("k7q2-m4xp")),
]


def test_verb_is_read_in_any_case_and_width() -> None:
    """design 7 and R11: ASCII verbs after NFKC, matched exactly."""
    assert [(text, verbs.parse(text)) for text, _ in READ] == READ


MALFORMED = [
    "/use",
    "/use a b",
    "/add x",
    "/add a b c",
    "/cancel x",
    "/group",
    "/group approve",
    "/group approve x",
    "/group list 2",
    "/group all 2",
    "/group approve 2 3",
    "/cancel 1234567890",
    "/cancel ٣",
    "/cancel #",
    "/cancel ##3",
    "/use #\u200b1",
    "/retry now",
    "/lang fr",
    "/send code",
    "/stop a b",
    "/use a\u200bb",
    "/use \u202ea",
    "/use \ue000",
    "/use " + "a" * 201,
    "/send co\u200bde x",
]


def test_known_verb_with_wrong_words_shows_its_usage() -> None:
    """R11: control, format, private-use signs in an argument are refused, never stripped."""
    read = [text for text in MALFORMED if not isinstance(verbs.parse(text), c.Malformed)]
    assert read == []


LOOK_ALIKE = [
    "/stаtus",
    "/ѕtop",
    "/sto\u200bp",
    "/\u202estop",
    "/stop\ufe0f",
    "/approve_all",
    "/",
    "/sτop",
    "/stops",
    "/ｓtopｐ",
    "/ yes",
    "/\nstop",
    "/\n\nyes",
    "/\tno",
    "/\u3000drop-held",
    "／ stop",
]


def test_look_alike_verb_is_unknown_and_never_the_closest_match() -> None:
    """R11, F82: Cyrillic, Greek, zero-width and BiDi signs; nothing acts on a guess."""
    known = c.Unknown | c.Malformed
    assert [text for text in LOOK_ALIKE if not isinstance(verbs.parse(text), known)] == []


@table(
    ("text", "nearest", "is_path"),
    [
        ("/satus", "status", False),
        ("/refersh web", "refresh", False),
        ("/stops", "stop", False),
        ("/xyz", "help", False),
        ("/nonsense", "help", False),
        ("/art", "artifacts", False),
        ("/сtop", "stop", False),
        ("/ yes", "yes", False),
        ("/ ", "help", False),
        ("/help sned", "send", False),
        ("/help nosuch", "help", False),
        ("/? /stpo", "stop", False),
        ("/" + "s" * 10_000, "help", False),
        ("/etc/hosts is wrong", "help", True),
        ("/tmp is full", "help", True),
        ("/notes.txt", "help", True),
    ],
)
def test_unknown_verb_names_the_nearest_one_and_a_path_is_known_for_one(
    text: str, nearest: str, is_path: bool
) -> None:
    """issue 5 item 1: its usage line is shown, nothing is done; `//` sends it all the same."""
    assert verbs.parse(text) == c.Unknown(nearest, is_path)


@table("text", ["please /stop", "hello", "", " \n", "“/stop”", "1. /stop"])
def test_slash_inside_a_text_is_no_command(text: str) -> None:
    """F84: only the first sign of a message makes a command."""
    assert verbs.parse(text) == c.Prompt()


def test_two_slashes_send_a_text_that_begins_with_one() -> None:
    """design 7: `//text`."""
    for typed, text in (("//stop the world", "/stop the world"), ("／／etc", "/etc")):
        assert verbs.parse(typed) == c.Prompt() and verbs.unescaped(typed) == text


@given(st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1))
def test_free_text_of_send_is_neither_normalised_nor_refused(text: str) -> None:
    """R11: emoji hold joiners, and other people's letters are theirs."""
    said = f"{text}{FAMILY}ﬁ"
    assert verbs.parse(f"/send code {said}") == c.Send("code", said)


@given(st.text(max_size=40))
def test_any_text_is_some_command(text: str) -> None:
    """R10: the parser never raises."""
    for typed in (text, f"/{text}", f"/send {text}"):
        c.needs(verbs.parse(typed))


@table("name", ["code", "c", "back-up_2", "代码", "код", "a" * MAX_ALIAS_CHARS])
def test_name_of_one_script_is_taken(name: str) -> None:
    """R11: letters and digits of one script plus - and _."""
    assert is_alias(name)


MISLEADING = [
    "",
    "12",
    "-",
    "a b",
    "a.b",
    "a/b",
    "%s",
    "'",
    "🦊",
    "cоde",
    "a" * (MAX_ALIAS_CHARS + 1),
    "a\u200bb",
    "../x",
    "a" * 10_000,
]


def test_name_that_could_mislead_is_refused() -> None:
    """F83: empty, dots, slash, quote, emoji, mixed script, too long."""
    assert [name for name in MISLEADING if is_alias(name)] == []


@table(
    ("one", "other"),
    [
        ("code", "CODE"),
        ("cocoa", "сосоа"),
        ("a0", "ao"),
        ("l1", "li"),
        ("a-b", "a_b"),
        ("ｃode", "code"),
        ("hi", "һі"),
        ("git", "ɡit"),
        ("shop", "ѕһор"),
        ("qwid", "ԛԝіԁ"),
        ("index", "ındex"),
        ("vala", "vɑlɑ"),
    ],
)
def test_names_that_look_alike_have_one_skeleton(one: str, other: str) -> None:
    """R11: the skeleton is unique among aliases."""
    assert skeleton(one) == skeleton(other)


def test_every_verb_has_a_usage_line_in_both_languages() -> None:
    """issue 2: what the phone cannot do is not in `/help`, and nothing else is missing."""
    from bridge.core.phrases import usage

    for verb in verbs.verbs():
        assert usage(verb, "zh").startswith(f"/{verb}") and usage(verb, "en").startswith(f"/{verb}")
