"""What a replay drew, thin enough for a page: of the evaluations that share a column the highest value is kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmslo_exporter import catalog
from llmslo_rulegen import alerts
from llmslo_rulegen.backtest import counts
from llmslo_rulegen.backtest.points import Values
from llmslo_rulegen.backtest.replay import Replayed
from llmslo_rulegen.slo import Slo
from llmslo_rulegen.tier import Tier

COLUMNS = 900


@dataclass(frozen=True, slots=True)
class Burn:
    """How many times too fast the budget went over a tier's long window, column by column; the worst group's."""

    tier: Tier
    rates: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Curves:
    """Columns of equal length from `begin_ms` to `end_ms`."""

    begin_ms: int
    end_ms: int
    burns: tuple[Burn, ...]
    spent: tuple[float, ...]  # share of the window's budget


def curves(slo: Slo, replayed: Replayed) -> Curves:
    """Return the curves of an SLO."""
    groups = counts.groups(slo, replayed)
    size = len(replayed.instants)
    burns = []
    for tier in alerts.tiers_of(slo):
        worst = np.zeros(size)
        for group in groups:
            worst = np.maximum(worst, counts.within(slo, replayed, group, tier.long_s).share())
        burns.append(Burn(tier, _thin(worst / float(slo.budget))))
    spent = np.zeros(size)
    for group in groups:
        found = counts.of(slo, replayed, group, catalog.SPENT)
        if found is not None:
            spent = np.maximum(spent, np.where(found.present, found.values, 0.0))
    first, last = (int(replayed.instants[place]) for place in (0, -1))
    return Curves(first, last, tuple(burns), _thin(spent))


def _thin(values: Values) -> tuple[float, ...]:
    if len(values) > COLUMNS:
        edges = np.linspace(0, len(values), COLUMNS + 1).astype(np.intp)[:-1]
        values = np.maximum.reduceat(values, edges)
    return tuple(round(value, 6) for value in values.tolist())
