"""Which tools of a controller we use, what we cannot do without, and what we give them."""

from __future__ import annotations

MESSAGE_FIELDS = ("session_id", "message", "idempotency_key", "expected_session_head")
NEEDED = {  # tools we use, with the arguments we cannot do without
    "cross_thread_start": MESSAGE_FIELDS,
    "cross_thread_wait_any": ("run_ids",),
    "cross_thread_read_result": ("run_id",),
}
OTHERS = {  # and those that only one feature needs
    "cross_thread_status": ("session_id",),
    "cross_thread_list_runs": ("session_id",),
    "cross_thread_delivery_ack": ("run_id",),
    "cross_thread_close": ("run_id",),
    "cross_thread_release": ("session_id", "lock_token"),
    "cross_thread_cancel": ("run_id",),
    "cross_thread_force_recover": ("session_id", "owner"),
    "cross_thread_approvals": ("run_ids",),
    "cross_thread_answer": ("approval_id", "digest", "decision"),
    "cross_thread_steer": ("run_id", "message", "idempotency_key"),
    "cross_thread_fork": ("session_id",),
    "cross_thread_list_sessions": (),
    "cross_thread_history": ("session_id",),
}
_RUN = frozenset({"run_id"})
SENT = {  # all that we give each of them: one that requires more cannot be used
    "cross_thread_start": frozenset(MESSAGE_FIELDS)
    | {"cwd", "owner", "intent", "transport", "plan_capability", "sandbox", "approval_policy"}
    | {"writable_roots", "model", "effort", "attachments", "authorization_grant"}
    | {"acceptance_criteria", "parent_run_id", "lease_seconds"},
    "cross_thread_wait_any": frozenset({"run_ids", "after_seq", "timeout_ms", "include_progress"}),
    "cross_thread_read_result": _RUN,
    "cross_thread_status": frozenset({"run_ids", "session_id"}),
    "cross_thread_list_runs": frozenset({"owner", "status", "session_id", "limit"}),
    "cross_thread_delivery_ack": _RUN,
    "cross_thread_close": _RUN,
    "cross_thread_release": frozenset({"session_id", "lock_token"}),
    "cross_thread_cancel": _RUN | {"reason"},
    "cross_thread_force_recover": frozenset(
        {"session_id", "owner", "transport", "lease_seconds", "human_authorized"}
    ),
    "cross_thread_approvals": frozenset({"run_ids"}),
    "cross_thread_answer": frozenset({"approval_id", "digest", "decision"}),
    "cross_thread_steer": _RUN | {"message", "idempotency_key"},
    "cross_thread_fork": frozenset({"session_id", "cwd", "idempotency_key"}),
    "cross_thread_list_sessions": frozenset({"limit", "cursor", "query", "cwd"}),
    "cross_thread_history": frozenset({"session_id", "position", "limit_bytes"}),
}
