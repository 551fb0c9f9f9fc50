"""How values are spread, within 1 %, in a form that can be added up.

A value is counted in the bucket between two edges; the edges are the same everywhere. They grow by the factor
(1 + a) / (1 - a) with a = 0.01, as in DDSketch (Masson, Rim, Lee, VLDB 2019), so that the middle of a bucket is within
1 % of all in it. Every bucket edge of the catalog is an edge too: how many values lie within such a threshold is exact.
A bucket is found by comparing alone, without a logarithm, so another engine (SQL) finds the same one.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import takewhile

import numpy as np
from numpy.typing import ArrayLike, NDArray

from llmslo_exporter import catalog

ACCURACY = 0.01
GROWTH = (1 + ACCURACY) / (1 - ACCURACY)
SMALLEST, LARGEST = 1e-6, 1e8  # a microsecond; tokens of a very long text
_DIGITS = 6  # significant: a short decimal is the same number in every language


@cache
def edges() -> NDArray[np.float64]:
    """Return the upper edges of all buckets but the last, which holds what is above."""
    grown = takewhile(lambda edge: edge <= LARGEST, (SMALLEST * GROWTH**power for power in range(1 << 16)))
    rounded = {float(f"{edge:.{_DIGITS - 1}e}") for edge in grown}
    named = {
        float(edge)
        for source in catalog.SOURCES
        for sli in source.slis
        for metric in sli.metrics
        for edge in metric.buckets
        if SMALLEST <= edge <= LARGEST
    }
    return np.array(sorted(rounded | named))


def buckets(values: ArrayLike) -> NDArray[np.intp]:
    """Return the bucket of each value: the first whose upper edge is not below it, as `le` counts."""
    return np.searchsorted(edges(), values, side="left")


@dataclass(frozen=True, slots=True)
class Sketch:
    """Counts by bucket, only those that hold something, in order of the buckets."""

    at: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()

    @classmethod
    def of(cls, values: ArrayLike) -> Sketch:
        """Sum up values; those that are no number are left out."""
        found = np.asarray(values, dtype=np.float64)
        counts = np.bincount(buckets(found[~np.isnan(found)]))
        at = np.flatnonzero(counts)
        return cls.told(at.tolist(), counts[at].tolist())

    @classmethod
    def merged(cls, sketches: list[Sketch]) -> Sketch:
        """Add sketches up; the order does not matter."""
        total: dict[int, int] = {}
        for sketch in sketches:
            for at, count in zip(sketch.at, sketch.counts, strict=True):
                total[at] = total.get(at, 0) + count
        ordered = sorted(total)
        return cls.told(ordered, [total[at] for at in ordered])

    @classmethod
    def told(cls, at: Iterable[int], counts: Iterable[int]) -> Sketch:
        """Return a sketch of these buckets, in order; many sketches share the numbers of buckets, 28 bytes each."""
        places = _places()
        return cls(tuple([places[place] for place in at]), tuple(counts))

    def __reduce__(self) -> tuple[Callable[..., Sketch], tuple[bytes, bytes]]:
        """Travel between processes in ten bytes a bucket."""
        return _restored, (array("H", self.at).tobytes(), array("Q", self.counts).tobytes())

    @property
    def count(self) -> int:
        return sum(self.counts)

    def within(self, threshold: float) -> int:
        """Return how many values are at most `threshold`; one that is no edge counts as the next lower edge."""
        last = int(np.searchsorted(edges(), threshold, side="right"))
        return sum(count for at, count in zip(self.at, self.counts, strict=True) if at < last)

    def quantile(self, share: float) -> float:
        """Return the value below which `share` of all lie, within 1 %; of nothing, nan."""
        rank = share * (self.count - 1)
        seen = 0
        for at, count in zip(self.at, self.counts, strict=True):
            seen += count
            if seen > rank:
                return middle(at)
        return float("nan")

    def as_map(self) -> Mapping[int, int]:
        return dict(zip(self.at, self.counts, strict=True))


@cache
def _places() -> tuple[int, ...]:
    return tuple(range(len(edges()) + 1))


def _restored(at: bytes, counts: bytes) -> Sketch:
    return Sketch.told(memoryview(at).cast("H"), memoryview(counts).cast("Q"))


def middle(bucket: int) -> float:
    """Return the value that is relatively as far from the lower as from the upper edge of a bucket."""
    found = edges()
    if bucket >= len(found):
        return float(found[-1])
    upper = float(found[bucket])
    lower = float(found[bucket - 1]) if bucket else 0.0
    return 2 * lower * upper / (lower + upper) if lower else upper
