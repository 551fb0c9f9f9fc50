"""The store's page as prometheus_client writes it: what our own writer must equal byte for byte."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from llmslo_exporter.catalog import Metric, MetricType
from llmslo_exporter.series import Distribution, Reading

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
FAMILIES = {MetricType.COUNTER: CounterMetricFamily, MetricType.GAUGE: GaugeMetricFamily}


class Held(Collector):
    """Families as they are."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> Iterable[Family]:
        return self._families


def page(families: Iterable[Family], accept: str = "") -> bytes:
    """Return what the library writes of families."""
    encode = openmetrics.generate_latest if accept == OPENMETRICS else generate_latest
    return encode(Held(families))


def families(metrics: Sequence[Metric], readings: dict[str, list[Reading]]) -> Iterator[Family]:
    """Yield the readings of a store as families."""
    for metric in metrics:
        names = [label.name for label in metric.labels]
        if metric.is_histogram:
            yield _histogram(metric, names, readings[metric.name])
            continue
        family = FAMILIES[metric.type](metric.name, metric.help, labels=names, unit=metric.unit)
        for reading in readings[metric.name]:
            family.add_metric(reading.labels, reading.value)
        yield family


def _histogram(metric: Metric, names: list[str], readings: list[Reading]) -> Family:
    family = HistogramMetricFamily(metric.name, metric.help, labels=names, unit=metric.unit)
    edges = [floatToGoString(edge) for edge in (*metric.buckets, "inf")]
    for reading in readings:
        assert isinstance(reading.value, Distribution)
        counts = accumulate(reading.value.counts)
        family.add_metric(reading.labels, list(zip(edges, counts, strict=True)), reading.value.sum)
    return family
