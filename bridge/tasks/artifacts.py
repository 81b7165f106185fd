"""Looks at the files that answers speak of, and copies those that are asked for.

All of it is done on a thread of its own: a disk may be slow. What was copied for a
decision that did not come about is found by the daily tidying, or at the next start.
"""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from anyio import to_thread

from bridge.core.artifacts import ALL, OFFER_LIFE_MS, WHOLE
from bridge.core.attached import ArtifactId, FileFact, NewFile, Offer
from bridge.core.decision import Facts, View
from bridge.core.model import Alias, Turn, TurnId
from bridge.core.paths import MAX_PATH_CHARS
from bridge.core.room import alias_named
from bridge.files import gate
from bridge.files.gate import Leaving, Refused, Roots, TurnWindow
from bridge.store import artifacts, turns, views
from bridge.tasks.points import reach
from bridge.tasks.state import Shared
from bridge.wire import log

EXPORTS = "exports"  # issue 5, item 7: the folder of a workspace whose files are meant to leave
AGENT_WINDOW_MS = 3_600_000  # an agent has no turn: what it made in the hour before its offer
REMOTE = "remote"
NO_ROOM = "no_room"

_log = log.get("artifacts")


@dataclass(frozen=True, slots=True)
class _Ground:
    """Where offers come from: the folder of a thread and its turn, or an agent's word."""

    cwd: str
    window: TurnWindow
    path: str = ""  # of an agent's offer
    aliases: tuple[Alias, ...] = ()  # whose workspaces may hold that


@dataclass(frozen=True, slots=True)
class _Item:
    offer: Offer
    ground: _Ground


class Artifacts:
    """The files that may leave, as the disk knows them."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def looked_at(self, name: str, view: View) -> Facts:
        """Every file that is here of the latest answer, and of agents; names of what is not."""

        def read() -> tuple[Turn | None, tuple[_Item, ...]]:
            turn = _latest(name, view)
            offers = artifacts.offers_of(turn.id) if turn else ()
            if not name and view.quoted_turn is None:
                since_ms = self._shared.now_ms() - OFFER_LIFE_MS
                offers += artifacts.offers_of_agents(view.peer.id, since_ms)
            return turn, _items(offers, view)

        turn, items = await self._shared.db.read(read)
        if turn is None and not items:
            return Facts()
        found = await to_thread.run_sync(self._look, items)
        return Facts(files=tuple(found), files_of=turn.id if turn else None)

    async def copied(self, which: str, view: View) -> Facts:
        """Copies of what is asked for: of the list that was shown last, by a number or all of it.

        Where none was, an answer is quoted, or all is asked for and there is a newer answer,
        of the files of that, or of the latest.
        """
        if which.startswith(WHOLE):
            return await self._written(int(which.removeprefix(WHOLE)), view)
        shown = await self._shared.db.read(lambda: _listed(which, view))
        facts = Facts(files=())
        if not shown:
            facts = await self.looked_at("", view)
            shown = tuple(file.offer for file in facts.files or () if file.offer)
        if facts.files is None:
            return facts
        chosen = shown if which == ALL else shown[max(int(which), 1) - 1 : int(which)]
        items = await self._shared.db.read(lambda: _items(artifacts.offers(chosen), view))
        copied = await to_thread.run_sync(self._copy, items, which == ALL)
        reach("staged")
        return replace(facts, files=copied)

    async def _written(self, number: int, view: View) -> Facts:
        """The text of a stored answer, as the phone shows it, in a file."""
        turn = await self._shared.db.read(lambda: turns.get(TurnId(number)))
        if turn is None or turn.peer != view.peer.id or not turn.cuts:
            return Facts(files=())
        data, staging = turn.result.encode(), self._shared.leaving.staging
        name = f"answer-{turn.id}.md"
        try:
            staged_name, sha256 = await to_thread.run_sync(gate.keep, data, staging)
        except OSError as failed:
            return Facts(files=(replace(FileFact(None, name), why=_no_room(failed, turn.id)),))
        reach("staged")
        copy = NewFile(staged_name, name, "file", len(data), sha256, turn=turn.id)
        return Facts(files=(FileFact(None, name, len(data), copy=copy),), files_of=turn.id)

    def _look(self, items: Sequence[_Item]) -> list[FileFact]:
        """What can go comes first, then what is asked about, then what stays."""
        found: dict[Path, FileFact] = {}
        for ground, offers in _by_ground(items).items():
            places: dict[Path, Offer] = {}
            for offer in offers:
                places.setdefault(_place(offer, ground), offer)
            roots = self._roots(ground)
            if roots is None:
                found |= {p: replace(_named(o), why=REMOTE) for p, o in places.items()}
                continue
            # Words that only look like a file are left out.
            here = [place for place in places if _is_there(place)]
            seen = gate.look(here, roots, ground.window, self._shared.leaving.limit_bytes)
            for place, one in zip(here, seen, strict=True):
                found.setdefault(place, _fact(places[place], one))
        return sorted(found.values(), key=lambda file: (bool(file.why), bool(file.doubts)))

    def _copy(self, items: Sequence[_Item], is_all: bool) -> tuple[FileFact, ...]:
        return tuple(self._copy_one(item, is_all) for item in items)

    def _copy_one(self, item: _Item, is_all: bool) -> FileFact:
        """A copy, or why there is none; of many, what is in doubt is not kept."""
        offer, fact, leaving = item.offer, _named(item.offer), self._shared.leaving
        roots = self._roots(item.ground)
        if roots is None:
            return replace(fact, why=REMOTE)
        place, window = _place(offer, item.ground), item.ground.window
        try:
            found = gate.stage(place, roots, window, leaving.staging, leaving.limit_bytes)
        except OSError as failed:
            return replace(fact, why=_no_room(failed, offer.id))
        fact = _fact(offer, found)
        if isinstance(found, Refused):
            return fact
        if found.doubts and is_all:
            (leaving.staging / found.staged_name).unlink(missing_ok=True)
            return fact
        name, kind, size = found.shown_name, found.kind, found.size_bytes
        copy = NewFile(
            found.staged_name, name, kind, size, found.sha256, offer.id, offer.turn, offer.client
        )
        return replace(fact, copy=copy)

    def _roots(self, ground: _Ground) -> Roots | None:
        """What may leave there; None where the folder is on another machine."""
        if ground.path:
            return _roots_for_agent(ground.path, ground.aliases, self._shared.leaving)
        return None if self._shared.is_remote else roots_of(ground.cwd, self._shared.leaving)


def roots_of(cwd: str, leaving: Leaving) -> Roots | None:
    """What may leave from a thread in this folder; None where the folder is not here."""
    workspace = Path(cwd)
    if not workspace.is_absolute() or not workspace.is_dir():
        return None
    home = Path.home()
    is_wide = home.is_relative_to(workspace) or home.resolve().is_relative_to(workspace.resolve())
    exports = (workspace / EXPORTS, *leaving.roots)
    return Roots(workspace, exports, leaving.private, is_wide, leaving.secret)


async def look_for_agent(shared: Shared, path: str) -> gate.Seen | str:
    """What the gate says of a file that an agent offers now; or why it stays."""
    place = _expanded(path)
    if len(path) > MAX_PATH_CHARS:
        return "long_path"
    if not place.is_absolute():
        return "path"
    aliases, _ = await shared.db.read(views.named_threads)
    window = _window_for_agent(shared.now_ms())

    def look() -> gate.Seen | Refused:
        roots = _roots_for_agent(path, aliases, shared.leaving)
        # A slash at the end names a folder, which a Path forgets.
        offer = f"{place}/" if path.endswith("/") else place
        return gate.look([offer], roots, window, shared.leaving.limit_bytes)[0]

    found = await to_thread.run_sync(look)
    return found if isinstance(found, gate.Seen) else found.why.value


def _window_for_agent(at_ms: int) -> TurnWindow:
    return TurnWindow(at_ms - AGENT_WINDOW_MS, at_ms)


def _roots_for_agent(path: str, aliases: Sequence[Alias], leaving: Leaving) -> Roots:
    """The innermost workspace with a name that holds the file, and what the settings allow."""
    holding = [a.cwd for a in aliases if a.cwd and _expanded(path).is_relative_to(a.cwd)]
    roots = roots_of(max(holding, key=len), leaving) if holding else None
    return roots or Roots(None, leaving.roots, leaving.private, secret=leaving.secret)


def _items(offers: Sequence[Offer], view: View) -> tuple[_Item, ...]:
    """Offers with what the rows know of them; one whose turn is gone is left out."""
    grounds: dict[int, _Ground | None] = {}
    found = []
    for offer in offers:
        number = offer.turn or -offer.id
        if number not in grounds:
            grounds[number] = _ground(offer, view)
        ground = grounds[number]
        if ground is not None:
            found.append(_Item(offer, ground))
    return tuple(found)


def _ground(offer: Offer, view: View) -> _Ground | None:
    if offer.client:
        aliases = tuple(view.aliases.values())
        return _Ground("", _window_for_agent(offer.at_ms), offer.path, aliases)
    turn = artifacts.turn_of(offer)
    if turn is None:
        return None
    return _Ground(_cwd(turn, view), TurnWindow(turn.started_ms, turn.ended_ms))


def _by_ground(items: Sequence[_Item]) -> dict[_Ground, list[Offer]]:
    found: dict[_Ground, list[Offer]] = {}
    for item in items:
        found.setdefault(item.ground, []).append(item.offer)
    return found


def _place(offer: Offer, ground: _Ground) -> Path:
    return Path(ground.cwd) / _expanded(offer.path)


def _fact(offer: Offer, found: gate.Seen | gate.Staged | Refused) -> FileFact:
    fact = _named(offer)
    if isinstance(found, Refused):
        return replace(fact, why=found.why.value)
    doubts = tuple(doubt.value for doubt in found.doubts)
    return replace(fact, size_bytes=found.size_bytes, doubts=doubts)


def _is_there(place: Path) -> bool:
    """Whether that is the name of something that may be a file; answers name folders as well."""
    try:
        return not stat.S_ISDIR(place.lstat().st_mode)
    except (OSError, ValueError):
        return False


def _expanded(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:  # nobody of that name has a home
        return Path(path)


def _no_room(failed: OSError, number: int) -> str:
    _log.warning("artifact.stage_failed", id=number, why=failed.strerror or "")
    return NO_ROOM


def _named(offer: Offer) -> FileFact:
    return FileFact(offer.id, gate.shown(Path(offer.path).name), client=offer.client)


def _listed(which: str, view: View) -> tuple[ArtifactId, ...]:
    """The list that is meant; none where the files of an answer are."""
    if view.quoted_turn is not None:
        return ()
    latest = artifacts.latest_answer(view.peer.id, None) if which == ALL else None
    is_old = latest is not None and latest.ended_ms > view.peer.files_ms
    return () if is_old else view.peer.files


def _latest(name: str, view: View) -> Turn | None:
    """The turn whose files are meant: of the quoted answer, of a name, or the latest of all."""
    if name:
        alias = alias_named(view, name)
        return artifacts.latest_answer(view.peer.id, alias.thread) if alias else None
    return view.quoted_turn or artifacts.latest_answer(view.peer.id, None)


def _cwd(turn: Turn, view: View) -> str:
    """Where the thread is now; a name may have been given to it since."""
    named = (alias.cwd for alias in view.aliases.values() if alias.thread == turn.thread)
    return next((cwd for cwd in named if cwd), turn.cwd)
