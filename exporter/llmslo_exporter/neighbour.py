"""Who answers at an address: an exporter that runs already, and what it says that it lost."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from dataclasses import dataclass

from llmslo_exporter import catalog
from llmslo_exporter.catalog import MetricType
from llmslo_exporter.samples import Sample, samples

MAX_BYTES = 1 << 20  # only the exporter's own families are asked for: some 20 KB
_PATIENCE_S = 5.0
# Its own counters that only grow when something was not seen, and gauges of who is left out.
_NO_LOSS = {catalog.BPF_SECONDS.name, catalog.BPF_RUNS.name, catalog.COMPRESSED.name}
_LEFT_OUT = "left_out"
# What an address to listen on means for who calls.
_HERE = {"": "localhost", "::": "::1", "0.0.0.0": "127.0.0.1"}  # noqa: S104


@dataclass(frozen=True, slots=True)
class Neighbour:
    """What listens at an address."""

    is_exporter: bool
    what: str
    losses: tuple[tuple[str, float], ...] = ()  # series that are not 0


def look(host: str, port: int) -> Neighbour | None:
    """Return who listens there, at an empty host on this node; None: nobody does. Nothing is raised."""
    asked = "&".join(f"name[]={name}" for name in (catalog.BUILD_INFO.name, *_lossy()))
    connection = http.client.HTTPConnection(_HERE.get(host, host), port, timeout=_PATIENCE_S)
    try:
        connection.request("GET", f"/metrics?{asked}")
        text = connection.getresponse().read(MAX_BYTES).decode("utf-8", "replace")
    except ConnectionRefusedError:
        return None
    except (OSError, http.client.HTTPException) as error:
        return Neighbour(is_exporter=False, what=f"no exporter answers there ({type(error).__name__})")
    finally:
        connection.close()
    return _understood(text)


def _understood(text: str) -> Neighbour:
    found = list(samples(text))
    build = next((sample.labels for sample in found if sample.name == catalog.BUILD_INFO.name), None)
    if build is None:
        return Neighbour(is_exporter=False, what="something else listens there")
    losses = tuple((_written(sample), sample.value) for sample in found if sample.name in _lossy() and sample.value > 0)
    return Neighbour(is_exporter=True, what=_shown(build), losses=losses)


def _written(sample: Sample) -> str:
    return f"{sample.name}{{{_shown(sample.labels)}}}" if sample.labels else sample.name


def _shown(labels: Mapping[str, str]) -> str:
    return ",".join(f'{name}="{value[:63]}"' for name, value in labels.items())


def _lossy() -> list[str]:
    return [
        metric.name
        for metric in catalog.SELF_METRICS
        if metric.name not in _NO_LOSS and (metric.type is MetricType.COUNTER or _LEFT_OUT in metric.name)
    ]
