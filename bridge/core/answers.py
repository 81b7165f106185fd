"""The commands that only answer: lists, status, stored answers, help.

None of them makes a turn, and none waits behind one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from bridge.core import approvals, given_up, groups, guests, life, rules, verbs
from bridge.core import commands as c
from bridge.core.bubbles import BUBBLES_AT_ONCE, BUBBLES_PER_MORE, bubbles
from bridge.core.decision import Facts, Ids, Policy, Session, ThreadStatus, View
from bridge.core.foreign import named, on_a_line
from bridge.core.manual import in_full
from bridge.core.model import (
    AccountState,
    Lang,
    Listed,
    Parked,
    Peer,
    ThreadId,
    Turn,
    TurnState,
    is_unmade,
)
from bridge.core.phrases import age, notice, say, usage
from bridge.core.prompts import without_paths
from bridge.core.room import Reply, alias_meant

MAX_LISTED = 10  # lines of a list that fit one bubble
MAX_NAMES = 20  # of 32 characters, each with its title: one bubble
TITLE_CHARS = 40
TITLE_KEPT_CHARS = 80  # with its number, for whoever chooses it
FOLDER_CHARS = 24
MAX_ASKS = 6  # lines of a status about what waits for an answer
_TROUBLES = ("stalled", "network_waiting", "retrying", "interrupt_unanswered")
PROMPT_CHARS = 30


def answer(
    command: c.Answered, view: View, facts: Facts, policy: Policy, now_ms: int, ids: Ids
) -> Reply:
    """The reply to a command that changes nothing but its peer."""
    lang = view.peer.lang
    match command:
        case c.Threads(words):
            return _threads(words, view, facts, policy, now_ms)
        case c.Aliases():
            return Reply(_aliases(view))
        case c.Status(alias):
            refusal = "no_alias" if alias and alias_meant(view, alias) is None else ""
            return Reply(_status(alias, view, facts, policy, now_ms), refusal=refusal)
        case c.Queue():
            return Reply(_queue(view))
        case c.More():
            return _more(view, ids)
        case c.Result(number):
            return _result(number, view, ids)
        case c.SetLang(chosen):
            peer = replace(view.peer, lang="zh" if chosen == "zh" else "en")
            return Reply(notice("lang_set", peer.lang), peer=peer)
        case c.Help(verb) if verb:
            return Reply(notice("usage", lang, usage=in_full(verb, lang)))
        case c.Trace(number):
            refusal = "" if view.life else "no_turn"
            return Reply(_trace(number, view, now_ms), refusal=refusal)
        case c.Dead():
            return Reply(given_up.told(view.given_up, lang, now_ms))
        case c.Why():
            return Reply(rules.why(view.not_done, lang, now_ms))
        case c.Malformed(verb):
            return Reply(notice("usage", lang, usage=usage(verb, lang)), refusal="usage")
        case c.Unknown(nearest, is_path):
            phrase = "unknown_path" if is_path else "unknown_verb"
            return Reply(notice(phrase, lang, usage=usage(nearest, lang)), refusal=phrase)
        case c.Help():
            lines = [usage(verb, lang) for verb in verbs.verbs()]
            return Reply("\n".join([notice("help_head", lang), *lines]))
    assert_never(command)


def _threads(words: str, view: View, facts: Facts, policy: Policy, now_ms: int) -> Reply:
    lang = view.peer.lang
    if facts.sessions is None:
        told = notice("cannot_list", lang, why=say(facts.trouble, lang))
        return Reply(told, refusal="cannot_list")
    mine = [s for s in facts.sessions if not groups.owns(view, policy, s.thread, s.cwd)]
    shown = mine[:MAX_LISTED]
    if not shown:
        phrase = "threads_none_words" if words else "threads_none"
        return Reply(notice(phrase, lang, words=words))
    lines = [_thread_line(n, s, view, now_ms) for n, s in enumerate(shown, 1)]
    listed = tuple(Listed(s.thread, on_a_line(s.title, TITLE_KEPT_CHARS), s.cwd) for s in shown)
    return Reply(
        "\n".join([notice("threads_head", lang), *lines]),
        peer=replace(view.peer, listed=listed),
    )


def _thread_line(number: int, session: Session, view: View, now_ms: int) -> str:
    lang = view.peer.lang
    title = on_a_line(session.title, TITLE_CHARS) or say("untitled", lang)
    folder = on_a_line(session.cwd.rstrip("/").rpartition("/")[2], FOLDER_CHARS)
    state = session.state if session.state in ("idle", "busy", "elsewhere") else "busy"
    details = [folder] if folder else []
    details.append(age(now_ms - session.updated_at_ms, lang))
    said = say(f"state_{state}", lang)
    holder = named(session.holder) if state == "elsewhere" else ""
    details.append(f"{said}: {holder}" if holder else said)
    names = [a.name for a in view.aliases.values() if a.thread == session.thread]
    alias = f" = {names[0]}" if names else ""
    return f"{number}. {title}{alias}\n   {' · '.join(details)}"


def _aliases(view: View) -> str:
    lang = view.peer.lang
    if not view.aliases:
        return notice("aliases_none", lang)
    found = sorted(view.aliases.values(), key=lambda alias: alias.name != view.peer.active)
    lines = []
    for alias in found[:MAX_NAMES]:
        sign = "→" if alias.name == view.peer.active else "  "
        title = on_a_line(alias.title, TITLE_CHARS) or say("untitled", lang)
        lines.append(f"{sign} {alias.name}  {title}")
    if len(found) > MAX_NAMES:
        lines.append(say("aliases_more", lang, count=len(found) - MAX_NAMES))
    return "\n".join([notice("aliases_head", lang), *lines])


def _status(name: str, view: View, facts: Facts, policy: Policy, now_ms: int) -> str:
    lang, alias = view.peer.lang, alias_meant(view, name)
    if alias is None and name:
        return notice("no_alias", lang, alias=name)
    lines = []
    if alias is None:
        lines.append(notice("no_thread", lang))
    else:
        title = on_a_line(alias.title, TITLE_CHARS) or say("untitled", lang)
        lines.append(notice("status_thread", lang, alias=alias.name, title=title))
        lines.append(_thread_state(alias.thread, view, facts, now_ms))
        lines += _trouble_of(alias.thread, view, facts)
    if facts.trouble:
        lines.append(say(facts.trouble, lang))
    lines += _waiting(view, alias.thread if alias else None)
    lines += _asking(view, policy, now_ms)
    lines += _channel(view, now_ms)
    lines += _servers(facts, lang)
    last = view.last_answer
    if last is not None:
        lines.append(say("status_last", lang, id=last.id, age=age(now_ms - last.ended_ms, lang)))
    return "\n".join(line for line in lines if line)


def _thread_state(thread: ThreadId, view: View, facts: Facts, now_ms: int) -> str:
    lang = view.peer.lang
    mine = [t for t in view.turns if t.thread == thread]
    if mine:
        turn = mine[0]
        since = turn.started_ms or turn.created_ms
        return say(
            "status_turn",
            lang,
            id=turn.id,
            state=say(_state_phrase(turn, view), lang),
            age=age(now_ms - since, lang),
        )
    if is_unmade(thread):
        return say("status_unmade", lang)
    status = facts.status
    if status is None:
        return ""
    if status.state == "elsewhere":
        return _elsewhere(status, lang)
    is_used = status.is_active or status.state == "busy"
    return say("status_theirs" if is_used else "status_free", lang)


def _trouble_of(thread: ThreadId, view: View, facts: Facts) -> list[str]:
    """Why the turn that is next does not get on, and what can be done."""
    status, lang = facts.status, view.peer.lang
    mine = [t for t in view.turns if t.thread == thread]
    if not mine or status is None:
        return []
    if mine[0].state is TurnState.PARKED and status.state == "elsewhere":
        return [_elsewhere(status, lang)]
    if mine[0].state is TurnState.RUNNING and status.run_reason in _TROUBLES:
        return [say(f"status_{status.run_reason}", lang, id=mine[0].id)]
    return []


def _elsewhere(status: ThreadStatus, lang: Lang) -> str:
    holder = named(status.holder) or say("another_program", lang)
    return say("status_elsewhere", lang, holder=holder)


_SERVERS = {"own server": "server_own", "shared daemon": "server_shared"}  # as ours names them


def _servers(facts: Facts, lang: Lang) -> list[str]:
    """The Codex processes behind the controller: name, version, memory."""
    servers = facts.status.servers if facts.status else ()
    return [
        say(
            "status_server",
            lang,
            name=say(_SERVERS[server.name], lang)
            if server.name in _SERVERS
            else named(server.name),
            version=named(server.version),
            memory=server.memory_bytes // 1_048_576,
        )
        for server in servers
    ]


def _waiting(view: View, thread: ThreadId | None) -> list[str]:
    """What waits in this thread, or in any where none is in use; the others are counted apart."""
    lang = view.peer.lang
    lines = []
    waiting = [t for t in view.turns if t.state in (TurnState.QUEUED, TurnState.PARKED)]
    here = [t for t in waiting if thread is None or t.thread == thread]
    if here:
        lines.append(say("status_queue", lang, count=len(here)))
    if len(waiting) > len(here):
        lines.append(say("status_queue_elsewhere", lang, count=len(waiting) - len(here)))
    if view.held:
        lines.append(say("status_held", lang, count=len(view.held)))
    if view.files_alone:
        lines.append(say("status_files", lang, count=len(view.files_alone)))
    return lines


def _asking(view: View, policy: Policy, now_ms: int) -> list[str]:
    """Everything that waits for the owner's answer, with how to give it."""
    lang = view.peer.lang
    is_remote = policy.remote_approvals
    asked = [(f"#{a.turn}", approvals.how_to_answer(a, lang, is_remote)) for a in view.approvals]
    questions = [q for q in view.questions if guests.standing(q, now_ms) == "waiting"]
    asked += [(q.client, say("how_to_answer", lang, code=q.code)) for q in questions]
    return [say("status_asks", lang, who=who, how=how) for who, how in asked[:MAX_ASKS]]


def _channel(view: View, now_ms: int) -> list[str]:
    lang = view.peer.lang
    lines = []
    if view.credits is not None and view.closes_ms is None:
        lines.append(say("status_credits", lang, count=view.credits))
    elif view.credits is not None and view.closes_ms is not None:
        left = age(view.closes_ms - now_ms, lang)
        lines.append(say("status_credits_for", lang, count=view.credits, age=left))
    if view.waiting_rows:
        lines.append(say("status_rows", lang, count=view.waiting_rows))
    if view.given_up:
        lines.append(say("status_given_up", lang, count=len(view.given_up)))
    if view.account.breaker_until_ms > now_ms:
        wait = age(view.account.breaker_until_ms - now_ms, lang)
        lines.append(say("status_breaker", lang, age=wait))
    if view.account.state is not AccountState.ON and view.account.rest_reason:
        lines.append(say("status_code", lang, code=view.account.rest_reason))
    return lines


def _queue(view: View) -> str:
    lang = view.peer.lang
    if not view.turns:
        return notice("queue_none", lang)
    lines = [notice("queue_head", lang)]
    for turn in view.turns[:MAX_LISTED]:
        state = say(_state_phrase(turn, view), lang)
        said = on_a_line(without_paths(turn.prompt, turn.files), PROMPT_CHARS)
        lines.append(f"#{turn.id} {turn.alias} · {state} · {said}")
    return "\n".join(lines)


def _state_phrase(turn: Turn, view: View) -> str:
    if any(approval.turn == turn.id for approval in view.approvals):
        return "turn_asks"
    if turn.state is TurnState.PARKED and turn.reason != Parked.AGREED:
        return f"turn_parked_{turn.reason}"
    return "turn_starting" if turn.state is TurnState.PARKED else f"turn_{turn.state}"


def _more(view: View, ids: Ids) -> Reply:
    peer, turn = view.peer, view.asked_turn
    if turn is None or not 0 < peer.more_next < len(turn.cuts):
        return Reply(notice("no_more", peer.lang))
    return _pages(turn, peer, peer.more_next, BUBBLES_PER_MORE, ids)


def _result(number: int, view: View, ids: Ids) -> Reply:
    peer, turn = view.peer, view.asked_turn
    if turn is None or turn.peer != peer.id:
        return Reply(notice("no_result", peer.lang, id=number), refusal="no_result")
    if turn.cuts:
        return _pages(turn, peer, 0, BUBBLES_AT_ONCE, ids)
    return without_text(turn, peer.lang)


def without_text(turn: Turn, lang: Lang) -> Reply:
    """Why there is no answer of a turn to read: it is not over, or it has none."""
    if turn.state is not TurnState.DONE:
        return Reply(notice("result_not_yet", lang, id=turn.id))
    state = say(f"end_{turn.outcome}", lang)
    return Reply(notice("result_none", lang, id=turn.id, state=state))


def _trace(number: int, view: View, now_ms: int) -> str:
    if view.life is None:
        return notice("no_turn", view.peer.lang, id=number)
    return life.told(view.life, view.peer.lang, now_ms)


def _pages(turn: Turn, peer: Peer, first: int, count: int, ids: Ids) -> Reply:
    rows = bubbles(turn, first, count, peer, ids)
    after = first + count if first + count < len(turn.cuts) else 0
    return Reply(rows=rows, peer=replace(peer, more_turn=turn.id, more_next=after))
