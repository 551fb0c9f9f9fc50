"""Which counters a call raises, so that an SLI counts it as what it was: the catalog's selections read backwards.

A span tells of a call whether it is good, bad or nothing to an SLI (`observed.slis`). The source's exporter would have
shown it by the values of the labels that the SLI selects by; of these, the ones that fit are found by trying. The
call's own outcome is taken wherever it fits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

from llmslo_exporter.catalog import Metric, Part, Selection, Sli
from llmslo_rulegen import promql
from llmslo_rulegen.backtest.vector import NAME, Labels, labels
from llmslo_rulegen.baseline.cell import OK

_OTHER = "_OTHER"  # as OpenTelemetry calls an error that it knows no class of


@dataclass(frozen=True, slots=True)
class Counter:
    """A series but for the labels that say whose calls it counts. `metric` is the base name of a histogram's."""

    metric: str
    key: Labels
    is_histogram: bool


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an SLI looks: one kind of series of one metric, and what must be true of its labels."""

    metric: Metric
    part: Part
    wanted: tuple[tuple[Selection, ...], ...]  # of each at least one selection holds
    refused: tuple[Selection, ...]


@lru_cache(maxsize=4096)
def raised(sli: Sli, threshold: float | None, outcome: str, *, is_good: bool) -> tuple[Counter, ...]:
    """Return the counters that one good or bad call of `outcome` ("" for success) raises."""
    decided = sli.bad or sli.good
    counts = is_good if sli.good else not is_good  # whether the deciding selections hold this call
    found: list[Counter] = []
    kinds = _kinds(sli.total)
    if counts:  # a failure that has a metric of its own is shown there and nowhere else
        kinds = tuple(sorted(kinds, key=lambda kind: not _of(decided, *kind)))
    for metric, part in kinds:
        total = _of(sli.total, metric, part)
        mine = _of(decided, metric, part)
        place = _Place(metric, part, (total, mine) if counts and mine else (total,), () if counts else mine)
        if (key := _labels(place, outcome)) is None:
            continue
        found += _counters(place, key, threshold)
        if counts and not mine:
            found += _apart(decided, metric, key, threshold, outcome)
        break
    return tuple(dict.fromkeys(found))


@lru_cache(maxsize=1024)
def beside(sli: Sli, threshold: float | None, counter: Counter) -> tuple[Counter, ...]:
    """Return the counters that a source shows as soon as it shows `counter`: the other ones of its histogram."""
    if not counter.is_histogram:
        return ()
    chosen = tuple(pair for pair in counter.key if pair[0] not in {NAME, "le"})
    parts = {part for metric, part in _kinds((*sli.total, *sli.bad, *sli.good)) if metric.name == counter.metric}
    return tuple(
        _counter(counter.metric, part, chosen, threshold) for part in sorted(parts, key=lambda part: part.value)
    )


def _apart(
    decided: Sequence[Selection], metric: Metric, key: Labels, threshold: float | None, outcome: str
) -> Iterator[Counter]:
    """Yield the counters of selections that look elsewhere than the total: a bucket beside all observations."""
    for other, part in _kinds(decided):
        place = _Place(other, part, (_of(decided, other, part),), ())
        chosen = key if other is metric else _labels(place, outcome)
        if chosen is not None:
            yield from _counters(place, chosen, threshold)


def _kinds(selections: Sequence[Selection]) -> tuple[tuple[Metric, Part], ...]:
    return tuple(dict.fromkeys((each.metric, each.part) for each in selections))


def _of(selections: Sequence[Selection], metric: Metric, part: Part) -> tuple[Selection, ...]:
    return tuple(each for each in selections if each.metric is metric and each.part is part)


def _labels(place: _Place, outcome: str) -> Labels | None:
    """Return values of the labels that are selected by, the call's own outcome first; None: nothing fits."""
    needed = (*(each for group in place.wanted for each in group), *place.refused)
    values: dict[str, list[str]] = {}
    for each in needed:
        for label, own in each.values:
            fits = not label.values or _said(outcome) in label.values
            first = (_said(outcome) if label.values else outcome,) if fits else ()
            values.setdefault(label.name, []).extend((*first, *own, *(label.values or (_OTHER,))))
    names = sorted(values)
    tried = [dict.fromkeys(values[name]) for name in names]
    for chosen in product(*tried):
        found = dict(zip(names, chosen, strict=True))
        if all(any(_holds(each, found) for each in group) for group in place.wanted) and not any(
            _holds(each, found) for each in place.refused
        ):
            return labels(found.items())
    return None


def _said(outcome: str) -> str:
    return outcome or OK


def _holds(selection: Selection, own: dict[str, str]) -> bool:
    return all(own.get(label.name, "") in values for label, values in selection.values)


def _counters(place: _Place, key: Labels, threshold: float | None) -> Iterator[Counter]:
    yield _counter(place.metric.name, place.part, key, threshold)


def _counter(metric: str, part: Part, key: Labels, threshold: float | None) -> Counter:
    if part is Part.EVENTS:
        return Counter(metric, labels((*key, (NAME, metric))), is_histogram=False)
    if part is Part.COUNT:
        return Counter(metric, labels((*key, (NAME, f"{metric}_count"))), is_histogram=True)
    edge = promql.number(threshold or 0.0)
    return Counter(metric, labels((*key, (NAME, f"{metric}_bucket"), ("le", edge))), is_histogram=True)
