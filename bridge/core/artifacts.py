"""Files from threads to the phone: `/artifacts`, `/sendfile`, and the `/yes` to a doubt.

Nothing leaves by itself: an answer offers, its owner asks, the gate checks and copies,
and what is sent is the copy (threat-model R22 to R26). A file in doubt is asked about,
one at a time, with its name, size and the first digits of its hash; the `/yes` sends the
very copy that was hashed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bridge.core.attached import FileFact, NewFile
from bridge.core.decision import Audit, Decision, NewRow
from bridge.core.foreign import harmless, on_a_line
from bridge.core.intake import InboxEvent
from bridge.core.model import Lang, SendClass, TurnId
from bridge.core.phrases import notice, say, size
from bridge.core.room import Room, alias_named
from bridge.core.text import preview

MAX_SHOWN = 10  # with a reason each, as many as one bubble holds
NAME_CHARS = 40  # of a name in a list; the whole of it stands where a file is sent
CLIENT_CHARS = 16
HASH_DIGITS = 12  # shown before a `/yes`: nobody finds another file that begins so by chance
OFFER_LIFE_MS = 86_400_000  # an agent's offer is in the list for a day, or until it is sent
ALL = "all"
WHOLE = "#"  # before the number of an answer: all of its text, as a file


def listing(room: Room, name: str) -> Decision:
    """The files of the latest answer, numbered; all numbers are kept for `/sendfile`."""
    if name and alias_named(room.view, name) is None:
        return room.tell("no_alias", alias=name)
    found = room.facts.files
    if found is None:
        return room.tell("artifacts_none")
    shown = found[:MAX_SHOWN]
    _number(room, found)
    if not shown:
        return _empty(room)
    lines = [_line(number, file, room.lang) for number, file in enumerate(shown, 1)]
    if len(found) > len(shown):
        more = len(found) - len(shown)
        lines.append(say("artifacts_more", room.lang, count=more, last=len(found)))
    if any(not file.why for file in shown):
        lines.append(notice("artifacts_how", room.lang))
    head = notice("artifacts_offered", room.lang)
    if room.facts.files_of is not None:
        head = notice("artifacts_head", room.lang, id=room.facts.files_of)
    return room.build(InboxEvent.ANSWERED, "\n".join([head, *lines]))


def send(room: Room, which: str) -> Decision:
    """Send what the gate has copied; ask about a doubt, say why a file stays."""
    found = room.facts.files
    if which.startswith(WHOLE) and not found:
        return room.tell("no_result", id=which.removeprefix(WHOLE))
    if found is None:
        return room.tell("artifacts_none")
    if not found and which == ALL:
        return _empty(room)
    if not found:
        return room.tell("no_file_number", number=which)
    if which != ALL and found[0].copy is not None and found[0].doubts:
        return _ask(room, found[0], found[0].copy)
    going = [file.copy for file in found if file.copy is not None and not file.doubts]
    staying = [(n, file) for n, file in enumerate(found, 1) if file.copy is None or file.doubts]
    if which == ALL:
        _number(room, found)
    sent = _sent(room, going, "owner")
    return _with_reasons(room, sent, staying, which == ALL) if staying else sent


def confirmed(room: Room) -> Decision:
    """The copy that was asked about goes, byte for byte."""
    copy = room.view.asked_file
    if copy is None:
        return room.tell("nothing_to_confirm")
    return _sent(room, [copy], "owner confirmed")


def _number(room: Room, found: Sequence[FileFact]) -> None:
    """What a number means from now on."""
    offers = tuple(file.offer for file in found if file.offer)
    room.peer = replace(room.peer, files=offers, files_ms=room.now_ms)


def _empty(room: Room) -> Decision:
    if room.facts.files_of is None:
        return room.tell("artifacts_none")
    return room.tell("artifacts_empty", id=room.facts.files_of)


def _ask(room: Room, file: FileFact, copy: NewFile) -> Decision:
    room.ask("send", copy.staged_name)
    told = notice(
        "send_ask",
        room.lang,
        name=harmless(copy.name),
        size=size(copy.size_bytes),
        hash=copy.sha256[:HASH_DIGITS],
        why=_doubts(file.doubts, room.lang),
    )
    audit = replace(_audit(copy, "owner", "asked"), what="artifact.ask")
    return replace(room.build(InboxEvent.ANSWERED, told, (audit,)), files=(copy,))


def _sent(room: Room, copies: Sequence[NewFile], rule: str) -> Decision:
    rows = tuple(
        NewRow(
            SendClass.ANSWER,
            copy.name,
            f"ctb:{room.ids.seed}-f{number}",
            f"file-{copy.staged_name}",
            turn=TurnId(copy.turn) if copy.turn else None,
            staged=copy.staged_name,
        )
        for number, copy in enumerate(copies)
    )
    audit = tuple(_audit(copy, rule, "queued") for copy in copies)
    found = room.build(InboxEvent.ANSWERED, audit=audit)
    return replace(found, bubbles=rows, files=tuple(copies))


def _with_reasons(
    room: Room, sent: Decision, staying: Sequence[tuple[int, FileFact]], is_numbered: bool
) -> Decision:
    """The files that go, and above them why the others do not."""
    phrase = "not_sent" if any(file.why for _, file in staying) else "not_sent_asks"
    told_of = staying[:MAX_SHOWN]
    names = [f"{n}. {_shown(f.name)}" if is_numbered else _shown(f.name) for n, f in told_of]
    reasons = [_standing(file, room.lang) for _, file in told_of]
    lines = [f"{name} · {why}" for name, why in zip(names, reasons, strict=True)]
    if len(staying) > len(told_of):
        lines.append(say("not_sent_more", room.lang, count=len(staying) - len(told_of)))
    told = room.build(InboxEvent.ANSWERED, "\n".join([notice(phrase, room.lang), *lines]))
    audit = sent.audit + room.not_done("refused", phrase)
    return replace(sent, bubbles=told.bubbles + sent.bubbles, audit=audit)


def _audit(copy: NewFile, rule: str, outcome: str) -> Audit:
    return Audit("artifact.send", rule, outcome, copy.sha256[:HASH_DIGITS])


def _line(number: int, file: FileFact, lang: Lang) -> str:
    parts = [f"{number}. {_shown(file.name)}"]
    if file.size_bytes:
        parts.append(size(file.size_bytes))
    if file.client:
        parts.append(preview(file.client, CLIENT_CHARS))
    parts.append(_standing(file, lang))
    return " · ".join(parts)


def _standing(file: FileFact, lang: Lang) -> str:
    if file.why:
        return say(f"stays_{file.why}", lang)
    if file.doubts:
        return say("asks_first", lang, why=_doubts(file.doubts[-1:], lang))
    return say("file_ready", lang)


def _doubts(doubts: Sequence[str], lang: Lang) -> str:
    comma = "，" if lang == "zh" else ", "
    return comma.join(say(f"doubt_{doubt}", lang) for doubt in doubts)


def _shown(name: str) -> str:
    return on_a_line(name, NAME_CHARS)
