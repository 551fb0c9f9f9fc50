"""A counter compared as it stands."""

from __future__ import annotations

from collections.abc import Iterator

from llmslo_exporter.catalog import MetricType
from llmslo_rulegen.finding import Level
from llmslo_rulegen.lints import known, written
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.lints.lint import Lint, Spot
from llmslo_rulegen.lints.written import Use
from llmslo_rulegen.slo import SlicedSli

_FINE = {"absent", "count", "group", "timestamp", "present_over_time", "absent_over_time"}


def ask(case: Case) -> Iterator[Spot]:
    """Ask what is judged by time whether it is a counter's plain value, which only grows until a restart."""
    for slo in case.slos:
        for part in written.parts(slo.sli) if isinstance(slo.sli, SlicedSli) else ():
            for use in part.uses:
                if use.range_s is None and _is_counter(use):
                    text = f"{use.name[:80]} is a counter: its value tells how long ago the process began"
                    fix = f"judge what it grew by, `increase({use.name[:80]}[5m])`"
                    yield Spot(slo.place, text, fix, part.at, use.name)


def _is_counter(use: Use) -> bool:
    if _FINE.intersection(use.calls):
        return False
    metric = known.metric(use.name)
    return use.name.endswith("_total") if metric is None else metric.type is not MetricType.GAUGE


LINT = Lint("sli/raw-counter", Level.WARNING, "a counter without rate or increase", ask)
