"""What became of messages: their life, what was given up, answers read and sent again.

Each: Chinese, then English.
"""

from __future__ import annotations

SENTENCES: dict[str, tuple[str, str]] = {
    # /trace
    "no_turn": (
        "没有 #{id}，或已过 90 天、不再保存。编号是回答或 /queue 里 # 后面的数字。",
        "There is no #{id}, or it is over for more than 90 days and not kept any longer. "
        "The number is the one behind # in an answer or in /queue.",
    ),
    "trace_head": ("#{id} {alias}：{state}", "#{id} {alias}: {state}"),
    "trace_came": ("{count} 条消息，{age}前收到", "messages: {count}, came {age} ago"),
    "trace_planned": ("+{span} 排定", "+{span} planned"),
    "trace_started": ("+{span} 开始", "+{span} started"),
    "trace_ended": ("+{span} 结束", "+{span} over"),
    "trace_bubble": ("+{span} 第 {part}/{parts} 段{fate}", "+{span} part {part}/{parts} {fate}"),
    "trace_bubble_tried": (
        "+{span} 第 {part}/{parts} 段{fate}，试了 {tries} 次",
        "+{span} part {part}/{parts} {fate}, tried {tries} times",
    ),
    "trace_more": ("… 还有 {count} 段", "… more parts: {count}"),
    "trace_resend": ("没收到的话：/resend {id}", "If it did not arrive: /resend {id}"),
    "trace_result": ("再看回答：/result {id}", "To read the answer again: /result {id}"),
    "end_open": ("还没完成", "not done yet"),
    "end_completed": ("已完成", "done"),
    "end_failed": ("失败", "failed"),
    "end_interrupted": ("中断", "interrupted"),
    "end_cancelled": ("已取消", "cancelled"),
    "end_blocked": ("停下了", "blocked"),
    "end_uncertain": ("不确定是否执行", "may have run, or not"),
    "end_dead": ("三次出错，放弃", "given up after three failures"),
    "end_dropped": ("三次出错，已丢弃", "given up and dropped"),
    "fate_ready": ("待发", "waits to be sent"),
    "fate_sending": ("正在发", "is being sent"),
    "fate_sent": ("已送出", "sent"),
    "fate_unconfirmed": ("已送出，没有回执", "sent, without a receipt"),
    "fate_unknown": ("结果未知", "may have arrived, or not"),
    "fate_dead": ("没能送达", "could not be delivered"),
    "fate_cancelled": ("不再发送", "no longer sent"),
    "fate_dropped": ("已丢弃", "dropped"),
    # /resend and /result
    "resent": (
        "#{id} 再发了 {count} 段。没有新出现的段，说明早已送到。整个重看：/result {id}",
        "Parts of #{id} sent again: {count}. One that does not show up was there already. "
        "To read all of it: /result {id}",
    ),
    "resend_none": (
        "#{id} 没有结果未知的段。再看回答：/result {id}",
        "Nothing of #{id} is in doubt. To read the answer again: /result {id}",
    ),
    "bubbles_gone": (
        "#{id} 发过什么，只记 30 天。再看回答：/result {id}",
        "What was sent of #{id} is on record for 30 days only. To read the answer again: "
        "/result {id}",
    ),
    "result_not_yet": (
        "#{id} 还没有回答。看进度：/trace {id}",
        "#{id} has no answer yet. How it is: /trace {id}",
    ),
    "result_none": (
        "#{id} 没有存着的文字：{state}。详情：/trace {id}",
        "No text is stored for #{id}: {state}. More: /trace {id}",
    ),
    # /dead
    "dead_none": ("没有放弃的。", "Nothing was given up."),
    "dead_head": ("放弃了的：", "Given up:"),
    "dead_message": (
        "{name} 一条消息，{age}前三次出错。请换个说法再发",
        "{name} a message, failed three times {age} ago. Say it another way",
    ),
    "dead_turn": (
        "{name} #{id}（{alias}），{age}前三次出错。请再发一次",
        "{name} #{id} ({alias}), failed three times {age} ago. Send it again",
    ),
    "dead_bubble_dead": (
        "{name} #{id} 的一段，{age}前没能送达。/result {id}",
        "{name} part of #{id}, could not be delivered {age} ago. /result {id}",
    ),
    "dead_bubble_unknown": (
        "{name} #{id} 的一段，{age}前发送，结果未知。/resend {id}",
        "{name} part of #{id}, sent {age} ago, may not have arrived. /resend {id}",
    ),
    "dead_notice": (
        "{name} 一条通知，{age}前没能送达。/status 看现状",
        "{name} a notice of mine, could not be delivered {age} ago. /status tells how it is now",
    ),
    "dead_more": (
        "还有 {count} 个；全部在电脑上：ctb-bridge dead",
        "{count} more; all of them at the desk:  ctb-bridge dead",
    ),
}
