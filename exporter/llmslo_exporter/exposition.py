"""The store, and what only others know, as prometheus_client metric families."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from threading import Lock

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import choose_encoder
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from llmslo_exporter import catalog
from llmslo_exporter.catalog import Metric, MetricType
from llmslo_exporter.families import is_wanted
from llmslo_exporter.observe import InFlight
from llmslo_exporter.recorder import Recorder
from llmslo_exporter.series import Distribution, Reading, Store

# 10 000 series: 10 ms and 86 KB at level 1, 22 ms and 59 KB at level 9.
GZIP_LEVEL = 1

Counts = Callable[[], Mapping[str, float]]


def _nothing() -> Mapping[str, float]:
    return {}


def _taken_at_start() -> tuple[float, float]:
    return 1.0, 0.0


def _no_flights() -> Iterable[InFlight]:
    return ()


@dataclass(frozen=True, slots=True)
class Sources:
    """What others know, asked at each scrape: value by label value. Counters are added to the store's own."""

    version: str
    loader: str
    settings: Callable[[], tuple[float, float]] = _taken_at_start  # 1 or 0: the last were taken; when, since 1970
    in_flight: Callable[[], Iterable[InFlight]] = _no_flights
    events_lost: Counts = _nothing  # by catalog.LOSS_REASONS
    parse_errors: Counts = _nothing  # by catalog.PARSE_REASONS
    unparsed: Counts = _nothing  # by catalog.UNPARSED_REASONS
    probes_attached: Counts = _nothing  # by hook
    probes_single_stepped: Counts = _nothing  # by hook
    bpf_run_seconds: Counts = _nothing  # by program; empty without --bpf.stats
    bpf_runs: Counts = _nothing

    def by_metric(self) -> dict[str, Counts]:
        """Return the sources by the name of the metric they feed."""
        return {
            catalog.EVENTS_LOST.name: self.events_lost,
            catalog.PARSE_ERRORS.name: self.parse_errors,
            catalog.UNPARSED.name: self.unparsed,
            catalog.PROBES_ATTACHED.name: self.probes_attached,
            catalog.PROBES_SINGLE_STEPPED.name: self.probes_single_stepped,
            catalog.BPF_SECONDS.name: self.bpf_run_seconds,
            catalog.BPF_RUNS.name: self.bpf_runs,
        }


class Families(Collector):
    """Every metric of the catalog at the time of a scrape."""

    def __init__(self, store: Store, recorder: Recorder, sources: Sources) -> None:
        self._store = store
        self._recorder = recorder
        self._sources = sources

    def collect(self) -> Iterator[Family]:
        """Yield one family per metric, in the catalog's order."""
        self._recorder.show_in_flight(self._sources.in_flight())
        self._store.evict()
        readings = self._store.read()
        readings[catalog.BUILD_INFO.name] = [Reading((self._sources.version, self._sources.loader), 1.0)]
        success, success_time = self._sources.settings()
        readings[catalog.CONFIG_SUCCESS.name] = [Reading((), success)]
        readings[catalog.CONFIG_SUCCESS_TIME.name] = [Reading((), success_time)]
        for name, counts in self._sources.by_metric().items():
            readings[name] = _sum(catalog.BY_NAME[name], readings[name], counts())
        for metric in catalog.METRICS:
            yield _family(metric, readings[metric.name])


class _Narrowed(CollectorRegistry):
    """A registry of which only the families show that every set of names wants."""

    def __init__(self, registry: CollectorRegistry, wanted: tuple[frozenset[str], ...]) -> None:
        super().__init__()
        self._whole = registry
        self._wanted = wanted

    def collect(self) -> Iterator[Family]:
        return (
            family for family in self._whole.collect() if all(is_wanted(family.name, names) for names in self._wanted)
        )


class Exposition:
    """Renders the registry for one scrape at a time; `before_scrape` runs first, so that what has ended is in."""

    def __init__(self, families: Families, before_scrape: Callable[[], None]) -> None:
        self._before_scrape = before_scrape
        self._lock = Lock()
        self._shown: frozenset[str] = frozenset()
        self._registry = CollectorRegistry()
        self._registry.register(families)
        ProcessCollector(registry=self._registry)

    def show(self, names: frozenset[str]) -> None:
        """Let no answer hold other families than these from now on; empty: all."""
        self._shown = names

    def render(self, accept: str, names: frozenset[str] = frozenset()) -> tuple[bytes, str]:
        """Return the body and its content type: OpenMetrics if `accept` asks for it, else text.

        `names` narrow it to some families; empty: all that are shown.
        """
        encode, content_type = choose_encoder(accept)
        with self._lock:
            self._before_scrape()
            return encode(_Narrowed(self._registry, (self._shown, names))), content_type


def compress(body: bytes) -> bytes:
    """Return `body` in gzip, the same bytes every time."""
    return gzip.compress(body, GZIP_LEVEL, mtime=0)


def _sum(metric: Metric, held: list[Reading], counts: Mapping[str, float]) -> list[Reading]:
    total = {reading.labels: reading.value for reading in held if isinstance(reading.value, float)}
    for value, amount in counts.items():
        labels = (metric.extra[0].known(value),)
        total[labels] = total.get(labels, 0.0) + amount
    return [Reading(labels, amount) for labels, amount in total.items()]


def _family(metric: Metric, readings: list[Reading]) -> Family:
    names = [label.name for label in metric.labels]
    if metric.type is MetricType.HISTOGRAM:
        return _histogram(metric, names, readings)
    family: CounterMetricFamily | GaugeMetricFamily = (
        CounterMetricFamily(metric.name, metric.help, labels=names, unit=metric.unit)
        if metric.type is MetricType.COUNTER
        else GaugeMetricFamily(metric.name, metric.help, labels=names, unit=metric.unit)
    )
    for reading in readings:
        if isinstance(reading.value, float):
            family.add_metric(reading.labels, reading.value)
    return family


def _histogram(metric: Metric, names: list[str], readings: list[Reading]) -> HistogramMetricFamily:
    family = HistogramMetricFamily(metric.name, metric.help, labels=names, unit=metric.unit)
    edges = [*(repr(float(edge)) for edge in metric.buckets), "+Inf"]
    for reading in readings:
        if isinstance(reading.value, Distribution):
            seen = 0
            buckets: list[tuple[str, float]] = []
            for edge, count in zip(edges, reading.value.counts, strict=True):
                seen += count
                buckets.append((edge, seen))
            family.add_metric(reading.labels, buckets, reading.value.sum)
    return family
