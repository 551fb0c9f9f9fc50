"""The stretch of time that is learnt from: a clock that was wrong once must not make a history of half a century."""

from __future__ import annotations

from collections import Counter

from llmslo_rulegen.baseline.baseline import Baseline

MOST_HOURS = 400 * 24  # a year and a month


def reached(baseline: Baseline, most_hours: int = MOST_HOURS) -> tuple[Baseline, int]:
    """Return the `most_hours` in which most calls are, the latest of such, and how many calls are left out."""
    counts: Counter[int] = Counter()
    for (_, hour), cell in baseline.cells.items():
        counts[hour] += cell.count
    hours = sorted(counts)
    if not hours or hours[-1] - hours[0] < most_hours:
        return baseline, 0
    best, within, first, begin = -1, 0, 0, hours[0]
    for hour in hours:
        within += counts[hour]
        while hour - hours[first] >= most_hours:
            within -= counts[hours[first]]
            first += 1
        if within >= best:
            best, begin = within, hours[first]
    kept = {at: cell for at, cell in baseline.cells.items() if begin <= at[1] < begin + most_hours}
    return Baseline(kept), counts.total() - best
