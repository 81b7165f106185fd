"""What a line typed on the simulated phone does: words, or a file, a voice, a quote, the clock.

:text PATH          the words in this file are one message, of any length
:file PATH          send this file; a picture goes as a picture
:voice TEXT         a voice message with this transcript; without TEXT, without one
:quote N [TEXT]     TEXT quotes the bot's N-th message from the end, by its id alone;
                    without TEXT the next line does
:as USER [TEXT]     somebody else writes TEXT; without it everything from now on
:as                 the owner writes again
:group ID [TEXT]    TEXT goes to a group; without it everything from now on
:group              back to the private chat
:again N            the N-th message from the end comes once more, under another token
:clock +25h         the server's clock goes on: s, m, h or d
::text              a message that begins with a colon
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

from bridge.wire.filetype import HEAD_BYTES, type_of
from channel_worker.simulator import cdn
from channel_worker.simulator.scenarios import SILK
from channel_worker.simulator.server import Simulator
from channel_worker.simulator.world import Json

MAX_SKEW_S = 366 * 86_400  # a year shows all that a clock does here; far from the end of dates
UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
PERSON = "@im.wechat"  # how the id of a person ends, `ilink-protocol` 2
HELP = {
    "en": "lines of their own: :text PATH  :file PATH  :voice TEXT  :quote N [TEXT]  "
    ":as [USER [TEXT]]  :group [ID [TEXT]]  :again N  :clock +25h  ::text",
    "zh": "这些行有自己的意思：:text 路径  :file 路径  :voice 文字  :quote 第几条 [文字]  "
    ":as [某人 [文字]]  :group [群 [文字]]  :again 第几条  :clock +25h  ::文字",
}
WRONG = {
    "unreadable": ("this file cannot be read", "读不了这个文件"),
    "no_text": ("this file holds no text in UTF-8", "这个文件不是 UTF-8 文字"),
    "sent": ("the bot has sent {count} messages", "机器人发过 {count} 条"),
    "written": ("{count} messages were written", "写过 {count} 条"),
    "no_time": ("that is no time", "这不是时间"),
    "far": ("the clock goes a year at most", "时钟最多走一年"),
}
CUT_BYTES = 4095  # of a line the kernel's terminal keeps no more: termios(3), canonical mode
CUT = {
    "en": f"not sent: the terminal keeps only {CUT_BYTES} bytes of a line. "
    "Put the words into a file, then  :text PATH",
    "zh": f"没有发送：终端的一行只能有 {CUT_BYTES} 字节。请把文字存成文件，再写 :text 路径",
}


class Wrong(ValueError):
    """A line that cannot be done, and why, in the words of WRONG."""

    def __init__(self, why: str, count: int = 0) -> None:
        super().__init__(why)
        self.count = count

    def told(self, lang: str) -> str:
        return WRONG[str(self)][lang == "zh"].format(count=self.count)


class Keyboard:
    """Who is typing and where; each line that is entered becomes what it says."""

    def __init__(self, simulator: Simulator, lang: str = "en") -> None:
        self._simulator = simulator
        self._lang = lang
        self._world = simulator.world
        self._user_id = ""  # empty: the owner
        self._group_id = ""  # empty: the private chat
        self._quoted = ""  # what the next words quote
        self._verbs: dict[str, Callable[[str], str | None]] = {
            "text": self._text,
            "file": self._file,
            "voice": self._voice,
            "quote": self._quote,
            "as": self._as,
            "group": self._group,
            "again": self._again,
            "clock": self._clock,
        }

    @property
    def place(self) -> str:
        """Who writes where, for the prompt; empty for the owner in the private chat."""
        group = f"[{self._group_id}]" if self._group_id else ""
        return " ".join(word for word in (group, self._user_id) if word)

    def enter(self, line: str) -> str:
        """Do what the line says; what is to be shown for it, mostly nothing."""
        if not line.startswith(":") or line.startswith("::"):
            self._say(line.removeprefix(":"))
            return ""
        verb, _, rest = line[1:].partition(" ")
        act = self._verbs.get(verb)
        if act is None:
            return HELP[self._lang]
        try:
            return act(rest.strip()) or ""
        except Wrong as wrong:
            return f"{wrong.told(self._lang)}; {HELP[self._lang]}"

    def _say(self, text: str, quoted: str = "") -> None:
        item: Json = {"type": 1, "text_item": {"text": text}}
        if quoted or self._quoted:
            item["ref_msg"] = {"svr_id": quoted or self._quoted}
        self._quoted = ""
        self._post(item)

    def _post(self, item: Json) -> None:
        group: dict[str, Json] = {"group_id": self._group_id} if self._group_id else {}
        self._world.post([item], self._user_id, **group)

    def _text(self, rest: str) -> None:
        try:
            self._say(_bytes_of(rest).decode().strip())
        except UnicodeDecodeError:
            raise Wrong("no_text") from None

    def _file(self, rest: str) -> None:
        content = _bytes_of(rest)
        is_picture = type_of(content[:HEAD_BYTES])[0].startswith("image/")
        if is_picture:
            self._post(cdn.picture_item(self._simulator, content))
        else:
            self._post(cdn.file_item(self._simulator, Path(rest).name, content))

    def _voice(self, rest: str) -> None:
        self._post(cdn.voice_item(self._simulator, SILK, rest))

    def _quote(self, rest: str) -> None:
        number, _, text = rest.partition(" ")
        if not number.isdecimal() or not 0 < int(number) <= len(self._world.sent):
            raise Wrong("sent", len(self._world.sent))
        quoted = self._world.sent[-int(number)].message_id
        if text.strip():
            self._say(text.strip(), quoted)
        else:
            self._quoted = quoted

    def _as(self, rest: str) -> None:
        user, _, text = rest.partition(" ")
        before = self._user_id
        self._user_id = user if not user or "@" in user else user + PERSON
        if text.strip():
            self._say(text.strip())
            self._user_id = before

    def _group(self, rest: str) -> None:
        group, _, text = rest.partition(" ")
        before = self._group_id
        self._group_id = group
        if text.strip():
            self._say(text.strip())
            self._group_id = before

    def _again(self, rest: str) -> None:
        number = rest or "1"
        if not number.isdecimal() or not 0 < int(number) <= len(self._world.messages):
            raise Wrong("written", len(self._world.messages))
        self._world.repeat(int(number))

    def _clock(self, rest: str) -> str:
        found = re.fullmatch(r"([+-]?\d{1,9})([smhd])", rest)
        if found is None:
            raise Wrong("no_time")
        skew_s = self._world.clock_skew_s + int(found[1]) * UNITS_S[found[2]]
        if abs(skew_s) > MAX_SKEW_S:
            raise Wrong("far")
        self._world.clock_skew_s = skew_s
        self._world.wake()
        return time.strftime("🕒 %Y-%m-%d %H:%M", time.localtime(self._world.now()))


def _bytes_of(name: str) -> bytes:
    try:
        return Path(name).expanduser().read_bytes()
    except (OSError, RuntimeError):  # the second of a `~` that is nobody's
        raise Wrong("unreadable") from None
