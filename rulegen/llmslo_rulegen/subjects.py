"""What an SLO counts, told from its own text and the catalog, without a look at the rules made for it."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence

from llmslo_exporter import catalog
from llmslo_exporter.catalog import Selection
from llmslo_rulegen import promql, samples, slices, terms
from llmslo_rulegen.kinds import Kinds, Labels, Part, Term, kinds
from llmslo_rulegen.slo import CatalogSli, EventsSli, HistogramSli, Matcher, Op, SlicedSli, Slo

QUOTED = "names in quotes need promtool 3 or later"
NATIVE = "native histograms need promtool 3 or later"
GROUPS = 2  # one is bad, the other one is not
_NAMED = ("one", "two")
_NOTHING = Kinds((), (), ())


class UntestableError(Exception):
    """The events of an SLI cannot be told from its text; the message says why."""


def groups(slo: Slo) -> tuple[tuple[Labels, Kinds], ...]:
    """Return labels and kinds of events of one group, or of two where `group_by` leaves a choice."""
    if isinstance(slo.sli, SlicedSli):
        return tuple((labels, _NOTHING) for labels in _sliced(slo, slo.sli))
    bad, total, known = _terms(slo)
    names = {name for term in (*bad, *total) for name in (term.metric, *(each.label for each in term.matchers))}
    if not all(map(promql.is_plain, names)):
        raise UntestableError(QUOTED)
    found = [(labels, kinds(bad, total, known, labels)) for labels in _labels(slo, [*bad, *total])]
    if not all(each.good and each.bad for _, each in found):
        msg = "no series can be named that would count one good and one bad event"
        raise UntestableError(msg)
    return tuple(found)


def _labels(slo: Slo, of: Sequence[Term]) -> list[Labels]:
    choices = [(label, _values(of, label)) for label in slo.group_by]
    count = GROUPS if any(len(values) > 1 for _, values in choices) else 1
    return [
        tuple(sorted((label, values[min(index, len(values) - 1)]) for label, values in choices))
        for index in range(count)
    ]


def _sliced(slo: Slo, sli: SlicedSli) -> list[Labels]:
    """Return the groups of slices of time, if input can be found that makes one good and one bad."""
    found = _labels(slo, ())
    try:
        for labels in found:
            list(slices.states(sli, labels, (0.0, 1.0)))
    except terms.NotLinearError as error:
        raise UntestableError(str(error)) from error
    return found


def _values(of: Sequence[Term], label: str) -> tuple[str, ...]:
    """Return values of `label` that every term takes."""
    matchers = [matcher for term in of for matcher in term.matchers if matcher.label == label]
    if not matchers:
        return _NAMED
    return tuple(value for value in samples.accepted(matchers) if value) or ("",)


def _terms(slo: Slo) -> tuple[tuple[Term, ...], tuple[Term, ...], Mapping[str, Sequence[str]]]:
    try:
        match slo.sli:
            case CatalogSli():
                return _of_catalog(slo.sli)
            case EventsSli():
                return *terms.of_events(slo.sli), {}
            case HistogramSli():
                if slo.sli.native:
                    raise UntestableError(NATIVE)
                return *terms.of_histogram(slo.sli), {}
            case SlicedSli():
                msg = "slices of time have no events of their own"
                raise UntestableError(msg)
    except terms.NotLinearError as error:
        raise UntestableError(str(error)) from error


def _of_catalog(sli: CatalogSli) -> tuple[tuple[Term, ...], tuple[Term, ...], Mapping[str, Sequence[str]]]:
    if sli.native:
        raise UntestableError(NATIVE)
    found = catalog.source(sli.source).sli(sli.name)
    metrics = {selection.metric for selection in (*found.bad, *found.good, *found.total)}
    known = {label.name: label.values for metric in metrics for label in metric.labels if label.values}
    bad, good, total = (tuple(_selected(each, sli) for each in of) for of in (found.bad, found.good, found.total))
    return bad or terms.rest(total, good), total, known


def _selected(selection: Selection, sli: CatalogSli) -> Term:
    listed = (
        Matcher(label.name, Op.MATCH, "|".join(re.escape(value) for value in values))
        for label, values in selection.values
    )
    return Term(
        selection.metric.name,
        (*listed, *sli.select),
        1.0,
        Part(selection.part.value),
        _edges(selection.metric.buckets, sli.threshold),
    )


def _edges(buckets: Sequence[float], threshold: float | None) -> tuple[float, float, float]:
    """Return the threshold between the edges next to it; 0 below the first one, twice the threshold above the last."""
    if threshold is None or not buckets:
        return (0.0, 0.0, 0.0)
    at = bisect_left(buckets, threshold)
    return (
        float(buckets[at - 1]) if at else 0.0,
        float(threshold),
        float(buckets[at + 1]) if at + 1 < len(buckets) else 2.0 * threshold,
    )
