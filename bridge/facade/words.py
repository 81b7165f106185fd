"""What an agent is told of a receipt: one sentence for each state and each refusal."""

from __future__ import annotations

from bridge.wire.facade import Receipt, ResultReply

_STATES = {
    "queued": "It is queued and leaves as soon as the chat may take it.",
    "held": "It waits until the owner writes to the bot: the chat takes no more before that. "
    "A note that waits for more than an hour is dropped, a question after twelve.",
    "offline": "It waits until the chat is connected again; a note for an hour at most.",
    "sending": "It is on its way.",
    "delivered": "The chat took it for the owner's phone. Whether it was read is not known.",
    "unconfirmed": "The chat took it without a receipt; it may not be shown.",
    "unknown": "The connection broke while it was sent: it may be on the phone, or not.",
    "failed": "The chat refused it; it was not delivered.",
    "dropped": "It waited too long and was dropped; it was not delivered.",
    "offered": "It is in the owner's list, and leaves only when they ask for it with /sendfile.",
    "not_found": "There is nothing of yours with this id.",
}
_OF = {
    "": "",
    "line": "A line in the chat tells the owner of your file. ",
    "file": "The owner asked for your file. ",
}
_UNTOLD = {
    "failed": "The line that tells the owner of your file was refused. ",
    "dropped": "The line that tells the owner of your file waited too long and was dropped. ",
}
_STILL_LISTED = (
    "The file stays in their list, /artifacts, for a day; offer it again to have them told."
)
_REFUSALS = {
    "file_path": "Nothing was offered: the path must be absolute.",
    "file_long_path": "Nothing was offered: the path is too long. Copy it to a shorter one.",
    "file_outside": "Nothing was offered: files may leave from the exports folder of a workspace "
    "that the owner has named, or from a folder that they allow. Copy it there first.",
    "file_missing": "Nothing was offered: there is no such file.",
    "file_link": "Nothing was offered: it is a link or has a second name. Copy it first.",
    "file_not_a_file": "Nothing was offered: only a plain file can be sent.",
    "file_not_ours": "Nothing was offered: it belongs to another user or file system.",
    "file_unreadable": "Nothing was offered: it cannot be read.",
    "file_empty": "Nothing was offered: the file is empty.",
    "file_too_large": "Nothing was offered: it is larger than the owner allows.",
    "file_changed": "Nothing was offered: it is being written. Offer it when it is done.",
    "file_private": "Nothing was offered: that is the bridge's own state.",
    "empty": "Nothing was queued: there is no text to show.",
    "too_long": "Nothing was queued: it must fit one bubble; use at most 1,200 characters, "
    "200 for a caption.",
    "too_many": "Nothing was queued: enough of yours waits for the owner already. "
    "Say more when that has left, and put it in fewer words.",
    "too_many_questions": "Nothing was queued: three of your questions wait for an answer. "
    "Ask when one is over; ask_result tells.",
    "too_many_offers": "Nothing was offered: three of your files wait for the owner. "
    "Offer more when one was sent, or tomorrow.",
    "bad_options": "Nothing was queued: at most nine options, each of 1 to 40 characters.",
    "no_owner": "Nothing was queued: nobody is logged in; its owner runs  ctb-channel login.",
}
_RESULTS = {
    "waiting": "The owner has not answered yet. Ask again later; do not ask in a rush.",
    "answered": "The owner answered.",
    "declined": "The owner declined to answer.",
    "undelivered": "It never reached the phone, so nobody will answer it. Ask again if you still "
    "need to know.",
    "expired": "Nobody answered within twelve hours; the question is over.",
    "not_found": "There is no question of yours with this id.",
}


def of_receipt(receipt: Receipt) -> str:
    """The sentence for what became of a note or a question."""
    if receipt.state == "refused":
        return _REFUSALS.get(receipt.why, "Nothing was queued.")
    if receipt.of == "line" and receipt.state in _UNTOLD:
        return _UNTOLD[receipt.state] + _STILL_LISTED
    joined = "It joined your earlier note that waits. " if receipt.is_merged else ""
    return joined + _OF[receipt.of] + _STATES[receipt.state]


def of_result(result: ResultReply) -> str:
    """The sentence for what became of a question's answer."""
    return _RESULTS[result.state]
