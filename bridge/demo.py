"""`ctb-bridge demo`: everything real but WeChat, in one terminal.

A simulated iLink server and a phone to type on run here; the worker, the bridge and the
controller are the real processes, with state of their own in a scratch folder, and started
again when they die. Leaving interrupts a running turn first, then ends every process that was
started here; where we are killed they end by themselves.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import anyio
from anyio.abc import Process, TaskStatus
from anyio.streams.memory import MemoryObjectSendStream

from bridge.ask import NotRunning, ask
from bridge.settings import codex_words
from bridge.wire import log, messages, place
from bridge.wire.env import preferred_lang
from bridge.wire.peer import PeerFault, Refused
from bridge.wire.terminal import show
from channel_worker import credentials
from channel_worker.ilink.hosts import is_loopback_url
from channel_worker.simulator.phone import TO_LINE_START, run_phone, told
from channel_worker.simulator.server import Simulator
from channel_worker.terminal import has_person

UP_DEADLINE_S = 20.0
QUICK_S = 1.5  # all is up after 0.7 s (design 9); later than this somebody wonders
LEAVE_S = 3.0  # all of the leaving; what the bridge needs of it: links/child.py
STOP_TURNS_S = 0.6  # an interrupt took 25 ms (2026-11)
LOOK_S = 0.05
STARTS = 5  # of one process: somebody may try what a kill does, and a fault may not go on
AGAIN_S = 1.0  # as .ring.sh, which also knows what a restart does not cure
INCURABLE = (2, 3, 4, 5)
# The settings that decide how a conversation goes; where state and login lie is the demo's.
PASSED_ON = (
    "CTB_CODEX_COMMAND",
    "CTB_GROUP_QA",
    "CTB_MERGE_WINDOW_SECONDS",
    "CTB_STALE_AFTER_SECONDS",
    "CTB_QUEUE_LIMIT",
    "CTB_FLOOD_LIMIT",
    "CTB_SEND_BUDGET",
    "CTB_SEND_WINDOW_HOURS",
    "CTB_SEND_SPACING_SECONDS",
    "CTB_RESEND_POLICY",
    "CTB_REMOTE_APPROVALS",
    "CTB_APPROVAL_HOURS",
    "CTB_RECOVER_OWN_LOCKS",
    "CTB_ARTIFACT_ROOTS",
    "CTB_MAX_ARTIFACT_BYTES",
)
SCRIPTS = {
    "bridge": "from bridge import cli, lifeline; lifeline.hold(); cli.main()",
    "channel": "from bridge import lifeline; lifeline.hold(); "
    "from channel_worker.cli import main; main()",
    "controller": "from bridge.codex.cli import main; main()",
}


@dataclass(frozen=True, slots=True)
class _Plan:
    engine: str
    codex: str
    data: Path
    is_scratch: bool
    lang: str

    def words(self, zh: str, en: str) -> str:
        return zh if self.lang == "zh" else en

    @property
    def socket(self) -> Path:
        return self.data / "run" / "bridge.sock"


def run_demo(engine: str | None, data: str | None, lang: str | None) -> int:
    """Run until Ctrl-C, Ctrl-D or a signal; the exit code."""
    command = os.environ.get("CTB_CODEX_COMMAND") or "codex"
    words = codex_words(command)
    codex = (words and shutil.which(words[0])) or ""
    if engine == "codex" and not codex:
        why = f"{command} cannot be found: install the Codex CLI, set CTB_CODEX_COMMAND"
        show(f"ctb-bridge: {why}, or use  --engine echo", is_fault=True)
        return 2
    folder = Path(data).absolute() if data else Path(tempfile.mkdtemp(prefix="ctb-demo-"))
    chosen = engine or ("codex" if codex else "echo")
    plan = _Plan(chosen, codex, folder, data is None, lang or preferred_lang())
    code = 0
    try:
        for name in ("local", "logs", "run", chosen):
            place.private_folder(folder / name)
        _claim(folder)
        log.setup("demo", folder / "logs" / "demo.log", "info")  # the terminal is the phone's
        code = anyio.run(_demo, plan)
        return code
    except place.AlreadyRunning:
        show(f"ctb-bridge: {folder} is in use: name another  --data", is_fault=True)
        return 4
    except place.PlaceFault as fault:
        step = ": name another  --data" if isinstance(fault, place.NotMade) else ""
        show(f"ctb-bridge: {fault}{step}", is_fault=True)
        return 2
    finally:
        if plan.is_scratch and code == 0:  # else the logs say why
            shutil.rmtree(folder, ignore_errors=True)


def _claim(folder: Path) -> None:
    """Take the folder until our end; raises PlaceFault where it is in use, or a real one.

    A demo writes a login of its own, so it must never meet that of WeChat.
    """
    place.hold_lock(folder / "run" / "demo.lock")
    if place.is_locked(folder / "run" / "bridge.lock"):
        raise place.AlreadyRunning(str(folder))
    path = folder / "local" / "ilink_credentials.json"
    found = credentials.load_file(path)
    if found and not is_loopback_url(found.base_url):
        raise place.PlaceFault(f"{folder} holds a login to WeChat: name another  --data")


def _first_lines(plan: _Plan) -> str:
    """Which engine, whose threads, where the state lies, how to leave."""
    home = os.environ.get("CODEX_HOME") or "~/.codex"
    if plan.engine == "codex":
        what = plan.words(
            f"由 Codex 回答：这些是你自己的线程 ({home})，一条消息就是一次真的执行",
            f"Codex answers: these are your own threads ({home}), a message is a real turn",
        )
    else:
        why = "" if plan.codex else plan.words("（没有找到 codex）", " (no codex found)")
        what = plan.words(
            f"由 echo 回答{why}：线程是样例", f"An echo answers{why}: the threads are samples"
        )
    where = str(plan.data)
    if plan.is_scratch:
        where = plan.words(
            f"临时文件夹 {plan.data}，结束时删除",
            f"the scratch folder {plan.data}, removed at the end",
        )
    return plan.words(
        f"{what}。\n状态存放在：{where}。\n按 Ctrl-C 或 Ctrl-D 离开。",
        f"{what}.\nState: {where}.\nLeave with Ctrl-C or Ctrl-D.",
    )


async def _demo(plan: _Plan) -> int:
    """All of it; signals are caught from before anything is started until all has ended."""
    code = 0
    async with anyio.create_task_group() as tasks:
        with anyio.CancelScope() as playing:
            await tasks.start(_signals, playing)
            show(told(_first_lines(plan)))
            code = await _played(plan)
        tasks.cancel_scope.cancel()
    return code


async def _signals(playing: anyio.CancelScope, *, task_status: TaskStatus[None]) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as received:
        task_status.started()
        async for _ in received:
            playing.cancel()


async def _played(plan: _Plan) -> int:
    simulator = Simulator()
    async with simulator.serve() as url:
        _log_in(plan, simulator)
        with _lifeline() as line:
            children = _Children(plan, _environment(plan, simulator, url), line)
            try:
                return await _converse(plan, simulator, children)
            finally:
                with anyio.CancelScope(shield=True):
                    await leave(plan.socket, children.running)


@contextmanager
def _lifeline() -> Iterator[int]:
    """The end of it that a child holds; the other one is ours alone."""
    theirs, ours = os.pipe()
    try:
        yield theirs
    finally:
        os.close(theirs)
        os.close(ours)


@dataclass(slots=True)
class _Children:
    """The processes of the demo, by name."""

    plan: _Plan
    env: Mapping[str, str]
    line: int
    running: dict[str, Process] = field(default_factory=dict)

    async def keep(self, name: str, said: MemoryObjectSendStream[str]) -> None:
        """Start it, and again when it dies; ends, with a word, where that is of no use."""
        words, fate = self.plan.words, ""
        for start in range(STARTS):
            if start:
                again = words("，正在重新启动。", ", and is started again.")
                said.send_nowait(fate + again)
                await anyio.sleep(AGAIN_S)
            with anyio.CancelScope(shield=True):  # never started and not known
                self.running[name] = await self._start(name)
            code = await self.running[name].wait()
            fate = self._fate(name, code)
            if code in INCURABLE:
                break
        logs = self.plan.data / "logs"
        wipe = TO_LINE_START if has_person() else ""
        where = words(f"。日志在 {logs}", f". The logs are in {logs}")
        show(f"{wipe}{fate}{where}", is_fault=True)

    def _fate(self, name: str, code: int) -> str:
        if code < 0:
            zh, en = f"{name} 进程被信号 {-code} 结束", f"The {name} was ended by signal {-code}"
        else:
            zh, en = f"{name} 进程意外结束，代码 {code}", f"The {name} has ended with code {code}"
        return self.plan.words(zh, en)

    async def _start(self, name: str) -> Process:
        """A child in a session of its own: Ctrl-C is for us, and we end it in order."""
        output = os.open(
            self.plan.data / "logs" / f"{name}.out", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600
        )
        try:
            return await anyio.open_process(
                [sys.executable, "-c", SCRIPTS[name], "run"],
                env=dict(self.env),
                stdin=self.line,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        finally:
            os.close(output)


async def _converse(plan: _Plan, simulator: Simulator, children: _Children) -> int:
    code = 0
    said, beside = anyio.create_memory_object_stream[str](2 * STARTS)
    async with anyio.create_task_group() as tasks, said, beside:

        async def keep(name: str) -> None:
            nonlocal code
            await children.keep(name, said)
            code = 1
            tasks.cancel_scope.cancel()

        for name in ("bridge", "channel"):
            tasks.start_soon(keep, name)
        await _wait_until_up(plan)
        show(
            told(
                plan.words(
                    "这是手机。试试 /threads，然后 /use 1，再随便写点什么。"
                    "发送文件、语音或引用的写法：:help",
                    "This is the phone. Try /threads, then /use 1, then write anything. "
                    ":help says how to send a file, a voice message or a quote.",
                )
            ),
        )
        is_alone = not has_person()
        await run_phone(simulator, lang=plan.lang, beside=beside)
        if is_alone:
            show(
                plan.words(
                    "这里没有终端可以输入：请在终端里运行。",
                    "Nobody types here: run it in a terminal.",
                ),
                is_fault=True,
            )
        tasks.cancel_scope.cancel()
    return code


def _environment(plan: _Plan, simulator: Simulator, url: str) -> dict[str, str]:
    """What the children are told; no `.env` of a real installation reaches them."""
    controller = [sys.executable, "-c", SCRIPTS["controller"], "--engine", plan.engine]
    told = {
        "CTB_PROJECT_ROOT": str(plan.data),
        "CTB_DATA_DIR": str(plan.data),
        "CTB_LANG": plan.lang,
        "CTB_CONTROLLER_COMMAND": json.dumps(controller),
        "CROSS_THREAD_CONTROLLER_DB": str(plan.data / plan.engine / "controller.sqlite3"),
        "ILINK_BASE_URL": url,
        "CTB_MERGE_WINDOW_SECONDS": "0",
        "CTB_SEND_SPACING_SECONDS": "0",
    }
    if plan.engine == "echo":
        told["CODEX_HOME"] = str(plan.data / plan.engine / "home")  # not the owner's own
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("CTB_", "ILINK_"))}
    chosen = {name: os.environ[name] for name in PASSED_ON if os.environ.get(name)}
    return kept | told | chosen


def _log_in(plan: _Plan, simulator: Simulator) -> None:
    """The credential file of a new login: on kept data, the old server's cursor is gone."""
    login = json.dumps(simulator.credentials(generation=int(time.time())), indent=2)
    place.write_private(plan.data / "local" / "ilink_credentials.json", login.encode())


async def leave(socket: Path, processes: Mapping[str, Process]) -> None:
    """Interrupt what runs, then end the processes: within LEAVE_S.

    The bridge is given the time to end its controller: one that is killed leaves it behind.
    """
    ends_at = anyio.current_time() + LEAVE_S
    with anyio.move_on_after(STOP_TURNS_S):
        await _stop_turns(socket)
    for process in processes.values():
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
    with anyio.move_on_after(ends_at - anyio.current_time()):
        for process in processes.values():
            await process.wait()
    for process in processes.values():
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


async def _wait_until_up(plan: _Plan) -> None:
    """At most UP_DEADLINE_S; what is written before all is up waits, so nobody is stopped."""
    with anyio.move_on_after(QUICK_S) as quick:
        await _until_up(plan.socket)
    if not quick.cancelled_caught:
        return
    show(plan.words("正在启动…", "Starting…"))
    with anyio.move_on_after(UP_DEADLINE_S - QUICK_S) as starting:
        await _until_up(plan.socket)
    if starting.cancelled_caught:
        why = plan.words(
            "还没有全部启动，写下的消息会等着。日志在",
            "Not everything is up yet; what you write waits until it is. The logs are in",
        )
        show(f"{why} {plan.data / 'logs'}", is_fault=True)


async def _until_up(socket: Path) -> None:
    """Wait until the bridge has its worker and its controller."""
    while True:
        with suppress(NotRunning):
            if (await ask(socket, messages.StatusGet())).is_healthy:
                return
        await anyio.sleep(LOOK_S)  # the bridge tells no beginnings


async def _stop_turns(socket: Path) -> None:
    """Ask the bridge to end every running turn, until none is left."""
    with suppress(NotRunning, PeerFault, Refused):
        while True:
            if not (await ask(socket, messages.TurnsStop())).running:
                return
            await anyio.sleep(LOOK_S)  # nor ends
