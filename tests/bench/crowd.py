"""The exporter beside 100 streams of 50 events a second each, over TLS: all of its CPU and memory, scrapes included.

`python -m tests.bench.crowd PORT CERT STREAMS CHUNKS GAP_MS` is their client: one process that asks again and again
until its input ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import sys
import time
from collections.abc import Iterator

from tests.bench.children import cpu_s, python
from tests.bench.figures import BenchError, Figure, Goal, Line, Setting
from tests.bench.stage import exporting, served
from tests.bench.traffic import LAST, READ_BYTES, request
from tests.e2e.daemon import Exporter
from tests.e2e.scraping import resident_mb, scrape

STREAMS, EVENTS_A_SECOND = 100, 50
CHUNKS, SIZE, GAP_MS = 500, 180, 1000 // EVENTS_A_SECOND  # 10 s a stream
ROLES = 2  # the exporter sees each stream twice, as client and as server
SETTLED_S = 12.0  # handshakes are over, the first streams have ended
WINDOW_S = 30.0
SCRAPE_S = 10.0
CPU_PERCENT, MEMORY_MB = 3.0, 80.0
# The server and the client are late where the machine is: fewer events came than were ordered.
LEAST = 0.8


def measure(setting: Setting) -> Iterator[Line]:
    """Yield CPU with and without the streams, and memory."""
    with served(setting) as (port, cert), exporting(setting) as exporter:
        time.sleep(SETTLED_S / 2)
        idle = tuple(_window(exporter)[0] for _ in range(setting.rounds))
        with python("crowd", str(port), cert, str(STREAMS), str(CHUNKS), str(GAP_MS)) as crowd:
            crowd.hear()
            time.sleep(SETTLED_S)
            busy = []
            for number in range(setting.rounds):
                setting.say(f"crowd: round {number + 1}")
                busy.append(_window(exporter))
            memory_mb = resident_mb(exporter.process.pid)
        _check(exporter)
    wanted = STREAMS * EVENTS_A_SECOND * ROLES
    rates = tuple(events for _, events in busy)
    if min(rates) < LEAST * wanted:
        msg = f"only {min(rates):.0f} events a second were seen of {wanted}: the machine is too busy"
        raise BenchError(msg)
    yield Figure(
        f"{STREAMS} streams: CPU of the exporter", "% core", tuple(each for each, _ in busy), Goal(CPU_PERCENT)
    )
    yield Figure("nothing to do: CPU of the exporter", "% core", idle)
    yield Figure("events a second, both roles", "n", rates)
    yield Figure(f"{STREAMS} streams: memory", "MB", (memory_mb,), Goal(MEMORY_MB))


def _window(exporter: Exporter) -> tuple[float, float]:
    """Return CPU in percent of a core, and events a second by the metrics."""
    pid = exporter.process.pid
    began_s, began_cpu_s, began_events = time.monotonic(), cpu_s(pid), _events(exporter)
    for number in range(1, int(WINDOW_S / SCRAPE_S) + 1):
        time.sleep(max(0.0, began_s + number * SCRAPE_S - time.monotonic()))
        scrape(exporter.port)
    spent_s, took_s = cpu_s(pid) - began_cpu_s, time.monotonic() - began_s
    return spent_s / took_s * 100, (_events(exporter) - began_events) / took_s


def _events(exporter: Exporter) -> float:
    return exporter.metric("llm_tokens_total", model="bench", type="output")


def _check(exporter: Exporter) -> None:
    lost = exporter.metric("llm_exporter_events_lost_total")
    if lost:
        msg = f"{lost:g} losses, so its cost means nothing"
        raise BenchError(msg)


async def _ask(port: int, context: ssl.SSLContext, order: tuple[int, int, int]) -> None:
    reader, writer = await asyncio.open_connection("localhost", port, ssl=context, family=socket.AF_INET)
    while True:
        writer.write(request(*order))
        tail = b""
        while not tail.endswith(LAST):
            data = await reader.read(READ_BYTES)
            if not data:
                return
            tail = (tail + data)[-len(LAST) :]


async def _crowd(port: int, cert: str, streams: int, order: tuple[int, int, int]) -> None:
    context = ssl.create_default_context(cafile=cert)
    tasks = []
    for _ in range(streams):
        tasks.append(asyncio.create_task(_ask(port, context, order)))
        await asyncio.sleep(order[0] * order[2] / 1000 / streams)  # spread over the time of a stream
    sys.stdout.write(json.dumps("asking") + "\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    for task in tasks:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    port_text, cert_file, *numbers = sys.argv[1:]
    number_of, chunks, gap_ms = map(int, numbers)
    asyncio.run(_crowd(int(port_text), cert_file, number_of, (chunks, SIZE, gap_ms)))
