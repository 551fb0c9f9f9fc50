"""What is true of a budget, from the events alone, and how far an answer is off it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from llmslo_rulegen.slo import Calendar, Window
from tests.rules.counters import EPOCH_S, HOUR_S
from tests.rules.traffic import Scenario

GOAL = 0.001


@dataclass(frozen=True, slots=True)
class Row:
    """One budget, asked once, in shares of it. `exact` is of all events, `shown` of those that scrapes showed."""

    scenario: str
    evaluation: str
    minute: int
    exact: float
    shown: float
    ours: float
    sloth: float

    @property
    def error(self) -> float:
        """How far ours is off what scrapes showed."""
        return off(self.ours, self.shown)

    @property
    def hidden(self) -> float:
        """How far what scrapes showed is off the events."""
        return off(self.shown, self.exact)

    @property
    def sloth_error(self) -> float:
        """How far Sloth's formula is off what scrapes showed."""
        return off(self.sloth, self.shown)

    @property
    def is_right(self) -> bool:
        """Whether the goal holds; no answer is a wrong one."""
        return abs(self.error) <= GOAL


@dataclass(frozen=True, slots=True)
class Stretch:
    """The part of a window that is behind its end: [from, to), and its share of the whole window."""

    from_s: int
    to_s: int
    share: float

    def spent(self, scenario: Scenario) -> tuple[float, float]:
        """Return the budget that was spent: by all events, and by those that scrapes showed."""
        bad, total, scale = scenario.bad, scenario.total, self.share / float(scenario.slo.budget)
        return (
            scale * _ratio(bad.exact(self.from_s, self.to_s), total.exact(self.from_s, self.to_s)),
            scale * _ratio(bad.shown(self.from_s, self.to_s), total.shown(self.from_s, self.to_s)),
        )


def stretch(window: Window, at_s: int) -> Stretch:
    """Return what a window holds at an instant: a rolling one begins a window before the last full hour.

    Data begin at 0.
    """
    if window.calendar:
        begin_s, end_s = period(window.calendar, at_s)
        return Stretch(begin_s, at_s, (at_s - max(0, begin_s)) / (end_s - begin_s))
    return Stretch(at_s - at_s % HOUR_S - window.seconds, at_s, min(1.0, at_s / window.seconds))


def period(calendar: Calendar, at_s: int) -> tuple[int, int]:
    """Return where the week, month or quarter around an instant begins and ends, in UTC."""
    day = datetime.fromtimestamp(EPOCH_S + at_s, UTC).replace(hour=0, minute=0, second=0)
    if calendar is Calendar.WEEK:
        begin = day - timedelta(days=day.weekday())
        end = begin + timedelta(days=7)
    else:
        months = {Calendar.MONTH: 1, Calendar.QUARTER: 3}[calendar]
        begin = day.replace(month=(day.month - 1) // months * months + 1, day=1)
        end = begin.replace(year=begin.year + (begin.month + months > 12), month=(begin.month + months - 1) % 12 + 1)
    return int(begin.timestamp()) - EPOCH_S, int(end.timestamp()) - EPOCH_S


def off(one: float, other: float) -> float:
    """Return how far a value is off another, relatively."""
    if other:
        return one / other - 1
    return math.copysign(math.inf, one) if one else 0.0


def _ratio(bad: int, total: int) -> float:
    return bad / total if total else 0.0
