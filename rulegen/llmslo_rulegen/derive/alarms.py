"""How often an SLO's own baseline would have paged, through the tiers that are rendered for it.

A baseline knows hours. Within an hour its events are put into minutes at random, bad and good ones evenly, so that a
burst of some minutes within an hour is not seen as one: `backtest` replays the spans themselves.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from llmslo_rulegen import tiers
from llmslo_rulegen.derive.history import Counts
from llmslo_rulegen.tier import Severity, Tier

MONTH_S = 30 * 86_400
SCRAPE_S = 60
_HOUR_M = 60
_SEED = 7_177

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Alarms:
    """How many pages and tickets there would have been in `hours`; tiers that fire together are one."""

    pages: int
    tickets: int
    hours: int

    @property
    def pages_a_month(self) -> float:
        return self.pages * MONTH_S / (self.hours * 3600)

    @property
    def tickets_a_month(self) -> float:
        return self.tickets * MONTH_S / (self.hours * 3600)


def alarms(bad: Counts, total: Counts, objective: Decimal) -> Alarms:
    """Return the alarms of a history under an objective in percent, window of 30 days."""
    rng = np.random.default_rng(_SEED)
    even = np.full(_HOUR_M, 1 / _HOUR_M)
    wrong = rng.multinomial(bad, even).reshape(-1)
    every = wrong + rng.multinomial(total - bad, even).reshape(-1)
    sums = _Sums(wrong, every)
    found = tiers.solve(objective, MONTH_S, SCRAPE_S)
    share = float(1 - objective / 100)
    pages, tickets = (
        _starts(_fires(sums, (tier for tier in found if tier.severity is severity), share)) for severity in Severity
    )
    return Alarms(pages, tickets, len(total))


class _Sums:
    """Sums over the minutes before each minute."""

    def __init__(self, wrong: Counts, every: Counts) -> None:
        self._wrong, self._every = (np.concatenate([[0], np.cumsum(one)]) for one in (wrong, every))

    def over(self, seconds: int) -> tuple[Counts, Counts]:
        """Return bad and all events of the last `seconds` at the end of each minute."""
        minutes = seconds // 60
        ends = np.arange(1, len(self._wrong))
        begins = np.maximum(ends - minutes, 0)
        return self._wrong[ends] - self._wrong[begins], self._every[ends] - self._every[begins]


def _fires(sums: _Sums, found: Iterable[Tier], budget: float) -> Bools:
    tiers_ = tuple(found)
    memory_s = max((tier.long_s for tier in tiers_), default=0)
    fires: Bools = np.any([_fires_one(sums, tier, budget, memory_s) for tier in tiers_], axis=0)
    return fires


def _fires_one(sums: _Sums, tier: Tier, budget: float, memory_s: int) -> Bools:
    """Return when a tier fires: from both windows burning until the short one has events and does not burn."""
    limit = tier.factor * budget * (1 - 1e-12)
    (bad_short, short), (bad_long, long) = sums.over(tier.short_s), sums.over(tier.long_s)
    burns = (bad_short >= limit * short) & (bad_long >= limit * long) & (short > 0)
    start = burns & (bad_short >= tier.min_bad_short) & (bad_long >= tier.min_bad)
    end = (short > 0) & (bad_short < limit * short) & (sums.over(memory_s)[1] > 0)
    minutes = np.arange(1, len(start) + 1)
    started = np.maximum.accumulate(np.where(start, minutes, 0))
    ended = np.maximum.accumulate(np.where(end & ~start, minutes, 0))
    return started > ended


def _starts(fires: Bools) -> int:
    return int((fires[1:] & ~fires[:-1]).sum() + fires[:1].sum())
