"""A fixed range that holds too few scrapes."""

from __future__ import annotations

from collections.abc import Iterator

from llmslo_rulegen import durations
from llmslo_rulegen.finding import Level
from llmslo_rulegen.lints import written
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.lints.lint import Lint, Spot

SCRAPES = 4  # one may fail, and Prometheus 3 leaves the first sample of a range out (slo-rules 5.1, 16)
_NEED_TWO = {"rate", "increase", "irate", "delta", "idelta", "deriv", "resets", "changes"}


def ask(case: Case) -> Iterator[Spot]:
    """Ask each fixed range under a function that compares samples whether it holds four scrapes."""
    for slo in case.slos:
        least_s = SCRAPES * slo.scrape_interval_s
        for part in written.parts(slo.sli):
            for use in part.uses:
                if use.range_s and use.range_s < least_s and use.calls and use.calls[0] in _NEED_TWO:
                    shown = durations.show(use.range_s)
                    scrape = durations.show(slo.scrape_interval_s)
                    text = f"[{shown}] holds too few scrapes of {scrape} for {use.calls[0]}: gaps whenever one is late"
                    yield Spot(slo.place, text, f"write `[{durations.show(least_s)}]` or more", part.at, f"[{shown}]")


LINT = Lint("sli/range", Level.WARNING, "a range of fewer than four scrapes", ask)
