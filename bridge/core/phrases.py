"""Every sentence that the bridge itself says on a phone, in Chinese and English.

A sentence says what is so and one next step. It holds no path, no traceback and no
id that is not needed. What the bridge says begins with MARK; `foreign` takes it from
the words of others, so that neither can pass for the other.
"""

from __future__ import annotations

from bridge.core.model import Lang
from bridge.core.sentences import SENTENCES
from bridge.core.usages import USAGES

MARK = "▸"


def say(phrase: str, lang: Lang, **values: object) -> str:
    """The sentence with its values; a phrase that is missing raises KeyError."""
    zh, en = SENTENCES[phrase]
    return (zh if lang == "zh" else en).format(**values)


def notice(phrase: str, lang: Lang, **values: object) -> str:
    """The sentence behind the mark of the bridge."""
    return f"{MARK} {say(phrase, lang, **values)}"


def usage(verb: str, lang: Lang) -> str:
    """How a command is written and what it does, in one line."""
    zh, en = USAGES[verb]
    return zh if lang == "zh" else en


def age(span_ms: int, lang: str) -> str:
    """A length of time in the largest fitting unit."""
    seconds = max(0, span_ms) // 1000
    for size, zh, en in ((86400, "天", "d"), (3600, "小时", "h"), (60, "分钟", "min")):
        if seconds >= size:
            return f"{seconds // size} {zh if lang == 'zh' else en}"
    return f"{seconds} {'秒' if lang == 'zh' else 's'}"


def counted(number: int, noun: str) -> str:
    """`1 message`, `2 messages`: for the English of the desk."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def size(size_bytes: int) -> str:
    """A size as people read it."""
    for unit, power in (("MB", 20), ("KB", 10)):
        if size_bytes >= 1 << power:
            return f"{size_bytes / (1 << power):.1f} {unit}"
    return f"{size_bytes} B"


def unmarked(text: str) -> str:
    """Foreign text that cannot pass for the bridge's own (threat-model R28).

    The mark goes wherever it stands: blanks and signs without a shape before it, or a
    line that the phone breaks there, would bring it to the front.
    """
    return text.replace(MARK, ">")
