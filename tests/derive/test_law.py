"""Changes of the law behind a history."""

from __future__ import annotations

import numpy as np
import pytest

from llmslo_rulegen.derive import law
from llmslo_rulegen.derive.law import Form

DAYS = 42
HOURS = DAYS * 24


def _history(rng, shares, per_hour=100):
    total = rng.poisson(per_hour, len(shares))
    return rng.binomial(total, shares), total


@pytest.mark.parametrize("at_d", [4, 14, 30, 39])
def test_a_step_is_found_where_it_is(at_d):
    rng = np.random.default_rng(at_d)
    found = law.change(*_history(rng, np.where(np.arange(HOURS) < at_d * 24, 0.02, 0.04)))
    assert found is not None
    assert found.form is Form.STEP
    assert abs(found.at_h - at_d * 24) <= 24
    assert found.is_worse
    assert (found.before, found.after) == (pytest.approx(0.02, rel=0.1), pytest.approx(0.04, rel=0.1))


def test_a_drift_is_no_step():
    rng = np.random.default_rng(1)
    found = law.change(*_history(rng, np.linspace(0.01, 0.04, HOURS)))
    assert found is not None
    assert found.form is Form.DRIFT
    assert found.is_worse


def test_a_step_for_the_better_is_not_worse():
    found = law.change(*_history(np.random.default_rng(2), np.where(np.arange(HOURS) < 480, 0.05, 0.02)))
    assert found is not None
    assert not found.is_worse


def test_hours_serve_where_days_are_few():
    assert law.change(*_history(np.random.default_rng(3), np.where(np.arange(48) < 24, 0.02, 0.2))) is not None
    assert law.change(np.array([0, 1]), np.array([10, 10])) is None


@pytest.mark.parametrize("world", ["even", "outages", "weekends", "days that tell of the next"])
def test_a_law_that_stays_is_seldom_called_changed(world):
    alarms = 0
    for seed in range(60):
        rng = np.random.default_rng([9, seed])
        shares = np.full(HOURS, 0.02)
        if world == "outages":
            shares = np.where(np.repeat(rng.random(DAYS * 4) < 0.04, 6), 0.4, 0.002)
        elif world == "weekends":
            shares = np.where((np.arange(HOURS) // 24) % 7 >= 5, 0.05, 0.01)
        elif world != "even":
            noise = rng.standard_normal(DAYS)
            for day in range(1, DAYS):
                noise[day] += 0.5 * noise[day - 1]
            shares = np.repeat(0.02 * np.exp(0.4 * noise), 24)
        alarms += law.change(*_history(rng, shares)) is not None
    assert alarms <= (6 if world == "days that tell of the next" else 3)


def test_nothing_bad_is_no_change():
    assert law.change(np.zeros(HOURS, int), np.full(HOURS, 10)) is None
