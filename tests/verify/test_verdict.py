"""Verdicts: known intervals, and no verdict without enough events."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmslo_rulegen.verify.binomial import at_least, interval
from llmslo_rulegen.verify.verdict import Verdict, judge

OBJECTIVES = st.sampled_from([Decimal(one) for one in ("50", "90", "95", "99", "99.5", "99.9")])


@pytest.mark.parametrize(
    ("bad", "events", "low", "high"),
    [  # Newcombe 1998, table I, and tables of Clopper and Pearson
        (0, 10, 0.0, 0.3085),
        (1, 10, 0.0025, 0.4450),
        (10, 10, 0.6915, 1.0),
        (81, 263, 0.2527, 0.3676),
        (15, 148, 0.0578, 0.1617),
        (0, 20, 0.0, 0.1684),
        (1, 29, 0.0009, 0.1776),
    ],
)
def test_intervals_are_those_of_the_tables(bad, events, low, high):
    assert interval(bad, events) == pytest.approx((low, high), abs=6e-5)


@settings(deadline=None)
@given(st.integers(1, 400), st.data(), st.integers(1, 999))
def test_tails_are_the_sums_of_their_terms(events, data, per_mille):
    bad = data.draw(st.integers(0, events))
    share = Fraction(per_mille, 1000)
    terms = (math.comb(events, one) * share**one * (1 - share) ** (events - one) for one in range(bad, events + 1))
    assert at_least(bad, events, per_mille / 1000) == pytest.approx(float(sum(terms)), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("objective", ["90", "95", "99", "99.5", "99.9"])
@pytest.mark.parametrize("events", [1, 2, 7, 30, 100, 333, 1000])
def test_what_is_just_kept_is_rarely_called_broken(objective, events):
    budget = 1 - Fraction(objective) / 100
    wrong = sum(
        math.comb(events, bad) * budget**bad * (1 - budget) ** (events - bad)
        for bad in range(events + 1)
        if judge(bad, events, Decimal(objective)).verdict is Verdict.NOT_MET
    )
    assert wrong <= Fraction(25, 1000)


def test_a_million_events_have_an_interval_too():
    low, high = interval(1000, 1_000_000)
    assert (low, high) == pytest.approx((0.000939, 0.001064), rel=1e-3)
    assert interval(0, 10**9)[1] == pytest.approx(3.689e-9, rel=1e-3)


@pytest.mark.parametrize(
    ("bad", "events", "objective", "verdict"),
    [
        (0, 0, "99", Verdict.NO_EVENTS),
        (0, 1, "99.9", Verdict.TOO_FEW),
        (0, 299, "99", Verdict.TOO_FEW),  # a share of 1 % bad would show in 300 events
        (0, 300, "99", Verdict.MET),
        (3, 300, "99", Verdict.MET),
        (4, 300, "99", Verdict.TOO_FEW),
        (30, 300, "99", Verdict.NOT_MET),
        (2, 2, "99.9", Verdict.NOT_MET),
        (1, 1, "50", Verdict.TOO_FEW),
        (1, 100, "99.9", Verdict.TOO_FEW),
        (1, 10, "99.9", Verdict.NOT_MET),
    ],
)
def test_verdicts(bad, events, objective, verdict):
    assert judge(bad, events, Decimal(objective)).verdict is verdict


@settings(deadline=None)
@given(st.integers(1, 100_000), st.data(), OBJECTIVES)
def test_one_more_bad_event_never_betters_a_verdict(events, data, objective):
    order = [Verdict.MET, Verdict.TOO_FEW, Verdict.NOT_MET]
    bad = data.draw(st.integers(0, events - 1))
    fewer, more = (judge(count, events, objective) for count in (bad, bad + 1))
    assert order.index(fewer.verdict) <= order.index(more.verdict)
    assert fewer.budget_used < more.budget_used
    low, high = fewer.good_interval
    assert 0 <= low <= 1 - bad / events <= high <= 1


def test_an_incident_is_not_met_however_its_bad_events_come_together():
    assert judge(11, 34, Decimal(90)).verdict is Verdict.NOT_MET  # as recorded of support-chat
