"""The page of a scrape: traffic's series as lines, and what only others know as prometheus_client families."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from threading import Lock

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from llmslo_exporter import catalog
from llmslo_exporter.catalog import Metric, MetricType
from llmslo_exporter.negotiation import Format, choose
from llmslo_exporter.observe import InFlight
from llmslo_exporter.recorder import Recorder
from llmslo_exporter.sample_lines import Lines
from llmslo_exporter.series import Reading, Store

TRAFFIC = tuple(metric for metric in catalog.METRICS if metric.shared)
EOF = b"# EOF\n"  # of OpenMetrics
# By which a family may be asked for too: the names of its samples.
SUFFIXES = {"counter": ("_total",), "gauge": (), "histogram": ("_bucket", "_count", "_sum")}
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
    left_out: Counts = _nothing  # by catalog.LEFT_OUT_REASONS: processes
    left_out_seconds: Counts = _nothing
    files_refused: Counts = _nothing  # by catalog.REFUSAL_REASONS
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
            catalog.LEFT_OUT.name: self.left_out,
            catalog.LEFT_OUT_SECONDS.name: self.left_out_seconds,
            catalog.FILES_REFUSED.name: self.files_refused,
            catalog.BPF_SECONDS.name: self.bpf_run_seconds,
            catalog.BPF_RUNS.name: self.bpf_runs,
        }


class Families:
    """Every metric of the catalog at the time of a scrape: traffic's as lines, the exporter's own as families."""

    def __init__(self, store: Store, recorder: Recorder, sources: Sources) -> None:
        self._store = store
        self._recorder = recorder
        self._sources = sources
        self._lines = Lines(catalog.METRICS)

    def refresh(self) -> None:
        """Bring in what is under way now, and let go what is idle."""
        self._recorder.show_in_flight(self._sources.in_flight())
        self._store.evict()

    def traffic(self) -> dict[str, list[bytes]]:
        """Return the lines of traffic's metrics by name."""
        return self._store.texts(self._lines)

    def own(self) -> Iterator[Family]:
        """Yield the exporter's own families, in the catalog's order: few, so that the library writes them."""
        readings = self._store.own()
        readings[catalog.BUILD_INFO.name] = [Reading((self._sources.version, self._sources.loader), 1.0)]
        success, success_time = self._sources.settings()
        readings[catalog.CONFIG_SUCCESS.name] = [Reading((), success)]
        readings[catalog.CONFIG_SUCCESS_TIME.name] = [Reading((), success_time)]
        for name, counts in self._sources.by_metric().items():
            readings[name] = _sum(catalog.BY_NAME[name], readings[name], counts())
        for name, found in readings.items():
            yield _family(catalog.BY_NAME[name], found)


class Snapshot:
    """All metrics at one moment, to be written in any format. Not safe to use from several threads.

    `shown` are the only families of any page; empty: all.
    """

    def __init__(
        self, traffic: Mapping[str, Sequence[bytes]], own: Sequence[Family], shown: frozenset[str] = frozenset()
    ) -> None:
        self._traffic = traffic
        self._own = own
        self._shown = shown
        self._written: dict[Format, list[tuple[Family, tuple[bytes, ...]]]] = {}

    def render(self, form: Format, names: frozenset[str] = frozenset()) -> bytes:
        """Return a page; `names` keeps only the families of these names, of the metric or of a sample; empty: all."""
        if form not in self._written:
            self._written[form] = list(self._write(form))
        parts = [text for family, texts in self._written[form] if _is_wanted(family, names) for text in texts]
        return b"".join((*parts, EOF if form.is_openmetrics else b""))

    def _write(self, form: Format) -> Iterator[tuple[Family, tuple[bytes, ...]]]:
        for metric in TRAFFIC:
            family, head = _head(metric, form)
            if _is_wanted(family, self._shown):
                yield family, (head, *self._traffic[metric.name])
        for family in self._own:
            if _is_wanted(family, self._shown):
                yield family, (_encoded(family, form),)


class Exposition:
    """Shows everything at the time of a scrape; `before_scrape` runs first, so that what has ended is in."""

    def __init__(self, families: Families, before_scrape: Callable[[], None]) -> None:
        self._families = families
        self._before_scrape = before_scrape
        self._lock = Lock()
        self._process = ProcessCollector(registry=None)
        self._shown: frozenset[str] = frozenset()

    def show(self, names: frozenset[str]) -> None:
        """Let no page hold other families than these from now on; empty: all."""
        self._shown = names

    def snapshot(self) -> Snapshot:
        """Return all metrics as they are now."""
        with self._lock:
            self._before_scrape()
            self._families.refresh()
            own = [*self._families.own(), *self._process.collect()]
            return Snapshot(self._families.traffic(), own, self._shown)

    def render(self, accept: str, names: frozenset[str] = frozenset()) -> tuple[bytes, str]:
        """Return a page of now, as `Snapshot.render` does, and its content type: as `accept` asks for it."""
        form, content_type = choose(accept)
        return self.snapshot().render(form, names), content_type


class _Some(Collector):
    """Families as a registry, the only thing that the library's encoders take."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> Iterable[Family]:
        return self._families


def _encoded(family: Family, form: Format) -> bytes:
    encode = openmetrics.generate_latest if form.is_openmetrics else generate_latest
    return encode(_Some([family])).removesuffix(EOF)


@cache
def _head(metric: Metric, form: Format) -> tuple[Family, bytes]:
    """Return a metric's family without samples, and the lines above them."""
    family = _family(metric, [])
    return family, _encoded(family, form)


def _is_wanted(family: Family, names: frozenset[str]) -> bool:
    asked = (family.name, *(family.name + suffix for suffix in SUFFIXES[family.type]))
    return not names or not names.isdisjoint(asked)


def compress(body: bytes) -> bytes:
    """Return `body` in gzip, the same bytes every time."""
    return gzip.compress(body, GZIP_LEVEL, mtime=0)


def _sum(metric: Metric, held: list[Reading], counts: Mapping[str, float]) -> list[Reading]:
    total = {reading.labels: reading.value for reading in held if isinstance(reading.value, float)}
    for value, amount in counts.items():
        labels = (metric.extra[0].known(value),)
        total[labels] = total.get(labels, 0.0) + amount
    return [Reading(labels, amount) for labels, amount in total.items()]


def _family(metric: Metric, readings: Iterable[Reading]) -> Family:
    names = [label.name for label in metric.labels]
    if metric.type is MetricType.HISTOGRAM:
        return HistogramMetricFamily(metric.name, metric.help, labels=names, unit=metric.unit)
    family: CounterMetricFamily | GaugeMetricFamily = (
        CounterMetricFamily(metric.name, metric.help, labels=names, unit=metric.unit)
        if metric.type is MetricType.COUNTER
        else GaugeMetricFamily(metric.name, metric.help, labels=names, unit=metric.unit)
    )
    for reading in readings:
        if isinstance(reading.value, float):
            family.add_metric(reading.labels, reading.value)
    return family
