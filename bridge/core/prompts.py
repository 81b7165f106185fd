"""What a burst of messages becomes: the words for the thread, and what its answer opens with.

Typed text goes as it is. A transcript is marked as one. A file stands at its place as a
line with its local path; the owner's name for it is data, and shown cleaned. What is
quoted comes first, as a Markdown quote.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from bridge.core.attached import Attachment, Selection, TurnFile
from bridge.core.foreign import on_a_line
from bridge.core.model import InboxRow, Lang, Part
from bridge.core.phrases import notice, say
from bridge.core.verbs import unescaped

MAX_QUOTED_CHARS = 2_000  # more than one bubble of ours; the thread knows the rest
MAX_NAME_CHARS = 80  # threat-model R26
IMAGE_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")  # what models look at
HEARD_CHARS = 60  # of a transcript, before its answer


@dataclass(frozen=True, slots=True)
class Composed:
    """`words` is what a person said; `text` is all of what the thread gets."""

    words: str
    text: str
    files: tuple[TurnFile, ...] = ()
    preface: str = ""


def compose(rows: Sequence[InboxRow], quoted: str | None, lang: Lang) -> Composed:
    """One prompt of these rows; `quoted` is the text they quote, None when it is not known."""
    lines, files, preface = _quote(rows, quoted, lang)
    words: list[str] = []
    heard: list[str] = []
    gone = 0
    for row in rows:
        stored = {file.place: file for file in row.files}
        for place, part in enumerate(row.parts):
            file = stored.get(place)
            if part.text and part.kind == "voice":
                words.append(part.text)
                heard.append(part.text)
                lines.append(say("prompt_voice", lang, text=part.text))
            elif part.text:
                words.append(part.text if place else unescaped(part.text))
                lines.append(words[-1])
            elif file is not None and file.outcome == "stored":
                known = TurnFile(file.path, _label(part, lang), _is_image(file))
                files.append(known)
                lines.append(_line(part, known, lang))
            elif file is not None:
                gone += 1
                lines.append(say("prompt_gone", lang, name=_label(part, lang)))
    if heard:
        preface.insert(0, notice("heard", lang, text=on_a_line(" · ".join(heard), HEARD_CHARS)))
    if gone:
        preface.append(notice("files_gone", lang, count=gone))
    return Composed("\n".join(words), "\n".join(lines), tuple(files), "\n".join(preface))


def said_in(row: InboxRow, lang: Lang) -> str:
    """What an earlier message said; files without words are named by what they are."""
    return row.text or " ".join(f"[{_label(part, lang)}]" for part in row.parts)


def without_paths(text: str, files: Sequence[TurnFile]) -> str:
    """A text of the thread in which the owner's own files have names, not places (R35)."""
    for file in files:
        for colon in (": ", "："):  # as in our own line for it, which names it already
            text = text.replace(f"{file.label}{colon}{file.path}]", f"{file.label}]")
        text = text.replace(file.path, file.label)
    return text


def selected(text: str, part: Selection) -> str:
    """The marked part of a quoted text; all of it where the marks are not found.

    The end is counted over the whole text, or behind the start: both readings are seen
    (iLink partial-quote.ts), and the digest decides where there is one.
    """
    begin = _nth(text, part.start, part.start_index, 0)
    if begin < 0:
        return text
    behind = begin + len(part.start)
    ends = [_nth(text, part.end, part.end_index, 0), _nth(text, part.end, part.end_index, behind)]
    found = [text[begin : at + len(part.end)] for at in ends if at >= begin]
    if part.md5:
        found = [piece for piece in found if _md5(piece) == part.md5.lower()]
    return found[0] if found else text


def _quote(
    rows: Sequence[InboxRow], quoted: str | None, lang: Lang
) -> tuple[list[str], list[TurnFile], list[str]]:
    """The lines, files and preface that a prompt begins with."""
    if not any(row.quoted_id or row.quoted_text for row in rows):
        return [], [], []
    if not quoted:
        return [say("prompt_quote_unknown", lang)], [], [notice("quote_unknown", lang)]
    cut = quoted if len(quoted) <= MAX_QUOTED_CHARS else quoted[:MAX_QUOTED_CHARS] + "…"
    return [*(f"> {line}" for line in cut.strip().split("\n")), ""], [], []


def _line(part: Part, file: TurnFile, lang: Lang) -> str:
    kind = part.kind if part.kind in ("image", "video", "voice") else "file"
    return say(f"prompt_{kind}_at", lang, name=file.label, path=file.path)


def _label(part: Part, lang: Lang) -> str:
    """The owner's own name for a file, made harmless, or the word for its kind."""
    name = part.file_name.replace("\\", "/").rpartition("/")[2]
    kind = part.kind if part.kind in ("image", "video", "voice") else "file"
    return on_a_line(name, MAX_NAME_CHARS) or say(f"kind_{kind}", lang)


def _is_image(file: Attachment) -> bool:
    return file.content_type in IMAGE_TYPES


def _nth(text: str, piece: str, index: int, start: int) -> int:
    """Where `piece` stands for the (index + 1)-th time from `start` on; -1: nowhere."""
    at = text.find(piece, start) if piece else -1
    while at >= 0 and index > 0:
        at = text.find(piece, at + 1)
        index -= 1
    return at


def _md5(text: str) -> str:
    return hashlib.md5(text.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()
