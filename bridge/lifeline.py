"""Ends this process when the one that started it has gone.

Its standard input is then a pipe whose other end only that one holds: the kernel closes
it however the holder ended, and nobody need be left to tell.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress

ENDS_S = 5.0  # of ending in order (delivery-semantics 11); then for certain


def hold() -> None:
    """Watch standard input from now on, beside everything else."""
    threading.Thread(target=_watch, name="lifeline", daemon=True).start()


def _watch() -> None:
    with suppress(OSError):
        while os.read(0, 1):  # nothing is ever written there
            pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(ENDS_S)
    os.kill(os.getpid(), signal.SIGKILL)
