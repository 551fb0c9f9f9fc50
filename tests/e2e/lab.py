"""The byte servers and their spool: publish an answer, run a client, learn what each side saw."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.e2e.answers import Answer
from tests.e2e.daemon import ROOT
from tests.e2e.taps import Flight

# A side has written its note when its exchange is over; a client may be told earlier.
NOTE_S = 15.0
START_S = 15.0


@dataclass(frozen=True, slots=True)
class Served:
    """What the byte server noted of one attempt: when it read and wrote, and the error that ended it."""

    pid: int
    flight: Flight
    failed: str | None
    request_bytes: int  # of a body with content-length


def certificate(folder: Path) -> tuple[str, str]:
    """A self-signed certificate for localhost: paths of certificate and key."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    made = ["-keyout", str(key), "-out", str(cert)]
    subprocess.run(
        ["openssl", "req", "-x509", *curve, "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", names, *made],
        check=True,
        capture_output=True,
    )
    return str(cert), str(key)


class Server:
    """A byte server process."""

    def __init__(self, spool: Path, cert: str, key: str, *flags: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.byteserver", "--spool", str(spool), "--cert", cert, "--key", key, *flags],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert self._process.stdout is not None
        ports = json.loads(self._process.stdout.readline())
        self.tls: int = ports["tls"]
        self.plain: int = ports["plain"]
        self.pid: int = ports["pid"]

    def port(self, *, tls: bool) -> int:
        """The port of a transport."""
        return self.tls if tls else self.plain

    def stop(self) -> None:
        """End the process by closing its life line."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        try:
            self._process.wait(START_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(START_S)


class Lab:
    """Servers (one with threads, one with a process per connection), their certificate and their scripts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._spool = folder / "spool"
        self._spool.mkdir()
        self.cert, key = certificate(folder)
        self.server = Server(self._spool, self.cert, key)
        self.forking = Server(self._spool, self.cert, key, "--fork")
        self._numbers = itertools.count()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.server.stop()
        self.forking.stop()

    def model(self, label: str) -> str:
        """A model name nobody else uses."""
        return f"{label}~{next(self._numbers)}"

    def publish(self, model: str, *attempts: Answer) -> str:
        """Tell the servers what to answer to `model`, attempt by attempt; the last one repeats."""
        return self.publish_steps(model, *(attempt.steps() for attempt in attempts))

    def publish_steps(self, model: str, *scripts: Sequence[Sequence[Any]]) -> str:
        """The same with scripts in the byte server's own words."""
        (self._spool / f"{model}.json").write_text(json.dumps(scripts))
        return model

    def wait_at_gate(self, name: str, count: int) -> None:
        """Wait (bounded) until `count` scripts stand at a gate."""
        until_s = time.monotonic() + START_S
        while len(list(self._spool.glob(f"{name}.*.at"))) < count and time.monotonic() < until_s:
            time.sleep(0.01)

    def open_gate(self, name: str) -> None:
        """Let the scripts that wait at a gate go on."""
        (self._spool / name).touch()

    def new(self, label: str, *attempts: Answer) -> str:
        """Publish answers under a fresh model name and return it."""
        return self.publish(self.model(label), *attempts)

    def served(self, model: str, attempt: int = 0, timeout_s: float = NOTE_S) -> Served | None:
        """What the server noted, waiting for it; None: it never answered."""
        path = self._spool / f"{model}.{attempt}.seen"
        until_s = time.monotonic() + timeout_s
        while not path.exists():
            if time.monotonic() > until_s:
                return None
            time.sleep(0.01)
        note: dict[str, Any] = json.loads(path.read_text())
        writes: Sequence[Sequence[Any]] = note["writes"]
        return Served(
            note["pid"],
            Flight(note["start_s"], [(at_s, size) for at_s, size in writes]),
            note["failed"],
            note["request_bytes"],
        )


@contextmanager
def laboratory(folder: Path) -> Iterator[Lab]:
    """A lab for the length of a block."""
    with Lab(folder) as lab:
        yield lab
