"""Burn tiers over simulated traffic: the condition of the rendered alerts on exact counts per minute, in numpy.

One row is one service, one column one minute (scraped and evaluated at its end). The condition is that of the rules:

    burning = bad[S] >= threshold total[S]
    start   = burning, bad[S] >= min_bad_short, bad[L] >= threshold total[L], bad[L] >= min_bad
    hold    = fired a minute ago, total[H] > 0, and burning or total[S] = 0    (H: longest window of the severity)

Left out: a scrape that fails. tests/rulegen/test_reach.py replays such traffic through the rendered rules in promtool
and compares the minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmslo_rulegen.tier import Tier

Counts = NDArray[np.int32]
SURELY = 1 - 1e-12  # a share of just the threshold is enough, however the threshold's product was rounded


@dataclass(frozen=True, slots=True)
class Traffic:
    """Running sums of bad and of all events: column t holds what came before minute t."""

    bad: Counts
    total: Counts

    @property
    def minutes(self) -> int:
        return self.bad.shape[1] - 1


@dataclass(frozen=True, slots=True)
class Firing:
    """One alert of row `row`, from minute `start` until before `end`."""

    row: int
    start: int
    end: int


def poisson(rng: np.random.Generator, rows: int, per_hour: float, bad_share: NDArray[np.float64]) -> Traffic:
    """Return random calls; `bad_share` has one entry per minute."""
    mean = per_hour / 60
    shape = (rows, len(bad_share))
    bad = rng.poisson(np.broadcast_to(mean * bad_share, shape))
    return _summed(bad, bad + rng.poisson(np.broadcast_to(mean * (1 - bad_share), shape)))


def even(per_hour: float, bad_share: NDArray[np.float64]) -> Traffic:
    """Return one row of calls that come as evenly as whole numbers allow."""
    total = np.floor(np.arange(len(bad_share) + 1) * (per_hour / 60) + 1e-9)
    bad = np.floor(np.concatenate([[0.0], np.cumsum(np.diff(total) * bad_share)]) + 1e-9)
    return Traffic(bad.astype(np.int32)[None, :], total.astype(np.int32)[None, :])


def _summed(bad: NDArray[np.int64], total: NDArray[np.int64]) -> Traffic:
    def summed(counts: NDArray[np.int64]) -> Counts:
        sums = np.zeros((counts.shape[0], counts.shape[1] + 1), np.int32)
        np.cumsum(counts, axis=1, out=sums[:, 1:])
        return sums

    return Traffic(summed(bad), summed(total))


def trailing(sums: Counts, window_s: int) -> Counts:
    """Return the events of the `window_s` that end with each minute; before the first minute there are none."""
    width = window_s // 60
    found = sums[:, 1:].copy()
    found[:, width:] -= sums[:, 1:-width]
    return found


def starts(traffic: Traffic, tier: Tier, budget: float) -> NDArray[np.bool_]:
    """Return the minutes in which `tier` may begin to fire."""
    threshold = tier.factor * budget * SURELY
    bad_short, bad_long = trailing(traffic.bad, tier.short_s), trailing(traffic.bad, tier.long_s)
    found = (bad_short >= max(1, tier.min_bad_short)) & (bad_long >= max(1, tier.min_bad))
    rows, minutes = np.nonzero(found)
    short, long = tier.short_s // 60, tier.long_s // 60
    total = traffic.total
    ends = total[rows, minutes + 1]
    total_short = ends - total[rows, np.maximum(minutes + 1 - short, 0)]
    total_long = ends - total[rows, np.maximum(minutes + 1 - long, 0)]
    found[rows, minutes] = (bad_short[rows, minutes] >= threshold * total_short) & (
        bad_long[rows, minutes] >= threshold * total_long
    )
    return found


def firings(traffic: Traffic, tiers: Sequence[Tier], tier: Tier, budget: float, since: int = 0) -> list[Firing]:
    """Return the alerts of `tier` that start at minute `since` or later, row by row; `tiers` are all of its SLO."""
    started = starts(traffic, tier, budget)
    started[:, :since] = False
    rows = np.flatnonzero(started.any(axis=1))
    if not rows.size:
        return []
    horizon_s = max(other.long_s for other in tiers if other.severity is tier.severity)
    some = Traffic(traffic.bad[rows], traffic.total[rows])
    total_short = trailing(some.total, tier.short_s)
    threshold = tier.factor * budget * SURELY
    calm = (total_short > 0) & (trailing(some.bad, tier.short_s) < threshold * total_short)
    calm |= trailing(some.total, horizon_s) == 0
    found = []
    for row, begun, ended in zip(rows.tolist(), started[rows], calm, strict=True):
        found += [Firing(row, start, end) for start, end in _spans(np.flatnonzero(begun), np.flatnonzero(ended), begun)]
    return found


def _spans(begun: NDArray[np.int64], calm: NDArray[np.int64], minutes: NDArray[np.bool_]) -> list[tuple[int, int]]:
    spans = []
    at = 0
    while (i := int(np.searchsorted(begun, at))) < begun.size:
        start = int(begun[i])
        j = int(np.searchsorted(calm, start))
        at = int(calm[j]) if j < calm.size else minutes.size
        spans.append((start, at))
    return spans


def plain(traffic: Traffic, tier: Tier, budget: float, since: int = 0) -> list[Firing]:
    """Return the alerts of the same tier without gates and memory, as the peers render it."""
    threshold = tier.factor * budget
    on = np.ones((traffic.bad.shape[0], traffic.minutes), np.bool_)
    for window_s in (tier.short_s, tier.long_s):
        on &= trailing(traffic.bad, window_s) > threshold * trailing(traffic.total, window_s)
    on[:, :since] = False
    edges = np.diff(on.astype(np.int8), axis=1, prepend=0, append=0)
    begun, ended = np.nonzero(edges == 1), np.nonzero(edges == -1)
    triples = zip(begun[0].tolist(), begun[1].tolist(), ended[1].tolist(), strict=True)
    return [Firing(row, start, end) for row, start, end in triples]
