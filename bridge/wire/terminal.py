"""What a process says at the terminal that it was started from, if one is still there."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TextIO


def show(text: str, end: str = "\n", *, is_fault: bool = False) -> None:
    """Text on the terminal, at once; one that is gone is no reason to stop (F75)."""
    stream = sys.stderr if is_fault else sys.stdout
    if stream is None:  # closed before we began
        return
    try:
        stream.write(text + end)
        stream.flush()
    except BlockingIOError:  # full; the rest goes with the next text
        return
    except OSError:
        _give_up(stream)


def _give_up(stream: TextIO) -> None:
    """Lead the stream nowhere: Python tries the rest again at the end, and would end with 120."""
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
