"""Whether bad events come more at some hours of the day or days of the week.

Chance is told by permutation: hours within their day, days among all; the statistic is the spread between the means.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmslo_rulegen.derive.history import History
from llmslo_rulegen.derive.interval import DAY_H, WEEK_D

CHANCE = 0.01
_PERMUTATIONS = 499
FEWEST_WEEKS = 3  # to tell days of the week from chance
FEWEST_DAYS = 4  # to tell hours of the day from chance
_SEED = 31_337
_THURSDAY = 3  # the day of the week on which time began, from Monday


@dataclass(frozen=True, slots=True)
class Season:
    """Shares of bad events by hour of the day (UTC, from 0) and by day of the week (from Monday).

    A day is the 24 hours that begin in it, counted back from the last hour. `hourly`, `weekly`: whether they surely
    differ; None where the history is too short to tell.
    """

    hourly: bool | None
    weekly: bool | None
    by_hour: tuple[float, ...] = ()
    by_day: tuple[float, ...] = ()


def season(history: History, column: int) -> Season:
    """Return what a history says of seasons, at one threshold."""
    bad, total = history.at(column)
    days = len(total) // DAY_H
    if days < FEWEST_DAYS:
        return Season(None, None)
    first = len(total) - days * DAY_H
    wrong, every = (events[first:].reshape(days, DAY_H).astype(float) for events in (bad, total))
    left = wrong - wrong.sum() / max(every.sum(), 1.0) * every
    hourly = _differ(left, every, within=True)
    hours = (history.span.first + first + np.arange(DAY_H)) % DAY_H
    by_hour = _shares(wrong, every, hours)
    weeks = days // WEEK_D
    if weeks < FEWEST_WEEKS:
        return Season(hourly, None, by_hour)
    first += (days - weeks * WEEK_D) * DAY_H
    left, every, wrong = (
        one[days - weeks * WEEK_D :].sum(axis=1).reshape(weeks, WEEK_D) for one in (left, every, wrong)
    )
    begin = (history.span.first + first) // DAY_H
    return Season(
        hourly,
        _differ(left, every, within=False),
        by_hour,
        _shares(wrong, every, (begin + _THURSDAY + np.arange(WEEK_D)) % WEEK_D),
    )


def _shares(wrong: NDArray[np.float64], every: NDArray[np.float64], names: NDArray[np.int64]) -> tuple[float, ...]:
    """Return the share of each column, in the order of `names`."""
    found = wrong.sum(axis=0) / np.maximum(every.sum(axis=0), 1.0)
    return tuple(found[np.argsort(names)].tolist())


def _differ(left: NDArray[np.float64], every: NDArray[np.float64], *, within: bool) -> bool:
    """Return whether the columns of a table of residuals differ by more than chance."""
    if not left.any():
        return False
    scaled = left / np.sqrt(np.maximum(every, 1.0))
    rng = np.random.default_rng(_SEED)
    rows, columns = scaled.shape
    tables = np.tile(scaled, (_PERMUTATIONS, 1, 1))
    if within:
        tables = rng.permuted(tables, axis=2)
    else:
        tables = rng.permuted(tables.reshape(_PERMUTATIONS, -1), axis=1).reshape(_PERMUTATIONS, rows, columns)
    found = float(scaled.mean(axis=0).var())
    chance = (1 + int((tables.mean(axis=1).var(axis=1) >= found).sum())) / (_PERMUTATIONS + 1)
    return chance <= CHANCE
