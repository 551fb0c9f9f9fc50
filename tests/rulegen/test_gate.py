"""The gates: as few bad events as keep chance quiet, never more than an outage brings."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from llmslo_rulegen import gate
from llmslo_rulegen.gate import Region
from llmslo_rulegen.tier import Severity, Tier
from llmslo_rulegen.tiers import DAY, solve
from tests.rules.simulation import firings, poisson

OBJECTIVES = ("50", "55", "60", "70", "75", "80", "85", "90", "92.5", "95", "97", "98", "99", "99.5", "99.9", "99.99")
MONTH_H = 720


def share(objective: str) -> float:
    return float(1 - Decimal(objective) / 100)


def by_chance(tier: Tier, objective: str, rate: float, min_bad: int) -> float:
    region = Region(share(objective), tier.factor, min_bad, tier.long_s / 3600, tier.short_s / 3600)
    return gate.starts_per_hour(region, rate) * MONTH_H


def test_known_gates():
    found = [(tier.min_bad, tier.min_bad_short) for tier in solve(Decimal("99.9"), 30 * DAY, 60)]
    assert found == [(4, 2), (6, 2), (5, 2), (25, 5)]


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("days", [1, 7, 30])
def test_pages_by_chance_stay_below_one_in_ten_months_at_any_traffic(objective, days):
    pages = solve(Decimal(objective), days * DAY, 60)[:2]
    for rate in np.geomspace(10, 5000, 60):
        assert sum(by_chance(tier, objective, float(rate), tier.min_bad) for tier in pages) <= 0.12


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_one_bad_event_less_would_page_more_often(objective):
    for tier in solve(Decimal(objective), 30 * DAY, 60)[:2]:
        if tier.min_bad > tier.min_bad_short:
            rates = np.geomspace(10, 10_000, 400)
            assert max(by_chance(tier, objective, float(rate), tier.min_bad - 1) for rate in rates) > 0.05


def test_the_formula_agrees_with_a_simulation():
    tier = Tier("page_fast", Severity.PAGE, 14.4, 3600, 300, min_bad=2)
    rate, budget = 100.0, 0.001
    traffic = poisson(np.random.default_rng(7), 60, rate, np.full(30 * 1440, budget / 2))
    found = len(firings(traffic, [tier], tier, budget)) / 60
    foretold = gate.starts_per_hour(Region(budget, 14.4, 2, 1, 1 / 12), rate) * MONTH_H
    assert 0.5 * foretold < found < 1.5 * foretold


@pytest.mark.parametrize(("most", "mean"), [(0, 0.1), (2, 1.0), (5, 8.0), (40, 30.0), (900, 1000.0)])
def test_poisson(most, mean):
    exact = sum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(most + 1))
    assert gate._poisson_cdf(most, mean) == pytest.approx(exact, abs=0.007)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("days", [1, 3, 7, 30])
def test_page_slow_asks_for_no_more_than_an_outage_of_even_calls_brings(objective, days):
    slow = solve(Decimal(objective), days * DAY, 60)[1]
    assert slow.min_bad <= 10 * slow.long_s / 3600
    assert slow.min_bad_short <= 0.8 * 10 * slow.short_s / 3600


def test_a_teams_own_gate_replaces_the_solved_one():
    solved = solve(Decimal(99), 30 * DAY, 60)
    assert {(tier.min_bad, tier.min_bad_short) for tier in gate.fixed(solved, 1)} == {(1, 1)}
    many = gate.fixed(solved, 1000)
    assert {tier.min_bad for tier in many} == {1000}
    assert [tier.min_bad_short for tier in many] == [tier.min_bad_short for tier in solved]
    assert {(tier.min_bad, tier.min_bad_short) for tier in gate.fixed(solved, 0)} == {(0, 0)}


def test_wilson_judges_the_long_window_alone():
    solved = solve(Decimal(99), 30 * DAY, 60)
    assert gate.ungated(solved) == tuple(replace(tier, min_bad=0) for tier in solved)


def test_a_teams_own_tier_is_gated():
    (found,) = gate.gated([Tier("page", Severity.PAGE, 10, 3600, 300)], Decimal(99))
    assert found.min_bad > 2
    (hopeless,) = gate.gated([Tier("page", Severity.PAGE, 10, 3600, 300)], Decimal(50))
    assert hopeless.factor == 10


def test_z_of_95_percent():
    assert gate.wilson_z(0.95) == pytest.approx(1.959964, abs=1e-6)


@pytest.mark.parametrize(
    ("bad", "total", "lower"),
    [(0, 10, 0.0), (1, 10, 0.017876), (5, 10, 0.236593), (10, 10, 0.722467), (0, 0, 0.0)],
)
def test_wilsons_lower_bound(bad, total, lower):
    # 10 of 10, for instance, is n / (n + z^2) = 10 / 13.8415.
    assert gate.wilson_lower(bad, total, 1.959964) == pytest.approx(lower, abs=1e-5)
