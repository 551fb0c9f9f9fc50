"""What of an SLI a source measures: the labels a team may choose by, the thresholds that exist, the unit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from llmslo_exporter import catalog

SOURCES = tuple(catalog.BY_SOURCE)


@dataclass(frozen=True, slots=True)
class Measure:
    """One SLI of one source. `edges` is empty where no histogram decides; `threshold` is the usual one of them."""

    labels: tuple[catalog.Label, ...]  # on every metric of the SLI, and none of them chosen by the SLI itself
    taken: frozenset[str]  # labels that the SLI itself chooses by
    edges: tuple[float, ...]
    threshold: float | None
    is_time: bool


def slis(source: str) -> tuple[str, ...]:
    """Return the names of the SLIs that `source` measures."""
    return tuple(sli.name for sli in catalog.source(source).slis)


@cache
def measure(sli: str, source: str) -> Measure | None:
    """Return what `source` has of `sli`; None: nothing, or there is no such source."""
    found = next((one for one in catalog.source(source).slis if one.name == sli), None) if source in SOURCES else None
    if found is None:
        return None
    parts = found.total + found.bad + found.good
    taken = {label.name for part in parts for label, _ in part.values}
    first, *others = ({label.name: label for label in metric.labels} for metric in found.metrics)
    shared = [label for name, label in first.items() if name not in taken and all(name in one for one in others)]
    is_time = all(metric.unit == "seconds" for metric in found.metrics if metric.buckets)
    return Measure(tuple(shared), frozenset(taken), found.edges, found.threshold, is_time)
