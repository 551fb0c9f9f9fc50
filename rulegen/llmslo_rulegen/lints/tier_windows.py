"""Windows of a burn alert that do not fit each other or the window of the budget."""

from __future__ import annotations

from collections.abc import Iterator

from llmslo_rulegen import durations
from llmslo_rulegen.finding import Level
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.lints.lint import Lint, Spot

LONGEST_SHARE = 4  # a long window is at most a quarter of the SLO's
_SHORTER = 12  # what the workbook's short windows are of the long ones


def ask(case: Case) -> Iterator[Spot]:
    """Ask each tier of a team's own whether short < long <= a quarter of the SLO's window."""
    for slo in case.slos:
        longest_s = slo.window.seconds // LONGEST_SHARE
        for number, tier in enumerate(slo.alerting.tiers or ()):
            if not tier.short_s < tier.long_s <= longest_s:
                long_s = min(tier.long_s, longest_s)
                short_s = tier.short_s if tier.short_s < long_s else max(long_s // _SHORTER, 1)
                found = f"short {durations.show(tier.short_s)} and long {durations.show(tier.long_s)} do not fit"
                yield Spot(
                    slo.place,
                    f"{found}, needed is short < long <= {durations.show(longest_s)}, a quarter of the window",
                    f"write `long: {durations.show(long_s)}, short: {durations.show(short_s)}`",
                    ("alerting", "tiers", number, "long"),
                )


LINT = Lint("tier/windows", Level.ERROR, "windows of a burn alert that do not fit", ask)
