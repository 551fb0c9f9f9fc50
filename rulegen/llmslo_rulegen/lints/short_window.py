"""A short window that holds too few scrapes."""

from __future__ import annotations

from collections.abc import Iterator

from llmslo_rulegen import durations
from llmslo_rulegen.finding import Level
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.lints.lint import Lint, Spot

SCRAPES = 4  # in a short window at least, or a scrape that fails leaves nothing to compare


def ask(case: Case) -> Iterator[Spot]:
    """Ask each tier of a team's own whether its short window holds four scrapes (slo-rules 5.1, 16)."""
    for slo in case.slos:
        least_s = SCRAPES * slo.scrape_interval_s
        for number, tier in enumerate(slo.alerting.tiers or ()):
            if tier.short_s < least_s:
                yield Spot(
                    slo.place,
                    f"a short window of {durations.show(tier.short_s)} holds too few scrapes of "
                    f"{durations.show(slo.scrape_interval_s)}",
                    f"write `short: {durations.show(least_s)}` or more",
                    ("alerting", "tiers", number, "short"),
                )


LINT = Lint("tier/scrapes", Level.ERROR, "a short window of fewer than four scrapes", ask)
