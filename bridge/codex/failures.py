"""The word for why a turn failed or is waiting, from Codex's error objects.

Pure. Which server answer gives which `codexErrorInfo` was measured with a scripted
model (Codex 0.169.0, 2026-11); the remaining names are those of its schema.
"""

from __future__ import annotations

import re

from bridge.codex.model import Obj

MAX_DETAIL_CHARS = 500  # enough for a provider's sentence, too short for a page of it

_WORDS = {
    "contextWindowExceeded": "context_window",
    "sessionBudgetExceeded": "usage_limit",
    "usageLimitExceeded": "usage_limit",
    "rateLimitExceeded": "rate_limited",
    "flexUnavailable": "overloaded",
    "serverOverloaded": "overloaded",
    "policyCapacityUnavailable": "overloaded",
    "modelNotFound": "model_unknown",
    "cyberPolicy": "model_refused",
    "misalignmentPolicyViolation": "model_refused",
    "inferenceHookDenied": "model_refused",
    "tooManyDenials": "model_refused",
    "internalServerError": "provider_error",
    "unauthorized": "sign_in",
    "badRequest": "request_rejected",
    "sandboxError": "sandbox",
    "responseStreamDisconnected": "connection_lost",
    "responseStreamConnectionFailed": "connection_lost",
    "httpConnectionFailed": "connection_lost",
    "responseTooManyFailedAttempts": "provider_error",
}
_BY_HTTP_STATUS = {401: "sign_in", 403: "sign_in", 429: "rate_limited", 503: "overloaded"}
# `other` carries no kind: these sentences are Codex's own (observed).
_BY_SENTENCE = (
    ("stream disconnected", "connection_lost"),
    ("idle timeout", "connection_lost"),
)
_PLACES = re.compile(r"https?://[^\s,]+|(?<![\w:/])/(?:[\w.@+-]+/)+[\w.@+-]*")


def reason(error: Obj) -> str:
    """One word for an error, in camel or snake case: the journal uses the latter."""
    info = error.get("codexErrorInfo") or error.get("codex_error_info") or "other"
    name, inner = next(iter(info.items()), ("other", {})) if isinstance(info, dict) else (info, {})
    name = re.sub(r"_([a-z])", lambda found: found.group(1).upper(), str(name))
    status = None
    if isinstance(inner, dict):
        status = inner.get("httpStatusCode") or inner.get("http_status_code")
    if status in _BY_HTTP_STATUS:
        return _BY_HTTP_STATUS[status]
    message = str(error.get("message") or "")
    if name in _WORDS:
        return _WORDS[name]
    for sentence, word in _BY_SENTENCE:
        if sentence in message:
            return word
    return "engine_error"


def detail(error: Obj) -> str:
    """Codex's sentence, short, without paths and addresses."""
    text = _PLACES.sub("…", " ".join(str(error.get("message") or "").split()))
    return text[:MAX_DETAIL_CHARS]


def is_waiting_for_network(error: Obj) -> bool:
    """Such a turn never fails by itself: Codex tries again for ever."""
    return "waiting for network" in str(error.get("message") or "")
