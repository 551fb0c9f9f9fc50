"""The bounded store of time series: label sets, what each has counted, and the cap over all of them.

A label set is the values of a metric's shared labels. It is held whole or not at all: when a series of it no longer
fits under the cap, the set is given up and counts under `_other` from then on, so that no ratio is ever made of one
half of a workload's traffic.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from threading import Lock

from llmslo_exporter import catalog
from llmslo_exporter.catalog import OTHER, SERIES_DROPPED, Label, Limits, Metric, MetricType

Values = tuple[str, ...]
Key = tuple[str, Values]  # of one series of a label set: the metric's name, the values of its extra labels

# Held back for the `_other` sets: all of them, with every closed value, take some 4 000 series.
OVERFLOW_SERIES = 4_000
# A full store takes no new label set until so much is free again, lest sets come and go at the edge.
REOPEN_BELOW = 0.9
# What a provider said of its limits is out of date then: they are limits a minute.
TOLD_S = 60.0


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
class Number:
    """A counter's or a gauge's state."""

    value: float = 0.0
    scrape: int = -1  # of a gauge that shows the lowest since a scrape: how many there were when it was told
    told_s: float = 0.0


State = Number | Distribution
# Writes a label set's series: values of the shared labels and states in, text by metric name out.
Writer = Callable[[Values, Mapping[Key, State]], dict[str, bytes]]


@dataclass(slots=True)
class _LabelSet:
    used_s: float
    series: dict[Key, State] = field(default_factory=dict)
    cost: int = 0
    text: dict[str, bytes] | None = None  # of the last scrape; None: something has changed since


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
        self._in_flight: set[Values] = set()  # label sets whose gauges are not all 0
        self._told: set[Values] = set()  # and those that show what a provider told
        self._scrape = 0
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
        """Set the gauges of what is under way anew; those of label sets that are not named become 0."""
        with self._lock:
            for shared in self._in_flight:
                held = self._sets.get(shared)
                if held is not None:
                    _ground(held)
            self._in_flight.clear()
            for shared, updates in flights:
                self._place(shared, updates)
                self._in_flight.update((shared, self._overflow(shared)))

    def evict(self) -> None:
        """Forget the label sets that were not used for `limits.idle_s`, and what was told too long ago."""
        with self._lock:
            now_s = self._clock()
            oldest = now_s - self._limits.idle_s
            for shared in [key for key, held in self._sets.items() if key and held.used_s < oldest]:
                self._forget(shared)
            for shared in tuple(self._told):
                self._forget_told(shared, now_s - TOLD_S)
            if self._size < REOPEN_BELOW * self._room:
                self._is_full = False

    def read(self) -> dict[str, list[Reading]]:
        """Return every series by metric name, in a stable order of label values."""
        found: dict[str, list[Reading]] = {metric.name: [] for metric in catalog.METRICS}
        with self._lock:
            for shared in sorted(self._sets):
                self._read(shared, found)
        return found

    def own(self) -> dict[str, list[Reading]]:
        """Return the series without shared labels, the exporter's own, by metric name."""
        found: dict[str, list[Reading]] = {metric.name: [] for metric in catalog.METRICS if not metric.shared}
        with self._lock:
            self._read((), found)
        return found

    def texts(self, write: Writer) -> dict[str, list[bytes]]:
        """Return the text of every series with shared labels, by metric name and in the order of `read`.

        `write` is asked for the label sets that have changed since the last call. Each is written for itself: whoever
        brings an exchange in meanwhile waits for one of them, not for the page.
        """
        found: dict[str, list[bytes]] = {metric.name: [] for metric in catalog.METRICS if metric.shared}
        with self._lock:
            self._scrape += 1
            order = sorted(filter(None, self._sets))
        for shared in order:
            with self._lock:
                held = self._sets.get(shared)
                if held is None:
                    continue
                texts = held.text
                if texts is None:
                    texts = held.text = write(shared, held.series)
            for name, text in texts.items():
                found[name].append(text)
        return found

    @property
    def size(self) -> int:
        """The number of time series held."""
        return self._size

    def _read(self, shared: Values, found: dict[str, list[Reading]]) -> None:
        for (name, extra), state in self._sets[shared].series.items():
            value = state.value if isinstance(state, Number) else Distribution(list(state.counts), state.sum)
            found[name].append(Reading(shared + extra, value))

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
        held.text = None
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
            if step.metric.keeps_lowest and isinstance(state, Number):
                self._told.add(shared)
                _tell(state, step, self._scrape, held.used_s)
            else:
                _advance(state, step)
        return complete

    def _forget(self, shared: Values) -> None:
        self._told.discard(shared)
        held = self._sets.pop(shared, None)
        if held is not None:
            self._size -= held.cost

    def _forget_told(self, shared: Values, before_s: float) -> None:
        held = self._sets[shared]
        told = {key: state for key, state in held.series.items() if catalog.BY_NAME[key[0]].keeps_lowest}
        stale = [key for key, state in told.items() if isinstance(state, Number) and state.told_s < before_s]
        for key in stale:
            cost = catalog.BY_NAME[key[0]].series
            del held.series[key]
            held.cost -= cost
            self._size -= cost
            held.text = None
        if len(stale) == len(told):
            self._told.discard(shared)


def _fresh(metric: Metric) -> State:
    if metric.type is MetricType.HISTOGRAM:
        return Distribution([0] * (len(metric.buckets) + 1))
    return Number()


def _ground(held: _LabelSet) -> None:
    for (name, _), state in held.series.items():
        metric = catalog.BY_NAME[name]
        if metric.type is MetricType.GAUGE and not metric.keeps_lowest and isinstance(state, Number):
            state.value = 0.0
    held.text = None


def _tell(state: Number, step: Update, scrape: int, now_s: float) -> None:
    """Keep the lowest of what was told since a scrape."""
    value = float(step.value or 0.0)
    state.value = min(state.value, value) if state.scrape == scrape else value
    state.scrape = scrape
    state.told_s = now_s


def _advance(state: State, step: Update) -> None:
    if step.value is None:
        return
    if isinstance(state, Distribution):
        state.counts[bisect_left(step.metric.buckets, step.value)] += 1
        state.sum += step.value
    elif step.metric.keeps_highest:
        state.value = max(state.value, float(step.value))
    else:
        state.value += step.value
