"""What threads and agents ask the owner: approvals, questions, notes.

Each: Chinese, then English.
"""

from __future__ import annotations

SENTENCES: dict[str, tuple[str, str]] = {
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
        "这里没法照原样全部显示，请在电脑上确认。不同意：/deny {code}",
        "Not all of it can be shown as it is: confirm it at the desk, or /deny {code}",
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
        "没有等待中的请求用这个代码，什么也没做。看在等的：/status",
        "No pending request has this code. Nothing was done; /status shows what waits.",
    ),
    "code_stale": (
        "这个代码过期了，什么也没做。同一个请求的新代码：",
        "That code is too old; nothing was done. The same request under a new code:",
    ),
    "question_needs_answer": (
        "这是一个问题，什么也没做。回答：/answer {code} 加数字或文字",
        "That is a question; nothing was done. /answer {code} and a number or words",
    ),
    "request_is_none": (
        "这不是问题，是一个请求，什么也没做。同意：/approve {code}  不同意：/deny {code}",
        "That is no question but a request; nothing was done. /approve {code}  or  /deny {code}",
    ),
    "no_such_choice": (
        "没有第 {number} 个选项，什么也没做。再答一次：/answer {code} 加 1 到 {last}，或用文字",
        "There is no choice {number}; nothing was done. "
        "/answer {code} and a number from 1 to {last}, or words",
    ),
    "kind_command": ("命令", "command"),
    "kind_file_change": ("文件改动", "file change"),
    "kind_permissions": ("权限请求", "permission request"),
    "kind_question": ("问题", "question"),
    # agents on this computer
    "agent_note": ("{client} 留言：", "Note from {client}:"),
    "agent_asks": ("{client} 问你：", "{client} asks you:"),
    "agent_offers": (
        "{client} 有一个文件给你：{name}（{size}）。要收：/artifacts，再 /sendfile 加它的数字",
        "{client} has a file for you: {name} ({size}). To get it: /artifacts, then /sendfile "
        "and its number",
    ),
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
}
