"""One run of each measurement: figures by name, in the unit their name ends with."""

from __future__ import annotations

import statistics
import subprocess
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path

from bridge.core import text
from bridge.core.paths import offers
from bridge.files import gate
from tests.bench import crowded, subjects, threads, usage
from tests.bench.subjects import BARE_CONTROLLER, BIN, Phone, Subject
from tests.bench.upload import upload

SINGLE_MESSAGES = 100  # one after another, for median and 95th percentile
BURST_MESSAGES = 200  # design.md 9
PER_CALL_MESSAGES = 10  # each starts four controllers
TURN_MS = 50  # long enough that the gateway waits when the answer becomes ready
RESTART_S = 1.0  # after which the Procfile starts a dead process again: design.md 2
MARKDOWN_CHARS = 1 << 20
OFFERED_FILES = 200  # issue 5: as many as one answer offers at most

Figures = dict[str, float]


def messages() -> Figures:
    """The way of one message, and of a burst, beside the reference of the same run."""
    figures: Figures = {}
    with subjects.phone() as phone:
        with subjects.reference(phone) as subject:
            figures |= _carried("reference", phone, subject)
        with subjects.reference(phone, "--per-call"):
            figures["per_call_rate"] = _burst_rate(phone, PER_CALL_MESSAGES)
        with subjects.gateway(phone) as subject:
            phone.bind()
            figures |= _carried("gateway", phone, subject)
            for name, pid in subject.pids.items():
                figures[f"{name}_mib"] = usage.resident_mib(pid)
    return figures


def answer() -> Figures:
    """From the controller's answer to the request that carries it."""
    with subjects.phone() as phone, subjects.scratch() as folder:
        log = folder / "controller.log"
        flags = ("--turn-ms", str(TURN_MS), "--log", str(log))
        with subjects.gateway(phone, *BARE_CONTROLLER, *flags):
            phone.bind()
            sent_ns = []
            for _ in range(SINGLE_MESSAGES):
                sent_ns += phone.ask().sent_ns
                time.sleep(subjects.BETWEEN_S)
        ready_ns = [int(line.split()[0]) for line in log.read_text().splitlines()]
    return {"answer_ms": statistics.median(subjects.millis(ready_ns, sent_ns))}


def memory(count: int) -> Figures:
    """Resident memory with our controller and its echo engine, after so many messages."""
    with (
        subjects.phone() as phone,
        subjects.gateway(phone, str(BIN / "ctb-controller"), "--engine", "echo") as subject,
    ):
        time.sleep(subjects.SETTLE_S)
        phone.say("/threads")
        phone.say("/bind 1")
        bridge, worker = subject.pids["bridge"], subject.pids["worker"]
        for _ in range(min(count, SINGLE_MESSAGES)):
            phone.ask(mark="echo:")
        warm_mib = usage.resident_mib(bridge) + usage.resident_mib(worker)
        for _ in range(count - SINGLE_MESSAGES):
            phone.ask(mark="echo:")
        both_mib = usage.resident_mib(bridge) + usage.resident_mib(worker)
        controllers_mib = sum(map(usage.resident_mib, usage.children(bridge)))
    return {"all_mib": both_mib + controllers_mib, "growth_mib": both_mib - warm_mib}


def start() -> Figures:
    """Both processes from nothing, to the first poll."""
    with subjects.phone() as phone:
        phone.polls()  # it is up
        with subjects.gateway(phone) as subject:
            return {"start_ms": (subject.polled_at_ns - subject.begun_at_ns) / 1e6}


def idle(seconds: float) -> Figures:
    """What both processes do while nobody writes."""
    with subjects.phone() as phone, subjects.gateway(phone) as subject:
        phone.bind()
        calls, used_s = phone.calls(), usage.cpu_s(subject.pids.values())
        time.sleep(seconds)
        used_s = usage.cpu_s(subject.pids.values()) - used_s
        other = sum(phone.calls().values()) - sum(calls.values())
        other -= phone.calls()["getupdates"] - calls["getupdates"]
    return {"idle_cpu_s": used_s * 60 / seconds, "idle_calls": other}


def restart() -> Figures:
    """Kill a process, write to it, start it as the Procfile does: when it polls on.

    A poll that the worker holds open outlives the bridge. The message ends it, and the
    next poll begins only once that message is stored.
    """
    figures: Figures = {}
    with subjects.phone() as phone, subjects.gateway(phone) as subject:
        phone.bind()
        for name in ("worker", "bridge"):
            polls, killed_ns = phone.polls(), time.monotonic_ns()
            subject.kill(name)
            phone.write()
            time.sleep(RESTART_S)
            subject.start(name)
            polled_ns = phone.next_poll_ns(polls)
            figures[f"restart_{name}_s"] = (polled_ns - killed_ns) / 1e9
            phone.answers(1)
            time.sleep(subjects.SETTLE_S)
    return figures


def help_pages() -> Figures:
    """What it costs to be asked for help."""
    figures = {}
    for command in ("ctb-bridge", "ctb-channel", "ctb-controller", "ctb-mcp"):
        begun_s = time.monotonic()
        subprocess.run([BIN / command, "--help"], check=True, stdout=subprocess.DEVNULL)
        figures[f"{command}_help_s"] = time.monotonic() - begun_s
    return figures | {"help_s": max(figures.values())}


def borders() -> Figures:
    """Where a very long answer is cut."""
    part = "## 标题\n\n" + "一段话。Some words of a paragraph, with `code` and **bold**. " * 8
    part += "\n\n```python\n" + "print('line')\n" * 20 + "```\n\n" + "| a | b |\n" * 10 + "\n"
    answer = (part * (MARKDOWN_CHARS // len(part) + 1))[:MARKDOWN_CHARS]
    begun_s = time.monotonic()
    text.borders(answer)
    return {"borders_ms": (time.monotonic() - begun_s) * 1e3}


def gate_looks() -> Figures:
    """What `/artifacts` costs after an answer that names 200 source files of its turn.

    The largest of the standard library: they speak of tokens, keys and authors as any
    program does. CPU alone: the look has a thread of its own.
    """
    sources = Path(sysconfig.get_path("stdlib")).rglob("*.py")
    own = (source for source in sources if "site-packages" not in source.parts)
    largest = sorted(own, key=lambda source: source.stat().st_size)[-OFFERED_FILES:]
    with subjects.scratch() as folder:
        exports = folder / "exports"
        exports.mkdir()
        places = [exports / f"{number}-{one.name}" for number, one in enumerate(largest)]
        for source, place in zip(largest, places, strict=True):
            place.write_bytes(source.read_bytes())
        names = "\n".join(f"- exports/{place.name}" for place in places)
        now_ms = time.time_ns() // 1_000_000
        roots = gate.Roots(folder, (exports,), (folder / "state",))
        window = gate.TurnWindow(now_ms - 60_000, now_ms + 60_000)
        begun_s = time.process_time()
        named = [folder / path for path in offers(names)]
        found = gate.look(named, roots, window, gate.Leaving().limit_bytes)
        took_ms = (time.process_time() - begun_s) * 1e3
    if sum(isinstance(one, gate.Seen) for one in found) != OFFERED_FILES:
        raise OSError("not every file was let through")
    return {"gate_ms": took_ms}


def measures(message_count: int, idle_s: float) -> dict[str, Callable[[], Figures]]:
    """What can be asked for by name."""
    return {
        "messages": messages,
        "answer": answer,
        "memory": lambda: memory(message_count),
        "start": start,
        "idle": lambda: idle(idle_s),
        "restart": restart,
        "help": help_pages,
        "borders": borders,
        "decide": crowded.decisions,
        "old": crowded.old,
        "gate": gate_looks,
        "upload": upload,
        "turns": threads.turns,
        "reads": threads.reads,
        "refresh": threads.refresh,
        "crowd": threads.crowd,
    }


def _carried(name: str, phone: Phone, subject: Subject) -> Figures:
    phone.ask()
    used_s = usage.cpu_s(subject.pids.values())
    took_ms = phone.singles_ms(SINGLE_MESSAGES)
    used_s = usage.cpu_s(subject.pids.values()) - used_s
    return {
        f"{name}_median_ms": statistics.median(took_ms),
        f"{name}_p95_ms": statistics.quantiles(took_ms, n=20)[-1],
        f"{name}_cpu_ms": used_s * 1e3 / SINGLE_MESSAGES,
        f"{name}_rate": _burst_rate(phone, BURST_MESSAGES),
    }


def _burst_rate(phone: Phone, count: int) -> float:
    burst = phone.ask(count)
    return count / ((burst.sent_ns[-1] - burst.left_ns[0]) / 1e9)
