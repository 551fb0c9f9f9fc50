"""Which burn alerts would repeat what another one has told: for Alertmanager's inhibition, never for people.

An outage fires every tier of an SLO, one after the other, and ends them one after the other. Alertmanager has no memory
of who was first: a slow tier that was inhibited by a fast one is told anew as soon as the fast one ends. So Prometheus
remembers: `ALERTS_FOR_STATE` holds the instant at which each alert began. One alert fires for each tier that must not
notify, because

- a tier before it (faster, or a page where it is a ticket) has told, began earlier or with it, and fires or ended less
  than the tier's own short window (and `SLACK_S`) ago: what burns longer than that is told again. It stays a follower
  when that tier ends and begins once more; or
- a slower tier of its severity has told, began earlier and still fires.

Each of the two needs another tier that has told, so somebody always does; a page is never held back by a ticket.
Where these rules are not loaded, tiers notify more often, never less. They work at any evaluation interval up to the
routes' group interval, 5 minutes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from llmslo_exporter import catalog
from llmslo_rulegen import promql
from llmslo_rulegen.alerts import tiers_of
from llmslo_rulegen.rule import AlertRule, Group, Labels, RecordingRule, Rule
from llmslo_rulegen.slo import Slo
from llmslo_rulegen.tier import Severity, Tier

GROUP = "slo-already-notified"
ALERT = "SloAlreadyNotified"
STATE = "ALERTS_FOR_STATE"  # of Prometheus: when each alert began
NOBODY = "none"  # the severity of what nobody shall hear
# Three of the routes' group intervals: Alertmanager drops a resolved alert at the next one, and until then a tier's end
# must be judged as its beginning was.
SLACK_S = 15 * 60
# The tickets' group wait: a ticket that began so shortly before a page has not been told yet.
TICKET_WAIT_S = 5 * 60
# Sees the previous evaluation, whatever the interval up to 5 minutes.
_PREVIOUS_S = 11 * 60
_IDENTITY = (catalog.SERVICE_LABEL, catalog.SLO_LABEL)


@dataclass(frozen=True, slots=True)
class _Place:
    """A tier among those of its SLOs: `pages` and `peers` (of its severity) stand before it, `later` peers behind."""

    slos: tuple[str, ...]
    name: str
    short_s: int
    is_ticket: bool
    pages: tuple[str, ...]
    peers: tuple[str, ...]
    later: tuple[str, ...]

    @property
    def labels(self) -> Labels:
        """What tells its records and alerts from those of other places."""
        after = "|".join((*self.pages, *self.peers))
        found = (
            (catalog.AFTER, after),
            (catalog.MEMORY, promql.duration(self.short_s + SLACK_S)),
            (catalog.TIER, self.name),
        )
        return tuple(pair for pair in found if pair[1])


def group(service: str, slos: Iterable[Slo]) -> Group:
    """Return the rules of one service; SLOs whose tiers stand alike share them."""
    members: dict[_Place, list[str]] = defaultdict(list)
    grouped: set[str] = set()
    for slo in slos:
        grouped.update(slo.group_by)
        for place in _places(tiers_of(slo)):
            members[place].append(slo.name)
    alike: dict[Labels, list[_Place]] = defaultdict(list)
    for place, names in members.items():
        alike[place.labels].append(replace(place, slos=tuple(names)))
    alerts = _Alerts(service, (*_IDENTITY, *sorted(grouped)))
    places = sorted(map(_joined, alike.values()), key=lambda place: (place.is_ticket, len(place.peers), place.labels))
    rules = [rule for place in places for rule in (*_memory(alerts, place), _told(alerts, place))]
    held = [rule for place in places for rule in _held(alerts, place)]
    return Group(f"{GROUP}-{service}", (*rules, *held, _alert(alerts)) if rules else ())


@lru_cache(maxsize=256)
def _places(tiers: tuple[Tier, ...]) -> tuple[_Place, ...]:
    """Return the tiers as they tell, pages before tickets, high factors before low; none where there is one alone.

    A tier that follows nobody has a place as well: others follow it.
    """
    ordered = sorted(tiers, key=lambda tier: (tier.severity is Severity.TICKET, -tier.factor))
    if len(ordered) == 1:
        return ()
    found = []
    for index, tier in enumerate(ordered):
        before, behind = ordered[:index], ordered[index + 1 :]
        pages = tuple(one.name for one in before if one.severity is not tier.severity)
        peers = tuple(one.name for one in before if one.severity is tier.severity)
        later = tuple(one.name for one in behind if one.severity is tier.severity)
        found.append(_Place((), tier.name, tier.short_s, tier.severity is Severity.TICKET, pages, peers, later))
    return tuple(found)


def _joined(places: Sequence[_Place]) -> _Place:
    """Return what stands for places of the same labels: rules of one name must differ in them."""

    def every(names: Callable[[_Place], Iterable[str]]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for place in places for name in names(place)))

    return replace(
        places[0],
        slos=tuple(sorted(every(lambda place: place.slos))),
        pages=every(lambda place: place.pages),
        peers=every(lambda place: place.peers),
        later=every(lambda place: place.later),
    )


@dataclass(frozen=True, slots=True)
class _Alerts:
    """PromQL about the alerts of one service, and about what is recorded of them."""

    service: str
    identity: tuple[str, ...]  # labels of an incident

    def series(self, name: str, place: _Place, tiers: Sequence[str]) -> str:
        """Return a selector of `name` for `tiers` of the SLOs of a place."""
        matchers = (self.own, matcher(catalog.SLO_LABEL, place.slos), matcher(catalog.TIER, tiers))
        return f"{name}{{{', '.join(matchers)}}}"

    def first(self, instants: str) -> str:
        """Return the earliest of `instants` of each incident."""
        return f"min by ({self.labels}) ({instants})"

    @property
    def own(self) -> str:
        """A matcher of the service."""
        return matcher(catalog.SERVICE_LABEL, [self.service])

    @property
    def labels(self) -> str:
        """The labels of an incident, as PromQL lists them."""
        return ", ".join(self.identity)


def matcher(label: str, values: Sequence[str]) -> str:
    """Return a matcher of any of `values`: letters, digits, `-`, `_` and `.`, so that only the dot needs escaping."""
    if len(values) == 1:
        return f'{label}="{values[0]}"'
    return f'{label}=~"{"|".join(value.replace(".", "[.]") for value in values)}"'


def _memory(alerts: _Alerts, place: _Place) -> Iterator[Rule]:
    """Yield when a tier of this place began, when those before it did that have told, and whether it follows them."""
    began = f"min_over_time({alerts.series(STATE, place, [place.name])}[{promql.duration(SLACK_S)}])"
    yield RecordingRule(catalog.BEGAN, alerts.first(began), place.labels)
    memory = promql.duration(place.short_s + SLACK_S)
    ranges = ((place.pages, f" - {TICKET_WAIT_S}"), (place.peers, ""))
    led = [
        f"min_over_time({alerts.series(catalog.TOLD, place, tiers)}[{memory}]){wait}" for tiers, wait in ranges if tiers
    ]
    if led:
        yield RecordingRule(catalog.LED_SINCE, alerts.first("\n  or ".join(led)), place.labels)
        since, own, before = (
            alerts.series(name, place, [place.name]) for name in (catalog.LED_SINCE, catalog.BEGAN, catalog.FOLLOWS)
        )
        first = f"({own} < {since}\n  unless max_over_time({before}[{promql.duration(_PREVIOUS_S)}]))"
        yield RecordingRule(catalog.FOLLOWS, f"{since}\nunless {first}", place.labels)


def _told(alerts: _Alerts, place: _Place) -> Rule:
    """Whoever fires and follows nobody; a held tier counts, because the one that holds it told what it knows."""
    expr = alerts.first(alerts.series(STATE, place, [place.name]))
    if place.pages or place.peers:
        expr += f"\nunless on ({alerts.labels}) {alerts.series(catalog.FOLLOWS, place, [place.name])}"
    return RecordingRule(catalog.TOLD, expr, place.labels)


def _held(alerts: _Alerts, place: _Place) -> Iterator[Rule]:
    """Yield that a slower tier has told before this one began, while that fires."""
    if place.later:
        told = alerts.first(alerts.series(catalog.TOLD, place, place.later))
        own = alerts.series(catalog.BEGAN, place, [place.name])
        on = f"on ({alerts.labels})"
        yield RecordingRule(catalog.HELD, f"{told}\nunless {on} {own} <= {on} {told}", place.labels)


def _alert(alerts: _Alerts) -> Rule:
    either = f"{catalog.FOLLOWS}{{{alerts.own}}} or {catalog.HELD}{{{alerts.own}}}"
    named = f'label_replace({either}, "{catalog.MUTES}", "$1", "{catalog.TIER}", "(.*)")'
    text = "{{ $labels.mutes }} of {{ $labels.service }}/{{ $labels.slo }} would repeat what another tier has told."
    return AlertRule(
        ALERT,
        f"max by ({alerts.labels}, {catalog.MUTES}) ({named})",
        ((catalog.KIND, catalog.ALREADY_NOTIFIED), (catalog.SEVERITY, NOBODY)),
        (("summary", text),),
    )
