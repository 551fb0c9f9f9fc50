"""One case by promtool and by the replay, value by value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from llmslo_rulegen.backtest import alarms
from llmslo_rulegen.backtest.points import Dialect
from llmslo_rulegen.backtest.replay import Replayed, replay
from llmslo_rulegen.backtest.store import Store
from llmslo_rulegen.backtest.vector import NAME, Labels, labels
from llmslo_rulegen.groups import groups
from llmslo_rulegen.rule import Group
from tests.backtest import promtool
from tests.backtest.cases import Case

NEAR = 1e-9
ASKED = 14
ALERTS = "ALERTS"
WORDS = {alarms.PENDING: "pending", alarms.FIRING: "firing"}


@dataclass(frozen=True, slots=True)
class Agreement:
    """How many values were compared, how many of them are alerts, and what differs."""

    values: int
    alerts: int
    differences: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        return not self.differences


def compare(case: Case, program: str = "promtool", dialect: Dialect = Dialect.V2) -> Agreement:
    """Ask both of the rules of the case's SLO."""
    return compare_rules(case, groups(case.slo, sloth=False)[0], program, dialect)


def compare_rules(case: Case, rules: Group, program: str = "promtool", dialect: Dialect = Dialect.V2) -> Agreement:
    """Ask both at random evaluations and at the last one."""
    instants = case.instants()
    rng = np.random.default_rng([1, len(instants)])
    places = sorted({*rng.integers(0, len(instants), ASKED).tolist(), len(instants) - 1})
    at_s = [int(instants[place]) // 1000 for place in places]
    told = promtool.values(case, [rules], at_s, program)
    ours = replay(rules, Store(case.points()), instants, dialect)
    differences: list[str] = []
    for place, each_s in zip(places, at_s, strict=True):
        differences += [f"{each_s} s: {text}" for text in _differences(told[each_s], _at(ours, place))]
    alerts = sum(dict(key)[NAME] == ALERTS for each in told.values() for key in each)
    return Agreement(sum(map(len, told.values())), alerts, tuple(differences))


def _at(ours: Replayed, place: int) -> dict[Labels, float]:
    found = {key: float(each.values[place]) for key, each in ours.records.items() if each.present[place]}
    for key, states in ours.alerts.items():
        if states[place]:
            found[labels([*key, (NAME, ALERTS), ("alertstate", WORDS[int(states[place])])])] = 1.0
    return found


def _differences(told: Mapping[Labels, float], ours: Mapping[Labels, float]) -> list[str]:
    return [
        f"{dict(key)}: promtool {told.get(key)}, replay {ours.get(key)}"
        for key in sorted(told.keys() | ours.keys())
        if not _same(told.get(key), ours.get(key))
    ]


def _same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return False
    return (
        one == other or (math.isnan(one) and math.isnan(other)) or abs(one - other) <= NEAR * max(abs(one), abs(other))
    )
