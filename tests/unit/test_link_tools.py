"""The table of what we give each tool is what we give it."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any, cast

from bridge.core.model import (
    Approval,
    ApprovalId,
    ApprovalState,
    Key,
    LockToken,
    PeerId,
    RunId,
    ThreadId,
    Turn,
    TurnId,
    TurnState,
)
from bridge.core.turns import Run
from bridge.links.calls import Calls
from bridge.links.controller import Controller
from bridge.links.link import CALL_DEADLINE_S, Link, _Live
from bridge.links.tools import NEEDED, OTHERS, SENT

THREAD, RUN, KEY = ThreadId("thread"), RunId("run"), Key("ctb1:k")
TURN = Turn(
    id=TurnId(1),
    key=KEY,
    channel="wechat",
    peer=PeerId("p"),
    thread=THREAD,
    alias="code",
    prompt="hello",
    cwd="/",
    sandbox="workspace-write",
    approval_policy="on-request",
    model="",
    effort="",
    state=TurnState.STARTING,
)
COMMAND = Approval(
    id=ApprovalId("t:1"),
    turn=TURN.id,
    peer=TURN.peer,
    kind="command",
    summary="run a command: make",
    detail="make",
    is_cut=False,
    digest="digest-1",
    options=(),
    code="abcdefghj",
    code_ms=0,
    asked_ms=0,
    state=ApprovalState.ANSWERING,
    decision="accept",
)
ANSWER: dict[str, Any] = {  # Any: JSON
    "run_id": RUN,
    "session_id": THREAD,
    "runs": [{"run_id": RUN, "status": "completed"}],
    "items": [],
    "position": "0",
    "sessions": [],
    "approvals": [],
}


class Noted(Controller):
    """A controller that notes the arguments of each call, and offers everything."""

    def __init__(self) -> None:
        nothing = Path("/dev/null")
        super().__init__((), {}, nothing, "ctb-private", Link((), {}, nothing, {}))
        self._live = _Live(cast(Calls, None), 1, SENT)  # cast: no call leaves
        self.given: dict[str, set[str]] = defaultdict(set)

    async def call(
        self, tool: str, arguments: dict[str, Any], deadline_s: float = CALL_DEADLINE_S
    ) -> dict[str, Any]:
        self.given[tool] |= set(arguments)
        return ANSWER


async def test_each_tool_is_given_what_the_table_says() -> None:
    """R32: what a controller requires beyond this is what it cannot get."""
    controller = Noted()
    await controller.start(TURN)
    await controller.wait(RUN, None)
    await controller.result(Run(RUN, "completed", THREAD))
    await controller.status(THREAD)
    await controller.find(KEY, TURN)
    await controller.acknowledge(RUN)
    await controller.close_run(RUN)
    await controller.release(THREAD, LockToken("lock"))
    await controller.cancel(RUN, "stop")
    await controller.recover_lock(TURN)
    await controller.approvals(RUN)
    await controller.answer(COMMAND)
    await controller.steer(RUN, "more", KEY)
    await controller.fork(THREAD, KEY)
    await controller.sessions("", 10)
    await controller.history(THREAD, "", 1024)
    assert controller.given == SENT
    assert set(SENT) == {*NEEDED, *OTHERS}
    assert all(set(fields) <= SENT[tool] for tool, fields in {**NEEDED, **OTHERS}.items())
