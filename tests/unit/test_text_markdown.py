"""What is safe to show, and what of Markdown a phone gets to see."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bridge.core.markdown import balanced, for_chat
from bridge.core.text import clean
from tests.unit.table import table

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


@table(
    ("text", "safe"),
    [
        ("a\tb\nc", "a\tb\nc"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("nul\x00bel\x07del\x7f", "nulbeldel"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]never ended\nsecond line", "never ended\nsecond line"),
        ("\x9b31mred", "red"),
        ("user\u202egnp.exe", "usergnp.exe"),
        ("\u2066a\u2069\u200e\u200f\u061cb\ufeff", "ab"),
        ("\ud83d lone \udc00", "\ufffd lone \ufffd"),
        (
            f"{FAMILY} \u2764\ufe0f \U0001f1e9\U0001f1ea",
            f"{FAMILY} \u2764\ufe0f \U0001f1e9\U0001f1ea",
        ),
    ],
)
def test_signs_that_act_on_a_screen_are_stripped(text: str, safe: str) -> None:
    """Threat-model R12."""
    assert clean(text) == safe


@given(st.text(st.characters(codec=None)))
def test_clean_text_can_be_stored_and_is_clean(text: str) -> None:
    """delivery-semantics.md 3: no NUL, no lone surrogate."""
    safe = clean(text)
    safe.encode()
    assert "\x1b" not in safe and "\x00" not in safe and clean(safe) == safe


@table(
    ("text", "shown"),
    [
        ("# One\n#### Four", "# One\n#### Four"),
        ("##### Five\n###### 六", "Five\n六"),
        ("####### seven", "####### seven"),
        ("see ![a chart](https://x/y.png) here", "see a chart here"),
        ("[![build](b.svg)](https://ci)", "[build](https://ci)"),
        ("![](x.png)", ""),
        ('![a](x_(1).png "t")', "a"),
        ("**粗体** __粗体__ ~~删~~", "**粗体** __粗体__ ~~删~~"),
        ("*斜体* _斜体_ ***都*** ___都___", "斜体 斜体 都 都"),
        ("*plain* _plain_", "*plain* _plain_"),
        ("open *中文\nnext* line", "open *中文\nnext* line"),
        ("* 第一项\n* 第二项", "* 第一项\n* 第二项"),
        ("5 * 三 * 2", "5 * 三 * 2"),
        ("变量_名字_表", "变量_名字_表"),
        ("[名](http://x/*中*) https://x/_中_y", "[名](http://x/*中*) https://x/_中_y"),
        ("a <!-- hidden --> b", "a <! -- hidden --> b"),
        ("```\n*中* ![a](b) <!--\n```", "```\n*中* ![a](b) <!--\n```"),
        ("use `*中*` and ``![a](b) ` ``", "use `*中*` and ``![a](b) ` ``"),
        ("a lone ` before *中*", "a lone ` before 中"),
        ("```py\nx = 1", "```py\nx = 1\n```"),
        ("````\n```\n", "````\n```\n````"),
        ("> ```\n> x", "> ```\n> x\n> ```"),
        ("| a | b |\n|---|---|\n---\n> q", "| a | b |\n|---|---|\n---\n> q"),
    ],
)
def test_markdown_is_kept_to_what_wechat_shows(text: str, shown: str) -> None:
    """ilink-protocol.md 6.8."""
    assert for_chat(text) == shown


_WORDS = ["中文", "word", " ", "\n", "\n\n", "> ", "- ", "##### "]
_MARKS = ["*", "_", "**", "***", "![", "](", ")", "[", "]", "<!--", "-->"]
_FENCES = ["`", "``", "```\n", "```py\n", "~~~\n"]
_PIECES = st.lists(st.sampled_from([*_WORDS, *_MARKS, *_FENCES]), max_size=40).map("".join)


@given(_PIECES)
def test_no_word_is_lost_and_no_fence_stays_open(text: str) -> None:
    """Ours: only markers and image addresses go; every fence is closed."""
    shown = for_chat(text)
    if "](" not in text and "][" not in text:
        assert shown.count("中文") == text.count("中文")
        assert shown.count("word") == text.count("word")
    assert balanced(shown) == shown


@given(st.lists(st.sampled_from(["*中*", "![a](b)", "x", "<!--", "##### h", "_字_"]), min_size=1))
def test_fenced_code_reaches_the_phone_unchanged(lines: list[str]) -> None:
    """ilink-protocol.md 6.8: code is kept. Read back with a full parser."""
    code = "\n".join(lines) + "\n"
    tokens = MarkdownIt().parse(for_chat(f"*前*\n\n```\n{code}```\n\n*后*"))
    assert [token.content for token in tokens if token.type == "fence"] == [code]
