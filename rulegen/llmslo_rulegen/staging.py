"""Sums over hours, days and periods from what was recorded hour by hour, exact at any evaluation up to every 5 minutes.

Three stages, each a sum of the one below at the full hours or midnights of the clock (UTC), so that stages meet without
a gap or an overlap wherever within its interval a group is evaluated:

    hour, hour_so_far   counted from the counters: (T - 1h, T] and (T, t], T the last full hour before t
    day, day_so_far     (M - 24h, M] and (M, T], M the last midnight; only where days are summed
    windows             sums of these

A window of whole hours that slides is `the hours it touches + hour_so_far now - hour_so_far at its beginning`; the
window of a budget begins at a full hour and needs no subtraction.

`hour` and `day` have one value all hour or day long. Older ones are read twice in the next, so that no restart of a
server loses one: never at a moment at which they may not be written yet, and not at a full hour, when servers are
restarted.
"""

from __future__ import annotations

from collections.abc import Iterator

from llmslo_exporter import catalog
from llmslo_rulegen import promql
from llmslo_rulegen.slo import Calendar, Window

HOUR_S = 3600
DAY_S = 86_400
_SEARCHED_S = 300
STAGED_BY_DAY_S = 180 * DAY_S  # longer windows are summed by day: 8 760 points an evaluation are too many
_MONDAY_S = 3 * DAY_S  # the epoch was a Thursday
_WEEK_S = 7 * DAY_S


def slides(window_s: int) -> bool:
    """Return whether a window is summed from records: not one so short that a late evaluation would show."""
    return window_s >= HOUR_S or window_s == HOUR_S // 2


def sliding(events: str, ids: str, window_s: int) -> str:
    """Return events of (t - window, t] for a window that `slides`."""
    hours, rest_s = divmod(window_s, HOUR_S)
    hour, so_far = f"{events}{catalog.HOUR}{ids}", f"{events}{catalog.HOUR_SO_FAR}{ids}"
    terms = [*_last(hour, hours, HOUR_S), so_far, f"-{so_far} offset {promql.duration(window_s)}"]
    if rest_s:
        # The window begins in one hour more while less than the rest of this one has passed.
        more = f"{hour} offset {promql.duration(hours * HOUR_S)}" if hours else hour
        terms.append(f"({more} and on () (vector(time() % {HOUR_S}) < {rest_s}))")
    return f"clamp_min({promql.total_of(terms)}, 0)"


def of_budget(events: str, ids: str, window: Window) -> str:
    """Return events of a budget's window: [last full hour - window, t], or since the calendar's period began."""
    so_far = f"{events}{catalog.HOUR_SO_FAR}{ids}"
    hour, day = f"{events}{catalog.HOUR}{ids}", f"{events}{catalog.DAY}{ids}"
    today = f"{events}{catalog.DAY_SO_FAR}{ids}"
    if window.calendar is Calendar.WEEK:
        return promql.total_of((_since(hour, HOUR_S, window.calendar), _begun(hour, HOUR_S, window.calendar), so_far))
    if window.calendar is not None:
        begun = _begun(day, DAY_S, window.calendar)
        return promql.total_of((_since(day, DAY_S, window.calendar), begun, today, so_far))
    if window.seconds > STAGED_BY_DAY_S:
        before = f"-{today} offset {promql.duration(window.seconds)}"
        return promql.total_of((*_last(day, window.seconds // DAY_S, DAY_S), today, so_far, before))
    return promql.total_of((*_last(hour, window.seconds // HOUR_S, HOUR_S), so_far))


def needs_days(window: Window) -> bool:
    """Return whether the window is summed by day."""
    return window.seconds > STAGED_BY_DAY_S or window.calendar in {Calendar.MONTH, Calendar.QUARTER}


def day(events: str, ids: str) -> str:
    """Return events of the last full day."""
    hour = f"{events}{catalog.HOUR}{ids}"
    hours = [
        f"(sum_over_time({_read(hour, HOUR_S, 2 * DAY_S - 2 * HOUR_S, _parity(DAY_S, 2 * HOUR_S, other))})"
        f" and on () ({_parity(DAY_S, 0, this)}))"
        for this, other in (("<", ">="), (">=", "<"))
    ]
    last = f"({hour} and on () (vector(time() % {DAY_S}) < {HOUR_S}))"
    return promql.total_of((" or ".join(hours), last))


def day_so_far(events: str, ids: str) -> str:
    """Return events since the last midnight, to the last full hour: 0 in a day's first hour."""
    hour = f"{events}{catalog.HOUR}{ids}"
    hours = [
        f"(sum_over_time({_read(hour, HOUR_S, DAY_S - 2 * HOUR_S, _parity(DAY_S, 2 * HOUR_S, this))})"
        f" and on () ({_parity(DAY_S, 0, this)}))"
        for this in ("<", ">=")
    ]
    last = f"({hour} and on () (vector(time() % {DAY_S}) >= {HOUR_S}))"
    return f"{promql.total_of((' or '.join(hours), last))} or 0 * {hour}"


def begin(ids: str, window: Window) -> str:
    """Return the instant at which the data of a window begins: the first hour that had some in its middle.

    It changes once an hour, and of a year it reads 8 760 points: looked for in the first and the second half hour's
    first five minutes only.
    """
    running = f"{catalog.TOTAL}{catalog.HOUR_SO_FAR}{ids} offset {promql.duration(HOUR_S // 2)}"
    # Not timestamp(): with it the tests of a year's budget took promtool 2.42 eight seconds of CPU, without it one.
    read = promql.points(f"(0 * {running} + time())", window.seconds // HOUR_S, HOUR_S)
    found = f"min_over_time({read}) - {HOUR_S}"
    return f"last_over_time(({found})[{promql.duration(_SEARCHED_S - 0.001)}:{promql.duration(HOUR_S // 2)}])"


def covered(ids: str, window: Window, period: str) -> str:
    """Return the share of the window that has data, from 0 to 1; a calendar's period has none of the time to come."""
    # Found at most half an hour ago, and held since: of these instants one at least is within five minutes of it.
    held = promql.points(f"{catalog.COVERED_SINCE}{ids}", (HOUR_S + _SEARCHED_S) // _SEARCHED_S, _SEARCHED_S)
    age = f"(time() - last_over_time({held}))"
    started = f"0 * {period} + time() % {HOUR_S}"  # no full hour yet
    if window.calendar is None:
        return f"clamp_max(({age} or {started}) / {window.seconds}, 1)"
    gone, length = _calendar(window.calendar)
    passed = f"{age} < on () group_left () ({gone}) or 0 * {age} + on () group_left () ({gone}) or {started}"
    return f"({passed}) / on () group_left () ({length})"


def _before(record: str, step_s: int) -> str:
    """Return the record of the unit before the one that ends at the instant at which this is asked.

    It was written all through the unit that ends then. Read in its middle and after five sixths of it: a server that
    was away at one of them was there at the other.
    """
    read = f"({record} offset {promql.duration(step_s // 6)})"
    return f"last_over_time({promql.points(read, 2, step_s // 3)})"


def _last(record: str, count: int, step_s: int) -> Iterator[str]:
    """Yield the terms whose sum is the last `count` full units."""
    if count:
        yield record
    if count > 1:
        yield f"sum_over_time({promql.points(_before(record, step_s), count - 1, step_s)})"


def _read(record: str, step_s: int, range_s: int, gate: str) -> str:
    """Return a subquery at full units; at one of them it reads the unit that ended one before and began two before."""
    return promql.points(f"({_before(record, step_s)} and on () ({gate}))", range_s // step_s, step_s)


def _parity(length_s: int, before_s: int, is_in: str, origin_s: int = 0) -> str:
    """Return a gate that asks whether the instant `before_s` ago is in an even unit (`<`) or in an odd one (`>=`).

    A subquery cannot see when it is asked. Where it reaches over two units at most, even and odd ones are summed apart
    and the sum that fits the asking instant is taken.
    """
    shift_s = origin_s - before_s
    instant = "time()" if not shift_s else f"(time() {'+' if shift_s > 0 else '-'} {abs(shift_s)})"
    return f"vector({instant} % {2 * length_s}) {is_in} {length_s}"


def _since(record: str, step_s: int, calendar: Calendar) -> str:
    """Return the sum of the full units since the period began, but for the last one."""
    if calendar is Calendar.WEEK:
        gates = [
            (_parity(_WEEK_S, 2 * step_s, one, _MONDAY_S), _parity(_WEEK_S, 0, one, _MONDAY_S)) for one in ("<", ">=")
        ]
        range_s = _WEEK_S - 2 * step_s
    else:
        # Of three periods in a row, which a range of 31 or 92 days can touch, no two are alike.
        number = _number(calendar)
        then, now = (number.format(instant) for instant in (f"vector(time() - {2 * step_s})", "vector(time())"))
        gates = [(f"{then} % 3 == {rest}", f"{now} % 3 == {rest}") for rest in range(3)]
        range_s = (30 if calendar is Calendar.MONTH else 91) * DAY_S
    return " or ".join(
        f"(sum_over_time({_read(record, step_s, range_s, then)}) and on () ({now}))" for then, now in gates
    )


def _begun(record: str, step_s: int, calendar: Calendar) -> str:
    """Return the last full unit if it is of this period."""
    gone, _ = _calendar(calendar)
    return f"({record} and on () ({gone} >= {step_s}))"


def _number(calendar: Calendar) -> str:
    if calendar is Calendar.MONTH:
        return "month({0})"
    return "(year({0}) * 4 + floor((month({0}) - 1) / 3))"


def _calendar(calendar: Calendar) -> tuple[str, str]:
    """Return PromQL for the seconds since the period began, and for its whole length."""
    if calendar is Calendar.WEEK:
        return f"vector((time() + {_MONDAY_S}) % {_WEEK_S})", f"vector({_WEEK_S})"
    today = f"time() % {DAY_S}"
    if calendar is Calendar.MONTH:
        return f"(day_of_month() - 1) * {DAY_S} + {today}", f"days_in_month() * {DAY_S}"
    # Days of the one and the two months before, while they are of this quarter.
    last = f"days_in_month(vector(time()) - day_of_month() * {DAY_S})"
    before = f"days_in_month(vector(time()) - (day_of_month() + {last}) * {DAY_S})"
    place = "(month() - 1) % 3"
    days = f"day_of_month() - 1 + ({place} >= bool 1) * {last} + ({place} == bool 2) * {before}"
    # 92 days, the second quarter 91, the first 90 or 91: every fourth year is a leap year until 2100.
    length = "92 - (month() <= bool 6) - (month() <= bool 3) + (month() <= bool 3) * (year() % 4 == bool 0)"
    return f"({days}) * {DAY_S} + {today}", f"({length}) * {DAY_S}"
