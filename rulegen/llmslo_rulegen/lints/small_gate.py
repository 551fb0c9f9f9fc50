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
        tripped = [(at, tier, solved) for at, tier in _chosen(slo) if (solved := _solved(slo, tier)) is not None]
        for place in dict.fromkeys(at for at, _, _ in tripped):
            # One count may be for all tiers: the highest that is needed.
            here = [(tier, solved) for at, tier, solved in tripped if at == place]
            tier, needed = here[0][0], max(solved for _, solved in here)
            yield Spot(
                slo.place,
                f"with {tier.min_bad} bad events {tier.name} fires {_starts(slo, tier):.2g} times in 30 days by "
                f"chance, at half the budget and 10 requests an hour",
                f"write `min_bad: {needed}` or more, or auto",
                place,
            )


def _solved(slo: Slo, tier: Tier) -> int | None:
    """Return the least count that chance does not reach, where the chosen one is too low."""
    (solved,) = gate.gated((tier,), slo.objective)
    is_low = tier.min_bad < solved.min_bad and _starts(slo, tier) > _TIMES * gate.FALSE_STARTS[tier.severity]
    return solved.min_bad if is_low else None


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
