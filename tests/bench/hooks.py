"""Time of each BPF program a run, by the kernel's own statistics, while a stream runs at full speed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.bench.children import Child
from tests.bench.figures import BenchError, Figure, Goal, Line, Missing, Setting
from tests.bench.stage import check_streams, connected, exporting, holding, served
from tests.e2e.daemon import Exporter

LOADERS = ("libbpf", "bcc")
CHUNKS = 20_000
SIZES = (180, 240, 300)  # of a chunk, framing included: what models send
GOAL_NS = 1_500
FEW_RUNS = 1_000  # a program that ran less in a round says nothing of its cost
SAMPLE = re.compile(r'^llm_exporter_bpf_(run_seconds|runs)_total\{program="(\w+)"\} (\S+)$', re.MULTILINE)

Stats = dict[str, tuple[float, float]]  # seconds and runs by program


def measure(setting: Setting) -> Iterator[Line]:
    """Yield the cost of the statistics themselves, which every figure holds, and each program's, per loader."""
    with served(setting) as (port, cert), connected("sync", port, cert) as client:
        yield from _empty(setting, client)
        for loader in LOADERS:
            try:
                yield from _programs(setting, loader, client)
            except BenchError as error:
                yield Missing(loader, str(error))


def _empty(setting: Setting, client: Child) -> Iterator[Line]:
    costs: dict[str, list[float]] = {}
    with holding(setting, "empty", "sites", client.pid) as holder:
        before = holder.ask("counts")["runs"]
        for number in range(setting.rounds):
            setting.say(f"hooks: empty programs, round {number + 1}")
            client.ask(f"{CHUNKS} {SIZES[0]} 0")
            after = holder.ask("counts")["runs"]
            for program, cost in _costs_ns(before, after).items():
                costs.setdefault(program, []).append(cost)
            before = after
    for program, values in costs.items():
        yield Figure(f"{program}: an empty program (= the statistics)", "ns", tuple(values))


def _programs(setting: Setting, loader: str, client: Child) -> Iterator[Line]:
    costs: dict[tuple[str, int], list[float]] = {}
    with exporting(setting, "--bpf.stats", loader=loader) as exporter:
        for number in range(setting.rounds):
            setting.say(f"hooks: {loader}, round {number + 1}")
            for size in SIZES:
                before = _stats(exporter)
                client.ask(f"{CHUNKS} {size} 0")
                for program, cost in _costs_ns(before, _stats(exporter)).items():
                    costs.setdefault((program, size), []).append(cost)
        check_streams(exporter, setting.rounds * len(SIZES))
    for (program, size), values in sorted(costs.items()):
        goal = Goal(GOAL_NS) if program == "tls_data_return" else None
        yield Figure(f"{loader}: {program}, {size} B", "ns", tuple(values), goal)


def _stats(exporter: Exporter) -> Stats:
    found: dict[str, dict[str, float]] = {}
    for what, program, value in SAMPLE.findall(exporter.fetch("/metrics")[1]):
        found.setdefault(program, {})[what] = float(value)
    return {program: (both["run_seconds"], both["runs"]) for program, both in found.items()}


def _costs_ns(before: Stats, after: Stats) -> dict[str, float]:
    spent = {name: (after[name][0] - before[name][0], after[name][1] - before[name][1]) for name in after}
    return {name: seconds / runs * 1e9 for name, (seconds, runs) in spent.items() if runs >= FEW_RUNS}
