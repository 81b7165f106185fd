"""Which files does an answer speak of? Offers only: whether one may leave, the gate says.

Found in Markdown, code, quotes, brackets, lists, tables and plain prose; with blanks,
Chinese names, `file://` and `~`. Where the words do not tell a name's ends, each reading
is an offer: what is no file is dropped by whoever looks at the disk (threat-model R22).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple
from urllib.parse import unquote

MAX_OFFERS = 200  # an answer that names more is a listing
MAX_PATH_CHARS = 1024
MAX_BLANKS = 12  # in a name: a longer run of words is a sentence
MAX_LEADS = 8  # of one word
MAX_LOOKED_AT = 100_000  # characters, from the end: that is where an answer sums up

# An answer may be hostile: a pattern that does not match looks no further than to the
# next place where it could begin.
_ENDING = r"(?:\.[A-Za-z0-9]+)+"  # ASCII, so that a Chinese word may follow
_HINT = re.compile(r"/|\.[A-Za-z0-9]")  # a line without one names no file
_FILE_URL = re.compile(r"(?<![A-Za-z0-9])file:(?://(?:localhost)?)?(?=[/~])", re.IGNORECASE)
_URL = re.compile(
    r"(?<![A-Za-z0-9])[a-z][a-z0-9+.-]{0,15}://"
    r"(?:[^\s<>\"'()\]`|，。；：！？、（）》」』]|\([^\s()]*\))+",  # in Chinese no blank ends it
    re.IGNORECASE,
)
_PAIRS = ("``", "“”", "‘’", "„“", "«»", "「」", "『』", "《》", "〈〉", "【】", "（）", "<>")
_MARKED = (
    *(re.compile(f"{pair[0]}([^{pair}\n]+){pair[1]}") for pair in _PAIRS),
    re.compile(r"(?<![A-Za-z0-9])\"([^\"\n]+)\""),  # behind a letter it is no quote: it's, 5"
    re.compile(r"(?<![A-Za-z0-9])'([^'\n]+)'"),
    re.compile(r"\*\*([^*\n]+)\*\*"),
    re.compile(r"\(([^()\n]*(?:\([^()\n]*\)[^()\n]*)*)\)"),  # and links: [plot](fig(1).png)
)
_WORD = re.compile(r"\S+(?:(?<=\\) \S+)*")  # with `my\ notes.md`, as in a shell
_PLAIN = re.compile(r"[\w./~+@%#-]+")  # what no name needs quotes for
_LEAD = re.compile(  # a name may begin behind it: ~~a.md, b/a.md of a diff, 保存到a.md, 文件a.md
    r"^(?:~~|_+|[ab]/)|[到在为把是见看]|(?<=[^\x00-\x7f])(?=[A-Za-z0-9~])"
)
_ITEM = re.compile(r"(?:[^|`\n:：]|:(?! ))+")  # a line, a cell of a table, what a label names
_ITEM_MARK = re.compile(r"(?:[^\w./~]|\d+[.)] )*")
_SPACED = re.compile(rf"(?<!\S)\S*/[^\s/]* [^/]*?{_ENDING}")  # exports/my notes.md
_BARE = re.compile(rf"[^/]*?{_ENDING}(?![A-Za-z0-9/])")  # my notes.md
_NAMED = re.compile(f".*{_ENDING}")
_EDGES = " \t\r\"'`*<>[](){}|,;:!?，。；：！？、（）【】《》〈〉「」『』“”‘’„«»…"


class _Reading(NamedTuple):
    """Words that may be a path, and their place in the text."""

    place: int
    words: str
    is_marked: bool  # the text says where they begin and end, so they need no ending
    is_sure: bool  # more than some words with a dot in them


def offers(text: str) -> tuple[str, ...]:
    """Paths as they stand in the answer, `~` and all, in order, each once.

    Of too many the surest stay, and of these the last.
    """
    lines = text[-MAX_LOOKED_AT:].split("\n")
    hints = "\n".join(line for line in lines if _HINT.search(line))
    readings = sorted(_readings(hints), key=lambda reading: reading.place)
    found = [(path, reading.is_sure) for reading in readings for path in _paths(reading)]
    best = sorted(reversed(found), key=lambda offer: not offer[1])
    chosen = set(islice(dict.fromkeys(path for path, _ in best), MAX_OFFERS))
    return tuple(dict.fromkeys(path for path, _ in found if path in chosen))


def _readings(text: str) -> Iterator[_Reading]:
    text = _FILE_URL.sub("", text).replace("](", "] (")
    text = _URL.sub(lambda url: " " * len(url.group()), text)
    for pattern in _MARKED:
        for marked in pattern.finditer(text):
            yield _Reading(marked.start(), marked.group(1), is_marked=True, is_sure=True)
    for word in _WORD.finditer(text):
        if _HINT.search(word.group()):
            for part in _parts(word.group()):
                yield _Reading(word.start(), part, is_marked=False, is_sure="/" in part)
    for item in _ITEM.finditer(text):
        if name := _named_alone(item.group()):
            yield _Reading(item.start(), name, is_marked=" " not in name, is_sure=False)
        for spaced in _SPACED.finditer(item.group()):
            place = item.start() + spaced.start()
            for part in _parts(spaced.group()):
                yield _Reading(place, part, is_marked=False, is_sure=True)


def _parts(word: str) -> Iterator[str]:
    """The word, the plain pieces of it, and what stands behind a lead in each."""
    for part in dict.fromkeys((word, *_PLAIN.findall(word))):
        yield part
        for lead in islice(_LEAD.finditer(part), MAX_LEADS):
            yield part[lead.end() :]


def _named_alone(item: str) -> str:
    """What an item begins with, behind its mark: all of it, or a bare name with blanks."""
    mark = _ITEM_MARK.match(item)
    words = item[mark.end() if mark else 0 :].rstrip()
    if " " not in words:
        return words
    named = _BARE.match(words)
    return named.group() if named else ""


def _paths(reading: _Reading) -> Iterator[str]:
    """The paths in these words, `%20` read both ways; none where they are no path."""
    for words in dict.fromkeys((reading.words, unquote(reading.words))):
        path = words.replace("\\ ", " ").strip(_EDGES)
        if len(path) > MAX_PATH_CHARS or "\0" in path or "\n" in path:
            continue
        bare = path.rstrip(f"./{_EDGES}")
        if reading.is_marked and "/" in bare and " " not in bare:
            yield bare
        named = _NAMED.match(path)
        if named and named.group().count(" ") <= MAX_BLANKS:
            yield named.group()
