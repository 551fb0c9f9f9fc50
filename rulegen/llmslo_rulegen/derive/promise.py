"""From a history to what can be promised: a threshold, an objective, or why not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from llmslo_rulegen.derive import interval, law, seasons
from llmslo_rulegen.derive.history import History
from llmslo_rulegen.derive.interval import DAY_H, FEWEST_DAYS, Estimate
from llmslo_rulegen.derive.law import Change, Form
from llmslo_rulegen.derive.seasons import Season

FEWEST_EVENTS = 50  # of as many good ones, without a bad one, 90 % can be promised
AHEAD_H = 30 * DAY_H  # the window that a promise is for
FULL_DAYS = 14  # each day of the week twice; what less history promises is provisional
# Percent. Neighbours differ by 2.5 times the budget at most, so what is promised is near to what is needed.
_RUNGS = "99.99 99.98 99.95 99.9 99.8 99.5 99 98.5 98 97 96 95 94 92 90 85 80 75 70 60 50"
LADDER = tuple(map(Decimal, _RUNGS.split()))
_LOWER_TARGETS = (0.9, 0.8, 0.7, 0.6, 0.52)  # tried where the usual one is out of reach of every bucket
_MOST_CUTS = 3  # of what was before a change; a law that changes more often is none
_THIRD = 1 / 3  # a share of events that a change of speed moves at once


@dataclass(frozen=True, slots=True)
class Promise:
    """A threshold (None: the SLI has none), an objective in percent, and what they rest on.

    `kept` is the part of the history that it was derived from, all of it unless the law changed. `provisional`: it
    rests on less than it needs.
    """

    column: int
    threshold: float | None
    objective: Decimal
    estimate: Estimate
    history: History
    kept: History
    season: Season
    changes: tuple[Change, ...]
    provisional: bool

    @property
    def budget(self) -> float:
        return budget(self.objective)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing is promised, in one sentence; `changes` of the law that were seen."""

    why: str
    events: int
    changes: tuple[Change, ...] = ()


def budget(objective: Decimal) -> float:
    """Return the share of events that may be bad at an objective in percent."""
    return float(1 - objective / 100)


Choose = Callable[[History], int | None]


def usual(target: float, *, from_above: bool = False) -> Choose:
    """Return how a threshold is chosen for a share of good events; `from_above`: larger values are the better ones."""
    return lambda history: column_of(history, target, from_above=from_above)


def fixed(column: int) -> Choose:
    """Return the choice of a threshold that is chosen already."""
    return lambda _: column


def promise(history: History, choose: Choose) -> Promise | Refusal:
    """Return what `history` can promise at the threshold that `choose` finds."""
    kept, changes = history, tuple[Change, ...]()
    while True:
        if kept.count < FEWEST_EVENTS:
            why = f"{kept.count:,} events are too few: {FEWEST_EVENTS} are needed to promise anything"
            return Refusal(why, kept.count, changes)
        column = choose(kept)
        if column is None or kept.shares()[column] >= budget(LADDER[-1]):
            return Refusal(_half_bad(kept), kept.count, changes)
        found = _changed(kept, column)
        if found is None:
            break
        changes = (*changes, found)
        after = kept.cut(found.at_h, kept.span.hours)
        if found.is_worse and (found.form is Form.DRIFT or not _is_enough(after)):
            return Refusal(_unsteady(found, after), kept.count, changes)
        # What got better is promised from all of the history, until there is enough of the better.
        if not _is_enough(after) or found.form is Form.DRIFT or len(changes) > _MOST_CUTS:
            break
        kept = after
    return _promise(history, kept, column, changes)


def _promise(history: History, kept: History, column: int, changes: tuple[Change, ...]) -> Promise | Refusal:
    season = seasons.season(kept, column)
    found = interval.estimate(*kept.at(column), AHEAD_H, weekly=bool(season.weekly))
    objective = next((rung for rung in LADDER if budget(rung) >= found.future), None)
    if objective is None:
        why = (
            f"{found.events:,} events, worth {found.effective:,.0f} independent ones, cannot promise {LADDER[-1]} %:"
            f" the share of bad ones may reach {found.future:.0%}"
        )
        return Refusal(why, kept.count, changes)
    threshold = kept.thresholds[column] if kept.thresholds else None
    is_short = kept.span.hours < FULL_DAYS * DAY_H or found.blocks < interval.FEWEST_BLOCKS
    return Promise(column, threshold, objective, found, history, kept, season, changes, is_short)


def _is_enough(after: History) -> bool:
    return after.span.hours >= FEWEST_DAYS * DAY_H and after.count >= FEWEST_EVENTS


def column_of(history: History, target: float, *, from_above: bool) -> int | None:
    """Return the strictest threshold that surely leaves the target good, else the nearest lower share that one does.

    That is the least bucket edge above the upper end of the interval of the quantile: the share of bad events at an
    edge is surely below 1 - target exactly where the quantile surely is below the edge.
    """
    shares = history.shares()
    if not history.thresholds:
        return 0
    columns = range(len(history.thresholds))
    for share in (target, *(lower for lower in _LOWER_TARGETS if lower < target)):
        for column in reversed(columns) if from_above else columns:
            if shares[column] > 1 - share:
                continue
            if interval.estimate(*history.at(column), AHEAD_H).high <= 1 - share:
                return column
    return None


def _changed(history: History, column: int) -> Change | None:
    """Return a change of the share of bad events, at the threshold or where a third of all is beyond one."""
    columns = [column]
    if history.thresholds:
        columns.append(int(abs(history.shares() - _THIRD).argmin()))
    tried = tuple(dict.fromkeys(columns))
    found = [one for each in tried if (one := law.change(*history.at(each), law.CHANCE / len(tried))) is not None]
    return min(found, key=lambda one: one.chance, default=None)


def _half_bad(kept: History) -> str:
    if kept.thresholds:
        return f"of {kept.count:,} events half or more may be bad at every threshold that the source's buckets allow"
    return f"{kept.shares()[0]:.0%} of {kept.count:,} events are bad: nothing that holds is worth a promise"


def _unsteady(found: Change, after: History) -> str:
    shares = f"from {found.before:.3%} to {found.after:.3%}"
    if found.form is Form.DRIFT:
        return f"the share of bad events drifts upwards, {shares}: what holds today breaks soon; derive when it rests"
    return (
        f"the share of bad events rose {shares}, {after.span.hours} hours before the end: {FEWEST_DAYS} days and"
        f" {FEWEST_EVENTS} events of what is normal now are needed"
    )
