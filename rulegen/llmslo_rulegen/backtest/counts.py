"""What the rules recorded of an SLO, by group: bad and all events of a window at each evaluation, the budget spent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmslo_exporter import catalog
from llmslo_rulegen import promql
from llmslo_rulegen.backtest.points import Values
from llmslo_rulegen.backtest.replay import Replayed
from llmslo_rulegen.backtest.vector import NAME, Element, Labels, only
from llmslo_rulegen.slo import Slo


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Bad and all events of the window that ends at each evaluation; 0 where nothing is recorded."""

    bad: Values
    total: Values

    def share(self) -> Values:
        """Return the bad share; 0 where nothing happened."""
        return np.divide(self.bad, self.total, out=np.zeros(len(self.bad)), where=self.total > 0)


def groups(slo: Slo, replayed: Replayed) -> tuple[Labels, ...]:
    """Return the groups that have a budget of their own; one without labels where the SLO has no groups."""
    found = {only(key, slo.group_by) for key in replayed.records if dict(key)[NAME].startswith(catalog.TOTAL)}
    return tuple(sorted(found))


def within(slo: Slo, replayed: Replayed, group: Labels, window_s: int) -> Counts:
    """Return the events of a window."""
    ending = f"{catalog.INCREASE}{promql.duration(window_s)}"
    bad, total = (
        _filled(of(slo, replayed, group, f"{name}{ending}"), replayed) for name in (catalog.BAD, catalog.TOTAL)
    )
    return Counts(bad, total)


def of(slo: Slo, replayed: Replayed, group: Labels, record: str) -> Element | None:
    """Return a record of a group; None: it was never recorded."""
    for key, element in replayed.records.items():
        if dict(key)[NAME] == record and only(key, slo.group_by) == group:
            return element
    return None


def _filled(element: Element | None, replayed: Replayed) -> Values:
    if element is None:
        return np.zeros(len(replayed.instants))
    found: Values = np.where(element.present, element.values, 0.0)
    return found
