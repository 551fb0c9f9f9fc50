"""Pages that a history would have brought."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from llmslo_rulegen.derive import alarms

HOURS = 30 * 24


def _healthy(per_hour=600):
    total = np.full(HOURS, per_hour)
    return np.zeros(HOURS, int), total


def test_a_service_within_half_its_budget_is_not_paged():
    rng = np.random.default_rng(1)
    _, total = _healthy()
    assert alarms.alarms(rng.binomial(total, 0.005), total, Decimal(99)).pages == 0


def test_an_outage_of_two_hours_is_one_page():
    bad, total = _healthy()
    bad[300:302] = total[300:302]
    found = alarms.alarms(bad, total, Decimal("99.5"))
    assert found.pages == 1
    assert found.pages_a_month == 1


def test_outages_a_day_apart_are_pages_apart():
    bad, total = _healthy()
    for hour in (100, 200, 300):
        bad[hour] = total[hour]
    assert alarms.alarms(bad, total, Decimal("99.5")).pages == 3


def test_a_slow_leak_is_a_ticket():
    _, total = _healthy()
    found = alarms.alarms(np.random.default_rng(2).binomial(total, 0.02), total, Decimal(99))
    assert found.pages == 0
    assert found.tickets >= 1


def test_a_few_failures_of_little_traffic_wake_nobody():
    total = np.full(HOURS, 3)
    bad = np.zeros(HOURS, int)
    bad[::48] = 1
    assert alarms.alarms(bad, total, Decimal(99)).pages == 0


def test_no_traffic_ends_no_alarm_and_starts_none():
    assert alarms.alarms(np.zeros(48, int), np.zeros(48, int), Decimal(99)) == alarms.Alarms(0, 0, 48)
