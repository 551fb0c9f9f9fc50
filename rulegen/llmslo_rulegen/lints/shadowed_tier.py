"""A burn alert that only ever repeats another one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llmslo_rulegen.finding import Level
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.lints.lint import Lint, Spot
from llmslo_rulegen.tier import Severity, Tier


def ask(case: Case) -> Iterator[Spot]:
    """Ask each tier of a team's own whether another one fires whenever it does."""
    for slo in case.slos:
        tiers = slo.alerting.tiers or ()
        for number, tier in enumerate(tiers):
            other = _covering(tier, number, tiers)
            if other is not None:
                yield Spot(
                    slo.place,
                    f"whenever {tier.name} fires, {other.name} ({other.severity.value}, factor {other.factor:g}) does",
                    f"take {tier.name} out, or give it a factor below {other.factor:g} and longer windows",
                    ("alerting", "tiers", number),
                    tier.name,
                )


def _covering(tier: Tier, number: int, tiers: Sequence[Tier]) -> Tier | None:
    for place, other in enumerate(tiers):
        is_louder = other.severity is Severity.PAGE or tier.severity is Severity.TICKET
        is_alike = (other.long_s, other.short_s) == (tier.long_s, tier.short_s)
        is_first = other.factor < tier.factor or (other.factor == tier.factor and place < number)
        if place != number and is_louder and is_alike and is_first and other.min_bad <= tier.min_bad:
            return other
    return None


LINT = Lint("tier/shadowed", Level.WARNING, "a burn alert that only repeats another one", ask)
