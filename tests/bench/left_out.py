"""A busy TLS server that makes no LLM call: nginx under wrk, without the exporter and once it leaves both out.

One wrk runs all the time, for a new one would be watched anew; the requests are those that nginx counts. In each
round the exporter starts, watches, leaves out; the requests of some seconds with it stand against those right before it
and right after. Where others use the machine, the processor time of a request says more than the requests.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.bench.figures import BenchError, Figure, Goal, Line, Setting, ratio
from tests.bench.neighbours import CONNECTIONS, LEAST_ROUNDS, START_S, nginx
from tests.bench.stage import exporting
from tests.e2e.daemon import Exporter

WINDOW_S, SETTLE_S = 5.0, 1.5
LEFT_OUT_S = 90.0  # leaving_out.Patience watches for 30 s, a busy machine takes its time
BUSY = 2  # nginx's worker and wrk
LONGEST_S = 3600
Values = tuple[float, ...]
REQUESTS = re.compile(r"^ \d+ \d+ (\d+)", re.MULTILINE)  # of stub_status: accepted, handled, requests


@dataclass(frozen=True, slots=True)
class Window:
    """Some seconds of requests: how many a second, and what one took of both processes' processor time."""

    rate: float
    each_us: float


def measure(setting: Setting) -> Iterator[Line]:
    """Yield requests a second of each side of the pairs, and the share that is kept."""
    rounds = max(setting.rounds, LEAST_ROUNDS)
    left_out: list[Window] = []
    without: list[Window] = []
    watched: list[Window] = []
    with nginx(setting) as (worker, plain, tls), _wrk(tls) as wrk:
        look = partial(_look, plain, (worker, wrk))
        before = look()
        for number in range(rounds):
            with exporting(setting) as exporter:
                watched.append(look())
                _wait(exporter)
                left_out.append(look())
            time.sleep(SETTLE_S)
            after = look()
            without.append(Window((before.rate + after.rate) / 2, (before.each_us + after.each_us) / 2))
            before = after
            found = ", ".join(f"{windows[-1].rate:.0f}" for windows in (watched, left_out, without))
            setting.say(f"left_out: round {number + 1}: watched, left out, without: {found} requests/s")
    yield from _lines("requests/s", *(tuple(w.rate for w in windows) for windows in (without, watched, left_out)))
    each_us = (tuple(w.each_us for w in windows) for windows in (without, watched, left_out))
    yield from _lines("us of processor a request", *each_us)


def _lines(unit: str, without: Values, watched: Values, left_out: Values) -> Iterator[Line]:
    is_rate = unit == "requests/s"
    yield Figure("without the exporter", unit, without)
    yield Figure("watched", unit, watched)
    yield Figure("left out", unit, left_out)
    yield Figure("watched / without", f"ratio of {unit}", ratio(watched, without))
    goal = Goal(0.97, is_floor=True) if is_rate else None
    yield Figure("left out / without", f"ratio of {unit}", ratio(left_out, without), goal)


def _wait(exporter: Exporter) -> None:
    """Wait until both are left out and their probes are gone."""
    until_s = time.monotonic() + LEFT_OUT_S
    while exporter.metric("llm_exporter_tls_left_out", reason="backoff") < BUSY:
        if time.monotonic() > until_s:
            msg = f"nginx and wrk were not left out within {LEFT_OUT_S:g} s"
            raise BenchError(msg)
        time.sleep(0.2)
    time.sleep(SETTLE_S)


def _look(url: str, pids: Sequence[int]) -> Window:
    began, began_ns, began_s = _requests(url), _used_ns(pids), time.monotonic()
    time.sleep(WINDOW_S)
    ended, ended_ns, ended_s = _requests(url), _used_ns(pids), time.monotonic()
    count = ended - began
    return Window(count / (ended_s - began_s), (ended_ns - began_ns) * 1e-3 / count)


def _used_ns(pids: Sequence[int]) -> int:
    """Return the processor time of all threads of these processes, as the scheduler counts it."""
    files = (file for pid in pids for file in Path(f"/proc/{pid}/task").glob("*/schedstat"))
    return sum(int(file.read_text().split()[0]) for file in files)


def _requests(url: str) -> int:
    with urllib.request.urlopen(f"{url}status", timeout=START_S) as page:  # noqa: S310 -- our own server
        found = REQUESTS.search(page.read().decode())
    if found is None:
        msg = "nginx does not tell its requests"
        raise BenchError(msg)
    return int(found[1])


@contextmanager
def _wrk(url: str) -> Iterator[int]:
    """Yield the pid of a client that asks as fast as it can."""
    last = str(max(os.sched_getaffinity(0)))
    command = ("taskset", "-c", last, "wrk", "-t", "1", "-c", str(CONNECTIONS), "-d", f"{LONGEST_S}s", url)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait(START_S)
