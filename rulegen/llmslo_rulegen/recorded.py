"""What the records of an SLO must hold at an instant: from what happened, not from the rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from llmslo_exporter import catalog
from llmslo_rulegen import durations, periods
from llmslo_rulegen.kinds import Labels
from llmslo_rulegen.rule import RecordingRule
from llmslo_rulegen.scenarios import DAY_S, HOUR_S, LEAST_COVERED, SLACK, Events
from llmslo_rulegen.slo import Slo

Found = TypeVar("Found")
FOUND_S = 1800  # where data begin is looked for so often, and then for less than five minutes
SEARCHED_S = 300
EXACTLY, ESTIMATED = 1e-4, 0.01
_WHOLE = {catalog.FIRING, catalog.INFO, catalog.SLOTH_PERIOD}
_COUNTED = (catalog.TOTAL, catalog.BAD, catalog.COVERED_SINCE)


@dataclass(frozen=True, slots=True)
class Value:
    """`record` with `labels` must hold `value`, give or take the share `slack` of it; None: there is no sample."""

    record: str
    labels: Labels
    value: float | None
    slack: float = 0.0


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant of what happened to one group. `between` are the events of (begin, end], data begin at `since_s`.

    `firing`: the tiers that fire; None where that is not known. `exact`: events are whole, and counted so.
    """

    slo: Slo
    at_s: int
    between: Callable[[float, float], Events]
    firing: frozenset[str] | None
    since_s: int = 0
    exact: bool = False

    @property
    def slack(self) -> float:
        """The share by which ratios and estimates may be off."""
        return EXACTLY if self.exact else ESTIMATED

    @property
    def period(self) -> periods.Period:
        """The window of the budget."""
        return periods.at(self.slo.window, self.at_s)

    @property
    def covered(self) -> float:
        """The share of the budget's window that has data."""
        return self.period.covered(self.since_s, self.at_s)

    @property
    def found_since(self) -> float | None:
        """Where the data of the window begin, if that is looked for at this instant."""
        hour_s = self.at_s // HOUR_S * HOUR_S
        begin_s = max(self.since_s // HOUR_S * HOUR_S, hour_s - self.slo.window.seconds)
        return float(begin_s) if self.at_s % FOUND_S < SEARCHED_S and hour_s > self.since_s else None

    @property
    def budgeted(self) -> Events:
        """What happened in the budget's window."""
        return self.between(self.period.begin_s, self.at_s)

    @property
    def spent(self) -> float:
        """The share of the budget that is gone: bad / (allowed x total x window / covered)."""
        seen = self.budgeted
        return seen.bad / seen.total / float(self.slo.budget) * self.covered if seen.total else 0.0

    @property
    def is_exhausted(self) -> bool | None:
        """Whether the budget is spent and enough of the window covered to say so; None: it is on the brink."""
        slack = 0.0 if self.exact else SLACK
        sides = [self.spent * side >= 1 and self.covered * side >= LEAST_COVERED for side in (1 - slack, 1 + slack)]
        return sides[0] if sides[0] == sides[1] else None

    def events(self, window_s: float) -> Events | None:
        """Return the events of the last `window_s`; None where a short window is longer than the data so far."""
        if window_s == self.slo.window.seconds:
            return self.budgeted
        if window_s < HOUR_S and window_s > self.at_s - self.since_s:
            return None
        return self.between(self.at_s - window_s, self.at_s)


class _UnknownError(Exception):
    """What a record must hold is not known."""


def values(moment: Moment, rules: tuple[RecordingRule, ...], group: Labels) -> Iterator[Value]:
    """Yield what is known of the records; `group` are the labels of the group that `moment` is about."""
    for rule in rules:
        labels = dict(rule.labels)
        grouped = {} if rule.expr.startswith("vector(") else dict(group)
        try:
            value = _value(moment, rule.record, labels.get(catalog.TIER, ""))
        except _UnknownError:
            continue
        slack = 0.0 if rule.record in _WHOLE or (moment.exact and rule.record.startswith(_COUNTED)) else moment.slack
        yield Value(rule.record, tuple(sorted((grouped | labels).items())), value, slack)


def _value(moment: Moment, record: str, tier: str) -> float | None:
    if record in _FIXED:
        return _FIXED[record](moment)
    if moment.at_s < moment.since_s:
        return None
    if record == catalog.FIRING:
        return float(tier in _known(moment.firing))
    if record in _MEASURED:
        return _MEASURED[record](moment)
    for name, pick in _EVENTS.items():
        if record.startswith(name):
            seen = _events(moment, record.removeprefix(name))
            return None if seen is None else pick(seen)
    if record.startswith(catalog.SLOTH_RATIO):
        return _ratio(moment, _window_s(record.removeprefix(catalog.SLOTH_RATIO)))
    raise _UnknownError


def _known(found: Found | None) -> Found:
    if found is None:
        raise _UnknownError
    return found


def _events(moment: Moment, ending: str) -> Events | None:
    """Return the events that a record is about; None where it has no sample yet."""
    for full, so_far, length_s in (
        (catalog.HOUR, catalog.HOUR_SO_FAR, HOUR_S),
        (catalog.DAY, catalog.DAY_SO_FAR, DAY_S),
    ):
        end_s = moment.at_s // length_s * length_s
        if ending == full:
            return _full(moment, end_s, length_s)
        if ending == so_far:
            hour_s = moment.at_s // HOUR_S * HOUR_S
            if length_s == HOUR_S:
                return moment.between(end_s, moment.at_s)
            return moment.between(end_s, hour_s) if hour_s >= moment.since_s else None
    if ending.startswith(catalog.INCREASE):
        return _known(moment.events(_window_s(ending.removeprefix(catalog.INCREASE))))
    raise _UnknownError


def _full(moment: Moment, end_s: int, length_s: int) -> Events | None:
    """Return the events of a full hour or day. A day without any may be one without records too."""
    begun = end_s > moment.since_s or (end_s == moment.since_s and length_s == HOUR_S)
    seen = moment.between(end_s - length_s, end_s) if begun else None
    if seen is not None and not seen.total and length_s == DAY_S:
        raise _UnknownError
    return seen


def _window_s(text: str) -> float:
    return float(durations.parse(text) or 0)


def _ratio(moment: Moment, window_s: float) -> float | None:
    seen = _known(moment.events(window_s))
    return seen.bad / seen.total if seen.total else None


def _burn(moment: Moment, window_s: float) -> float:
    return (_ratio(moment, window_s) or 0.0) / float(moment.slo.budget)


_EVENTS: dict[str, Callable[[Events], float]] = {
    catalog.TOTAL: lambda seen: seen.total,
    catalog.BAD: lambda seen: seen.bad,
}
_FIXED: dict[str, Callable[[Moment], float]] = {
    catalog.INFO: lambda _: 1.0,
    catalog.SLOTH_INFO: lambda _: 1.0,
    catalog.SLOTH_OBJECTIVE_RATIO: lambda moment: float(moment.slo.objective / 100),
    catalog.SLOTH_BUDGET: lambda moment: float(moment.slo.budget),
    catalog.SLOTH_PERIOD: lambda moment: moment.slo.window.seconds // DAY_S,
}
_MEASURED: dict[str, Callable[[Moment], float | None]] = {
    catalog.COVERED_SINCE: lambda moment: moment.found_since,
    catalog.COVERED: lambda moment: moment.covered,
    catalog.SPENT: lambda moment: moment.spent,
    catalog.SLOTH_CURRENT: lambda moment: _burn(moment, 300.0),
    catalog.SLOTH_BURNT: lambda moment: _burn(moment, moment.slo.window.seconds),
    catalog.SLOTH_REMAINING: lambda moment: 1 - moment.spent,
}
