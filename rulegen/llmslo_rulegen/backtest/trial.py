"""SLOs replayed over a history, as they are and with other objectives and factors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import product

import numpy as np

from llmslo_rulegen import alerts
from llmslo_rulegen.backtest.episodes import Episode
from llmslo_rulegen.backtest.history import History
from llmslo_rulegen.backtest.points import Dialect, Instants
from llmslo_rulegen.backtest.replay import Known, replay
from llmslo_rulegen.backtest.store import Store
from llmslo_rulegen.backtest.unsupported import UnsupportedError
from llmslo_rulegen.backtest.verdict import Verdict, verdict
from llmslo_rulegen.groups import groups
from llmslo_rulegen.slo import Slo
from llmslo_rulegen.tier import Severity

MOST_EVALUATIONS = 1_100_000  # a year, each half minute


@dataclass(frozen=True, slots=True)
class Setting:
    """How rules are evaluated: how often, by which Prometheus; `given` episodes, None where they are to be found."""

    every_s: int = 60
    dialect: Dialect = Dialect.V2
    given: tuple[Episode, ...] | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """What would have been with another objective, and with factors so many times as high."""

    objective: Decimal
    factor: float
    pages: int
    tickets: int
    missed: int
    false_pages: int
    false_tickets: int
    spent: float


@dataclass(frozen=True, slots=True)
class Result:
    """An SLO's replay, and the cells of its grid; `refused` says why there is none."""

    slo: Slo
    verdict: Verdict | None
    cells: tuple[Cell, ...] = ()
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """What is varied; empty: as it is."""

    objectives: tuple[Decimal, ...] = ()
    factors: tuple[float, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.objectives or self.factors)


def results(slos: Sequence[Slo], history: History, setting: Setting, grid: Grid) -> Iterator[Result]:
    """Yield what each SLO would have done; one that this history cannot tell says why."""
    for slo in slos:
        try:
            yield _result(slo, history, setting, grid)
        except UnsupportedError as error:
            yield Result(slo, None, refused=str(error))


def instants(history: History, every_s: int) -> Instants:
    """Return the evaluations, at multiples of their interval, until one has seen all; raises UnsupportedError."""
    step = every_s * 1000
    first, last = -(-history.begin_ms // step), -(-history.end_ms // step)
    if last - first >= MOST_EVALUATIONS:
        msg = (
            f"{last - first + 1} evaluations are too many: evaluate less often (--every 5m), or narrow --from and --to"
        )
        raise UnsupportedError(msg)
    return np.arange(first, last + 1, dtype=np.int64) * step


def _result(slo: Slo, history: History, setting: Setting, grid: Grid) -> Result:
    at_ms = instants(history, setting.every_s)
    store = history.store(slo)
    known = Known()
    told = _told(slo, store, at_ms, setting, known)
    # Whether an alert was right does not change with the objective that is tried.
    fixed = replace(setting, given=tuple(answer.episode for answer in told.answers))
    cells = []
    if grid:
        for objective, factor in product(grid.objectives or (slo.objective,), grid.factors or (1.0,)):
            cells.append(_cell(_told(_varied(slo, objective, factor), store, at_ms, fixed, known), factor))
    return Result(slo, told, tuple(cells))


def _told(slo: Slo, store: Store, at_ms: Instants, setting: Setting, known: Known) -> Verdict:
    (group,) = groups(slo, sloth=False)  # nothing that alerts reads Sloth's records
    return verdict(slo, replay(group, store, at_ms, setting.dialect, known), setting.given)


def _varied(slo: Slo, objective: Decimal, factor: float) -> Slo:
    """Return an SLO with another objective, whose tiers are solved for it, and other factors, whose gates are."""
    found = replace(slo, objective=objective)
    if factor == 1:
        return found
    tiers = tuple(
        replace(tier, factor=round(tier.factor * factor, 6), min_bad=0, min_bad_short=0)
        for tier in alerts.tiers_of(replace(found, alerting=replace(found.alerting, disabled=frozenset())))
    )
    return replace(found, alerting=replace(found.alerting, tiers=tiers))


def _cell(told: Verdict, factor: float) -> Cell:
    return Cell(
        told.slo.objective,
        factor,
        len(told.burns(Severity.PAGE)),
        len(told.burns(Severity.TICKET)),
        told.missed,
        told.false(Severity.PAGE),
        told.false(Severity.TICKET),
        max((budget.spent for budget in told.budgets), default=0.0),
    )
