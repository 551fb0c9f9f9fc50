"""What the test files of an SLO are about: its rules, and the events that they count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import product
from math import gcd

from llmslo_exporter import catalog
from llmslo_rulegen import alerts, checks, events, recorded, subjects
from llmslo_rulegen.groups import groups
from llmslo_rulegen.inputs import labels_text
from llmslo_rulegen.kinds import Kinds, Labels
from llmslo_rulegen.recorded import Moment
from llmslo_rulegen.rule import AlertRule, RecordingRule, Rule
from llmslo_rulegen.scenarios import HOUR_S, Clock, Promise
from llmslo_rulegen.slo import SlicedSli, Slo

# The rules are right at any interval up to 5 minutes, and if whole and half hours are all there is.
TICK_S = 1800
NEIGHBOUR_BAD = 10**15  # more than any case has
TARGET = (("instance", "one:9090"), ("job", "llm"))


@dataclass(frozen=True, slots=True)
class Subject:
    """What a test file is about: the SLO, its rules, and the kinds of events of each group."""

    slo: Slo
    promise: Promise
    rules: tuple[Rule, ...]
    kinds: tuple[tuple[Labels, Kinds], ...]

    @property
    def alerts(self) -> Mapping[str, AlertRule]:
        """One alert of each name."""
        return {rule.alert: rule for rule in _alerts_of(self.rules)}

    @property
    def is_exact(self) -> bool:
        """Whether the rules count events, and estimate none."""
        return not isinstance(self.slo.sli, SlicedSli)

    def values(self, moment: Moment, group: Labels) -> Iterator[recorded.Value]:
        """Yield what the records of a group must hold."""
        rules = tuple(rule for rule in self.rules if isinstance(rule, RecordingRule))
        return recorded.values(moment, rules, group)

    def neighbours(self) -> Iterator[tuple[str, int]]:
        """Yield records of SLOs that differ in one label of identity, with values: all bad, all firing, all spent."""
        identity = (catalog.SERVICE_LABEL, catalog.SLO_LABEL)
        for rule in self.rules:
            labels = dict(rule.labels)
            if not isinstance(rule, RecordingRule) or rule.record == catalog.INFO or not set(identity) <= set(labels):
                continue
            value = NEIGHBOUR_BAD if rule.record.startswith(catalog.BAD) else 1
            for name, (group, _) in product((*identity, *({catalog.TIER} & set(labels))), self.kinds):
                other = dict(group) | labels | {name: labels[name] + checks.STRANGER}
                yield f"{rule.record}{labels_text(other)}", value

    @property
    def burns(self) -> Mapping[str, AlertRule]:
        """The alert of each tier."""
        return {tier: rule for rule in _alerts_of(self.rules) if (tier := dict(rule.labels).get(catalog.TIER))}

    @property
    def others(self) -> Mapping[str, AlertRule]:
        """The alerts that are no burn, by kind."""
        return {kind: rule for rule in _alerts_of(self.rules) if (kind := dict(rule.labels).get(catalog.KIND))}


def subject(slo: Slo, *, sloth: bool = True) -> Subject:
    """Return what the test file of `slo` is about."""
    tiers = alerts.tiers_of(slo)
    windows = [window for tier in tiers for window in (tier.long_s, tier.short_s) if window >= HOUR_S]
    tick_s = reduce(gcd, windows, TICK_S)
    clock = Clock(gcd(slo.scrape_interval_s, tick_s), tick_s)
    if isinstance(slo.sli, SlicedSli):
        clock = Clock(events.SLICE_S, events.SLICE_S)
    promise = Promise(tiers, float(slo.budget), clock, slo.low_traffic.wilson, slo.window)
    rules = tuple(rule for group in groups(slo, sloth=sloth) for rule in group.rules)
    return Subject(slo, promise, rules, subjects.groups(slo))


def _alerts_of(rules: Sequence[Rule]) -> Iterator[AlertRule]:
    return (rule for rule in rules if isinstance(rule, AlertRule))
