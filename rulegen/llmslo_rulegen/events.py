"""What an SLI counts, as PromQL: bad and total events, one series per group.

The value is a count of events, not a rate and not a ratio; bad is 0 where there are events and none was bad. Ratios are
taken last, by whoever needs one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from llmslo_exporter import catalog
from llmslo_exporter.catalog import Part, Selection, Source
from llmslo_rulegen import promql
from llmslo_rulegen.counting import Count, When, histogram
from llmslo_rulegen.slo import CatalogSli, EventFunction, EventsSli, HistogramSli, Matcher, SlicedSli, Slo

WINDOW = "{{window}}"
SLICE_S = 60  # time is judged in minutes of the clock
# A template's counters: `rate(name{...}[{{window}}])`, nothing but a selector inside.
_STRING = r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|`[^`]*`"
_COUNTER = re.compile(
    rf"\b(?:rate|increase)\s*\(\s*((?:[a-zA-Z_:][\w:]*)?\s*(?:\{{(?:[^{{}}\"'`]|{_STRING})*\}})?)\s*\[\{{\{{window\}}\}}\]\s*\)"
)
_COMPARISONS = {"==", "!=", ">", "<", ">=", "<="}
_SELECTOR = re.compile(r"\s*([a-zA-Z_:][\w:]*)\s*(?:\{(.*)\})?\s*", re.DOTALL)


def total(slo: Slo, window_s: int) -> str:
    """Return PromQL for all events of the last `window_s` seconds."""
    return total_events(slo, Count(When.NOW, window_s, slo.scrape_interval_s))


def bad(slo: Slo, window_s: int) -> str:
    """Return PromQL for the bad events of the last `window_s` seconds, 0 where there are only good ones."""
    count = Count(When.NOW, window_s, slo.scrape_interval_s)
    return bad_events(slo, count, f"({total_events(slo, count)})")


def total_events(slo: Slo, count: Count) -> str:
    """Return PromQL for all events that `count` is about."""
    sli = slo.sli
    if isinstance(sli, CatalogSli):
        return _selections(slo, sli, definition(sli).total, count)
    if isinstance(sli, EventsSli):
        return count.at(promql.summed(_template(sli.total, sli.function, count), slo.group_by))
    if isinstance(sli, HistogramSli):
        return count.at(_observations(slo, sli, count, within=False))
    return count.at(_slices(slo, sli, count, "count_over_time"))


def bad_events(slo: Slo, count: Count, total_text: str) -> str:
    """Return PromQL for the bad events that `count` is about; `total_text` stands for all of them."""
    sli = slo.sli
    if isinstance(sli, CatalogSli):
        found = definition(sli)
        if found.bad:
            return _filled(_selections(slo, sli, found.bad, count), total_text)
        return _rest(_selections(slo, sli, found.good, count), total_text)
    if isinstance(sli, EventsSli):
        counted = count.at(promql.summed(_template(sli.bad or sli.good or "", sli.function, count), slo.group_by))
        return _rest(counted, total_text) if sli.bad is None else _filled(counted, total_text)
    if isinstance(sli, HistogramSli):
        return _rest(count.at(_observations(slo, sli, count, within=True)), total_text)
    return _filled(count.at(_slices(slo, sli, count, "sum_over_time")), total_text)


@lru_cache(maxsize=256)
def source(name: str) -> Source:
    """Return a source by its name; raise UnknownSourceError."""
    return catalog.source(name)


def definition(sli: CatalogSli) -> catalog.Sli:
    """Return what the SLI is made of; raise UnknownSourceError, UnknownSliError."""
    return source(sli.source).sli(sli.name)


def slices(slo: Slo, sli: SlicedSli) -> str:
    """Return PromQL for the bad share of this instant, 0 to 1, per group."""
    if not sli.condition:
        return f"clamp({_grouped('avg', sli.expression, slo.group_by)}, 0, 1)"
    is_good = _grouped("min", f"({_judged(sli.expression)}) != bool 0", slo.group_by)
    # Without a value nothing is good; which group that would be nobody knows.
    return f"1 - {is_good}" + ("" if slo.group_by else " or vector(1)")


@lru_cache(maxsize=256)
def _judged(expression: str) -> str:
    """Return a comparison as one that says 0 or 1: a filter drops what is bad, and passes a good 0."""
    import promql_parser  # noqa: PLC0415 -- only slices need it

    tree = promql_parser.parse(expression)
    while isinstance(tree, promql_parser.ParenExpr):
        tree = tree.expr
    if not isinstance(tree, promql_parser.BinaryExpr) or str(tree.op) not in _COMPARISONS or tree.modifier is not None:
        return expression
    return f"({tree.lhs.prettify()}) {tree.op} bool ({tree.rhs.prettify()})"


def counters(slo: Slo) -> tuple[str, ...]:
    """Return the selectors of the series that `total` is made of; empty where its PromQL does not tell."""
    sli = slo.sli
    if isinstance(sli, CatalogSli):
        return tuple(_series(sli, selection) for selection in definition(sli).total)
    if isinstance(sli, HistogramSli):
        return (sli.selector if sli.native else _member(sli.selector, "_count"),)
    if isinstance(sli, EventsSli):
        return tuple(dict.fromkeys(match[1].strip() for match in _COUNTER.finditer(sli.total)))
    return ()


def selectors(sli: CatalogSli, selections: tuple[Selection, ...]) -> tuple[str, ...]:
    """Return the series that `selections` of an SLI of the catalog are made of."""
    return tuple(_series(sli, each) for each in selections)


def selectors_of(sli: HistogramSli) -> tuple[str, str]:
    """Return the series of a classic histogram: observations within the threshold, and all of them."""
    return _member(sli.selector, "_bucket", promql.upper_edge(sli.threshold)), _member(sli.selector, "_count")


def identity(slo: Slo) -> str:
    """Return the matchers, in braces, of every record of `slo`."""
    return f"{{{catalog.SERVICE_LABEL}={promql.string(slo.service)},{catalog.SLO_LABEL}={promql.string(slo.name)}}}"


def _filled(counted: str, total_text: str) -> str:
    """A series of errors is missing until the first one."""
    return f"{counted} or 0 * {total_text}"


def _rest(good: str, total_text: str) -> str:
    """What is not good is bad; without a good event everything is."""
    return f"clamp_min({total_text} - ({good} or 0 * {total_text}), 0)"


def _selections(slo: Slo, sli: CatalogSli, selections: tuple[Selection, ...], count: Count) -> str:
    return promql.total_of(
        count.at(
            _native(_series(sli, each), sli, each.part, slo, count)
            if sli.native and each.metric.is_histogram
            else promql.summed(count.counter(_series(sli, each)), slo.group_by)
        )
        for each in selections
    )


def _series(sli: CatalogSli, selection: Selection) -> str:
    own = [promql.any_of(label.name, values, label.values) for label, values in selection.values]
    if selection.part is Part.EVENTS or sli.native:
        return promql.selector(selection.metric.name, (*sli.select, *own))
    if selection.part is Part.COUNT:
        return promql.selector(f"{selection.metric.name}_count", (*sli.select, *own))
    return promql.selector(f"{selection.metric.name}_bucket", (*sli.select, *own, promql.upper_edge(_edge(sli))))


def _edge(sli: CatalogSli) -> float:
    edge = sli.threshold if sli.threshold is not None else definition(sli).threshold
    if edge is None:
        msg = f"SLI {sli.name} compares with a threshold and has none: give the upper edge of a bucket"
        raise catalog.UnknownSliError(msg)
    return edge


def _native(series: str, sli: CatalogSli, part: Part, slo: Slo, count: Count) -> str:
    return _of_native(series, _edge(sli) if part is Part.WITHIN else None, slo, count)


def _of_native(series: str, edge: float | None, slo: Slo, count: Count) -> str:
    """Observations up to `edge` (None: all); where there was none the fraction is NaN, which no comparison keeps."""
    merged = promql.summed(histogram(series, WINDOW), slo.group_by)
    counted = f"histogram_count({merged})"
    if edge is not None:
        counted = f"(histogram_fraction(0, {promql.number(edge)}, {merged}) * {counted}) >= 0"
    return count.ranged(counted, WINDOW, per_second=False)


def _observations(slo: Slo, sli: HistogramSli, count: Count, *, within: bool) -> str:
    if sli.native:
        return _of_native(sli.selector, sli.threshold if within else None, slo, count)
    if not within:
        return promql.summed(count.counter(_member(sli.selector, "_count")), slo.group_by)
    edge = promql.upper_edge(sli.threshold)
    return promql.summed(count.counter(_member(sli.selector, "_bucket", edge)), slo.group_by)


def _member(selector: str, ending: str, *more: Matcher) -> str:
    """Return the selector of one of a histogram's series, from that of its base name."""
    found = _SELECTOR.fullmatch(selector)
    if found is None:
        msg = f"{selector} does not begin with a histogram's name: write name{{label=...}}"
        raise catalog.UnknownSliError(msg)
    name, inside = found[1], (found[2] or "").strip().removesuffix(",")
    matchers = [text for text in (inside, *map(promql.matcher, more)) if text]
    return f"{name}{ending}{{{','.join(matchers)}}}" if matchers else f"{name}{ending}"


def _template(text: str, function: EventFunction, count: Count) -> str:
    """Return the events of a template: counted exactly where its counters are plain selectors."""
    exact, _ = _COUNTER.subn(_counted(count), text)
    if WINDOW not in exact:
        return exact
    return count.ranged(
        text,
        WINDOW,
        per_second=function is EventFunction.RATE,
        sampled=function.is_sampled,
    )


def _counted(count: Count) -> Callable[[re.Match[str]], str]:
    return lambda match: f"({count.counter(match[1].strip())})"


def _slices(slo: Slo, sli: SlicedSli, count: Count, function: str) -> str:
    del sli  # what it says is recorded, and read here
    seen = f"{function}({catalog.SLICE_BAD}{identity(slo)}[{WINDOW}:{promql.duration(SLICE_S)}])"
    return count.ranged(promql.summed(seen, slo.group_by), WINDOW, per_second=False, sampled=True)


def _grouped(operator: str, expression: str, labels: tuple[str, ...]) -> str:
    return f"{operator} by ({', '.join(labels)}) ({expression})" if labels else f"{operator}({expression})"
