"""The exporter under test: started, read line by line, asked for its metrics, and ended."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
# bcc compiles on the node; the machine has two cores that others may be using.
READY_S = 120.0
STOP_S = 15.0
# An ended exchange is in /metrics within 2 s (the contract); the rest is this machine's slack.
SEEN_S = 10.0
KEPT_LINES = 400

Line = Mapping[str, Any]


class NotSeenError(AssertionError):
    """The exporter did not report an exchange in time, or could not be started."""


def program() -> list[str]:
    """The exporter's command: of the project's environment, else of this interpreter's."""
    for folder in (ROOT / ".venv" / "bin", Path(sys.executable).parent):
        found = folder / "llmslo-exporter"
        if found.exists():
            return [str(found)]
    return [sys.executable, "-m", "llmslo_exporter"]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class Exporter:
    """One running exporter and the exchanges it has reported."""

    def __init__(self, loader: str, folder: Path, *options: str, command: Sequence[str] = ()) -> None:
        self.loader = loader
        self.port = _free_port()
        self.raw: list[str] = []
        self.talk: deque[str] = deque(maxlen=KEPT_LINES)
        self._found: dict[tuple[str | None, str], list[Line]] = {}
        self._news = threading.Condition()
        address = f"127.0.0.1:{self.port}"
        flags = ["--loader", loader, "--web.listen-address", address, "--log.level", "debug", "--log.format", "json"]
        self.process = subprocess.Popen(
            [*(command or program()), *flags, *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            cwd=folder,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                self._take(line)
        with self._news:
            self._news.notify_all()

    def _take(self, line: str) -> None:
        self.raw.append(line)
        try:
            record = json.loads(line)
        except ValueError:
            record = {}
        with self._news:
            if record.get("msg") == "exchange":
                self._found.setdefault((record["model"], record["role"]), []).append(record)
            else:
                self.talk.append(line)
            self._news.notify_all()

    def wait_ready(self, timeout_s: float = READY_S) -> float:
        """Wait for /readyz to say 200 and return how long it took, in seconds."""
        began_s = time.monotonic()
        while time.monotonic() - began_s < timeout_s:
            if self.process.poll() is not None:
                break
            try:
                if self.fetch("/readyz")[0] == 200:
                    return time.monotonic() - began_s
            except OSError:
                pass
            time.sleep(0.05)
        msg = f"exporter ({self.loader}) not ready after {timeout_s:g} s, exit {self.process.poll()}: {self.tail()}"
        raise NotSeenError(msg)

    def tail(self) -> str:
        """The last lines the exporter wrote that are no exchanges."""
        return "".join(list(self.talk)[-12:])

    def fetch(self, path: str) -> tuple[int, str]:
        """GET a page of the exporter: status and text."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as page:
                return page.status, page.read().decode()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.read().decode(errors="replace")

    def metric(self, name: str, **labels: str) -> float:
        """Sum of the samples of `name` whose labels hold `labels`."""
        total = 0.0
        for line in self.fetch("/metrics")[1].splitlines():
            series, _, value = line.rpartition(" ")
            bare = series.partition("{")[0]
            if bare == name and all(f'{key}="{wanted}"' in series for key, wanted in labels.items()):
                total += float(value)
        return total

    def lines(self, model: str, role: str) -> list[Line]:
        """The exchanges reported so far for a model and role."""
        with self._news:
            return list(self._found.get((model, role), ()))

    def expect(self, model: str | None, role: str, count: int = 1, timeout_s: float = SEEN_S) -> list[Line]:
        """Wait for `count` exchanges of a model and role."""
        until_s = time.monotonic() + timeout_s
        with self._news:
            while len(found := self._found.get((model, role), [])) < count:
                left_s = until_s - time.monotonic()
                if left_s <= 0 or self.process.poll() is not None:
                    others = sorted({key[1] for key in self._found if key[0] == model})
                    msg = f"{self.loader}: {len(found)} of {count} exchanges {model} as {role} (seen as: {others})"
                    raise NotSeenError(msg)
                self._news.wait(min(left_s, 0.5))
            return list(found)

    def count_strangers(self, models: set[str], pids: set[int]) -> int:
        """How many exchanges of `pids` were reported of none of `models`."""
        with self._news:
            strange = [lines for (model, _), lines in self._found.items() if model not in models]
            return sum(line["pid"] in pids for lines in strange for line in lines)

    def forget(self) -> None:
        """Drop the exchanges reported so far."""
        with self._news:
            self._found.clear()

    def stop(self) -> int:
        """End it as an operator would; its exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        """End it without warning; its exit code."""
        return self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> int:
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            code = self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait(STOP_S)
        self._reader.join(STOP_S)
        return code


@contextmanager
def running(loader: str, folder: Path, *options: str, command: Sequence[str] = ()) -> Iterator[Exporter]:
    """A ready exporter for the length of a block; `command` starts it in a way of its own."""
    exporter = Exporter(loader, folder, *options, command=command)
    try:
        exporter.wait_ready()
        yield exporter
    finally:
        exporter.stop()


def kernel_is_open() -> str | None:
    """Why the kernel tests cannot run here, or None."""
    if os.geteuid() != 0:
        return "loading programs into the kernel needs root"
    if not Path("/sys/kernel/btf/vmlinux").exists():
        return "the kernel has no BTF"
    return None
