"""The words of a message, to the Command that they ask for; nothing is decided yet.

A verb is ASCII, any case, matched exactly after NFKC and right behind its slash, so a
full-width slash works and a look-alike letter, or a second line, does not. Words before
free text may hold no control, format, private-use or unassigned characters: they are
refused, never stripped. Free text is left as it is, because emoji need their joiners.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from difflib import get_close_matches

from bridge.core import commands as c
from bridge.core import words
from bridge.core.words import BadWords, no_words, number, one_word, plain

SLASHES = ("/", "／")
MAX_VERB_CHARS = 20  # of an unknown word that are compared; ours have ten at most


def parse(text: str) -> c.Command:
    """The command in a typed message; text that is none is a Prompt."""
    if not is_typed(text):
        return c.Prompt()
    body = text.strip()[1:]
    head, *behind = body.split(maxsplit=1) or [""]
    verb = unicodedata.normalize("NFKC", head).lower()
    if not body.startswith(head) or not verb.isascii() or verb not in _VERBS:
        return c.Unknown(_nearest(verb), _is_path(verb))
    try:
        return _VERBS[verb](behind[0].strip() if behind else "")
    except BadWords:
        return c.Malformed(_CANONICAL.get(verb, verb))


def is_typed(text: str) -> bool:
    """Whether a text is a command: it begins with one slash, ASCII or full width."""
    body = text.lstrip()
    return body.startswith(SLASHES) and not body.startswith(SLASHES, 1)


def unescaped(text: str) -> str:
    """Text that begins with two slashes, with one of them taken away."""
    body = text.lstrip()
    return "/" + body[2:] if body.startswith(SLASHES) and body.startswith(SLASHES, 1) else text


def verbs() -> tuple[str, ...]:
    """Every verb that `/help` shows, in the order it shows them."""
    return tuple(verb for verb in _VERBS if verb not in _CANONICAL)


def _add(rest: str) -> c.Command:
    alias, target = words.split(rest, 2, 2)
    return c.Add(alias, target)


def _send(rest: str) -> c.Command:
    return c.Send(*words.first_and_rest(rest))


def _answer(rest: str) -> c.Command:
    return c.Answer(*words.first_and_rest(rest))


def _steer(rest: str) -> c.Command:
    if not rest:
        raise BadWords
    return c.Steer(rest)


def _new(rest: str) -> c.Command:
    found = rest.split(maxsplit=1)
    if not found:
        raise BadWords
    folder = found[1] if len(found) > 1 else ""
    plain(folder)  # its signs are checked and its name left as it is
    return c.New(plain(found[0]), folder)


def _fork(rest: str) -> c.Command:
    alias, *name = words.split(rest, 1, 2)
    return c.Fork(alias, name[0] if name else "")


def _threads(rest: str) -> c.Command:
    return c.Threads(" ".join(words.split(rest, 0, 10)))


def _sendfile(rest: str) -> c.Command:
    (which,) = words.split(rest, 1, 1)
    if which.lower() == "all":
        return c.SendFile("all")
    if which[0] in "#＃":
        return c.SendFile(f"#{words.whole(which[1:])}")
    if not (which.isascii() and which.isdecimal() and len(which) <= 4):
        raise BadWords
    return c.SendFile(which)


def _lang(rest: str) -> c.Command:
    (lang,) = words.split(rest, 1, 1)
    if lang.lower() not in ("zh", "en"):
        raise BadWords
    return c.SetLang(lang.lower())


def _group(rest: str) -> c.Command:
    action, *behind = words.split(rest.lower(), 1, 2)
    given = words.whole(behind[0]) if behind else 0
    match action, bool(behind):
        case ("approve" | "reset" | "disable" | "status") as known, True:
            return c.Group(known, given)
        case ("list" | "status") as known, False:
            return c.Group(known)
    raise BadWords


def _help(rest: str) -> c.Command:
    found = words.split(rest, 0, 1)
    verb = found[0].lstrip("/").lower() if found else ""
    if verb and verb not in _VERBS:
        return c.Unknown(_nearest(verb))
    return c.Help(_CANONICAL.get(verb, verb))


_VERBS: dict[str, Callable[[str], c.Command]] = {
    "threads": _threads,
    "use": one_word(c.Use),
    "add": _add,
    "bind": one_word(c.Bind),
    "list": no_words(c.Aliases),
    "remove": one_word(c.Remove),
    "status": one_word(c.Status, may_lack=True),
    "refresh": one_word(c.Refresh, may_lack=True),
    "send": _send,
    "steer": _steer,
    "stop": one_word(c.Stop, may_lack=True),
    "approve": one_word(c.Approve),
    "deny": one_word(c.Deny),
    "answer": _answer,
    "queue": no_words(c.Queue),
    "cancel": number(c.Cancel),
    "retry": no_words(c.Retry),
    "new": _new,
    "fork": _fork,
    "more": no_words(c.More),
    "result": number(c.Result),
    "resend": number(c.Resend),
    "artifacts": one_word(c.Artifacts, may_lack=True),
    "sendfile": _sendfile,
    "run-held": no_words(c.RunHeld),
    "drop-held": no_words(c.DropHeld),
    "recover": one_word(c.Recover),
    "trace": number(c.Trace),
    "why": no_words(c.Why),
    "dead": no_words(c.Dead),
    "group": _group,
    "yes": no_words(c.Yes),
    "no": no_words(c.No),
    "lang": _lang,
    "help": _help,
    "rm": one_word(c.Remove),
    "?": _help,
}
_CANONICAL = {"rm": "remove", "?": "help"}


# `/tmp is full` is no command either.
_ROOTS = ("dev", "etc", "home", "mnt", "opt", "proc", "root", "srv", "tmp", "users", "usr", "var")


def _is_path(verb: str) -> bool:
    return verb in _ROOTS or any(sign in verb for sign in "/\\.~")


def _nearest(verb: str) -> str:
    """The verb to show the usage line of: one that looks so, else is so begun, else `help`."""
    starts = [other for other in verbs() if len(verb) > 1 and other.startswith(verb[:2])]
    alike = get_close_matches(verb[:MAX_VERB_CHARS], starts or verbs(), 1)
    begun = [other for other in starts if other.startswith(verb)]
    return next(iter(alike or begun), "help")
