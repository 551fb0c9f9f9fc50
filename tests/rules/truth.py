"""Budgets against exact event counts: `python -m tests.rules.truth [--only NAME] [--by NAME]`.

Every scenario of `traffic` and `eras` is scraped, stored and evaluated by a real engine, by the rules that rulegen
renders and by Sloth's formula; what each calls the budget spent stands beside the events themselves. The window that is
judged is the one the rules promise: it ends with the evaluation and begins a window before the last full hour. `hidden`
is what no query can know: events before a series' first sample, between a process' last scrape and its end, and since
the last scrape; `error` is against all others. Exit code 1: an error exceeds the goal.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from llmslo_exporter.catalog import SLO_LABEL, SPENT
from llmslo_rulegen.groups import groups
from llmslo_rulegen.rule import Group, RecordingRule
from llmslo_rulegen.slo import Slo, Window
from tests.rules import aligned, eras, traffic
from tests.rules.backend import BackendError, Prometheus, Series, braced, lacks, storage
from tests.rules.counters import DAY_S, EPOCH_S, HOUR_S, Scrapes
from tests.rules.judging import GOAL, Row, Stretch, stretch
from tests.rules.staging import Grid, Job, needed, record
from tests.rules.traffic import Scenario

MINUTES = (0, 7, 35)
# By a server, at offsets as hashes give them; one evaluation meets the full minute.
GRIDS = {"30s": Grid(30, 10), "1m": Grid(60, 25), "1m+0": Grid(60, 0), "5m": Grid(300, 215)}
# By promtool's rule tests, which are slower: a shorter past, and a shorter window, as a query loads 10 000 samples.
ALIGNED = {"promtool-1m": Grid(60, 0), "promtool-5m": Grid(300, 0)}
ALIGNED_SCENARIOS = {
    "promtool-1m": ("gap",),
    "promtool-5m": ("idle", "late-errors", "resets", "instances", "gap"),
}
ALIGNED_WINDOW, ALIGNED_PAST_S = Window(6 * DAY_S), 12 * DAY_S

SLOTH = "sloth:sli_error:ratio_rate5m"
WIDTHS = (16, 11, 4, 11, 11, 10, 10, 10, 10)

Rules = Callable[[Slo], Sequence[Group]]


def main(argv: Sequence[str]) -> int:
    """Measure, print and return the exit code."""
    parser = argparse.ArgumentParser("tests.rules.truth", description=__doc__)
    parser.add_argument("--only", action="append", help="this scenario; may be given again")
    parser.add_argument("--by", action="append", choices=[*GRIDS, *ALIGNED], help="this evaluation; may be given again")
    options = parser.parse_args(argv)
    if reason := lacks():
        _say(reason)
        return 1
    began_s = time.monotonic()
    _print("scenario", "evaluated", "at", "true spent", "ours", "error", "hidden", "Sloth", "error")
    rows = []
    for row in _rows(options.only, options.by or (*GRIDS, *ALIGNED)):
        rows.append(row)
        _print(*_cells(row))
    missed = sum(not row.is_right for row in rows)
    worst = max((abs(row.error) for row in rows), default=math.nan)
    print(f"\n{len(rows) - missed} of {len(rows)} within {GOAL:.1%}; worst error {worst:.4%}")
    _say(f"{time.monotonic() - began_s:.0f} s")
    return 0 if rows and not missed else 1


def measure(scenarios: Sequence[Scenario], grids: Mapping[str, Grid], rules: Rules) -> Iterator[Row]:
    """Yield a row for each scenario, evaluation by a server and asked minute."""
    cells = [_Cell(each, name, grid, rules) for each in scenarios for name, grid in grids.items()]
    with storage() as stored:
        # Scenarios may share their series; each is stored once.
        stored.fill(list({id(series): series for each in scenarios for series in each.series}.values()))
        record(stored, [cell.job() for cell in cells])
        with stored.served() as server:
            for cell in cells:
                yield from cell.rows(server)


def measure_aligned(scenario: Scenario, name: str, grid: Grid, rules: Rules) -> Iterator[Row]:
    """Yield a row for each asked minute, by promtool; its clock begins with a scrape at a full hour."""
    offset_s = Scrapes().offset_s
    begin_s = scenario.asked_s - ALIGNED_PAST_S + offset_s
    cell = _Cell(replace(scenario, slo=replace(scenario.slo, window=ALIGNED_WINDOW)), name, grid, rules)
    series = [_since(each, begin_s) for each in scenario.series]
    at_s = [grid.before(ALIGNED_PAST_S + minute * 60) for minute in MINUTES]
    asked = [(text, each) for each in at_s for text in (cell.ours, cell.theirs)]
    with tempfile.TemporaryDirectory(prefix="llmslo-rules-") as folder:
        found = aligned.values(Path(folder), cell.rules, [one for one in series if one.samples], grid.step_s, asked)
    for place, (each, minute) in enumerate(zip(at_s, MINUTES, strict=True)):
        values = [_value(found.get(2 * place + which, ()), cell.ours) for which in (0, 1)]
        from_s = begin_s + each - each % HOUR_S - ALIGNED_WINDOW.seconds
        judged = Stretch(from_s, begin_s + each, 1.0)
        yield Row(scenario.name, name, minute, *judged.spent(cell.scenario), *values)


class _Cell:
    """A scenario under one evaluation interval, with an SLO of its own name: records must not meet."""

    def __init__(self, scenario: Scenario, name: str, grid: Grid, rules: Rules) -> None:
        slo = replace(scenario.slo, name=f"{scenario.name}-{name.replace('+', '-')}")
        self.scenario, self._name, self._grid = replace(scenario, slo=slo), name, grid
        bad, total = (each.replace("{{.window}}", "5m") for each in (scenario.sloth_bad, scenario.sloth_total))
        self.rules = (
            *needed(rules(slo), [SPENT]),
            RecordingRule(SLOTH, f"({bad}) / ({total})", (("truth", slo.name),)),
        )
        self.ours = SPENT + braced({SLO_LABEL: slo.name, **scenario.group})
        read = f"{SLOTH}{braced({'truth': slo.name, **scenario.group})}[{slo.window.seconds}s]"
        self.theirs = f"sum_over_time({read}) / count_over_time({read}) / {slo.budget}"

    def job(self) -> Job:
        """What is to be evaluated when."""
        asked_s = tuple(self.scenario.asked_s + minute * 60 for minute in MINUTES)
        return Job(self.rules, self._grid, asked_s, frozenset({SLOTH}), self.scenario.away)

    def rows(self, server: Prometheus) -> Iterator[Row]:
        """Yield what the server's records say, minute by minute."""
        for minute in MINUTES:
            at_s = self._grid.before(self.scenario.asked_s + minute * 60)
            values = [_value(server.query(text, EPOCH_S + at_s).values, text) for text in (self.ours, self.theirs)]
            judged = stretch(self.scenario.slo.window, at_s)
            yield Row(self.scenario.name, self._name, minute, *judged.spent(self.scenario), *values)


def _rows(only: Sequence[str] | None, by: Sequence[str]) -> Iterator[Row]:
    for made, of_them in ((traffic.scenarios, GRIDS), (eras.scenarios, ("1m", "5m")), (eras.long_scenarios, ("5m",))):
        grids = {name: GRIDS[name] for name in of_them if name in by}
        if grids and (chosen := list(made(only))):
            _say(f"{len(chosen)} scenarios by {', '.join(grids)}: months are evaluated before the first row comes")
            yield from measure(chosen, grids, groups)
    for name, grid in ALIGNED.items():
        if name in by:
            names = [each for each in ALIGNED_SCENARIOS[name] if only is None or each in only]
            for scenario in traffic.scenarios(names):
                _say(f"{scenario.name} by {name}")
                yield from measure_aligned(scenario, name, grid, groups)


def _since(series: Series, begin_s: int) -> Series:
    """Return a series as of an instant, which becomes the beginning of time."""
    kept = [(at_s - begin_s, value) for at_s, value in series.samples if at_s >= EPOCH_S + begin_s]
    return replace(series, samples=kept)


def _value(found: Sequence[tuple[object, float]], expression: str) -> float:
    if len(found) > 1:
        msg = f"{expression} has {len(found)} values"
        raise BackendError(msg)
    return found[0][1] if found else math.nan


def _cells(row: Row) -> list[str]:
    shares = (f"{row.shown:.4%}", f"{row.ours:.4%}", f"{row.error:+.4%}", f"{row.hidden:+.4%}")
    sloth = (f"{row.sloth:.2%}", f"{row.sloth_error:+.1%}")
    return [row.scenario, row.evaluation, f":{row.minute:02}", *shares, *sloth, "" if row.is_right else "MISSED"]


def _say(text: str) -> None:
    sys.stderr.write(f"truth: {text}\n")


def _print(*cells: str) -> None:
    left, right = zip(cells[:2], WIDTHS, strict=False), zip(cells[2:], (*WIDTHS[2:], 0), strict=False)
    print(
        " ".join([f"{cell:<{width}}" for cell, width in left] + [f"{cell:>{width}}" for cell, width in right]).rstrip()
    )
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
