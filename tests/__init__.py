"""The tests. What pytest compiles of them is kept, also where nothing else may keep it.

It rewrites each `assert` of each module, of Hypothesis as well: a second of every start.
"""

import sys
from pathlib import Path

if sys.dont_write_bytecode:
    sys.dont_write_bytecode = False
    sys.pycache_prefix = str(Path(__file__).parent.parent / ".pytest_cache" / "compiled")
