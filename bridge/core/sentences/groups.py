"""Questions in groups: what a group reads, and what its owner is told and asked.

Each: Chinese, then English.
"""

from __future__ import annotations

SENTENCES: dict[str, tuple[str, str]] = {
    # in a group
    "group_ask_so": (
        "这里只回答提问：写 @Bot 加上问题。",
        "Only questions are answered here: write @Bot and your question.",
    ),
    "group_too_long": (
        "问题太长了，请用 {count} 个字以内再问一次。",
        "That is too long for a question here. Ask again in {count} characters.",
    ),
    "group_waits": (
        "前面还有 {count} 个问题在等回答，请稍后再问。",
        "{count} questions wait for their answers. Ask again a little later.",
    ),
    "group_enough": (
        "这个群一小时内已经问了 {count} 次，请过一会儿再问。",
        "This group has asked {count} times within an hour. Ask again later.",
    ),
    "group_no_answer": (
        "这个问题没能回答。请稍后再问一次。",
        "That could not be answered. Ask again a little later.",
    ),
    "qa_status": (
        "可以提问：写 @Bot 加上问题。在等回答的 {waiting} 个，这一小时还能问 {left} 次。",
        "Ask with @Bot and your question. {waiting} wait for an answer; "
        "{left} more within this hour.",
    ),
    # what the thread of a group is told with each question
    "group_prompt": (
        "[群聊里的提问。只用几句话直接回答；不要提到文件路径、账号或这台电脑。]\n{text}",
        "[A question from a group chat. Answer in a few sentences; name no file paths, no "
        "accounts and nothing of this computer.]\n{text}",
    ),
    # the owner
    "group_off": (
        "群里的提问没有开启。要开启：在电脑上设 CTB_GROUP_QA=on，再重新启动。",
        "Questions in groups are off. To switch them on, set CTB_GROUP_QA=on at the desk "
        "and start again.",
    ),
    "group_asks": (
        "有一个群（{number}，…{tail}）想提问。同意：/group approve {number}；"
        "不同意：/group disable {number}。"
        "同意后，Codex 回答他们，但不执行命令、不读文件、不用这台电脑的工具；"
        "用别的控制器时，它能读这台电脑上的文件、用它的工具。",
        "A group ({number}, …{tail}) wants to ask questions. /group approve {number} or "
        "/group disable {number}. Once approved, Codex answers its members, but runs no command, "
        "reads no file and uses no tool of this computer; under another controller than "
        "ctb-controller it can read files and use the tools it has.",
    ),
    "group_approved": (
        "群 {number} 可以提问了。Codex 为他们不执行命令、不读文件、不用这台电脑的工具；"
        "用别的控制器时，它能读文件、用工具。收回：/group disable {number}",
        "Group {number} may ask now. Codex runs no command for it, reads no file and uses no tool "
        "of this computer; under another controller than ctb-controller it can read files and "
        "use tools. To take it back: /group disable {number}",
    ),
    "group_reset": (
        "群 {number} 的对话重新开始，在等的问题不再回答。",
        "Group {number} begins anew; questions that waited are not answered any more.",
    ),
    "group_disabled": (
        "群 {number} 不能提问了。再允许：/group approve {number}",
        "Group {number} may not ask any more. To allow it again: /group approve {number}",
    ),
    "group_unchanged": (
        "群 {number} 现在是“{state}”，没有改动。/group list 看全部。",
        "Group {number} is “{state}”; nothing was changed. /group list shows all.",
    ),
    "group_unknown": (
        "没有编号是 {number} 的群。/group list 看全部。",
        "There is no group {number}. /group list shows all.",
    ),
    "group_none": (
        "还没有群提过问。把机器人拉进群，在群里写 @Bot 加上问题。",
        "No group has asked yet. Write @Bot and a question in a group that the bot is in.",
    ),
    "group_head": (
        "群（/group approve 或 /group disable 加编号）：",
        "Groups (/group approve or /group disable and a number):",
    ),
    "group_line": (
        "{number}. …{tail} · {state} · {age}前",
        "{number}. …{tail} · {state} · {age} ago",
    ),
    "group_waiting": ("在等回答：{count} 个", "Questions that wait for an answer: {count}"),
    "group_state_pending": ("等你同意", "asks"),
    "group_state_approved": ("可以提问", "may ask"),
    "group_state_disabled": ("不允许", "may not ask"),
    "group_folder": (
        "这个文件夹属于一个群，不能在这里用。换一个文件夹。",
        "That folder belongs to a group and cannot be used here. Choose another one.",
    ),
    "group_thread": (
        "这个线程属于一个群，不能在这里用。发 /threads 另选一个。",
        "That thread belongs to a group and cannot be used here. Choose another with /threads.",
    ),
}
