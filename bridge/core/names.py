"""Which names a thread may be given, and which of them look alike."""

from __future__ import annotations

import unicodedata

MAX_ALIAS_CHARS = 32  # threat-model R9

# The most common look-alikes of Latin letters and of each other; the script rule of
# `is_alias` keeps mixed words out, this keeps whole-script twins apart.
_LOOK_ALIKES = str.maketrans(
    "01lаеорсухіјѕкмтвнһԁԛԝѵӏοανικρτυɡɑı-",
    "oiiaeopcyxijskmtbhhdqwvioavikptugai_",
)


def is_alias(name: str) -> bool:
    """Letters and digits of one script with `-` and `_`, at most 32, not only digits."""
    if not 0 < len(name) <= MAX_ALIAS_CHARS or name.isdecimal():
        return False
    plain = name.replace("-", "").replace("_", "")
    if not plain or not plain.isalnum():
        return False
    return len({_script(char) for char in plain if not char.isdecimal()}) <= 1


def skeleton(name: str) -> str:
    """The same for names that look alike; unique among aliases (threat-model R11)."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return folded.translate(_LOOK_ALIKES)


def _script(char: str) -> str:
    if not char.isalpha():
        return "other"
    name = unicodedata.name(char, "UNNAMED").split(" ")[0]
    return "HAN" if name in ("CJK", "HIRAGANA", "KATAKANA", "HANGUL") else name
