"""The rule behind what was not done, as `/why` says it: in words, with the next step.

Each: Chinese, then English.
"""

from __future__ import annotations

SENTENCES: dict[str, tuple[str, str]] = {
    "why_nothing": (
        "没有被拒绝、留着或暂不发送的事。",
        "Nothing of yours was refused, held or kept back.",
    ),
    "why_then": ("{age}前：{because}", "{age} ago: {because}"),
    "because_thread": (
        "消息只进你明确选定的线程，从不猜。"
        "发 /threads 看列表，再 /use 加数字；已有的名字在 /list。",
        "a message only goes to a thread that you chose; nothing is guessed. "
        "Send /threads, then /use and a number; /list shows your names.",
    ),
    "because_name": (
        "名字要和别的分得清：同一种文字的字母或数字，不和已有的相像。换一个名字再发一次。",
        "a name must not be mistaken for another: letters and digits of one script, unlike "
        "those there are. Send the command again with another name.",
    ),
    "because_command": (
        "命令必须写得完全对，写错的从不猜着执行。/help 加命令看用法；要当文字发，开头写 //。",
        "a command must be written exactly; none is run on a guess. "
        "/help and a command tells how; to send it as words, begin with //.",
    ),
    "because_size": (
        "一条消息最多 512 KiB，超过的不执行，免得只做一半。请分几条发，或发文件。",
        "a message holds 512 KiB at most; a longer one would run without its end. "
        "Send it in pieces, or as a file.",
    ),
    "because_kind": (
        "能执行的只有文字、语音转成的文字，以及附带的文件。请用文字再说一次。",
        "only words, transcripts, and files with words can be run. Say it in words.",
    ),
    "because_confirm": (
        "一次确认只对一件事有效，两分钟内，中间不能有别的命令。把原来的命令再发一次。",
        "a confirmation is for one thing, within two minutes, with no command in between. "
        "Send the command itself again.",
    ),
    "because_number": (
        "编号只指手机上出现过、现在还在的那一个。"
        "/queue 看排队的，/status 看最近的回答，/artifacts 看文件。",
        "a number means what was shown to you under it, while that is still there. /queue shows "
        "what waits, /status the last answer, /artifacts the files.",
    ),
    "because_folder": (
        "新线程能改它的文件夹，所以文件夹要先存在，也不能大到包着主目录。选里面的一个再发。",
        "a new thread may write to its folder, so the folder must be there and must not hold "
        "your home. Choose one inside it and send the command again.",
    ),
    "because_code": (
        "一个代码只对一个请求有效，只能用一次，十分钟后要换新的。/status 看有没有请求在等。",
        "a code is for one request, once, and is renewed after ten minutes. "
        "/status shows whether one waits.",
    ),
    "because_verdict": (
        "动作只能同意或不同意，问题只能回答，不能互换。/status 看在等哪一种，再按它的写法发。",
        "an action is approved or denied, a question is answered, and neither stands for the "
        "other. Send the command that the request itself shows.",
    ),
    "because_deadline": (
        "请求不会永远等着：到了期限就替你回绝，免得以后误同意。还要做就再发一次消息。",
        "a request does not wait for ever: at its deadline it is declined for you. "
        "Send the message again if it shall still be done.",
    ),
    "because_head": (
        "线程在电脑上有了新内容时，排着的消息不会不问就执行。/retry 照样执行。",
        "where a thread went on at the desk, a message that waited is not run unasked. "
        "/retry runs it all the same.",
    ),
    "because_desk": (
        "没有完整显示的动作，或关掉了手机同意时，只能在电脑上确认。也可以 /deny 加代码。",
        "what was not shown whole, or while approving from the phone is off, is confirmed at "
        "the desk alone. Do it there, or /deny and the code.",
    ),
    "because_lock": (
        "锁只从忘了放的一方收回，从不打断正在工作的。/status 看是谁，/fork 可以在分支里继续。",
        "a lock is taken back only where it was left over, never from who is at work. "
        "/status tells who; /fork goes on in a branch.",
    ),
    "because_steer": (
        "补充只进正在进行的那一轮。去掉 /steer 直接发，会作为下一轮执行。",
        "a word can only be added to a turn that is running and takes it. "
        "Send it without /steer: it runs as the next turn.",
    ),
    "because_controller": (
        "线程归电脑上的 Codex 管，它当时没有照做或没有回答。稍后再发一次；"
        "一直这样就在电脑上运行 ctb-bridge doctor。",
        "the threads are Codex's, and it did not do it, or did not answer. Send it again "
        "later; if it stays so, run  ctb-bridge doctor  at the desk.",
    ),
    "because_group": (
        "群只能提问，而且要先开启、再由你同意；群的线程不归别处用。/group list 看各个群。",
        "groups may only ask, once that is switched on and you approve; their threads serve "
        "nothing else. /group list shows them.",
    ),
    "because_file": (
        "文件只从线程的 exports 或你允许的文件夹里离开，而且必须完整、普通、是你自己的。"
        "/artifacts 看每个文件的原因和办法。",
        "a file only leaves from the exports of a thread, or from where you allow it, and only a "
        "plain and whole one of yours. /artifacts tells the reason for each, and the way.",
    ),
    "because_doubt": (
        "可能含有秘密、太旧或打包的文件，要你看过名字、大小和校验值再说 /yes。"
        "用数字一个一个地 /sendfile。",
        "a file that is old, packed, or may hold a secret only goes once you saw its name, size "
        "and hash and said /yes. Ask for one at a time: /sendfile and its number.",
    ),
    "because_stale": (
        "到达时已经太旧的消息不会自己执行，免得过时的话改动了什么。"
        "/run-held 执行，/drop-held 丢弃。",
        "a message that was old when it came is not run by itself: it may be out of date. "
        "/run-held runs it, /drop-held drops it.",
    ),
    "because_queue": (
        "一个线程最多排这么多条，多的先留着。/queue 看排队的，之后 /run-held 执行。",
        "only so many messages wait for one thread; the rest are held. "
        "/queue shows them; /run-held runs the rest later.",
    ),
    "because_poison": (
        "三次出错的消息放到一边，免得挡住后面的。换个说法再发一次；电脑上看 ctb-bridge dead。",
        "a message that failed three times is set aside, so that it holds up nothing behind it. "
        "Say it another way; at the desk,  ctb-bridge dead  lists it.",
    ),
    "because_window": (
        "你每写一次，微信只让回复有限的几条，用完就等你。随便写一句就继续发。",
        "WeChat takes only so many replies after each message of yours; the rest waits. "
        "Write anything and it goes on.",
    ),
    "because_login": (
        "登录断开时攒下的回答，过了一天就不再一个个发，免得占满回复次数。发 /result 加编号来看。",
        "answers that waited for a login for more than a day would use up WeChat's replies, so "
        "they are named and not sent. /result and a number shows one.",
    ),
    "because_other": (
        "依据的规则是 {rule}。详情在电脑上：ctb-bridge audit",
        "the rule was {rule}. At the desk,  ctb-bridge audit  tells more.",
    ),
}
