"""What an agent is told of a receipt: one sentence for each state and each refusal."""

from __future__ import annotations

from bridge.wire.facade import Receipt, ResultReply

_STATES = {
    "queued": "It is queued and leaves as soon as WeChat may take it.",
    "held": "It waits until the owner writes to the bot: WeChat takes no more before that. "
    "A note that waits for more than an hour is dropped, a question after twelve.",
    "offline": "It waits until WeChat is connected again; a note for an hour at most.",
    "sending": "It is on its way.",
    "delivered": "WeChat took it for the owner's phone. Whether it was read is not known.",
    "unconfirmed": "WeChat took it without a receipt; it may not be shown.",
    "unknown": "The connection broke while it was sent: it may be on the phone, or not.",
    "failed": "WeChat refused it; it was not delivered.",
    "dropped": "It waited too long and was dropped; it was not delivered.",
    "not_found": "There is nothing of yours with this id.",
}
_REFUSALS = {
    "empty": "Nothing was queued: there is no text to show.",
    "too_long": "Nothing was queued: it must fit one bubble; use at most 1,200 characters.",
    "too_many": "Nothing was queued: enough of yours waits for the owner already. "
    "Say more when that has left, and put it in fewer words.",
    "bad_options": "Nothing was queued: at most nine options, each of 1 to 40 characters.",
    "no_owner": "Nothing was queued: nobody is logged in; its owner runs  ctb-channel login.",
}
_RESULTS = {
    "waiting": "The owner has not answered yet. Ask again later; do not ask in a rush.",
    "answered": "The owner answered.",
    "declined": "The owner declined to answer.",
    "expired": "Nobody answered within twelve hours; the question is over.",
    "not_found": "There is no question of yours with this id.",
}


def of_receipt(receipt: Receipt) -> str:
    """The sentence for what became of a note or a question."""
    if receipt.state == "refused":
        return _REFUSALS.get(receipt.why, "Nothing was queued.")
    joined = "It joined your earlier note that waits. " if receipt.is_merged else ""
    return joined + _STATES[receipt.state]


def of_result(result: ResultReply) -> str:
    """The sentence for what became of a question's answer."""
    return _RESULTS[result.state]
