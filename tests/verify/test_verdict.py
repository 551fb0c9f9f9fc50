"""Verdicts: known intervals, and no verdict without enough events."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmslo_rulegen.verify.tally import MOST_SLICES, SLICE_NS, Tally
from llmslo_rulegen.verify.verdict import Verdict, interval, judge

OBJECTIVES = st.sampled_from([Decimal(one) for one in ("50", "90", "95", "99", "99.5", "99.9")])


@pytest.mark.parametrize(
    ("bad", "events", "low", "high"),
    [(0, 10, 0.0, 0.2775), (1, 10, 0.0179, 0.4042), (10, 100, 0.0552, 0.1744), (10, 10, 0.7225, 1.0)],  # Newcombe 1998
)
def test_intervals_are_wilsons(bad, events, low, high):
    assert interval(bad, events) == pytest.approx((low, high), abs=5e-5)


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
    ],
)
def test_verdicts(bad, events, objective, verdict):
    assert judge(bad, events, Decimal(objective)).verdict is verdict


@settings(deadline=None)
@given(st.integers(1, 100_000), st.data(), OBJECTIVES, st.floats(1, 50))
def test_one_more_bad_event_never_betters_a_verdict(events, data, objective, effect):
    order = [Verdict.MET, Verdict.TOO_FEW, Verdict.NOT_MET]
    bad = data.draw(st.integers(0, events - 1))
    fewer, more = (judge(count, events, objective, effect) for count in (bad, bad + 1))
    if fewer.verdict is not Verdict.TOO_FEW or more.verdict is not Verdict.MET:
        assert order.index(fewer.verdict) <= order.index(more.verdict)
    assert fewer.budget_used < more.budget_used
    assert 0 <= fewer.low <= bad / events <= fewer.high <= 1


def test_events_that_fail_together_say_less_than_independent_ones():
    together, apart = Tally(), Tally()
    for number in range(1000):
        at = number * SLICE_NS // 10
        together.add(at, "timeout" if number < 100 else None)
        apart.add(at, "timeout" if number % 10 == 0 else None)
    assert (together.bad, apart.bad) == (100, 100)
    assert apart.design_effect() == 1.0
    assert together.design_effect() > 5


@settings(deadline=None, max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 10**9), st.booleans()), max_size=2000))
def test_however_long_the_time_the_slices_stay_few_and_lose_nothing(events):
    tally = Tally()
    for at_s, is_bad in events:
        tally.add(at_s * 1_000_000_000, "" if is_bad else None)
    assert len(tally._slices) <= MOST_SLICES
    assert sum(total for total, _ in tally._slices.values()) == tally.total == len(events)
    assert sum(bad for _, bad in tally._slices.values()) == tally.bad == sum(is_bad for _, is_bad in events)
