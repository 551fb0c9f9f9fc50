"""A burn alert that fires when the budget is gone already."""

from __future__ import annotations

from collections.abc import Iterator

from llmslo_rulegen import budget, durations
from llmslo_rulegen.finding import Level
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.lints.lint import Lint, Spot


def ask(case: Case) -> Iterator[Spot]:
    """Ask each tier of a team's own what is left of the budget when it fires: 1 - factor x long / window."""
    for slo in case.slos:
        for number, tier in enumerate(slo.alerting.tiers or ()):
            share = budget.share_at_firing(tier, slo.window.seconds)
            if share >= 1 and tier.factor * float(slo.budget) < 1:
                longest_s = slo.window.seconds / tier.factor / 2
                length = durations.show(max(60, int(longest_s // 60) * 60))
                yield Spot(
                    slo.place,
                    f"when {tier.name} fires, {share:.0%} of the budget is spent",
                    f"write `long: {length}` or less, which is half of it",
                    ("alerting", "tiers", number, "long"),
                )


LINT = Lint("tier/late", Level.WARNING, "a burn alert that fires after the budget is gone", ask)
