"""What becomes of a turn, and why one failed.

Each: Chinese, then English.
"""

from __future__ import annotations

SENTENCES: dict[str, tuple[str, str]] = {
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
        "#{id} 三次出错，已放到一边 (E-T{id})。详情见电脑上的日志。",
        "#{id} failed three times and is set aside (E-T{id}). The log at the desk says why.",
    ),
    "poison": (
        "有一条消息三次出错，已放到一边 (E-M{id})。请换个说法再发一次。",
        "One message failed three times and is set aside (E-M{id}). Say it another way.",
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
    "not_freed": (
        "#{id} 结束了，但控制器还不肯放开 {alias}，之后的消息会等着。可以试试 /recover {alias}",
        "#{id} is over, but the controller does not free {alias}; what you send there waits. "
        "/recover {alias} may help.",
    ),
    "working": ("#{id} 还在进行中。停下：/stop", "#{id} is still working. To end it: /stop"),
    "stopping": ("正在停止 #{id}…", "Stopping #{id}…"),
    "cannot_stop": (
        "这个控制器不能停止正在执行的 #{id}。请在电脑上停止它。",
        "This controller cannot stop #{id} while it runs. Stop it at the desk.",
    ),
    "more": ("还有 {left} 段，回复 /more", "{left} more: send /more"),
    "more_or_file": (
        "还有 {left} 段：/more 接着看，/sendfile #{id} 收整篇文件",
        "{left} more: /more, or /sendfile #{id} for all of it as a file",
    ),
    "more_of": ("还有 {left} 段，回复 /result {id}", "{left} more: send /result {id}"),
    "more_of_or_file": (
        "还有 {left} 段：/result {id} 重看，/sendfile #{id} 收整篇文件",
        "{left} more: /result {id}, or /sendfile #{id} for all of it as a file",
    ),
    "rest_waits": (
        "微信的回复次数快用完了。请随便回复一句，我接着发剩下的。",
        "WeChat's replies are nearly used up. Send me anything to get the rest.",
    ),
    "results_waiting": (
        "重新登录前的回答还留着，发 /result {id} 看第一个，其余也这样看：{ids}",
        "Results are waiting from before the login. Send /result {id} for the first, "
        "and so for each: {ids}",
    ),
    "incomplete": (
        "#{id} 的回答没有全部送达。重看：/result {id}",
        "Part of the answer #{id} could not be delivered. Read it again: /result {id}",
    ),
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
    "nothing_to_retry": (
        "没有失败或中断的消息。要再执行一次，把那句话再发一次。",
        "No message failed or was cut off. To run one again, send its words again.",
    ),
    "once_more": ("再来一次：{alias} 的 #{id}", "Once more: #{id} of {alias}"),
    "no_result": (
        "没有 #{id} 的回答，或已过 90 天、不再保存。/status 看最近的一个。",
        "There is no answer #{id}, or it is more than 90 days old and not kept. "
        "/status names the last one.",
    ),
    "no_more": (
        "没有更多了。从头看一个回答：/result 加编号",
        "There is no more. To read an answer from its beginning: /result and its number",
    ),
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
