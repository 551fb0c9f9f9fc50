"""What of an SLO a reviewer can see change: its words as facts, its numbers as values, its rules as names and texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from llmslo_rulegen import durations, measures, promql, templates
from llmslo_rulegen.alerts import tiers_of
from llmslo_rulegen.groups import groups
from llmslo_rulegen.lints import written
from llmslo_rulegen.rule import Group, RecordingRule, Rule
from llmslo_rulegen.slo import CatalogSli, EventsSli, HistogramSli, Sli, Slo, Window
from llmslo_rulegen.tier import Severity, Tier

_WINDOW = promql.duration(templates.MARK.total_seconds())


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is said: `what` it is about, the `name` of it where there are several, and how it is."""

    what: str
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class More:
    """The records of other tools that are rendered too."""

    sloth: bool = True
    pyrra: bool = False

    def groups(self, slo: Slo) -> Iterable[Group]:
        """Return the groups of rules of an SLO."""
        return groups(slo, sloth=self.sloth, pyrra=self.pyrra)


@dataclass(frozen=True, slots=True)
class Outline:
    """One SLO. Where it stands is not part of what is compared, and neither is how it is written."""

    id: str
    place: str = field(compare=False)
    objective: Decimal
    window: Window
    tiers: tuple[Tier, ...]
    facts: tuple[Fact, ...]
    group_by: tuple[str, ...] = ()
    scrape_s: int = 60
    rules: tuple[tuple[str, str], ...] = field(default=(), compare=False)  # name and expression
    source: Slo | None = field(default=None, compare=False)  # whose rules are made when they are asked for
    more: More = field(default_factory=More, compare=False)

    @property
    def made(self) -> tuple[tuple[str, str], ...]:
        """Name and expression of every rule."""
        if self.source is None:
            return self.rules
        return tuple(named(rule) for group in self.more.groups(self.source) for rule in group.rules)


def named(rule: Rule) -> tuple[str, str]:
    """Return name and expression of a rule."""
    return (rule.record if isinstance(rule, RecordingRule) else rule.alert), rule.expr


def of_slo(slo: Slo, more: More) -> Outline:
    """Return the outline of what a team wrote."""
    return Outline(
        id=slo.id,
        place=f"{slo.place.file}:{slo.place.line}",
        objective=slo.objective,
        window=slo.window,
        tiers=tiers_of(slo),
        facts=tuple(_facts(slo)),
        group_by=slo.group_by,
        scrape_s=slo.scrape_interval_s,
        source=slo,
        more=more,
    )


def _facts(slo: Slo) -> Iterator[Fact]:
    yield from _of_sli(slo.sli)
    if slo.group_by:
        yield Fact("group_by", "", ", ".join(slo.group_by))
    yield Fact("scrape_interval", "", durations.show(slo.scrape_interval_s))
    yield Fact("low_traffic", "", _low_traffic(slo))
    yield Fact("alert", "", slo.alerting.name)
    for severity in Severity:
        if severity in slo.alerting.disabled:
            yield Fact(severity.value, "", "off")
    yield Fact("tiers", "", "solved" if slo.alerting.tiers is None else "your own")
    for what, pairs in (
        ("label", slo.labels),
        ("alert label", slo.alerting.labels),
        ("annotation", slo.alerting.annotations),
    ):
        yield from (Fact(what, name, value) for name, value in pairs)
    for what, text in (
        ("runbook_url", slo.runbook_url),
        ("dashboard_url", slo.dashboard_url),
        ("description", slo.description),
    ):
        if text:
            yield Fact(what, "", text)


def _of_sli(sli: Sli) -> Iterator[Fact]:
    yield Fact("sli", "", _kind(sli))
    if isinstance(sli, CatalogSli):
        yield from (Fact("select", one.label, promql.matcher(one)) for one in sli.select)
    for part in written.parts(sli):
        # As its syntax tree says it: blanks and the order of matchers change nothing.
        yield Fact(part.at[-1], "", part.tree.prettify().replace(_WINDOW, templates.WINDOW))
    if isinstance(sli, (CatalogSli, HistogramSli)):
        if sli.threshold is not None:
            yield Fact("threshold", "", _threshold(sli))
        if sli.native:
            yield Fact("native", "", "on")


def _kind(sli: Sli) -> str:
    if isinstance(sli, CatalogSli):
        return f"{sli.name} of {sli.source}"
    if isinstance(sli, EventsSli):
        return "bad and total" if sli.bad is not None else "good and total"
    return "histogram" if isinstance(sli, HistogramSli) else "slices of time"


def _threshold(sli: CatalogSli | HistogramSli) -> str:
    measure = measures.measure(sli.name, sli.source) if isinstance(sli, CatalogSli) else None
    is_time = measure is not None and measure.is_time
    return durations.show(sli.threshold or 0) if is_time else f"{sli.threshold:g}"


def _low_traffic(slo: Slo) -> str:
    if slo.low_traffic.wilson is not None:
        return f"wilson {slo.low_traffic.wilson:g}"
    return "solved" if slo.low_traffic.min_bad is None else f"min_bad {slo.low_traffic.min_bad}"
