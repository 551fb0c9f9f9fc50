"""A burn alert that asks for more bad events than there can be."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from llmslo_rulegen.finding import Level
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.lints.lint import Lint, Spot


def ask(case: Case) -> Iterator[Spot]:
    """Ask each tier of a team's own whether factor x budget is at most 1 (slo-rules 3.3)."""
    for slo in case.slos:
        highest = 1 / slo.budget
        for number, tier in enumerate(slo.alerting.tiers or ()):
            if Decimal(str(tier.factor)) > highest:
                why = f"a total outage burns {float(highest):g} times the budget"
                yield Spot(
                    slo.place,
                    f"a factor of {tier.factor:g} never fires at {slo.objective} %, {why}",
                    f"write less, such as `factor: {float(highest) * 0.9:.3g}`",
                    ("alerting", "tiers", number, "factor"),
                )


LINT = Lint("tier/unreachable", Level.ERROR, "a burn alert that can never fire", ask)
