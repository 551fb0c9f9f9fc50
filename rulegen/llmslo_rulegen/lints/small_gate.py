"""A least count of bad events so low that chance pages."""

from __future__ import annotations

from collections.abc import Iterator

from llmslo_rulegen import gate
from llmslo_rulegen.alerts import tiers_of
from llmslo_rulegen.finding import Level
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.lints.lint import Lint, Spot
from llmslo_rulegen.slo import Slo
from llmslo_rulegen.tier import Severity, Tier

_TIMES = 2  # what a team sees of it, against what is aimed at


def ask(case: Case) -> Iterator[Spot]:
    """Ask each least count that a team chose how often a service at half its budget pages by chance."""
    for slo in case.slos:
        for at, tier in _chosen(slo):
            (solved,) = gate.gated((tier,), slo.objective)
            allowed = gate.FALSE_STARTS[tier.severity]
            starts = _starts(slo, tier)
            if tier.min_bad < solved.min_bad and starts > _TIMES * allowed:
                yield Spot(
                    slo.place,
                    f"with {tier.min_bad} bad events {tier.name} fires {starts:.2g} times in 30 days by chance, at "
                    f"half the budget and 10 requests an hour",
                    f"write `min_bad: {solved.min_bad}` or more, or auto",
                    at,
                )
                break


def _chosen(slo: Slo) -> Iterator[tuple[tuple[str | int, ...], Tier]]:
    if slo.low_traffic.wilson is not None:
        return
    own = slo.alerting.tiers
    pages = [tier for tier in tiers_of(slo) if tier.severity is Severity.PAGE]
    if slo.low_traffic.min_bad is not None:
        yield from ((("low_traffic", "min_bad"), tier) for tier in pages)
    elif own is not None:
        for number, tier in enumerate(own):
            if tier.min_bad and tier in pages:
                yield ("alerting", "tiers", number, "min_bad"), tier


def _starts(slo: Slo, tier: Tier) -> float:
    """Return false starts per 30 days at the lowest traffic for which gates are solved."""
    hours = tier.long_s / 3600, tier.short_s / 3600
    region = gate.Region(float(slo.budget), tier.factor, tier.min_bad, *hours)
    return gate.starts_per_hour(region, gate.RATES[0]) * gate.HOURS


LINT = Lint("tier/min-bad", Level.WARNING, "a least count of bad events that chance reaches", ask)
