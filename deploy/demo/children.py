"""The demo's programs: started with a log each, waited for with a limit, ended by their pid."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

POLL_S = 0.05
STOP_S = 5.0  # SIGTERM is given this long before SIGKILL


class DemoError(Exception):
    """The demo cannot go on; its text is for the person who started it."""


@dataclass(frozen=True, slots=True)
class Child:
    """A started program and where its output goes."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def last_line(self) -> str:
        lines = self.log.read_text(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it printed nothing")


class Children:
    """Every program that the demo started, so that none outlives it unless asked to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[Child] = []

    def start(self, name: str, command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> Child:
        """Start `command` in a session of its own, so that ^C reaches the demo alone, which then ends it."""
        log = self._folder / f"{name}.log"
        with log.open("wb") as out:
            try:
                process = subprocess.Popen(
                    [str(word) for word in command],
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **(env or {})},
                    start_new_session=True,
                )
            except OSError as error:
                msg = f"{name} cannot be started: {error}"
                raise DemoError(msg) from error
        child = Child(name, process, log)
        self._running.append(child)
        return child

    @property
    def pids(self) -> list[int]:
        return [child.process.pid for child in self._running if child.process.poll() is None]

    def stop(self) -> None:
        """End what runs, the last started first; a program that ignores SIGTERM is killed."""
        for child in reversed(self._running):
            self.end(child)
        self._running.clear()

    def end(self, child: Child) -> None:
        """End one; what ended before stays as it is."""
        if child.process.poll() is None:
            child.process.send_signal(signal.SIGTERM)
            try:
                child.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()


def wait_ready(child: Child, url: str, limit_s: float, cert: Path | None = None) -> None:
    """Return when `url` (trusting `cert`) answers 200; raise DemoError when the program ends or `limit_s` is over."""
    context = ssl.create_default_context(cafile=cert) if cert else None
    deadline = time.monotonic() + limit_s
    while True:
        code = child.process.poll()
        if code is not None:
            msg = f"{child.name} ended with {code}: {child.last_line()}"
            raise DemoError(msg)
        if _answers(url, context):
            return
        if time.monotonic() > deadline:
            msg = f"{child.name} not ready after {limit_s:.0f} s: {child.last_line()}"
            raise DemoError(msg)
        time.sleep(POLL_S)


def wait_exit(child: Child, limit_s: float) -> str:
    """Return what the program printed; raise DemoError when it fails or takes longer than `limit_s`."""
    try:
        code = child.process.wait(limit_s)
    except subprocess.TimeoutExpired:
        msg = f"{child.name} still runs after {limit_s:.0f} s: {child.last_line()}"
        raise DemoError(msg) from None
    if code != 0:
        msg = f"{child.name} ended with {code}: {child.last_line()}"
        raise DemoError(msg)
    return child.log.read_text()


def free_port() -> int:
    """Return a loopback port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(url: str, context: ssl.SSLContext | None) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1, context=context) as answer:  # noqa: S310 - a loopback address of our own
            return bool(answer.status == 200)  # noqa: PLR2004 - HTTP's OK
    except (urllib.error.URLError, OSError):
        return False
