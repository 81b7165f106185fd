"""Files that go to the phone, and why one does not.

Each: Chinese, then English.
"""

from __future__ import annotations

SENTENCES: dict[str, tuple[str, str]] = {
    # /artifacts and /sendfile
    "artifacts_none": (
        "还没有回答，也就没有文件。先给线程发一条消息。",
        "There is no answer yet, so there are no files. Send the thread a message first.",
    ),
    "artifacts_empty": (
        "#{id} 的回答没有提到电脑上有的文件。请让线程把文件写到 exports 里，并说出名字。",
        "The answer #{id} names no file that is there. "
        "Ask the thread to write it to exports and to name it.",
    ),
    "artifacts_head": ("#{id} 的文件：", "Files of #{id}:"),
    "artifacts_offered": ("这些文件可以要：", "Files that are offered:"),
    "artifacts_more": (
        "还有 {count} 个没列出，到 {last} 号为止：/sendfile 也认这些数字，或 all",
        "{count} more, up to number {last}, are not shown: /sendfile takes those too, or all",
    ),
    "artifacts_how": (
        "要收文件：/sendfile 加数字，或 /sendfile all",
        "To get one: /sendfile and its number, or /sendfile all",
    ),
    "no_file_number": (
        "列表里没有 {number} 号文件。发 /artifacts 重新列出。",
        "There is no file {number} in the list. Send /artifacts for a new one.",
    ),
    "file_ready": ("可以发", "ready"),
    "asks_first": ("发之前要你确认：{why}", "asks you first: {why}"),
    "not_sent": ("没有发出：", "Not sent:"),
    "not_sent_asks": (
        "没有发出，请用数字一个一个地 /sendfile：",
        "Not sent: /sendfile these one by one, by their numbers:",
    ),
    "not_sent_more": ("还有 {count} 个也没有发出", "{count} more were not sent either"),
    "send_ask": (
        "要发送 {name} 吗？{size}，SHA-256 {hash}…。原因：{why}。两分钟内回复 /yes 或 /no。",
        "Send {name}? {size}, SHA-256 {hash}…. I ask because: {why}. "
        "Answer /yes or /no within two minutes.",
    ),
    # why a file is asked about
    "doubt_not_of_turn": ("不是这一轮写的", "this turn did not write it"),
    "doubt_not_exported": ("不在 exports 文件夹里", "it is not in the exports folder"),
    "doubt_archive": ("压缩包，里面没有检查", "an archive, not looked into"),
    "doubt_secret": ("可能含有密钥或密码", "it may hold a key or a password"),
    # why a file stays
    "stays_outside": (
        "不能发：不在可以发送的文件夹里，请让线程复制到 exports",
        "stays: not where files may leave from; ask the thread to copy it to exports",
    ),
    "stays_missing": (
        "不能发：已经不在了，请再发 /artifacts",
        "stays: it is gone; send /artifacts again",
    ),
    "stays_link": (
        "不能发：是链接或有别的名字，请让线程复制成新文件",
        "stays: a link, or it has another name; ask the thread for a plain copy",
    ),
    "stays_not_a_file": (
        "不能发：不是普通文件，请让线程打成一个文件",
        "stays: no plain file; ask the thread to make one of it",
    ),
    "stays_not_ours": (
        "不能发：属于别的用户或别的磁盘，请让线程复制到 exports",
        "stays: of another user or disk; ask the thread to copy it to exports",
    ),
    "stays_unreadable": (
        "不能发：读不出来，请在电脑上看看它和它的权限",
        "stays: it cannot be read; see to it and its permissions at the desk",
    ),
    "stays_empty": (
        "不能发：文件是空的，请让线程写入内容",
        "stays: it is empty; ask the thread to fill it",
    ),
    "stays_too_large": (
        "不能发：太大了，请让线程压小或分开",
        "stays: too large; ask the thread for a smaller one",
    ),
    "stays_changed": (
        "不能发：正在被改写，请稍后再试",
        "stays: it is being written; try again in a moment",
    ),
    "stays_private": (
        "不能发：是网关自己的数据，请在电脑上看",
        "stays: the bridge's own data; look at it at the desk",
    ),
    "stays_remote": (
        "不能发：在另一台电脑上，这里够不着，请到那台电脑上取",
        "stays: on another computer, out of reach from here; get it there",
    ),
    "stays_no_room": (
        "没能发：电脑磁盘写不进去，请腾出空间再试",
        "stays: the disk here cannot be written; make room and try again",
    ),
    # what became of a file that was on its way
    "file_refused": (
        "{name} 没有发出：微信不收这个文件，或不收这个帐号的文件。请在电脑上取，或换一种格式再试。",
        "{name} was not sent: WeChat does not take this file, or none from this account. "
        "Get it at the desk, or try another format.",
    ),
    "file_refused_size": (
        "{name} 没有发出：对微信来说太大了。请让线程分成几个小文件，再 /artifacts。",
        "{name} was not sent: it is too large for WeChat. "
        "Ask the thread for smaller files, then /artifacts.",
    ),
    "file_refused_now": (
        "{name} 没有发出：微信三次拒收这个机器人的文件，文字照常。"
        "请在电脑上取，或过些时候再 /sendfile。",
        "{name} was not sent: three times WeChat took no file from this bot. Words go as ever. "
        "Get it at the desk, or try /sendfile later.",
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
