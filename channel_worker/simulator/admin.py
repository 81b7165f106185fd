"""The admin API of the simulated server: what a test sets, and what it looks at.

On a port of its own, so that the paths of iLink stay those of iLink. All bodies are JSON.
"""

from __future__ import annotations

from dataclasses import asdict

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from channel_worker.simulator.server import Simulator


def app(simulator: Simulator) -> Starlette:
    """POST say, post, put, repeat, fail, set, login, expire; GET sent, calls, credentials."""
    desk = _Desk(simulator)
    return Starlette(
        routes=[
            Route("/say", desk.say, methods=["POST"]),
            Route("/post", desk.post, methods=["POST"]),
            Route("/put", desk.put, methods=["POST"]),
            Route("/repeat", desk.repeat, methods=["POST"]),
            Route("/fail", desk.fail, methods=["POST"]),
            Route("/set", desk.set, methods=["POST"]),
            Route("/login", desk.login, methods=["POST"]),
            Route("/expire", desk.expire, methods=["POST"]),
            Route("/sent", desk.sent),
            Route("/calls", desk.calls),
            Route("/credentials", desk.credentials),
        ]
    )


class _Desk:
    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._world = simulator.world

    async def say(self, request: Request) -> Response:
        """`{"text": ..., "from_user_id"?: ..., any field of the message}`"""
        body = await request.json()
        return JSONResponse({"message_id": self._world.say(body.pop("text"), **body)})

    async def post(self, request: Request) -> Response:
        """`{"items": [...], ...}`: a message with any items."""
        body = await request.json()
        return JSONResponse({"message_id": self._world.post(body.pop("items"), **body)})

    async def put(self, request: Request) -> Response:
        """Any JSON at all, as one element of `msgs`."""
        self._world.put(await request.json())
        return JSONResponse({})

    async def repeat(self, request: Request) -> Response:
        """`{"number"?: 1}`: the message so far from the end comes again, with another token."""
        self._world.repeat((await request.json()).get("number", 1))
        return JSONResponse({})

    async def fail(self, request: Request) -> Response:
        """`{"endpoint": "sendmessage", "kind": "ret", "code": -2, "times": 3}`"""
        try:
            self._simulator.fail(**await request.json())
        except (ValueError, TypeError) as wrong:
            return JSONResponse({"error": str(wrong)}, 400)
        return JSONResponse({})

    async def set(self, request: Request) -> Response:
        """Attributes of the world, by name."""
        try:
            self._world.change(await request.json())
        except (ValueError, TypeError) as wrong:
            return JSONResponse({"error": str(wrong)}, 400)
        return JSONResponse({})

    async def login(self, request: Request) -> Response:
        """`{"states": ["wait", "scaned", "confirmed"]}`: one for each status poll."""
        self._world.login_script.extend((await request.json())["states"])
        return JSONResponse({})

    async def expire(self, request: Request) -> Response:
        """The token is stale from now on."""
        self._simulator.expire_token()
        return JSONResponse({})

    async def sent(self, request: Request) -> Response:
        """What the bot's people see."""
        return JSONResponse([asdict(sent) | {"text": sent.text} for sent in self._world.sent])

    async def calls(self, request: Request) -> Response:
        """The transcript: every call with its headers and body."""
        return JSONResponse([asdict(call) for call in self._world.transcript])

    async def credentials(self, request: Request) -> Response:
        """A credential file, as a login would write it."""
        return JSONResponse(self._simulator.credentials())
