"""A gauge that is counted as if it were a counter."""

from __future__ import annotations

from collections.abc import Iterator

from llmslo_exporter.catalog import MetricType
from llmslo_rulegen.finding import Level
from llmslo_rulegen.lints import known, written
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.lints.lint import Lint, Spot

_COUNTING = {"rate", "increase", "irate", "resets"}
# Endings that OpenMetrics and custom give to gauges, never to counters.
_GAUGES = (
    "_info",
    "_ratio",
    "_percent",
    "_celsius",
    "_in_flight",
    "_inflight",
    "_temperature",
    "_usage",
    "_utilization",
)


def ask(case: Case) -> Iterator[Spot]:
    """Ask what is under `rate` or `increase` whether it is a gauge: by the catalog, its name, or a Prometheus."""
    for slo in case.slos:
        for part in written.parts(slo.sli):
            rated = [use.name for use in part.uses if use.calls[:1] and use.calls[0] in _COUNTING]
            for name in dict.fromkeys(rated):
                if name and _is_gauge(name, case):
                    text = f"{name[:80]} is a gauge: each time it falls, rate and increase take it for a new beginning"
                    fix = f"count a counter, or judge by time: `good_when: {name[:80]} < LIMIT`"
                    yield Spot(slo.place, text, fix, part.at, name)


def _is_gauge(name: str, case: Case) -> bool:
    metric = known.metric(name)
    if metric is not None:
        return metric.type is MetricType.GAUGE
    if case.server is not None and (types := case.server.types(name)):
        return types == {"gauge"}
    return name.endswith(_GAUGES)


LINT = Lint("sli/gauge-rate", Level.ERROR, "a gauge under rate or increase", ask)
