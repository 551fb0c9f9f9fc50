"""/metrics at 10 000 and 100 000 series, each in a process of its own, against prometheus_client's generate_latest.

`python -m tests.bench.exposition SERIES` prints what one process measured, as JSON.
"""

from __future__ import annotations

import gc
import gzip
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

from llmslo_exporter import catalog
from llmslo_exporter.admission import Admission
from llmslo_exporter.catalog import Limits
from llmslo_exporter.exposition import Exposition, Families, Sources, compress
from llmslo_exporter.identity import Workload
from llmslo_exporter.recorder import Recorder
from llmslo_exporter.series import Store
from tests.bench.children import run
from tests.bench.figures import BenchError, Figure, Goal, Line, Setting
from tests.exporter.exchanges import PLAIN, STREAM
from tests.exporter.library_page import OPENMETRICS, families, page

SIZES = {10_000: Goal(10.0), 100_000: Goal(200.0)}
MODELS = 40
LIMIT_S = 300.0


def measure(setting: Setting) -> Iterator[Line]:
    """Yield times of a page, of its compression, of the library's page, and memory, for each size."""
    for size, goal in SIZES.items():
        rounds = []
        for number in range(setting.rounds):
            setting.say(f"exposition: {size} series, round {number + 1}")
            rounds.append(json.loads(run(sys.executable, "-m", "tests.bench.exposition", str(size), timeout_s=LIMIT_S)))
        if not all(found["equal"] for found in rounds):
            msg = f"{size} series: our page and the library's are not the same bytes"
            raise BenchError(msg)
        name = f"{rounds[0]['series']:.0f} series"

        def values(key: str, rounds: list[dict[str, float]] = rounds) -> tuple[float, ...]:
            return tuple(found[key] for found in rounds)

        yield Figure(f"{name}: page, every series changed, byte-equal", "ms", values("changed_ms"), goal)
        yield Figure(f"{name}: page, a tenth of the label sets changed", "ms", values("tenth_ms"))
        yield Figure(f"{name}: generate_latest of the same", "ms", values("library_ms"))
        yield Figure(f"{name}: gzip beside", "ms", values("gzip_ms"))
        yield Figure(f"{name}: page", "KB", values("page_kb"))
        yield Figure(f"{name}: page in gzip", "KB", values("gzip_kb"))
        yield Figure(f"{name}: longest wait of an exchange that comes meanwhile", "ms", values("wait_ms"))
        yield Figure(f"{name}: memory of the store", "MB", values("store_mb"))
        yield Figure(f"{name}: and of its scrapes", "MB", values("scrapes_mb"))


class _Traffic:
    """Workloads and models enough for so many series."""

    def __init__(self, size: int) -> None:
        limits = Limits(models=MODELS, workloads=100_000, series=size + size // 5)
        self.store = Store(time.monotonic, limits)
        self.recorder = Recorder(self.store, Admission(limits, time.monotonic))
        self.places: list[tuple[str, Workload]] = []
        while self.store.size < size:
            number = len(self.places)
            self.places.append((f"model-{number % MODELS}", Workload("shop", f"workload-{number // MODELS}")))
            self.record(1, number)

    def record(self, step: int, start: int = 0) -> None:
        """Record a stream and a plain exchange at every `step`-th place."""
        for model, workload in self.places[start::step]:
            for exchange in (STREAM, PLAIN):
                self.recorder.record(replace(exchange, model=model), workload)


def _timed(work: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    work()
    return (time.perf_counter() - began_s) * 1e3


def _longest_wait(traffic: _Traffic, exposition: Exposition) -> float:
    """Return how long the slowest of the exchanges took that were recorded while pages were rendered, in ms."""
    stop, waits = Event(), [0.0]

    def arrive() -> None:
        model, workload = traffic.places[len(traffic.places) // 2]
        exchange = replace(STREAM, model=model)
        while not stop.wait(0.001):
            waits.append(_timed(lambda: traffic.recorder.record(exchange, workload)))

    thread = Thread(target=arrive)
    thread.start()
    for _ in range(10):
        traffic.record(1)
        exposition.render("")
    stop.set()
    thread.join()
    return max(waits)


def _resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def main() -> None:
    """Measure one store."""
    size = int(sys.argv[1])
    gc.collect()
    before_mb = _resident_mb()
    traffic = _Traffic(size)
    held_mb = _resident_mb()
    exposition = Exposition(Families(traffic.store, traffic.recorder, Sources("0.1.0", "libbpf")), lambda: None)
    exposition.render("")
    changed, tenth = [], []
    for _ in range(5):
        traffic.record(1)
        changed.append(_timed(lambda: exposition.render("")))
        traffic.record(10)
        tenth.append(_timed(lambda: exposition.render("")))
    body, _ = exposition.render("")
    scraped_mb = _resident_mb()
    readings = traffic.store.read()
    metrics = [metric for metric in catalog.METRICS if metric.shared]
    library: list[bytes] = []
    library_ms = _timed(lambda: library.append(page(families(metrics, readings))))
    packed = compress(body)
    other, _ = exposition.render(OPENMETRICS)
    same = page(families(metrics, readings), OPENMETRICS).removesuffix(b"# EOF\n")
    found = {
        "series": traffic.store.size,
        "equal": body.startswith(library[0]) and other.startswith(same) and gzip.decompress(packed) == body,
        "changed_ms": sorted(changed)[len(changed) // 2],
        "tenth_ms": sorted(tenth)[len(tenth) // 2],
        "library_ms": library_ms,
        "gzip_ms": _timed(lambda: compress(body)),
        "page_kb": len(body) / 1e3,
        "gzip_kb": len(packed) / 1e3,
        "wait_ms": _longest_wait(traffic, exposition),
        "store_mb": held_mb - before_mb,
        "scrapes_mb": scraped_mb - held_mb,
    }
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
