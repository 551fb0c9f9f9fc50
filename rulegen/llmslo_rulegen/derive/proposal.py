"""From a baseline to proposals: for each service, SLI and traffic class what can be promised, or why not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np

from llmslo_exporter import catalog
from llmslo_rulegen import names
from llmslo_rulegen.baseline.baseline import Baseline
from llmslo_rulegen.baseline.cell import Cell, Kind
from llmslo_rulegen.derive import alarms, classes, history, promise
from llmslo_rulegen.derive.alarms import Alarms
from llmslo_rulegen.derive.classes import Comparing, TrafficClass
from llmslo_rulegen.derive.history import History, Span
from llmslo_rulegen.derive.interval import DAY_H
from llmslo_rulegen.derive.promise import Promise, Refusal
from llmslo_rulegen.observed import labels, slis

_UNFIT = re.compile(r"[^A-Za-z0-9_.]+")
_MAX_NAME = 60  # of what classes are called by; labels say it whole
_HIGHEST = 0.9999  # what can be promised at most
_SHORT_DAYS = 3  # of less, hours are judged instead of days


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for: `hold_out` is the share of the time, the last, that a promise is checked on and not made from.

    `cross_source`: the source whose metrics the SLOs are about, where it is not the baseline's own.
    """

    hold_out: float = 0.0
    cross_source: str | None = None


@dataclass(frozen=True, slots=True)
class Met:
    """In how many of the days, or hours, that had events the objective was met."""

    met: int
    of: int
    unit: str

    @property
    def share(self) -> float:
        return self.met / self.of if self.of else float("nan")


@dataclass(frozen=True, slots=True)
class Checked:
    """How a promise fared in the time held out."""

    bad: int
    events: int
    hours: int
    holds: bool


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is said of one SLI of one traffic class; `source` is whose metrics it is about, `seen` who measured.

    `untold` are sentences on calls that differ though no label tells them apart. The last three are None of a refusal.
    """

    service: str
    name: str
    sli: str
    source: str
    seen: str
    traffic: TrafficClass
    outcome: Promise | Refusal
    service_label: str | None
    untold: tuple[str, ...] = ()
    alarms: Alarms | None = None
    met: Met | None = None
    checked: Checked | None = None

    @property
    def select(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Labels and values that choose its traffic, the service's included."""
        label = self.service_label
        own = ((label, (self.service,)),) if label is not None and self.service else ()
        return (*own, *self.traffic.select)


@dataclass(frozen=True, slots=True)
class _Scope:
    """What all SLIs of one service and one measuring point have in common."""

    service: str
    seen: str
    about: str
    span: Span
    wish: Wish
    kinds: Mapping[Kind, Mapping[int, Cell]]
    is_alone: bool  # no other service was measured so


def proposals(baseline: Baseline, wish: Wish) -> tuple[Proposal, ...]:
    """Return what is proposed, by service, in the order of the catalog; the same baseline gives the same."""
    found: list[Proposal] = []
    taken: dict[str, set[str]] = {}
    for scope in _scopes(baseline, wish):
        for sli in slis.names(scope.about):
            for one in _of_sli(scope, sli):
                name = free(one.name, taken.setdefault(scope.service, set()))
                found.append(replace(one, name=name))
    return tuple(found)


def _scopes(baseline: Baseline, wish: Wish) -> Iterator[_Scope]:
    by_service: dict[tuple[str, str], dict[Kind, Mapping[int, Cell]]] = {}
    for kind, cells in baseline.kinds():
        by_service.setdefault((kind.service, kind.source), {})[kind] = cells
    measured = Counter(source for _, source in by_service)
    for (service, source), kinds in sorted(by_service.items()):
        hours = [hour for cells in kinds.values() for hour in cells]
        span = Span(min(hours), max(hours) + 1 - min(hours))
        yield _Scope(service, source, wish.cross_source or source, span, wish, kinds, measured[source] == 1)


def _of_sli(scope: _Scope, sli: str) -> Iterator[Proposal]:
    reading = slis.reading(scope.about, sli)
    if reading is None:
        return
    at = history.thresholds(sli, scope.about)
    every = {kind: history.of(kind, cells, scope.span, reading, at) for kind, cells in scope.kinds.items()}
    found = {kind: one for kind, one in every.items() if one.count}
    if not found:
        return
    target = min(catalog.source(scope.about).sli(sli).objective, _HIGHEST)
    asked = Comparing(scope.about, sli, target, not reading.good_within)
    for one in classes.classes(found, asked):
        yield _proposal(scope, one, asked, classes.untold(one, found, asked))


def _proposal(scope: _Scope, one: TrafficClass, asked: Comparing, untold: tuple[str, ...]) -> Proposal:
    hours = one.history.span.hours
    last = hours - round(hours * scope.wish.hold_out)
    outcome = promise.promise(one.history.cut(0, last), promise.usual(asked.target, from_above=asked.from_above))
    name = "-".join((asked.sli, *(_slug(value) for _, values in one.select for value in values)))
    name = name[:_MAX_NAME].strip("-_.")
    label = labels.label(asked.source, asked.sli, labels.SERVICE) or (None if scope.is_alone else catalog.JOB.name)
    bare = Proposal(scope.service, name, asked.sli, asked.source, scope.seen, one, outcome, label, untold)
    if isinstance(outcome, Refusal):
        return bare
    later = one.history.cut(last, hours)
    return replace(
        bare,
        alarms=alarms.alarms(*outcome.kept.at(outcome.column), outcome.objective),
        met=met(outcome.kept, outcome.column, outcome.objective),
        checked=_checked(later, outcome) if scope.wish.hold_out else None,
    )


def met(kept: History, column: int, objective: Decimal) -> Met:
    """Return in how many days, counted back from the end, an objective was met; hours where there are few days."""
    length, unit = (DAY_H, "days") if kept.span.hours >= _SHORT_DAYS * DAY_H else (1, "hours")
    start = kept.span.hours % length
    bad, total = (events[start:].reshape(-1, length).sum(axis=1) for events in kept.at(column))
    had = total > 0
    fine = bad[had] <= promise.budget(objective) * total[had] * (1 + 1e-12)
    return Met(int(np.count_nonzero(fine)), int(np.count_nonzero(had)), unit)


def _checked(later: History, made: Promise) -> Checked:
    bad, total = (int(events.sum()) for events in later.at(made.column))
    return Checked(bad, total, later.span.hours, bad <= made.budget * total)


def _slug(value: str) -> str:
    return _UNFIT.sub("-", value).strip("-_.") or "none"


def free(wanted: str, taken: set[str]) -> str:
    """Return `wanted`, or with the first number that makes it a name of its own, whatever its case."""
    found, number = wanted, 1
    while found.casefold() in taken:
        number += 1
        found = f"{wanted}-{number}"
    taken.add(found.casefold())
    return found


def service_name(service: str) -> str:
    """Return how a service can be called in an SLO file, which has fewer letters than OpenTelemetry."""
    if names.NAME.fullmatch(service) and len(service) <= names.MAX_NAME:
        return service
    found = _slug(service)[: names.MAX_NAME].strip("-_.")
    return found if names.NAME.fullmatch(found) else f"service-{found}".strip("-_.")
