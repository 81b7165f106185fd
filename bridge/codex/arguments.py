"""What may be asked: the arguments of every tool, and the checks before Codex.

Foreign JSON becomes one of these models, and at once an `Order` of ours. Unknown
arguments are ignored; a wrong one is named in the refusal.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from bridge.codex.model import Code, Obj, Order, Refused, Settings, ThreadId

MAX_MESSAGE_CHARS = 1_000_000  # contract 3.9; Codex itself refuses 1,048,576
MAX_IDS = 256  # runs in one question; 32 go on at once
IMAGE_MARKS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM")  # first bytes

Name = Annotated[str, StringConstraints(min_length=1, max_length=512)]
Ids = Annotated[list[Name], Field(max_length=MAX_IDS)]
A = TypeVar("A", bound="Arguments")


class Arguments(BaseModel):
    """The base of all: no coercion, so that a bool is no number."""

    model_config = ConfigDict(strict=True, extra="ignore")


class StatusArguments(Arguments):
    run_ids: Ids = []
    session_id: Name | None = None


class StartArguments(Arguments):
    session_id: Name | None = None
    cwd: str | None = None
    message: Annotated[str, StringConstraints(max_length=MAX_MESSAGE_CHARS)]
    owner: Name
    idempotency_key: Name
    expected_session_head: str | None = None
    intent: Literal["direct_message", "plan_review"] = "direct_message"
    transport: Literal["app_server"] = "app_server"
    plan_capability: str | None = None
    sandbox: Literal["read-only", "workspace-write", "danger-full-access"] | None = None
    approval_policy: Literal["untrusted", "on-request", "never"] | None = None
    writable_roots: list[str] = []
    model: str | None = None
    effort: str | None = None
    attachments: list[str] = []


class WaitArguments(Arguments):
    run_ids: Annotated[list[Name], Field(min_length=1, max_length=MAX_IDS)]
    after_seq: int | None = None
    timeout_ms: Annotated[int, Field(ge=0)] = 1000
    include_progress: bool = False


class RunArguments(Arguments):
    run_id: Name


class CancelArguments(RunArguments):
    reason: str | None = None


class ReleaseArguments(Arguments):
    session_id: Name
    lock_token: Name


class ListRunsArguments(Arguments):
    owner: str | None = None
    status: str | None = None
    session_id: str | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 50


class ForceRecoverArguments(Arguments):
    session_id: Name
    owner: Name
    human_authorized: bool = False


class ListSessionsArguments(Arguments):
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: str | None = None
    query: str | None = None
    cwd: str | None = None


class HistoryArguments(Arguments):
    session_id: Name
    position: str | None = None
    limit_bytes: Annotated[int, Field(ge=1)] = 16_384


class SteerArguments(RunArguments):
    message: Annotated[str, StringConstraints(min_length=1, max_length=MAX_MESSAGE_CHARS)]
    idempotency_key: Name


class ForkArguments(Arguments):
    session_id: Name
    cwd: str | None = None
    idempotency_key: Name | None = None


class ApprovalsArguments(Arguments):
    run_ids: Ids = []


class AnswerArguments(Arguments):
    approval_id: Name
    digest: Name
    decision: Literal["accept", "decline", "cancel"]
    answers: dict[str, list[str]] = {}


def read(kind: type[A], given: Obj) -> A:
    """The arguments of a call; raises Refused(INVALID) naming the wrong one."""
    try:
        return kind.model_validate(given)
    except ValidationError as wrong:
        first = wrong.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "arguments"
        raise Refused(Code.INVALID, f"{where}: {first['msg']}") from wrong


def order_of(given: StartArguments) -> Order:
    """Everything that can be seen to be wrong before Codex is asked."""
    if not given.message.strip() and not given.attachments:
        raise Refused(Code.INVALID, "message: it is empty")
    if given.cwd is not None:
        check_folder(given.cwd)
    elif given.session_id is None:
        raise Refused(Code.INVALID, "cwd: a new thread needs a folder")
    for path in given.attachments:
        _check_image(path)
    settings = Settings(
        cwd=given.cwd,
        sandbox=given.sandbox,
        approval_policy=given.approval_policy,
        writable_roots=tuple(given.writable_roots),
        model=given.model,
        effort=given.effort,
    )
    return Order(
        key=given.idempotency_key,
        owner=given.owner,
        thread=ThreadId(given.session_id) if given.session_id is not None else None,
        message=given.message,
        settings=settings,
        images=tuple(given.attachments),
        expected_head=given.expected_session_head,
    )


def check_folder(path: str) -> None:
    """Raises Refused(INVALID) for a folder that does not exist."""
    # Codex takes any word for a folder, and a relative one as below its own.
    if not Path(path).is_absolute() or not Path(path).is_dir():
        raise Refused(Code.INVALID, "cwd: it must be the full path of a folder that exists")


def _check_image(path: str) -> None:
    try:
        with Path(path).open("rb") as source:
            first = source.read(16)
    except (OSError, ValueError):
        first = b""
    if not Path(path).is_absolute() or not first.startswith(IMAGE_MARKS):
        raise Refused(Code.INVALID, "attachments: each must be the full path of an image")
