"""Functions of a range: many ranges over the samples of one series at once.

Where a range's places are equal it holds nothing. Sources: promql/functions.go of Prometheus 2.42 and 3.8.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from llmslo_rulegen.backtest.points import Dialect, Instants, Mask, Places, Points, Values

_NEAR = 1.1  # times the mean distance of samples: what is nearer to the end of a range is extrapolated up to it
Found = tuple[Values, Mask]


@dataclass(frozen=True, slots=True, eq=False)
class Ranges:
    """Many ranges of one length over one series: the places of the first sample and after the last, and the ends."""

    low: Places
    high: Places
    end_ms: Instants
    length_ms: int


def over_time(function: str, points: Points, ranges: Ranges, dialect: Dialect) -> Found:
    """Return a function of each range, and where it has a value."""
    points, ranges = _cut(points, ranges)
    if function in _EXTRAPOLATED:
        return _extrapolated(function, points, ranges, dialect)
    if not len(points.at_ms):
        return np.zeros(len(ranges.low)), np.zeros(len(ranges.low), np.bool_)
    return _PLAIN[function](points.values, ranges.low, ranges.high), ranges.high > ranges.low


def _cut(points: Points, ranges: Ranges) -> tuple[Points, Ranges]:
    """Leave out the samples before the first range and after the last: of a long series few ranges see all."""
    if not len(ranges.low):
        return points, ranges
    first, after = int(ranges.low.min()), int(ranges.high.max())
    inside = Points(points.at_ms[first:after], points.values[first:after])
    return inside, Ranges(ranges.low - first, ranges.high - first, ranges.end_ms, ranges.length_ms)


def _last(values: Values, low: Places, high: Places) -> Values:
    del low
    return values[np.maximum(high - 1, 0)]


def _count(values: Values, low: Places, high: Places) -> Values:
    del values
    return (high - low).astype(np.float64)


def _present(values: Values, low: Places, high: Places) -> Values:
    del values, high
    return np.ones(len(low))


def _sum(values: Values, low: Places, high: Places) -> Values:
    """Sum each range for itself: differences of one long sum would lose digits."""
    if not len(low):
        return np.zeros(0)
    changed = np.ones(len(low), np.bool_)  # of ranges alike, as between two points of a subquery, one is summed
    changed[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    pairs = np.column_stack([low[changed], high[changed]]).ravel()
    padded: Values = np.append(values, 0.0)  # a range may end after the last sample
    sums = np.add.reduceat(padded, np.minimum(pairs, len(values)))[::2]
    found: Values = np.where(low[changed] < high[changed], sums, 0.0)[np.cumsum(changed) - 1]
    return found


def _mean(values: Values, low: Places, high: Places) -> Values:
    found: Values = _sum(values, low, high) / np.maximum(high - low, 1)
    return found


def _lowest(values: Values, low: Places, high: Places) -> Values:
    return _extreme(np.fmin, values, low, high)


def _highest(values: Values, low: Places, high: Places) -> Values:
    return _extreme(np.fmax, values, low, high)


def _extreme(choose: np.ufunc, values: Values, low: Places, high: Places) -> Values:
    """Two overlapping stretches of a power of two make each range; the stretches of a power come from those before."""
    length = np.maximum(high - low, 1)
    power = np.frexp(length.astype(np.float64))[1] - 1
    found = np.zeros(len(low))
    level = values
    for each in range(int(power.max(initial=0)) + 1):
        if each:
            half = 1 << (each - 1)
            level = choose(level[:-half], level[half:])
        here = power == each
        if here.any():
            first = np.minimum(low[here], len(level) - 1)
            last = np.clip(high[here] - (1 << each), 0, len(level) - 1)
            found[here] = choose(level[first], level[last])
    return found


def _steps(counted: Callable[[Values], Mask]) -> Callable[[Values, Places, Places], Values]:
    """Return how often something holds between one sample of a range and the next."""

    def found(values: Values, low: Places, high: Places) -> Values:
        before = np.concatenate([[0, 0], np.cumsum(counted(values))])  # by the place of the later sample, plus one
        empty = high <= low
        number: Values = (before[high] - before[np.minimum(low + 1, len(before) - 1)]).astype(np.float64)
        number[empty] = 0.0
        return number

    return found


_PLAIN: dict[str, Callable[[Values, Places, Places], Values]] = {
    "last_over_time": _last,
    "min_over_time": _lowest,
    "max_over_time": _highest,
    "sum_over_time": _sum,
    "avg_over_time": _mean,
    "count_over_time": _count,
    "present_over_time": _present,
    "resets": _steps(lambda values: values[1:] < values[:-1]),
    "changes": _steps(lambda values: (values[1:] != values[:-1]) & ~(np.isnan(values[1:]) & np.isnan(values[:-1]))),
}
_EXTRAPOLATED = frozenset({"increase", "rate", "delta"})


def _extrapolated(function: str, points: Points, ranges: Ranges, dialect: Dialect) -> Found:
    """Return the difference of a range's last and first sample, extrapolated to its ends (`extrapolatedRate`)."""
    enough = ranges.high - ranges.low > 1
    value = np.zeros(len(enough))
    if not enough.any():
        return value, enough
    first, last, end_ms = ranges.low[enough], ranges.high[enough] - 1, ranges.end_ms[enough]
    at_ms, values = points.at_ms, points.values
    is_counter = function != "delta"
    grown = values[last] - values[first]
    if is_counter:
        lost = np.where(values[1:] < values[:-1], values[:-1], 0.0)
        if lost.any():
            grown = grown + _sum(lost, first, last)
    sampled_s = (at_ms[last] - at_ms[first]) / 1000
    between_s = sampled_s / (last - first)
    start_s = (at_ms[first] - (end_ms - ranges.length_ms)) / 1000
    if is_counter:
        start_s = _from_zero(values[first], grown, sampled_s, start_s, between_s if dialect is Dialect.V3 else None)
    end_s = (end_ms - at_ms[last]) / 1000
    near_s = between_s * _NEAR
    whole_s = sampled_s + np.where(start_s < near_s, start_s, between_s / 2)
    whole_s = whole_s + np.where(end_s < near_s, end_s, between_s / 2)
    factor = whole_s / sampled_s
    if function == "rate":
        factor = factor / (ranges.length_ms / 1000)
    value[enough] = grown * factor
    return value, enough


def _from_zero(first: Values, grown: Values, sampled_s: Values, start_s: Values, between_s: Values | None) -> Values:
    """Return how far before its first sample a counter is taken to have grown: not to before it was 0.

    Prometheus 3 (`between_s`) asks first how far it would be extrapolated, 2 afterwards.
    """
    if between_s is not None:
        start_s = np.where(start_s >= between_s * _NEAR, between_s / 2, start_s)
    with np.errstate(divide="ignore", invalid="ignore"):
        zero_s = sampled_s * (first / grown)
    found: Values = np.where((grown > 0) & (first >= 0) & (zero_s < start_s), zero_s, start_s)
    return found
