"""What would the owner's phone show? The chat with the bot, drawn on a terminal.

Drawing is pure: a message in, lines out. `run_phone` joins it to a Simulator: what is
typed is a message of the owner, what the bot sends appears as a bubble. Line by line,
so that a script can drive it as well as a person.
"""

from __future__ import annotations

import sys
import time
import unicodedata
from collections.abc import Awaitable, Callable

import anyio
from anyio.abc import ObjectReceiveStream

from bridge.wire import terminal
from channel_worker.simulator.flaws import CHINESE, Flaw
from channel_worker.simulator.server import Simulator
from channel_worker.simulator.typed import CUT, CUT_BYTES, Keyboard
from channel_worker.simulator.world import Sent
from channel_worker.terminal import has_person, read_line, width_of_terminal

MAX_BUBBLE_COLUMNS = 64  # about what a phone shows before it wraps
MIN_BUBBLE_COLUMNS = 16
PROMPT = "> "
TO_LINE_START = "\r\x1b[K"  # and wipe the line
OPENING, CLOSING = "（「『《〈“‘【", "，。、；：！？）」』》〉”’】…"
ZERO_WIDTH_JOINER, VARIATION_EMOJI = "\u200d", "\ufe0f"


async def run_phone(
    simulator: Simulator,
    show: Callable[[str], None] = terminal.show,
    read: Callable[[], Awaitable[str | None]] | None = None,
    lang: str = "en",
    beside: ObjectReceiveStream[str] | None = None,
) -> None:
    """Show what the bot sends, and what comes `beside` it; post what is typed.

    Ends with the end of the input.
    """
    keyboard = Keyboard(simulator, lang)

    def above_prompt(text: str) -> None:
        """A line of the chat where the prompt was, and the prompt beneath."""
        shown = f"{text}\n" if text else ""
        terminal.show(f"{TO_LINE_START}{shown}{keyboard.place}{PROMPT}", end="")

    draw = above_prompt if has_person() else show
    if draw is above_prompt:
        draw("")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_show_all, simulator, draw, lang)
        if beside is not None:
            tasks.start_soon(_show_each, beside, draw)
        while (line := await (read or read_line)()) is not None:
            is_cut = draw is above_prompt and len(line.encode()) >= CUT_BYTES
            answer = CUT[lang] if is_cut else keyboard.enter(line) if line.strip() else ""
            if answer:
                draw(told(answer))
            elif draw is above_prompt:
                terminal.show(f"{keyboard.place}{PROMPT}", end="")
        tasks.cancel_scope.cancel()


def bubble(sent: Sent, columns: int, lang: str = "en", label: str = "") -> str:
    """A message of the bot with its border, `label` and time, at most `columns` wide."""
    inner = max(MIN_BUBBLE_COLUMNS, min(columns - 12, MAX_BUBBLE_COLUMNS))
    lines = [part for line in words_of(sent, lang).split("\n") for part in wrapped(line, inner)]
    over = f" {wrapped(label, inner - 2)[0]} " if label else ""
    widest = max(width(over) - 1, *(width(line) for line in lines))
    body = [f"│ {line}{' ' * (widest - width(line))} │" for line in lines]
    at = time.strftime("%H:%M", time.localtime(sent.at_ms / 1000))
    top = f"╭─{over}{'─' * (widest + 1 - width(over))}╮"
    return "\n".join([top, *body, f"╰{'─' * (widest + 2)}╯ {at}"])


def told(text: str) -> str:
    """Words of ours in lines that fit the terminal, cut as bubbles are."""
    columns = width_of_terminal(sys.stdout)
    return "\n".join(piece for line in text.split("\n") for piece in wrapped(line, columns))


def words_of(sent: Sent, lang: str = "en") -> str:
    """The text, or a line that stands for a picture or a file, or for why none is seen."""
    item, is_zh = sent.item, lang == "zh"
    size = "字节" if is_zh else "bytes"
    if sent.flaw:
        why = CHINESE[Flaw(sent.flaw)] if is_zh else sent.flaw
        if "image_item" in item:
            return f"🖼  （灰色图片：{why}）" if is_zh else f"🖼  (grey image: {why})"
        if "voice_item" in item:
            return f"🎤 （不显示：{why}）" if is_zh else f"🎤 (not shown: {why})"
        return f"📄 （无法打开：{why}）" if is_zh else f"📄 (cannot be opened: {why})"
    if "image_item" in item:
        name = "图片" if is_zh else "picture"
        return f"🖼  {name}, {item['image_item'].get('mid_size', 0)} {size}"
    if "video_item" in item:
        name = "视频" if is_zh else "video"
        return f"🎞  {name}, {item['video_item'].get('video_size', 0)} {size}"
    if "file_item" in item:
        file = item["file_item"]
        return f"📄 {file.get('file_name', '')}, {file.get('len', '?')} {size}"
    return sent.text.expandtabs(4)


def reader_of(sent: Sent, owner_id: str, lang: str = "en") -> str:
    """Who else sees this message: a group, or a person who is not the owner."""
    if sent.group_id:
        return f"群 {sent.group_id}" if lang == "zh" else f"group {sent.group_id}"
    if sent.to_user_id != owner_id:
        return f"给 {sent.to_user_id}" if lang == "zh" else f"to {sent.to_user_id}"
    return ""


def width(text: str) -> int:
    """Columns of `text` on a terminal: two for Chinese and emoji, none for marks."""
    columns = 0
    for sign, is_joined in _signs(text):
        if not is_joined:
            columns += _columns_of(sign)
    return columns


def wrapped(line: str, columns: int) -> list[str]:
    """`line` in pieces that fit, cut at a blank or between wide signs; never inside a sign.

    As in print, no piece begins with a closing sign or ends with an opening one.
    """
    pieces: list[str] = []
    current, used = "", 0
    for sign, is_joined in _signs(line):
        needed = 0 if is_joined else _columns_of(sign)
        if used + needed > columns:
            head, tail = _cut(current, sign)
            pieces.append(head)
            current, used = tail, width(tail)
        current += sign
        used += needed
    return [*pieces, current]


def _cut(text: str, following: str) -> tuple[str, str]:
    """What stays on the line, and the word that goes to the next: all stays where none began."""
    for place in range(len(text), 0, -1):
        last, first = text[place - 1], text[place] if place < len(text) else following
        if last == " ":
            return text[: place - 1], text[place:]
        is_whole = place == len(text) or _columns_of(first) > 0  # no mark belongs to it
        if _columns_of(last) == 2 and is_whole and last not in OPENING and first not in CLOSING:
            return text[:place], text[place:]
    return text, ""


def _signs(text: str) -> list[tuple[str, bool]]:
    """Each character, and whether it is drawn as part of the one before it."""
    found: list[tuple[str, bool]] = []
    before = ""
    for sign in text:
        found.append((sign, before == ZERO_WIDTH_JOINER))
        before = sign
    return found


def _columns_of(sign: str) -> int:
    if sign in (ZERO_WIDTH_JOINER, VARIATION_EMOJI) or unicodedata.category(sign) in _NO_COLUMN:
        return 0
    return 2 if unicodedata.east_asian_width(sign) in "WF" else 1


_NO_COLUMN = ("Mn", "Me", "Cf", "Cc")


async def _show_all(simulator: Simulator, show: Callable[[str], None], lang: str) -> None:
    world = simulator.world
    shown = len(world.sent)
    was_typing = False
    while True:
        news = world.news
        for sent in world.sent[shown:]:
            label = reader_of(sent, world.owner_id, lang)
            show(bubble(sent, width_of_terminal(sys.stdout), lang, label))
        shown = len(world.sent)
        is_typing = world.typing.get(world.owner_id, False)
        if is_typing and not was_typing:
            show("  … 正在输入" if lang == "zh" else "  … is typing")
        was_typing = is_typing
        await news.wait()


async def _show_each(lines: ObjectReceiveStream[str], show: Callable[[str], None]) -> None:
    async for line in lines:
        show(line)
