"""What the records of an SLO must hold at an instant of a flow: from its events, not from the rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from llmslo_exporter import catalog
from llmslo_rulegen import durations, scenarios
from llmslo_rulegen.kinds import Labels
from llmslo_rulegen.rule import RecordingRule
from llmslo_rulegen.scenarios import HOUR_S, Events, Flow, Promise
from llmslo_rulegen.slo import Slo

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Value:
    """`record` with `labels` must hold `value`."""

    record: str
    labels: Labels
    value: float


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant of a flow."""

    slo: Slo
    promise: Promise
    flow: Flow
    at_s: int

    def events(self, window_s: float) -> Events | None:
        """Return the events of the last `window_s`; None where a short window is longer than the test so far."""
        if window_s == self.slo.window.seconds:
            return scenarios.in_window(self.promise, self.flow, self.at_s)
        if window_s < HOUR_S and window_s > self.at_s:
            return None
        clock = self.promise.clock
        return scenarios.events(self.flow, clock.steps(self.at_s), -int(-window_s // clock.step_s))

    def between(self, begin_s: int, end_s: int) -> Events:
        """Return the events of a span."""
        clock = self.promise.clock
        return scenarios.events(self.flow, clock.steps(end_s), clock.steps(end_s - begin_s))


def values(moment: Moment, rules: tuple[RecordingRule, ...], group: Labels) -> Iterator[Value]:
    """Yield what is known of the records; `group` are the labels of the flow's group."""
    firing = scenarios.firing(moment.promise, moment.flow, [moment.at_s])[0]
    for rule in rules:
        labels = dict(rule.labels)
        if rule.record == catalog.FIRING:
            value = None if firing is None else float(labels[catalog.TIER] in firing)
        else:
            value = _value(moment, rule.record)
        if value is not None:
            grouped = {} if rule.expr.startswith("vector(") else dict(group)
            yield Value(rule.record, tuple(sorted((grouped | labels).items())), value)


def _value(moment: Moment, record: str) -> float | None:
    if record in _FIXED:
        return _FIXED[record](moment)
    for name, pick in _EVENTS.items():
        if record.startswith(name):
            seen = _events(moment, record.removeprefix(name))
            return None if seen is None else pick(seen)
    if record.startswith(catalog.SLOTH_RATIO):
        return _ratio(moment.events(_window_s(record.removeprefix(catalog.SLOTH_RATIO))))
    return None


def _events(moment: Moment, ending: str) -> Events | None:
    hour_s = moment.at_s // HOUR_S * HOUR_S
    if ending == catalog.HOUR_SO_FAR:
        return moment.between(hour_s, moment.at_s) if moment.at_s > hour_s else None
    if ending == catalog.HOUR:  # recorded when the hour ends
        return moment.between(hour_s - HOUR_S, hour_s) if hour_s == moment.at_s > 0 else None
    if ending.startswith(catalog.INCREASE):
        return moment.events(_window_s(ending.removeprefix(catalog.INCREASE)))
    return None


def _window_s(text: str) -> float:
    return float(durations.parse(text) or 0)


def _ratio(seen: Events | None) -> float | None:
    return seen.bad / seen.total if seen is not None and seen.total else None


def _burn(window_s: Callable[[Moment], float]) -> Callable[[Moment], float | None]:
    def burn(moment: Moment) -> float | None:
        ratio = _ratio(moment.events(window_s(moment)))
        return None if ratio is None else ratio / moment.promise.budget

    return burn


_EVENTS: dict[str, Callable[[Events], float]] = {
    catalog.TOTAL: lambda seen: seen.total,
    catalog.BAD: lambda seen: seen.bad,
}
_FIXED: dict[str, Callable[[Moment], float | None]] = {
    catalog.COVERED: lambda moment: scenarios.covered(moment.promise, moment.at_s),
    catalog.SPENT: lambda moment: scenarios.spent(moment.promise, moment.flow, moment.at_s),
    catalog.INFO: lambda _: 1.0,
    catalog.SLOTH_INFO: lambda _: 1.0,
    catalog.SLOTH_OBJECTIVE_RATIO: lambda moment: float(moment.slo.objective / 100),
    catalog.SLOTH_BUDGET: lambda moment: float(moment.slo.budget),
    catalog.SLOTH_PERIOD: lambda moment: moment.slo.window.seconds / DAY_S,
    catalog.SLOTH_CURRENT: _burn(lambda _: 300.0),
    catalog.SLOTH_BURNT: _burn(lambda moment: float(moment.slo.window.seconds)),
    catalog.SLOTH_REMAINING: lambda moment: 1 - scenarios.spent(moment.promise, moment.flow, moment.at_s),
}
