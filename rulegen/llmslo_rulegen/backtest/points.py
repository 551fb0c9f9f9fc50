"""The samples of one series in order of time, and which of them an instant or a range sees.

Instants are milliseconds since the epoch, int64; values are float64.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

import numpy as np
import numpy.typing as npt

Instants = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.intp]

LOOKBACK_MS = 300_000
NO_INSTANTS: Instants = np.empty(0, np.int64)


class Dialect(Enum):
    """Which Prometheus evaluates: 2 sees the samples at both ends of a range and of the lookback, 3 not the first."""

    V2 = 2
    V3 = 3

    @property
    def opening_ms(self) -> int:
        """How much later than its beginning a range begins to see."""
        return 0 if self is Dialect.V2 else 1


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Samples that are no staleness markers; `ended_ms` are the instants of the markers."""

    at_ms: Instants
    values: Values
    ended_ms: Instants = field(default_factory=lambda: NO_INSTANTS)


class Sight:
    """What fixed instants see of any series; series that were sampled at the same instants are searched once."""

    def __init__(self, instants: Instants, dialect: Dialect) -> None:
        self.instants, self._dialect = instants, dialect
        self._known: dict[tuple[int, int, bool], tuple[Instants, Places]] = {}

    def newest(self, points: Points, offset_ms: int) -> tuple[Values, Mask]:
        """Return the newest value at each instant, and where there is one: none older than the lookback, none ended."""
        if not len(points.at_ms):
            return np.zeros(len(self.instants)), np.zeros(len(self.instants), np.bool_)
        asked = self.instants - offset_ms
        place = self._after(points.at_ms, offset_ms) - 1
        at_ms = points.at_ms[place]  # place -1 reads the last sample, which is later than asked
        seen = (at_ms <= asked) & (at_ms >= asked - LOOKBACK_MS + self._dialect.opening_ms)
        if len(points.ended_ms):
            end = self._after(points.ended_ms, offset_ms) - 1
            seen &= ~((end >= 0) & (points.ended_ms[end] > at_ms))
        return points.values[place], seen

    def within(self, points: Points, range_ms: int, offset_ms: int) -> tuple[Places, Places]:
        """Return, for the range that ends at each instant, the place of its first sample and that after its last."""
        begin_ms = offset_ms + range_ms
        sees_first = self._dialect is Dialect.V2
        low = self._from(points.at_ms, begin_ms) if sees_first else self._after(points.at_ms, begin_ms)
        return low, self._after(points.at_ms, offset_ms)

    def _from(self, at_ms: Instants, before_ms: int) -> Places:
        return self._place(at_ms, before_ms, is_after=False)

    def _after(self, at_ms: Instants, before_ms: int) -> Places:
        return self._place(at_ms, before_ms, is_after=True)

    def _place(self, at_ms: Instants, before_ms: int, *, is_after: bool) -> Places:
        key = (id(at_ms), before_ms, is_after)
        if key not in self._known:
            place = np.searchsorted(at_ms, self.instants - before_ms, side="right" if is_after else "left")
            self._known[key] = (at_ms, place)  # the array stays, and so does its identity
        return self._known[key][1]


def recorded(grid: Instants, values: Values, present: Mask) -> Points:
    """Return what a rule stored that was evaluated on `grid`: where it had no value any more it ended."""
    if present.all():
        return Points(grid, values)
    ended = np.flatnonzero(present[:-1] & ~present[1:]) + 1
    return Points(grid[present], values[present], grid[ended])
