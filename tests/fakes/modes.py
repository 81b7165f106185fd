"""In which ways the fake controller may misbehave, and what it then offers.

Modes, also from CTB_FAKE_MODES (spaces between); N counts calls of the tool from 1:

    forgets-keys       a replayed key starts a second turn; list_runs shows no keys
    serial             answers one call at a time, a wait included
    no-tokens          a replay of a run that goes on brings no lock token either
    hangs:TOOL[:N]     the N-th call of this tool, or every one, is never answered
    dies:TOOL[:N]      the process ends before the N-th call of this tool is done
    dies-after:TOOL[:N] the same, after it is done and before the answer
    head-moves:N       somebody else makes a turn right before the N-th start
    elsewhere:N        the first N starts find the thread open in another program
    refuses:TOOL:N     the first N calls of this tool are an error
    drops:TOOL         the tool is not there
    drops-field:TOOL:FIELD   nor this argument of it
    noise              log lines on stdout between the messages
    sessions           offers cross_thread_list_sessions and cross_thread_history too
"""

from __future__ import annotations

from dataclasses import dataclass, field

import mcp_types as types

FIELDS = {
    "status": ["run_ids", "session_id"],
    "start": [
        *("session_id", "cwd", "message", "owner", "intent", "transport", "plan_capability"),
        *("sandbox", "approval_policy", "writable_roots", "model", "effort"),
        *("idempotency_key", "expected_session_head", "attachments", "authorization_grant"),
        *("acceptance_criteria", "parent_run_id", "lease_seconds"),
    ],
    "wait_any": ["run_ids", "after_seq", "timeout_ms", "include_progress"],
    "read_result": ["run_id"],
    "delivery_ack": ["run_id"],
    "close": ["run_id"],
    "release": ["session_id", "lock_token"],
    "cancel": ["run_id", "reason"],
    "list_runs": ["owner", "status", "session_id", "limit"],
    "force_recover": ["session_id", "owner", "transport", "lease_seconds", "human_authorized"],
    "list_sessions": ["limit", "cursor", "query", "cwd"],
    "history": ["session_id", "position", "limit_bytes"],
}
EXTRA = ("list_sessions", "history")


@dataclass
class Modes:
    """How this controller misbehaves, and how often each tool was called."""

    words: list[list[str]]
    calls: dict[str, int] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        return any(word[0] == name for word in self.words)

    def hits(self, name: str, tool: str) -> bool:
        """Whether `name:TOOL[:N]` speaks of the call that is being served."""
        for word in self.words:
            if word[:2] == [name, tool]:
                return len(word) < 3 or int(word[2]) == self.calls[tool]
        return False

    def first(self, name: str, *where: str) -> int:
        """The number at the end of `name[:where]:N`; 0 when it is not set."""
        for word in self.words:
            if word[:-1] == [name, *where]:
                return int(word[-1])
        return 0


def tools(modes: Modes) -> list[types.Tool]:
    found = []
    for name, fields in FIELDS.items():
        if modes.has("drops") and ["drops", name] in modes.words:
            continue
        if name in EXTRA and not modes.has("sessions"):
            continue
        kept = [each for each in fields if ["drops-field", name, each] not in modes.words]
        schema = {"type": "object", "properties": {each: {} for each in kept}}
        found.append(types.Tool(name=f"cross_thread_{name}", input_schema=schema))
    return found
