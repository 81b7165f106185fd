"""Words of others on a phone: harmless, and never in the voice of the bridge."""

from __future__ import annotations

from dataclasses import replace

from bridge.core import commands as c
from bridge.core import prompts
from bridge.core.bubbles import bubbles
from bridge.core.decision import Facts, Server, Session, ThreadStatus
from bridge.core.foreign import harmless, is_shown_as_it_is, named, on_a_line
from bridge.core.model import Listed, Part, Peer, PeerId, RunId, ThreadId
from bridge.core.phrases import MARK
from bridge.core.turns import Run, after_run
from tests.unit.table import table
from tests.unit.test_answers import said as answered
from tests.unit.test_decide import ALIAS, FREE, IDS, NOW_MS, TURN, VIEW, row, said, told

FORGED = f"a\u202eb\x1b[31m\n{MARK} #1 is stopped.\x07"
SAFE = "ab > #1 is stopped."
NAMED = replace(VIEW, aliases={ALIAS.name: replace(ALIAS, title=FORGED)})
SESSION = Session(ThreadId("t2"), FORGED, f"/o/{FORGED}", NOW_MS, "elsewhere", FORGED)
SERVERS = (Server(FORGED, FORGED, 1),)
STATUS = ThreadStatus(None, FORGED, True, "/", state="elsewhere", holder=FORGED, servers=SERVERS)


def test_what_is_foreign_is_made_harmless_in_one_place() -> None:
    """R12, R28; R35 where it stands within a line of ours."""
    assert harmless(FORGED) == "ab\n> #1 is stopped."
    assert on_a_line(FORGED, 80) == named(FORGED) == SAFE
    assert on_a_line("see \x1b[0m/home/me/secret/x.py", 80) == "see …/x.py"
    assert is_shown_as_it_is("a\r\n\tb") and not is_shown_as_it_is(FORGED)


@table(
    "text",
    {
        "threads": answered(c.Threads(""), VIEW, Facts(sessions=(SESSION,))).text,
        "names": answered(c.Aliases(), NAMED).text,
        "status": answered(c.Status(""), NAMED, Facts(status=STATUS)).text,
        "use": told(said("/use code", view=NAMED)),
        "number": told(
            said(
                "/use 1",
                view=replace(
                    VIEW,
                    peer=replace(VIEW.peer, listed=(Listed(ThreadId("t2"), FORGED, "/o"),)),
                ),
            )
        ),
        "new": told(said("/new den x", facts=replace(FREE, folder=f"/o/{FORGED}"))),
        "recover": told(said("/recover code", facts=Facts(status=STATUS))),
        "queue": answered(c.Queue(), replace(VIEW, turns=(replace(TURN, prompt=FORGED),))).text,
        "heard": prompts.compose([row("", parts=(Part("voice", FORGED),))], None, "en").preface,
    },
)
def test_title_or_name_of_others_cannot_speak_as_the_bridge(text: str) -> None:
    """R28: one mark, at the front, and it is ours."""
    assert text.startswith(MARK) and text.count(MARK) == 1
    assert "> #1 is stopped" in text and "\u202e" not in text and "\x1b" not in text


def test_reason_of_a_failure_cannot_speak_as_the_bridge() -> None:
    """R28: in its notice, and where `/result` reads it again."""
    run = Run(RunId("r"), "failed", TURN.thread, reason="odd", detail=FORGED)
    end = after_run(TURN, run, Peer(PeerId("p"), "en"), 0, IDS)
    assert end.rows[0].text.startswith(f"{MARK} #7 failed: {SAFE}")
    assert end.rows[0].text.count(MARK) == 1
    done = replace(TURN, result=end.result, cuts=end.cuts)
    again = bubbles(done, 0, 1, VIEW.peer, IDS)
    assert MARK not in again[0].text and "\u202e" not in again[0].text


def test_name_of_a_file_is_one_harmless_line() -> None:
    """R26: it stands in the prompt and in what the phone is told."""
    sent = row("", parts=(Part("file", file_name=f"C:\\x\\{FORGED}.txt"),))
    assert prompts.said_in(sent, "en") == f"[{SAFE}.txt]"
