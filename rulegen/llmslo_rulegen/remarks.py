"""What is said about one SLO while it is read: findings with the line that each is about."""

from __future__ import annotations

from dataclasses import dataclass, field

from llmslo_rulegen.finding import Finding, Level
from llmslo_rulegen.located import Document

Path = tuple[str | int, ...]


@dataclass(slots=True)
class Remarks:
    """Collects findings below `path` of a document."""

    document: Document
    path: Path = ()
    findings: list[Finding] = field(default_factory=list)

    def error(self, check: str, text: str, *path: str | int) -> None:
        """Note an error about what stands at `path`, counted from here."""
        self._add(check, text, Level.ERROR, path)

    def warn(self, check: str, text: str, *path: str | int) -> None:
        """Note a warning about what stands at `path`, counted from here."""
        self._add(check, text, Level.WARNING, path)

    def _add(self, check: str, text: str, level: Level, path: Path) -> None:
        line = self.document.line_of((*self.path, *path))
        self.findings.append(Finding(f"slo/{check}", self.document.file, line, level, text))
