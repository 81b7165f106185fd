"""How many examples a property gets: few in the gate, `--hypothesis-profile deep` for many."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("gate", max_examples=20, deadline=None)
settings.register_profile("deep", max_examples=2_000, deadline=None)
settings.load_profile("gate")
