"""Replay against promtool: `python -m tests.derive.backtest [--cases N] [--first SEED] [--promtool PATH] [--no-speed]`.

Each case renders the rules of a random SLO over random series and asks promtool what all records and alerts are at many
evaluations; the replay of the same must have the same alerts in the same state, and values within 1e-9. Then a month of
ten SLOs is timed. Exits 1 where a case disagrees or the month takes too long.
"""

from __future__ import annotations

import argparse
import re
import resource
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from llmslo_rulegen.backtest.points import Dialect
from tests.backtest import month
from tests.backtest.agreement import compare
from tests.backtest.cases import case

GOAL_S = 10.0


def main(argv: Sequence[str]) -> int:
    """Compare, time, print and return the exit code."""
    parser = argparse.ArgumentParser("tests.derive.backtest", description=__doc__)
    parser.add_argument("--cases", type=int, default=200, help="how many (default: 200)")
    parser.add_argument("--first", type=int, default=0, help="seed of the first")
    parser.add_argument("--promtool", default="promtool", help="another promtool, such as one of Prometheus 3")
    parser.add_argument("--no-speed", dest="speed", action="store_false", help="only compare")
    options = parser.parse_args(argv)
    program = shutil.which(options.promtool)
    if program is None:
        parser.error(f"there is no program {options.promtool}")
    agreed = _compared(options.first, options.cases, str(Path(program).resolve()))
    fast = not options.speed or _timed()
    return 0 if agreed and fast else 1


def _compared(first: int, count: int, program: str) -> bool:
    dialect = Dialect.V2 if _major(program) == Dialect.V2.value else Dialect.V3
    right, values, alerts = 0, 0, 0
    kinds: Counter[str] = Counter()
    for seed in range(first, first + count):
        one = case(seed)
        found = compare(one, program, dialect)
        right += found.agrees
        values += found.values
        alerts += found.alerts
        kinds[type(one.slo.sli).__name__] += 1
        if not found.agrees:
            print(
                f"case {seed}: {one.slo.sli}, {one.slo.objective} %", *found.differences[:5], sep="\n    ", flush=True
            )
        if sys.stderr.isatty() or (seed - first) % 20 == 19:
            sys.stderr.write(f"backtest: {right} of {seed - first + 1} agree\n")
    made = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
    print(f"{right} of {count} cases agree with promtool {_version(program)}: {made}")
    print(f"{values} values compared, of them {alerts} alerts pending or firing")
    return right == count


def _timed() -> bool:
    slos, store, instants = month.slos(), month.store(), month.instants()
    began_s, cpu_s = time.monotonic(), time.process_time()
    pages = sum(month.replayed(slo, store, instants) for slo in slos)
    took_s, cpu_s = time.monotonic() - began_s, time.process_time() - cpu_s
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    what = f"{month.DAYS} d x {len(slos)} SLOs, scraped each {month.SCRAPE_S} s, evaluated each {month.EVALUATION_S} s"
    print(f"{what}: {took_s:.1f} s ({cpu_s:.1f} s of CPU), peak {peak_mb} MB, {pages} alerts")
    return took_s <= GOAL_S


def _version(program: str) -> str:
    said = subprocess.run([program, "--version"], check=True, capture_output=True, text=True, timeout=30)
    found = re.search(r"version (\S+),?", said.stdout + said.stderr)
    return found[1].rstrip(",") if found else "?"


def _major(program: str) -> int:
    return int(_version(program).partition(".")[0])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
