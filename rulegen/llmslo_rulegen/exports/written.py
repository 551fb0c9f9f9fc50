"""An SLO's events as templates of PromQL, whatever kind its SLI is of."""

from __future__ import annotations

from dataclasses import dataclass

from llmslo_exporter.catalog import Part, Selection
from llmslo_rulegen import events, promql, templates
from llmslo_rulegen.slo import CatalogSli, EventsSli, HistogramSli, SlicedSli, Slo
from llmslo_rulegen.templates import WINDOW


@dataclass(frozen=True, slots=True)
class Written:
    """Templates with `{{window}}` in place of the range: `part` counts what is bad, or good."""

    part: str
    total: str
    is_good: bool

    @property
    def bad(self) -> str:
        """What is bad; without a good event everything is."""
        if not self.is_good:
            return self.part
        return f"({self.total}) - (({self.part}) or 0 * ({self.total}))"


def written(slo: Slo) -> Written | None:
    """Return the templates of an SLO's events, grouped as it is; None where time is judged instead."""
    sli = slo.sli
    if isinstance(sli, SlicedSli):
        return None
    if isinstance(sli, EventsSli):
        part, total = (_grouped(text or "", slo.group_by) for text in (sli.bad or sli.good, sli.total))
        return Written(part, total, is_good=sli.bad is None)
    if isinstance(sli, HistogramSli):
        if sli.native:
            within, every = (_native(sli.selector, slo, edge) for edge in (sli.threshold, None))
        else:
            within, every = (_rate(series, slo) for series in events.selectors_of(sli))
        return Written(within, every, is_good=True)
    found = events.definition(sli)
    part = _selected(found.bad or found.good, sli, slo)
    return Written(part, _selected(found.total, sli, slo), is_good=not found.bad)


def sliced(slo: Slo, sli: SlicedSli) -> str:
    """Return the bad share of an instant, one series a group."""
    return events.slices(slo, sli)


def _grouped(template: str, labels: tuple[str, ...]) -> str:
    kept = templates.grouping(template)
    return template if kept == frozenset(labels) else promql.summed(template, labels)


def _rate(series: str, slo: Slo) -> str:
    return promql.summed(f"rate({series}[{WINDOW}])", slo.group_by)


def _native(series: str, slo: Slo, edge: float | None) -> str:
    """Return observations up to `edge`, or all; where there is none the fraction is NaN, which no comparison keeps."""
    merged = _rate(series, slo)
    counted = f"histogram_count({merged})"
    if edge is None:
        return counted
    return f"(histogram_fraction(0, {promql.number(edge)}, {merged}) * {counted}) >= 0"


def _selected(selections: tuple[Selection, ...], sli: CatalogSli, slo: Slo) -> str:
    metrics = {selection.metric for selection in selections}
    if len(selections) > 1 and len(metrics) == 1 and all(one.part is Part.EVENTS for one in selections):
        # Of one metric, told apart by label values: no series is in two of them.
        rates = (f"rate({series}[{WINDOW}])" for series in events.selectors(sli, selections))
        return promql.summed(" or ".join(rates), slo.group_by)
    terms = []
    for selection, series in zip(selections, events.selectors(sli, selections), strict=True):
        if sli.native and selection.metric.is_histogram:
            edge = sli.threshold if sli.threshold is not None else events.definition(sli).threshold
            terms.append(_native(series, slo, edge if selection.part is Part.WITHIN else None))
        else:
            terms.append(_rate(series, slo))
    return terms[0] if len(terms) == 1 else promql.summed(promql.total_of(terms), slo.group_by)
