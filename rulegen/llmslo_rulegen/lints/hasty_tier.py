"""A burn alert that fires while the promise is kept, or wakes somebody for a slow burn."""

from __future__ import annotations

from collections.abc import Iterator

from llmslo_rulegen.finding import Level
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.lints.lint import Lint, Spot
from llmslo_rulegen.tier import Severity

LEAST = {Severity.PAGE: 2.0, Severity.TICKET: 1.0}
_WHY = {
    Severity.PAGE: "a burn that lasts half the window wakes somebody",
    Severity.TICKET: "a service that keeps its promise gets tickets",
}


def ask(case: Case) -> Iterator[Spot]:
    """Ask each tier of a team's own for a factor of 2 (page) or 1 (ticket) at least."""
    for slo in case.slos:
        for number, tier in enumerate(slo.alerting.tiers or ()):
            least = LEAST[tier.severity]
            if tier.factor < least and least * float(slo.budget) < 1:
                yield Spot(
                    slo.place,
                    f"at a factor of {tier.factor:g} {_WHY[tier.severity]}",
                    f"write `factor: {least:g}` or more",
                    ("alerting", "tiers", number, "factor"),
                )


LINT = Lint("tier/hasty", Level.WARNING, "a burn alert that fires while the promise is kept", ask)
