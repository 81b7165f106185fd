"""How a place on the desk's disk is shown on a phone: by its name, not by the way to it.

Nothing that is shown holds an absolute path (threat-model R35).
"""

from __future__ import annotations

import re

# A file in a prompt (`phrases`, prompt_*_at): its path goes on to the bracket, blanks and all.
# Where such a line was cut short, as in the title of a thread, it goes on to the end.
_FILE = re.compile(r"\[([^\[\]\n]{1,100}?)[:：] ?~?/[^\]\n]*(?:\]|$)", re.MULTILINE)
_PATH = re.compile(r"(?<![\w.:/~])~?/(?:[^\s/'\"]+/)+([^\s/'\"]*)")


def hidden(text: str, cwd: str = "") -> str:
    """A text in which paths below `cwd` are relative, and of others the name stays."""
    if cwd.rstrip("/"):
        text = text.replace(cwd.rstrip("/") + "/", "")
    return _PATH.sub(r"…/\1", _FILE.sub(r"[\1]", text))
