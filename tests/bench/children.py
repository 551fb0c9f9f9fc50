"""Programs of a measurement: asked by a line, answering with one, ended by the end of their input."""

from __future__ import annotations

import json
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.bench.figures import BenchError
from tests.e2e.daemon import ROOT

ANSWER_S = 60.0  # the longest question takes 6 s on an idle machine
STOP_S = 10.0


def cpu_s(pid: int) -> float:
    """Return the CPU time of a process and of all its threads, ended ones too, to the nanosecond."""
    # What clock_getcpuclockid(3) returns: the process CPU clock (2) of a pid.
    return time.clock_gettime((~pid << 3) | 2)


class Child:
    """One running program of ours."""

    def __init__(self, command: Sequence[str | Path]) -> None:
        self._process = subprocess.Popen(
            [*map(str, command)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, bufsize=0
        )
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.stop()

    def ask(self, question: str = "", timeout_s: float = ANSWER_S) -> Any:
        """Send a line, if there is one, and return the JSON value of the line that follows."""
        if question:
            self.tell(question)
        return self.hear(timeout_s)

    def tell(self, question: str) -> None:
        """Send a line."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{question}\n".encode())
        except BrokenPipeError:
            self._refuse("ended early")

    def hear(self, timeout_s: float = ANSWER_S) -> Any:
        """Return the JSON value of the next line."""
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], timeout_s)[0]:
            self._refuse(f"said nothing for {timeout_s:g} s")
        line = self._process.stdout.readline()
        if not line:
            self._refuse("ended early")
        answer = json.loads(line)
        if isinstance(answer, dict) and "error" in answer:
            raise BenchError(answer["error"])
        return answer

    def _refuse(self, why: str) -> None:
        msg = f"{' '.join(map(str, self._process.args[1:4]))} {why}"  # type: ignore[index]
        raise BenchError(msg)

    def stop(self) -> None:
        """End it: by the end of its input, else by force."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(STOP_S)
        self._process.stdout.close()


def python(module: str, *arguments: str | Path) -> Child:
    """Start a module of this package in an interpreter of its own."""
    return Child([sys.executable, "-m", f"tests.bench.{module}", *arguments])


def run(*command: str | Path, timeout_s: float = ANSWER_S) -> str:
    """Run a program to its end and return what it printed; raises BenchError where it fails."""
    try:
        done = subprocess.run([*map(str, command)], check=True, capture_output=True, text=True, timeout=timeout_s)
    except (OSError, subprocess.SubprocessError) as error:
        detail = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        msg = f"{command[0]}: {detail[-1] if detail else error}"
        raise BenchError(msg) from error
    return done.stdout
