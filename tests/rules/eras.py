"""Windows other than 30 d over one long traffic: shorter, longer, of the calendar, not yet full."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from llmslo_rulegen.slo import Calendar, Window
from tests.rules.counters import DAY_S, EPOCH_S, HOUR_S
from tests.rules.traffic import PER_MIN, Scenario, Span, availability, outcomes

YEAR = Span(367 * DAY_S + 14 * HOUR_S)
MONTH_DAYS, QUARTER_DAYS = 31, 92  # the longest ones


def scenarios(only: Collection[str] | None = None) -> Iterator[Scenario]:
    """Yield windows that take up to a month of the past to judge."""
    noon_s, night_s = 33 * DAY_S + 12 * HOUR_S, 33 * DAY_S + 3 * HOUR_S
    yield from _over(
        only,
        Span(34 * DAY_S),
        ("1d", Window(DAY_S), noon_s),
        ("7d", Window(7 * DAY_S), night_s),
        ("28d", Window(28 * DAY_S), night_s),
        ("week", Window(7 * DAY_S, Calendar.WEEK), noon_s),
        ("week-begins", Window(7 * DAY_S, Calendar.WEEK), 28 * DAY_S),
        ("month", Window(MONTH_DAYS * DAY_S, Calendar.MONTH), noon_s),
        ("month-begins", Window(MONTH_DAYS * DAY_S, Calendar.MONTH), _at(2026, 2, 1)),
        ("young-1d", Window(30 * DAY_S), DAY_S + 3 * HOUR_S),
        ("young-6d", Window(30 * DAY_S), 6 * DAY_S + 12 * HOUR_S),
    )


def long_scenarios(only: Collection[str] | None = None) -> Iterator[Scenario]:
    """Yield windows of a quarter and more."""
    last_s = 367 * DAY_S + 12 * HOUR_S
    yield from _over(
        only,
        YEAR,
        ("90d", Window(90 * DAY_S), last_s),
        ("180d", Window(180 * DAY_S), last_s),
        ("365d", Window(365 * DAY_S), last_s),
        ("quarter", Window(QUARTER_DAYS * DAY_S, Calendar.QUARTER), _at(2026, 5, 20) + 3 * HOUR_S),
        ("quarter-ends", Window(QUARTER_DAYS * DAY_S, Calendar.QUARTER), _at(2026, 9, 30) + 23 * HOUR_S),
        ("young-90d", Window(365 * DAY_S), 90 * DAY_S + 12 * HOUR_S),
    )


def _over(only: Collection[str] | None, span: Span, *windows: tuple[str, Window, int]) -> Iterator[Scenario]:
    """Yield a scenario per window over the same traffic: busy days, bad nights, one bad day in eleven."""
    chosen = [each for each in windows if only is None or each[0] in only]
    if not chosen:
        return
    rng = np.random.default_rng(span.seconds)
    total = rng.poisson(np.where((span.hour >= 8) & (span.hour < 20), 40.0, 1.0) * PER_MIN)
    night = np.where((span.hour == 2) & (span.day % 3 == 0), 0.3, 0.001)
    bad = rng.binomial(total, np.where(span.day % 11 == 5, 0.02, night))
    base = availability(f"era-{span.seconds}", outcomes(f"era-{span.seconds}", total, bad))
    for name, window, asked_s in chosen:
        yield replace(base, name=name, slo=replace(base.slo, name=name, window=window), asked_s=asked_s)


def _at(year: int, month: int, day: int) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp()) - EPOCH_S
