"""How sure a share is: exact tails of the binomial distribution, whatever the sizes."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

CONFIDENCE = 0.95
TAIL = (1 - CONFIDENCE) / 2
_STEPS = 45  # halvings: 3e-14 of the first bracket
_MOST_TERMS = 100_000  # of the fraction; it takes some square roots of the events (10 000 for 1e8)
_ENOUGH = 1e-14
_TINY = 1e-300  # instead of a divisor 0 (Lentz)


def at_least(bad: int, events: int, share: float) -> float:
    """Return the chance of `bad` or more among `events` where each is bad with the chance `share`."""
    if bad <= 0:
        return 1.0
    return _beta(float(bad), float(events - bad + 1), share)


@lru_cache(maxsize=1024)
def interval(bad: int, events: int) -> tuple[float, float]:
    """Return the 95 % interval of a share of which `bad` of `events` are a sample (Clopper and Pearson, 1934).

    Whatever the share is, the interval misses it in at most 2.5 % of all samples on either side.
    """
    share = bad / events
    low = _where(lambda tried: at_least(bad, events, tried) > TAIL, 0.0, share) if bad else 0.0
    if bad == events:
        return low, 1.0
    return low, _where(lambda tried: 1 - at_least(bad + 1, events, tried) < TAIL, share, 1.0)


def _where(is_above: Callable[[float], bool], low: float, high: float) -> float:
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if is_above(middle):
            high = middle
        else:
            low = middle
    return (low + high) / 2


def _beta(a: float, b: float, share: float) -> float:
    """Return the regularised incomplete beta function: DLMF 8.17.22's fraction, on the side where it is short."""
    if not 0 < share < 1:
        return float(share >= 1)
    if share > (a + 1) / (a + b + 2):
        return 1 - _beta(b, a, 1 - share)
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    front = math.exp(scale + a * math.log(share) + b * math.log1p(-share)) / a
    return front * _fraction(a, b, share)


def _fraction(a: float, b: float, share: float) -> float:
    """Return the value of the continued fraction, by Lentz's method as Thompson and Barnett changed it (1986)."""
    above, below = 1.0, 1 / _apart(1 - (a + b) * share / (a + 1))
    found = below
    for term in range(1, _MOST_TERMS):
        even = term * (b - term) * share / ((a + 2 * term - 1) * (a + 2 * term))
        odd = -(a + term) * (a + b + term) * share / ((a + 2 * term) * (a + 2 * term + 1))
        step = 1.0
        for part in (even, odd):
            below = 1 / _apart(1 + part * below)
            above = _apart(1 + part / above)
            step = above * below
            found *= step
        if abs(step - 1) < _ENOUGH:
            break
    return found


def _apart(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
