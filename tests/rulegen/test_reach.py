"""The simulation agrees with promtool minute by minute, and a small `tests.rules.reach` meets its goals."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from llmslo_rulegen.tier import Severity, Tier
from tests.rules import reach
from tests.rules.replay import Trace, differences, simulated
from tests.rules.simulation import Traffic, even, firings, plain, poisson

SMALL = reach.Size(60, 10, tuple(map(Decimal, ("50", "80", "95", "99", "99.9"))), (1, 30))
TIER = Tier("page_fast", Severity.PAGE, 10, 3600, 300, 3, 2)
BUDGET = 0.01


def outage(before: int, during: int, after: int, share: float = 1.0, healthy: float = 0.0) -> np.ndarray:
    bad_share = np.full(before + during + after, healthy)
    bad_share[before : before + during] = share
    return bad_share


def random_calls(per_hour: float, bad_share: np.ndarray) -> Traffic:
    return poisson(np.random.default_rng(23), 1, per_hour, bad_share)


def idle(traffic: Traffic, since: int, until: int) -> Traffic:
    """Let nobody call from minute `since` to `until`."""
    calls = [np.diff(sums, axis=1, prepend=0) for sums in (traffic.bad, traffic.total)]
    for each in calls:
        each[:, since + 1 : until + 1] = 0
    return Traffic(*(np.cumsum(each, axis=1, dtype=np.int32) for each in calls))


def rare() -> Trace:
    return simulated("rare", Decimal(99), 1, random_calls(10, outage(80, 120, 60, healthy=0.005)))


def half() -> Trace:
    return simulated("half", Decimal(90), 7, random_calls(40, outage(40, 90, 80, share=0.5, healthy=0.05)))


def gap() -> Trace:
    return simulated("gap", Decimal(95), 1, idle(random_calls(60, outage(20, 30, 100)), 50, 110))


def busy() -> Trace:
    return simulated("busy", Decimal(80), 30, random_calls(3600, outage(20, 40, 30, share=0.95, healthy=0.1)))


needs_promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")


@needs_promtool
@pytest.mark.parametrize("make", [rare, half, gap, busy])
def test_the_rendered_rules_fire_in_the_minutes_that_the_simulation_says(make, tmp_path):
    found = make()
    assert any(found.spans.values())
    assert differences(found, tmp_path) == ""


@needs_promtool
def test_one_minute_off_is_a_difference(tmp_path):
    found = busy()
    (start, end), *rest = found.spans["page_fast"]
    spans: Mapping[str, Sequence[tuple[int, int]]] = {"page_fast": [(start + 1, end), *rest]}
    assert "exp: {} 0E+00" in differences(replace(found, spans=spans), tmp_path)


def test_a_small_report_meets_every_goal(capsys):
    goals = reach.report(SMALL)
    assert [goal.name for goal in goals if not goal.met] == []
    assert "99.9%" in capsys.readouterr().out


def test_a_set_of_tiers_that_cannot_fire_is_found():
    slow = Tier("page_slow", Severity.PAGE, 6, 21_600, 1800)
    assert reach.unreachable(Decimal(80), 30, [slow]) == ["80 % 30d page_slow: cannot fire", "80 % 30d page_slow: late"]


def test_an_idle_short_window_neither_ends_nor_starts():
    # A call every 7 minutes: the 5 minute window is often empty.
    failing = even(60 / 7, outage(60, 180, 240))
    (found,) = firings(failing, [TIER], replace(TIER, min_bad_short=1), BUDGET)
    assert 60 < found.start < 90
    assert 240 <= found.end <= 240 + 7
    assert len(plain(failing, TIER, BUDGET)) > 10


def test_a_lone_bad_event_after_the_recovery_is_no_second_page():
    bad_share = outage(60, 120, 120)
    bad_share[200] = 1.0
    assert len(firings(even(60, bad_share), [TIER], TIER, BUDGET)) == 1
    assert len(firings(even(60, bad_share), [TIER], replace(TIER, min_bad_short=1), BUDGET)) == 2


def test_an_alert_ends_when_nothing_happened_in_the_longest_window():
    total = np.zeros((1, 301), np.int32)
    total[0, 1:101] = np.arange(1, 101)
    total[0, 101:] = 100
    traffic = Traffic(total, total)
    longer = replace(TIER, name="page_slow", long_s=7200)
    (alone,), (beside,) = firings(traffic, [TIER], TIER, BUDGET), firings(traffic, [TIER, longer], TIER, BUDGET)
    assert (alone.end, beside.end) == (160 - 1, 220 - 1)
