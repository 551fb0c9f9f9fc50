"""An SLI of the catalog as a team chose it: source, labels, one role, a threshold that is a bucket edge."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from llmslo_exporter import catalog
from llmslo_rulegen import durations, measures, names, selecting
from llmslo_rulegen.errors import ExpressionError
from llmslo_rulegen.fields import Threshold
from llmslo_rulegen.measures import Measure
from llmslo_rulegen.remarks import Remarks
from llmslo_rulegen.slo import CatalogSli, Matcher, Op
from llmslo_rulegen.spec import SloShape

_UNKNOWN = "is no label of the metric (a scrape may add it)"
_SAME = 1e-5  # relative: some servers compute their bucket edges, and nobody writes all digits of those


def catalog_sli(one: SloShape, here: Remarks, *, snap: bool) -> CatalogSli | None:
    """Return the SLI that `one` names; None: `here` says why not. `snap` moves a threshold to the nearest edge."""
    name = str(one.sli)
    if one.source not in measures.SOURCES:
        text = f"no source is called {one.source[:60]}: {names.hint(one.source, measures.SOURCES)}"
        here.error("source", text, "source")
        return None
    measure = measures.measure(name, one.source)
    if measure is None:
        known = measures.slis(one.source)
        where = "the catalog" if one.source == catalog.OWN else f"source {one.source}"
        here.error("sli", f"{where} has no metric for an SLI {name[:60]}: {names.hint(name, known)}", "sli")
        return None
    select = tuple(_matchers(one, measure, here))
    labels = [label.name for label in measure.labels]
    for label in one.group_by:
        if label not in labels and (near := names.nearest(label, labels)):
            here.warn("group-by", f"{label} {_UNKNOWN}: did you mean {near}?", "group_by")
    threshold = _edge(one, measure, here, snap=snap)
    return CatalogSli(name, one.source, select, threshold, one.native)


def _matchers(one: SloShape, measure: Measure, here: Remarks) -> Iterator[Matcher]:
    known = {label.name: label for label in measure.labels}
    for label, choices in sorted(one.select.items()):
        if label in measure.taken or label == "le":
            here.error("select", f"{label} is what this SLI itself chooses by: leave it out", "select", label)
            continue
        if label not in known and (near := names.nearest(label, known)):
            here.warn("select", f"{label} {_UNKNOWN}: did you mean {near}?", "select", label)
        for choice in choices:
            values = known[label].values if label in known else ()
            if values and choice not in values and not choice.startswith(selecting.REGEX):
                text = f"{label} is never {choice[:60]!r}: {names.hint(choice, values)}"
                here.error("select", text, "select", label)
        try:
            yield selecting.matcher(label, choices)
        except ExpressionError as error:
            here.error("select", str(error), "select", label)
    if one.source in catalog.ONE_OF:
        yield from _one_of(one, here)


def _one_of(one: SloShape, here: Remarks) -> Iterator[Matcher]:
    """Yield the default of a label that has to be of one value: what passes a proxy is seen twice, in both roles."""
    label, default = catalog.ONE_OF[one.source]
    chosen = one.select.get(label.name)
    if chosen is None:
        yield Matcher(label.name, Op.EQUAL, default)
    elif len(chosen) > 1 or chosen[0] not in label.values:
        text = f"{label.name} selects {', '.join(chosen)[:60]}, one is needed: write {' or '.join(label.values)}"
        here.error(label.name, text, "select", label.name)


def _edge(one: SloShape, measure: Measure, here: Remarks, *, snap: bool) -> float | None:
    """Return the threshold in the metric's unit; with `snap` the nearest edge, said so."""
    if not measure.edges:
        if one.native:
            here.error("native", f"{one.sli} has no histogram: leave native out", "native")
        if one.threshold is not None:
            here.error("threshold", f"{one.sli} counts outcomes, nothing is compared: leave threshold out", "threshold")
        return None
    unit = "a duration such as 2s" if measure.is_time else "a number of tokens per second such as 20"
    if one.threshold is None:
        if measure.threshold is None:
            here.error("threshold", f"{one.sli} needs a threshold, {unit}: add one of {_shown(measure)}")
        return measure.threshold
    if one.threshold.is_time != measure.is_time:
        here.error("threshold", f"the threshold of {one.sli} is {unit}: write it so", "threshold")
        return None
    value = float(one.threshold.value)
    if one.native:
        return value
    for edge in measure.edges:
        if abs(edge - value) <= _SAME * edge:
            return edge
    return _snapped(one.threshold, measure, here, snap=snap)


def _snapped(threshold: Threshold, measure: Measure, here: Remarks, *, snap: bool) -> float | None:
    value = float(threshold.value)
    below = max((edge for edge in measure.edges if edge < value), default=None)
    above = min((edge for edge in measure.edges if edge > value), default=None)
    around = [edge for edge in (below, above) if edge is not None]
    shown = " and ".join(_unit(edge, measure) for edge in around)
    wrong = f"no bucket ends at {_unit(value, measure)}, nearest {shown}"
    if not snap:
        here.error("bucket", f"{wrong}: write one of them, or render with --snap", "threshold")
        return None
    nearest = min(around, key=lambda edge: (abs(edge - value), edge))
    here.warn("bucket", f"{wrong}: moved to {_unit(nearest, measure)} by --snap", "threshold")
    return nearest


def _unit(value: float, measure: Measure) -> str:
    return durations.show(Decimal(f"{value:.6g}")) if measure.is_time else f"{value:g}"


def _shown(measure: Measure) -> str:
    return ", ".join(_unit(edge, measure) for edge in measure.edges)
