"""Which files an answer speaks of: prose, quotes, links, code, two languages."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from bridge.core.paths import MAX_LOOKED_AT, MAX_OFFERS, offers
from tests.unit.table import table

LONG_CHARS = 10_000


@table(
    ("text", "found"),
    [
        ("I wrote exports/report.md.", ["exports/report.md"]),
        ("See ./out/a.png, and ../b.csv!", ["./out/a.png", "../b.csv"]),
        ("Saved to /srv/work/exports/chart.svg", ["/srv/work/exports/chart.svg"]),
        ("In ~/notes/today.txt you find it", ["~/notes/today.txt"]),
        ("[the report](exports/final%20report.pdf)", ["exports/final report.pdf"]),
        ('[r](<exports/my report.pdf>) and [s](a.md "title")', ["exports/my report.pdf", "a.md"]),
        ("![plot](plots/fig(1).png)", ["plots/fig(1).png"]),
        ("`exports/two words.txt` is new", ["exports/two words.txt"]),
        ('it is "my results.xlsx" now', ["my results.xlsx"]),
        ("文件在exports/报告.md里", ["文件在exports/报告.md", "exports/报告.md"]),
        ("已保存到“导出/季度 报告.docx”。", ["导出/季度 报告.docx"]),
        ("file:///home/me/a%20b.txt", ["/home/me/a b.txt"]),
        ("src/app.py:42:7 fails, see src/db.py#L10-L20", ["src/app.py", "src/db.py"]),
        ("plain report.pdf too", ["report.pdf"]),
        ("old.txt→exports/new.txt", ["exports/new.txt"]),
        ("path=exports/a.png, --out=b/c.csv", ["exports/a.png", "b/c.csv"]),
        ("~~exports/a.png~~ and _exports/b.png_", ["exports/a.png", "exports/b.png"]),
        ("--- a/src/x.py\n+++ b/src/x.py", ["src/x.py"]),
        ("Saved to exports/a(1).png.", ["exports/a(1).png"]),
        ("exports/a&b.csv and exports/it's.txt", ["exports/a&b.csv", "exports/it's.txt"]),
        ("exports/报告（终稿）.xlsx已好", ["exports/报告（终稿）.xlsx"]),
        ("exports/📊chart.png", ["exports/📊chart.png"]),
        ("file:///w/r(1).pdf", ["/w/r(1).pdf"]),
        ("【F:exports/a.py†L1-L5】", ["exports/a.py"]),
        ("`exports/a.py(12)` and `b/c.py:12-20`", ["exports/a.py", "b/c.py"]),
    ],
)
def test_a_file_is_found_where_people_write_it(text: str, found: list[str]) -> None:
    """Each reading is there, in order of appearance; more readings harm nothing."""
    given_back = [path for path in offers(text) if path in found]
    assert given_back == found


@table(
    ("text", "found"),
    [
        ("It's saved as \"exports/my a.txt\" and it doesn't need more.", "exports/my a.txt"),
        ("don't open 'exports/my a.txt' yet", "exports/my a.txt"),
        ("I saved it as exports/my a.txt.", "exports/my a.txt"),
        ("- exports/my a.txt: 3.5 MB", "exports/my a.txt"),
        ("1. my a.txt (v1.2)", "my a.txt"),
        ("**exports/my a.txt**", "exports/my a.txt"),
        ("It is **my a.txt** now", "my a.txt"),
        ("| exports/my a.txt | 12.5 KB |", "exports/my a.txt"),
        ("```\nexports/my a.txt\r\n```", "exports/my a.txt"),
        ("File: my a.txt", "my a.txt"),
        ("文件：exports/季度 报告.pdf", "exports/季度 报告.pdf"),
        ("已生成《季度 报告.docx》", "季度 报告.docx"),
        ("见〈季度 报告.docx〉", "季度 报告.docx"),
        ("见【季度 报告.docx】", "季度 报告.docx"),
        ("见（季度 报告.docx）", "季度 报告.docx"),
        ("See (my a.txt), please", "my a.txt"),
        ("See «my a.txt», please", "my a.txt"),
        ("<exports/my a.txt>", "exports/my a.txt"),
        ("[1]: <exports/my a.txt>", "exports/my a.txt"),
        ("[1]: exports/my%20a.txt", "exports/my a.txt"),
        ("open exports/my\\ a.txt", "exports/my a.txt"),
        ("`file:///w/my a.txt`", "/w/my a.txt"),
    ],
)
def test_a_name_with_blanks_is_found(text: str, found: str) -> None:
    """issue 5, item 7: with quotes and without."""
    assert found in offers(text)


@table(
    ("text", "found"),
    [
        ("`exports/Makefile`", "exports/Makefile"),
        ("[license](exports/LICENSE)", "exports/LICENSE"),
        ("- exports/Dockerfile.", "exports/Dockerfile"),
        ("`.env.example`", ".env.example"),
        ("`exports/.eslintrc.json`", "exports/.eslintrc.json"),
        ("I added .gitignore.", ".gitignore"),
        ("`exports/📊.png`", "exports/📊.png"),
        ("exports/site.webmanifest", "exports/site.webmanifest"),
        ("`exports/my.code-workspace`", "exports/my.code-workspace"),
    ],
)
def test_a_name_of_an_unusual_form_is_found(text: str, found: str) -> None:
    """Ours: no ending, nothing before it, or a long one."""
    assert found in offers(text)


@table(
    ("text", "found"),
    [
        ("已保存到导出/报告.md。", "导出/报告.md"),
        ("我把报告.md放好了", "报告.md"),
        ("在~/导出/报告.txt里", "~/导出/报告.txt"),
        ("路径为/w/导出/报告.md；", "/w/导出/报告.md"),
        ("输出文件exports/报告.md", "exports/报告.md"),
        ("官网：https://example.com/x。报告：exports/报告.md", "exports/报告.md"),
        ("详见https://example.com/x，文件是exports/a.json", "exports/a.json"),
        ("`https://example.com/x`,`exports/a.json`", "exports/a.json"),
    ],
)
def test_a_name_ends_where_no_blank_does(text: str, found: str) -> None:
    """Ours: Chinese has no blanks, and an address ends where its sentence goes on."""
    assert found in offers(text)


@table(
    "text",
    [
        "See https://example.org/files/report.pdf for more.",
        "Nothing was written.",
        "Use and/or, either/or.",
        "It took 3.5 s, then ...",
        "没有文件。",
        "[a](https://example.org/x_(y)/report.pdf)",
        "见https://例子.com/报告.pdf。",
    ],
)
def test_what_is_no_file_is_no_offer(text: str) -> None:
    """Addresses of the web, everyday slashes, sentences."""
    assert [path for path in offers(text) if "/" in path or "pdf" in path] == []


def test_a_path_is_offered_once() -> None:
    """However often it is named."""
    assert offers("`out/b.md`, again out/b.md and [a](out/b.md)") == ("out/b.md",)


def test_a_listing_is_cut() -> None:
    """Two hundred offers are as many as anybody looks through."""
    text = "\n".join(f"exports/file-{number}.txt" for number in range(1000))
    assert len(offers(text)) == MAX_OFFERS


@table(
    "line",
    ["tests/unit/test_{}.py PASSED", "self.attr_{}.x() is called", "3.{} and e.g. v1.{}"],
)
def test_a_file_named_behind_a_long_log_is_found(line: str) -> None:
    """Of too many offers the last are kept; mere words with a dot in them go first."""
    log = "\n".join(line.format(number, number) for number in range(3 * MAX_OFFERS))
    assert "exports/report.pdf" in offers(f"{log}\nSaved exports/report.pdf")
    assert "my notes.txt" in offers(f"{log}\nSaved `my notes.txt`")


def test_a_file_named_before_many_words_with_dots_is_found() -> None:
    """The surest are kept."""
    words = " ".join(f"obj.method_{number}" for number in range(3 * MAX_OFFERS))
    assert "exports/report.pdf" in offers(f"Saved exports/report.pdf: {words}")


@given(st.text(alphabet="a0/.~`\"'()[]<>|: 到\n\0%", max_size=200))
def test_any_text_is_read(text: str) -> None:
    """No text raises, and no offer holds a line break or NUL."""
    for path in offers(text):
        assert "\n" not in path and "\0" not in path


@table(
    "unit",
    ["(a", "](a(b", "a/", " a/b", "`a", " 'a", "<a", "~/", "a.", "文a", "到a.b ", "《a.b", "a://("],
)
def test_no_text_takes_long(unit: str) -> None:
    """A hostile answer is read in linear time; a name in its line takes it to every pattern."""
    hostile = unit * (LONG_CHARS // len(unit))
    began_s = time.process_time()
    offers(f"a.txt {hostile} b.txt")
    assert time.process_time() - began_s < 0.3  # quadratic would be more


def test_a_file_named_at_the_end_of_a_huge_answer_is_found() -> None:
    """Only so much of it is looked at, and an answer sums up at its end."""
    text = "first.txt\n" + "word " * MAX_LOOKED_AT + "\nSee exports/last.txt."
    assert "exports/last.txt" in offers(text) and "first.txt" not in offers(text)
