"""What the owner sends: words, files, voice, quotes, and what is held.

Each: Chinese, then English.
"""

from __future__ import annotations

SENTENCES: dict[str, tuple[str, str]] = {
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
    "empty": ("这条消息是空的，请写一句再发。", "That message was empty. Say it in words."),
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
        "{alias} 已有 {count} 条在排队，再来的先留着。回复 /run-held 执行，/drop-held 丢弃。",
        "Messages that wait for {alias}: {count}; more are held. /run-held or /drop-held.",
    ),
    "stale": (
        "有 {count} 条较早的消息没有执行（最早的一条 {age}前）。"
        "回复 /run-held 按顺序执行，/drop-held 丢弃。",
        "Older messages that were not run: {count} (the oldest is {age} old). "
        "Send /run-held to run them in order, /drop-held to drop them.",
    ),
    "stale_slept": (
        "电脑睡眠了 {slept}，期间有 {count} 条消息没有执行（最早的一条 {age}前）。"
        "回复 /run-held 按顺序执行，/drop-held 丢弃。",
        "The computer slept for {slept}. Messages of that time that were not run: {count} (the "
        "oldest is {age} old). Send /run-held to run them in order, /drop-held to drop them.",
    ),
    "running_held": ("开始按顺序执行 {count} 条。", "Running what was held, in order: {count}."),
    "dropped_held": ("丢弃了 {count} 条。", "Dropped for good: {count}."),
    "nothing_held": (
        "没有留着的消息。排队的在 /queue 里。",
        "Nothing is held. What waits in a queue: /queue",
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
    "quote_may_answer": (
        "找不到你引用的那条，什么也没做。如果是回答 {who} 的问题：/answer {code} 加文字；"
        "如果是给线程的，不引用再发一次。",
        "What you quoted is not known here; nothing was done. If it answers {who}: "
        "/answer {code} and your words. For the thread, send it again without the quote.",
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
}
