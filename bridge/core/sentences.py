"""Sentences about files, threads that are read, made, freed, and why a turn failed.

Part of the table of `phrases`, in the same form: Chinese, then English.
"""

from __future__ import annotations

SENTENCES: dict[str, tuple[str, str]] = {
    # /refresh
    "refresh_head": ("{alias}，上次看过之后：", "{alias}, since you last looked:"),
    "refresh_none": (
        "{alias} 上次看过之后没有新内容。最后是：",
        "{alias}: nothing new since you last looked. It ended with:",
    ),
    "refresh_empty": ("{alias} 还没有内容。", "{alias} is still empty."),
    "refresh_more": ("还有更多，再发 /refresh {alias}", "There is more: /refresh {alias} again"),
    "refresh_ours": ("#{id} 是手机上发的：/result {id}", "#{id} came from here: /result {id}"),
    "refresh_commands": ("… 还有 {count} 个命令", "… {count} more commands"),
    "cannot_read": (
        "现在读不到 {alias} 的记录：{why}。请稍后再试。",
        "What happened in {alias} cannot be read now: {why}. Try again in a moment.",
    ),
    "desk_turns": (
        "电脑上新增了 {count} 轮，以下回答接在它们之后。看内容：/refresh {alias}",
        "New turns at the desk before this answer: {count}. To see them: /refresh {alias}",
    ),
    # files, voice and quotes
    "files_alone": (
        "收到 {count} 个文件，要用它们做什么？写一句就行；不要了就发 /drop-held。",
        "Got {count} of your files. What shall I do with them? Say it, or /drop-held.",
    ),
    "files_lost": (
        "有 {count} 个文件没能从微信取到，请再发一次。",
        "{count} of your files could not be got from WeChat. Please send them again.",
    ),
    "files_gone": (
        "有 {count} 个文件没取到，下面是没有它们的回答。",
        "{count} of your files could not be got; this is the answer without them.",
    ),
    "heard": ("语音：{text}", "Heard: {text}"),
    "quote_unknown": (
        "找不到你引用的那条，只用了你写的话。",
        "What you quoted is not known here; only your own words were used.",
    ),
    "prompt_voice": ("[语音] {text}", "[voice] {text}"),
    "prompt_image_at": ("[{name}：{path}]", "[{name}: {path}]"),
    "prompt_video_at": ("[{name}：{path}]", "[{name}: {path}]"),
    "prompt_voice_at": ("[没有转成文字的语音：{path}]", "[voice without a transcript: {path}]"),
    "prompt_file_at": ("[文件 {name}：{path}]", "[file {name}: {path}]"),
    "prompt_gone": ("[{name}：没能取到]", "[{name}: could not be fetched]"),
    "prompt_quote_unknown": (
        "[引用了一条找不到的消息]",
        "[quotes a message that is not available]",
    ),
    "kind_image": ("图片", "image"),
    "kind_video": ("视频", "video"),
    "kind_voice": ("语音", "voice"),
    "kind_file": ("文件", "file"),
    # /steer
    "steered": ("#{id} 收到了补充。", "#{id} has taken that in."),
    "steer_over": (
        "{alias} 没有正在进行的事，这句话没有加进去。去掉 /steer 直接发就会执行。",
        "Nothing is running in {alias}, so that was not added. Send it without /steer to run it.",
    ),
    "steer_soon": (
        "#{id} 还没开始，这句话没有加进去。请稍后再发 /steer。",
        "#{id} has not begun yet, so that was not added. Send /steer again in a moment.",
    ),
    "steer_lacks": (
        "这个控制器不能给进行中的任务补充。去掉 /steer 直接发，会排在 #{id} 之后。",
        "This controller cannot add to a running turn. "
        "Send it without /steer: it runs after #{id}.",
    ),
    "steer_unknown": (
        "无法确认这句话是否加进了 #{id}（{why}）。等它的回答再决定是否重发。",
        "Nobody can say whether #{id} took that in ({why}). Wait for its answer, then decide.",
    ),
    "steer_refused": (
        "#{id} 没有收下这句话：{why}。去掉 /steer 直接发，会排在它之后。",
        "#{id} did not take that in: {why}. Send it without /steer: it runs after #{id}.",
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
    "status_server": ("{name} {version}，内存 {memory} MB", "{name} {version}, {memory} MB"),
    # why a turn failed, and what to do
    "failed_context_window": (
        "#{id} 失败了：线程太长，模型装不下了。请 /fork 或 /new 另开一个，或在电脑上压缩它。",
        "#{id} failed: the thread has grown too long for the model. "
        "Go on in a /new one, or compact it at the desk.",
    ),
    "failed_rate_limited": (
        "#{id} 失败了：请求太频繁，被限流。过几分钟再发 /retry。",
        "#{id} failed: too many requests for now. Wait some minutes, then /retry.",
    ),
    "failed_usage_limit": (
        "#{id} 失败了：额度用完了。等额度恢复，或在电脑上换账号，再发 /retry。",
        "#{id} failed: the usage limit is reached. Wait for it to reset, then /retry.",
    ),
    "failed_overloaded": (
        "#{id} 失败了：模型服务太忙。过一会儿再发 /retry。",
        "#{id} failed: the model service is overloaded. Send /retry in a while.",
    ),
    "failed_sign_in": (
        "#{id} 失败了：Codex 的登录失效了。请在电脑上运行 codex login，再发 /retry。",
        "#{id} failed: Codex is not signed in. Run  codex login  at the desk, then /retry.",
    ),
    "failed_model_unknown": (
        "#{id} 失败了：没有这个模型。请在电脑上改 Codex 的模型设置，再发 /retry。",
        "#{id} failed: the model does not exist. Set another for Codex at the desk, then /retry.",
    ),
    "failed_model_refused": (
        "#{id} 被拒绝了：模型不愿做这件事。请换个说法再发一次。",
        "#{id} was refused: the model will not do that. Say it another way.",
    ),
    "failed_connection_lost": (
        "#{id} 失败了：和模型服务的连接断了。看看电脑的网络，再发 /retry。",
        "#{id} failed: the connection to the model broke. See to the desk's network, then /retry.",
    ),
    "failed_provider_error": (
        "#{id} 失败了：模型服务出错。过一会儿再发 /retry。",
        "#{id} failed: the model service had a fault. Send /retry in a while.",
    ),
    "failed_request_rejected": (
        "#{id} 失败了：模型服务不接受这个请求（{why}）。请换个说法再发一次。",
        "#{id} failed: the model service rejected it ({why}). Say it another way.",
    ),
    "failed_sandbox": (
        "#{id} 失败了：沙箱没能启动。请在电脑上运行 codex sandbox -- true 看原因，再发 /retry。",
        "#{id} failed: the sandbox does not start. Run  codex sandbox -- true  at the desk "
        "to see why, then /retry.",
    ),
    "failed_folder": (
        "#{id} 没有开始：{alias} 的文件夹不在了。请在电脑上建好再发 /retry，或用 /new 另开一个。",
        "#{id} was not started: the folder of {alias} is not there. Make it at the desk and "
        "send /retry, or begin a /new one.",
    ),
    "failed_not_found": (
        "#{id} 没有开始：这个线程已不在电脑上。发 /threads 另选一个。",
        "#{id} was not started: the thread is no longer at the desk. Choose one with /threads.",
    ),
    "failed_archived": (
        "#{id} 没有开始：这个线程已归档。请在电脑上取消归档，再发 /retry。",
        "#{id} was not started: the thread is archived. Unarchive it at the desk, then /retry.",
    ),
    "failed_engine_died": (
        "#{id} 中断了：Codex 意外退出，可能已有部分改动。请查看后回复 /retry。",
        "#{id} was cut off: Codex ended in the middle, part of the work may be done. "
        "Look at it, then /retry.",
    ),
    "failed_interrupted_elsewhere": (
        "#{id} 在电脑上被中断了，可能已有部分改动。要重来：/retry",
        "#{id} was interrupted at the desk; part of the work may be done. To run it again: /retry",
    ),
}
