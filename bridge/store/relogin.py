"""A new login of the owner: what has waited for it for long is named instead of sent.

Every answer would cost one of the few replies that WeChat takes after the owner's next
message. What `/result` cannot show stays as it is: requests, files, what is said of turns
that gave no answer, replies to commands, and whatever a group is owed.
"""

from __future__ import annotations

import uuid

from bridge.core.decision import NewRow
from bridge.core.model import Lang, Owner, PeerId, SendClass
from bridge.core.phrases import notice
from bridge.core.rules import line
from bridge.core.sending import ANSWER_LIFE_MS
from bridge.core.text import fitting
from bridge.store import outbox, rights, rows
from bridge.store.audit import add_audit
from bridge.store.statements import change, record, records
from bridge.store.tables import OutboxTable, PeerRow

# The bubbles of an answer, as it came or as it was asked for: `turn-<id>-<first>-...`
_OLD = """peer = ? AND state = 'ready' AND created_ms < ?
    AND grp LIKE 'turn-%' AND artifact IS NULL"""


def name_old_answers(owner: Owner, lang: Lang, now_ms: int) -> None:
    """Let one notice stand for the answers that have waited for more than a day.

    `lang` is that of the settings, for an owner who chose none.
    """
    for peer in sorted(owner.user_ids):
        old = (peer, now_ms - ANSWER_LIFE_MS)
        turns = sorted({int(row.turn) for row in records(OutboxTable, _OLD, *old)})
        if turns:
            rights.cancel(_OLD, old, now_ms)
            _tell(PeerId(peer), turns, lang, now_ms)


def _tell(peer: PeerId, turns: list[int], lang: Lang, now_ms: int) -> None:
    known = rows.peer(record(PeerRow, "peer = ?", peer), peer, lang)
    if known.more_turn in turns:  # `/more` would go on behind bubbles that nobody has seen
        change(PeerRow, "peer = ?", (peer,), more_turn=None, more_next=0)
    ids = " ".join(f"#{turn}" for turn in turns)
    told = fitting(notice("results_waiting", known.lang, ids=ids, id=turns[0]))
    name = f"results-{uuid.uuid4().hex}"
    outbox.add_rows((NewRow(SendClass.ANSWER, told, f"ctb:{name}", name),), peer, now_ms)
    add_audit(line("withheld", "results_waiting"), peer, now_ms)
