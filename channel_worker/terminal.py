"""The terminal of a command: lines in without a thread, QR codes out.

Input is awaited on the descriptor itself, so that Ctrl-C ends a command at once and no
thread is left hanging in a read.
"""

from __future__ import annotations

import os
import shutil
import sys
from typing import TextIO

import anyio
import anyio.lowlevel

from bridge.wire.terminal import show

READ_BYTES = 65536
WHITE_BLACK = "\x1b[38;5;231;48;5;16m"  # light modules on dark, whatever the theme
RESET = "\x1b[0m"
HALF_BLOCKS = {(False, False): "█", (False, True): "▀", (True, False): "▄", (True, True): " "}

_held = bytearray()


class LoginTerminal:
    """The terminal that `ctb-channel login` runs on."""

    def say(self, line: str) -> None:
        show(line)

    def show_code(self, link: str) -> None:
        """The QR code with its address beneath; the address alone where it does not fit."""
        rows = qr_rows(link)
        columns = len(rows[0])
        if columns <= width_of_terminal(sys.stdout):
            self.say("Scan this with WeChat:")
            self.say("\n".join(qr_lines(rows, is_coloured=sys.stdout.isatty())))
            self.say(f"or open on the phone: {link}")
        else:
            self.say(f"This terminal is too narrow for the code ({columns} columns are needed).")
            self.say(f"Make it wider, or open on the phone: {link}")

    async def ask(self, question: str) -> str | None:
        show(question, end="")
        return await read_line()


def has_person() -> bool:
    """Whether somebody sits there, to read and to type."""
    if sys.stdin is None or sys.stdout is None:
        return False
    return sys.stdin.isatty() and sys.stdout.isatty()


async def read_line(stream: TextIO | None = None) -> str | None:
    """The next line without its end; None when the input has ended, or never was."""
    source = stream or sys.stdin
    if source is None:
        return None
    fd = source.fileno()
    while b"\n" not in _held:
        try:
            await anyio.wait_readable(fd)
        except PermissionError:  # a plain file is always readable, and cannot be waited for
            await anyio.lowlevel.checkpoint()
        data = os.read(fd, READ_BYTES)
        if not data:
            rest = bytes(_held)
            _held.clear()
            return rest.decode(errors="replace") or None
        _held.extend(data)
    line, _, rest = bytes(_held).partition(b"\n")
    _held[:] = rest
    return line.decode(errors="replace").removesuffix("\r")


def width_of_terminal(stream: TextIO | None) -> int:
    """Columns; 80 where it is no terminal."""
    try:
        return os.get_terminal_size(stream.fileno()).columns if stream else 80
    except (OSError, ValueError):
        return shutil.get_terminal_size((80, 24)).columns


def qr_rows(text: str) -> list[list[bool]]:
    """`text` as a QR code, True where it is dark: level L, one module of border."""
    import qrcode  # type: ignore[import-untyped]  # it ships no types
    from qrcode.constants import ERROR_CORRECT_L  # type: ignore[import-untyped]  # the same

    code = qrcode.QRCode(error_correction=ERROR_CORRECT_L, border=1)
    code.add_data(text)
    code.make()
    rows: list[list[bool]] = code.get_matrix()
    return rows


def qr_lines(rows: list[list[bool]], is_coloured: bool) -> list[str]:
    """The code in half blocks: two rows in each line."""
    even = rows if len(rows) % 2 == 0 else [*rows, [False] * len(rows[0])]
    lines = [
        "".join(HALF_BLOCKS[above, below] for above, below in zip(upper, lower, strict=True))
        for upper, lower in zip(even[::2], even[1::2], strict=True)
    ]
    return [f"{WHITE_BLACK}{line}{RESET}" for line in lines] if is_coloured else lines
