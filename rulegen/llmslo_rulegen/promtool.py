"""Prometheus' own judge: the only module that runs another program."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from llmslo_rulegen.errors import ToolError

NAME = "promtool"
MISSING = "promtool is not found: install Prometheus (Debian: the package prometheus), or put promtool on the PATH"
_VERSION = re.compile(r"promtool, version (\d+)\.(\d+)")
_CHECK_S = 300.0  # 1 000 SLOs take 5 s
_TEST_S = 120.0  # a test file takes 3 s
_VERSION_S = 30.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What promtool says of files."""

    is_good: bool
    text: str


@dataclass(frozen=True, slots=True)
class Promtool:
    """A promtool that was found; `version` is its major and minor number."""

    path: str
    version: tuple[int, int]

    def check_rules(self, files: list[Path]) -> Verdict:
        """Check rule files with every lint that there is, as errors."""
        return self._run(["check", "rules", "--lint=all", "--lint-fatal", *map(str, files)], _CHECK_S)

    def test_rules(self, files: list[Path]) -> Verdict:
        """Run test files."""
        return self._run(["test", "rules", *map(str, files)], _TEST_S)

    def _run(self, arguments: list[str], limit_s: float) -> Verdict:
        found = _call([self.path, *arguments], limit_s)
        return Verdict(found.returncode == 0, (found.stdout + found.stderr).strip())


def find() -> Promtool | None:
    """Return the promtool on the PATH; None: there is none."""
    path = shutil.which(NAME)
    if path is None:
        return None
    found = _call([path, "--version"], _VERSION_S)
    match = _VERSION.search(found.stdout + found.stderr)
    if match is None:
        msg = f"{path} --version does not say which promtool it is: {(found.stdout + found.stderr)[:100]!r}"
        raise ToolError(msg)
    return Promtool(path, (int(match[1]), int(match[2])))


def _call(command: list[str], limit_s: float) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603 -- promtool by its full path, no shell
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit_s,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        msg = f"{' '.join(command[:3])} did not end within {limit_s:g} s: look at what it was given, {command[-1]}"
        raise ToolError(msg) from error
    except OSError as error:
        msg = f"{command[0]} does not run: {error.strerror}; install Prometheus' promtool"
        raise ToolError(msg) from error
