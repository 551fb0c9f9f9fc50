"""Verdicts: known intervals, and no verdict without enough events."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
@given(st.integers(1, 100_000), st.data(), OBJECTIVES)
def test_one_more_bad_event_never_betters_a_verdict(events, data, objective):
    order = [Verdict.MET, Verdict.TOO_FEW, Verdict.NOT_MET]
    bad = data.draw(st.integers(0, events - 1))
    fewer, more = (judge(count, events, objective) for count in (bad, bad + 1))
    assert order.index(fewer.verdict) <= order.index(more.verdict)
    assert fewer.budget_used < more.budget_used
    assert 0 <= fewer.low <= bad / events <= fewer.high <= 1


def test_an_incident_is_not_met_however_its_bad_events_come_together():
    assert judge(11, 34, Decimal(90)).verdict is Verdict.NOT_MET  # as recorded of support-chat
