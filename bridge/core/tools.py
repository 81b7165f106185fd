"""What a controller offers, and what its owner is told when that changes.

Every controller has the tools of BASE; those of EXTRA are used where they are offered,
so that only their loss is news.
"""

from __future__ import annotations

from collections.abc import Sequence

from bridge.core.decision import Audit, Ids, NewRow
from bridge.core.model import Lang, SendClass
from bridge.core.phrases import MARK, say

BASE = (
    "start",
    "wait_any",
    "read_result",
    "status",
    "list_runs",
    "delivery_ack",
    "close",
    "release",
    "cancel",
    "force_recover",
)
EXTRA = ("approvals", "answer", "steer", "fork", "list_sessions", "history")
_UNFIT = "!"  # behind a tool that is there, in a form that we cannot use


def news(
    before: frozenset[str] | None,
    lacks: frozenset[str],
    lang: Lang,
    unfit: frozenset[str] = frozenset(),
) -> tuple[str, ...]:
    """What is newly lacking and what is there again, a sentence each.

    `before` is what was told last; None when nothing was ever told. `unfit` are those of
    the lacking ones that are there, in a form that we cannot use: that is news at once.
    """
    words = frozenset(EXTRA) & lacks - unfit if before is None else before
    known = frozenset(word.removesuffix(_UNFIT) for word in words)
    lost = (lacks - known) | frozenset(tool for tool in unfit if tool + _UNFIT not in words)
    found = (
        _sentence("controller_lost", lost, lang),
        _sentence("controller_regained", known - lacks, lang),
    )
    return tuple(sentence for sentence in found if sentence)


def kept(lacks: frozenset[str], unfit: frozenset[str]) -> frozenset[str]:
    """What was told, in the words that `news` takes as `before`."""
    return lacks - unfit | {tool + _UNFIT for tool in unfit}


def told(sentences: Sequence[str], ids: Ids) -> tuple[NewRow, ...]:
    """The bubbles that say so."""
    names = [f"tools-{ids.seed}-{number}" for number in range(len(sentences))]
    return tuple(
        NewRow(SendClass.NOTE, f"{MARK} {sentence}", f"ctb:{name}", name)
        for name, sentence in zip(names, sentences, strict=True)
    )


def audit(lacks: frozenset[str]) -> Audit:
    """R32: each look at the tools leaves a line."""
    outcome = "lacks" if lacks else "complete"
    return Audit("controller.tools", "threat-model R32", outcome, ",".join(sorted(lacks)))


def _sentence(phrase: str, tools: frozenset[str], lang: Lang) -> str:
    features = dict.fromkeys(say(f"tool_{tool}", lang) for tool in (*BASE, *EXTRA) if tool in tools)
    comma = "、" if lang == "zh" else ", "
    return say(phrase, lang, what=comma.join(features)) if features else ""
