"""What the metrics of a source say in a baseline's terms: which series are wanted, and cells of what they counted.

A histogram knows its values by its own buckets only. What one of them holds is put at its upper edge, as slow as it may
have been (a rate: as low), so that `Sketch.within` is exact at the edges that the histogram has, and at those it lacks
promises too little, never too much.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from math import inf, isnan

import numpy as np

from llmslo_exporter import catalog
from llmslo_exporter.catalog import Metric, Part, Selection, Sli
from llmslo_rulegen.baseline.baseline import Baseline
from llmslo_rulegen.baseline.cell import OK, Cell, Kind, Quantity
from llmslo_rulegen.baseline.gathering import Kinds
from llmslo_rulegen.baseline.sketch import Sketch, edges
from llmslo_rulegen.traces import failures, text
from llmslo_rulegen.traces.otlp import UNKNOWN_SERVICE

LE = "le"
_BUCKET, _COUNT = "_bucket", "_count"
_QUANTITIES = {
    "latency": Quantity.DURATION,
    "ttft": Quantity.TTFT,
    "tpot": Quantity.TPOT,
    "throughput": Quantity.THROUGHPUT,
}
_OF_STREAMS = (Quantity.TTFT, Quantity.TPOT, Quantity.THROUGHPUT)
# Who measures at an engine or a proxy knows no streams: a first token is one of any answer.
_ALL_ALIKE = frozenset({"vllm", "sglang", "tgi", "envoy-ai-gateway"})
_ALL = "all"  # events of which only the good ones are counted apart
_CUT = "stream_interrupted"
_STREAMS = {"completed": OK, "error_event": _CUT, "truncated": _CUT, "client_cancelled": "client_cancelled"}
_HTTP = {"2xx": OK, "4xx": "invalid_request", "5xx": "server_error"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Series to be read: `labels` matter, `values` narrow them. `quantity`: they are a histogram's buckets.

    `otherwise` is the outcome of events that no label tells.
    """

    source: str
    metric: Metric
    series: str
    labels: tuple[str, ...]
    values: tuple[tuple[str, tuple[str, ...]], ...] = ()
    quantity: Quantity | None = None
    otherwise: str = OK


@dataclass(frozen=True, slots=True)
class Counted:
    """How many events a series counted within an hour (its number since the epoch)."""

    wanted: Wanted
    labels: Mapping[str, str]
    hour: int
    events: float


@dataclass(slots=True)
class _Pot:
    outcomes: dict[str, float] = field(default_factory=dict)
    streams: dict[str, float] = field(default_factory=dict)
    finishes: dict[str, float] = field(default_factory=dict)
    spreads: dict[Quantity, dict[float, float]] = field(default_factory=dict)


@cache
def wanted(source: str) -> tuple[Wanted, ...]:
    """Return the series of a source that a baseline has room for, each once; raises UnknownSourceError."""
    slis = catalog.source(source).slis
    histograms = (_histogram(source, sli, part) for sli in slis for part in sli.bad + sli.good if _is_value(sli, part))
    counters = (_counter(source, sli, part) for sli in slis for part in sli.total + sli.bad + sli.good if not sli.edges)
    return tuple({(one.series, one.quantity): one for one in (*histograms, *counters)}.values())


def baseline(counted: Iterable[Counted]) -> Baseline:
    """Return the baseline of what was counted; parts of an event are rounded."""
    pots: dict[tuple[Kind, int], _Pot] = {}
    kinds = Kinds()
    for one in counted:
        if 0 < one.events < inf:
            _count(pots.setdefault((kinds.admit(_kind(one)), one.hour), _Pot()), one)
    for (kind, hour), pot in list(pots.items()):
        if pot.streams:
            streams = pots.setdefault((_with_stream(kind), hour), _Pot())
            for name, events in _taken(pot.outcomes, pot.streams).items():
                _add(streams.outcomes, name, events)
    found = ((at, _cell(pot)) for at, pot in pots.items())
    return Baseline({at: cell for at, cell in found if cell.outcomes or cell.finishes or cell.spreads})


def sketched(cumulative: Mapping[float, float], *, is_rate: bool) -> Sketch:
    """Return the sketch of a histogram's cumulative buckets by upper edge; `is_rate`: more is better."""
    known = edges()
    at: Counter[int] = Counter()
    before = 0
    for lower, upper in pairwise((0.0, *sorted(cumulative))):
        count = max(before, round(cumulative[upper]))
        if count > before:
            place = (
                np.searchsorted(known, lower, side="right") if is_rate else np.searchsorted(known, upper, side="left")
            )
            at[int(place)] += count - before
        before = count
    return Sketch(tuple(sorted(at)), tuple(at[place] for place in sorted(at)))


def _is_value(sli: Sli, part: Selection) -> bool:
    return part.part is Part.WITHIN and sli.name in _QUANTITIES


def _histogram(source: str, sli: Sli, part: Selection) -> Wanted:
    values = (*_chosen(source, part.metric), *((label.name, names) for label, names in part.values))
    labels = (*_telling(source, part.metric), LE)
    return Wanted(source, part.metric, part.metric.name + _BUCKET, labels, values, _QUANTITIES[sli.name])


def _counter(source: str, sli: Sli, part: Selection) -> Wanted:
    metric = part.metric
    series = metric.name + _COUNT if part.part is Part.COUNT else metric.name
    apart = sorted(_apart(source, metric))
    is_good = not sli.good or any(metric is one.metric for one in sli.good)
    labels = (*_telling(source, metric), *apart)
    return Wanted(source, metric, series, labels, _chosen(source, metric), None, OK if is_good else _ALL)


def _chosen(source: str, metric: Metric) -> tuple[tuple[str, tuple[str, ...]], ...]:
    label, usual = catalog.ONE_OF.get(source, (None, ""))
    return () if label is None or label not in metric.labels else ((label.name, (usual,)),)


def _telling(source: str, metric: Metric) -> tuple[str, ...]:
    found = (_label(source, metric, one) for one in ("service", "operation", "provider", "model", "stream"))
    return tuple(name for name in found if name)


@cache
def _label(source: str, metric: Metric, told: str) -> str:
    """Return the label that tells a field of a kind; empty where none does."""
    if told == "service" and source != catalog.OWN:
        return catalog.JOB.name
    return next((label.name for label in catalog.TELLING[told] if label in metric.labels), "")


@cache
def _apart(source: str, metric: Metric) -> frozenset[str]:
    """Return the labels by which the SLIs of a source tell a metric's events apart."""
    parts = (part for sli in catalog.source(source).slis for part in sli.total + sli.bad + sli.good)
    return frozenset(label.name for part in parts if part.metric is metric for label, _ in part.values)


def _kind(one: Counted) -> Kind:
    wants = one.wanted
    service, operation, provider, model, stream = (
        one.labels.get(_label(wants.source, wants.metric, told), "")
        for told in ("service", "operation", "provider", "model", "stream")
    )
    is_stream = stream == "true" or (wants.quantity in _OF_STREAMS and wants.source not in _ALL_ALIKE)
    return Kind(wants.source, service or UNKNOWN_SERVICE, operation, provider, model, is_stream)


def _with_stream(kind: Kind) -> Kind:
    return Kind(kind.source, kind.service, kind.operation, kind.provider, kind.model, stream=True)


def _count(pot: _Pot, one: Counted) -> None:
    if one.wanted.quantity is not None:
        edge = _edge(one.labels.get(LE, ""))
        if edge is not None:
            spread = pot.spreads.setdefault(one.wanted.quantity, {})
            spread[edge] = spread.get(edge, 0.0) + one.events
        return
    metric = one.wanted.metric
    if metric is catalog.FINISHES:
        _add(pot.finishes, one.labels.get(catalog.FINISH_REASON.name, ""), one.events)
    elif metric is catalog.STREAMS:
        _add(pot.streams, _STREAMS.get(one.labels.get(catalog.STREAM_OUTCOME.name, ""), ""), one.events)
    else:
        _add(pot.outcomes, _outcome(one), one.events)


def _edge(told: str) -> float | None:
    try:
        found = float(told)
    except ValueError:
        return None
    return None if isnan(found) else found


def _add(counts: dict[str, float], name: str, events: float) -> None:
    counts[name] = counts.get(name, 0.0) + events


def _outcome(one: Counted) -> str:
    wants = one.wanted
    apart = sorted(_apart(wants.source, wants.metric))
    if not apart:
        return wants.otherwise
    told = one.labels.get(apart[0], "")
    if wants.source == catalog.OWN:
        return told
    if wants.source == "vllm":
        return _HTTP.get(told, failures.OTHER)
    if wants.source == "litellm":
        return failures.of_status(text.status(told) or 0)
    return failures.failure(iter((told,)), None) if told else OK


def _taken(outcomes: dict[str, float], streams: Mapping[str, float]) -> Mapping[str, float]:
    """Move what is known of streams out of all outcomes, so that no call counts twice; return it."""
    found = {name: min(events, outcomes[name]) for name, events in streams.items() if name in outcomes}
    for name, events in found.items():
        outcomes[name] -= events
    return found


def _cell(pot: _Pot) -> Cell:
    if _ALL in pot.outcomes:
        rest = pot.outcomes.pop(_ALL) - pot.outcomes.get(OK, 0.0)
        _add(pot.outcomes, failures.OTHER, max(0.0, rest))
    spreads = (
        (each, sketched(pot.spreads[each], is_rate=each is Quantity.THROUGHPUT))
        for each in Quantity
        if each in pot.spreads
    )
    return Cell(_whole(pot.outcomes), tuple(pair for pair in spreads if pair[1].at), _whole(pot.finishes))


def _whole(counts: Mapping[str, float]) -> tuple[tuple[str, int], ...]:
    rounded = ((name, round(events)) for name, events in sorted(counts.items()) if name)
    return tuple((name, events) for name, events in rounded if events > 0)
