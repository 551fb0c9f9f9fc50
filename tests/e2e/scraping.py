"""A proper scraper: the requests that Prometheus sends, and how long each took."""

from __future__ import annotations

import gzip
import http.client
import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Self

HEADERS = {
    "Accept": "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
    "Accept-Encoding": "gzip",
    "User-Agent": "Prometheus/3.0.0",
    "X-Prometheus-Scrape-Timeout-Seconds": "10",
}
LIMIT_S = 10.0  # Prometheus' own time-out by default
END = b"# EOF\n"


def scrape(port: int) -> bytes:
    """Return a whole page; raises OSError or http.client.HTTPException where there is none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
    try:
        connection.request("GET", "/metrics", headers=HEADERS)
        response = connection.getresponse()
        body = gzip.decompress(response.read())
        if response.status != http.HTTPStatus.OK or not body.endswith(END):
            msg = f"status {response.status}, {len(body)} bytes that end in {body[-20:]!r}"
            raise http.client.HTTPException(msg)
        return body
    finally:
        connection.close()


@dataclass(slots=True)
class Scraper:
    """Scrapes every `pause_s` on a thread of its own, between `start` and `stop`."""

    port: int
    pause_s: float = 0.1
    times_s: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    _stop: Event = field(default_factory=Event)
    _thread: Thread | None = None

    def __enter__(self) -> Self:
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        assert self._thread is not None
        self._thread.join(2 * LIMIT_S)

    def _run(self) -> None:
        while not self._stop.wait(self.pause_s):
            began_s = time.monotonic()
            try:
                scrape(self.port)
            except (OSError, http.client.HTTPException) as error:
                self.errors.append(f"{type(error).__name__}: {error}")
            self.times_s.append(time.monotonic() - began_s)

    def quantile(self, share: float) -> float:
        """Return a quantile of the times, in seconds."""
        ordered = sorted(self.times_s)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else float("inf")

    @property
    def faults(self) -> list[str]:
        """What a proper scraper may not meet: an error, or a page that took too long."""
        slow = [f"a scrape took {taken:.1f} s" for taken in self.times_s if taken > LIMIT_S]
        return self.errors + slow + ([] if self.times_s else ["no scrape was made"])


def resident_mb(pid: int) -> float:
    """Return what a process holds in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6
