"""Measure what llmslo costs: `python -m tests.bench [--json] [--only NAME] [--rounds N] [--loader NAME]`.

Every figure is measured in this run; the median of the rounds stands against its goal. Exit code 0, also where a goal
is missed; 1 where something could not be measured.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from llmslo_exporter.errors import ExporterError
from tests.bench import (
    application,
    checking,
    crowd,
    exposition,
    hooks,
    left_out,
    neighbours,
    parsers,
    reader,
    reads,
    rendering,
    spans,
    start,
    touched,
)
from tests.bench.figures import BenchError, Figure, Line, Missing, Setting
from tests.e2e.daemon import kernel_is_open

MEASUREMENTS: Mapping[str, tuple[str, Callable[[Setting], Iterator[Line]]]] = {
    "reader": ("a stream of 20 000 chunks, at full speed over TLS", reader.measure),
    "application": ("an application reading 100 chunks a second over TLS", application.measure),
    "crowd": ("100 streams of 50 events a second over TLS", crowd.measure),
    "hooks": ("BPF programs, time a run", hooks.measure),
    "start": ("start and memory", start.measure),
    "neighbours": ("other work of the node: nginx under wrk", neighbours.measure),
    "left_out": ("nginx under wrk, once the exporter leaves both out", left_out.measure),
    "reads": ("one-byte reads of no socket", reads.measure),
    "exposition": ("/metrics at 10 000 and 100 000 series", exposition.measure),
    "parsers": ("parsers, a stream of each dialect", parsers.measure),
    "checking": ("llmslo-rulegen check and diff", checking.measure),
    "rendering": ("llmslo-rulegen over 1 000 SLOs", rendering.measure),
    "spans": ("llmslo-rulegen baseline save", spans.measure),
    "touched": ("samples that the rules of an SLO read", touched.measure),
}
WITHOUT_KERNEL = frozenset(("checking", "exposition", "parsers", "rendering", "spans", "touched"))
ROUNDS = 5
DEFAULT_SPANS = 1_000_000
WIDTHS = (56, 10, 21, 13, 12)
MET = {True: "met", False: "MISSED", None: ""}

Lines = dict[str, list[Line]]


def main(argv: Sequence[str]) -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser("tests.bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--only", action="append", choices=MEASUREMENTS, help="this measurement; may be given again")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"rounds of each measurement (default {ROUNDS})")
    parser.add_argument("--loader", default="libbpf", choices=("auto", "libbpf", "bcc"), help="of the exporter")
    parser.add_argument(
        "--spans",
        type=int,
        action="append",
        metavar="N",
        help="of the files of `spans` (default 1000000); may be given again: 10000000 are two files of 9 GB in turn",
    )
    options = parser.parse_args(argv)
    names = options.only or tuple(MEASUREMENTS)
    closed = "rounds and spans must be at least 1" if min(options.rounds, *(options.spans or [1])) < 1 else None
    if not closed and not WITHOUT_KERNEL.issuperset(names):
        closed = kernel_is_open()
    if closed:
        sys.stderr.write(f"bench: {closed}\n")
        return 1
    _say(_neighbourhood())
    with tempfile.TemporaryDirectory(prefix="llmslo-bench-") as folder:
        setting = Setting(options.rounds, options.loader, Path(folder), _say, tuple(options.spans or [DEFAULT_SPANS]))
        found = {name: _measured(name, setting) for name in names}
    sys.stdout.write(
        json.dumps({name: [line.facts() for line in lines] for name, lines in found.items()}, indent=1)
        if options.json
        else _table(found)
    )
    sys.stdout.write("\n")
    missing = [f"{name}: {line.name}" for name, lines in found.items() for line in lines if isinstance(line, Missing)]
    if missing:
        sys.stderr.write(f"bench: not measured: {', '.join(missing)}\n")
    return 1 if missing else 0


def _measured(name: str, setting: Setting) -> list[Line]:
    began_s = time.monotonic()
    found: list[Line] = []
    try:
        found.extend(MEASUREMENTS[name][1](setting))
    except (BenchError, ExporterError, OSError, subprocess.SubprocessError) as error:
        found.append(Missing(name, " ".join(str(error).split())))
    _say(f"{name}: {time.monotonic() - began_s:.0f} s")
    return found


def _neighbourhood() -> str:
    """Say what else would be measured along."""
    try:
        listed = subprocess.run(["bpftool", "-j", "prog", "show"], capture_output=True, check=True, timeout=10)
        others = len(json.loads(listed.stdout or b"[]"))
    except (OSError, ValueError, subprocess.SubprocessError):
        return "bpftool cannot tell whether other BPF programs are loaded"
    load = Path("/proc/loadavg").read_text().split()[0]
    return f"load average {load}, {others} BPF programs of others loaded" + (": figures will be off" if others else "")


def _table(found: Lines) -> str:
    rows = [_row("", "median", "min - max", "goal", "")]
    for name, lines in found.items():
        rows += ["", f"{name}: {MEASUREMENTS[name][0]}"]
        rows += [_described(line) for line in lines]
    goals = [line for lines in found.values() for line in lines if isinstance(line, Figure) and line.goal]
    rows += ["", f"{sum(line.is_met is True for line in goals)} of {len(goals)} goals met"]
    return "\n".join(rows)


def _described(line: Line) -> str:
    if isinstance(line, Missing):
        return f"  {line.name}: FAILED: {line.reason}"
    spread = f"{_number(min(line.values))} - {_number(max(line.values))}"
    goal = str(line.goal) if line.goal else ""
    return _row(f"  {line.name}, {line.unit}", _number(line.median), spread, goal, MET[line.is_met])


def _row(*cells: str) -> str:
    name, *others = cells
    parts = [f"{name:<{WIDTHS[0]}}"]
    parts += [f"{cell:>{width}}" for cell, width in zip(others, WIDTHS[1:], strict=True)]
    return " ".join(parts).rstrip()


def _number(value: float) -> str:
    if value == 0 or abs(value) >= 1000:
        return f"{value:.0f}"
    return f"{value:.3g}"


def _say(text: str) -> None:
    sys.stderr.write(f"bench: {text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
