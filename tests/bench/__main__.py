"""Do the numbers of `design.md` 9 hold here? A report beside their goals, not a gate.

    python -m tests.bench [--runs 5] [--json FILE] [messages answer memory ...]

Each figure is the median of the runs. Where a goal is a multiple, the reference
was measured in the same runs. The exit code is always 0.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.bench.measures import Figures, measures

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Goal:
    """A row of the table: which figure must stay on which side of which limit."""

    title: str
    figure: str
    limit: float  # in the figure's unit, or times the figure `of`
    of: str | None = None
    is_floor: bool = False

    def bound(self, figures: Figures) -> float:
        return self.limit * figures[self.of] if self.of else self.limit

    def holds(self, figures: Figures) -> bool:
        value, bound = figures[self.figure], self.bound(figures)
        return value >= bound if self.is_floor else value <= bound

    def wanted(self) -> str:
        sign = ">=" if self.is_floor else "<="
        return f"{sign} {self.limit:g}" + (f" x {self.of}" if self.of else "")


GOALS = (
    Goal("overhead of one message, median, ms", "gateway_median_ms", 3.3, "reference_median_ms"),
    Goal("overhead of one message, p95, ms", "gateway_p95_ms", 4, "reference_p95_ms"),
    Goal("burst of 200, messages/s", "gateway_rate", 0.35, "reference_rate", is_floor=True),
    Goal("burst, beside a controller per call", "gateway_rate", 8, "per_call_rate", is_floor=True),
    Goal("CPU per message, ms", "gateway_cpu_ms", 3, "reference_cpu_ms"),
    Goal("resident worker, MiB", "worker_mib", 45),
    Goal("resident bridge, MiB", "bridge_mib", 85),
    Goal("answer ready to sendmessage, ms", "answer_ms", 10),
    Goal("resident both and the echo controller, MiB", "all_mib", 190),
    Goal("growth of both after the first 100 messages, MiB", "growth_mib", 3),  # our "flat"
    Goal("start of both to the first poll, ms", "start_ms", 700),
    Goal("idle CPU of both, s a minute", "idle_cpu_s", 0.1),
    Goal("idle requests beside the poll", "idle_calls", 0),
    Goal("kill -9 of the worker to polling, s", "restart_worker_s", 2),
    Goal("kill -9 of the bridge to polling, s", "restart_bridge_s", 2),
    Goal("slowest --help, s", "help_s", 0.25),
    Goal("upload of 20 MiB, ms", "upload_ms", 2, "bare_upload_ms"),
    Goal("resident worker during it, MiB", "upload_mib", 47),
    Goal("borders of 1 MiB of Markdown, ms", "borders_ms", 150),
    Goal("one decision, 1,000 names and 10,000 turns, ms", "decide_ms", 0.2),
    Goal("one message, 1,000,000 old ones, ms", "old_median_ms", 1.2, "empty_median_ms"),
    Goal("start beside 1,000,000 old messages, ms", "old_start_ms", 2_000),  # ours: as a restart
    Goal("gate: answer with 200 source files, ms of CPU", "gate_ms", 50),
    # The controller: issue 4 and controller-contract 3.
    Goal("turn through the controller over Codex's own, ms", "held_overhead_ms", 15),
    Goal("the same, both joining the thread first, ms", "free_overhead_ms", 15),
    Goal("resident controller over Codex, MiB", "controller_mib", 80),
    Goal("status of a thread of 1 GiB, ms", "status_ms", 20),
    Goal("10 KiB at the end of 1 GiB, ms", "history_ms", 20),
    Goal("list of 50 of 2,000 threads, ms", "list_ms", 50),
    Goal("the same without Codex's index, ms", "bare_list_ms", 50),
    Goal("resident controller after these reads, MiB", "reads_mib", 80),
    Goal("/refresh, 10 KiB new on 1 GiB, ms", "refresh_long_ms", 2, "refresh_short_ms"),
    Goal("32 turns of 1 s at once, s", "crowd_s", 2),  # ours: twice the turn
    Goal("resident echo controller after them, MiB", "crowd_mib", 80),
)


def main() -> None:
    options = _options()
    wanted = measures(options.messages, options.idle_seconds)
    figures: Figures = {}
    every: dict[str, list[Figures]] = {}
    for name in options.rows or wanted:
        try:
            every[name] = [wanted[name]() for _ in range(options.runs)]
        except (OSError, KeyError, subprocess.SubprocessError) as fault:
            print(f"{name}: not measured: {type(fault).__name__}: {fault}")
            continue
        for figure in every[name][0]:
            figures[figure] = statistics.median(run[figure] for run in every[name])
    _print_table(figures)
    _write(options.json or RESULTS / time.strftime("%Y%m%d-%H%M%S.json"), figures, every)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path, help="where the figures go (tests/bench/results)")
    parser.add_argument("--messages", type=int, default=300, help="messages of the row memory")
    parser.add_argument("--idle-seconds", type=float, default=60, help="stretch of the row idle")
    parser.add_argument("rows", nargs="*", choices=[*measures(0, 0), []], help="default: all")
    return parser.parse_args()


def _print_table(figures: Figures) -> None:
    print("| number | measured | reference | times | goal | holds |")
    print("| --- | --- | --- | --- | --- | --- |")
    for goal in GOALS:
        if goal.figure not in figures:
            continue
        value = figures[goal.figure]
        base = figures[goal.of] if goal.of else None
        beside = f"{base:.1f} | {value / base:.2f}" if base else " | "
        verdict = "yes" if goal.holds(figures) else "NO"
        print(f"| {goal.title} | {value:.4g} | {beside} | {goal.wanted()} | {verdict} |")


def _write(path: Path, figures: Figures, every: dict[str, list[Figures]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    machine = {"system": platform.platform(), "python": platform.python_version()}
    report = {"machine": machine | {"cpus": os.cpu_count()}, "medians": figures, "runs": every}
    path.write_text(json.dumps(report, indent=2) + "\n")
    print(f"\nEvery run: {path}")


if __name__ == "__main__":
    main()
