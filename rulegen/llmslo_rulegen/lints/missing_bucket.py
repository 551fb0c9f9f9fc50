"""A threshold that is no bucket of the histogram that a server has."""

from __future__ import annotations

from collections.abc import Iterator

from llmslo_rulegen import events
from llmslo_rulegen.finding import Level
from llmslo_rulegen.lints import written
from llmslo_rulegen.lints.case import Case
from llmslo_rulegen.lints.lint import Lint, Need, Spot
from llmslo_rulegen.promql import selector
from llmslo_rulegen.slo import CatalogSli, HistogramSli, Slo

_SAME = 1e-5


def ask(case: Case) -> Iterator[Spot]:
    """Ask the server for the edges of each classic histogram: its configuration may have others than the catalog."""
    if case.server is None:
        return
    for slo in case.slos:
        edge, buckets = _edge(slo)
        if edge is None or not buckets:
            continue
        answers = case.server.ask(f"count by (le) (last_over_time({buckets}[1h]))")
        edges = sorted({float(one.labels["le"]) for one in answers if _is_number(one.labels.get("le", ""))})
        if edges and not any(abs(one - edge) <= _SAME * abs(edge) for one in edges):
            near = sorted(sorted(edges, key=lambda one: abs(one - edge))[:2])
            shown = " or ".join(f"{one:g}" for one in near)
            text = f"the server has no bucket that ends at {edge:g} in {buckets[:120]}, so nothing is good"
            yield Spot(slo.place, text, f"write a threshold of {shown}, or add the bucket", ("threshold",))


def _edge(slo: Slo) -> tuple[float | None, str]:
    sli = slo.sli
    if isinstance(sli, CatalogSli) and not sli.native and sli.threshold is not None:
        names = [one.metric.name for one in events.definition(sli).good if one.metric.buckets]
        return sli.threshold, selector(f"{names[0]}_bucket", sli.select) if names else ""
    if isinstance(sli, HistogramSli) and not sli.native:
        (use,) = written.parts(sli)[0].uses
        return sli.threshold, selector(f"{use.name}_bucket", use.matchers)
    return None, ""


def _is_number(text: str) -> bool:
    try:
        return float(text) < float("inf")
    except ValueError:
        return False


LINT = Lint("online/bucket", Level.ERROR, "no such bucket on the server", ask, Need.PROMETHEUS)
