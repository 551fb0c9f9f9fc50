"""Coverage-guided fuzzing of every parser: `python -m tests.fuzz --inputs N [--only TARGET] [--processes N]`.

Inputs are shared out among the targets. Exit code 1 where an input raised, hung, or needed more memory than allowed (it
is kept as a file), or where the time of one grows faster than its size.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from tests.e2e.daemon import ROOT
from tests.fuzz.growth import disproportion
from tests.fuzz.targets import TARGETS

# Those whose inputs reach most of the code, and take longest, get the least.
QUICK = ("http1", "sse", "ndjson", "json_array", "inflate", "node", "settings", "events")
SHARES = {"reading": 1, "excerpt": 1, "elf": 1, **dict.fromkeys(QUICK, 5)}
SHARE = 2
SAY_S = 5.0
SEEDS = 12  # of each target, whose growth is looked at
TALK_LINES = 30
NOISE = ("INFO:", "WARNING:")  # of atheris, at every start


@dataclass(slots=True)
class Outcome:
    """What came of one target."""

    name: str
    inputs: int = 0
    peak_mb: float = 0.0
    took_s: float = 0.0
    slowest: list[bytes] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


class Campaign:
    """All targets, each in a process of its own, so many at a time."""

    def __init__(self, plan: dict[str, int], seed: int, folder: Path) -> None:
        self.outcomes = {name: Outcome(name) for name in plan}
        self._plan = plan
        self._seed = seed
        self._folder = folder
        self._began_s = self._said_s = time.monotonic()
        self._lock = Lock()

    def run(self, processes: int) -> None:
        """Run to the end."""
        longest_first = sorted(self._plan, key=lambda name: SHARES.get(name, SHARE))
        with ThreadPoolExecutor(processes) as pool:
            list(pool.map(self._target, longest_first))

    def _target(self, name: str) -> None:
        outcome, began_s = self.outcomes[name], time.monotonic()
        command = [sys.executable, "-m", "tests.fuzz.worker", name, str(self._plan[name]), str(self._seed)]
        talk: list[str] = []
        with subprocess.Popen(
            [*command, str(self._folder)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as worker:
            assert worker.stdout is not None
            for line in worker.stdout:
                if line.startswith('{"inputs"'):
                    self._take(outcome, json.loads(line))
                elif not line.startswith(NOISE):
                    talk = [*talk[-TALK_LINES:], line]
        outcome.took_s = time.monotonic() - began_s
        if worker.returncode:
            outcome.faults.append(f"exit {worker.returncode}, inputs in {self._folder}:\n{''.join(talk)}")
        outcome.faults += growths(name, outcome.slowest)

    def _take(self, outcome: Outcome, said: dict[str, float | list[str]]) -> None:
        with self._lock:
            outcome.inputs = int(said["inputs"])  # type: ignore[arg-type]
            outcome.peak_mb = float(said["peak_mb"])  # type: ignore[arg-type]
            outcome.slowest = [bytes.fromhex(text) for text in said.get("slowest", ())]  # type: ignore[union-attr]
            if time.monotonic() - self._said_s > SAY_S:
                self._said_s = time.monotonic()
                done = sum(each.inputs for each in self.outcomes.values())
                rate = done / (self._said_s - self._began_s)
                print(f"fuzz: {done} of {sum(self._plan.values())} inputs, {rate:.0f}/s", file=sys.stderr)


def growths(name: str, inputs: Iterable[bytes]) -> list[str]:
    """Say of which inputs of a target, or of its seeds, the time grows faster than they do."""
    target = TARGETS[name]
    found = (disproportion(target.run, data) for data in (*inputs, *list(target.seeds())[:SEEDS]))
    return [f"slower than linear: {text}" for text in found if text is not None]


def shared_out(names: Sequence[str], inputs: int) -> dict[str, int]:
    """Return how many inputs each target gets; together at least `inputs`."""
    whole = sum(SHARES.get(name, SHARE) for name in names)
    return {name: -(-inputs * SHARES.get(name, SHARE) // whole) for name in names}


def main(argv: Sequence[str]) -> int:
    """Fuzz and print a table; 0 when nothing was found."""
    parser = argparse.ArgumentParser("tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="of all targets together (default 100000)")
    parser.add_argument("--only", action="append", choices=TARGETS, help="this target; may be given again")
    parser.add_argument("--processes", type=int, default=2, help="at a time (default 2)")
    parser.add_argument("--seed", type=int, default=0, help="of the mutations (default 0: from the clock)")
    options = parser.parse_args(argv)
    try:
        import atheris  # noqa: F401, PLC0415
    except ImportError:
        print("fuzz: atheris is not installed: make setup installs it", file=sys.stderr)
        return 1
    folder = Path(tempfile.mkdtemp(prefix="llmslo-fuzz-"))
    seed = options.seed or time.time_ns() % 2**31
    campaign = Campaign(shared_out(options.only or tuple(TARGETS), options.inputs), seed, folder)
    campaign.run(options.processes)
    print(f"{'target':<24}{'inputs':>10}{'inputs/s':>10}{'peak, MB':>10}")
    for outcome in campaign.outcomes.values():
        rate = outcome.inputs / max(outcome.took_s, 1e-9)
        print(f"{outcome.name:<24}{outcome.inputs:>10}{rate:>10.0f}{outcome.peak_mb:>10.0f}")
        for fault in outcome.faults:
            print(f"  {fault}")
    total = sum(outcome.inputs for outcome in campaign.outcomes.values())
    faults = sum(len(outcome.faults) for outcome in campaign.outcomes.values())
    print(f"{total} inputs, seed {seed}: {f'{faults} faults, kept in {folder}' if faults else 'no fault'}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
