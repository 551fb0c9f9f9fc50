"""Intervals of shares of bad events, by blocks of time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmslo_rulegen.derive import interval, promise

HOURS = 28 * 24


def _even(rng, share=0.02, per_hour=100, hours=HOURS):
    total = rng.poisson(per_hour, hours)
    return rng.binomial(total, share), total


@pytest.mark.parametrize(
    ("bad", "count", "low", "high"), [(0, 10, 0.0, 0.2775), (1, 20, 0.0089, 0.2361), (50, 100, 0.4038, 0.5962)]
)
def test_wilsons_interval_is_that_of_the_tables(bad, count, low, high):
    found = interval.wilson(bad / count, count, 1.959964)
    assert found == (pytest.approx(low, abs=2e-4), pytest.approx(high, abs=2e-4))


@pytest.mark.parametrize(("freedom", "known"), [(3, 3.182), (5, 2.571), (10, 2.228), (30, 2.042), (1000, 1.962)])
def test_students_quantile_is_within_one_percent_of_the_tables(freedom, known):
    assert interval.student(0.975, freedom) == pytest.approx(known, rel=0.01)


def test_independent_requests_are_worth_what_they_are():
    worth = [interval.estimate(*_even(np.random.default_rng(seed)), 720) for seed in range(20)]
    assert 0.6 < np.mean([one.effective / one.events for one in worth]) <= 1


def test_clumped_requests_are_worth_fewer_and_say_less():
    rng = np.random.default_rng(1)
    bad, total = _even(rng)
    whole_days = np.repeat(rng.random(28) < 0.15, 24)
    clumped = rng.binomial(total, np.where(whole_days, 0.1, 0.005))
    apart, together = interval.estimate(bad, total, 720), interval.estimate(clumped, total, 720)
    assert together.effective < apart.effective / 20
    assert together.high - together.low > 3 * (apart.high - apart.low)


def test_days_that_tell_of_the_next_make_longer_blocks():
    rng = np.random.default_rng(2)
    _, total = _even(rng, hours=60 * 24)
    weeks = np.repeat(rng.random(15) < 0.5, 4 * 24)
    found = interval.estimate(rng.binomial(total, np.where(weeks, 0.1, 0.01)), total, 720)
    assert found.block_h > 24


def test_a_week_is_judged_by_days_and_less_by_hours():
    rng = np.random.default_rng(3)
    by_hours = {hours: interval.estimate(*_even(rng, hours=hours), 720).block_h for hours in (24 * 10, 24 * 3)}
    assert by_hours[240] % 24 == 0
    assert by_hours[72] < 24


def test_where_blocks_are_few_clumping_is_assumed():
    found = interval.estimate(np.array([0, 1]), np.array([100, 100]), 720)
    assert found.effective == 200 / interval.ASSUMED_CLUMPING


def test_weekdays_that_differ_do_not_widen_the_interval():
    rng = np.random.default_rng(4)
    weekend = (np.arange(42 * 24) // 24) % 7 >= 5
    total = rng.poisson(100, 42 * 24)
    bad = rng.binomial(total, np.where(weekend, 0.08, 0.01))
    plain, weekly = (interval.estimate(bad, total, 720, weekly=weekly) for weekly in (False, True))
    assert weekly.high - weekly.low < 0.7 * (plain.high - plain.low)


def test_the_same_history_gives_the_same_interval():
    bad, total = _even(np.random.default_rng(5))
    assert interval.estimate(bad, total, 720) == interval.estimate(bad.copy(), total.copy(), 720)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 100)), min_size=1, max_size=400))
def test_an_interval_holds_the_share_that_was_seen(pairs):
    bad, total = np.array([min(pair) for pair in pairs]), np.array([max(pair) for pair in pairs])
    if not total.sum():
        return
    found = interval.estimate(bad, total, promise.AHEAD_H)
    assert 0 <= found.low <= found.share <= found.high <= found.future <= 1
    assert 0 < found.effective <= found.events
