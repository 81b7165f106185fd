"""Lists, the status, the controller, the language and the help.

Each: Chinese, then English.
"""

from __future__ import annotations

SENTENCES: dict[str, tuple[str, str]] = {
    # lists
    "threads_head": (
        "最近的线程（回复 /use 加数字）：",
        "Recent threads (send /use and a number):",
    ),
    "threads_none": (
        "没有找到线程。发 /new 名字 文件夹 开一个。",
        "No thread was found. /new, a name and a folder begin one.",
    ),
    "threads_none_words": (
        "没有找到含“{words}”的线程。/threads 看全部。",
        "No thread matches “{words}”. /threads shows all.",
    ),
    "aliases_head": ("你起的名字：", "Your names for threads:"),
    "aliases_more": (
        "… 还有 {count} 个。用 /threads 加几个字找线程，列表里带着名字。",
        "… and {count} more. /threads and some words finds a thread, with its name.",
    ),
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
    "status_queue_elsewhere": (
        "别的线程里还排着 {count} 条：/queue",
        "{count} waiting in other threads: /queue",
    ),
    "status_asks": ("{who} 在等你答复。{how}", "{who} waits for your answer. {how}"),
    "status_held": (
        "留着 {count} 条：/run-held 或 /drop-held",
        "{count} held: /run-held or /drop-held",
    ),
    "status_files": (
        "有 {count} 条文件在等你说要做什么",
        "Files that wait for your words: {count}",
    ),
    "status_last": (
        "最近的回答：#{id}，{age}前，/result {id}",
        "Last answer: #{id}, {age} ago, /result {id}",
    ),
    "status_credits": (
        "你再写之前，微信还可回复 {count} 条",
        "WeChat replies left until you write: {count}",
    ),
    "status_credits_for": (
        "你再写之前，微信还可回复 {count} 条，{age}内有效",
        "WeChat replies left until you write: {count}, for {age}",
    ),
    "status_rows": ("待发 {count} 条", "Bubbles that wait to be sent: {count}"),
    "status_given_up": (
        "放弃了 {count} 个：/dead",
        "{count} given up: /dead",
    ),
    "status_breaker": (
        "微信拒绝了发送，{age}后再试；你写一句就马上试",
        "WeChat refused to take a message; trying again in {age}, or at once when you write",
    ),
    "status_code": (
        "微信返回了没见过的代码：{code}",
        "WeChat answered with an unknown code: {code}",
    ),
    # /status
    "status_elsewhere": ("线程在 {holder} 里打开着", "The thread is open in {holder}"),
    "another_program": ("另一个程序", "another program"),
    "another_owner": ("另一方", "somebody else"),
    "status_stalled": (
        "#{id} 已有一段时间没有动静，可能卡住了：/stop 后 /retry",
        "#{id} has shown no sign of life for a while; it may be stuck: /stop, then /retry",
    ),
    "status_network_waiting": (
        "#{id} 在等网络恢复，会自己继续；不想等：/stop",
        "#{id} waits for the network and goes on by itself; /stop to end it",
    ),
    "status_retrying": (
        "#{id} 的模型服务出错，正在重试；不想等：/stop",
        "The model service fails #{id}; it is trying again. /stop to end it",
    ),
    "status_interrupt_unanswered": (
        "#{id} 没有理会停止的请求，请到电脑上结束它",
        "#{id} has not answered the request to stop: end it at the desk",
    ),
    "server_own": ("自己的 Codex 服务", "own server"),
    "server_shared": ("共用的 Codex 服务", "shared daemon"),
    "status_server": ("{name} {version}，内存 {memory} MB", "{name} {version}, {memory} MB"),
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
    "unknown_path": (
        "没有这个命令，什么也没做。要把这句话发给线程，开头写两个斜杠：//",
        "There is no such command; nothing was done. To send this to the thread, begin it with "
        "two slashes: //",
    ),
    "usage": ("用法：{usage}", "Usage: {usage}"),
}
