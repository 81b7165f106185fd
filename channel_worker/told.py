"""What does the worker's terminal say of WeChat? Each trouble once, and its end once.

Pure: steps and times go in, a sentence comes out, or "". A poll that fails is mostly made
good by the next one, so it is told of only when it lasts; the log has each.
"""

from __future__ import annotations

import math

from bridge.wire.messages import ChannelCondition
from channel_worker.trouble import Step

LOGIN_NEEDED = "login needed: run ctb-channel login"
POLLING = "polling WeChat"
SENTENCES: dict[ChannelCondition, str] = {
    "backing_off": "WeChat cannot be polled ({code}): look at the network; it is tried on",
    "login_needed": (
        f"{LOGIN_NEEDED}   (WeChat answers {{code}}: the login is stale, most likely because of a "
        "later scan: on another computer, or one here that was not accepted)"
    ),
    "suspect": "WeChat answers {code}: checking once more before anything else is sent",
    "poll_poison": "WeChat sends a reply that cannot be read ({code}): trying on, once a minute",
}


class Told:
    """What was told under one login since a poll last went well; a login begins with none."""

    def __init__(self, lasts_s: float) -> None:
        self.is_well = False  # a poll has gone well, and none badly since
        self._lasts_s = lasts_s
        self._owes_end = True  # a beginning or a trouble is on the terminal, its end is not
        self._told: set[tuple[str, str]] = set()
        self._fails_since_s = math.inf

    def after(self, step: Step, now_s: float) -> str:
        """What to say after this step, at a monotonic time."""
        self.is_well = step.condition == "polling"
        if self.is_well:
            is_owed, self._owes_end = self._owes_end, False
            self._told.clear()
            self._fails_since_s = math.inf
            return POLLING if is_owed else ""
        key = (step.condition, step.code)
        if step.condition == "backing_off":  # whatever the code: one outage has several
            key = (step.condition, "")
            self._fails_since_s = min(self._fails_since_s, now_s)
            if now_s - self._fails_since_s < self._lasts_s:
                return ""
        if key in self._told:
            return ""
        self._told.add(key)
        self._owes_end = True
        return SENTENCES[step.condition].format(code=step.code)
