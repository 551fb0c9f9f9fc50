"""What to ask Prometheus first when an alert of an SLO came: short queries for a person, from the catalog.

The rules count more exactly (replicas, resets, late series) and are too long to read; these show where to look.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from llmslo_exporter import catalog
from llmslo_exporter.catalog import Part, Selection
from llmslo_rulegen import events, promql
from llmslo_rulegen.slo import CatalogSli, EventsSli, HistogramSli, Op, SlicedSli, Slo

MOST_SERIES = 10
LOSS_WINDOW = "1h"


@dataclass(frozen=True, slots=True)
class Query:
    """PromQL and what its answer says."""

    title: str
    expression: str


def budget_left(slo: Slo) -> Query:
    """Return the share of the budget that is left."""
    return Query("Budget left, 1 for all of it", f"1 - {catalog.SPENT}{events.identity(slo)}")


def bad_share(slo: Slo, window_s: int) -> Query:
    """Return the bad share as recorded; `window_s` is the short window of a tier."""
    ids, ending = events.identity(slo), f"{catalog.INCREASE}{promql.duration(window_s)}"
    share = f"{catalog.BAD}{ending}{ids} / {catalog.TOTAL}{ending}{ids}"
    return Query(f"Bad share of the last {promql.duration(window_s)}", share)


def other_alerts(slo: Slo) -> Query:
    """Return what else fires for the service."""
    service = f"{catalog.SERVICE_LABEL}={promql.string(slo.service)}"
    return Query("What else fires for this service", f'ALERTS{{alertstate="firing",{service}}}')


def causes(slo: Slo, window_s: int) -> Iterator[Query]:
    """Yield the events of the last `window_s` by what tells them apart."""
    sli, window = slo.sli, promql.duration(window_s)
    if isinstance(sli, CatalogSli):
        found = events.definition(sli)
        for title, selections in (("Bad", found.bad), ("All", found.total), ("Good", found.good)):
            for selection in selections:
                yield Query(f"{title} events: {selection.metric.name}", _by_label(sli, selection, window))
        if sli.source == catalog.OWN:
            yield from _of_exporter(sli)
    elif isinstance(sli, EventsSli):
        for title, template in (("Bad", sli.bad), ("Good", sli.good), ("All", sli.total)):
            if template is not None:
                yield Query(f"{title} events, as the SLO file has them", template.replace(events.WINDOW, window))
    elif isinstance(sli, HistogramSli):
        for counter in events.counters(slo):
            counted = f"increase({counter}[{window}])"
            yield Query("All observations", f"topk({MOST_SERIES}, {counted})")
    else:
        yield _sliced(sli)


def liveness(slo: Slo) -> Iterator[Query]:
    """Yield which targets are down, and who still shows the metric."""
    yield Query("Targets that do not answer", f"{UP} == 0")
    if isinstance(slo.sli, CatalogSli):
        series = events.source(slo.sli.source).liveness
        yield Query("Processes that show they live", f"count by (job, instance) ({series})")
    for counter in events.counters(slo):
        yield Query("When the metric was last seen, in Unix time", f"max(max_over_time(timestamp({counter})[1d:5m]))")


UP = "up"


def _by_label(sli: CatalogSli, selection: Selection, window: str) -> str:
    fixed = {each.label for each in sli.select if each.op is Op.EQUAL}
    fixed |= {label.name for label, values in selection.values if len(values) == 1}
    labels = ", ".join(label.name for label in selection.metric.labels if label.name not in fixed)
    own = [promql.any_of(label.name, values) for label, values in selection.values]
    name = selection.metric.name
    if selection.metric.is_histogram and not sli.native:
        name += "_count" if selection.part is Part.COUNT else "_bucket"
    if selection.part is Part.WITHIN and sli.threshold is not None and not sli.native:
        own.append(promql.upper_edge(sli.threshold))
    counted = f"sum by ({labels}) (increase({promql.selector(name, (*sli.select, *own))}[{window}]))"
    if sli.native and selection.metric.is_histogram:
        counted = f"histogram_count({counted})"
        if selection.part is Part.WITHIN and sli.threshold is not None:
            inner = counted.removeprefix("histogram_count(").removesuffix(")")
            counted = f"histogram_fraction(0, {promql.number(sli.threshold)}, {inner})"
    return f"topk({MOST_SERIES}, {counted} > 0)"


def _of_exporter(sli: CatalogSli) -> Iterator[Query]:
    oldest = promql.selector(catalog.OLDEST.name, sli.select)
    labels = ", ".join(label.name for label in catalog.OLDEST.labels)
    yield Query("Who waits longest right now, in seconds", f"topk({MOST_SERIES}, max by ({labels}) ({oldest}) > 0)")
    lost = catalog.EVENTS_LOST
    by = ", ".join(label.name for label in lost.labels)
    yield Query("What the exporter lost", f"sum by ({by}) (increase({lost.name}[{LOSS_WINDOW}])) > 0")


def _sliced(sli: SlicedSli) -> Query:
    title = "The condition of a good slice" if sli.condition else "The bad share of this instant"
    return Query(title, sli.expression)
