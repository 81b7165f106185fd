"""Every sentence that the bridge itself says on a phone, in Chinese and English.

A sentence says what is so and one next step. It holds no path, no traceback and no
id that is not needed. What the bridge says begins with MARK; `unmarked` takes it from
the text of threads and agents, so that neither can pass for the other.
"""

from __future__ import annotations

from bridge.core.model import Lang
from bridge.core.sentences import SENTENCES
from bridge.core.usages import USAGES

MARK = "▸"


def say(phrase: str, lang: Lang, **values: object) -> str:
    """The sentence with its values; a phrase that is missing raises KeyError."""
    zh, en = _SENTENCES[phrase]
    return (zh if lang == "zh" else en).format(**values)


def notice(phrase: str, lang: Lang, **values: object) -> str:
    """The sentence behind the mark of the bridge."""
    return f"{MARK} {say(phrase, lang, **values)}"


def usage(verb: str, lang: Lang) -> str:
    """How a command is written and what it does, in one line."""
    zh, en = USAGES[verb]
    return zh if lang == "zh" else en


def age(span_ms: int, lang: str) -> str:
    """A length of time in the largest fitting unit."""
    seconds = max(0, span_ms) // 1000
    for size, zh, en in ((86400, "天", "d"), (3600, "小时", "h"), (60, "分钟", "min")):
        if seconds >= size:
            return f"{seconds // size} {zh if lang == 'zh' else en}"
    return f"{seconds} {'秒' if lang == 'zh' else 's'}"


def unmarked(text: str) -> str:
    """Foreign text that cannot pass for the bridge's own (threat-model R28).

    The mark goes wherever it stands: blanks and signs without a shape before it, or a
    line that the phone breaks there, would bring it to the front.
    """
    return text.replace(MARK, ">")


_SENTENCES: dict[str, tuple[str, str]] = {
    # what became of a turn
    "ended_failed": (
        "#{id} 失败了：{why}。请稍后回复 /retry，或换个说法再发一次。",
        "#{id} failed: {why}. Send /retry, or say it another way.",
    ),
    "ended_interrupted": (
        "#{id} 执行中断，可能已有部分改动。请查看后回复 /retry。",
        "#{id} was interrupted; part of the work may be done. Look at it, then send /retry.",
    ),
    "ended_cancelled": (
        "#{id} 已停止。",
        "#{id} is stopped.",
    ),
    "ended_blocked": (
        "#{id} 停下了：{why}。请在电脑上处理，再回复 /retry。",
        "#{id} stopped: {why}. See to it at the desk, then send /retry.",
    ),
    "ended_completed": (
        "#{id} 已完成，没有文字回答。",
        "#{id} is done; it gave no text.",
    ),
    "ended_uncertain": (
        "#{id} 无法确认是否已执行，请在电脑上查看线程，再回复 /retry。",
        "Nobody can say whether #{id} ran. Look at the thread at the desk, then send /retry.",
    ),
    "ended_dead": (
        "#{id} 三次出错，已放到一边 (E-{id})。详情见电脑上的日志。",
        "#{id} failed three times and is set aside (E-{id}). The log at the desk says why.",
    ),
    "poison": (
        "有一条消息三次出错，已放到一边 (E-{id})。请换个说法再发一次。",
        "One message failed three times and is set aside (E-{id}). Say it another way.",
    ),
    "desk_moved": (
        "{alias} 在电脑上已有新内容，以下回答接在它之后。看内容：/refresh {alias}",
        "{alias} went on at the desk before this answer. To see it: /refresh {alias}",
    ),
    "head_moved": (
        "#{id} 没有开始：{alias} 刚在电脑上有了新内容。回复 /retry 照样执行，或 /cancel {id}。",
        "#{id} was not started: {alias} just went on at the desk. "
        "Send /retry to run it all the same, or /cancel {id}.",
    ),
    "parked_elsewhere": (
        "{alias} 正在电脑上的{holder}里打开着，#{id} 会在它空出来后发送。"
        "不想等：/fork {alias} 在分支里继续，或 /cancel {id}",
        "{alias} is open at the desk, in {holder}. #{id} is sent when it is free; "
        "/fork {alias} to go on in a branch, /cancel {id} to drop it.",
    ),
    "parked_busy": (
        "{alias} 正在执行别处发起的一轮，#{id} 会在它结束后发送。"
        "不想等：/fork {alias} 在分支里继续，或 /cancel {id}",
        "A turn that was begun elsewhere is running in {alias}. #{id} is sent when it is over; "
        "/fork {alias} to go on in a branch, /cancel {id} to drop it.",
    ),
    "parked_locked": (
        "{alias} 被{owner}锁着，#{id} 会在解锁后发送。"
        "锁是忘了放的：/recover {alias}；不想等：/cancel {id}",
        "{alias} is locked by {owner}. #{id} is sent when it is free. If that lock was left over: "
        "/recover {alias}; to drop the message: /cancel {id}",
    ),
    "parked_controller": (
        "Codex 现在连不上，#{id} 会在恢复后发送。不想等：/cancel {id}",
        "Codex cannot be reached now. #{id} is sent when it is back; /cancel {id} to drop it.",
    ),
    "lock_kept": (
        "#{id} 结束了，但 {alias} 还锁着：锁的凭证在一次中断中丢了。解锁：/recover {alias}",
        "#{id} is over, but {alias} is still locked: the token of its lock was lost in a crash. "
        "To take it back: /recover {alias}",
    ),
    "working": ("#{id} 还在进行中。停下：/stop", "#{id} is still working. To end it: /stop"),
    "stopping": ("正在停止 #{id}…", "Stopping #{id}…"),
    "more": ("还有 {left} 段，回复 /more", "{left} more: send /more"),
    "more_of": ("还有 {left} 段，回复 /result {id}", "{left} more: send /result {id}"),
    "rest_waits": (
        "微信的回复次数快用完了。请随便回复一句，我接着发剩下的。",
        "WeChat's replies are nearly used up. Send me anything to get the rest.",
    ),
    "incomplete": (
        "#{id} 的回答没有全部送达。重看：/result {id}",
        "Part of the answer #{id} could not be delivered. Read it again: /result {id}",
    ),
    # approvals
    "asks_command": (
        "#{id}（{alias}）想执行这个命令：",
        "#{id} ({alias}) wants to run this command:",
    ),
    "asks_file_change": (
        "#{id}（{alias}）想改这些文件：",
        "#{id} ({alias}) wants to change these files:",
    ),
    "asks_permissions": (
        "#{id}（{alias}）想要这些权限：",
        "#{id} ({alias}) wants these permissions:",
    ),
    "asks_question": ("#{id}（{alias}）问你：", "#{id} ({alias}) asks you:"),
    "how_to_approve": (
        "同意：/approve {code}  不同意：/deny {code}",
        "/approve {code}  or  /deny {code}",
    ),
    "how_to_answer": (
        "回答：/answer {code} 加数字或文字",
        "/answer {code} and a number or words",
    ),
    "too_long_to_approve": (
        "内容太长，没有全部显示，请在电脑上确认。不同意：/deny {code}",
        "Not all of it fits here: confirm it at the desk, or /deny {code}",
    ),
    "at_desk": ("请在电脑上确认。", "Please confirm it at the desk."),
    "behind_request": (
        "这条排在 #{id} 后面，它在等你答复（{alias}）。{how}",
        "This waits behind #{id} ({alias}), which waits for your answer. {how}",
    ),
    "approval_accepted": ("#{id} 的{kind}已同意。", "The {kind} of #{id} is approved."),
    "answered": ("#{id} 收到了你的回答。", "#{id} has your answer."),
    "approval_declined": ("#{id} 的{kind}已拒绝。", "The {kind} of #{id} is declined."),
    "approval_void": (
        "#{id} 的{kind}已经不在等了，什么也没做。",
        "The {kind} of #{id} is no longer pending; nothing was done.",
    ),
    "approval_expired": (
        "#{id} 的{kind}太久没有答复，已替你拒绝。",
        "The {kind} of #{id} waited too long and was declined for you.",
    ),
    "code_unknown": (
        "没有等待中的请求用这个代码。什么也没做。",
        "No pending request has this code. Nothing was done.",
    ),
    "code_stale": (
        "这个代码过期了，什么也没做。同一个请求的新代码：",
        "That code is too old; nothing was done. The same request under a new code:",
    ),
    "question_needs_answer": (
        "这是一个问题：/answer {code} 加数字或文字",
        "That is a question: /answer {code} and a number or words",
    ),
    "kind_command": ("命令", "command"),
    "kind_file_change": ("文件改动", "file change"),
    "kind_permissions": ("权限请求", "permission request"),
    "kind_question": ("问题", "question"),
    # agents on this computer
    "agent_note": ("{client} 留言：", "Note from {client}:"),
    "agent_asks": ("{client} 问你：", "{client} asks you:"),
    "how_to_answer_agent": (
        "回答：引用这条，或 /answer {code} 加数字或文字。不回答：/deny {code}",
        "Quote this to answer, or /answer {code} and a number or words. Not now: /deny {code}",
    ),
    "agent_answered": ("回答已留给 {client}。", "Your answer is kept for {client}."),
    "agent_declined": (
        "好，{client} 会知道你不回答。",
        "{client} is told that you will not answer.",
    ),
    "agent_question_over": (
        "{client} 的这个问题已经不在等了，什么也没做。",
        "That question of {client} is over; nothing was done.",
    ),
    # prompts
    "no_thread": (
        "还没有选择线程。先发 /threads 看列表，再发 /use 1。",
        "No thread is chosen yet. Send /threads, then /use 1.",
    ),
    "no_alias": (
        "没有叫 {alias} 的线程。/list 看已有的，/threads 看全部。",
        "There is no {alias}. /list shows what is named, /threads all of them.",
    ),
    "no_number": (
        "上次的列表里没有 {number}。发 /threads 重新列出。",
        "The last list has no {number}. Send /threads for a new one.",
    ),
    "empty": ("这条消息是空的。", "That message was empty."),
    "unsupported": (
        "这种消息收不了。请用文字说，或者发图片、文件、语音。",
        "That kind of message cannot be taken. Say it in words, or send a picture or a file.",
    ),
    "cut": (
        "这条消息太长（超过 512 KiB），没有执行。请分几条发。",
        "That message is longer than 512 KiB and was not run. Send it in pieces.",
    ),
    "waits": (
        "Codex 现在连不上（{why}），给 {alias} 的消息会在恢复后发送。",
        "Codex cannot be reached ({why}). Your message to {alias} is sent when it is back.",
    ),
    "flood": (
        "一分钟内收到了 {count} 条以上，都收好了，会按顺序执行。",
        "More than {count} messages in a minute: all are kept and run in order.",
    ),
    "queue_full": (
        "{alias} 已有 {count} 条在排队，这条先留着。回复 /run-held 执行，/drop-held 丢弃。",
        "{count} messages already wait for {alias}; this one is held. /run-held or /drop-held.",
    ),
    "stale": (
        "有 {count} 条较早的消息没有执行（最早的一条 {age}前）。"
        "回复 /run-held 按顺序执行，/drop-held 丢弃。",
        "{count} older messages were not run (the oldest is {age} old). "
        "Send /run-held to run them in order, /drop-held to drop them.",
    ),
    "stale_slept": (
        "电脑睡眠了 {slept}，期间有 {count} 条消息没有执行（最早的一条 {age}前）。"
        "回复 /run-held 按顺序执行，/drop-held 丢弃。",
        "The computer slept for {slept}; {count} older messages were not run (the oldest is "
        "{age} old). Send /run-held to run them in order, /drop-held to drop them.",
    ),
    "running_held": ("开始按顺序执行 {count} 条。", "Running {count} held messages in order."),
    "dropped_held": ("丢弃了 {count} 条。", "Dropped {count} held messages."),
    "nothing_held": ("没有留着的消息。", "Nothing is held."),
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
    "confirm_remove": (
        "要去掉名字 {alias} 吗？线程本身不受影响。两分钟内回复 /yes 或 /no。",
        "Remove the name {alias}? The thread itself stays. Answer /yes or /no within two minutes.",
    ),
    "removed": ("名字 {alias} 已去掉。", "The name {alias} is gone."),
    "kept": ("好，不动。", "Nothing was changed."),
    "nothing_to_confirm": ("现在没有要确认的事。", "There is nothing to confirm."),
    # turns on command
    "cancelled": ("#{id} 已取消。", "#{id} is cancelled."),
    "not_begun": (
        "还没有开始，已取消。要执行就再发一次。",
        "It had not begun and is cancelled. To run it, send it again.",
    ),
    "not_waiting": (
        "#{id} 不在排队。/queue 看排队的；正在进行的用 /stop。",
        "#{id} is not waiting. /queue shows what is; /stop ends the running one.",
    ),
    "nothing_runs": ("{alias} 没有正在进行的事。", "Nothing is running in {alias}."),
    "nothing_to_retry": ("没有可以重来的消息。", "There is nothing to try again."),
    "no_result": ("没有 #{id} 的回答。", "There is no answer #{id}."),
    "no_more": ("没有更多了。", "There is no more."),
    # lists
    "threads_head": (
        "最近的线程（回复 /use 加数字）：",
        "Recent threads (send /use and a number):",
    ),
    "threads_none": ("没有找到线程。", "No thread was found."),
    "threads_none_words": ("没有找到含“{words}”的线程。", "No thread matches “{words}”."),
    "aliases_head": ("你起的名字：", "Your names for threads:"),
    "aliases_none": (
        "还没有给线程起名。发 /threads，再发 /use 1。",
        "No thread has a name yet. Send /threads, then /use 1.",
    ),
    "queue_none": ("没有排队的消息。", "Nothing is waiting."),
    "queue_head": ("排队的消息：", "Waiting:"),
    "untitled": ("（无标题）", "(no title)"),
    "state_idle": ("空闲", "free"),
    "state_busy": ("忙", "busy"),
    "state_elsewhere": ("被占用", "open elsewhere"),
    "turn_queued": ("排队", "waiting"),
    "turn_starting": ("正在开始", "starting"),
    "turn_running": ("进行中", "running"),
    "turn_settling": ("收尾", "finishing"),
    "turn_asks": ("等你答复", "waits for your answer"),
    "turn_parked_head": ("等你决定（/retry 或 /cancel）", "waits for you (/retry or /cancel)"),
    "turn_parked_elsewhere": ("等线程空出来", "waits for the thread"),
    "turn_parked_controller": ("等 Codex 恢复", "waits for Codex"),
    # status
    "status_thread": ("{alias}：{title}", "{alias}: {title}"),
    "status_free": ("线程空闲", "The thread is free"),
    "status_theirs": ("线程正被占用", "The thread is in use elsewhere"),
    "status_turn": ("#{id} {state}，{age}", "#{id} {state}, {age}"),
    "status_queue": ("排队 {count} 条", "{count} waiting"),
    "status_held": (
        "留着 {count} 条：/run-held 或 /drop-held",
        "{count} held: /run-held or /drop-held",
    ),
    "status_files": (
        "有 {count} 条文件在等你说要做什么",
        "{count} of your files wait for your words",
    ),
    "status_last": (
        "最近的回答：#{id}，{age}前，/result {id}",
        "Last answer: #{id}, {age} ago, /result {id}",
    ),
    "status_credits": (
        "你再写之前，微信还可回复 {count} 条",
        "{count} WeChat replies left until you write",
    ),
    "status_credits_for": (
        "你再写之前，微信还可回复 {count} 条，{age}内有效",
        "{count} WeChat replies left until you write, for {age}",
    ),
    "status_rows": ("待发 {count} 条", "{count} bubbles wait to be sent"),
    "status_breaker": (
        "微信拒绝了发送，{age}后再试；你写一句就马上试",
        "WeChat refused to take a message; trying again in {age}, or at once when you write",
    ),
    "status_code": (
        "微信返回了没见过的代码：{code}",
        "WeChat answered with an unknown code: {code}",
    ),
    # the controller
    "controller_missing": ("找不到控制器命令", "the controller command was not found"),
    "controller_down": ("控制器没有运行", "the controller is not running"),
    "controller_slow": ("控制器没有及时回答", "the controller did not answer in time"),
    "controller_lacks": ("这个控制器做不到", "this controller cannot do that"),
    "controller_lost": (
        "控制器现在不提供：{what}。其余照常；请在电脑上更新或重启控制器。",
        "The controller does not offer: {what}. The rest goes on. "
        "Update or restart it at the desk.",
    ),
    "controller_regained": ("控制器又提供了：{what}。", "The controller offers again: {what}."),
    "tool_start": ("执行消息", "running messages"),
    "tool_wait_any": ("等待回答", "waiting for answers"),
    "tool_read_result": ("读取回答", "reading answers"),
    "tool_status": ("线程状态", "the state of a thread"),
    "tool_list_runs": ("中断后找回执行", "finding a run after a crash"),
    "tool_delivery_ack": ("确认回答", "confirming answers"),
    "tool_close": ("结束执行", "closing runs"),
    "tool_release": ("解锁线程", "unlocking threads"),
    "tool_cancel": ("停止 (/stop)", "/stop"),
    "tool_force_recover": ("取回丢失的锁", "taking back a lost lock"),
    "tool_approvals": ("在手机上答复请求 (/approve)", "answering requests with /approve"),
    "tool_answer": ("在手机上答复请求 (/approve)", "answering requests with /approve"),
    "tool_steer": ("补充进行中的任务 (/steer)", "/steer"),
    "tool_fork": ("从线程分支 (/fork)", "/fork"),
    "cannot_list": (
        "现在列不出线程：{why}。请稍后再试。",
        "Threads cannot be listed now: {why}. Try again in a moment.",
    ),
    # language and help
    "lang_set": ("好，以后用中文。", "English from now on."),
    "help_head": (
        "直接发文字给当前线程。命令：",
        "What you write goes to the thread in use. Commands:",
    ),
    "unknown_verb": ("没有这个命令。{usage}", "There is no such command. {usage}"),
    "usage": ("用法：{usage}", "Usage: {usage}"),
    **SENTENCES,
}
