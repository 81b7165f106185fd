"""Choosing and naming threads: `/use`, `/add`, `/bind`, `/remove`, and its `/yes`."""

from __future__ import annotations

from dataclasses import replace

from bridge.core.decision import Audit, Decision, View
from bridge.core.foreign import on_a_line
from bridge.core.groups import owns
from bridge.core.intake import InboxEvent
from bridge.core.model import Alias, AliasName, Listed, ThreadId, is_unmade
from bridge.core.names import MAX_ALIAS_CHARS, is_alias, skeleton
from bridge.core.phrases import notice, say
from bridge.core.room import Room, alias_named, alias_of, is_thread_id, listed_at

DEFAULT = AliasName("default")  # design 7: /bind
TITLE_CHARS = 80  # of the one thread that is spoken of


def use(room: Room, target: str) -> Decision:
    """A name is chosen; a number of the last list is named after its folder, and chosen."""
    if not target.isdecimal():
        alias = alias_named(room.view, target)
        if alias is None:
            return room.tell("no_alias", alias=target)
        return _choose(room, alias)
    listed = listed_at(room.peer, target)
    if listed is None:
        return room.tell("no_number", number=target)
    known = alias_of(room.view, listed.thread)
    if known is not None:
        return _choose(room, known)
    return _name(room, _fresh_name(room, listed), listed, is_chosen=True)


def bind(room: Room, target: str) -> Decision:
    """The thread gets the one name that needs no thinking, and is chosen."""
    return add(room, DEFAULT, target, is_chosen=True)


def add(room: Room, name: AliasName, target: str, *, is_chosen: bool = False) -> Decision:
    """A name for a thread, by its number in the last list or by its id.

    It is never taken from another thread; the `default` of /bind is, and that is told.
    """
    refused = refused_name(room, name)
    if refused is not None:
        return refused
    listed = listed_at(room.peer, target)
    if listed is None and target.isdecimal():
        return room.tell("no_number", number=target)
    if listed is None and not is_thread_id(target):
        return room.tell("bad_thread_id")
    status = room.facts.status
    if listed is None and room.facts.knows_all and status is not None and not status.is_known:
        return room.tell("unknown_thread")
    meant = listed or Listed(ThreadId(target), "", "")
    other = alias_named(room.view, name)
    if other is not None and other.thread != meant.thread and not is_chosen:
        return room.tell("name_taken", alias=name)
    return _name(room, name, meant, is_chosen=is_chosen)


def remove(room: Room, name: str) -> Decision:
    """Asks first: `removed` takes the name away."""
    alias = alias_named(room.view, name)
    if alias is None:
        return room.tell("no_alias", alias=name)
    room.ask("remove", alias.name)
    return room.tell("confirm_remove", alias=alias.name)


def removed(room: Room, name: AliasName) -> Decision:
    """The name goes, as its owner confirmed."""
    phrase = "removed"
    if room.peer.active == name:
        phrase, room.peer = "removed_in_use", replace(room.peer, active=None)
    audit = Audit("alias.remove", "owner confirmed", "removed", name)
    return replace(room.tell(phrase, alias=name), removed=name, audit=(audit,))


def refused_word(view: View, name: AliasName, *, must_be_free: bool = False) -> tuple[str, str]:
    """The phrase for why a name cannot be given, and the name in its way; else empty."""
    if not is_alias(name):
        return "bad_alias", ""
    if must_be_free and name in view.aliases:
        return "name_taken", name
    for other in view.aliases:
        if other != name and skeleton(other) == skeleton(name):
            return "alias_like", other
    return "", ""


def refused_name(room: Room, name: AliasName, *, must_be_free: bool = False) -> Decision | None:
    """The answer where a name cannot be given; None where it can."""
    phrase, other = refused_word(room.view, name, must_be_free=must_be_free)
    return room.tell(phrase, alias=name[:40], other=other) if phrase else None


def free_name(view: View, stem: str) -> AliasName:
    """This name, with a number behind it where it is taken."""
    taken = {skeleton(name) for name in view.aliases}
    name, number = stem, 1
    while skeleton(name) in taken:
        number += 1
        name = f"{stem[: MAX_ALIAS_CHARS - 4]}-{number}"
    return AliasName(name)


def _name(room: Room, name: AliasName, listed: Listed, *, is_chosen: bool) -> Decision:
    status = room.facts.status
    cwd = listed.cwd or (status.cwd if status else "")
    if owns(room.view, room.policy, listed.thread, cwd):
        return room.tell("group_thread")
    alias = Alias(
        name,
        listed.thread,
        cwd=cwd,
        title=listed.title,
        seen_head=(status.head or "") if status else "",
        position=room.facts.position,
    )
    if is_chosen:
        room.peer = replace(room.peer, active=name)
    told = _named(alias, room, is_chosen=is_chosen) + _gave_way(alias, room)
    audit = Audit("alias.put", "owner", "named", name)
    return replace(room.build(InboxEvent.ANSWERED, told), aliases=(alias,), audit=(audit,))


def _gave_way(alias: Alias, room: Room) -> str:
    """What the name meant before, where it was another thread."""
    before = alias_named(room.view, alias.name)
    if before is None or before.thread == alias.thread:
        return ""
    title = on_a_line(before.title, TITLE_CHARS) or say("untitled", room.lang)
    phrase = "gave_way_unmade" if is_unmade(before.thread) else "gave_way"
    return "\n" + notice(phrase, room.lang, alias=alias.name, title=title)


def _choose(room: Room, alias: Alias) -> Decision:
    if owns(room.view, room.policy, alias.thread, alias.cwd):
        return room.tell("group_thread")
    room.peer = replace(room.peer, active=alias.name)
    audit = Audit("alias.use", "owner", "chosen", alias.name)
    return room.build(InboxEvent.ANSWERED, _named(alias, room, is_chosen=True), (audit,))


def _named(alias: Alias, room: Room, *, is_chosen: bool) -> str:
    if alias.title:
        phrase = "using" if is_chosen else "added"
        title = on_a_line(alias.title, TITLE_CHARS)
        return notice(phrase, room.lang, alias=alias.name, title=title)
    phrase = "using_untitled" if is_chosen else "added_untitled"
    return notice(phrase, room.lang, alias=alias.name)


def _fresh_name(room: Room, listed: Listed) -> AliasName:
    """The folder's name, with a number behind it where that is taken."""
    folder = listed.cwd.rstrip("/").rpartition("/")[2].lower()
    stem = "".join(ch if ch.isalnum() or ch in "-_" else "-" for ch in folder)
    stem = stem.strip("-_")[: MAX_ALIAS_CHARS - 4]
    if not is_alias(stem):
        stem = "thread"
    return free_name(room.view, stem)
