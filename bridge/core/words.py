"""How the words behind a verb are read: how many, which signs, numbers."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import TypeVar

MAX_WORD_CHARS = 200
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


def whole(word: str) -> int:
    if not (word.isascii() and word.isdecimal() and len(word) <= 9):
        raise BadWords
    return int(word)
