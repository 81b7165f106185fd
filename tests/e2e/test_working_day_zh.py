"""手机上的一个工作日，从早到晚: the whole day once more, in Chinese (issue 5, Tests).

The owner of a small shop is out. One thread on the desk builds the shop's web site, the
other one writes its news. What the phone says is Chinese from the first word on.
"""

from __future__ import annotations

import re
import signal

from tests.e2e.desk import Desk, over_codex

WINDOW_S = "0.5"  # of a burst: short, so that nobody waits
SLEPT = "+490m"  # eight hours and some


async def test_a_working_day_in_chinese() -> None:
    """issue 5: one conversation, with the real commands and the real Codex CLI."""
    async with over_codex(CTB_LANG="zh", CTB_MERGE_WINDOW_SECONDS=WINDOW_S) as desk:
        site, news = await desk.thread("网站"), await desk.thread("简报")
        await on_the_way_to_work(desk)
        await two_threads_at_once(desk)
        await a_colleague_at_the_desk(desk, site)
        await the_bridge_restarts_over_lunch(desk)
        await a_busy_afternoon(desk)
        await the_laptop_is_closed_until_night(desk)
        await the_day_is_looked_over(desk)

        assert desk.turns(site) == 2 + 11  # one as old as the thread, one made at the desk
        assert desk.turns(news) == 1 + 3
        assert desk.phone.count("来不及了") == 0


async def on_the_way_to_work(desk: Desk) -> None:
    """选一个线程，发文字、几句连着的话、一张图、一段语音。"""
    phone = desk.phone
    await phone.asks("你好", "▸ 还没有选择线程。先发 /threads 看列表，再发 /use 1。")
    listed = await phone.asks("/threads", "▸ 最近的线程（回复 /use 加数字）：")
    assert "1. reply:this is 简报" in listed and "2. reply:this is 网站" in listed
    await phone.asks("/use 2", "▸ 现在用 网站：reply:this is 网站")
    await phone.asks("首页太慢了", "echo: 首页太慢了")

    phone.types("先看图片")
    phone.types("再看脚本")
    await phone.reads("echo: 先看图片\n再看脚本")

    notes = desk.house.folder / "要点.txt"
    notes.write_text("三张大图")
    phone.types(f":file {notes}")
    assert await phone.asks("是它们吗？", "是它们吗？") == "echo: [文件 要点.txt]\n是它们吗？"

    phone.types(":voice 把图片压小一点")
    await phone.reads("▸ 语音：把图片压小一点\necho: [语音] 把图片压小一点")


async def two_threads_at_once(desk: Desk) -> None:
    """换到简报；引用网站的回答，话就回到网站去；动手之前先问。"""
    phone = desk.phone
    await phone.asks("/use 1", "▸ 现在用 简报：")
    await phone.asks("写一段开业的消息", "echo: 写一段开业的消息")

    phone.quotes("首页太慢了", "现在呢？")
    assert await phone.reads("现在呢？") == "(网站)\necho: > echo: 首页太慢了\n\n现在呢？"
    assert await phone.asks("再短一点", "再短一点") == "echo: 再短一点"

    asked = await phone.asks("escalate:touch 已发布\nreply:发布了", "同意：/approve ")
    assert "简报）想执行这个命令：" in asked and "touch 已发布" in asked
    published = desk.workspace("简报") / "已发布"
    assert not published.exists()
    code = re.findall(r"/approve (\w+)", asked)[0]
    await phone.asks(f"/approve {code}", "发布了")
    assert published.exists()


async def a_colleague_at_the_desk(desk: Desk, site: str) -> None:
    """同事在电脑上接着做了一轮；手机问了才知道，问一下不花一轮。"""
    phone = desk.phone
    await desk.adds_turn("网站", site, "reply:首页快了一倍")
    made = desk.model.seen.requests
    shown = await phone.asks("/refresh 网站", "▸ 网站，上次看过之后：")
    assert shown.endswith("首页快了一倍")
    assert desk.model.seen.requests == made
    await phone.asks("/use 网站", "▸ 现在用 网站：")


async def the_bridge_restarts_over_lunch(desk: Desk) -> None:
    """午饭时重启；那一轮接着跑完，回答只来一次。"""
    desk.phone.says("shell:sleep 4\nreply:备份好了")
    await desk.house.is_typing()
    desk.bridge.signals(signal.SIGTERM)
    assert await desk.bridge.ends() == 0
    desk.house.opens("ctb-bridge", "run")
    await desk.phone.reads("备份好了")
    assert desk.phone.count("备份好了") == 1


async def a_busy_afternoon(desk: Desk) -> None:
    """补充一句，停下一轮，看完长回答，收一个文件。"""
    phone = desk.phone
    phone.says("shell:sleep 3\nreply:目录整理好了")
    await desk.house.is_typing()
    await phone.asks("/steer 别动旧图", "收到了补充。")
    await phone.reads("echo: 别动旧图")

    phone.says("sleep:60\nreply:来不及了")
    await desk.house.is_typing()
    await phone.asks("/stop", "已停止。")

    await phone.asks("long:9000", "lorem ipsum")
    await phone.reads("段，回复 /more")
    before = len(phone.texts())
    await phone.asks("/more", "lorem ipsum")
    await phone.asks("/more", "▸ 没有更多了。")
    assert 2 <= len(phone.texts()) - before <= 5  # four bubbles at most, and that line

    await phone.asks(
        "shell:mkdir -p exports; echo 快 > exports/报告.md\nreply:见 exports/报告.md",
        "见 exports/报告.md",
    )
    await phone.asks("/artifacts", "1. 报告.md · 4 B · 可以发")
    phone.says("/sendfile 1")
    assert await phone.gets_files(1) == [("报告.md", "快\n".encode())]
    # 回答先到，锁随后放开。
    await phone.asks_until("/status", "最近的回答：#", "线程空闲")


async def the_laptop_is_closed_until_night(desk: Desk) -> None:
    """合上电脑时说的话先留着，醒来问过才执行。"""
    phone = desk.phone
    desk.worker.signals(signal.SIGTERM)
    assert await desk.worker.ends() == 0
    phone.says("删掉旧图")
    phone.says("再发一次简报")
    phone.types(f":clock {SLEPT}")
    desk.house.opens("ctb-channel", "run")
    await phone.reads("▸ 有 2 条较早的消息没有执行（最早的一条 8 小时前）。回复 /run-held")
    await phone.asks("/drop-held", "▸ 丢弃了 2 条。")
    await phone.asks("/run-held", "▸ 没有留着的消息。")


async def the_day_is_looked_over(desk: Desk) -> None:
    """打错一个命令，换一次语言，看一条消息的经过。"""
    phone = desk.phone
    await phone.asks("/stauts", "▸ 没有这个命令。/status [名字]")
    await phone.asks("/yes", "▸ 现在没有要确认的事。")
    await phone.asks("/why", "一次确认只对一件事有效")

    await phone.asks("/lang en", "▸ English from now on.")
    status = await phone.asks("/status", "Last answer: #")
    await phone.asks("/lang zh", "▸ 好，以后用中文。")
    number = re.findall(r"#(\d+)", status)[0]
    life = await phone.asks(f"/trace {number}", f"▸ #{number} 网站：已完成")
    assert "1 条消息" in life and "第 1/1 段已送出" in life
    await phone.asks(f"/result {number}", "见 exports/报告.md")
