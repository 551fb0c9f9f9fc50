"""Processes that live for a moment, each with a TLS library of its own: `python -m tests.e2e.churn`.

Ten thousand processes use fifty copies of libssl (fifty inodes) for one LLM call each; then an hour of mixed load: such
processes, streams, and a server that is busy without an LLM call. What is checked: every copy was probed; the calls
that were not seen are no more than the processes counted as late; no scrape fails; the exporter's descriptors are where
they were, its memory within 10 MB of it, and flat under the mixed load. Exit code 0, or 1 with what does not hold.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.bench.children import python
from tests.e2e import busy_tls
from tests.e2e.daemon import Exporter, kernel_is_open, running
from tests.e2e.short_lived import ChurnError, Copies, run_all, serving

PROCESSES, COPIES, MINUTES = 10_000, 50, 60.0
WARM = 4  # rounds of all copies before memory is first read: allocators keep what they got
MEMORY_BYTES = 10 << 20
# Files are let go 5 s after their last user, their probes behind that, the facts of processes after 60 s.
SETTLED_S = 100.0
SCRAPE_S, SLOW_SCRAPE_S = 1.0, 10.0
TELL_S = 300.0  # between two words on how it goes
CALM_PER_S = 20.0  # processes under the mixed load
STREAM = "100 180 20"  # chunks, bytes of each, milliseconds between them
PARTS = 3  # of the mixed load: the memory of the last stands against that of the first


@dataclass(frozen=True, slots=True)
class Held:
    """What the exporter holds at one moment."""

    rss_bytes: int
    descriptors: int


@dataclass(slots=True)
class Report:
    """What was seen, and what does not hold."""

    facts: dict[str, float] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def check(self, holds: bool, text: str) -> None:  # noqa: FBT001 -- the one thing it is about
        """Note what does not hold."""
        if not holds:
            self.wrong.append(text)


def held(pid: int) -> Held:
    """Read memory and descriptors of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return Held(int(found[1]) * 1024 if found else 0, len(list(Path(f"/proc/{pid}/fd").iterdir())))


class Scrapes:
    """Scrapes as Prometheus does, and keeps how long each took."""

    def __init__(self, exporter: Exporter) -> None:
        self._exporter = exporter
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.times_s: list[float] = []
        self.failed = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def _run(self) -> None:
        while not self._stop.wait(SCRAPE_S):
            began_s = time.monotonic()
            try:
                self.failed += self._exporter.fetch("/metrics")[0] != 200
            except OSError:
                self.failed += 1
            self.times_s.append(time.monotonic() - began_s)


class Load:
    """Streams for the mixed load, one after another on an open connection, until it is left."""

    def __init__(self, port: int, cert: str) -> None:
        self._port, self._cert = port, cert
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)

    def _run(self) -> None:
        with python("traffic", "sync", str(self._port), self._cert) as client:
            client.hear()
            while not self._stop.is_set():
                client.ask(STREAM)


@dataclass(frozen=True, slots=True)
class Scene:
    """What the trial runs with."""

    exporter: Exporter
    copies: Copies
    port: int
    folder: Path


def _settle(exporter: Exporter, wanted: int) -> Held:
    """Wait until the exporter has let go of what it held, at most `SETTLED_S`; return what it holds then."""
    until_s = time.monotonic() + SETTLED_S
    while (now := held(exporter.process.pid)).descriptors > wanted and time.monotonic() < until_s:
        time.sleep(0.5)
    return now


def _order(copies: int, rounds: int) -> list[int]:
    numbers = list(range(copies)) * rounds
    random.Random(7).shuffle(numbers)
    return numbers


def _seen(exporter: Exporter) -> dict[int, float]:
    """Return by copy how many calls of clients were seen."""
    found: dict[int, float] = {}
    for line in exporter.fetch("/metrics")[1].splitlines():
        if (
            line.startswith("llm_requests_total")
            and 'role="client"' in line
            and (name := re.search(r"copy-(\d+)", line))
        ):
            found[int(name[1])] = found.get(int(name[1]), 0.0) + float(line.rpartition(" ")[2])
    return found


def _late(exporter: Exporter) -> float:
    return exporter.metric("llm_exporter_unparsed_connections_total", reason="late_attach")


def short_lived(scene: Scene, processes: int, report: Report) -> None:
    """Run the short-lived processes and check what was seen of them and what is left of them."""
    exporter, copies, port = scene.exporter, scene.copies, scene.port
    count = len(copies.folders)
    before = held(exporter.process.pid)  # no copy was ever used
    run_all(copies, port, _order(count, WARM))
    base = _settle(exporter, before.descriptors)
    seen, late, lost = sum(_seen(exporter).values()), _late(exporter), exporter.metric("llm_exporter_events_lost_total")
    order = _order(count, -(-processes // count))[:processes]
    began_s = time.monotonic()
    answered = run_all(copies, port, order)
    took_s = time.monotonic() - began_s
    after = _settle(exporter, before.descriptors)
    by_copy = _seen(exporter)
    missed = answered - (sum(by_copy.values()) - seen)
    counted = _late(exporter) - late + exporter.metric("llm_exporter_events_lost_total") - lost
    report.facts |= {
        "processes": answered,
        "processes_per_s": answered / took_s,
        "copies_seen": len(by_copy),
        "calls_missed": missed,
        "counted_late_or_lost": counted,
        "rss_before_mb": base.rss_bytes / 1e6,
        "rss_after_mb": after.rss_bytes / 1e6,
        "descriptors_before": before.descriptors,
        "descriptors_after": after.descriptors,
    }
    report.check(answered == len(order), f"{len(order) - answered} processes got no answer: the trial's own fault")
    report.check(len(by_copy) == count, f"{len(by_copy)} of {count} copies were seen in use")
    report.check(0 <= missed <= counted, f"{missed:g} calls were not seen, {counted:g} were counted as late or lost")
    report.check(abs(after.rss_bytes - base.rss_bytes) <= MEMORY_BYTES, "memory is more than 10 MB from where it was")
    report.check(after.descriptors <= before.descriptors, "descriptors are left")


def mixed(scene: Scene, minutes: float, report: Report) -> None:
    """Run the mixed load and check that memory is flat under it."""
    cert, key = str(scene.folder / "cert.pem"), str(scene.folder / "key.pem")
    memory: list[float] = []
    with ExitStack() as stack:
        server = stack.enter_context(python("traffic", "serve", cert, key))
        stack.enter_context(Load(server.hear(), cert))
        stack.enter_context(busy_tls.started(scene.folder, cert, key))
        began_s = told_s = time.monotonic()
        until_s = began_s + 60 * minutes
        each = _order(len(scene.copies.folders), 1)
        while time.monotonic() < until_s:
            run_all(scene.copies, scene.port, each, CALM_PER_S)
            memory.append(held(scene.exporter.process.pid).rss_bytes)
            if (now_s := time.monotonic()) >= told_s + TELL_S:
                told_s = now_s
                sys.stderr.write(f"churn: minute {(now_s - began_s) / 60:.0f}, {memory[-1] / 1e6:.1f} MB\n")
    part = max(1, len(memory) // PARTS)
    first, last = statistics.median(memory[:part]), statistics.median(memory[-part:])
    spared_s = scene.exporter.metric("llm_exporter_tls_left_out_seconds_total", reason="backoff")
    report.facts |= {
        "mixed_minutes": minutes,
        "mixed_rss_first_mb": first / 1e6,
        "mixed_rss_last_mb": last / 1e6,
        "mixed_rss_most_mb": max(memory) / 1e6,
        "mixed_busy_left_out_s": spared_s,
    }
    report.check(last - first <= MEMORY_BYTES, "memory grows under the mixed load")


def run(processes: int, copies: int, minutes: float, loader: str) -> Report:
    """Run the trial. Raises ChurnError when it cannot be run."""
    report = Report()
    with tempfile.TemporaryDirectory(prefix="llmslo-churn-") as name, ExitStack() as stack:
        folder = Path(name)
        port = stack.enter_context(serving(folder))
        made = Copies(folder, copies)
        exporter = stack.enter_context(running(loader, folder, "--log.level", "info"))
        with Scrapes(exporter) as scrapes:
            scene = Scene(exporter, made, port, folder)
            short_lived(scene, processes, report)
            if minutes:
                mixed(scene, minutes, report)
        times = sorted(scrapes.times_s)
        report.facts |= {
            "scrapes": len(times),
            "scrape_p50_s": statistics.median(times),
            "scrape_p99_s": times[int(0.99 * (len(times) - 1))],
            "scrape_max_s": times[-1],
        }
        report.check(not scrapes.failed and times[-1] < SLOW_SCRAPE_S, f"{scrapes.failed} scrapes failed or were slow")
        report.check(exporter.process.poll() is None, f"the exporter ended: {exporter.tail()}")
    return report


def main(argv: Sequence[str]) -> int:
    """Run and print; return the exit code."""
    parser = argparse.ArgumentParser("tests.e2e.churn", description=__doc__)
    parser.add_argument("--processes", type=int, default=PROCESSES, help=f"short-lived ones (default {PROCESSES})")
    parser.add_argument("--copies", type=int, default=COPIES, help=f"of the library (default {COPIES})")
    parser.add_argument("--minutes", type=float, default=MINUTES, help=f"of mixed load (default {MINUTES:g})")
    parser.add_argument("--loader", default="libbpf", choices=("libbpf", "bcc"))
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    options = parser.parse_args(argv)
    if closed := kernel_is_open():
        sys.stderr.write(f"churn: {closed}\n")
        return 1
    try:
        report = run(options.processes, options.copies, options.minutes, options.loader)
    except ChurnError as error:
        sys.stderr.write(f"churn: {error}\n")
        return 1
    if options.json:
        sys.stdout.write(json.dumps({"facts": report.facts, "wrong": report.wrong}, indent=1) + "\n")
    else:
        sys.stdout.write("".join(f"{name:<24} {value:>12.6g}\n" for name, value in report.facts.items()))
    for text in report.wrong:
        sys.stderr.write(f"churn: {text}\n")
    return 1 if report.wrong else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
