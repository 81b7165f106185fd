"""How the words behind a verb are read: how many, which signs, numbers."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import TypeVar

MAX_WORD_CHARS = 200
MAX_CHOICE_DIGITS = 3  # more than any list has; a longer number is an answer of its own
T = TypeVar("T")


class BadWords(ValueError):
    """Not the words that this verb takes: its usage is shown."""


def split(rest: str, least: int, most: int) -> list[str]:
    found = rest.split()
    if not least <= len(found) <= most:
        raise BadWords
    return [plain(word) for word in found]


def first_and_rest(rest: str) -> tuple[str, str]:
    """A word, and the free text behind it as it is."""
    found = rest.split(maxsplit=1)
    if len(found) < 2:
        raise BadWords
    return plain(found[0]), found[1]


def plain(word: str) -> str:
    text = unicodedata.normalize("NFKC", word)
    if len(text) > MAX_WORD_CHARS or any(unicodedata.category(c)[0] == "C" for c in text):
        raise BadWords
    return text


def no_words(make: Callable[[], T]) -> Callable[[str], T]:
    def read(rest: str) -> T:
        split(rest, 0, 0)
        return make()

    return read


def one_word(make: Callable[[str], T], *, may_lack: bool = False) -> Callable[[str], T]:
    def read(rest: str) -> T:
        found = split(rest, 0 if may_lack else 1, 1)
        return make(found[0] if found else "")

    return read


def number(make: Callable[[int], T]) -> Callable[[str], T]:
    """The number of a turn, with or without the sign that it bears on the phone."""

    def read(rest: str) -> T:
        (word,) = split(rest, 1, 1)
        return make(whole(word.removeprefix("#")))

    return read


def choice(said: str) -> int | None:
    """The number in a list that is all that was said; None: it is words."""
    word = unicodedata.normalize("NFKC", said.strip())
    is_number = word.isascii() and word.isdecimal() and len(word) <= MAX_CHOICE_DIGITS
    return int(word) if is_number else None


def beyond(said: str, count: int) -> int | None:
    """The number that was said, where a list of so many choices has none such."""
    number = choice(said)
    return number if number is not None and count and not 1 <= number <= count else None


def whole(word: str) -> int:
    if not (word.isascii() and word.isdecimal() and len(word) <= 9):
        raise BadWords
    return int(word)
