"""What is wrong where, as data; one printer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How much a finding weighs: an error always fails, a warning only when asked, a note never."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """`text` says what was found, what was needed and what to do; `line` counts from 1, 0 for the whole file."""

    check: str
    file: str
    line: int
    level: Level
    text: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        line = f"{place}: {self.level.value}: {self.text} ({self.check})"
        # A key or a file name may hold anything, a terminal's escape sequences too.
        return line if line.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)

    def as_record(self) -> dict[str, object]:
        """Return what `--json` shows of it."""
        return {
            "check": self.check,
            "file": self.file,
            "line": self.line,
            "severity": self.level.value,
            "text": self.text,
        }


def has_errors(findings: Iterable[Finding]) -> bool:
    """Return whether one of them is an error."""
    return any(finding.level is Level.ERROR for finding in findings)
