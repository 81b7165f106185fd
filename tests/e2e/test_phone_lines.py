"""Every line that the simulated phone knows, typed in a terminal, with all of ours behind it."""

from __future__ import annotations

from tests.e2e.rig import House, Terminal

DEMO = ("ctb-bridge", "demo", "--engine", "echo", "--data")
TOP, BOTTOM = "╭", "╯ "  # of a bubble
APPROVES = "/group approve 1"


async def asks(phone: Terminal, line: str, *words: str) -> None:
    """Type it, and see a bubble with these words."""
    phone.types(line)
    for word in (*words, BOTTOM):
        await phone.expects(word)


async def test_demo_knows_files_voice_quotes_strangers_groups_and_the_clock(
    house: House,
) -> None:
    """issue 5, item 13: and groups where CTB_GROUP_QA lets them ask."""
    notes = house.folder / "notes.txt"
    notes.write_text("words in a file")
    phone = house.opens(*DEMO, str(house.data), CTB_GROUP_QA="on")
    await phone.expects("This is the phone.")
    await asks(phone, "/threads", "│ 1. ")
    await asks(phone, "/use 1", "Now using")

    phone.types(f":file {notes}")
    await asks(phone, "read it", "echo: [file notes.txt]", "│ read it")
    await asks(phone, ":voice in my own words", "Heard: in my own words", "[voice]")
    await asks(phone, ":quote 2 once more", "> echo: [file notes.txt]", "│ once more")

    phone.types(":as stranger let me in")
    phone.types("it is me")
    shown = await phone.expects("echo: it is me")
    assert shown.count(TOP) == 1  # a stranger gets nothing

    await asks(phone, ":group team @Bot hello", "wants to ask questions", APPROVES)
    await asks(phone, APPROVES, "Group 1 may ask")
    phone.types(":group team")
    await phone.expects("[team]> ")
    await asks(phone, "@Bot what is WAL?", "╭─ group team ─", "│ what is WAL?")
    phone.types(":group")

    await _day_ends_in_the_middle_of_a_turn(house, phone)


async def test_demo_merges_a_burst_where_the_settings_say_so(house: House) -> None:
    """issue 5, items 4 and 13: several messages are one prompt, and a Chinese phone helps."""
    phone = house.opens(
        *DEMO, str(house.data), "--lang", "zh", CTB_MERGE_WINDOW_SECONDS="1.5", CTB_LANG="zh"
    )
    await phone.expects("这是手机")
    phone.types(":help")
    await phone.expects("这些行有自己的意思")
    await asks(phone, "/use 1", "/threads")
    await asks(phone, "/threads", "│ 1. ")
    await asks(phone, "/use 1", "shop")
    phone.types("first words")
    await asks(phone, "and more of them", "echo: first words", "│ and more of them")


async def test_simulator_in_a_terminal_is_a_phone_for_the_real_commands(house: House) -> None:
    """issue 5, item 13; issue 3, item 10: the login, then files, quotes and a closed day."""
    notes = house.folder / "notes.txt"
    notes.write_text("words in a file")
    phone = house.opens("ctb-channel", "simulate")
    await phone.expects("iLink server at ")
    house.settings["ILINK_BASE_URL"] = (await phone.expects("   set ")).removesuffix("   set ")
    login = house.opens("ctb-channel", "login", "--yes")
    assert await login.ends() == 0, login.shown
    house.opens("ctb-bridge", "run")
    house.opens("ctb-channel", "run")
    await asks(phone, "/threads", "│ 1. ")
    await asks(phone, "/use 1", "Now using")
    phone.types(f":file {notes}")
    await asks(phone, "read it", "notes.txt", "│ read it")
    await asks(phone, ":quote 1 once more", "> echo: ", "│ once more")
    await _day_ends_in_the_middle_of_a_turn(house, phone)


async def _day_ends_in_the_middle_of_a_turn(house: House, phone: Terminal) -> None:
    """WeChat takes no reply any more; what waits comes with the next message."""
    phone.types("sleep:1")
    await phone.expects("is typing")
    phone.types(":clock +25h")
    await phone.expects("🕒")
    await house.is_told("refused to take a message")
    phone.types("/list")
    assert (await phone.expects("│ done │")).count(TOP) == 1
    await phone.expects("Your names for threads")
