"""Low traffic: how few bad events may start an alert.

Where calls are rare one failure is a high share, so a tier also wants a count: the fewest bad events, in its long
window and in its short one, that keep a service at half its budget quiet at any traffic from 10 calls an hour up.

How often such a service starts a tier by chance is computed, not simulated (`starts_per_hour`). Bad and good events
arrive as independent Poisson streams of rates v p and v (1 - p), p = budget / 2, so a window of length w holds Poisson
numbers of both, k and g. The tier's condition is the region k >= m, k >= threshold (k + g). The region is entered

- by a bad event that arrives: v p P(k - 1) over all (k, g) inside of it with (k - 1, g) outside; an arrival sees the
  stationary window (Wolff 1982, Poisson arrivals see time averages);
- by a good event that leaves: v (1 - p) P(k, g) over all (k, g) inside with (k, g + 1) outside, because the window is
  reversible in time. This alone starts nothing unless the short window burns: at least one of the k stands in it,
  1 - (1 - short / long)^k.

The worst traffic is near m / threshold events in the long window: fewer bring m too rarely, more smooth the share. The
figure agrees within its noise with `python -m tests.rules.reach`, which simulates the whole condition minute by minute.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache
from statistics import NormalDist

from llmslo_rulegen.tier import Severity, Tier

# Calls per hour between which a gate must hold. Above 10 000 even 99.99 % is a matter of shares.
RATES = (10.0, 10_000.0)
FLAPPING_RATES = {Severity.PAGE: (10.0, 100.0), Severity.TICKET: (10.0, 10.0)}
TRUE_SHARE = 0.5  # of the budget: what a healthy service burns
HOURS = 720.0  # 30 days
# False starts per 30 days and tier. Two page tiers make the 0.1 that a team should see; a ticket may come ten times as
# often, because the gate that costs a page a minute costs a ticket a day.
FALSE_STARTS = {Severity.PAGE: 0.05, Severity.TICKET: 0.5}
# Starts by chance while the long window still remembers an outage that is over: one outage is one firing.
STARTS_AGAIN = 0.02
# Of the calls that 10 an hour bring evenly into a short window, what surely is seen between its first and last scrape:
# a gate above it would miss a total outage. A window too short for two calls leaves that outage to the other tiers.
COUNTED = 0.8
AROUND_WORST = (1.0, 0.9, 1.1, 0.95, 1.05, 0.8, 1.2, 0.7, 0.6)  # times the worst traffic, the likeliest to refuse first


def gated(tiers: Iterable[Tier], objective: Decimal) -> tuple[Tier, ...]:
    """Return `tiers` with both gates solved for `objective` (percent)."""
    return tuple(_gated(tier, float(1 - objective / 100)) for tier in tiers)


def fixed(tiers: Iterable[Tier], min_bad: int) -> tuple[Tier, ...]:
    """Return solved `tiers` with a user's own gate; the short window never asks for more than the long one."""
    return tuple(replace(tier, min_bad=min_bad, min_bad_short=min(tier.min_bad_short, min_bad)) for tier in tiers)


def ungated(tiers: Iterable[Tier]) -> tuple[Tier, ...]:
    """Return solved `tiers` for Wilson's bound, which judges count and share of the long window at once."""
    return tuple(replace(tier, min_bad=0) for tier in tiers)


def wilson_z(confidence: float) -> float:
    """Return how many standard deviations bound `confidence` from both sides: 1.96 for 0.95."""
    return NormalDist().inv_cdf((1 + confidence) / 2)


def wilson_lower(bad: float, total: float, z: float) -> float:
    """Return the lower end of Wilson's interval for bad / total (Wilson 1927; slo-rules 3.4); 0 where total is 0."""
    if total <= 0:
        return 0.0
    share = bad / total
    centre = share + z * z / (2 * total)
    spread = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return (centre - spread) / (1 + z * z / total)


@dataclass(frozen=True, slots=True)
class Region:
    """Where a tier may start: at least `min_bad` bad events and factor x budget of all or more, in `long_h` hours."""

    budget: float
    factor: float
    min_bad: int
    long_h: float
    short_h: float


def starts_per_hour(region: Region, rate: float, enough: float = math.inf) -> float:
    """Return how often a service at half its budget starts a tier by chance (the module says how).

    `rate` is in events per hour; counting stops beyond `enough`.
    """
    long_h, min_bad = region.long_h, region.min_bad
    threshold, p = region.factor * region.budget, region.budget * TRUE_SHARE
    stays = 1 - region.short_h / long_h
    bad, good = rate * p * long_h, rate * (1 - p) * long_h
    log_bad, log_good = math.log(bad), math.log(good)
    odds = (1 - threshold) / threshold
    found, below, old = 0.0, 0.0, stays**min_bad
    chance = math.exp((min_bad - 1) * log_bad - bad - math.lgamma(min_bad))  # of min_bad - 1 bad events
    k = min_bad
    while True:
        most_good = math.floor(k * odds + 1e-9)  # k >= threshold (k + g) is g <= k odds
        reached = _poisson_cdf(most_good, good)
        entered = rate * p * chance * (reached - below)
        chance *= bad / k
        if most_good >= 0:
            edge = math.exp(most_good * log_good - good - math.lgamma(most_good + 1))
            entered += rate * (1 - p) * chance * edge * (1 - old)
        found += entered
        if found > enough or (k > bad and chance * rate < 1e-3 * found + 1e-12):
            return found
        below, old, k = reached, old * stays, k + 1


def _poisson_cdf(most: int, mean: float) -> float:
    """P(X <= most) by Wilson and Hilferty's cube root (1931), within 0.007."""
    if most < 0:
        return 0.0
    ninth = 1 / (9 * (most + 1))
    z = ((mean / (most + 1)) ** (1 / 3) - 1 + ninth) / math.sqrt(ninth)
    return 0.5 * math.erfc(z / math.sqrt(2))


def _gated(tier: Tier, budget: float) -> Tier:
    long = _fewest(budget, tier.factor, (tier.long_s, tier.short_s), RATES, FALSE_STARTS[tier.severity] / HOURS)
    short = _short(tier, budget, long)
    return replace(tier, min_bad=max(long, short), min_bad_short=short)


def _short(tier: Tier, budget: float, long: int) -> int:
    """The long window remembers an outage until good events outweigh it: for (long - short) (1 - threshold)."""
    exposed_s = max((tier.long_s - tier.short_s) * (1 - tier.factor * budget), tier.short_s)
    allowed, windows = STARTS_AGAIN * 3600 / exposed_s, (tier.short_s, tier.short_s)
    # Slow burns bring `long` bad events evenly; a gate over twice their number in the short window would hide them, so
    # above it only the traffic counts that makes flapping likely.
    even = math.ceil(2 * long * tier.short_s / tier.long_s)
    fewest = max(
        min(_fewest(budget, tier.factor, windows, RATES, allowed), even),
        _fewest(budget, tier.factor, windows, FLAPPING_RATES[tier.severity], allowed),
    )
    brought = int(COUNTED * RATES[0] * tier.short_s / 3600)
    return min(fewest, brought) if brought > 1 else fewest


@lru_cache(maxsize=4096)
def _fewest(budget: float, factor: float, windows: tuple[int, int], rates: tuple[float, float], allowed: float) -> int:
    """Return the fewest bad events with which no traffic of `rates` starts more than `allowed` alerts an hour."""
    long_h, short_h = windows[0] / 3600, windows[1] / 3600
    m = 1
    while True:
        region = Region(budget, factor, m, long_h, short_h)
        worst = m / (factor * budget * long_h)
        tried = dict.fromkeys(min(max(worst * near, rates[0]), rates[1]) for near in AROUND_WORST)
        if all(starts_per_hour(region, rate, allowed) <= allowed for rate in tried):
            return m
        m += 1
