"""The bounded store of time series: label sets, what each has counted, and the cap over all of them.

A label set is the values of a metric's shared labels. It is held whole or not at all: when a series of it no longer
fits under the cap, the set is given up and counts under `_other` from then on, so that no ratio is ever made of one
half of a workload's traffic.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from threading import Lock

from llmslo_exporter import catalog
from llmslo_exporter.catalog import OTHER, SERIES_DROPPED, Label, Limits, Metric, MetricType

Values = tuple[str, ...]

# Held back for the `_other` sets: all of them, with every closed value, take some 4 000 series.
OVERFLOW_SERIES = 4_000
# A full store takes no new label set until so much is free again, lest sets come and go at the edge.
REOPEN_BELOW = 0.9


@dataclass(frozen=True, slots=True)
class Update:
    """One step of one series. `value` None makes the series exist and changes nothing."""

    metric: Metric
    extra: Values = ()
    value: float | None = 1.0


@dataclass(slots=True)
class Distribution:
    """A histogram's state: observations per bucket (the last is +Inf), not cumulated, and their sum."""

    counts: list[int]
    sum: float = 0.0


@dataclass(frozen=True, slots=True)
class Reading:
    """What one series says at a scrape."""

    labels: Values
    value: float | Distribution


@dataclass(slots=True)
class _LabelSet:
    used_s: float
    series: dict[tuple[str, Values], list[float] | Distribution] = field(default_factory=dict)
    cost: int = 0


class Store:
    """Series of the catalog's metrics, at most `limits.series` of them; safe to use from several threads.

    `clock` gives seconds that only grow. Groups of metrics are told apart by the number of their shared labels.
    """

    def __init__(self, clock: Callable[[], float], limits: Limits) -> None:
        self._clock = clock
        self._limits = limits
        self._shared: dict[int, tuple[Label, ...]] = {len(metric.shared): metric.shared for metric in catalog.METRICS}
        self._zeros = {
            size: tuple(Update(m, extra, None) for m in catalog.METRICS if len(m.shared) == size for extra in m.zeros)
            for size in self._shared
        }
        self._sets: dict[Values, _LabelSet] = {}
        self._size = 0
        self._is_full = False
        self._lock = Lock()
        self._write((), (), self._limits.series)

    def resize(self, limits: Limits) -> None:
        """Take other bounds from now on; what is held beyond them stays until it is idle."""
        with self._lock:
            self._limits = limits
            self._is_full = False

    def apply(self, shared: Values, updates: Iterable[Update]) -> None:
        """Make the updates of one exchange under one label set, or all of them under `_other`."""
        steps = tuple(updates)
        with self._lock:
            if not self._place(shared, steps):
                self._write((), (Update(SERIES_DROPPED, (catalog.DROPPED_SERIES,)),), self._limits.series)

    def count(self, metric: Metric, *extra: str, amount: float = 1.0) -> None:
        """Add to a counter of the exporter itself; a value outside a closed list counts under its catch-all."""
        values = tuple(label.known(value) for label, value in zip(metric.extra, extra, strict=True))
        with self._lock:
            self._write((), (Update(metric, values, amount),), self._limits.series)

    def replace_gauges(self, flights: Iterable[tuple[Values, Sequence[Update]]]) -> None:
        """Set the gauges anew; those of label sets that are not named become 0."""
        gauges = {metric.name for metric in catalog.METRICS if metric.type is MetricType.GAUGE}
        with self._lock:
            for held in self._sets.values():
                for (name, _), state in held.series.items():
                    if name in gauges and isinstance(state, list):
                        state[0] = 0.0
            for shared, updates in flights:
                self._place(shared, updates)

    def evict(self) -> None:
        """Forget the label sets that were not used for `limits.idle_s`."""
        with self._lock:
            oldest = self._clock() - self._limits.idle_s
            for shared in [key for key, held in self._sets.items() if key and held.used_s < oldest]:
                self._forget(shared)
            if self._size < REOPEN_BELOW * self._room:
                self._is_full = False

    def read(self) -> dict[str, list[Reading]]:
        """Return every series by metric name, in a stable order of label values."""
        found: dict[str, list[Reading]] = {metric.name: [] for metric in catalog.METRICS}
        with self._lock:
            for shared in sorted(self._sets):
                for (name, extra), state in self._sets[shared].series.items():
                    value = state[0] if isinstance(state, list) else Distribution(list(state.counts), state.sum)
                    found[name].append(Reading(shared + extra, value))
        return found

    @property
    def size(self) -> int:
        """The number of time series held."""
        return self._size

    @property
    def _room(self) -> int:
        return self._limits.series - min(OVERFLOW_SERIES, self._limits.series // 10)

    def _place(self, shared: Values, updates: Sequence[Update]) -> bool:
        """Write under `shared` if there is room for all, else under its overflow; return whether nothing was moved."""
        overflow = self._overflow(shared)
        if shared == overflow:
            return self._write(shared, updates, self._limits.series)
        if (shared in self._sets or not self._is_full) and self._fits(shared, updates):
            return self._write(shared, updates, self._room)
        self._is_full = True
        self._forget(shared)
        self._write(overflow, updates, self._limits.series)
        return False

    def _overflow(self, shared: Values) -> Values:
        labels = self._shared[len(shared)]
        return tuple(value if label.values else OTHER for label, value in zip(labels, shared, strict=True))

    def _fits(self, shared: Values, updates: Sequence[Update]) -> bool:
        held = self._sets.get(shared)
        wanted = updates if held else chain(self._zeros[len(shared)], updates)
        series = held.series if held else {}
        missing = {(step.metric.name, step.extra): step.metric.series for step in wanted}
        return self._size + sum(cost for key, cost in missing.items() if key not in series) <= self._room

    def _write(self, shared: Values, updates: Sequence[Update], limit: int) -> bool:
        """Create what is missing and make the steps; return False if a series did not fit under `limit`."""
        held = self._sets.get(shared)
        wanted: Iterable[Update] = updates
        if held is None:
            held = self._sets[shared] = _LabelSet(self._clock())
            wanted = chain(self._zeros[len(shared)], updates)
        held.used_s = self._clock()
        complete = True
        for step in wanted:
            key = (step.metric.name, step.extra)
            state = held.series.get(key)
            if state is None:
                cost = step.metric.series
                if self._size + cost > limit:
                    complete = False
                    continue
                state = held.series[key] = _fresh(step.metric)
                held.cost += cost
                self._size += cost
            _advance(state, step)
        return complete

    def _forget(self, shared: Values) -> None:
        held = self._sets.pop(shared, None)
        if held is not None:
            self._size -= held.cost


def _fresh(metric: Metric) -> list[float] | Distribution:
    if metric.type is MetricType.HISTOGRAM:
        return Distribution([0] * (len(metric.buckets) + 1))
    return [0.0]


def _advance(state: list[float] | Distribution, step: Update) -> None:
    if step.value is None:
        return
    if isinstance(state, Distribution):
        state.counts[bisect_left(step.metric.buckets, step.value)] += 1
        state.sum += step.value
    elif step.metric.keeps_highest:
        state[0] = max(state[0], step.value)
    else:
        state[0] += step.value
