"""No way to a file is shown, in whatever words it stands."""

from __future__ import annotations

from bridge.core.answers import answer
from bridge.core.attached import Attachment, FileId
from bridge.core.commands import Threads
from bridge.core.decision import Facts, Item, Policy, Session
from bridge.core.history import digest
from bridge.core.model import Lang, Part, ThreadId
from bridge.core.places import hidden
from bridge.core.prompts import compose
from tests.unit.table import table
from tests.unit.test_decide import IDS, NOW_MS, VIEW
from tests.unit.test_prompts import Kind, row

AT = "/home/owner/My Files/data/attachments/2026-11-22/0a1b.pdf"


def prompt(kind: Kind, lang: Lang) -> str:
    """What a thread gets of a file and a sentence."""
    parts = (Part(kind, file_name="plan.pdf"), Part("text", "read it"))
    stored = Attachment(FileId(1), 0, "stored", AT, "application/pdf")
    return compose([row(*parts, files=(stored,))], None, lang).text


@table("lang", ["zh", "en"])
@table("kind", ["image", "video", "voice", "file"])
def test_file_in_a_prompt_is_named_without_its_place(kind: Kind, lang: Lang) -> None:
    """R35: also where its folder has blanks, and wherever a list has cut the line."""
    said = prompt(kind, lang)
    assert AT in said
    shown = hidden(said)
    assert shown.startswith("[") and shown.endswith("]\nread it")
    one_line = said.replace("\n", " ")
    for length in range(len(one_line)):
        assert "owner" not in hidden(one_line[:length])


def test_title_of_a_thread_that_began_with_a_file_holds_no_path() -> None:
    """R35: in the list, and in what is remembered of it for /use."""
    title = prompt("file", "en").replace("\n", " ")[:79] + "…"
    session = Session(ThreadId("t"), title, "/home/owner/app", NOW_MS, "idle")
    found = answer(Threads(""), VIEW, Facts(sessions=(session,)), Policy(), NOW_MS, IDS)
    assert "1. [file plan.pdf]" in found.text
    assert found.peer is not None
    assert "owner" not in found.text + found.peer.listed[0].title


def test_what_was_asked_is_told_without_a_path() -> None:
    """R35: /refresh of a turn that began with a file, or that speaks of one."""
    items = (
        Item("t1", "user", prompt("image", "en")),
        Item("t2", "user", "why does /home/owner/a.py fail?"),
    )
    shown = digest(items, {}, "/home/owner/shop", "en")
    assert shown == "> [plan.pdf] read it\n\n> why does …/a.py fail?"


@table(
    ("text", "shown"),
    [
        ("see /home/owner/shop/src/a.py", "see src/a.py"),
        ("see /etc/nginx/nginx.conf, please", "see …/nginx.conf, please"),
        ("https://host/a/b and 1/2 and a/b/c", "https://host/a/b and 1/2 and a/b/c"),
        ("[1] see: a list", "[1] see: a list"),
    ],
)
def test_paths_lose_their_way_and_other_words_stay(text: str, shown: str) -> None:
    """R35: relative to the thread's folder, else the name alone."""
    assert hidden(text, "/home/owner/shop/") == shown
