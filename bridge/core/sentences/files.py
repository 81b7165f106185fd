"""Files that go to the phone, and why one does not.

Each: Chinese, then English.
"""

from __future__ import annotations

SENTENCES: dict[str, tuple[str, str]] = {
    # what became of a file that was on its way
    "file_refused": (
        "{name} 没有发出：微信不收这个文件。请在电脑上取，或换一种格式再试。",
        "{name} was not sent: WeChat does not take this file. "
        "Get it at the desk, or try another format.",
    ),
    "file_refused_size": (
        "{name} 没有发出：对微信来说太大了。请让线程分成几个小文件，再 /artifacts。",
        "{name} was not sent: it is too large for WeChat. "
        "Ask the thread for smaller files, then /artifacts.",
    ),
    "file_gone": (
        "{name} 没有发出：准备好的副本不见了。请再发 /artifacts 和 /sendfile。",
        "{name} was not sent: the copy that was made of it is gone. "
        "Send /artifacts and /sendfile again.",
    ),
    "file_unknown": (
        "无法确认 {name} 是否送达。没收到的话，请再发 /artifacts 和 /sendfile。",
        "Nobody can say whether {name} arrived. If it did not: /artifacts and /sendfile again.",
    ),
}
