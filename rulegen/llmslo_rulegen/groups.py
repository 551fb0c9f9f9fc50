"""All rules of an SLO, as one group: whatever a rule reads of the same moment stands above it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain

from llmslo_rulegen import alerts, pyrra, records, sloth
from llmslo_rulegen.rule import Group, Rule
from llmslo_rulegen.slo import Slo
from llmslo_rulegen.staging import HOUR_S


def groups(slo: Slo, *, sloth: bool = True, pyrra: bool = False) -> tuple[Group, ...]:
    """Return the rules of one SLO; `sloth` adds its records and labels, `pyrra` the records of its Grafana pages."""
    return (Group(f"slo-{slo.id}", tuple(chain.from_iterable(_parts(slo, with_sloth=sloth, with_pyrra=pyrra)))),)


def groups_of(slos: Iterable[Slo], *, sloth: bool = True) -> tuple[Group, ...]:
    """Return the rules of many, sorted by service and name."""
    return tuple(
        group for slo in sorted(slos, key=lambda slo: (slo.service, slo.name)) for group in groups(slo, sloth=sloth)
    )


def _parts(slo: Slo, *, with_sloth: bool, with_pyrra: bool) -> Iterator[Iterable[Rule]]:
    yield records.records(slo, _windows_s(slo, with_sloth=with_sloth, with_pyrra=with_pyrra))
    if with_sloth:
        yield _titled("the same in the names of Sloth, for its UI and dashboards", sloth.records(slo))
    if with_pyrra:
        yield _titled("the same in the names of Pyrra's generic records, for its Grafana pages", pyrra.records(slo))
    what = "per tier 1 while it burns: from the factor on in both windows, until a short window with events is below it"
    yield _titled(what, alerts.states(slo))
    yield _titled("the alerts", alerts.alerts(slo, with_sloth=with_sloth))


def _titled(comment: str, rules: Iterable[Rule]) -> Iterator[Rule]:
    """Yield rules, the first of them with a comment."""
    for place, rule in enumerate(rules):
        yield rule if place else replace(rule, comment=comment)


def _windows_s(slo: Slo, *, with_sloth: bool, with_pyrra: bool) -> tuple[int, ...]:
    found = {HOUR_S}
    for tier in alerts.tiers_of(slo):
        found |= {tier.long_s, tier.short_s}
    if with_sloth:
        found.update(sloth.windows_s(slo))
    if with_pyrra:
        found.add(pyrra.RATE_S)
    return tuple(sorted(found - {slo.window.seconds}))
