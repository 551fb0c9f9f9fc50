"""A busy TLS server that makes no LLM call: nginx under wrk, without the exporter and once it leaves both out.

One wrk runs all the time, for a new one would be watched anew; what is counted is nginx's own count of requests. Each
round is a pair: the exporter starts, watches, leaves out; requests of some seconds with it, then of as many without.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from tests.bench.figures import BenchError, Figure, Goal, Line, Setting, ratio
from tests.bench.neighbours import CONNECTIONS, LEAST_ROUNDS, START_S, nginx
from tests.bench.stage import exporting
from tests.e2e.daemon import Exporter

WINDOW_S, SETTLE_S = 3.0, 1.5
LEFT_OUT_S = 90.0  # leaving_out.Patience watches for 30 s, a busy machine takes its time
BUSY = 2  # nginx's worker and wrk
LONGEST_S = 3600
REQUESTS = re.compile(r"^ \d+ \d+ (\d+)", re.MULTILINE)  # of stub_status: accepted, handled, requests


def measure(setting: Setting) -> Iterator[Line]:
    """Yield requests a second of each side of the pairs, and the share that is kept."""
    rounds = max(setting.rounds, LEAST_ROUNDS)
    with_it: list[float] = []
    without: list[float] = []
    watched: list[float] = []
    with nginx(setting) as (_, plain, tls), _wrk(tls):
        for number in range(rounds):
            with exporting(setting) as exporter:
                watched.append(_rate(plain))
                _wait(exporter)
                with_it.append(_rate(plain))
            time.sleep(SETTLE_S)
            without.append(_rate(plain))
            found = f"watched {watched[-1]:.0f}, left out {with_it[-1]:.0f}, without {without[-1]:.0f}"
            setting.say(f"left_out: round {number + 1}: {found} requests/s")
    pairs = tuple(with_it), tuple(without)
    yield Figure("without the exporter", "requests/s", tuple(without))
    yield Figure("watched", "requests/s", tuple(watched))
    yield Figure("left out", "requests/s", tuple(with_it))
    yield Figure("watched / without", "ratio", ratio(tuple(watched), tuple(without)))
    yield Figure("left out / without", "ratio", ratio(*pairs), Goal(0.97, is_floor=True))


def _wait(exporter: Exporter) -> None:
    """Wait until both are left out and their probes are gone."""
    until_s = time.monotonic() + LEFT_OUT_S
    while exporter.metric("llm_exporter_tls_left_out", reason="backoff") < BUSY:
        if time.monotonic() > until_s:
            msg = f"nginx and wrk were not left out within {LEFT_OUT_S:g} s"
            raise BenchError(msg)
        time.sleep(0.2)
    time.sleep(SETTLE_S)


def _rate(url: str) -> float:
    began, began_s = _requests(url), time.monotonic()
    time.sleep(WINDOW_S)
    ended, ended_s = _requests(url), time.monotonic()
    return (ended - began) / (ended_s - began_s)


def _requests(url: str) -> int:
    with urllib.request.urlopen(f"{url}status", timeout=START_S) as page:  # noqa: S310 -- our own server
        found = REQUESTS.search(page.read().decode())
    if found is None:
        msg = "nginx does not tell its requests"
        raise BenchError(msg)
    return int(found[1])


@contextmanager
def _wrk(url: str) -> Iterator[None]:
    last = str(max(os.sched_getaffinity(0)))
    command = ("taskset", "-c", last, "wrk", "-t", "1", "-c", str(CONNECTIONS), "-d", f"{LONGEST_S}s", url)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait(START_S)
