"""The calls of the bot API as one typed function each: HTTP and speech meet here.

Nothing raises but a bug: every call answers with a value that says what is known.
"""

from __future__ import annotations

from typing import Literal

from bridge.wire.codec import Json
from bridge.wire.messages import OutboundSend, SendReply
from channel_worker.ilink import speech
from channel_worker.ilink.http import LIGHT_DEADLINE_S, Answer, Http, HttpFault
from channel_worker.ilink.inbound import Account
from channel_worker.ilink.speech import PollReply, Unreadable, Verdict

TYPING, IDLE = 1, 2  # status of sendtyping


class Ilink:
    """One account at iLink, over one Http."""

    def __init__(self, http: Http, account: Account, request_deadline_s: float) -> None:
        self.http = http
        self.account = account
        self._request_deadline_s = request_deadline_s

    async def poll(self, cursor: str, hold_s: float) -> PollReply:
        """One getupdates, judged. QUIET also when the poll was ended from outside."""
        try:
            answer = await self.http.poll(cursor, hold_s)
        except HttpFault as fault:
            if fault.word == "reply too large":
                return PollReply(Verdict.UNREADABLE, fault.word)
            return PollReply(Verdict.FAILED, fault.word)
        if answer is None:
            return PollReply(Verdict.QUIET)
        return speech.read_poll(answer.status, answer.headers, answer.body, self.account)

    async def send(self, order: OutboundSend) -> SendReply:
        """Exactly one request; the outcome is a row of delivery-semantics 5."""
        body = speech.send_body(order)
        try:
            answer = await self.http.call("sendmessage", body, self._request_deadline_s)
        except HttpFault as fault:
            return SendReply("unknown" if fault.has_left else "not_sent", code=fault.word)
        return speech.read_send(answer.status, answer.body)

    async def notify(self, word: Literal["start", "stop"], deadline_s: float) -> str:
        """notifystart or notifystop; the failure code, empty when it went well."""
        return _code(await self._light(f"msg/notify{word}", {}, deadline_s))

    async def typing_ticket(self, user_id: str, context_token: str) -> tuple[str, str]:
        """getconfig: the ticket and the failure code, one of them empty."""
        body: dict[str, Json] = {"ilink_user_id": user_id}
        if context_token:
            body["context_token"] = context_token
        reply = await self._light("getconfig", body, LIGHT_DEADLINE_S)
        if isinstance(reply, str):
            return "", reply
        ticket = reply.get("typing_ticket")
        if reply.get("ret") == 0 and isinstance(ticket, str) and ticket:
            return ticket, ""  # an absent `ret` counts as failure here, `ilink-protocol` 8
        return "", _code(reply) or "no ticket"

    async def show_typing(self, user_id: str, ticket: str, is_on: bool) -> str:
        """sendtyping; the failure code."""
        body: dict[str, Json] = {
            "ilink_user_id": user_id,
            "typing_ticket": ticket,
            "status": TYPING if is_on else IDLE,
        }
        return _code(await self._light("sendtyping", body, LIGHT_DEADLINE_S))

    async def ask(self, endpoint: str, body: dict[str, Json]) -> dict[str, Json] | SendReply:
        """A call whose failure is judged like that of a message: getuploadurl."""
        try:
            answer = await self.http.call(endpoint, body, self._request_deadline_s)
        except HttpFault as fault:
            return SendReply("not_sent", code=fault.word)
        outcome = speech.outcome_of_status(answer.status)
        if outcome:
            return SendReply(outcome, code=f"http {answer.status}")
        try:
            reply = speech.read_object(answer.body)
        except Unreadable:
            return SendReply("unknown", code="body")
        code = speech.code_of(reply)
        return SendReply(speech.outcome_of_code(code), code=code) if code else reply

    async def _light(
        self, endpoint: str, body: dict[str, Json], deadline_s: float
    ) -> dict[str, Json] | str:
        try:
            return _object(await self.http.call(endpoint, body, deadline_s))
        except HttpFault as fault:
            return fault.word


def _object(answer: Answer) -> dict[str, Json] | str:
    if not 200 <= answer.status < 300:
        return speech.EXPIRED if answer.status in (401, 403) else f"http {answer.status}"
    try:
        return speech.read_object(answer.body)
    except Unreadable:
        return "body"


def _code(reply: dict[str, Json] | str) -> str:
    return reply if isinstance(reply, str) else speech.code_of(reply)
