"""A scrape interval that is not what targets have."""

from __future__ import annotations

from collections.abc import Iterator

from llmslo_rulegen import durations, events
from llmslo_rulegen.finding import Level
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.lints.lint import ROOT, Lint, Need, Spot

_OVER_S = 1200
_SLACK = 1.5  # a scrape or two that failed, and the ends of the range


def ask(case: Case) -> Iterator[Spot]:
    """Ask the server how many samples twenty minutes hold, against the interval that the file names."""
    if case.server is None:
        return
    for slo in case.slos:
        for counter in events.counters(slo)[:1]:
            answers = case.server.ask(f"max(count_over_time({counter}[{_OVER_S}s]))")
            if answers and answers[0].value > 1:
                real_s = _OVER_S / answers[0].value
                if real_s > _SLACK * slo.scrape_interval_s:
                    shown = durations.show(_round(real_s))
                    text = f"targets are scraped about every {shown}, the rules are made for "
                    text += durations.show(slo.scrape_interval_s)
                    yield Spot(slo.place, text, f"write `scrape_interval: {shown}`", (ROOT, "scrape_interval"))


def _round(seconds: float) -> int:
    return int(max(5, round(seconds / 5) * 5))


LINT = Lint("online/scrape-interval", Level.WARNING, "targets are scraped less often than said", ask, Need.PROMETHEUS)
