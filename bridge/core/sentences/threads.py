"""Threads that are chosen, read, made, branched and freed.

Each: Chinese, then English.
"""

from __future__ import annotations

SENTENCES: dict[str, tuple[str, str]] = {
    # choosing a thread
    "bad_alias": (
        "{alias} 不能用作名字：用同一种文字的字母或数字，可加 - 和 _，最多 32 个字符。",
        "{alias} cannot be a name: letters and digits of one script, - and _, 32 at most.",
    ),
    "alias_like": (
        "{alias} 和已有的 {other} 太像了，换一个名字。",
        "{alias} looks too much like {other}. Choose another name.",
    ),
    "bad_thread_id": (
        "这不像线程编号。发 /threads 看列表，用前面的数字。",
        "That is no thread id. Send /threads and use the number in front.",
    ),
    "unknown_thread": (
        "没有这个线程。发 /threads 看列表，用前面的数字。",
        "There is no such thread. Send /threads and use the number in front.",
    ),
    "added": (
        "{alias} → {title}。选用它：/use {alias}",
        "{alias} is {title}. To use it: /use {alias}",
    ),
    "using": ("现在用 {alias}：{title}", "Now using {alias}: {title}"),
    "using_untitled": ("现在用 {alias}。", "Now using {alias}."),
    "added_untitled": (
        "{alias} 记下了。选用它：/use {alias}",
        "{alias} is noted. To use it: /use {alias}",
    ),
    "gave_way": (
        "之前的 {alias} 是：{title}。它还在 /threads 里。",
        "Before, {alias} was {title}. /threads still has that one.",
    ),
    "gave_way_unmade": (
        "之前的 {alias} 是一个还没开始的新线程，不再保留。",
        "Before, {alias} was a new thread that had not begun. It is not kept.",
    ),
    "confirm_remove": (
        "要去掉名字 {alias} 吗？线程本身不受影响。两分钟内回复 /yes 或 /no。",
        "Remove the name {alias}? The thread itself stays. Answer /yes or /no within two minutes.",
    ),
    "removed": ("名字 {alias} 已去掉。", "The name {alias} is gone."),
    "removed_in_use": (
        "名字 {alias} 已去掉，现在没有在用的线程。发 /list 或 /threads，再用 /use 选一个。",
        "The name {alias} is gone, and no thread is in use now. "
        "Choose one with /use: /list or /threads shows them.",
    ),
    "kept": ("好，不动。", "Nothing was changed."),
    "nothing_to_confirm": (
        "现在没有要确认的事。要做的话，把原来的命令再发一次。",
        "There is nothing to confirm. To be asked again, send the command itself again.",
    ),
    # /refresh
    "refresh_head": ("{alias}，上次看过之后：", "{alias}, since you last looked:"),
    "refresh_none": (
        "{alias} 上次看过之后没有新内容。最后是：",
        "{alias}: nothing new since you last looked. It ended with:",
    ),
    "refresh_empty": (
        "{alias} 还没有内容。先给它发一条消息。",
        "{alias} is still empty. Send it a message first.",
    ),
    "refresh_more": ("还有更多，再发 /refresh {alias}", "There is more: /refresh {alias} again"),
    "refresh_ours": ("#{id} 是手机上发的：/result {id}", "#{id} came from here: /result {id}"),
    "refresh_ours_many": (
        "#{first} 到 #{last} 的 {count} 条是手机上发的：/result 加编号",
        "{count} turns, #{first} to #{last}, came from here: /result and the number",
    ),
    "refresh_commands": ("… 还有 {count} 个命令", "… more commands: {count}"),
    "cannot_read": (
        "现在读不到 {alias} 的记录：{why}。请稍后再试。",
        "What happened in {alias} cannot be read now: {why}. Try again in a moment.",
    ),
    "desk_turns": (
        "电脑上新增了 {count} 轮，以下回答接在它们之后。看内容：/refresh {alias}",
        "New turns at the desk before this answer: {count}. To see them: /refresh {alias}",
    ),
    # /new and /fork
    "name_taken": (
        "已经有叫 {alias} 的线程。换一个名字，或先 /remove {alias}。",
        "There is a {alias} already. Choose another name, or /remove {alias} first.",
    ),
    "no_folder": (
        "没有这个文件夹。请写从主目录开始的位置，或完整路径：/new {alias} 文件夹",
        "There is no such folder. Say it from your home folder, or in full: /new {alias} folder",
    ),
    "which_folder": (
        "在哪个文件夹？请发 /new {alias} 文件夹",
        "In which folder? Send /new {alias} and a folder",
    ),
    "folder_too_wide": (
        "这个文件夹太大，不能交给一个线程。请选里面的一个文件夹：/new {alias} 文件夹",
        "That folder holds too much for one thread. Choose one inside it: /new {alias} folder",
    ),
    "made": (
        "{alias} 是 {folder} 里的新线程，现在用它。你的下一条消息会开始它。",
        "{alias} is a new thread in {folder}, now in use. Your next message begins it.",
    ),
    "branched": (
        "{alias} 是 {source} 的分支，现在用它。",
        "{alias} is a branch of {source}, now in use.",
    ),
    "branched_with": (
        "{alias} 是 {source} 的分支，现在用它。等着的 {count} 条消息转到了这里。",
        "{alias} is a branch of {source}, now in use. Messages that waited go there: {count}.",
    ),
    "fork_empty": (
        "{alias} 还没有内容，没有分支。先给它发一条消息。",
        "{alias} is still empty, so nothing was branched. Send it a message first.",
    ),
    "cannot_fork": (
        "现在不能从 {alias} 分支：{why}。请在电脑上分支，或稍后再试。",
        "{alias} cannot be branched now: {why}. Branch it at the desk, or try again later.",
    ),
    "status_unmade": (
        "新线程，你的下一条消息会开始它",
        "A new thread: your next message begins it",
    ),
    # /recover
    "recover_ask": (
        "要收回 {alias} 的锁吗？现在的持有者是 {owner}，它的工作可能被打断。"
        "两分钟内回复 /yes 或 /no。",
        "Take the lock of {alias} back? {owner} holds it, and may be cut off in its work. "
        "Answer /yes or /no within two minutes.",
    ),
    "recover_ours": (
        "{alias} 正在执行 #{id}。要停下它：/stop {alias}",
        "#{id} is running in {alias}. To end it: /stop {alias}",
    ),
    "recover_free": (
        "{alias} 没有锁，不用收回。直接发消息就行。",
        "{alias} is not locked. There is nothing to take back: just send your message.",
    ),
    "recover_elsewhere": (
        "{alias} 是在电脑上的另一个程序里打开的，不是锁没放。请在那里关闭，或 /fork {alias}。",
        "{alias} is open in another program at the desk; no lock is left over. "
        "Close it there, or /fork {alias}.",
    ),
    "recovered": ("{alias} 的锁收回了，线程空闲。", "The lock of {alias} is back, and it is free."),
    "recover_failed": (
        "{alias} 的锁没有收回：{why}。稍后再发 /recover {alias}。",
        "The lock of {alias} was not taken back: {why}. Send /recover {alias} again later.",
    ),
    # what a controller may do by itself, or else a reader of ours does
    "tool_list_sessions": ("它自己的线程列表", "its own list of threads"),
    "tool_history": ("它自己的线程记录", "its own history of threads"),
    # why the controller said no
    "why_busy": ("别的事占着它", "something else is using it"),
    "why_elsewhere": ("它在另一个程序里打开着", "it is open in another program"),
    "why_not_found": ("找不到这个线程", "there is no such thread"),
    "why_archived": ("这个线程已归档", "the thread is archived"),
    "why_engine_down": ("Codex 没有回答", "Codex did not answer"),
    "why_other": ("控制器拒绝了", "the controller refused"),
}
