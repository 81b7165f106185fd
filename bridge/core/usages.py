"""How each command is written and what it does: Chinese, then English. One line each."""

from __future__ import annotations

USAGES: dict[str, tuple[str, str]] = {
    "threads": ("/threads [词] 最近的线程", "/threads [words]: recent threads"),
    "use": ("/use <名字或数字> 选用线程", "/use <name or number>: choose a thread"),
    "add": ("/add <名字> <数字或编号> 给线程起名", "/add <name> <number or id>: name a thread"),
    "bind": ("/bind <数字或编号> 命名为 default 并选用", "/bind <number or id>: use it as default"),
    "list": ("/list 已有的名字", "/list: the names you gave"),
    "remove": ("/remove <名字> 去掉名字（先确认）", "/remove <name>: take a name away (asks)"),
    "status": ("/status [名字] 线程、排队、微信", "/status [name]: thread, queue, channel"),
    "refresh": ("/refresh [名字] 上次看过之后发生了什么", "/refresh [name]: what is new in it"),
    "send": ("/send <名字> <文字> 发一次，不切换", "/send <name> <text>: once, no switching"),
    "steer": ("/steer <文字> 补充给正在进行的", "/steer <text>: add to the running turn"),
    "stop": ("/stop [名字] 停下正在进行的", "/stop [name]: end what is running"),
    "approve": ("/approve <代码> 同意一个请求", "/approve <code>: allow one request"),
    "deny": ("/deny <代码> 拒绝一个请求", "/deny <code>: refuse one request"),
    "answer": (
        "/answer <代码> <数字或文字> 回答问题",
        "/answer <code> <number or text>: a question",
    ),
    "queue": ("/queue 排队的消息", "/queue: what is waiting"),
    "cancel": ("/cancel <编号> 取消一条排队的", "/cancel <number>: drop one that waits"),
    "retry": ("/retry 没做成的再来一次", "/retry: again what failed or was stopped"),
    "new": ("/new <名字> [文件夹] 开一个新线程", "/new <name> [folder]: a fresh thread"),
    "fork": ("/fork <名字> [新名字] 从线程分支", "/fork <name> [new name]: branch a thread"),
    "more": ("/more 长回答的后面几段", "/more: the next part of a long answer"),
    "result": ("/result <编号> 重看一个回答", "/result <number>: read an answer again"),
    "resend": (
        "/resend <编号> 没把握送到的再发一次",
        "/resend <number>: send again what may be lost",
    ),
    "artifacts": ("/artifacts [名字] 最近回答里的文件", "/artifacts [name]: files of an answer"),
    "sendfile": (
        "/sendfile <数字、all 或 #编号> 发到手机",
        "/sendfile <number, all or #answer>: get a file",
    ),
    "run-held": ("/run-held 执行留着的消息", "/run-held: run the held messages"),
    "drop-held": ("/drop-held 丢弃留着的消息", "/drop-held: drop the held messages"),
    "recover": ("/recover <名字> 收回没放的锁（先确认）", "/recover <name>: free its lock (asks)"),
    "trace": ("/trace <编号> 一条消息的经过", "/trace <number>: the life of a message"),
    "why": ("/why 上次为什么没做", "/why: why the last thing was not done"),
    "dead": ("/dead 放弃了的消息和回答", "/dead: what was given up"),
    "group": (
        "/group list|approve|status|reset|disable [编号] 群里的提问",
        "/group list|approve|status|reset|disable [number]: questions in groups",
    ),
    "yes": ("/yes 确认", "/yes: confirm"),
    "no": ("/no 不确认", "/no: do not"),
    "lang": ("/lang zh|en 换语言", "/lang zh|en: change the language"),
    "help": ("/help [命令] 这张表", "/help [command]: this list"),
}
