"""Traffic so low that no burn alert sees a total outage."""

from __future__ import annotations

from collections.abc import Iterator

from llmslo_rulegen import budget
from llmslo_rulegen.alerts import tiers_of
from llmslo_rulegen.finding import Level
from llmslo_rulegen.lints import volume
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.lints.lint import Lint, Need, Spot
from llmslo_rulegen.slo import SlicedSli
from llmslo_rulegen.tier import Severity


def ask(case: Case) -> Iterator[Spot]:
    """Ask each SLO whose traffic is known whether a total outage brings enough bad events to page."""
    for slo in case.slos:
        per_hour = None if isinstance(slo.sli, SlicedSli) else volume.per_hour(slo, case)
        pages = [tier for tier in tiers_of(slo) if tier.severity is Severity.PAGE]
        if per_hour is None or not pages:
            continue
        told = [budget.detection_s(tier, slo.objective, 1.0, per_hour / 3600) for tier in pages]
        if all(one is None for one in told):
            needed = min(
                max(tier.min_bad * 3600 / tier.long_s, tier.min_bad_short * 3600 / tier.short_s) for tier in pages
            )
            yield Spot(
                slo.place,
                f"{per_hour:.3g} events an hour are too few: not even a total outage pages below {needed:.3g}",
                "take in more (a wider `select`, no `group_by`), judge by time with `good_when` and a probe, or be "
                "content with tickets: `page: {disable: true}`",
            )


LINT = Lint("traffic/low", Level.WARNING, "traffic so low that nothing pages", ask, Need.TRAFFIC)
