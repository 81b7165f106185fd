"""Requests of Codex that wait for a person: what is shown, and what may be answered.

Pure. A request is bound to thread, turn and item, so its id is the same after any
restart; the digest covers the exact action. One answer means one action: nothing here
can say `acceptForSession` or amend a policy (threat-model R29).
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

from bridge.codex.model import Approval, Code, Obj, Refused, ThreadId, TurnId

MAX_DETAIL_CHARS = 32_000  # of commands and diffs; a longer one says that it was cut
CUT = "\n[cut: look at the desk]"

_KINDS = {
    "item/commandExecution/requestApproval": "command",
    "item/fileChange/requestApproval": "file_change",
    "item/permissions/requestApproval": "permissions",
    "item/tool/requestUserInput": "question",
}
_DECISIONS = ("accept", "decline", "cancel")


def is_known(method: str) -> bool:
    return method in _KINDS


def read(method: str, params: Obj, changes: list[Obj]) -> Approval:
    """The approval that a server request asks for; `changes` are those of its item."""
    kind = _KINDS[method]
    thread, turn = str(params.get("threadId")), str(params.get("turnId"))
    names = [thread, turn, str(params.get("itemId")), str(params.get("approvalId") or "")]
    action = _action(kind, params, changes)
    summary, detail = _words(kind, params, changes)
    if len(detail) > MAX_DETAIL_CHARS:
        detail = detail[: MAX_DETAIL_CHARS - len(CUT)] + CUT
    return Approval(
        id="ap_" + _hash(names)[:24],
        thread=ThreadId(thread),
        turn=TurnId(turn),
        kind=kind,
        summary=summary,
        detail=detail,
        digest=_hash([*names, action]),
        options=_options(kind, params),
        asked_at=_time(params.get("startedAtMs")),
    )


def answer(approval: Approval, params: Obj, decision: str, answers: dict[str, list[str]]) -> Obj:
    """The result of the server's request. Raises Refused(INVALID) for what it lacks."""
    if decision not in _DECISIONS:
        raise Refused(Code.INVALID, "the decision must be accept, decline or cancel")
    if approval.kind == "permissions":
        granted = params.get("permissions") if decision == "accept" else {}
        return {"permissions": granted or {}, "scope": "turn"}
    if approval.kind == "question":
        return {"answers": _answers(params, decision, answers)}
    return {"decision": decision}


def _answers(params: Obj, decision: str, answers: dict[str, list[str]]) -> Obj:
    if decision != "accept":
        return {}
    asked = {str(each.get("id")) for each in params.get("questions") or ()}
    if not answers or not set(answers) <= asked:
        raise Refused(
            Code.INVALID, "answers must be given by question id: " + ", ".join(sorted(asked))
        )
    return {name: {"answers": texts} for name, texts in answers.items()}


def _action(kind: str, params: Obj, changes: list[Obj]) -> Obj:
    """What would be done, without what may differ when the request is asked again."""
    if kind == "command":
        names = ("command", "cwd", "additionalPermissions", "networkApprovalContext")
        return {name: params.get(name) for name in names}
    if kind == "file_change":
        return {"changes": changes, "grantRoot": params.get("grantRoot")}
    if kind == "permissions":
        return {"permissions": params.get("permissions"), "cwd": params.get("cwd")}
    return {"questions": params.get("questions")}


def _words(kind: str, params: Obj, changes: list[Obj]) -> tuple[str, str]:
    why = str(params.get("reason") or "")
    if kind == "command":
        command = str(params.get("command") or "")
        return f"run a command: {_short(command)}", _joined(command, params.get("cwd"), why)
    if kind == "file_change":
        files = [_change(each) for each in changes]
        diffs = "\n".join(str(each.get("diff") or "") for each in changes)
        summary = f"change {len(files)} file{'s' if len(files) != 1 else ''}"
        return f"{summary}: {_short(', '.join(files))}", _joined(*files, why, diffs)
    if kind == "permissions":
        asked = _permissions(params.get("permissions"))
        return f"more permissions: {_short(', '.join(asked))}", _joined(*asked, why)
    asked_for = [_question(each) for each in params.get("questions") or ()]
    first = asked_for[0].partition("\n")[0] if asked_for else "a question"
    return _short(first), "\n".join(asked_for)


def _change(change: Obj) -> str:
    """`add /path (+3 -0)`."""
    kind = change.get("kind")
    word = kind.get("type") if isinstance(kind, dict) else kind
    lines = str(change.get("diff") or "").splitlines()
    added = sum(line.startswith("+") and not line.startswith("+++") for line in lines)
    gone = sum(line.startswith("-") and not line.startswith("---") for line in lines)
    if word == "add" and not added:
        added = len(lines)  # a new file comes as its plain content
    return f"{word} {change.get('path')} (+{added} -{gone})"


def _permissions(asked: object) -> list[str]:
    """`write /path`, `network`; what has another shape than Codex's stays as it came."""
    if not isinstance(asked, dict):
        return [json.dumps(asked, sort_keys=True)]
    found = []
    for name, value in sorted(asked.items()):
        is_paths = isinstance(value, dict) and all(isinstance(v, list) for v in value.values())
        if name == "fileSystem" and is_paths:
            found += [f"{verb} {path}" for verb, paths in sorted(value.items()) for path in paths]
        elif value is True or value == {"enabled": True}:
            found.append(str(name))
        elif value is not None:
            found.append(f"{name}: {json.dumps(value, sort_keys=True)}")
    return found


def _question(question: Obj) -> str:
    """Its words alone: what it offers goes along as options, which the client numbers."""
    return str(question.get("question") or question.get("header") or "")


def _options(kind: str, params: Obj) -> tuple[str, ...]:
    if kind != "question":
        return _DECISIONS if kind != "permissions" else _DECISIONS[:2]
    return tuple(
        f"{question.get('id')}:{option.get('label')}"
        for question in params.get("questions") or ()
        for option in question.get("options") or ()
    )


def _joined(*parts: object) -> str:
    return "\n".join(str(part) for part in parts if part)


def _short(text: str) -> str:
    """One line of at most 120 characters, for a list."""
    words = " ".join(text.split())
    return words if len(words) <= 120 else words[:119] + "…"


def _hash(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _time(at_ms: object) -> str:
    seconds = at_ms / 1000 if isinstance(at_ms, int | float) else 0
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
