"""Prometheus' own judge."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from llmslo_rulegen import programs
from llmslo_rulegen.errors import ToolError

NAME = "promtool"
MISSING = "promtool is not found: install Prometheus (Debian: the package prometheus), or put promtool on the PATH"
_VERSION = re.compile(r"promtool, version (\d+)\.(\d+)")
_CHECK_S = 300.0  # 1 000 SLOs take 5 s
_TEST_S = 120.0  # a test file takes 3 s
_VERSION_S = 30.0
_DO = "install Prometheus' promtool"


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
        found = programs.call([self.path, *arguments], limit_s, _DO)
        return Verdict(found.code == 0, (found.text + found.talk).strip())


def find() -> Promtool | None:
    """Return the promtool on the PATH; None: there is none."""
    path = shutil.which(NAME)
    if path is None:
        return None
    found = programs.call([path, "--version"], _VERSION_S, _DO)
    match = _VERSION.search(found.text + found.talk)
    if match is None:
        msg = f"{path} --version does not say which promtool it is: {(found.text + found.talk)[:100]!r}"
        raise ToolError(msg)
    return Promtool(path, (int(match[1]), int(match[2])))
