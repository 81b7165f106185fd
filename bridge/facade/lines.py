"""What a host writes, line by line, as the SDK's reader can take it.

A host in JavaScript that cuts a text in the middle of an emoji writes one half of a pair.
That is no text: the SDK would drop the whole line and answer nobody, and the host would
wait for ever. So the half becomes a question mark (threat-model R10).
"""

from __future__ import annotations

import re
from io import TextIOWrapper

_ESCAPE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a whole pair
    r"|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
    r"|\\."  # any other, a backslash that stands for itself among them
)


def whole(line: str) -> str:
    """The line without halves of a pair."""
    return _ESCAPE.sub(lambda found: "?" if found["half"] else found[0], line)


class Lines(TextIOWrapper):
    """Text of a host; give it the bytes of standard input."""

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]  # as its own parent
        return whole(super().readline(size))
