"""The QR login of the simulated server: a script of states, one per status poll.

States are those of `ilink-protocol` 3.2, and two of ours: `error` answers with HTTP
500, `drop` cuts the connection. An empty script stays at `wait`. With
`need_verifycode` the script stands still until the right digits come; after
MAX_WRONG_DIGITS wrong ones the answer is `verify_code_blocked`.
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING

import anyio
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from channel_worker.simulator.world import Json

if TYPE_CHECKING:
    from channel_worker.simulator.server import Simulator

BOT_TYPE = "3"
WAIT_HOLD_S = 0.2  # the real one holds longer; a test would wait for it
MAX_WRONG_DIGITS = 3


def routes(simulator: Simulator) -> list[Route]:
    desk = _Desk(simulator)
    return [
        Route("/ilink/bot/get_bot_qrcode", desk.new_code, methods=["GET", "POST"]),
        Route("/ilink/bot/get_qrcode_status", desk.status),
    ]


class _Desk:
    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._world = simulator.world
        self._code = ""
        self._offered: list[str] = []
        self._wrong_digits = 0

    async def new_code(self, request: Request) -> Response:
        body = await request.body()
        self._world.record("get_bot_qrcode", dict(request.headers), body.decode())
        if request.query_params.get("bot_type") != BOT_TYPE:
            return self._simulator.reply({"ret": 2, "errmsg": "wrong bot_type"})
        self._code = secrets.token_hex(5)
        self._offered = _offered_in(body)
        self._wrong_digits = 0
        if not self._world.login_script:
            self._world.login_script.extend(self._world.standard_login)
        link = f"https://liteapp.weixin.qq.com/q/AbCdEf?qrcode={self._code}&bot_type={BOT_TYPE}"
        return self._simulator.reply({"ret": 0, "qrcode": self._code, "qrcode_img_content": link})

    async def status(self, request: Request) -> Response:
        query = dict(request.query_params)
        self._world.record("get_qrcode_status", dict(request.headers), query)
        if query.get("qrcode") != self._code:
            return self._simulator.reply({"ret": 0, "status": "expired"})
        script = self._world.login_script
        state = script[0] if script else "wait"
        if state == "need_verifycode":
            return self._simulator.reply({"ret": 0, "status": self._after_digits(query)})
        if script:
            script.popleft()
        if state == "drop":
            from channel_worker.simulator.server import cut

            cut(request)
        if state == "error":
            return Response("trouble", 500)
        if state == "wait":
            await anyio.sleep(WAIT_HOLD_S)
        is_asked = state == "confirmed" and self._world.knows_bindings
        if is_asked and self._world.is_bound_by(self._offered):
            state = "binded_redirect"
        return self._simulator.reply(self._answer(state))

    def _after_digits(self, query: dict[str, str]) -> str:
        given = query.get("verify_code", "")
        if given == self._world.digits:
            self._world.login_script.popleft()
            return "scaned"
        self._wrong_digits += bool(given)
        if self._wrong_digits < MAX_WRONG_DIGITS:
            return "need_verifycode"
        self._world.login_script.popleft()
        return "verify_code_blocked"

    def _answer(self, state: str) -> Json:
        answer: Json = {"ret": 0, "status": state}
        if state == "scaned_but_redirect":
            answer["redirect_host"] = self._world.redirect_host or self._simulator.host
        if state == "confirmed":
            answer |= {
                "bot_token": self._world.new_token(),
                "ilink_bot_id": self._world.bot_id,
                "ilink_user_id": self._world.owner_id,
                "baseurl": self._simulator.base_url,
            }
            self._world.wake()
        return answer


def _offered_in(body: bytes) -> list[str]:
    """The tokens of `local_token_list`."""
    try:
        found = json.loads(body)
    except ValueError:
        return []
    tokens = found.get("local_token_list") if isinstance(found, dict) else None
    return [token for token in tokens or [] if isinstance(token, str)]
