"""Do the generated tests notice? Spoils the rules of several SLOs, one slip at a time, and runs their tests on them.

    python -m tests.rules.mutants [--per-operator N] [--only NAME ...] [--seed N] [--afresh]

Prints per operator how many mutants were made, left out (they cannot change a value, with the proof) and killed, then
the survivors; exits with 1 under the goal.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

import promql_parser

from llmslo_exporter import catalog
from llmslo_rulegen import unit_tests
from llmslo_rulegen.groups import groups
from llmslo_rulegen.rule import Group, RecordingRule, Rule
from llmslo_rulegen.slo import Slo
from tests.rules.examples import EXAMPLES
from tests.rules.killing import Bench
from tests.rules.mutations import OPERATORS, Mutant, mutants

GOAL = 0.95
PER_OPERATOR = 2  # of each SLO
PROCESSES = 2
SEEN = Path(__file__).parents[2] / ".cache" / "mutants"
SLOS = tuple(EXAMPLES)
IDENTITY = {catalog.SERVICE_LABEL, catalog.SLO_LABEL}


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a mutant."""

    slo: str
    mutant: Mutant
    killed: bool

    def __str__(self) -> str:
        return f"{self.slo}: {self.mutant.rule}: {self.mutant.operator}: {self.mutant.done}"


def main() -> int:
    """Run the trial; return the exit code."""
    options = _options()
    fates: list[Fate] = []
    left_out: Counter[str] = Counter()
    started = time.monotonic()
    if options.afresh:
        shutil.rmtree(SEEN, ignore_errors=True)
    with ProcessPoolExecutor(PROCESSES) as pool:
        jobs = {pool.submit(_trial, name, options.per_operator, options.seed): name for name in options.only}
        for job in as_completed(jobs):
            found, reasons = job.result()
            fates += found
            left_out += reasons
            killed = sum(fate.killed for fate in found)
            said = f"{jobs[job]}: {killed} of {len(found)} killed, after {time.monotonic() - started:.0f} s"
            print(said, file=sys.stderr, flush=True)
    return _report(sorted(fates, key=lambda fate: options.only.index(fate.slo)), left_out)


def _trial(name: str, per_operator: int, seed: int) -> tuple[list[Fate], Counter[str]]:
    left_out: Counter[str] = Counter()
    return list(trial(name, per_operator, seed, left_out)), left_out


def trial(name: str, per_operator: int, seed: int, left_out: Counter[str]) -> Iterator[Fate]:
    """Yield the fate of up to `per_operator` mutants of each operator, drawn by `seed`."""
    slo = EXAMPLES[name]
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), unit_tests.test_files(slo, "rules.json"), SEEN)
        sound = bench.run(groups(slo))
        if not sound.passed:
            msg = f"the tests of `{name}` fail on its own rules:\n{sound.text}"
            raise RuntimeError(msg)
        for mutant in drawn(slo, per_operator, seed, left_out):
            fate = Fate(name, mutant, not bench.run(mutant.groups).passed)
            if not fate.killed:
                print(f"survived: {fate}", file=sys.stderr, flush=True)
            yield fate


def drawn(slo: Slo, per_operator: int, seed: int, left_out: Counter[str]) -> Iterator[Mutant]:
    """Yield mutants that parse and can change a value; count the others by reason."""
    by_operator = defaultdict(list)
    sound = groups(slo)
    for mutant in mutants(sound):
        by_operator[mutant.operator].append(mutant)
    draw = random.Random(seed)
    for operator in (*OPERATORS, "rule missing"):
        found = by_operator[operator]
        draw.shuffle(found)
        taken = 0
        for mutant in found:
            if taken == per_operator:
                break
            reason = unchanged(mutant, sound)
            if reason:
                left_out[reason] += 1
            elif parses(mutant):
                taken += 1
                yield mutant


def parses(mutant: Mutant) -> bool:
    """Say whether every expression is PromQL: what is not never reaches a server."""
    try:
        for group in mutant.groups:
            for rule in group.rules:
                promql_parser.parse(rule.expr)
    except ValueError:
        return False
    return True


def unchanged(mutant: Mutant, sound: tuple[Group, ...]) -> str | None:
    """Return why a mutant cannot change a value; None where that is not proven."""
    if sum(len(group.rules) for group in mutant.groups) < sum(len(group.rules) for group in sound):
        return None
    pairs = [
        (one, other)
        for before, after in zip(sound, mutant.groups, strict=True)
        for one, other in zip(before.rules, after.rules, strict=True)
        if one != other
    ]
    ((rule, spoilt),) = pairs
    if rule.expr == spoilt.expr:
        return _label_of_series(rule, spoilt)
    if dict(rule.labels).get(catalog.KIND) == catalog.EXHAUSTED and mutant.operator == "matcher dropped":
        return "of the two sides of the `and` the other one still names this SLO"
    staged = {each.record for group in sound for each in group.rules if catalog.HOUR_SO_FAR in each.expr and _is(each)}
    if _without_zeros(rule.expr, staged) == _without_zeros(spoilt.expr, staged):
        return "nought times one sum over recorded hours is nought times another: both are there at the same instants"
    if (
        isinstance(rule, RecordingRule)
        and rule.record == catalog.FIRING
        and mutant.operator == "matcher dropped"
        and _own_state(rule.expr) == _own_state(spoilt.expr)
    ):
        return "states of other SLOs count for nothing: a state counts only `and` events with its own labels"
    return None


def _is(rule: Rule) -> bool:
    return isinstance(rule, RecordingRule) and rule.record.startswith((catalog.TOTAL, catalog.BAD))


def _label_of_series(rule: Rule, spoilt: Rule) -> str | None:
    """A rule without a label that all series of its expression have, and that nothing takes away, says the same."""
    lost = set(rule.labels) - set(spoilt.labels)
    only_lost = set(spoilt.labels) < set(rule.labels) and replace(rule, labels=spoilt.labels) == spoilt
    selectors = re.findall(r"slo:[a-z_:0-9]+\{([^}]*)\}", rule.expr)
    keeps = not re.search(r"\b(sum|max|min|avg|count|group|absent)\s*(by\b|\()", rule.expr) and bool(selectors)
    carried = all(f'{name}="{value}"' in each for name, value in lost for each in selectors)
    if only_lost and keeps and carried and {name for name, _ in lost} <= IDENTITY:
        return "all series of the expression carry the label itself, with this value, and no aggregation takes it away"
    return None


def _without_zeros(expr: str, staged: set[str]) -> str:
    """Return an expression in which `0 * RECORD` names none of the staged records."""
    names = "|".join(map(re.escape, sorted(staged, key=len, reverse=True)))
    return re.sub(rf"\b0 \* (?:{names})(?=\{{)", "0 * staged", expr) if staged else expr


def _own_state(expr: str) -> str:
    """Return an expression in which states are of any SLO."""
    selector = re.compile(re.escape(catalog.FIRING) + r"\{[^}]*\}")
    tier = re.compile(rf"{catalog.TIER}=\"[^\"]*\"")
    return selector.sub(lambda found: catalog.FIRING + "|".join(tier.findall(found.group())), expr)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.rules.mutants")
    parser.add_argument("--per-operator", type=int, default=PER_OPERATOR)
    parser.add_argument("--only", nargs="+", choices=sorted(EXAMPLES), default=list(SLOS), metavar="NAME")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--afresh", action="store_true", help="forget what was seen in earlier runs")
    return parser.parse_args()


def _report(fates: Iterable[Fate], left_out: Counter[str]) -> int:
    made, killed = Counter[str](), Counter[str]()
    survivors = []
    for fate in fates:
        made[fate.mutant.operator] += 1
        killed[fate.mutant.operator] += fate.killed
        if not fate.killed:
            survivors.append(fate)
    print(f"{'operator':36}{'made':>6}{'killed':>8}")
    for operator in made:
        print(f"{operator:36}{made[operator]:>6}{killed[operator]:>8}")
    share = killed.total() / made.total()
    print(f"{'all':36}{made.total():>6}{killed.total():>8}  {100 * share:.1f} % (goal {100 * GOAL:.0f} %)")
    for reason, count in left_out.items():
        print(f"not counted: {count}, {reason}")
    for fate in survivors:
        print(f"survived: {fate}")
    return 0 if share >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
