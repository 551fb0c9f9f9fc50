"""An SLO of which nobody hears."""

from __future__ import annotations

from collections.abc import Iterator

from llmslo_rulegen.alerts import tiers_of
from llmslo_rulegen.finding import Level
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.lints.lint import Lint, Spot


def ask(case: Case) -> Iterator[Spot]:
    """Ask each SLO whether a burn alert is left."""
    for slo in case.slos:
        if not tiers_of(slo):
            off = " and ".join(sorted(one.value for one in slo.alerting.disabled))
            yield Spot(
                slo.place,
                f"no burn alert is left: {off} is disabled, so the budget goes unseen",
                "leave one severity on, such as `ticket: {disable: false}`",
                ("alerting",),
            )


LINT = Lint("tier/nobody", Level.WARNING, "no burn alert is on", ask)
