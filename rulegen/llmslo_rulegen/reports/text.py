"""Findings for people: a line each, the line of the file that it is about, and a caret under what is meant."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from llmslo_rulegen.finding import Finding, printable

_WIDTH = 160  # of a shown line; the caret has to stay in sight


def lines(findings: Iterable[Finding], line_of: Callable[[str, int], str | None]) -> Iterator[str]:
    """Yield lines without their ends; `line_of` gives the text of a line of a file."""
    for finding in findings:
        yield str(finding)
        text = line_of(finding.file, finding.line)
        if text is not None and text.strip():
            yield from _shown(finding, text)


def _shown(finding: Finding, text: str) -> Iterator[str]:
    number = str(finding.line)
    first = max(0, finding.column - _WIDTH // 2) if finding.column > _WIDTH else 0
    # One character stays one column, or the caret would stand under another.
    part = "".join(c if c.isprintable() else " " for c in text[first : first + _WIDTH])
    yield f"  {number} | {printable(part).rstrip()}"
    if finding.column:
        blank = " " * (len(number) + 2)
        length = max(1, min(finding.length, len(text) - finding.column + 1))
        yield f"{blank} | {' ' * (finding.column - 1 - first)}{'^' * length}"
