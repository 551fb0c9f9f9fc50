"""What a replay says of an SLO: its alerts, which of them were for nothing, which episodes nobody was told of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from llmslo_exporter import catalog
from llmslo_rulegen import alerts, periods
from llmslo_rulegen.backtest import counts, episodes
from llmslo_rulegen.backtest.alarms import Firing
from llmslo_rulegen.backtest.curves import Curves, curves
from llmslo_rulegen.backtest.episodes import Episode
from llmslo_rulegen.backtest.points import Instants
from llmslo_rulegen.backtest.replay import Replayed
from llmslo_rulegen.backtest.vector import Labels, only
from llmslo_rulegen.slo import Slo, Window
from llmslo_rulegen.tier import Severity, Tier


@dataclass(frozen=True, slots=True)
class Alert:
    """One firing. `tier` is None for an alert that is no burn, whose `kind` says what it is.

    `episodes` are the places of those it is about; a burn alert about none is false.
    """

    name: str
    severity: Severity
    tier: Tier | None
    kind: str
    group: Labels
    firing: Firing
    episodes: tuple[int, ...] = ()

    @property
    def is_false(self) -> bool:
        return self.tier is not None and not self.episodes


@dataclass(frozen=True, slots=True)
class Answer:
    """How alerts answered an episode: seconds from its begin to the first one, and from its end to the last one's end.

    None: there was none, or the last one still fires.
    """

    episode: Episode
    page_s: float | None = None
    ticket_s: float | None = None
    reset_s: float | None = None


@dataclass(frozen=True, slots=True)
class Budget:
    """The share of a budget that was spent in a window, as the rules had it at its end; `covered`: has data."""

    group: Labels
    begin_ms: int
    end_ms: int
    spent: float
    covered: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """All of one SLO."""

    slo: Slo
    curves: Curves
    evaluations: int
    alerts: tuple[Alert, ...]
    answers: tuple[Answer, ...]
    budgets: tuple[Budget, ...]

    def burns(self, severity: Severity) -> tuple[Alert, ...]:
        """Return the burn alerts of a severity."""
        return tuple(each for each in self.alerts if each.tier is not None and each.severity is severity)

    def false(self, severity: Severity) -> int:
        """Return how many burn alerts of a severity were about no episode."""
        return sum(each.is_false for each in self.burns(severity))

    @property
    def missed(self) -> int:
        """How many episodes brought no page; no ticket, where the SLO has no pages."""
        pages = any(tier.severity is Severity.PAGE for tier in alerts.tiers_of(self.slo))
        return sum((each.page_s if pages else each.ticket_s) is None for each in self.answers)


def verdict(slo: Slo, replayed: Replayed, given: Sequence[Episode] | None = None) -> Verdict:
    """Return what a replay says; `given` episodes stand in for those that would be found."""
    known = tuple(given) if given is not None else episodes.found(slo, replayed)
    told = tuple(sorted(_alerts(slo, replayed, known), key=lambda alert: (alert.firing.begin_ms, alert.name)))
    answers = tuple(_answer(episode, place, told) for place, episode in enumerate(known))
    return Verdict(slo, curves(slo, replayed), len(replayed.instants), told, answers, tuple(_budgets(slo, replayed)))


def _alerts(slo: Slo, replayed: Replayed, known: Sequence[Episode]) -> Iterator[Alert]:
    tiers = {tier.name: tier for tier in alerts.tiers_of(slo)}
    for firing in replayed.firings:
        own = dict(firing.labels)
        tier = tiers.get(own.get(catalog.TIER, ""))
        severity = tier.severity if tier else Severity.TICKET
        group = only(firing.labels, slo.group_by)
        about = tuple(
            place for place, episode in enumerate(known) if tier is not None and _is_about(firing, group, tier, episode)
        )
        yield Alert(own["alertname"], severity, tier, own.get(catalog.KIND, ""), group, firing, about)


def _is_about(firing: Firing, group: Labels, tier: Tier, episode: Episode) -> bool:
    """Whether an alert fires in an episode, or begins while the tier's short window still holds some of it."""
    if episode.group is not None and episode.group != group:
        return False
    still = firing.end_ms is None or firing.end_ms >= episode.begin_ms
    return still and firing.begin_ms <= episode.end_ms + tier.short_s * 1000


def _answer(episode: Episode, place: int, told: Sequence[Alert]) -> Answer:
    mine = [alert for alert in told if place in alert.episodes]
    first = {
        severity: min((alert.firing.begin_ms for alert in mine if alert.severity is severity), default=None)
        for severity in Severity
    }
    page_s, ticket_s = (
        None if begin_ms is None else max(0.0, (begin_ms - episode.begin_ms) / 1000)
        for begin_ms in (first[Severity.PAGE], first[Severity.TICKET])
    )
    which = Severity.PAGE if page_s is not None else Severity.TICKET
    ends = [alert.firing.end_ms for alert in mine if alert.severity is which]
    known = [end_ms for end_ms in ends if end_ms is not None]
    reset_s = (max(known) - episode.end_ms) / 1000 if known and len(known) == len(ends) else None
    return Answer(episode, page_s, ticket_s, reset_s)


def _budgets(slo: Slo, replayed: Replayed) -> Iterator[Budget]:
    for group in counts.groups(slo, replayed):
        spent, covered = (counts.of(slo, replayed, group, name) for name in (catalog.SPENT, catalog.COVERED))
        if spent is None or covered is None:
            continue
        there = np.flatnonzero(spent.present & covered.present)
        for place in _last_of_each(slo.window, replayed.instants[there]):
            at = there[place]
            end_ms = int(replayed.instants[at])
            begin_ms = periods.at(slo.window, end_ms // 1000).begin_s * 1000
            yield Budget(group, begin_ms, end_ms, float(spent.values[at]), float(covered.values[at]))


def _last_of_each(window: Window, instants: Instants) -> list[int]:
    """Return the places at which a window ends: one after the other, and the last instant."""
    if not len(instants):
        return []
    if window.calendar is not None:
        days = np.unique(instants // 86_400_000, return_index=True)[1].tolist()
        begins = [periods.at(window, int(instants[place]) // 1000).begin_s for place in days]
        return [
            *(place - 1 for place, was, now in zip(days[1:], begins, begins[1:], strict=False) if was != now),
            len(instants) - 1,
        ]
    ends = np.arange(int(instants[0]) + window.seconds * 1000, int(instants[-1]), window.seconds * 1000)
    places = [int(place) for place in np.searchsorted(instants, ends, side="right") - 1]
    return [*places, len(instants) - 1]
