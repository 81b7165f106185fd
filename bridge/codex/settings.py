"""Which settings of a thread a turn must override, and what to put back afterwards.

Settings given on a turn stick to the thread and change what its owner gets at the
desk, so only what differs is given, and its old value is kept until the release.
Pure; the words are those of Codex 0.169.0.
"""

from __future__ import annotations

import json
from typing import Any

from bridge.codex.model import Obj, Settings

_SANDBOX_TYPES = {
    "read-only": "readOnly",
    "workspace-write": "workspaceWrite",
    "danger-full-access": "dangerFullAccess",
}


def current(reply: Obj) -> Obj:
    """A thread's settings in the words of `turn/start`, from any of three replies.

    `thread/start` and `thread/resume` say `sandbox` and `reasoningEffort`, the event
    `thread/settings/updated` says `sandboxPolicy` and `effort`.
    """
    return {
        "cwd": reply.get("cwd"),
        "sandboxPolicy": reply.get("sandboxPolicy") or reply.get("sandbox"),
        "approvalPolicy": reply.get("approvalPolicy"),
        "model": reply.get("model"),
        "effort": reply.get("effort") or reply.get("reasoningEffort"),
        "permissions": reply.get("activePermissionProfile"),
    }


def overrides(wanted: Settings, now: Obj) -> Obj:
    """The members of `turn/start` for what the order asks and the thread lacks."""
    asked: Obj = {
        "cwd": wanted.cwd,
        "approvalPolicy": wanted.approval_policy,
        "model": wanted.model,
        "effort": wanted.effort,
    }
    found = {
        name: value for name, value in asked.items() if value is not None and value != now.get(name)
    }
    if wanted.sandbox is not None and not _fits(wanted, now.get("sandboxPolicy")):
        found["sandboxPolicy"] = _policy(wanted)
    return found


def to_put_back(given: Obj, now: Obj) -> str | None:
    """What `release` needs to know: for each override, what was there and what we set."""
    if not given:
        return None
    was = {name: now.get(name) for name in given}
    if "sandboxPolicy" in given and now.get("permissions"):
        was["permissions"] = now["permissions"]
    return json.dumps({"was": was, "ours": given}, sort_keys=True)


def put_back(before: str, now: Obj) -> Obj:
    """The members of `thread/settings/update` that undo us.

    A setting that somebody changed since then is left as it is now.
    """
    kept = json.loads(before)
    was, ours = kept["was"], kept["ours"]
    found: Obj = {name: was[name] for name, value in ours.items() if _same(value, now.get(name))}
    if "effort" in found and found["effort"] is None:
        # Null leaves the effort alone; only the mode's own settings can clear it.
        del found["effort"]
        model = found.get("model") or now.get("model")
        inner = {"model": model, "reasoning_effort": None, "developer_instructions": None}
        found["collaborationMode"] = {"mode": "default", "settings": inner}
    if "sandboxPolicy" in found and "permissions" in was:
        del found["sandboxPolicy"]
        found["permissions"] = was["permissions"].get("id")
    return {name: value for name, value in found.items() if value is not None}


def for_new_thread(wanted: Settings) -> Obj:
    """The members of `thread/start`; its sandbox is a word, without folders."""
    asked: Obj = {
        "cwd": wanted.cwd,
        "sandbox": wanted.sandbox,
        "approvalPolicy": wanted.approval_policy,
        "model": wanted.model,
    }
    return {name: value for name, value in asked.items() if value is not None}


def _fits(wanted: Settings, now: Any) -> bool:  # Any: foreign JSON
    """Whether the thread's sandbox already is what was asked for."""
    if not isinstance(now, dict):
        return False
    if now.get("type") != _SANDBOX_TYPES[wanted.sandbox or ""]:
        return False
    return set(wanted.writable_roots) <= set(now.get("writableRoots") or ())


def _policy(wanted: Settings) -> Obj:
    kind = _SANDBOX_TYPES[wanted.sandbox or ""]
    if kind != "workspaceWrite":
        return {"type": kind}
    return {
        "type": kind,
        "writableRoots": list(wanted.writable_roots),
        "networkAccess": False,
        "excludeTmpdirEnvVar": False,
        "excludeSlashTmp": False,
    }


def _same(ours: Any, now: Any) -> bool:  # Any: foreign JSON
    if isinstance(ours, dict) and isinstance(now, dict):
        return all(now.get(name) == value for name, value in ours.items())
    return bool(ours == now)
