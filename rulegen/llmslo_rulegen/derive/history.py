"""An SLI's events hour by hour, at every threshold that a bucket of its source allows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmslo_rulegen import measures
from llmslo_rulegen.baseline.cell import Cell, Kind
from llmslo_rulegen.baseline.sketch import Sketch, edges
from llmslo_rulegen.observed.slis import Reading

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Span:
    """Hours since the epoch: the first, and how many follow it with it."""

    first: int
    hours: int


@dataclass(frozen=True, slots=True)
class History:
    """`total` events by hour, and how many of them were `bad`, hours x thresholds.

    One column and no `thresholds` where an SLI compares nothing. Thresholds ascend.
    """

    span: Span
    total: Counts
    bad: Counts
    thresholds: tuple[float, ...] = ()

    @property
    def count(self) -> int:
        return int(self.total.sum())

    def shares(self) -> NDArray[np.float64]:
        """Return the share of bad events at each threshold; of no events, nan."""
        with np.errstate(invalid="ignore"):
            found: NDArray[np.float64] = self.bad.sum(axis=0) / np.float64(self.total.sum())
        return found

    def at(self, column: int) -> tuple[Counts, Counts]:
        """Return bad and all events by hour at one threshold."""
        return self.bad[:, column], self.total

    def cut(self, first: int, last: int) -> History:
        """Return the hours from `first` up to, without, `last`, counted from the begin."""
        kept = slice(first, last)
        span = Span(self.span.first + first, len(self.total[kept]))
        return History(span, self.total[kept], self.bad[kept], self.thresholds)


def merged(histories: Iterable[History]) -> History:
    """Add histories of one span and one SLI up; there must be one at least."""
    first, *others = histories
    total, bad = first.total.copy(), first.bad.copy()
    for other in others:
        total += other.total
        bad += other.bad
    return History(first.span, total, bad, first.thresholds)


def thresholds(sli: str, source: str) -> tuple[float, ...]:
    """Return the bucket edges of an SLI that its rules may use; none where it compares nothing."""
    measure = measures.measure(sli, source)
    return () if measure is None else tuple(float(edge) for edge in measure.edges)


def of(kind: Kind, cells: Mapping[int, Cell], span: Span, reading: Reading, at: tuple[float, ...]) -> History:
    """Return the history of one kind's cells by hour; of no events, where only streams count and it has none."""
    if reading.streams and not kind.stream:
        return History(span, np.zeros(span.hours, np.int64), np.zeros((span.hours, max(len(at), 1)), np.int64), at)
    if reading.quantity is None:
        pairs = np.zeros((span.hours, 2), np.int64)
        for hour, cell in cells.items():
            pairs[hour - span.first] = reading.counts(cell)
        return History(span, pairs[:, 1], pairs[:, :1])
    rows = [(hour - span.first, cell.spread(reading.quantity)) for hour, cell in cells.items()]
    beyond = _beyond(rows, span.hours, at)
    total = beyond[:, 0]
    bad = beyond[:, 1:] if reading.good_within else total[:, None] - beyond[:, 1:]
    unseen = np.zeros(span.hours, np.int64)
    for hour, cell in cells.items() if kind.stream else ():
        unseen[hour - span.first] = reading.unseen(cell)
    return History(span, total + unseen, bad + unseen[:, None], at)


def _beyond(rows: list[tuple[int, Sketch]], hours: int, at: tuple[float, ...]) -> Counts:
    """Return hours x (1 + thresholds): how many values there are, and how many above each threshold."""
    found = np.zeros((hours, len(at) + 1), np.int64)
    lasts = np.searchsorted(edges(), np.asarray(at), side="right")
    row = np.repeat([hour for hour, _ in rows], [len(sketch.at) for _, sketch in rows]).astype(np.int64)
    buckets = np.array([place for _, sketch in rows for place in sketch.at], np.int64)
    counts = np.array([count for _, sketch in rows for count in sketch.counts], np.int64)
    np.add.at(found, (row, np.searchsorted(lasts, buckets, side="right")), counts)
    # Of each value it is known how many thresholds lie below it: whoever exceeds the third exceeds the first.
    above: Counts = np.cumsum(found[:, ::-1], axis=1)[:, ::-1]
    return above
