"""Lines of a host: halves of a pair become question marks, and nothing else changes."""

from __future__ import annotations

import json
from io import BytesIO

from hypothesis import given
from hypothesis import strategies as st

from bridge.facade.lines import Lines, whole
from tests.unit.table import table


@table(
    ("line", "heard"),
    [
        (r'"\ud83d"', '"?"'),
        (r'"\ud83d and \uDE00"', '"? and ?"'),
        (r'"\ude00\ud83d"', '"??"'),
        (r'"\ud83d\ud83d\ude00"', r'"?\ud83d\ude00"'),
        (r'"\ud83d\u0041"', r'"?\u0041"'),
        (r'"\\ud83d"', r'"\\ud83d"'),  # a backslash, and the letters ud83d
        (r'"\\\ud83d"', r'"\\?"'),
        (r'"\uD83D\uDE00 😀 \n"', r'"\uD83D\uDE00 😀 \n"'),
    ],
)
def test_half_of_a_pair_is_a_question_mark(line: str, heard: str) -> None:
    """R10: lone surrogates are cleaned before anything reads them."""
    assert whole(line) == heard
    json.loads(heard).encode()


@given(st.text())
def test_any_text_is_heard_as_it_is_said(text: str) -> None:
    """Ours: whatever a writer escapes."""
    for line in (json.dumps(text), json.dumps(text, ensure_ascii=False)):
        assert json.loads(whole(line)) == text


def test_lines_are_read_to_their_end() -> None:
    """Ours: an empty one is the end of input."""
    lines = Lines(BytesIO(rb'"\ud83d"' + b"\n\xff"), encoding="utf-8", errors="replace")
    assert [lines.readline() for _ in range(3)] == ['"?"\n', "�", ""]
