"""A whole working day on the phone, told from morning to night (issue 5, Tests).

The owner goes out. Two Codex threads stay on the desk: one about the kitchen, one about
the garden. Every act is what they type, and what they read. The same day in Chinese:
`test_working_day_zh`.
"""

from __future__ import annotations

import re
import signal

from tests.e2e.desk import Desk, over_codex

WINDOW_S = "0.5"  # of a burst: short, so that nobody waits
SLEPT = "+190m"  # three hours and some


async def test_a_working_day() -> None:
    """issue 5: one conversation, with the real commands and the real Codex CLI."""
    async with over_codex(CTB_MERGE_WINDOW_SECONDS=WINDOW_S) as desk:
        kitchen, garden = await desk.thread("kitchen"), await desk.thread("garden")
        await breakfast(desk)
        await on_the_train(desk)
        await meanwhile_at_the_desk(desk, garden)
        await the_bridge_restarts_at_noon(desk)
        await in_the_afternoon(desk)
        await the_laptop_sleeps_until_the_evening(desk)
        await before_going_to_bed(desk)

        assert desk.turns(kitchen) == 1 + 5  # one turn is as old as the thread
        assert desk.turns(garden) == 2 + 10  # and one was made at the desk since
        assert desk.phone.count("too late") == 0


async def breakfast(desk: Desk) -> None:
    """The kitchen: a thread is chosen; words, a burst, a file and a voice go to it."""
    phone = desk.phone
    listed = await phone.asks("/threads", "Recent threads")
    assert "1. reply:this is garden" in listed and "2. reply:this is kitchen" in listed
    await phone.asks("/use 2", "Now using kitchen: reply:this is kitchen")
    await phone.asks("good morning", "echo: good morning")

    phone.types("look at the tap")
    phone.types("and at the sink")
    await phone.reads("echo: look at the tap\nand at the sink")

    plan = desk.house.folder / "plan.txt"
    plan.write_text("two taps")
    phone.types(f":file {plan}")
    assert await phone.asks("is this right?", "is this right?") == (
        "echo: [file plan.txt]\nis this right?"
    )

    phone.types(":voice turn the water off")
    await phone.reads("▸ Heard: turn the water off\necho: [voice] turn the water off")


async def on_the_train(desk: Desk) -> None:
    """The garden: a quote goes back to the kitchen, and a command waits for a yes."""
    phone = desk.phone
    await phone.asks("/use 1", "Now using garden: reply:this is garden")
    await phone.asks("water the roses", "echo: water the roses")

    phone.quotes("good morning", "was it one?")
    answer = await phone.reads("was it one?")
    assert answer == "(kitchen)\necho: > echo: good morning\n\nwas it one?"
    assert await phone.asks("and the tulips", "the tulips") == "echo: and the tulips"

    asked = await phone.asks("escalate:touch tulips.txt\nreply:they are planted", "/approve")
    assert "touch tulips.txt" in asked and not (desk.workspace("garden") / "tulips.txt").exists()
    code = re.findall(r"/approve (\w+)", asked)[0]
    await phone.asks(f"/approve {code}", "they are planted")
    assert (desk.workspace("garden") / "tulips.txt").exists()


async def meanwhile_at_the_desk(desk: Desk, garden: str) -> None:
    """Somebody works on the garden at the desk: the phone is told when it asks."""
    before = desk.model.seen.requests
    await desk.adds_turn("garden", garden, "reply:the hedge is cut")
    made = desk.model.seen.requests
    shown = await desk.phone.asks("/refresh", "garden, since you last looked:")
    assert shown.endswith("the hedge is cut")
    assert made == before + 1 and desk.model.seen.requests == made  # to look costs no turn


async def the_bridge_restarts_at_noon(desk: Desk) -> None:
    """A turn runs on while the bridge is away; its answer comes once."""
    desk.phone.says("shell:sleep 4\nreply:the lawn is mown")
    await desk.house.is_typing()
    desk.bridge.signals(signal.SIGTERM)
    assert await desk.bridge.ends() == 0
    desk.house.opens("ctb-bridge", "run")
    await desk.phone.reads("the lawn is mown")
    assert desk.phone.count("the lawn is mown") == 1


async def in_the_afternoon(desk: Desk) -> None:
    """A running turn is steered, another stopped; a long answer is read on, a file comes."""
    phone = desk.phone
    phone.says("shell:sleep 3\nreply:the shed is open")
    await desk.house.is_typing()
    await phone.asks("/steer and sweep it", "has taken that in")
    await phone.reads("echo: and sweep it")

    phone.says("sleep:60\nreply:too late")
    await desk.house.is_typing()
    await phone.asks("/stop", "is stopped")

    await phone.asks("long:9000", "lorem ipsum")
    await phone.reads("more: send /more")
    before = len(phone.texts())
    await phone.asks("/more", "lorem ipsum")
    await phone.asks("/more", "There is no more.")
    assert 2 <= len(phone.texts()) - before <= 5  # four bubbles at most, and that line

    await phone.asks(
        "shell:mkdir -p exports; echo 3 roses > exports/beds.md\nreply:see exports/beds.md",
        "see exports/beds.md",
    )
    await phone.asks("/artifacts", "1. beds.md · 8 B · ready")
    phone.says("/sendfile 1")
    assert await phone.gets_files(1) == [("beds.md", b"3 roses\n")]
    # The lock goes beside the answer, a moment later.
    await phone.asks_until("/status", "Last answer: #", "The thread is free")


async def the_laptop_sleeps_until_the_evening(desk: Desk) -> None:
    """What was said while it slept is held, until the owner says what to do with it."""
    phone = desk.phone
    desk.worker.signals(signal.SIGTERM)
    assert await desk.worker.ends() == 0
    phone.says("close the gate")
    phone.says("feed the cat")
    phone.types(f":clock {SLEPT}")
    desk.house.opens("ctb-channel", "run")
    await phone.reads("Older messages that were not run: 2 (the oldest is 3 h old). Send /run-held")
    await phone.asks("/run-held", "Running what was held, in order: 2.")
    await phone.reads("echo: close the gate\nfeed the cat")  # said in one breath


async def before_going_to_bed(desk: Desk) -> None:
    """The other language, a slip of the thumb, and a look back."""
    phone = desk.phone
    await phone.asks("/lang zh", "▸ 好，以后用中文。")
    status = await phone.asks("/status", "garden：reply:this is garden")
    await phone.asks("/lang en", "▸ English from now on.")

    await phone.asks("/stauts", "There is no such command. /status [name]")
    await phone.asks("/yes", "There is nothing to confirm.")
    await phone.asks("/why", "a confirmation is for one thing")

    number = re.findall(r"最近的回答：#(\d+)", status)[0]
    life = await phone.asks(f"/trace {number}", f"#{number} garden: done")
    assert "messages: 2, came" in life and "part 1/1 sent" in life
    await phone.asks(f"/result {number}", "feed the cat")
