"""Each command in full: what it does, an example, what follows. Chinese, then English.

The first line of `/help <command>` is its usage line; these two to four come below it.
"""

from __future__ import annotations

from bridge.core.model import Lang
from bridge.core.usages import USAGES

MANUAL: dict[str, tuple[str, str]] = {
    "threads": (
        "列出电脑上最近的线程，带编号；写了词就只列标题或文件夹里有它的。\n"
        "例：/threads 后端\n接着：/use 1 选用第一个。",
        "Lists recent threads of the desk by number; with words, those that match.\n"
        "Example: /threads backend\nNext: /use 1 chooses the first.",
    ),
    "use": (
        "以后直接发的文字都给这个线程。数字是上次 /threads 里的，会自动起名。\n"
        "例：/use 1，或 /use web\n只发一次、不切换：/send。",
        "What you write from now on goes to this thread. A number of the last /threads "
        "also names it.\nExample: /use 1, or /use web\nOnce, without switching: /send.",
    ),
    "add": (
        "给线程起一个名字，不切换。名字在所有会话里通用。\n例：/add web 2\n接着：/use web 选用它。",
        "Gives a thread a name without switching to it.\n"
        "Example: /add web 2\nNext: /use web chooses it.",
    ),
    "bind": (
        "把线程命名为 default，并马上选用。\n例：/bind 1\n原来的 default 会换成它。",
        "Names a thread default and uses it at once.\n"
        "Example: /bind 1\nA default that was there before gives way.",
    ),
    "list": (
        "你起过的名字；箭头指着正在用的。\n接着：/use 加名字，或 /remove 加名字。",
        "The names you gave; the arrow shows the one in use.\n"
        "Next: /use and a name, or /remove and a name.",
    ),
    "remove": (
        "去掉一个名字；线程本身不动。会先问你。\n例：/remove web\n"
        "接着：两分钟内回复 /yes 或 /no。/rm 也行。",
        "Takes a name away; the thread itself stays. Asks first.\n"
        "Example: /remove web\nNext: /yes or /no within two minutes. /rm does the same.",
    ),
    "status": (
        "线程是忙是闲，有什么在排队、在等你答复，微信还能回复几条。不会执行任何东西。\n"
        "例：/status web",
        "Whether the thread is busy, what waits there or for your answer, how many replies "
        "WeChat still takes. Runs nothing.\nExample: /status web",
    ),
    "refresh": (
        "读出上次看过之后这个线程里发生的事，包括电脑上做的。不会执行任何东西。\n"
        "例：/refresh web\n还有更多时，再发一次。",
        "Reads what happened in the thread since you last looked, at the desk too. "
        "Runs nothing.\nExample: /refresh web\nSend it again while there is more.",
    ),
    "send": (
        "把一条消息发给另一个线程，只这一次，不切换。会执行。\n"
        "例：/send web 跑一下测试\n接着：回答开头会写 (web)。",
        "Gives another thread one message, without switching. It runs.\n"
        "Example: /send web run the tests\nNext: its answer begins with (web).",
    ),
    "steer": (
        "给正在进行的那一轮补充一句，不打断它。\n例：/steer 先别改数据库\n"
        "没有正在进行的就不会加进去，会告诉你。",
        "Adds a word to the running turn without cutting it off.\n"
        "Example: /steer leave the database alone\nWhere nothing runs you are told so.",
    ),
    "stop": (
        "停下正在进行的；还没开始的就取消。已做的改动会留着。\n例：/stop，或 /stop web\n"
        "接着：停下后会告诉你；/retry 重来。",
        "Ends what is running, or cancels what has not begun. Changes made so far stay.\n"
        "Example: /stop, or /stop web\nNext: you are told once it is over; /retry runs it again.",
    ),
    "approve": (
        "同意一个请求，只这一个动作，只这一次。代码写在请求里，十分钟后要换新的。\n"
        "例：/approve k7q2m4xpa\n不同意：/deny 加代码。",
        "Allows one request: that very action, once. The code stands in the request and is "
        "renewed after ten minutes.\nExample: /approve k7q2m4xpa\nTo refuse: /deny and the code.",
    ),
    "deny": (
        "拒绝一个请求；那一轮会知道并接着做别的。\n例：/deny k7q2m4xpa\n也用来不回答一个问题。",
        "Refuses one request; the turn is told and goes on without it.\n"
        "Example: /deny k7q2m4xpa\nAlso declines a question.",
    ),
    "answer": (
        "回答线程或电脑上的助手提的问题：选项的数字，或自己的话。\n"
        "例：/answer k7q2m4xpa 2\n直接引用那个问题再写也行。",
        "Answers a question of a thread or an agent: the number of a choice, or words.\n"
        "Example: /answer k7q2m4xpa 2\nQuoting the question does the same.",
    ),
    "queue": (
        "还没完成的消息：编号、线程、在等什么。\n接着：/cancel 加编号取消，/stop 停下进行中的。",
        "The messages that are not done: number, thread, what each waits for.\n"
        "Next: /cancel and a number drops one, /stop ends the running one.",
    ),
    "cancel": (
        "取消一条还在排队的消息；它不会执行。\n例：/cancel 12\n编号在 /queue 里。",
        "Drops a message that still waits; it never runs.\n"
        "Example: /cancel 12\nThe numbers are in /queue.",
    ),
    "retry": (
        "把最近一条失败、中断或不知是否执行了的消息作为新的一轮再执行，先看正在用的线程。\n"
        "因线程有了新内容而没开始的那条，照样开始。\n"
        "要重来另一条，就引用说它失败的那句。先看看做到哪里：/refresh。",
        "Runs the newest message that failed, was cut off or may not have run, as a new turn; "
        "of the thread in use first.\n"
        "One that waits because its thread went on starts as it is.\n"
        "To choose another, quote what I said of its failure. What was done so far: /refresh.",
    ),
    "new": (
        "在一个文件夹里开一个新线程；你的下一条消息会开始它。\n"
        "例：/new site projects/site\n不写文件夹，就用现在这个线程的。",
        "Begins a fresh thread in a folder; your next message starts it.\n"
        "Example: /new site projects/site\nWithout a folder: that of the thread in use.",
    ),
    "fork": (
        "从一个线程分出一支，内容相同，以后各走各的，并选用它。等着原线程的消息会转过来。\n"
        "例：/fork web web-2",
        "Branches a thread: the same past, its own future, now in use. Messages that waited "
        "for the thread go along.\nExample: /fork web web-2",
    ),
    "more": (
        "长回答的后面几段，一次最多四段。\n从头再看：/result 加编号。",
        "The next parts of a long answer, four at most.\n"
        "From the beginning again: /result and its number.",
    ),
    "result": (
        "再读一个存着的回答，不会再执行。编号就是回答里 # 后面的数字。\n"
        "例：/result 12\n接着：/more 看后面的。",
        "Reads a stored answer again; nothing runs. The number is the one behind #.\n"
        "Example: /result 12\nNext: /more for the rest.",
    ),
    "resend": (
        "把一个回答里没把握送到的几段再发一次，标明可能重复。不会再执行。\n"
        "例：/resend 12\n要整个重看：/result 12。",
        "Sends the parts of an answer again of which nobody knows whether they arrived, marked "
        "as a repetition. Nothing runs.\nExample: /resend 12\nFor all of it: /result 12.",
    ),
    "run-held": (
        "按顺序执行那些留着的消息（太旧，或排队满了）。\n不要它们：/drop-held。",
        "Runs the messages that were held, for their age or a full queue, in order.\n"
        "To drop them instead: /drop-held.",
    ),
    "drop-held": (
        "丢弃那些留着的消息，还有没说要做什么的文件。不能恢复。\n要执行它们：/run-held。",
        "Drops the messages that were held, and files that still wait for words. For good.\n"
        "To run them instead: /run-held.",
    ),
    "recover": (
        "收回别人忘了放的锁，线程就空出来。会先问你，因为对方可能还在工作。\n"
        "例：/recover web\n接着：两分钟内回复 /yes 或 /no。",
        "Takes back a lock that was left on a thread. Asks first: its holder may be at work.\n"
        "Example: /recover web\nNext: /yes or /no within two minutes.",
    ),
    "trace": (
        "一条消息的经过：收到、排定、开始、结束，每一段发得怎样。\n例：/trace 12\n"
        "编号就是回答里 # 后面的数字；更多细节在电脑上：ctb-bridge trace",
        "The life of a message: came, planned, started, over, and how each part was sent.\n"
        "Example: /trace 12\nThe number is the one behind #; at the desk,  ctb-bridge trace  "
        "tells more.",
    ),
    "why": (
        "上一件被拒绝、留着或没发出来的事，依据哪条规则，以及接下来怎么办。",
        "The rule behind the last thing that was refused, held or kept back, and what to do.",
    ),
    "dead": (
        "三十天内放弃了的：三次出错的消息，没能送到的回答；每个都写着下一步。\n"
        "在电脑上可以重试或丢弃：ctb-bridge dead",
        "What was given up in thirty days: messages that failed three times, answers that did "
        "not arrive, each with its next step.\nAt the desk,  ctb-bridge dead  tries them again "
        "or drops them.",
    ),
    "artifacts": (
        "列出最近回答里提到的文件，以及哪些能发。不会执行任何东西。\n"
        "例：/artifacts web\n接着：/sendfile 1。",
        "Lists the files that the last answer names, and which of them may go. Runs nothing.\n"
        "Example: /artifacts web\nNext: /sendfile 1.",
    ),
    "sendfile": (
        "把列出的文件发到手机上；拿不准的会先问你。加 # 和编号，就发那个回答的全文。\n"
        "例：/sendfile 2，或 /sendfile all，或 /sendfile #12",
        "Sends a listed file to your phone; asks first where there is a doubt. "
        "With # and a number: the whole text of that answer.\n"
        "Example: /sendfile 2, or /sendfile all, or /sendfile #12",
    ),
    "group": (
        "群里的提问，只读：看有哪些群，同意、收回，或让对话重新开始。\n"
        "例：/group list，或 /group approve 1",
        "Questions from groups, read-only: see the groups, let one ask, take it back, or begin "
        "anew.\nExample: /group list, or /group approve 1",
    ),
    "yes": (
        "确认刚才问你的那一件事；两分钟内有效，只能用一次。",
        "Confirms the one thing that was asked just now; once, and within two minutes.",
    ),
    "no": ("不做刚才问你的那一件事。", "Leaves the one thing that was asked just now undone."),
    "lang": (
        "换成中文或英文；只改我说的话，不改线程的。\n例：/lang en",
        "Changes the language of what I say, not of the threads.\nExample: /lang zh",
    ),
    "help": (
        "全部命令；加一个命令就看它的用法。\n例：/help send\n"
        "以斜杠开头、又不是命令的话，用两个斜杠发：//etc 里有什么",
        "All commands; with a command, that one in full.\nExample: /help send\n"
        "To send words that begin with a slash, write two: //etc is odd",
    ),
}


def in_full(verb: str, lang: Lang) -> str:
    """The usage line of a command, and what else there is to know about it."""
    place = 0 if lang == "zh" else 1
    return f"{USAGES[verb][place]}\n{MANUAL[verb][place]}"
