"""A threshold in an own expression that is no bucket of the histogram."""

from __future__ import annotations

from collections.abc import Iterator

from llmslo_exporter import catalog
from llmslo_rulegen.finding import Level
from llmslo_rulegen.lints import known, written
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.lints.lint import Lint, Spot
from llmslo_rulegen.lints.written import Use
from llmslo_rulegen.slo import HistogramSli, Op, Sli

_SAME = 1e-5  # relative, as where SLIs of the catalog are read


def ask(case: Case) -> Iterator[Spot]:
    """Ask `le`, and the threshold of a histogram, for a bucket edge where the catalog knows the histogram."""
    for slo in case.slos:
        if isinstance(slo.sli, HistogramSli) and slo.sli.native:
            continue
        for part in written.parts(slo.sli):
            for use in part.uses:
                metric = known.metric(use.name)
                edge = _edge(slo.sli, use)
                if metric is None or edge is None or not metric.buckets or _is_edge(edge, metric):
                    continue
                near = sorted(metric.buckets, key=lambda one: abs(one - edge))[:2]
                shown = " or ".join(f"{one:g}" for one in sorted(near))
                text = f"no bucket of {metric.name} ends at {edge:g}, so nothing is counted"
                at = ("threshold",) if isinstance(slo.sli, HistogramSli) else part.at
                yield Spot(slo.place, text, f"write {shown}", at, "" if at == ("threshold",) else f"{edge:g}")


def _edge(sli: Sli, use: Use) -> float | None:
    if isinstance(sli, HistogramSli):
        return sli.threshold
    for matcher in use.matchers:
        if matcher.label == "le" and matcher.op is Op.EQUAL:
            try:
                return float(matcher.value)
            except ValueError:
                return None
    return None


def _is_edge(edge: float, metric: catalog.Metric) -> bool:
    return edge == float("inf") or any(abs(one - edge) <= _SAME * one for one in metric.buckets)


LINT = Lint("sli/off-edge", Level.ERROR, "a threshold that is no bucket edge", ask)
