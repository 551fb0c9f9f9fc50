"""Whether what `derive` says is so, in worlds whose truth is known: python -m tests.derive.coverage [--rounds N].

A world is a law; its truth is the law's, by a simulation of its own, far longer than what is shown. Each round lives a
world anew, shows the first weeks to `derive` and looks at the next 30 days. "naive" promises the percentile that the
past had. Worlds whose law changes are told apart: whoever warned or refused was right.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import median

from tests.derive import trial, worlds
from tests.derive.trial import Verdict
from tests.derive.worlds import World

INTERVALS, WORLDS = 400, 20  # at least
COVERAGE = (0.92, 0.98)
HOLDS = 0.95
TIMES = 4.0  # promised budget over needed
RIGHT = 0.8  # of changing worlds, warned or refused


@dataclass(frozen=True, slots=True)
class Score:
    """What all verdicts of some worlds come to."""

    intervals: int
    coverage: float
    holds: float
    naive_holds: float
    times: float
    refused: int
    warned: float


def score(verdicts: Sequence[Verdict]) -> Score:
    made = [one for one in verdicts if not one.refused]
    known = [one for one in made if one.truth is not None]
    return Score(
        len(known),
        _share(known, lambda one: one.covers),
        _share(made, lambda one: one.holds),
        _share(made, lambda one: one.naive_holds),
        median([one.budget / one.truth for one in known if one.truth] or [float("nan")]),
        len(verdicts) - len(made),
        _share(verdicts, lambda one: one.warned or one.refused),
    )


def of_world(world: World, rounds: int) -> list[Verdict]:
    known = trial.truth(world)
    return [one for seed in range(rounds) for one in trial.verdicts(world, known, seed)]


def misses(steady: Score, changing: Score, count: int) -> list[str]:
    """Return which goals were missed, in words."""
    goals = (
        (steady.intervals >= INTERVALS, f"{steady.intervals} intervals, {INTERVALS} are needed"),
        (count >= WORLDS, f"{count} worlds, {WORLDS} are needed"),
        (COVERAGE[0] <= steady.coverage <= COVERAGE[1], f"coverage {steady.coverage:.1%}, goal 92 to 98 %"),
        (steady.holds >= HOLDS, f"{steady.holds:.1%} hold, goal 95 %"),
        (steady.times <= TIMES, f"promised budget {steady.times:.2f} times the needed, goal 4"),
        (changing.warned >= RIGHT, f"{changing.warned:.0%} of changes warned or refused, goal {RIGHT:.0%}"),
    )
    return [said for is_met, said in goals if not is_met]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="lives of each world (default: 15)")
    rounds = parser.parse_args().rounds
    begin = time.monotonic()
    print(f"{'world':34}{'intervals':>10}{'cover':>8}{'hold':>7}{'naive':>7}{'times':>7}{'refused':>9}{'warned':>8}")
    by_world: dict[World, list[Verdict]] = {}
    for world in worlds.WORLDS:
        by_world[world] = of_world(world, rounds)
        print(_row(world.name, score(by_world[world])), flush=True)
    steady, changing = (
        score(_all(found for world, found in by_world.items() if world.changes is changes)) for changes in (False, True)
    )
    print(_row("ALL, the law stays", steady))
    print(_row("ALL, the law changes", changing))
    print("truth of a law: 6 000 days of it; naive: the percentile of the past, without an interval")
    print(f"{time.monotonic() - begin:.0f} s")
    wrong = misses(steady, changing, len(by_world))
    for said in wrong:
        print(f"MISSED: {said}")
    return 1 if wrong else 0


def _all(found: Iterable[list[Verdict]]) -> list[Verdict]:
    return list(chain.from_iterable(found))


def _share(found: Sequence[Verdict], is_so: Callable[[Verdict], bool]) -> float:
    return sum(map(is_so, found)) / len(found) if found else float("nan")


def _row(name: str, found: Score) -> str:
    shares = f"{found.coverage:>8.1%}{found.holds:>7.1%}{found.naive_holds:>7.1%}"
    return f"{name:34}{found.intervals:>10}{shares}{found.times:>7.2f}{found.refused:>9}{found.warned:>8.1%}"


if __name__ == "__main__":
    sys.exit(main())
