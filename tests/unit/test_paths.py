"""Which files an answer speaks of: prose, quotes, links, code, two languages."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from bridge.core.paths import MAX_LOOKED_AT, MAX_OFFERS, offers
from tests.unit.table import table


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
    ],
)
def test_a_file_is_found_where_people_write_it(text: str, found: list[str]) -> None:
    """Each reading is there, in order of appearance; more readings harm nothing."""
    given_back = [path for path in offers(text) if path in found]
    assert given_back == found


@table(
    "text",
    [
        "See https://example.org/files/report.pdf for more.",
        "Nothing was written.",
        "Use and/or, either/or.",
        "It took 3.5 s, then ...",
        "没有文件。",
    ],
)
def test_what_is_no_file_is_no_offer(text: str) -> None:
    """Addresses of the web, everyday slashes, sentences."""
    assert [path for path in offers(text) if "/" in path or "pdf" in path] == []


def test_a_path_is_offered_once() -> None:
    """However often it is named."""
    assert offers("`a/b.md`, again a/b.md and [a](a/b.md)") == ("a/b.md",)


def test_a_listing_is_cut() -> None:
    """Two hundred offers are as many as anybody looks through."""
    text = "\n".join(f"exports/file-{number}.txt" for number in range(1000))
    assert len(offers(text)) == MAX_OFFERS


@given(st.text(alphabet="ab/.~`\"'()[]<>: 文\n\0%", max_size=200))
def test_any_text_is_read(text: str) -> None:
    """No text raises, and no offer holds a line break or NUL."""
    for path in offers(text):
        assert "\n" not in path and "\0" not in path


@table("unit", ["(", "[](", "a/", "`", '"', "~/", "a.b", "文", "]("])
def test_no_text_takes_long(unit: str) -> None:
    """A hostile answer of 100,000 signs is read in linear time."""
    began_s = time.process_time()
    offers(unit * (100_000 // len(unit)))
    assert time.process_time() - began_s < 5  # quadratic would be minutes


def test_a_file_named_at_the_end_of_a_huge_answer_is_found() -> None:
    """Only so much of it is looked at, and an answer sums up at its end."""
    text = "first.txt\n" + "word " * MAX_LOOKED_AT + "\nSee exports/last.txt."
    assert offers(text) == ("exports/last.txt",)
