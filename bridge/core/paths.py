"""Which files does an answer speak of? Offers only: whether one may leave, the gate says.

Found in Markdown links, code, quotes and plain prose; with blanks, Chinese names,
`file://` and `~`. Where the words do not tell a name's ends, each reading is an offer:
what is no file is dropped by whoever looks at the disk (threat-model R22).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from urllib.parse import unquote

MAX_OFFERS = 200  # an answer that names more is a listing
MAX_PATH_CHARS = 1024
MAX_LOOKED_AT = 100_000  # characters, from the end: that is where an answer sums up

# Each pattern can begin at few places and knows after one pass that it does not match:
# an answer may be hostile.
_ENDING = r"\.[A-Za-z0-9]{1,10}(?![A-Za-z0-9])"  # ASCII, so that a Chinese word may follow
_SIGNS = r"[\w.+@%#=-]"  # of a name in prose
_URL = re.compile(r"\b(?!file:)[a-z][a-z0-9+.-]{0,15}://[^\s<>\"')\]]+", re.IGNORECASE)
_LINK = re.compile(r"\]\((?:<([^<>\n]+)>|([^()\n]+(?:\([^()\n]*\)[^()\n]*)*)\))")
_LINK_TITLE = re.compile(r" [\"'].*$")
_CODE = re.compile(r"(?<!`)`+([^`\n]+)`")
_QUOTED = re.compile(
    r"\"([^\"\n]+)\"|'([^'\n]+)'|“([^“”\n]+)”|‘([^‘’\n]+)’|「([^「」\n]+)」|『([^『』\n]+)』"
)
_FILE_URL = re.compile(r"file://(?:localhost)?(/[^\s<>\"'`)\]，。；：！？）]+)", re.IGNORECASE)
_PROSE = re.compile(rf"(?<![\w.+@%#=/~-])(?:~/|\.{{1,2}}/|/)?(?:{_SIGNS}+/)*{_SIGNS}*{_ENDING}")
_LINE_NUMBER = re.compile(r"(?::\d+){1,2}$|#L\d+(?:-L\d+)?$")
_NAMED = re.compile(_ENDING + "$")
_HINT = re.compile(_ENDING)  # a line without one names no file: most lines cost only this
_WIDE_LEAD = re.compile(r"^[^\x00-\x7f]+(?=[\x21-\x7e])")  # 文件在exports/a.md
_EDGES = " \t.,;:!?()[]{}<>*_，。；：！？、（）【】《》…"


def offers(text: str) -> tuple[str, ...]:
    """Paths as they stand in the answer, `~` and all, in order, each once."""
    lines = text[-MAX_LOOKED_AT:].split("\n")
    hints = "\n".join(line for line in lines if _HINT.search(line))
    if not hints:
        return ()
    found: dict[str, None] = {}
    for _, words in sorted(_readings(hints), key=lambda reading: reading[0]):
        path = _path(words)
        if path:
            found.setdefault(path)
    return tuple(found)[:MAX_OFFERS]


def _readings(text: str) -> Iterator[tuple[int, str]]:
    """Everything that may be a path, with its place in the text."""
    text = _URL.sub(lambda url: " " * len(url.group()), text)
    for link in _LINK.finditer(text):
        target = link.group(1) or _LINK_TITLE.sub("", link.group(2))
        yield link.start(), unquote(target.removeprefix("file://"))
    for url in _FILE_URL.finditer(text):
        yield url.start(), unquote(url.group(1))
    for pattern in (_CODE, _QUOTED):
        for marked in pattern.finditer(text):
            yield marked.start(), next(words for words in marked.groups() if words)
    for plain in _PROSE.finditer(text):
        yield plain.start(), plain.group()
        if lead := _WIDE_LEAD.match(plain.group()):
            yield plain.start(), plain.group()[lead.end() :]


def _path(words: str) -> str:
    """The path in these words; empty where they are none."""
    if len(words) > MAX_PATH_CHARS or "\0" in words:
        return ""
    path = _LINE_NUMBER.sub("", words.strip())
    path = path if _NAMED.search(path) else path.rstrip(_EDGES)
    if not _NAMED.search(path):
        return ""
    name = PurePosixPath(path).name
    return path if any(sign.isalnum() for sign in name.partition(".")[0]) else ""
