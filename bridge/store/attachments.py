"""Files that came with messages: the reference at once, the bytes when they are here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from bridge.core.attached import Attachment, FileId
from bridge.core.fetching import RETRY_MS, FetchStep, FileKind, Wanted
from bridge.core.model import InboxId, Part
from bridge.store import rows
from bridge.store.statements import Record, change, least, pairs, records
from bridge.store.statements import add as insert
from bridge.store.tables import AttachmentTable

_KINDS: Mapping[str, FileKind] = {
    "voice": "voice", "image": "image", "file": "file", "video": "video"
}  # fmt: skip
_OPEN = """outcome = '' AND EXISTS (
    SELECT 1 FROM inbox WHERE inbox.id = attachment.inbox AND state != 'done')"""

# A message is done with its turn; a turn names files of messages before it (`/retry`).
_NEEDED = """SELECT path,
    CASE WHEN inbox.state = 'done' AND coalesce(turn.state, 'done') = 'done'
        THEN max(inbox.done_ms, coalesce(turn.ended_ms, 0)) END
    FROM attachment JOIN inbox ON inbox.id = attachment.inbox
    LEFT JOIN turn ON turn.id = inbox.turn
    WHERE path != ''
    UNION ALL SELECT json_extract(file.value, '$[0]'),
        CASE WHEN turn.state = 'done' THEN turn.ended_ms END
    FROM turn, json_each(turn.files) AS file WHERE turn.files != '[]'"""


def files_of(parts: Sequence[Part]) -> tuple[int, ...]:
    """Which parts of a message are files. A voice message with words is words."""
    return tuple(
        place
        for place, part in enumerate(parts)
        if part.kind in _KINDS and not (part.kind == "voice" and part.text)
    )


def add(inbox: int, parts: Sequence[Part], places: Sequence[int]) -> None:
    """Keep the references; a file that came without one is given up at once."""
    for place in places:
        media = parts[place].media
        insert(
            AttachmentTable,
            inbox=inbox,
            place=place,
            kind=parts[place].kind,
            media=rows.dump(media) if media else "",
            outcome="" if media else "gone",
        )


def of_rows(ids: Sequence[int]) -> dict[InboxId, tuple[Attachment, ...]]:
    """The files of these messages, in their order."""
    found: dict[InboxId, tuple[Attachment, ...]] = {}
    marks = ", ".join("?" * len(ids))
    for row in records(AttachmentTable, f"inbox IN ({marks}) ORDER BY id", *ids):
        file = Attachment(FileId(row.id), row.place, row.outcome, row.path, row.content_type)
        found[InboxId(row.inbox)] = (*found.get(InboxId(row.inbox), ()), file)
    return found


def due(now_ms: int, limit: int, passed_over: Sequence[FileId]) -> tuple[Wanted, ...]:
    """Files to fetch now, the oldest first."""
    where = f"{_OPEN} AND not_before_ms <= ? ORDER BY id LIMIT ?"
    found = records(AttachmentTable, where, now_ms, limit + len(passed_over))
    return tuple(_wanted(row) for row in found if row.id not in passed_over)[:limit]


def next_due_ms(now_ms: int) -> int | None:
    """When the next file is to be tried again; None when none waits."""
    found = least(AttachmentTable, "not_before_ms", _OPEN)
    # A clock that was set back delays nothing longer than the largest back-off.
    return None if found is None else min(found, now_ms + RETRY_MS[-1])


def fetched(file: FileId, step: FetchStep, path: str, content_type: str, code: str) -> None:
    """What became of one try; the reference and its key go once nobody needs them."""
    columns: dict[str, object] = {
        "outcome": step.outcome,
        "tries": step.tries,
        "not_before_ms": step.not_before_ms,
        "path": path,
        "content_type": content_type,
        "code": code,
    }
    if step.outcome:
        columns["media"] = ""
    change(AttachmentTable, "id = ?", (file,), **columns)


def needed(folder: str) -> tuple[dict[str, int], frozenset[str]]:
    """By place below `folder`: when each file's last message was done, and what is not."""
    done_ms: dict[str, int] = {}
    unfinished: set[str] = set()
    for path, ended_ms in pairs(_NEEDED):
        at = path.removeprefix(folder)
        if ended_ms is None:
            unfinished.add(at)
        else:
            done_ms[at] = max(ended_ms, done_ms.get(at, 0))
    return done_ms, frozenset(unfinished)


def let_go(paths: Sequence[str]) -> None:
    """These files are about to be removed: whoever asks for them is told that they are gone."""
    for path in paths:
        change(AttachmentTable, "path = ?", (path,), outcome="gone", path="", code="outlived")


def _wanted(row: Record) -> Wanted:
    media = json.loads(row.media)
    return Wanted(FileId(row.id), _KINDS[row.kind], media, row.tries)
