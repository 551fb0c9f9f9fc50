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
    """`text` says what was found, what was needed and what to do; `line` counts from 1, 0 for the whole file.

    `fix` is what to write instead, where a text does not end in it; `column` counts characters from 1, 0 for the whole
    line, `length` how many of them are meant.
    """

    check: str
    file: str
    line: int
    level: Level
    text: str
    fix: str = ""
    column: int = 0
    length: int = 0

    @property
    def message(self) -> str:
        """All that is said, without the place."""
        return f"{self.text}: {self.fix}" if self.fix else self.text

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        line = f"{place}: {self.level.value}: {self.message} ({self.check})"
        return printable(line)

    def as_record(self) -> dict[str, object]:
        """Return what `--json` shows of it."""
        return {
            "check": self.check,
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "severity": self.level.value,
            "text": self.text,
            "fix": self.fix,
        }


def printable(text: str) -> str:
    """Return `text` on one line: a key or a file name may hold anything, a terminal's escape sequences too."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def has_errors(findings: Iterable[Finding]) -> bool:
    """Return whether one of them is an error."""
    return any(finding.level is Level.ERROR for finding in findings)
