"""The numbers of `explain`, against hand-made ones."""

from __future__ import annotations

from decimal import Decimal

import pytest

from llmslo_rulegen import budget
from llmslo_rulegen.tier import Severity, Tier

DAY = 86_400
FAST = Tier("page_fast", Severity.PAGE, 14.4, 3600, 300, min_bad=4, min_bad_short=2)


def test_the_budget_has_no_binary_noise():
    assert budget.budget_events(Decimal("99.9"), 1_000_000) == Decimal(1000)
    assert budget.budget_minutes(Decimal("99.9"), 30 * DAY) == Decimal("43.2")


def test_the_textbooks_tier_fires_at_two_percent():
    assert budget.share_at_firing(FAST, 30 * DAY) == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("objective", "bad_share", "seconds"),
    [
        ("99.9", 1.0, 51.84),
        ("99.9", 0.1, 518.4),
        ("99", 1.0, 518.4),
        ("90", 1.0, None),
        ("99", 0.144, 3600),
        ("99", 0.143, None),
    ],
)
def test_detection(objective, bad_share, seconds):
    found = budget.detection_s(FAST, Decimal(objective), bad_share)
    assert found == (seconds and pytest.approx(seconds))


@pytest.mark.parametrize(
    ("events_per_s", "seconds"),
    [(1.0, 51.84), (1 / 60, 4 * 60), (1 / 600, None), (1 / 160, None)],
)
def test_a_gate_may_take_longer_than_the_share_or_for_ever(events_per_s, seconds):
    # One event in 160 s makes 4 in an hour, but never 2 in five minutes.
    found = budget.detection_s(FAST, Decimal("99.9"), 1.0, events_per_s)
    assert found == (seconds and pytest.approx(seconds))


def test_a_burn_of_one_lasts_a_window():
    assert budget.burn(Decimal(99), 0.01) == pytest.approx(1)
    assert budget.exhausted_after_s(Decimal(99), 30 * DAY, 0.01) == pytest.approx(30 * DAY)
    assert budget.exhausted_after_s(Decimal(99), 30 * DAY, 0.0) == float("inf")


def test_the_share_spent_at_detection_is_the_share_at_firing():
    seconds = budget.detection_s(FAST, Decimal("99.9"), 0.5)
    assert seconds is not None
    spent = seconds * budget.burn(Decimal("99.9"), 0.5) / (30 * DAY)
    assert spent == pytest.approx(budget.share_at_firing(FAST, 30 * DAY))
