"""iLink: its speech, its network, its media."""

import sys

# Modules that the HTTP libraries look for and that are of no use here; None means: not
# importable. httpx would import its own command line, with rich and pygments where they are
# installed: 4 MiB and 60 ms. httpcore looks for sniffio some twenty times in every request,
# and searches the whole path each time when it is absent (both measured 2026-11-22).
for _name in ("httpx._main", "sniffio"):
    sys.modules.setdefault(_name, None)  # type: ignore[arg-type]  # None is meant
