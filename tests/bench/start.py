"""From opening the object to the last probe attached, libssl only, and the memory it takes, per loader."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from tests.bench.children import python
from tests.bench.figures import BenchError, Figure, Goal, Line, Missing, Setting
from tests.bench.stage import exporting

LOADERS = ("libbpf", "bcc")
GOAL_MS, GOAL_MB = 100, 60
START_S = 120.0  # BCC compiles
OURS = "imports"  # the step after which our own work begins

Steps = dict[str, float]


def measure(setting: Setting) -> Iterator[Line]:
    """Yield times and memory; the goals are libbpf's."""
    for loader in LOADERS:
        try:
            yield from _lines(setting, loader)
        except BenchError as error:
            yield Missing(loader, str(error))


def _lines(setting: Setting, loader: str) -> Iterator[Line]:
    times: list[Steps] = []
    memory: list[dict[str, float]] = []
    for number in range(setting.rounds):
        setting.say(f"start: {loader}, round {number + 1}")
        began_s = time.monotonic()
        with python("opening", loader) as child:
            told = child.hear(START_S)
        if not told["sites"]:
            msg = "no libssl was found to attach to"
            raise BenchError(msg)
        steps = [("", began_s), *told["done"].items()]
        times.append({name: (at_s - before_s) * 1e3 for (_, before_s), (name, at_s) in pairwise(steps)})
        times[-1]["all"] = (steps[-1][1] - told["done"][OURS]) * 1e3
        memory.append(told["memory_mb"])
    is_goal = loader == "libbpf"
    total = f"{loader}: opening the object to the last probe attached"
    yield Figure(total, "ms", _column(times, "all"), Goal(GOAL_MS) if is_goal else None)
    for step in times[0]:
        if step != "all":
            yield Figure(f"{loader}: of a start: {step}", "ms", _column(times, step))
    yield Figure(f"{loader}: RSS, libssl attached", "MB", _column(memory, "all"), Goal(GOAL_MB) if is_goal else None)
    yield Figure(f"{loader}: of it after the imports", "MB", _column(memory, "imported"))
    yield Figure(f"{loader}: peak", "MB", _column(memory, "peak"))
    yield _daemon(setting, loader)


def _column(rows: list[dict[str, float]], name: str) -> tuple[float, ...]:
    return tuple(row[name] for row in rows)


def _daemon(setting: Setting, loader: str) -> Line:
    """The whole exporter, with every TLS library of this machine attached."""
    with exporting(setting, loader=loader) as exporter:
        exporter.fetch("/metrics")
        status = Path(f"/proc/{exporter.process.pid}/status").read_text()
    resident_kb = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
    goal = Goal(GOAL_MB) if loader == "libbpf" else None
    return Figure(f"{loader}: RSS, the daemon after a scrape", "MB", (resident_kb / 1024,), goal)
