"""How sure a share of bad events is, when requests are not independent of each other.

Bad events come in clumps: an outage, a slow afternoon. So not requests are drawn anew but blocks of time, days where
there are enough of them. Their spread gives the effective sample size n' = q (1 - q) / variance: so many independent
requests would be as sure (Kish 1965). Wilson's interval (1927) of n' requests, with Student's t for the few blocks, is
the 95 % interval, as surveys of clusters have it (Korn and Graubard 1998, who put Clopper and Pearson's there; Wilson's
is not wider than it says). A percentile of the bootstrap itself would be too narrow: of two outages in a month it knows
that there may be none, but not that there may be five.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from llmslo_rulegen.derive.history import Counts

CONFIDENCE = 0.95
REPLICATES = 1000
FEWEST_BLOCKS = 8  # of fewer the spread is hardly known: Student's t of 7 is 2.4 already
ASSUMED_CLUMPING = 4.0  # how many requests are worth one independent one, where blocks are too few to tell
DAY_H = 24
FEWEST_DAYS = 7  # for days as blocks; also all days of a week have been seen then
WEEK_D = 7
SIGNIFICANT = 1.645  # standard errors of a correlation, one-sided 95 %
_LENGTHS_H = (1, 2, 3, 4, 6, 8, 12)
_LENGTHS_D = (1, 2, 3, 4, 7)
_LEAST_FREEDOM = 3
_NORMAL = 3.0  # the kurtosis of a normal distribution
_SEED = 20_091


@dataclass(frozen=True, slots=True)
class Blocks:
    """Bad and all events of equal lengths of time, the oldest first; days of a week are `strata` where they differ."""

    bad: NDArray[np.float64]
    total: NDArray[np.float64]
    hours: int
    strata: int = 1


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share of bad events: as found, and between which ends it lies with 95 %.

    `events` are requests, `effective` how many independent ones they are worth. `future` is the upper end, 97.5 %, of
    the share of the next `ahead_h` hours, which have chance of their own.
    """

    share: float
    low: float
    high: float
    future: float
    events: int
    effective: float
    blocks: int
    block_h: int

    @property
    def clumping(self) -> float:
        """How many requests are worth one independent one."""
        return self.events / self.effective if self.effective else 1.0


def blocks(bad: Counts, total: Counts, *, weekly: bool = False) -> Blocks:
    """Return blocks as short as they can be while one does not tell of the next.

    Days where a week or more is known, then counted back from the end; else hours. `weekly`: days of the week differ.
    """
    days = len(total) // DAY_H
    base, lengths = (DAY_H, _LENGTHS_D) if days >= FEWEST_DAYS else (1, _LENGTHS_H)
    found = _blocks(bad, total, base)
    for length in lengths:
        strata = WEEK_D if weekly and length == 1 and base == DAY_H else 1
        tried = _blocks(bad, total, base * length, strata)
        if len(tried.total) < FEWEST_BLOCKS and length > 1:
            break
        found = tried
        if _correlation(found) <= SIGNIFICANT / math.sqrt(len(found.total)):
            break
    return found


def _blocks(bad: Counts, total: Counts, hours: int, strata: int = 1) -> Blocks:
    whole = len(total) // hours * hours
    start = len(total) - whole
    if strata > 1:
        whole = whole // (hours * strata) * hours * strata
        start = len(total) - whole
    wrong, every = (events[start:].reshape(-1, hours).sum(axis=1).astype(float) for events in (bad, total))
    return Blocks(wrong, every, hours, strata)


def _residuals(found: Blocks) -> NDArray[np.float64]:
    share = found.bad.sum() / max(found.total.sum(), 1.0)
    left: NDArray[np.float64] = found.bad - share * found.total
    if found.strata > 1:
        table = left.reshape(-1, found.strata)
        left = (table - table.mean(axis=0)).reshape(-1)
    return left


def _correlation(found: Blocks) -> float:
    """Return how much a block tells of the next one: the first serial correlation."""
    left = _residuals(found)
    spread = float((left * left).sum())
    return float((left[1:] * left[:-1]).sum()) / spread if spread > 0 and len(left) > 2 else 0.0  # noqa: PLR2004


def replicates(found: Blocks) -> NDArray[np.float64]:
    """Return the shares of bad events when blocks are drawn anew, within their strata; the same for the same blocks."""
    weights = _weights(len(found.total) // found.strata, found.strata)
    with np.errstate(invalid="ignore"):
        shares: NDArray[np.float64] = (weights @ found.bad) / (weights @ found.total)
    return shares[~np.isnan(shares)]


def _freedom(found: Blocks, count: int) -> int:
    """Return the degrees of freedom of the spread between blocks.

    The variance of a variance is sigma^4 (k - 1) / n, k the kurtosis; that of a chi-square of f degrees is 2 / f times
    its square (Satterthwaite 1946 by moments). So f = 2 n / (k - 1): n blocks of which two hold all outages say less.
    """
    left = _residuals(found)
    spread = float((left * left).mean())
    peaked = float((left**4).mean()) / spread**2 if spread > 0 else _NORMAL
    return max(_LEAST_FREEDOM, min(count - found.strata, round(2 * count / max(peaked - 1, 1e-9))))


@lru_cache(maxsize=8)
def _weights(rows: int, strata: int) -> NDArray[np.float64]:
    """Return replicates x blocks: how often each block is drawn."""
    drawn = np.random.default_rng(_SEED).multinomial(rows, np.full(rows, 1 / rows), size=(REPLICATES, strata))
    found: NDArray[np.float64] = drawn.transpose(0, 2, 1).reshape(REPLICATES, -1).astype(float)
    return found


def estimate(bad: Counts, total: Counts, ahead_h: int, *, weekly: bool = False) -> Estimate:
    """Return the share of bad events with its interval; there must be events."""
    found = blocks(bad, total, weekly=weekly)
    kept = found.total > 0
    count, events = int(kept.sum()), int(total.sum())
    share = float(found.bad.sum() / found.total.sum())
    both = 1 - (1 - CONFIDENCE) / 2
    if count < FEWEST_BLOCKS:
        effective, score = events / ASSUMED_CLUMPING, NormalDist().inv_cdf(both)
    else:
        effective, score = _effective(found, share), student(both, _freedom(found, count))
    low, high = wilson(share, effective, score)
    history_h = float(len(found.total) * found.hours)
    _, future = wilson(share, effective / (1 + history_h / ahead_h), score)
    return Estimate(share, low, high, future, events, effective, count, found.hours)


def _effective(found: Blocks, share: float) -> float:
    events = float(found.total.sum())
    rows = len(found.total) / found.strata
    variance = float(np.var(replicates(found))) * rows / max(rows - 1, 1)
    if variance <= 0 or share in {0.0, 1.0}:
        return events
    return min(share * (1 - share) / variance, events)


def wilson(share: float, count: float, score: float) -> tuple[float, float]:
    """Return Wilson's interval of a share of `count` trials, `score` standard deviations wide on each side."""
    square = score * score
    centre = share + square / (2 * count)
    spread = score * math.sqrt(share * (1 - share) / count + square / (4 * count * count))
    whole = 1 + square / count
    low = max(0.0, (centre - spread) / whole) if share > 0 else 0.0  # the difference of equals is not quite 0
    return low, min(1.0, (centre + spread) / whole) if share < 1 else 1.0


def student(share: float, freedom: int) -> float:
    """Return a quantile of Student's t, by Fisher and Cornish's series (1960); within 1 % from 3 degrees on."""
    z = NormalDist().inv_cdf(share)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3
