"""Which file may leave: every trick of the fault catalogue's F91 to F93, on a real disk."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.files.gate import (
    COPY_BYTES,
    LOOK_BYTES,
    Doubt,
    Refused,
    Roots,
    Seen,
    Staged,
    TurnWindow,
    Why,
    is_whole,
    look,
    shown,
    stage,
)
from tests.contract.test_sensitive import ARCHIVES, zipped

LIMIT = 1000
NO_SPEED = Path("/sys/devices/virtual/net/lo/speed")  # the loopback has none
PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"


class Desk:
    """A workspace with its exports, our state beside it, and a staging folder."""

    def __init__(self, base: Path) -> None:
        self.work = base / "work"
        self.exports = self.work / "exports"
        self.state = base / "data"
        self.into = base / "staging"
        for folder in (self.exports, self.state / "state", self.into):
            folder.mkdir(parents=True)
        self.secret = self.state / "state" / "bridge.sqlite3"
        self.secret.write_bytes(b"our state")
        self.roots = Roots(self.work, (self.exports,), (self.state,))

    def stage(self, offer: Path | str, limit: int = LIMIT) -> Staged | Refused:
        return stage(offer, self.roots, self._window(), self.into, limit)

    def look(self, *offers: Path | str) -> list[Seen | Refused]:
        return look(offers, self.roots, self._window(), 100_000)

    def why(self, offer: Path | str, limit: int = LIMIT) -> Why:
        found = self.stage(offer, limit)
        assert isinstance(found, Refused), found
        assert not list(self.into.iterdir())
        return found.why

    def doubts(self, offer: Path | str) -> tuple[Doubt, ...]:
        found = self.stage(offer, 100_000)
        assert isinstance(found, Staged), found
        return found.doubts

    def _window(self) -> TurnWindow:
        now_ms = time.time_ns() // 1_000_000
        return TurnWindow(now_ms - 60_000, now_ms + 60_000)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_file_of_the_turn_in_the_exports_is_copied(desk: Desk) -> None:
    """The copy has a name of chance, is closed to others, and holds the same bytes."""
    (desk.exports / "图 1.png").write_bytes(PNG)
    found = desk.stage("exports/图 1.png")
    digest = hashlib.sha256(PNG).hexdigest()
    assert isinstance(found, Staged)
    assert found == Staged(found.staged_name, "图 1.png", "image", len(PNG), digest, ())
    copy = desk.into / found.staged_name
    assert list(desk.into.iterdir()) == [copy]
    assert copy.read_bytes() == PNG
    assert copy.stat().st_mode & 0o777 == 0o600
    again = desk.stage("exports/图 1.png")
    assert isinstance(again, Staged) and again.staged_name != found.staged_name


def test_a_copy_that_was_changed_is_not_the_one_that_was_checked(desk: Desk) -> None:
    """R24: what was approved is sent, or nothing; a link in its place is not followed."""
    (desk.exports / "a.txt").write_bytes(b"as approved")
    found = desk.stage("exports/a.txt")
    assert isinstance(found, Staged)
    copy = desk.into / found.staged_name
    assert is_whole(copy, found.sha256)
    copy.write_bytes(b"as changed!")
    assert not is_whole(copy, found.sha256)
    copy.unlink()
    assert not is_whole(copy, found.sha256)
    copy.symlink_to(desk.exports / "a.txt")
    assert not is_whole(copy, found.sha256)


@pytest.mark.parametrize(
    "offer",
    [
        "exports/../../data/state/bridge.sqlite3",
        "/etc/passwd",
        "/proc/self/environ",
        "~/.ssh/id_rsa",
        "exports/a\0b",
        "exports/a\nb",
        "",
        ".",
        "/",
        "exports",
    ],
)
def test_what_leads_elsewhere_or_is_no_file_stays(desk: Desk, offer: str) -> None:
    """By its words alone, or because nothing of that name is a file there."""
    assert desk.why(offer) in (Why.OUTSIDE, Why.MISSING, Why.NOT_A_FILE)


def _symlink(desk: Desk) -> None:
    (desk.exports / "x").symlink_to(desk.secret)


def _hard_link(desk: Desk) -> None:
    (desk.exports / "x").hardlink_to(desk.secret)


def _fifo(desk: Desk) -> None:
    os.mkfifo(desk.exports / "x")


def _socket(desk: Desk) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(desk.exports / "x"))


def _device(desk: Desk) -> None:
    try:
        os.mknod(desk.exports / "x", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only root makes a device node")


def _folder(desk: Desk) -> None:
    (desk.exports / "x").mkdir()


def _empty(desk: Desk) -> None:
    (desk.exports / "x").touch()


def _large(desk: Desk) -> None:
    (desk.exports / "x").write_bytes(b"1" * (LIMIT + 1))


def _sparse(desk: Desk) -> None:
    with (desk.exports / "x").open("wb") as made:
        made.truncate(1 << 40)


def _linked_folder(desk: Desk) -> None:
    desk.exports.rmdir()
    (desk.state / "x").write_bytes(b"ours")
    desk.exports.symlink_to(desk.state)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (_symlink, Why.LINK),
        (_hard_link, Why.LINK),
        (_fifo, Why.NOT_A_FILE),
        (_socket, Why.NOT_A_FILE),
        (_device, Why.NOT_A_FILE),
        (_folder, Why.NOT_A_FILE),
        (_empty, Why.EMPTY),
        (_large, Why.TOO_LARGE),
        (_sparse, Why.TOO_LARGE),
        (_linked_folder, Why.LINK),
        (lambda _desk: None, Why.MISSING),
    ],
)
def test_what_is_no_plain_file_stays(desk: Desk, make: Callable[[Desk], None], why: Why) -> None:
    """And nothing blocks, nothing is copied."""
    make(desk)
    assert desk.why("exports/x") is why


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_stays(desk: Desk) -> None:
    """The reason is said; it is not taken for missing."""
    (desk.exports / "x").write_bytes(b"1")
    (desk.exports / "x").chmod(0)
    assert desk.why("exports/x") is Why.UNREADABLE


@pytest.mark.skipif(os.geteuid() != 0 or not NO_SPEED.exists(), reason="it is root's, on Linux")
def test_a_file_whose_reading_fails_stays(desk: Desk) -> None:
    """It opens and is of our user; its bytes do not come. The staging folder is not to blame."""
    roots, window = Roots(None, (NO_SPEED.parent,), ()), TurnWindow(0, 2 * time.time_ns())
    assert stage(NO_SPEED, roots, window, desk.into, 100_000) == Refused(Why.UNREADABLE)
    assert not list(desk.into.iterdir())


def test_a_link_in_the_place_of_the_workspace_is_not_followed(desk: Desk) -> None:
    """F91: it would lead to the exports of another folder."""
    other = desk.work.with_name("other")
    desk.work.rename(other)
    (other / "exports" / "x").write_bytes(b"1")
    desk.work.symlink_to(other)
    assert desk.why("exports/x") is Why.LINK
    assert desk.why("notes.md") is Why.LINK


@pytest.mark.parametrize("offer", ["exports/x/", "exports/x//", "exports/x/.", "exports/./"])
def test_a_path_that_names_a_folder_is_no_file(desk: Desk, offer: str) -> None:
    """F91: a `Path` forgets the slash at its end."""
    (desk.exports / "x").write_bytes(b"1")
    assert desk.why(offer) is Why.NOT_A_FILE


def test_another_case_of_the_name_is_not_there(desk: Desk) -> None:
    """F91; where the disk takes both for one, it is that one."""
    (desk.exports / "x").write_bytes(b"1")
    if (desk.exports / "X").exists():
        pytest.skip("this disk knows no case")
    assert desk.why("exports/X") is Why.MISSING
    assert desk.why("EXPORTS/x") is Why.MISSING


def test_our_own_state_never_leaves(tmp_path: Path) -> None:
    """Not even where somebody's workspace holds it: a yes would not help."""
    desk = Desk(tmp_path)
    roots = Roots(tmp_path, (tmp_path,), (desk.state,))
    now_ms = time.time_ns() // 1_000_000
    window = TurnWindow(now_ms - 60_000, now_ms + 60_000)
    found = stage(desk.secret, roots, window, desk.into, LIMIT)
    assert found == Refused(Why.PRIVATE)


def test_codex_home_is_known_by_what_it_is(desk: Desk) -> None:
    """R25: its name may be any, and the thread may work in it, or files leave from it."""
    codex = desk.work / "agent"
    sessions = codex / "sessions"
    sessions.mkdir(parents=True)
    (sessions / "rollout.jsonl").write_bytes(b"{}")
    desk.roots = replace(desk.roots, secret=(codex,))
    found = desk.doubts("agent/sessions/rollout.jsonl")
    assert found == (Doubt.NOT_EXPORTED, Doubt.SECRET)
    for root in (codex, sessions):
        desk.roots = replace(desk.roots, exports=(root,))
        assert desk.doubts(sessions / "rollout.jsonl") == (Doubt.SECRET,)
    alias = desk.work.with_name("alias")
    alias.symlink_to(codex)
    desk.roots = replace(desk.roots, secret=(alias,))
    assert desk.doubts(sessions / "rollout.jsonl") == (Doubt.SECRET,)


def test_a_work_tree_in_codex_home_is_a_workspace(desk: Desk) -> None:
    """R25: Codex makes work trees there; a thread in the home itself is another matter."""
    (desk.exports / "a.txt").write_bytes(b"1")
    (desk.work / "b.txt").write_bytes(b"1")
    desk.roots = replace(desk.roots, secret=(desk.work.parent,))
    assert desk.doubts("exports/a.txt") == ()
    assert desk.doubts("b.txt") == (Doubt.NOT_EXPORTED,)
    desk.roots = replace(desk.roots, secret=(desk.work,))
    assert desk.doubts("exports/a.txt") == (Doubt.SECRET,)
    assert desk.doubts("b.txt") == (Doubt.NOT_EXPORTED, Doubt.SECRET)


@pytest.mark.parametrize(
    ("workspace", "doubts"), [(".codex/worktrees/1", ()), (".ssh", (Doubt.SECRET,))]
)
def test_names_above_the_root_count_as_far_as_the_workspace(
    tmp_path: Path, workspace: str, doubts: tuple[Doubt, ...]
) -> None:
    """R25: the same by names, for a home that nobody told us of."""
    desk = Desk(tmp_path)
    work = tmp_path / workspace
    (work / "exports").mkdir(parents=True)
    (work / "exports" / "a.txt").write_bytes(b"1")
    desk.roots = Roots(work, (work / "exports",), ())
    assert desk.doubts("exports/a.txt") == doubts
    desk.roots = Roots(None, (work,), ())
    assert desk.doubts(work / "exports" / "a.txt") == (Doubt.SECRET,)


@pytest.mark.parametrize(("size", "leaves"), [(LIMIT - 1, True), (LIMIT, True), (LIMIT + 1, False)])
def test_the_limit_is_a_limit(desk: Desk, size: int, leaves: bool) -> None:
    """One byte less, as much, one more (R9)."""
    (desk.exports / "x").write_bytes(b"1" * size)
    assert isinstance(desk.stage("exports/x"), Staged) is leaves


def test_an_old_file_in_the_exports_is_doubted(desk: Desk) -> None:
    """The turn did not write it."""
    file = desk.exports / "x"
    file.write_bytes(b"1")
    os.utime(file, (1_700_000_000, 1_700_000_000))
    assert desk.doubts("exports/x") == (Doubt.NOT_OF_TURN,)


def test_a_file_of_the_turn_elsewhere_is_doubted(desk: Desk) -> None:
    """It was not put where exports go; an old one there is not offered at all."""
    file = desk.work / "notes.md"
    file.write_bytes(b"1")
    assert desk.doubts("notes.md") == (Doubt.NOT_EXPORTED,)
    os.utime(file, (1_700_000_000, 1_700_000_000))
    for copy in desk.into.iterdir():
        copy.unlink()
    assert desk.why("notes.md") is Why.OUTSIDE


# Built here, so that no scanner takes this file for a leak.
KEY = "-----BEGIN OPENSSH " + "PRIVATE KEY-----\nAAAA"
GITHUB = "gh" + "p_" + "a1B2" * 9
RANDOM = "zX9$kQ2m" + "P7vL4wRt"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("id.txt", KEY.encode()),
        ("photo.png", KEY.encode()),
        ("wide.txt", KEY.encode("utf-16")),
        ("wide-be.txt", KEY.encode("utf-16-be")),
        ("log.txt", f"pushed with {GITHUB}".encode()),
        ("conf.yml", f"db_password: {RANDOM}".encode()),
        ("settings.py", f'API_KEY = "{RANDOM}"'.encode()),
        (".env", b"A=1"),
        (".env.local", b"A=1"),
        ("server.pem", b"x"),
        ("id_ed25519", b"x"),
        ("credentials.json", b"{}"),
        (".git/config", b"x"),
        (".SSH/known", b"x"),
        ("Cookies", b"x"),
    ],
)
def test_what_may_hold_a_secret_is_doubted(desk: Desk, name: str, content: bytes) -> None:
    """Keys, tokens, high entropy behind a telling name, files known by name; UTF-16 too."""
    file = desk.exports / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    assert Doubt.SECRET in desk.doubts(f"exports/{name}")


@pytest.mark.parametrize("before", [COPY_BYTES - 20, COPY_BYTES, 3 * COPY_BYTES + 7])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_a_secret_is_found_wherever_a_large_file_holds_it(
    desk: Desk, before: int, encoding: str
) -> None:
    """R25: also where two pieces of it meet."""
    content = b" " * before + f'API_KEY = "{RANDOM}"'.encode(encoding) + b" " * COPY_BYTES
    (desk.exports / "log.txt").write_bytes(content)
    found = desk.stage("exports/log.txt", 1 << 30)
    assert isinstance(found, Staged) and found.doubts == (Doubt.SECRET,)


def test_a_look_reads_the_beginning_and_a_copy_everything(desk: Desk) -> None:
    """Ours: a list of many files costs little, and nothing leaves by it."""
    for name, before in (("near.txt", 100), ("far.txt", LOOK_BYTES)):
        (desk.exports / name).write_bytes(b" " * before + f'API_KEY = "{RANDOM}"'.encode())
    near, far = desk.look("exports/near.txt", "exports/far.txt")
    assert isinstance(near, Seen) and near.doubts == (Doubt.SECRET,)
    assert isinstance(far, Seen) and far.doubts == ()
    assert desk.doubts("exports/far.txt") == (Doubt.SECRET,)


@pytest.mark.parametrize(
    "content",
    [
        b"The password field is optional: see the docs.",
        b"token = next(tokens)\nsecret_name: payments-service\n",
        "密码：请自行设置，不少于八位。".encode(),
        PNG,
        b"def test_environment() -> None: ...",
    ],
)
def test_everyday_content_is_not_doubted(desk: Desk, content: bytes) -> None:
    """A gate that always asks is one that nobody reads."""
    (desk.exports / "report.md").write_bytes(content)
    assert desk.doubts("exports/report.md") == ()


@pytest.mark.parametrize("content", ARCHIVES.values(), ids=ARCHIVES)
def test_an_archive_is_doubted_whatever_its_name(desk: Desk, content: bytes) -> None:
    """It is known by its content and never opened."""
    (desk.exports / "photo.png").write_bytes(content)
    assert Doubt.ARCHIVE in desk.doubts("exports/photo.png")


@pytest.mark.parametrize("before", [100, 40_000, 2 * COPY_BYTES + 5])
@pytest.mark.parametrize("comment", [b"", b"c" * 65_535])
def test_a_zip_is_found_behind_whatever_stands_before_it(
    desk: Desk, before: int, comment: bytes
) -> None:
    """R25: as what unpacks itself, and as a picture that is both."""
    content = PNG + b"\1" * before + zipped(comment)
    (desk.exports / "photo.png").write_bytes(content)
    found = desk.stage("exports/photo.png", len(content))
    assert isinstance(found, Staged) and found.doubts == (Doubt.ARCHIVE,)


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("x\u202egpj.exe", "xgpj.exe"),
        ("a\nb.txt", "ab.txt"),
        ("a\u2028b\u2029c.txt", "abc.txt"),
        ("a b\u3000c.txt", "a b\u3000c.txt"),
        ("图.png", "图.png"),
        ("\u200b", "file"),
        ("...", "file"),
        ("n" * 300 + ".md", "n" * 77 + ".md"),
    ],
)
def test_the_name_that_a_phone_shows(name: str, seen: str) -> None:
    """One line, no sign that turns or hides, at most 80 characters, ending kept (R26)."""
    assert shown(name) == seen
