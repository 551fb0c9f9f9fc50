"""The whole exporter among hostile clients, hostile answers and endless names: `python -m tests.e2e.hostile`.

Beside each of them a proper scrape every 0.1 s. The table tells how long these took and what the exporter needed. Exit
code 1 where a scrape failed or took over 10 s, where memory went on growing, or where an exchange was not counted.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.children import cpu_s
from tests.e2e import hostile_answers, hostile_clients
from tests.e2e.daemon import ROOT, Exporter, NotSeenError, kernel_is_open, running
from tests.e2e.lab import certificate
from tests.e2e.scraping import Scraper, resident_mb, scrape

SETTLE_S = 3.0  # an ended exchange is in /metrics within 2 s
SWEPT_S = 12.0  # at its sweep, every 10 s, the exporter gives back what it no longer needs
STOP_S = 60.0
# The first of a kind needs room that it then leaves to others; a second round of all needs none.
AGAIN = 0.2  # of the first round's time and names
GROWTH_MB = 20.0
CAPS = {"model": 50, "provider": 25, "workload": 200}
CLIENTS, ANSWERS, NAMES = "clients", "answers", "names"
COLUMNS = ("", "times", "scrapes", "p50 ms", "p99 ms", "max ms", "cpu", "RSS MB", "")


@dataclass(slots=True)
class Row:
    """One kind, and what the scrapes beside it met."""

    name: str
    scraper: Scraper
    times: int = 0
    cpu: float = 0.0
    rss_mb: float = 0.0
    faults: list[str] = field(default_factory=list)

    def cells(self) -> tuple[str, ...]:
        """The row of the table."""
        times = [f"{self.scraper.quantile(share) * 1e3:.0f}" for share in (0.5, 0.99, 1.0)]
        said = "; ".join(dict.fromkeys(self.faults)) or "ok"
        usage = (f"{self.cpu:.2f}", f"{self.rss_mb:.0f}")
        return (self.name, str(self.times), str(len(self.scraper.times_s)), *times, *usage, said)


class Trial:
    """One exporter and all that come to it."""

    def __init__(self, exporter: Exporter, folder: Path) -> None:
        self._exporter = exporter
        self._pid = exporter.process.pid
        self._pair = certificate(folder)
        self.rows: list[Row] = []

    def clients(self, kind: str, count: int, seconds: float) -> None:
        """So many clients of a kind at once."""
        self._beside(f"{kind}", ("hostile_clients", str(self._exporter.port), kind, str(count)), seconds, "connected")

    def answers(self, kind: str, seconds: float) -> None:
        """Exchanges with a hostile answer, one after the other."""
        self._beside(kind, ("hostile_answers", kind, "0", *self._pair), seconds, "exchanges")

    def names(self, kind: str, count: int) -> None:
        """So many exchanges with a name of their own; all of them are counted, under few labels."""
        before = self.counted()
        row = self._beside(kind, ("hostile_answers", kind, str(count), *self._pair), None, "exchanges")
        row.faults += self.miscounted(before, row.times)

    def counted(self) -> dict[str, float]:
        """What was counted so far: exchanges by role, and losses."""
        time.sleep(SETTLE_S)
        text = scrape(self._exporter.port).decode()
        seen = {role: _sum(text, "llm_requests_total", f'role="{role}"') for role in ("client", "server")}
        return {**seen, "lost": _sum(text, "llm_exporter_events_lost_total")}

    def miscounted(self, before: dict[str, float], times: int) -> list[str]:
        """What is wrong with the counts after so many exchanges."""
        after = self.counted()
        lost = after["lost"] - before["lost"]
        text = scrape(self._exporter.port).decode()
        wrong = [
            f"{times - after[role] + before[role]:.0f} of {times} not counted as {role}, {lost:.0f} lost"
            for role in ("client", "server")
            if not times - lost <= after[role] - before[role] <= times
        ]
        held = {label: len(_values(text, label) - {"_other"}) for label in CAPS}
        return wrong + [f"{held[label]} values of {label}" for label in CAPS if held[label] > CAPS[label]]

    def _beside(self, name: str, command: Sequence[str], seconds: float | None, key: str) -> Row:
        module, *arguments = command
        row = Row(name, Scraper(self._exporter.port))
        self.rows.append(row)
        began_s, began_cpu_s = time.monotonic(), cpu_s(self._pid)
        with subprocess.Popen(
            [sys.executable, "-m", f"tests.e2e.{module}", *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as other:
            with row.scraper:
                if seconds is None:
                    other.wait()
                else:
                    time.sleep(seconds)
            said = other.communicate(timeout=STOP_S)[0]
        row.times = int(json.loads(said)[key])
        row.cpu = (cpu_s(self._pid) - began_cpu_s) / (time.monotonic() - began_s)
        row.rss_mb = resident_mb(self._pid)
        row.faults += row.scraper.faults + ([] if row.times else ["nobody came"])
        print(_line(row.cells()), file=sys.stderr, flush=True)
        return row

    def round(self, parts: Sequence[str], options: argparse.Namespace, share: float) -> float:
        """Let all of them come, for a share of the time; return the memory after it."""
        for kind in hostile_clients.KINDS if CLIENTS in parts else ():
            self.clients(kind, options.clients, options.seconds * share)
        for kind in hostile_answers.ANSWERS if ANSWERS in parts else ():
            self.answers(kind, options.seconds * share)
        for kind in hostile_answers.NAMES if NAMES in parts else ():
            self.names(kind, int(options.names * share))
        time.sleep(SWEPT_S)
        return resident_mb(self._pid)


def _lines(text: str, name: str) -> Iterator[tuple[str, float]]:
    for line in text.splitlines():
        series, _, value = line.rpartition(" ")
        if series.partition("{")[0] == name:
            yield series, float(value)


def _sum(text: str, name: str, label: str = "") -> float:
    return sum(value for series, value in _lines(text, name) if label in series)


def _values(text: str, label: str) -> set[str]:
    series_of = [series for series, _ in _lines(text, "llm_requests_total")]
    marked = (series.partition(f',{label}="')[2] or series.partition(f'{{{label}="')[2] for series in series_of)
    return {found.partition('",')[0].removesuffix('"}') for found in marked}


def _table(rows: Sequence[Row]) -> str:
    return "\n".join(map(_line, (COLUMNS, *(row.cells() for row in rows))))


def _line(cells: Sequence[str]) -> str:
    return f"{cells[0]:<16}{''.join(f'{cell:>9}' for cell in cells[1:-1])}  {cells[-1]}".rstrip()


def main(argv: Sequence[str]) -> int:
    """Run the trial; 0 when nothing was wrong."""
    parser = argparse.ArgumentParser("tests.e2e.hostile", description=__doc__)
    parser.add_argument("--loader", choices=("libbpf", "bcc"), default="libbpf")
    parser.add_argument("--only", action="append", choices=(CLIENTS, ANSWERS, NAMES), help="may be given again")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each kind (default 10)")
    parser.add_argument("--clients", type=int, default=1_000, help="of a kind at once (default 1000)")
    parser.add_argument("--names", type=int, default=100_000, help="of a kind (default 100000)")
    options = parser.parse_args(argv)
    closed = kernel_is_open()
    if closed:
        print(f"cannot run: {closed}", file=sys.stderr)
        return 2
    parts = options.only or (CLIENTS, ANSWERS, NAMES)
    with tempfile.TemporaryDirectory(prefix="llmslo-hostile-") as top:
        folder = Path(top)
        with running(options.loader, folder, "--log.level", "info") as exporter:
            trial = Trial(exporter, folder)
            first_mb = trial.round(parts, options, 1.0)
            second_mb = trial.round(parts, options, AGAIN)
            faults = [] if exporter.process.poll() is None else ["the exporter ended"]
            print(f"{first_mb:.0f} MB behind the first round, {second_mb:.0f} MB behind the second")
            if second_mb - first_mb > GROWTH_MB:
                faults.append(f"memory grew from {first_mb:.0f} to {second_mb:.0f} MB in a second round")
            errors = [line for line in exporter.raw if "level=error" in line or "Traceback" in line]
    times_s = sorted(taken for row in trial.rows for taken in row.scraper.times_s)
    print(_table(trial.rows))
    print(
        f"{len(times_s)} scrapes, p99 {times_s[int(0.99 * len(times_s))] * 1e3:.0f} ms, max {times_s[-1] * 1e3:.0f} ms"
    )
    faults += [f"{row.name}: {fault}" for row in trial.rows for fault in row.faults] + errors[:3]
    print("\n".join(faults) if faults else "no fault")
    return 1 if faults else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except NotSeenError as failure:
        sys.exit(str(failure))
