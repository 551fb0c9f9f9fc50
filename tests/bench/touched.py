"""Samples that an SLO's rules touch a minute, by Prometheus' own statistics, against one exact query over 30 days.

Rules cost more in an hour's first minutes than after them: a round takes the mean over an hour, every fifth minute of
it, the next round the minutes beside them. Alerts count, and so does what Sloth's names need.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import fmean

import numpy as np

from llmslo_exporter.catalog import OUTCOME, REQUESTS
from llmslo_rulegen.groups import groups
from llmslo_rulegen.rule import RecordingRule
from tests.bench.figures import BenchError, Figure, Goal, Line, Setting, ratio
from tests.rules import traffic
from tests.rules.backend import BackendError, Prometheus, Series, lacks, storage
from tests.rules.counters import EPOCH_S
from tests.rules.staging import Grid, Job, record
from tests.rules.traffic import Scenario

GOAL = 1 / 30
GRID = Grid(60, 25)
MONTH = "30d"
STEP_MIN, HOUR_MIN = 5, 60


def measure(setting: Setting) -> Iterator[Line]:
    """Yield, per kind of SLI, the samples a minute and their share of what `increase(...[30d])` touches."""
    if reason := lacks():
        raise BenchError(reason)
    try:
        yield from _measured(setting)
    except BackendError as error:
        raise BenchError(str(error)) from error


def _measured(setting: Setting) -> Iterator[Line]:
    chosen = [_all_outcomes(traffic.day_night(_rng())), traffic.first_tokens(_rng()), traffic.own_good(_rng())]
    rounds = [
        tuple(traffic.ASKED_S + 60 * (number % STEP_MIN + minute) for minute in range(0, HOUR_MIN, STEP_MIN))
        for number in range(setting.rounds)
    ]
    with storage() as stored:
        stored.fill([series for each in chosen for series in each.series])
        setting.say("touched: evaluating the past")
        asked_s = tuple(at_s for instants in rounds for at_s in instants)
        record(stored, [_job(each, asked_s) for each in chosen])
        with stored.served() as server:
            for each in chosen:
                yield from _compared(server, each, rounds)


def _job(scenario: Scenario, asked_s: tuple[int, ...]) -> Job:
    rules = [rule for group in groups(scenario.slo) for rule in group.rules if isinstance(rule, RecordingRule)]
    return Job(tuple(rules), GRID, asked_s)


def _compared(server: Prometheus, scenario: Scenario, rounds: Sequence[tuple[int, ...]]) -> Iterator[Line]:
    expressions = [rule.expr for group in groups(scenario.slo) for rule in group.rules]
    exact = [each.replace("{{.window}}", MONTH).replace("rate(", "increase(") for each in _both(scenario)]
    # Rules are evaluated each minute, so an evaluation is a minute.
    ours = tuple(
        fmean(sum(_touched(server, text, at_s) for text in expressions) for at_s in instants) for instants in rounds
    )
    theirs = tuple(float(sum(_touched(server, text, instants[0]) for text in exact)) for instants in rounds)
    name = scenario.name
    yield Figure(f"{name}: {len(expressions)} rules, samples a minute", "n", ours)
    yield Figure(f"{name}: increase(...[{MONTH}]), samples a minute", "n", theirs)
    yield Figure(f"{name}: rules / increase", "ratio", ratio(ours, theirs), Goal(GOAL))


def _both(scenario: Scenario) -> tuple[str, str]:
    return scenario.sloth_bad, scenario.sloth_total


def _touched(server: Prometheus, expression: str, at_s: int) -> int:
    return server.query(expression, EPOCH_S + GRID.before(at_s)).touched


def _all_outcomes(scenario: Scenario) -> Scenario:
    """Add the series of outcomes that never came: the exporter shows each at 0 from the start."""
    first = scenario.series[0]
    there = {(each.labels[OUTCOME.name], each.labels["retry"]) for each in scenario.series}
    never = [(at_s, 0.0) for at_s, _ in first.samples]
    zeros = tuple(
        Series(first.name, {**first.labels, OUTCOME.name: outcome, "retry": retry}, never)
        for outcome, retry in REQUESTS.zeros
        if (outcome, retry) not in there
    )
    return replace(scenario, series=(*scenario.series, *zeros))


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)
