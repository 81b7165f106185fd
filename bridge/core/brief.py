"""A thread's answer as a group may read it: short, without places on the disk or ids."""

from __future__ import annotations

import re

from bridge.core.places import hidden
from bridge.core.text import clean

MAX_ANSWER_CHARS = 1_200  # one bubble, read on a phone between other people's messages
_ELLIPSIS = "…"
# Ids of Codex's threads and turns, and of other things that are nobody's business there.
_ID = re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b")


def brief(result: str, cwd: str) -> str:
    """The beginning of an answer, cut at a blank or a line."""
    text = _ID.sub(_ELLIPSIS, hidden(clean(result), cwd)).strip()
    if len(text) <= MAX_ANSWER_CHARS:
        return text
    kept = text[: MAX_ANSWER_CHARS - 1]
    cut = max(kept.rfind("\n"), kept.rfind(" "), kept.rfind("。") + 1)
    return (kept[:cut] if cut > len(kept) // 2 else kept).rstrip() + _ELLIPSIS
