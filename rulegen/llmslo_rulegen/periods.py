"""The stretch of time that a budget is for, at an instant: instants are seconds since 1970, UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from llmslo_rulegen.slo import Calendar, Window

HOUR_S = 3600
_MONTHS = {Calendar.MONTH: 1, Calendar.QUARTER: 3}
_YEAR = 12  # months


@dataclass(frozen=True, slots=True)
class Period:
    """A budget's window at an instant: where it begins, and how long it is as a whole."""

    begin_s: int
    length_s: int

    def covered(self, since_s: int, at_s: int) -> float:
        """Return the share of it that has data, at `at_s`, where data begin at `since_s`."""
        return min(1.0, (at_s - max(since_s // HOUR_S * HOUR_S, self.begin_s)) / self.length_s)


def at(window: Window, at_s: int) -> Period:
    """Return the period at an instant: a rolling one begins a window before the last full hour."""
    if window.calendar is None:
        return Period(at_s // HOUR_S * HOUR_S - window.seconds, window.seconds)
    day = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=at_s // 86_400 * 86_400)
    if window.calendar is Calendar.WEEK:
        begin = day - timedelta(days=day.weekday())
        return Period(_seconds(begin), _seconds(begin + timedelta(days=7)) - _seconds(begin))
    months = _MONTHS[window.calendar]
    begin = day.replace(month=(day.month - 1) // months * months + 1, day=1)
    last = begin.month + months > _YEAR
    end = begin.replace(year=begin.year + last, month=(begin.month + months - 1) % _YEAR + 1)
    return Period(_seconds(begin), _seconds(end) - _seconds(begin))


def _seconds(instant: datetime) -> int:
    return int(instant.timestamp())
