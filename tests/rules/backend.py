"""A real Prometheus over back-filled blocks, and promtool; every wait is bounded."""

from __future__ import annotations

import itertools
import json
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Labels = Mapping[str, str]
Samples = Sequence[tuple[float, float]]  # (seconds since the epoch, value)

READY_S, STOP_S, QUERY_S, IMPORT_S = 60.0, 20.0, 300.0, 900.0
# The API refuses more than 11 000 points a series in one answer.
MOST_POINTS = 10_000
# A live server marks a record as gone at the next evaluation, at most 5 minutes later; back-filled ones have no marks.
LOOKBACK = "299s"
# One block for all of the past: the greatest of the importer's sizes (2 h times a power of 3) up to two years.
LONGEST_BLOCK = "17496h"


class BackendError(Exception):
    """An engine did not start, answer or accept its input; the text is its own last line."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series with its samples in order of time."""

    name: str
    labels: Labels
    samples: Samples


@dataclass(frozen=True, slots=True)
class Answer:
    """What an instant query gave: a value per label set, and the samples that it touched."""

    values: tuple[tuple[Labels, float], ...]
    touched: int


class Prometheus:
    """The HTTP API of a running server."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def query(self, expression: str, at_s: float) -> Answer:
        """Evaluate at one instant."""
        found = self._ask("/api/v1/query", query=expression, time=f"{at_s:.3f}", stats="all")
        if found["resultType"] == "scalar":
            values = (({}, float(found["result"][1])),)
        else:
            values = tuple((each["metric"], float(each["value"][1])) for each in found["result"])
        return Answer(values, int(found["stats"]["samples"]["totalQueryableSamples"]))

    def evaluate(self, expression: str, first_s: float, last_s: float, step_s: float) -> list[tuple[Labels, Samples]]:
        """Evaluate at each step, as a rule group at that interval does."""
        found: dict[str, tuple[Labels, list[tuple[float, float]]]] = {}
        chunk_s = step_s * MOST_POINTS
        starts = itertools.takewhile(lambda start_s: start_s <= last_s, itertools.count(first_s, chunk_s))
        for start_s in starts:
            end_s = min(last_s, start_s + chunk_s - step_s)
            answer = self._ask(
                "/api/v1/query_range",
                query=expression,
                start=f"{start_s:.3f}",
                end=f"{end_s:.3f}",
                step=f"{step_s:.3f}",
            )
            for each in answer["result"]:
                series = found.setdefault(json.dumps(each["metric"], sort_keys=True), (each["metric"], []))
                series[1].extend((at_s, float(value)) for at_s, value in each["values"])
        return list(found.values())

    def raw(self, selector: str, first_s: float, last_s: float) -> Samples:
        """Return the samples of one series as they are stored."""
        range_s = int(last_s - first_s) + 1
        found = self._ask("/api/v1/query", query=f"{selector}[{range_s}s]", time=f"{last_s:.3f}")["result"]
        return [(float(at_s), float(value)) for each in found for at_s, value in each["values"]]

    def is_ready(self) -> bool:
        """Whether it answers queries."""
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5) as answer:  # noqa: S310 -- our own
                return answer.status == 200
        except OSError:
            return False

    def _ask(self, path: str, **parameters: str) -> Any:
        body = urllib.parse.urlencode(parameters).encode()
        try:
            with urllib.request.urlopen(self.url + path, body, timeout=QUERY_S) as answer:  # noqa: S310 -- our own
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            msg = f"{json.load(error).get('error', error)}: {parameters.get('query', path)}"
            raise BackendError(msg) from error


class Storage:
    """A folder of blocks that can be filled with the past, and served."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._blocks = folder / "data"
        self._blocks.mkdir()
        (folder / "prometheus.yml").write_text("global: {evaluation_interval: 1h}\n")

    def fill(self, series: Sequence[Series]) -> None:
        """Add samples, by promtool's importer."""
        source = self._folder / "import.om"
        with source.open("w", encoding="utf-8") as out:
            for each in sorted(series, key=lambda one: one.name):
                head = each.name + braced(each.labels)
                out.writelines(f"{head} {value!r} {at_s:.3f}\n" for at_s, value in each.samples)
            out.write("# EOF\n")
        run(
            *("promtool", "tsdb", "create-blocks-from", "openmetrics", f"--max-block-duration={LONGEST_BLOCK}", "-q"),
            *(source, self._blocks),
            timeout_s=IMPORT_S,
        )
        source.unlink()

    def add(self, blocks: Path) -> None:
        """Move blocks that promtool made to the others."""
        for block in blocks.iterdir():
            if (block / "meta.json").is_file():
                block.rename(self._blocks / block.name)

    @contextmanager
    def served(self) -> Iterator[Prometheus]:
        """Run a Prometheus over the blocks."""
        port, log = free_port(), self._folder / "prometheus.log"
        command = [
            *("prometheus", f"--config.file={self._folder / 'prometheus.yml'}", f"--storage.tsdb.path={self._blocks}"),
            *("--storage.tsdb.retention.time=3650d", "--query.max-samples=500000000", "--query.timeout=10m"),
            f"--query.lookback-delta={LOOKBACK}",
            *(f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"),
        ]
        with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
            try:
                server = Prometheus(port)
                _wait(process, server, log)
                yield server
            finally:
                process.terminate()
                try:
                    process.wait(STOP_S)
                except subprocess.TimeoutExpired:
                    process.kill()


@contextmanager
def storage() -> Iterator[Storage]:
    """Give an empty storage that goes with the block."""
    with tempfile.TemporaryDirectory(prefix="llmslo-rules-") as folder:
        yield Storage(Path(folder))


def run(*command: str | Path, timeout_s: float, folder: Path | None = None) -> str:
    """Run a program and return what it printed; raises BackendError where it fails or takes too long."""
    done = _done(command, timeout_s, folder)
    if done.returncode:
        msg = f"{' '.join(map(str, command[:3]))}: {(done.stderr or done.stdout).strip()[-2000:]}"
        raise BackendError(msg)
    return done.stdout


def said(*command: str | Path, timeout_s: float, folder: Path) -> str:
    """Run a program and return all that it said, whether it failed or not."""
    done = _done(command, timeout_s, folder)
    return done.stdout + done.stderr


def _done(command: Sequence[str | Path], timeout_s: float, folder: Path | None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [*map(str, command)], check=False, capture_output=True, text=True, timeout=timeout_s, cwd=folder
        )
    except (OSError, subprocess.SubprocessError) as error:
        msg = f"{command[0]}: {error}"
        raise BackendError(msg) from error


def free_port() -> int:
    """Return a loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def lacks() -> str | None:
    """Name the program that is not installed; None: all are."""
    return next((f"needs {name}" for name in ("promtool", "prometheus") if not shutil.which(name)), None)


def _wait(process: subprocess.Popen[bytes], server: Prometheus, log: Path) -> None:
    deadline_s = time.monotonic() + READY_S
    while not server.is_ready():
        if process.poll() is not None or time.monotonic() > deadline_s:
            msg = f"prometheus: {log.read_text(errors='replace').strip()[-2000:] or 'not ready in time'}"
            raise BackendError(msg)
        time.sleep(0.05)


def braced(labels: Labels) -> str:
    """Return labels as a selector has them."""
    inside = ",".join(f'{name}="{_escaped(value)}"' for name, value in sorted(labels.items()))
    return f"{{{inside}}}" if inside else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
