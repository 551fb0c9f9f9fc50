"""Metrics that the catalog knows, by the names of their series."""

from __future__ import annotations

from functools import cache

from llmslo_exporter import catalog

_ENDINGS = ("_bucket", "_count", "_sum")


@cache
def metrics() -> dict[str, catalog.Metric]:
    """Return every metric of the exporter and of the sources by its name."""
    others = (metric for source in catalog.BY_SOURCE.values() for sli in source.slis for metric in sli.metrics)
    return {metric.name: metric for metric in (*others, *catalog.METRICS)}


def metric(series: str) -> catalog.Metric | None:
    """Return the metric to which a series of this name belongs."""
    found = metrics().get(series)
    if found is not None:
        return found
    base = next((series.removesuffix(ending) for ending in _ENDINGS if series.endswith(ending)), "")
    found = metrics().get(base)
    return found if found is not None and found.is_histogram else None
